"""The server's side of the process that starts sandboxes (``spawning``): orders, output, ends.

One ``Spawner`` serves any number of commands at a time, from any thread and event loop. When its process
dies, the commands under way fail, and the next one starts it anew.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Final, TypedDict, cast

from reverie.domain.errors import SandboxFailed
from reverie.environments import spawning
from reverie.environments.output import Output
from reverie.environments.spawning import received

__all__ = ["Ended", "Listening", "Spawner"]

KILL_S: Final = 10.0
"""A killed sandbox is gone within milliseconds; one that is not hangs in the kernel."""

Listening = Callable[[socket.socket], AbstractAsyncContextManager[None]]
"""Answers a socket that listens inside a sandbox, for as long as the context lasts."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a sandbox ended. ``code`` is None where its command did not come to an end (or to a beginning);
    ``bwrap`` is how bwrap itself ended, negative for a signal; ``failed`` is why it was not even started."""

    code: int | None
    bwrap: int | None
    failed: str | None
    timed_out: bool = False


class _Gone(SandboxFailed):
    """The order was taken, or not: nobody is there to say."""


class _Answer(TypedDict, total=False):
    code: int | None
    ended: int | None
    failed: str | None


class Spawner:
    """Runs ``script`` with the first command; ends it when it is itself forgotten, or the program ends."""

    def __init__(self, script: str = spawning.__file__) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._forget: Callable[[], object] = lambda: None

    @property
    def pid(self) -> int | None:
        """Of its process, where one was started."""
        return None if self._process is None else self._process.pid

    async def run(
        self,
        order: Mapping[str, object],
        filter_: bytes,
        *,
        stdin: bytes,
        output: Output,
        timeout_s: float,
        listening: Listening | None = None,
    ) -> Ended:
        """One command, from its start until nothing of it is left. Whatever ends the call kills it.

        Raises:
            SandboxFailed: the process that starts sandboxes is gone, or a killed one does not end.
        """
        pipe, writes = os.pipe()
        answers, theirs = socket.socketpair()
        answers.setblocking(False)
        try:
            try:
                control = await self._give(order, theirs.fileno(), stdin, writes, filter_)
            finally:
                theirs.close()
                os.close(writes)
            try:
                with output.read_from(pipe) as end:
                    return await _followed(answers, end, timeout_s, listening)
            except _Gone:
                self._lost(control)
                raise
        finally:
            answers.close()
            os.close(pipe)

    async def _give(
        self, order: Mapping[str, object], answers: int, stdin: bytes, output: int, filter_: bytes
    ) -> socket.socket:
        """The socket that took the order."""
        with (
            _memory("order", json.dumps(order).encode()) as what,
            _memory("stdin", stdin) as reads,
            _memory("filter", filter_) as calls,
        ):
            fds = [what, answers, reads, output, calls]
            for _ in range(2):
                control = self._control or await asyncio.to_thread(self._started)
                try:
                    async with asyncio.timeout(KILL_S):
                        await _send(control, fds)
                    return control
                except TimeoutError:
                    raise SandboxFailed("the process that starts sandboxes takes no orders") from None
                except OSError:  # it has died since the last command
                    self._lost(control)
        raise SandboxFailed("the process that starts sandboxes dies as it starts")

    def _lost(self, control: socket.socket) -> None:
        """The next command starts another, unless that is done."""
        with self._lock:
            if self._control is control:
                self._control = None

    def _started(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                self._forget()
                self._process, self._control = _start(self._script)
                self._forget = weakref.finalize(self, _end, self._process, self._control)
            return self._control


def _start(script: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs:
        process = subprocess.Popen(  # noqa: S603  (ourselves)
            [sys.executable, "-I", "-S", script, str(os.getpid())],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            cwd="/",
            env={},
            start_new_session=True,
        )
    return process, ours


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    process.wait()


async def _send(control: socket.socket, fds: list[int]) -> None:
    """Wait for room without blocking: it is there as soon as an order before this one was taken."""
    while True:
        try:
            socket.send_fds(control, [b"o"], fds)
        except BlockingIOError:
            await asyncio.sleep(0.001)
        else:
            return


async def _followed(
    answers: socket.socket, end: asyncio.Future[None], timeout_s: float, listening: Listening | None
) -> Ended:
    """The answer, and before it the way out, where there is one. The time runs from the start on."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    answer = asyncio.ensure_future(_answer(answers, listening))
    try:
        await asyncio.wait({answer, end}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            end.result()
            await asyncio.wait({answer}, timeout=until - loop.time())
        timed_out = not answer.done()
        if timed_out:
            _kill(answers)
        ended = await asyncio.wait_for(answer, KILL_S)
        await end  # every process that could write is gone
    except TimeoutError:
        raise SandboxFailed("a killed sandbox does not end", hint="look at its processes") from None
    except BaseException:
        await _killed(answers, answer)
        raise
    return Ended(ended.get("code"), ended.get("ended"), ended.get("failed"), timed_out)


def _kill(answers: socket.socket) -> None:
    with suppress(OSError):
        answers.send(b"k")


async def _killed(answers: socket.socket, answer: asyncio.Task[_Answer]) -> None:
    """Nobody waits for the command any more: kill it, and see it end."""
    _kill(answers)
    await asyncio.wait({answer}, timeout=KILL_S)
    answer.cancel()
    await asyncio.gather(answer, return_exceptions=True)


async def _answer(answers: socket.socket, listening: Listening | None) -> _Answer:
    context: AbstractAsyncContextManager[None] = nullcontext()
    line = b""
    if listening is not None:
        line, fds = await _received(answers)
        if fds:
            context = listening(socket.socket(fileno=fds[0]))
            line = line[1:]
    async with context:
        while not line.endswith(b"\n"):
            more, _ = await _received(answers)
            if not more:
                raise _Gone("the process that starts sandboxes has ended", hint="try again")
            line += more
    return cast(_Answer, json.loads(line))


async def _received(answers: socket.socket) -> tuple[bytes, list[int]]:
    """What is said, when something is; nothing at the end."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(answers, lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(answers)
    try:
        return received(answers, 1)
    except ConnectionResetError:
        return b"", []


@contextmanager
def _memory(name: str, content: bytes) -> Generator[int]:
    """A file in memory, to be read from its start by one reader."""
    with os.fdopen(os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b") as file:
        file.write(content)
        file.seek(0)
        sealed = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, sealed)
        yield file.fileno()
