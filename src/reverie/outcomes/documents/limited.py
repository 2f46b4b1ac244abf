"""Asks the process in which files are parsed, and gives up on it in time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from reverie.outcomes.documents.reading import Reading
from reverie.outcomes.documents.worker import Question

__all__ = ["CPU_S", "WALL_S", "Limited", "Unanswered"]

WALL_S: Final = 30.0
CPU_S: Final = 15
_LONGEST_ANSWER: Final = 64 << 20


class Unanswered(Exception):
    """The process gave no answer; the message says why, of the file."""


class Limited:
    """One process for as many files as there are; one that ends is followed by another for the next file."""

    def __init__(self, *, wall_s: float = WALL_S, cpu_s: int = CPU_S) -> None:
        self._wall_s = wall_s
        self._cpu_s = cpu_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def read(self, data: bytes, name: str) -> Reading:
        """A document.

        Raises:
            Unanswered: it could not be read within the limits.
        """
        return msgspec.json.decode(self._ask(data, name, None), type=Reading)

    def misfits(self, schema: dict[str, Any], data: bytes) -> list[str]:
        """What of JSON does not fit a schema.

        Raises:
            Unanswered: it could not be found out within the limits.
        """
        return msgspec.json.decode(self._ask(data, "", schema), type=list[str])

    def _ask(self, data: bytes, name: str, schema: dict[str, Any] | None) -> bytes:
        question = msgspec.json.encode(Question(name, len(data), self._cpu_s, schema)) + b"\n"
        process = self._running()
        late = threading.Event()
        clock = threading.Timer(self._wall_s, lambda: (late.set(), process.kill()))
        clock.start()
        try:
            return _exchanged(process, question + data)
        except (OSError, EOFError):
            self._end()
            raise Unanswered(self._why(process.returncode, late=late.is_set())) from None
        finally:
            clock.cancel()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "reverie.outcomes.documents.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"LANG": "C.UTF-8"},
                cwd="/",
                start_new_session=True,
            )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                _closed(pipe)
        process.wait()

    def _why(self, code: int | None, *, late: bool) -> str:
        if late:
            return f"it took more than {self._wall_s:g} s to read"
        if code == -signal.SIGXCPU:
            return f"it took more than {self._cpu_s} s of computing to read"
        return "it cannot be read: the process that was to read it ended"


def _closed(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:  # what was not written yet has nobody to read it
        return


def _exchanged(process: subprocess.Popen[bytes], asked: bytes) -> bytes:
    """
    Raises:
        OSError: the process is gone.
        EOFError: it ended before its answer did, or answers more than it may.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(asked)
    process.stdin.flush()
    size = int.from_bytes(_exactly(process.stdout, 8), "big")
    if size > _LONGEST_ANSWER:
        raise EOFError
    return _exactly(process.stdout, size)


def _exactly(pipe: Any, size: int) -> bytes:
    data: bytes = pipe.read(size)
    if len(data) < size:
        raise EOFError
    return data
