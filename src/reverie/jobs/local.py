"""The engine of a single process: nothing else to start, and no second copy of what there is to do.

Several processes may share a database all the same; then one hears of another's wakes within a second.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Sequence

from reverie.jobs.bench import Bench, Key
from reverie.jobs.engine import Work
from reverie.jobs.heart import PACE, Body, Heart, Pace
from reverie.storage.database import Database

__all__ = ["LocalEngine", "worker_name"]


class LocalEngine:
    """An ``Engine`` (see there) with a loop, a heartbeat and no more.

    Args:
        entropy: ``entropy(n)`` gives n random bytes, for the worker's name.
    """

    def __init__(
        self, db: Database, *, entropy: Callable[[int], bytes] = os.urandom, pace: Pace = PACE
    ) -> None:
        self._worker = worker_name(entropy)
        self._bench = Bench()
        body = Body(self._bench.busy, self._bench.drop, self._found)
        self._heart = Heart(db, self._worker, body, pace=pace)
        self._started = False

    @property
    def worker(self) -> str:
        return self._worker

    def start(self, work: Work, *, at_once: int) -> None:
        self._bench.start(work, at_once)
        self._started = True
        self._heart.start()

    def wake(self, workspace: str, session_id: str) -> None:
        self._bench.wake((workspace, session_id))

    def loop(self) -> asyncio.AbstractEventLoop:
        return self._bench.loop()

    def close(self, *, grace_s: float) -> None:
        self._heart.stop()
        self._bench.close(grace_s)
        if self._started:
            self._started = False
            self._heart.leave()

    def _found(self, keys: Collection[Key], workers: Sequence[str]) -> None:
        busy = self._bench.busy()
        for key in keys:
            if key not in busy:  # it may have been claimed since
                self._bench.wake(key)


def worker_name(entropy: Callable[[int], bytes]) -> str:
    """A name that no other worker has or had: machine, process, and six random bytes."""
    return f"{socket.gethostname()}-{os.getpid()}-{entropy(6).hex()}"
