"""News of one session for one who waits on an event loop. What is written reaches it from any thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias

from reverie.domain.events import JsonObject
from reverie.sessions.feed import Feed
from reverie.storage.events import Link

__all__ = ["Appended", "Look", "News", "Previewed", "Watch"]


@dataclass(frozen=True, slots=True)
class Appended:
    """These were appended, as a run of the log."""

    links: Sequence[Link]


@dataclass(frozen=True, slots=True)
class Look:
    """The log may be longer than what was handed over."""


@dataclass(frozen=True, slots=True)
class Previewed:
    """An event of ``thread`` is being made: ``event_start`` or ``event_delta``, as on the wire."""

    thread: str
    preview: JsonObject


News: TypeAlias = Appended | Look | Previewed


class Watch:
    """A ``Listener`` as long as its block runs. The first news is to look: what happened before it listened."""

    def __init__(self, feed: Feed, session_id: str) -> None:
        self._feed = feed
        self._session_id = session_id
        self._loop = asyncio.get_running_loop()
        self._bell = asyncio.Event()
        self._rung = False  # the loop is on its way to the bell already
        self._news: deque[News] = deque([Look()])

    def __enter__(self) -> Watch:
        self._unsubscribe = self._feed.subscribe(self._session_id, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()

    async def next(self) -> News:
        """The next news; waits for it."""
        while not self._news:
            self._bell.clear()
            if not self._news:  # it may have come before the bell was silenced
                await self._bell.wait()
        return self._news.popleft()

    @property
    def quiet(self) -> bool:
        """Whether all news were taken."""
        return not self._news

    # ------------------------------------------------------------------ told, from any thread

    def appended(self, links: Sequence[Link]) -> None:
        self._tell(Appended(links))

    def changed(self) -> None:
        self._tell(Look())

    def previewed(self, thread: str, preview: JsonObject) -> None:
        self._tell(Previewed(thread, preview))

    def deleted(self) -> None:
        self._tell(Look())  # who looks finds that there is nothing

    def _tell(self, news: News) -> None:
        self._news.append(news)
        if not self._rung and not self._loop.is_closed():  # to wake another thread costs more than most news
            self._rung = True
            self._loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        self._rung = False  # first: what is told from here on rings again
        self._bell.set()
