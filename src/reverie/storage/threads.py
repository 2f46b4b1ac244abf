"""Threads in SQL. The primary thread's row also holds the state of the whole session: the cached fold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.events import JsonObject
from reverie.storage import tables
from reverie.storage.codec import loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute
from reverie.storage.scope import workspace
from reverie.storage.statements import columns, insert
from reverie.storage.text import json_text

__all__ = [
    "ThreadRow",
    "archive",
    "bodies",
    "body",
    "create",
    "delete",
    "get",
    "listed",
    "write_body",
    "write_status",
]

_INSERT: Final = insert(tables.threads)
_SELECT: Final = f"SELECT {columns(tables.threads)} FROM threads WHERE workspace = ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """One thread. ``body`` is what its session's service keeps of it."""

    id: str
    session_id: str
    parent: str | None
    status: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None
    body: JsonObject


def create(connection: Connection, row: ThreadRow) -> None:
    """Write a new thread."""
    values = (
        row.id,
        workspace(connection),
        row.session_id,
        row.parent,
        row.status,
        iso(row.created_at),
        iso(row.updated_at),
        iso_or_none(row.archived_at),
        json_text(row.body),
    )
    execute(connection, _INSERT, values)


def get(connection: Connection, session_id: str, thread_id: str) -> ThreadRow | None:
    """A thread of a session by its whole id."""
    sql = f"{_SELECT} AND session_id = ? AND id = ?"
    row = execute(connection, sql, (workspace(connection), session_id, thread_id)).fetchone()
    return None if row is None else _read(row)


def listed(
    connection: Connection,
    session_id: str,
    *,
    statuses: Collection[str] = (),
    after: tuple[datetime, str] | None = None,
    limit: int = 1_000,
) -> list[ThreadRow]:
    """The threads of a session, oldest first, from behind ``after`` (created_at, id)."""
    sql, values = f"{_SELECT} AND session_id = ?", [workspace(connection), session_id]
    if statuses:
        sql, values = f"{sql} AND status IN ({', '.join('?' * len(statuses))})", [*values, *statuses]
    if after is not None:
        at = iso(after[0])
        sql, values = (
            f"{sql} AND (created_at > ? OR (created_at = ? AND id > ?))",
            [*values, at, at, after[1]],
        )
    sql += f" ORDER BY created_at, id LIMIT {limit:d}"
    return [_read(row) for row in execute(connection, sql, values).fetchall()]


def body(connection: Connection, thread_id: str) -> str | None:
    """The raw body of a thread: for the one that is read at every append."""
    sql = "SELECT body FROM threads WHERE id = ? AND workspace = ?"
    row = execute(connection, sql, (thread_id, workspace(connection))).fetchone()
    return None if row is None else row[0]


def bodies(connection: Connection, thread_ids: Sequence[str]) -> dict[str, str]:
    """The raw bodies of several threads, by id."""
    marks = ", ".join("?" * len(thread_ids))
    sql = f"SELECT id, body FROM threads WHERE id IN ({marks}) AND workspace = ?"  # noqa: S608
    rows = execute(connection, sql, (*thread_ids, workspace(connection))).fetchall()
    return {row[0]: row[1] for row in rows}


def write_body(connection: Connection, thread_id: str, text: str, at: datetime) -> None:
    """Put another body in a thread's row."""
    sql = "UPDATE threads SET body = ?, updated_at = ? WHERE id = ? AND workspace = ?"
    execute(connection, sql, (text, iso(at), thread_id, workspace(connection)))


def write_status(connection: Connection, thread_id: str, status: str, at: datetime) -> None:
    """Note a thread's status, where it is another one."""
    sql = "UPDATE threads SET status = ?, updated_at = ? WHERE id = ? AND workspace = ? AND status <> ?"
    execute(connection, sql, (status, iso(at), thread_id, workspace(connection), status))


def archive(connection: Connection, session_id: str, thread_id: str | None, at: datetime) -> None:
    """Mark a thread, or all of a session, as archived."""
    sql = (
        "UPDATE threads SET archived_at = ?, updated_at = ? "
        "WHERE session_id = ? AND workspace = ? AND archived_at IS NULL"
    )
    values: list[object] = [iso(at), iso(at), session_id, workspace(connection)]
    if thread_id is not None:
        sql, values = f"{sql} AND id = ?", [*values, thread_id]
    execute(connection, sql, values)


def delete(connection: Connection, session_id: str) -> None:
    """Remove all threads of a session."""
    execute(
        connection,
        "DELETE FROM threads WHERE session_id = ? AND workspace = ?",
        (session_id, workspace(connection)),
    )


def _read(row: Sequence[Any]) -> ThreadRow:
    id, _, session_id, parent, status, created, updated, archived, text = row
    return ThreadRow(
        id,
        session_id,
        parent,
        status,
        datetime.fromisoformat(created),
        datetime.fromisoformat(updated),
        time_or_none(archived),
        loads(text, dict[str, Any]),
    )
