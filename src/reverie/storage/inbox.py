"""The inbox in SQL: events that were accepted and wait for the loop, in the order in which they came."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from reverie.domain.clock import iso
from reverie.domain.events import QueuedEvent
from reverie.storage import tables
from reverie.storage.codec import loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute, execute_many
from reverie.storage.scope import workspace
from reverie.storage.statements import columns, insert
from reverie.storage.text import json_text

__all__ = ["clear", "event", "put", "remove", "sessions", "waiting"]

_INSERT: Final = insert(tables.inbox)
_SELECT: Final = f"SELECT {columns(tables.inbox)} FROM inbox WHERE workspace = ?"  # noqa: S608
_END: Final = "SELECT coalesce(max(position), 0) FROM inbox WHERE session_id = ? AND workspace = ?"


def put(connection: Connection, session_id: str, events: Sequence[QueuedEvent]) -> list[QueuedEvent]:
    """Add ``events`` behind what waits; their positions are given here. The caller holds the session."""
    here = workspace(connection)
    ((end,),) = execute(connection, _END, (session_id, here)).fetchall()
    placed = [_at(event, end + number) for number, event in enumerate(events, 1)]
    rows = [
        (session_id, e.position, e.id, here, e.type, e.thread, json_text(e.payload), iso(e.received_at))
        for e in placed
    ]
    execute_many(connection, _INSERT, rows)
    return placed


def waiting(
    connection: Connection,
    session_id: str,
    *,
    after: int | None = None,
    before: int | None = None,
    newest_first: bool = False,
    types: Sequence[str] = (),
    thread: str | None = None,
    limit: int = 1_000,
) -> list[QueuedEvent]:
    """What waits in a session, in order: behind position ``after``, in front of ``before``."""
    sql, values = f"{_SELECT} AND session_id = ?", [workspace(connection), session_id]
    for condition, value in (("position > ?", after), ("position < ?", before), ("thread = ?", thread)):
        if value is not None:
            sql, values = f"{sql} AND {condition}", [*values, value]
    if types:
        sql, values = f"{sql} AND type IN ({', '.join('?' * len(types))})", [*values, *types]
    sql += f" ORDER BY position {'DESC' if newest_first else 'ASC'} LIMIT {limit:d}"
    return [_read(row) for row in execute(connection, sql, values).fetchall()]


def event(connection: Connection, session_id: str, event_id: str) -> QueuedEvent | None:
    """One that waits, by its whole id."""
    sql = f"{_SELECT} AND session_id = ? AND id = ?"
    row = execute(connection, sql, (workspace(connection), session_id, event_id)).fetchone()
    return None if row is None else _read(row)


def remove(connection: Connection, session_id: str, positions: Sequence[int]) -> None:
    """Take these out: in the same transaction they are written to the log."""
    sql = "DELETE FROM inbox WHERE session_id = ? AND position = ? AND workspace = ?"
    here = workspace(connection)
    execute_many(connection, sql, [(session_id, position, here) for position in positions])


def clear(connection: Connection, session_id: str) -> None:
    """Drop everything that waits in a session."""
    sql = "DELETE FROM inbox WHERE session_id = ? AND workspace = ?"
    execute(connection, sql, (session_id, workspace(connection)))


def sessions(connection: Connection) -> list[str]:
    """The sessions in which something waits."""
    sql = "SELECT DISTINCT session_id FROM inbox WHERE workspace = ? ORDER BY session_id"
    return [row[0] for row in execute(connection, sql, (workspace(connection),)).fetchall()]


def _at(event: QueuedEvent, position: int) -> QueuedEvent:
    return QueuedEvent(
        event.id, event.session_id, position, event.type, event.payload, event.thread, event.received_at
    )


def _read(row: Sequence[Any]) -> QueuedEvent:
    session_id, position, id, _, type, thread, payload, created_at = row
    received = datetime.fromisoformat(created_at)
    return QueuedEvent(id, session_id, position, type, loads(payload, dict[str, Any]), thread, received)
