"""The clerk: a thread that does small errands which may block, so that whoever asks need not wait."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Hashable
from itertools import count
from typing import Final, TypeAlias

__all__ = ["Clerk", "Errand"]

Errand: TypeAlias = Callable[[], None]

_log: Final = logging.getLogger("reverie.jobs")


class Clerk:
    """Does errands one after another. One that fails is logged and forgotten: errands are best effort."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # guards all below
        self._due: list[tuple[float, int, Hashable, Errand]] = []  # a heap, by when they are due
        self._asked: set[Hashable] = set()  # names of errands that wait
        self._number = count()
        self._closed = False
        self._thread: threading.Thread | None = None

    def ask(self, name: Hashable, errand: Errand) -> None:
        """Do ``errand`` soon; nothing happens when one of that name waits already."""
        with self._changed:
            if name not in self._asked:
                self._asked.add(name)
                self._push(0.0, name, errand)

    def later(self, seconds: float, errand: Errand) -> None:
        """Do ``errand`` in a while."""
        with self._changed:
            self._push(seconds, None, errand)

    def every(self, seconds: float, errand: Errand) -> None:
        """Do ``errand`` again and again."""

        def again() -> None:
            try:
                errand()
            finally:
                self.later(seconds, again)

        self.later(seconds, again)

    def close(self) -> None:
        """Finish the errand at hand, and do no more. Again is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _push(self, seconds: float, name: Hashable, errand: Errand) -> None:
        if self._closed:
            return
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._number), name, errand))
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="reverie-clerk", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _serve(self) -> None:
        while (errand := self._next()) is not None:
            try:
                errand()
            except Exception as error:  # noqa: BLE001  (of any library; what was asked is found again)
                _log.debug("an errand failed: %s", error)

    def _next(self) -> Errand | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    _, _, name, errand = heapq.heappop(self._due)
                    self._asked.discard(name)
                    return errand
                self._changed.wait(wait)
            return None
