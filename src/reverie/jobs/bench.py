"""The bench: an asyncio loop in a thread, on which sessions are run, each one at a time."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from reverie.domain.errors import LeaseLost, ReverieError
from reverie.jobs.engine import Work

__all__ = ["Bench", "Key"]

Key: TypeAlias = tuple[str, str]
"""(workspace, session id)."""

_log: Final = logging.getLogger("reverie.jobs")


@dataclass(slots=True)
class _Job:
    """A session with something to do. ``task`` is set while it is worked on; ``again``: it was woken since;
    ``waiting`` are told when nothing is left."""

    task: asyncio.Task[None] | None = None
    again: bool = False
    waiting: list[Future[None]] = field(default_factory=list[Future[None]])


class Bench:
    """Works on sessions: at most ``at_once`` at a time, none of them twice at once, in the order in which they
    were woken. A wake while a session is worked on has it run again, once, however many there were.

    The jobs are the loop's own; other threads call it.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._door = threading.Lock()  # guards the four below
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._called: set[Key] = set()  # woken, and the loop does not know it yet
        self._closed = False
        self._work: Work | None = None
        self._at_once = 0
        self._jobs: dict[Key, _Job] = {}
        self._queue: deque[Key] = deque()
        self._running = 0

    # ------------------------------------------------------------------ from any thread

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop; it begins with the first question."""
        with self._door:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                arguments = (self._loop,)
                self._thread = threading.Thread(
                    target=_serve, args=arguments, name="reverie-jobs", daemon=True
                )
                self._thread.start()
            return self._loop

    def start(self, work: Work, at_once: int) -> None:
        """Begin to work."""
        self._work, self._at_once = work, at_once
        self.loop()

    def wake(self, key: Key) -> None:
        """Have ``key`` worked on, now or once more. Nothing happens before ``start`` and after ``close``."""
        with self._door:
            if self._work is None or self._closed or self._loop is None or key in self._called:
                return
            self._called.add(key)
            self._loop.call_soon_threadsafe(self._woken, key)

    def ran(self, key: Key) -> Future[None]:
        """Wake ``key``; the answer is there when it is no longer worked on, nor waits for it."""
        done: Future[None] = Future()
        done.set_running_or_notify_cancel()  # whoever waits may go: that is nothing to us
        with self._door:
            if self._work is None or self._closed or self._loop is None:
                done.set_result(None)
            else:
                self._loop.call_soon_threadsafe(self._woken, key, done)
        return done

    def busy(self) -> frozenset[Key]:
        """What is worked on, or waits for it."""
        with self._door:
            called = set(self._called)  # before the jobs: the loop moves a key from here to there
        return frozenset(called.union(list(self._jobs)))

    def drop(self) -> None:
        """Cancel what is worked on, and forget what waits."""
        with self._door:
            if self._loop is not None and not self._closed:
                self._loop.call_soon_threadsafe(self._cancel)

    def close(self, grace_s: float) -> None:
        """Cancel what is worked on, wait for it so long, end the loop. Again is harmless."""
        with self._door:
            loop, thread, closed = self._loop, self._thread, self._closed
            self._closed = True
        if closed or loop is None or thread is None:
            return
        ending = asyncio.run_coroutine_threadsafe(self._end(grace_s), loop)
        ending.add_done_callback(lambda _: loop.call_soon_threadsafe(loop.stop))
        thread.join(grace_s + 1.0)

    # ------------------------------------------------------------------ on the loop

    def _woken(self, key: Key, done: Future[None] | None = None) -> None:
        job = self._jobs.get(key)
        if job is None:
            job = self._jobs[key] = _Job()
            self._queue.append(key)
        elif job.task is not None:
            job.again = True
        if done is not None:
            job.waiting.append(done)
        with self._door:
            self._called.discard(key)
        self._fill()

    def _fill(self) -> None:
        while self._queue and self._running < self._at_once and not self._closed:
            key = self._queue.popleft()
            self._running += 1
            task = asyncio.get_running_loop().create_task(self._run(key))
            task.add_done_callback(lambda _, key=key: self._left(key))  # also of one that never began
            self._jobs[key].task = task

    async def _run(self, key: Key) -> None:
        began = self._now()
        try:
            assert self._work is not None  # nothing is woken before
            await self._work(*key)
        except asyncio.CancelledError:
            self._told(key, began, "broken off")
        except LeaseLost:
            self._told(key, began, "somebody else goes on with it")
        except Exception as error:  # noqa: BLE001  (the bench must outlive it, and tries again)
            self._failed(key, began, error)
        else:
            self._told(key, began, "done")

    def _left(self, key: Key) -> None:
        self._running -= 1
        job = self._jobs[key]
        if job.again and not self._closed:
            job.task, job.again = None, False
            self._queue.append(key)
        else:
            self._end_of(key)
        self._fill()

    def _end_of(self, key: Key) -> None:
        for done in self._jobs.pop(key).waiting:
            done.set_result(None)

    def _cancel(self) -> list[asyncio.Task[None]]:
        while self._queue:
            self._end_of(self._queue.popleft())
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        return tasks

    async def _end(self, grace_s: float) -> None:
        if tasks := self._cancel():
            await asyncio.wait(tasks, timeout=grace_s)

    # ------------------------------------------------------------------ what is told

    def _failed(self, key: Key, began: float, error: Exception) -> None:
        what = error.what if isinstance(error, ReverieError) else f"{type(error).__name__}: {error}"
        self._told(key, began, f"failed: {what}", error)

    def _told(self, key: Key, began: float, how: str, error: Exception | None = None) -> None:
        told = {
            "workspace": key[0],
            "session_id": key[1],
            "seconds": round(self._now() - began, 6),
            "how": how,
        }
        level = logging.INFO if error is None else logging.ERROR
        ours = error is None or isinstance(error, ReverieError)
        _log.log(level, "%s %s", key[1], how, extra=told, exc_info=None if ours else error)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
