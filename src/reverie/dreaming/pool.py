"""A worker process, as its parent sees it: a batch goes in, observations come out.

Frames on its pipes are a length (8 bytes, big-endian) and JSON. The worker ends when its input does, so
none outlives a parent that was killed.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import IO, BinaryIO, Final, Self

import msgspec

from reverie.domain.errors import WorkerLost
from reverie.dreaming.batches import Batch
from reverie.plugins import Observer

__all__ = ["Answer", "Worker", "importable", "receive", "send"]

_LENGTH: Final = struct.Struct(">Q")
_HINT: Final = "run the dream again: it goes on from what is kept"


class Answer(msgspec.Struct):
    """What a worker says to a batch: observations, or what went wrong."""

    done: list[str] = []
    failed: str | None = None


_answer: Final = msgspec.json.Decoder(Answer)


class Worker:
    """A running worker. Use it as a context manager, and from one thread at a time."""

    def __init__(self, kind: type[Observer], version: str) -> None:
        # what it may say while dying is read when it is dead: no pipe to fill up meanwhile
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        command = [
            sys.executable,
            "-m",
            "reverie.dreaming.worker",
            kind.__module__,
            kind.__qualname__,
            version,
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=_environment(),
        )

    def ask(self, batch: Batch) -> list[str]:
        """The observations of a batch.

        Raises:
            WorkerLost: it ended, or its observer raised.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            send(self._process.stdin, msgspec.json.encode(batch))
            frame = receive(self._process.stdout)
        except OSError:  # a pipe whose other end is gone
            frame = None
        if frame is None:
            raise WorkerLost(f"a worker that observes sessions {self._ending()}", hint=_HINT)
        answer = _answer.decode(frame)
        if answer.failed is not None:
            raise WorkerLost(f"a worker could not observe: {answer.failed}", hint=_HINT)
        return answer.done

    def _ending(self) -> str:
        """How it died, in words, with the last line of what it said."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "no longer answers"
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().splitlines()
        how = f"was killed (signal {-code})" if code < 0 else f"ended with status {code}"
        return f"{how}: {said[-1]}" if said else how

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # it holds nothing that could be left half done
        with suppress(OSError):  # what it did not read any more
            assert self._process.stdin is not None
            self._process.stdin.close()
        with self._process:  # closes the other pipe and waits
            pass
        self._complaints.close()


def importable(kind: type[object]) -> bool:
    """Whether another process can make one of these by name, and this one can start another at all."""
    if not sys.executable or getattr(sys, "frozen", False) or kind.__module__ == "__main__":
        return False
    return getattr(import_module(kind.__module__), kind.__qualname__, None) is kind


def send(pipe: BinaryIO | IO[bytes], frame: bytes) -> None:
    """Raises OSError when the other end is gone."""
    pipe.write(_LENGTH.pack(len(frame)))
    pipe.write(frame)
    pipe.flush()


def receive(pipe: BinaryIO | IO[bytes]) -> bytes | None:
    """The next frame; None when there is none, or not all of it."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    frame = pipe.read(length)
    return frame if len(frame) == length else None


def _environment() -> dict[str, str]:
    """Ours, with the places where modules are found here."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path)}  # noqa: PTH100
