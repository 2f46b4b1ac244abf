"""What every change of a session that is run here has in common: it is opened, drafted, written, told.

The log is the record. What stands beside it (a session's status, its state) is the fold of the log, written
in the transaction of the append.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import NotFound, UsageError
from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject, NewEvent, event_text
from reverie.plugins import Waker
from reverie.sessions import children
from reverie.sessions.accepting import Accepted
from reverie.sessions.feed import Feed
from reverie.sessions.log import Mask, no_mask
from reverie.sessions.status import SessionState, session_status
from reverie.sessions.turns import Draft, thread_id
from reverie.storage import events as event_rows
from reverie.storage import inbox, leases, managed, threads, timeline
from reverie.storage import sessions as session_rows
from reverie.storage.codec import loads
from reverie.storage.database import Connection, Database
from reverie.storage.managed import SessionRow
from reverie.storage.text import json_text
from reverie.storage.timeline import Slice

__all__ = ["IMPORTED", "Announce", "Ledger", "Settled"]

IMPORTED: Final = "this session was imported: it is a record, and takes no input"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a transaction did to one session: to be told of once it is on the disk."""

    session_id: str
    links: Sequence[event_rows.Link] = ()
    accepted: Sequence[Accepted] = ()
    wake: bool = False
    events: Sequence[Event] = field(default_factory=tuple[Event, ...])


Announce: TypeAlias = Callable[[Connection, str, Sequence[Event]], None]
"""Told of the events of one transaction, inside it: what it writes is there if they are."""


def _nobody(conn: Connection, session_id: str, events: Sequence[Event]) -> None:
    """Nobody wants to know."""


