"""Threads of sessions, for clients: the primary one, and the children that an agent made."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import NotFound
from reverie.domain.events import PRIMARY_THREAD
from reverie.domain.resources import Cursor
from reverie.sessions.children import last_state
from reverie.sessions.live import LiveSessions
from reverie.sessions.status import SessionState, ThreadState
from reverie.sessions.turns import thread_id
from reverie.storage import managed, timeline
from reverie.storage import threads as rows
from reverie.storage.database import Connection, Database
from reverie.storage.managed import SessionRow
from reverie.storage.threads import ThreadRow
from reverie.workspaces.session_agents import without_roster

__all__ = ["ThreadView", "Threads"]

Said: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ThreadView:
    """A thread as of ``now``. ``agent`` is its agent's snapshot, None in a session that was imported;
    ``state`` is what the fold knows of it, or knew when it ended; ``name`` is what it is called beside its agent."""

    session: SessionRow
    id: str
    parent: str | None
    status: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    agent: Said | None
    state: ThreadState | None
    workflow_run: str | None
    name: str | None
    now: datetime


class Threads:
    """The threads of one workspace's sessions. All methods raise ``NotFound`` for what is not there."""

    def __init__(self, db: Database, live: LiveSessions, *, clock: Clock) -> None:
        self._db = db
        self._live = live
        self._clock = clock

    def list(
        self,
        session_id: str,
        *,
        statuses: Collection[str] = (),
        after: Cursor | None = None,
        limit: int = 1_000,
    ) -> builtins.list[ThreadView]:
        """The threads of a session, oldest first; the primary one leads."""
        with self._db.read() as conn:
            session = managed.row(conn, session_id)
            if session.body is None:
                return _behind(self._imported(conn, session, statuses), after)[:limit]
            found = rows.listed(conn, session_id, statuses=statuses, after=after, limit=limit)
            state = self._live.states(conn, [session_id])[session_id]
            return [self._view(session, row, state) for row in found]

    def get(self, session_id: str, thread: str) -> ThreadView:
        """A thread."""
        with self._db.read() as conn:
            session = managed.row(conn, session_id)
            if session.body is None:
                found = next((t for t in self._imported(conn, session, ()) if t.id == thread), None)
            else:
                row = rows.get(conn, session_id, thread)
                state = self._live.states(conn, [session_id])[session_id]
                found = None if row is None else self._view(session, row, state)
        if found is None:
            raise NotFound(f"there is no thread {thread!r} in this session")
        return found

    def archive(self, session_id: str, thread: str) -> ThreadView:
        """Archive a child thread that is idle.

        Raises:
            UsageError: it is the primary one, or it is running.
        """
        self.get(session_id, thread)
        self._live.archive_thread(session_id, thread)
        return self.get(session_id, thread)

    def limit(self, session_id: str, thread: str, max_tokens: int | None) -> ThreadView:
        """Say how many tokens a thread alone may use; None: as many as its session.

        Raises:
            Invalid: no more than what it used already.
            UsageError: it has ended, or was imported.
        """
        self.get(session_id, thread)
        self._live.limit_thread(session_id, thread, max_tokens)
        return self.get(session_id, thread)

    def _view(self, session: SessionRow, row: ThreadRow, state: SessionState) -> ThreadView:
        primary = row.parent is None
        agent = without_roster((session.body or {})["agent"]) if primary else row.body["agent"]
        return ThreadView(
            session,
            row.id,
            row.parent,
            row.status,
            row.created_at,
            row.updated_at,
            row.archived_at,
            agent,
            state.threads.get(PRIMARY_THREAD if primary else row.id) or last_state(row),
            None if primary else row.body.get("workflow_run_id"),
            None if primary else row.body.get("name"),
            self._clock(),
        )

    def _imported(
        self, conn: Connection, session: SessionRow, statuses: Collection[str]
    ) -> builtins.list[ThreadView]:
        """The threads that the events of an imported session name: records, all idle."""
        if statuses and "idle" not in statuses:
            return []
        named = timeline.imported_threads(conn, session.id)
        names = [PRIMARY_THREAD, *(name for name in named if name != PRIMARY_THREAD)]
        primary = thread_id(session.id, PRIMARY_THREAD)
        return [
            ThreadView(
                session,
                thread_id(session.id, name),
                None if name == PRIMARY_THREAD else primary,
                "terminated" if session.archived_at is not None else "idle",
                session.created_at,
                session.updated_at,
                session.archived_at,
                None,
                None,
                None,
                None,
                self._clock(),
            )
            for name in names
        ]


def _behind(found: builtins.list[ThreadView], after: Cursor | None) -> builtins.list[ThreadView]:
    """Those behind ``after``: all were made in one moment, so the id alone tells."""
    if after is None:
        return found
    place = next((number for number, thread in enumerate(found) if thread.id == after[1]), None)
    return [] if place is None else found[place + 1 :]
