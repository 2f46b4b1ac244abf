"""Child threads: how one is made and ended within a transaction, and what is kept of it when it has ended.

The state of a session knows the threads that live; the last state of one that has ended is in its own row.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from reverie.domain.errors import Invalid, NotFound, UsageError
from reverie.domain.events import PRIMARY_THREAD, JsonObject
from reverie.domain.ids import derived_id
from reverie.domain.outcomes import PLATFORM
from reverie.sessions.status import SessionState, ThreadState
from reverie.sessions.turns import Draft, thread_id, turn
from reverie.storage import threads
from reverie.storage.database import Connection
from reverie.storage.events import event_id
from reverie.storage.text import json_text
from reverie.storage.threads import ThreadRow

__all__ = ["MAX_CHILDREN", "MAX_OF_A_RUN", "close", "keep", "last_state", "limit", "make"]

MAX_CHILDREN: Final = 25
"""Child threads of a session at a time, but for those of workflow runs and the graders."""
MAX_OF_A_RUN: Final = 64
"""Child threads of one workflow run at a time."""


def make(
    conn: Connection,
    draft: Draft,
    agent: JsonObject,
    *,
    parent: str = PRIMARY_THREAD,
    run: str | None = None,
    key: str | None = None,
    name: str | None = None,
    max_tokens: int | None = None,
) -> str:
    """Make a child thread, unless the one of ``key`` was made; see ``Page.open_thread``.

    Raises:
        UsageError: there are too many.
    """
    made = draft.new_id("sthr") if key is None else derived_id("sthr", draft.session_id, key)
    if key is not None and threads.get(conn, draft.session_id, made) is not None:
        return made
    agent_name = str(agent.get("name", ""))
    _room(draft.state, agent_name, run)
    body = {"agent": agent, "workflow_run_id": run, "name": name}
    upward, now = thread_id(draft.session_id, parent), draft.now
    threads.create(conn, ThreadRow(made, draft.session_id, upward, "idle", now, now, None, body))
    told: dict[str, Any] = {"session_thread_id": made, "agent_name": agent_name, "workflow_run_id": run}
    told |= {field: value for field, value in (("name", name), ("max_tokens", max_tokens)) if value}
    known = f"{made} created"
    draft.add("session.thread_created", told, thread=parent, key=known, id=event_id(draft.session_id, known))
    return made


def _room(state: SessionState, agent_name: str, run: str | None) -> None:
    """Whether there is room for one more."""
    if agent_name in PLATFORM:
        return
    children = [
        thread
        for name, thread in state.threads.items()
        if name != PRIMARY_THREAD and thread.agent_name not in PLATFORM and thread.workflow_run == run
    ]
    if run is None and len(children) >= MAX_CHILDREN:
        raise UsageError(f"a session has at most {MAX_CHILDREN} child threads that are not archived")
    if len(children) >= MAX_OF_A_RUN:
        raise UsageError(f"a workflow run has at most {MAX_OF_A_RUN} threads at a time", where=run)


def close(conn: Connection, draft: Draft, name: str) -> None:
    """End a child thread and archive it. One that has ended stays as it is.

    Raises:
        NotFound: no such thread.
        UsageError: it is the primary one.
    """
    found = threads.get(conn, draft.session_id, thread_id(draft.session_id, name))
    if found is None:
        raise NotFound(f"there is no thread {name!r} in this session")
    if found.parent is None:
        raise UsageError("the primary thread is archived with its session", where=found.id)
    if found.archived_at is None:
        turn(draft, "terminated", thread=found.id)
        threads.archive(conn, draft.session_id, found.id, draft.now)


def limit(conn: Connection, draft: Draft, thread: str, max_tokens: int | None) -> None:
    """Say what a thread (by its id) alone may use; see ``LiveSessions.limit_thread``."""
    found = threads.get(conn, draft.session_id, thread)
    if found is None:
        raise NotFound(f"there is no thread {thread!r} in this session")
    name = PRIMARY_THREAD if found.parent is None else found.id
    mine = draft.state.threads.get(name)
    if mine is None:
        raise UsageError("it has ended, and uses nothing any more", where=thread)
    if max_tokens == mine.max_tokens:
        return
    if max_tokens is not None and max_tokens <= mine.usage.tokens:
        raise Invalid("max_tokens", f"more than what it used already, {mine.usage.tokens}", max_tokens)
    draft.wake = mine.status == "idle" and mine.spent
    draft.add("session.thread_updated", {"max_tokens": max_tokens}, thread=name)


def keep(conn: Connection, draft: Draft, name: str, last: ThreadState) -> None:
    """Keep the last state of a thread that has ended, in its row."""
    row = threads.get(conn, draft.session_id, name)
    if row is not None:
        threads.write_body(conn, name, json_text({**row.body, "state": last}), draft.now)
        threads.write_status(conn, name, last.status, draft.now)


def last_state(row: ThreadRow) -> ThreadState | None:
    """The last state of a thread that has ended; None where it lives."""
    kept: Any = row.body.get("state")
    return None if kept is None else msgspec.convert(kept, ThreadState)
