"""The log of one session, as the loop writes and folds it: in whole transactions, and never beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from reverie.domain.events import Event, EventType, JsonObject, NewEvent
from reverie.runtime.context import SessionContext
from reverie.sessions.live import LiveSessions
from reverie.sessions.pages import Fence, Page
from reverie.storage.events import read

__all__ = ["Asked", "Journal"]

T = TypeVar("T")
_PAGE: Final = 1_000


class Asked(Protocol):
    """Does something that waits for the database, and gives what comes of it."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


class Journal:
    """Writes a session's log and keeps its fold, ``context``, at the log's end.

    ``told`` is called when the fold has changed. Whatever raises LeaseLost means that the fold is of no use
    any more: somebody else goes on with the session.
    """

    def __init__(
        self,
        live: LiveSessions,
        session_id: str,
        context: SessionContext,
        *,
        fence: Fence,
        asked: Asked,
        entropy: Callable[[int], bytes],
        told: Callable[[], None],
    ) -> None:
        self.outbox: list[NewEvent] = []
        """Events that are folded, and will be written with the next transaction."""
        self._live = live
        self.session_id: Final = session_id
        self._context = context
        self._fence = fence
        self.db: Final = asked
        self.entropy: Final = entropy
        self._told = told
        self._ahead: set[str] = set()
        self._reading = asyncio.Lock()

    async def write(self, work: Callable[[Page], object]) -> list[Event]:
        """One transaction: what is in the outbox, then ``work``. Gives its events.

        Raises:
            LeaseLost, StorageError, UsageError: as ``LiveSessions.advance``.
        """
        events, _ = await self.written(work)
        return events

    async def written(self, work: Callable[[Page], T]) -> tuple[list[Event], T]:
        """``write``, with what ``work`` gave. Whoever is cancelled meanwhile is so when it is known what became of
        the transaction: what was to be written with it is somebody else's too."""
        outbox, self.outbox = self.outbox, []
        gave: list[T] = []

        def whole(page: Page) -> None:
            for event in outbox:
                page.add(event)
            gave.append(work(page))

        asked = asyncio.ensure_future(
            self.db(lambda: self._live.advance(self.session_id, whole, self._fence))
        )
        try:
            events = await asyncio.shield(asked)
        except BaseException:
            if not asked.done():
                await asyncio.wait([asked])
            if asked.cancelled() or asked.exception() is not None:
                self.outbox = [*outbox, *self.outbox]  # it was not written; the next one writes it
            raise
        await self._absorb(events)
        return events, gave[-1]

    def put(self, type: EventType, payload: JsonObject, thread: str) -> None:
        """An event that is known at once and written with the next transaction."""
        new = self.new(type, payload, thread)
        self.outbox.append(new)
        event = Event("", self.session_id, 0, new.type, new.payload, new.key, None, thread, None, b"")
        self._context.fold(event)
        self._ahead.add(new.key)

    def forget(self, thread: str) -> None:
        """A thread has ended: what it left to be written is not written."""
        self.outbox = [event for event in self.outbox if event.thread != thread]

    def new(self, type: EventType, payload: JsonObject, thread: str, *, key: str | None = None) -> NewEvent:
        """An event to be added to a page, masked; under a key of its own, where it has none."""
        return self.masked(NewEvent(type, payload, key or self.entropy(16).hex(), thread=thread))

    def masked(self, event: NewEvent) -> NewEvent:
        """The event without secrets, to be added to a page."""
        return self._live.masked(event)

    async def read(self, until: int | None = None) -> None:
        """Fold everything in the log that is not known yet, at least up to event ``until``."""
        async with self._reading:
            while until is None or self._context.seq < until:
                seq = self._context.seq
                links = await self.db(lambda: self._live.log_after(self.session_id, seq, _PAGE))  # noqa: B023
                self._fold([read(link) for link in links])
                if len(links) < _PAGE:
                    return

    async def _absorb(self, events: Sequence[Event]) -> None:
        if not events:
            return
        async with self._reading:
            if events[0].seq == self._context.seq + 1:
                self._fold(events)
                return
        await self.read(events[-1].seq)  # somebody else's are in front of ours

    def _fold(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.seq <= self._context.seq:
                continue
            if event.key in self._ahead:
                self._ahead.discard(event.key)
                self._context.skip(event)
            else:
                self._context.absorb(event)
        self._told()