class Ledger:
    """The sessions of one workspace, as whoever changes them opens and writes them."""

    def __init__(
        self,
        db: Database,
        feed: Feed,
        wake: Waker,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        mask: Mask = no_mask,
        announce: Announce = _nobody,
    ) -> None:
        self._db = db
        self._announce = announce
        self._feed = feed
        self._wake = wake
        self._clock = clock
        self._entropy = entropy
        self._mask = mask

    # ------------------------------------------------------------------ reading

    def row(self, session_id: str) -> SessionRow:
        """What is said of a session."""
        with self._db.read() as conn:
            return managed.row(conn, session_id)

    @property
    def clock(self) -> Clock:
        """Gives the present."""
        return self._clock

    def log_after(self, session_id: str, seq: int, limit: int) -> list[event_rows.Link]:
        """The events behind ``seq`` as they are stored, at most ``limit``; of every thread."""
        with self._db.read() as conn:
            found = timeline.page(conn, session_id, Slice(), after=seq, limit=limit)
            if not found:
                managed.row(conn, session_id)  # none, or no session
            return found

    def state(self, session_id: str) -> SessionState:
        """The state of a session that is run here: the fold of its log."""
        with self._db.read() as conn:
            managed.row(conn, session_id)
            return self._state(conn, session_id)

    def agent_of(self, session_id: str, thread: str) -> JsonObject:
        """The agent that a child thread runs, as it was when the thread was made.

        Raises:
            NotFound: there is no such thread.
        """
        with self._db.read() as conn:
            found = threads.get(conn, session_id, thread)
        if found is None:
            raise NotFound(f"there is no thread {thread!r} in this session", where=session_id)
        return found.body["agent"]

    def last_said(self, session_id: str, thread: str) -> str:
        """What the agent of a thread said last; nothing, where it said nothing."""
        said = Slice(thread=thread, types=("agent.message",))
        with self._db.read() as conn:
            found = timeline.page(conn, session_id, said, limit=1, newest_first=True)
        return "".join(event_text(event.type, event.payload) for event in map(event_rows.read, found))

    def states(self, conn: Connection, session_ids: Sequence[str]) -> Mapping[str, SessionState]:
        """The states of several, in the caller's transaction; of those that are run here."""
        names = {thread_id(found, PRIMARY_THREAD): found for found in session_ids}
        found = threads.bodies(conn, list(names)) if names else {}
        return {names[name]: loads(text, SessionState) for name, text in found.items()}

    # ------------------------------------------------------------------ inside

    def tell(self, settled: Settled) -> None:
        """Tell whoever listens of what was committed."""
        self._feed.publish(settled.session_id, settled.links, workspace=self._db.workspace)
        if settled.wake:
            self._wake(self._db.workspace, settled.session_id)

    def _run(self, work: Callable[[Connection], Settled]) -> list[Event]:
        settled = self._db.write(work)
        self.tell(replace(settled, wake=False))  # the loop itself did it
        return [_written(event, link) for event, link in zip(settled.events, settled.links, strict=True)]

    def _open(self, conn: Connection, session_id: str) -> Draft:
        """The session, held until the transaction ends, and its state.

        Raises:
            UsageError: it takes nothing any more, or never did.
        """
        found = managed.standing(conn, session_id)
        if found.imported:
            raise UsageError(IMPORTED, where=session_id)
        if found.archived or found.status == "terminated":
            what = "archived" if found.archived else "terminated"
            raise UsageError(f"the session is {what}: it takes no more events", where=session_id)
        draft = self._draft(session_id, self._state(conn, session_id), lambda: _budget(conn, session_id))
        draft.end = found.end
        return draft

    def _draft(self, session_id: str, state: SessionState, budget: Callable[[], JsonObject | None]) -> Draft:
        return Draft(session_id, state, self._clock(), self._entropy, budget=budget)

    def _state(self, conn: Connection, session_id: str) -> SessionState:
        text = threads.body(conn, thread_id(session_id, PRIMARY_THREAD))
        return SessionState() if text is None else loads(text, SessionState)

    def _save(self, conn: Connection, draft: Draft, accepted: Sequence[Accepted] = ()) -> Settled:
        """Write what a draft holds: its events, its queue, and the state where that is another one."""
        if draft.queued:
            inbox.put(conn, draft.session_id, draft.queued)
        links: list[event_rows.Link] = []
        if draft.events:
            rows = [_row(draft.session_id, event) for event in draft.events]
            links = event_rows.append(conn, draft.session_id, rows, draft.now, draft.end)
        if draft.state is not draft.before:
            self._save_state(conn, draft)
        if draft.wake:
            leases.want(conn, draft.session_id)
        self._announce(conn, draft.session_id, draft.events)
        return Settled(draft.session_id, links, accepted, draft.wake, tuple(draft.events))

    def _save_state(self, conn: Connection, draft: Draft) -> None:
        primary = thread_id(draft.session_id, PRIMARY_THREAD)
        threads.write_body(conn, primary, json_text(draft.state), draft.now)
        for name, thread in draft.state.threads.items():
            before = draft.before.threads.get(name)
            if before is None or before.status != thread.status:
                threads.write_status(conn, thread_id(draft.session_id, name), thread.status, draft.now)
        for name, last in draft.ended.items():
            children.keep(conn, draft, name, last)
        if draft.state.label != draft.before.label:
            session_rows.label(conn, draft.session_id, draft.state.label, draft.now)
        if (status := session_status(draft.state)) != session_status(draft.before):
            managed.write(conn, draft.session_id, draft.now, status=status)


def _budget(conn: Connection, session_id: str) -> JsonObject | None:
    return _budget_in(managed.body(conn, session_id))


@lru_cache(maxsize=256)  # it is asked for before every request, and seldom another one
def _budget_in(body: str) -> JsonObject | None:
    return loads(body, dict[str, Any]).get("budget")


def _written(event: Event, link: event_rows.Link) -> Event:
    """An event as it stands in the log. (``replace`` takes three times as long.)"""
    e = event
    hash = bytes.fromhex(link.hash)
    return Event(e.id, e.session_id, link.seq, e.type, e.payload, e.key, e.at, e.thread, e.origin, hash)


def _row(session_id: str, event: Event) -> event_rows.Row:
    new = NewEvent(event.type, event.payload, event.key, event.at, event.thread)
    return event_rows.prepare(session_id, new, event.id)
