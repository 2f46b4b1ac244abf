"""One transaction of the loop in a session: what it finds there, and what it adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reverie.domain.events import PRIMARY_THREAD, Event, EventType, JsonObject, NewEvent
from reverie.sessions import children
from reverie.sessions.status import SessionState, Status, StopReason
from reverie.sessions.turns import Draft, turn
from reverie.storage import inbox
from reverie.storage.database import Connection
from reverie.storage.events import event_id, present

__all__ = ["Fence", "Page", "Work"]


class Page:
    """What a transaction sees of a session and writes to it. It may be begun again from the start: what is
    done with it must touch nothing else."""

    def __init__(
        self, conn: Connection, draft: Draft, take: Callable[[Connection, Draft, int], None]
    ) -> None:
        self._conn = conn
        self._draft = draft
        self._take = take

    @property
    def state(self) -> SessionState:
        """The state of the session, with what was added so far."""
        return self._draft.state

    @property
    def budget(self) -> JsonObject | None:
        """The budget of the session, as its client said it."""
        return self._draft.budget()

    def waits(self) -> bool:
        """Whether input waits that nobody took."""
        return bool(inbox.waiting(self._conn, self._draft.session_id, limit=1))

    def take(self, limit: int = 1_000) -> None:
        """Move what waits to the log, in order: it is being processed now."""
        self._take(self._conn, self._draft, limit)

    def has(self, key: str) -> bool:
        """Whether an event of that key is in the log."""
        found = event_id(self._draft.session_id, key)
        return bool(present(self._conn, [found]))

    def add(self, event: NewEvent) -> Event:
        """One more event, masked before."""
        found = event_id(self._draft.session_id, event.key)
        return self._draft.add(event.type, event.payload, thread=event.thread, key=event.key, id=found)

    def say(self, type: EventType, payload: JsonObject, thread: str = PRIMARY_THREAD) -> Event:
        """One more event of ours, with nothing in it that anybody else wrote."""
        return self._draft.add(type, payload, thread=thread)

    def turn(
        self,
        status: Status,
        *,
        thread: str = PRIMARY_THREAD,
        stop: StopReason | None = None,
        details: JsonObject | None = None,
    ) -> None:
        """A thread begins to run, goes idle, is rescheduled or ends; see ``LiveSessions.turn``."""
        turn(self._draft, status, thread=thread, stop=stop, details=details)

    def open_thread(
        self,
        agent: JsonObject,
        *,
        parent: str = PRIMARY_THREAD,
        run: str | None = None,
        key: str | None = None,
        name: str | None = None,
        max_tokens: int | None = None,
    ) -> str:
        """Make a child thread that runs ``agent``, and give its name in the log, which is its id.

        Args:
            agent: A snapshot, as on the wire; kept as it is.
            parent: The thread that makes it, by its name in the log.
            run: The workflow run that it is of.
            key: What it is made for: the same key gives the same thread, made once, ended or not.
            name: What it is called beside its agent: a task of the run, say.
            max_tokens: What it alone may use.

        Raises:
            UsageError: there are 25 children that are not archived (those of workflow runs, up to 64 each,
                and graders do not count).
        """
        return children.make(
            self._conn, self._draft, agent, parent=parent, run=run, key=key, name=name, max_tokens=max_tokens
        )

    def close_thread(self, name: str) -> None:
        """End a child thread for good, whatever it does, and archive it. Again is harmless.

        Raises:
            NotFound: no such thread.
            UsageError: it is the primary one.
        """
        children.close(self._conn, self._draft, name)

    @property
    def added(self) -> Sequence[Event]:
        """What was added so far."""
        return self._draft.events


Work = Callable[[Page], None]
Fence = Callable[[Connection], None]
"""Raises LeaseLost where somebody else goes on with the session."""
