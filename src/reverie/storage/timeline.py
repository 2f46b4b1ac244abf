"""Pages of a session's log, as a client asks for them: from behind a place, of some types, in a period."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from reverie.domain.resources import Period
from reverie.storage.database import Connection
from reverie.storage.driver import execute
from reverie.storage.events import Link
from reverie.storage.scope import workspace

__all__ = ["Slice", "calls_before", "event", "imported_threads", "page"]

_COLUMNS: Final = "session_id, seq, id, key, type, at, thread, payload, origin, hash"  # as in Link
_SELECT: Final = f"SELECT {_COLUMNS} FROM events WHERE session_id = ? AND workspace = ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Slice:
    """Which events. ``thread`` with the types of other threads that show there too (``besides``)."""

    thread: str | None = None
    besides: Collection[str] = ()
    types: Collection[str] = ()
    hidden: Collection[str] = ()
    at: Period = field(default_factory=Period)


def page(
    connection: Connection,
    session_id: str,
    what: Slice,
    *,
    after: int | None = None,
    before: int | None = None,
    limit: int,
    newest_first: bool = False,
) -> list[Link]:
    """Events of a session in the order of the log (or against it) with seq > ``after``, < ``before``."""
    sql = _SELECT
    values: list[object] = [session_id, workspace(connection)]
    for condition, told in _conditions(what, after, before):
        sql += f" AND {condition}"
        values += told
    sql += f" ORDER BY seq {'DESC' if newest_first else 'ASC'} LIMIT {limit:d}"
    return [Link(*row) for row in execute(connection, sql, values).fetchall()]


def _conditions(what: Slice, after: int | None, before: int | None) -> list[tuple[str, tuple[object, ...]]]:
    told: list[tuple[str, tuple[object, ...]]] = []
    if after is not None:
        told.append(("seq > ?", (after,)))
    if before is not None:
        told.append(("seq < ?", (before,)))
    if what.thread is not None:
        if what.besides:
            told.append((f"(thread = ? OR type IN ({_marks(what.besides)}))", (what.thread, *what.besides)))
        else:
            told.append(("thread = ?", (what.thread,)))
    if what.types:
        told.append((f"type IN ({_marks(what.types)})", tuple(what.types)))
    if what.hidden:
        told.append((f"type NOT IN ({_marks(what.hidden)})", tuple(what.hidden)))
    told += [(f"at {sign} ?", (at,)) for sign, at in what.at.bounds()]
    return told


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def event(connection: Connection, session_id: str, event_id: str) -> Link | None:
    """One event of a session by its whole id."""
    which = (session_id, workspace(connection), event_id)
    row = execute(connection, f"{_SELECT} AND id = ?", which).fetchone()
    return None if row is None else Link(*row)


def imported_threads(connection: Connection, session_id: str) -> list[str]:
    """The threads that a session's events name, in the order in which they come up."""
    sql = "SELECT thread FROM events WHERE session_id = ? AND workspace = ? GROUP BY thread ORDER BY min(seq)"
    rows = execute(connection, sql, (session_id, workspace(connection))).fetchall()
    return [row[0] for row in rows]


def calls_before(connection: Connection, session_id: str, seq: int, limit: int) -> list[tuple[str, str]]:
    """(id, payload) of the last calls of built-in tools in front of event ``seq``, the latest first."""
    sql = (
        "SELECT id, payload FROM events WHERE session_id = ? AND workspace = ? "  # noqa: S608
        f"AND type = 'agent.tool_use' AND seq < ? ORDER BY seq DESC LIMIT {limit:d}"
    )
    rows = execute(connection, sql, (session_id, workspace(connection), seq)).fetchall()
    return [(row[0], row[1]) for row in rows]
