"""Sessions as a client of the API knows them: status, what it said of them, what they refer to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from reverie.domain.clock import iso
from reverie.domain.errors import NotFound
from reverie.domain.events import JsonObject
from reverie.domain.resources import Cursor, Period
from reverie.domain.sessions import Outcome
from reverie.storage.chain import GENESIS
from reverie.storage.codec import loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute, execute_many
from reverie.storage.events import End
from reverie.storage.scope import workspace
from reverie.storage.searching import within
from reverie.storage.text import json_text

__all__ = [
    "FACETS",
    "Facet",
    "Filters",
    "SessionRow",
    "Standing",
    "body",
    "delete",
    "describe",
    "facets",
    "heads",
    "ids",
    "listed",
    "refer",
    "row",
    "standing",
    "write",
]

_COLUMNS: Final = (
    "id", "format", "native_id", "agent", "agent_version", "model", "goal", "started_at", "events",
    "created_at", "updated_at", "status", "archived_at", "deployment", "body", "outcome", "score",
    "outcome_source",
)  # fmt: skip
_SELECT: Final = f"SELECT {', '.join(_COLUMNS)} FROM sessions WHERE workspace = ? AND deleted_at IS NULL"  # noqa: S608
_OF_A_SESSION: Final = (
    "events", "inbox", "threads", "session_refs", "session_sources", "observations", "runs",
)  # fmt: skip
_FACTS: Final = (
    "agent", "agent_version", "user", "model", "repository", "branch", "cwd", "task", "goal", "timezone",
    "body", "score", "outcome_source",
)  # fmt: skip
_UNSAID: Final = object()

Facet: TypeAlias = Literal["agent", "model", "outcome", "source"]
FACETS: Final[dict[Facet, str]] = {
    "agent": "agent", "model": "model", "outcome": "outcome", "source": "format",
}  # fmt: skip
"""What lists of sessions are narrowed to by their value, and its column."""
_VALUES: Final = 50  # of a facet, the commonest
_BEGAN: Final = "COALESCE(started_at, created_at)"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session. ``body`` is None where it was imported; then the facts tell what is known."""

    id: str
    format: str
    native_id: str
    agent: str | None
    agent_version: str | None
    model: str | None
    goal: str | None
    started_at: datetime | None
    events: int
    created_at: datetime
    updated_at: datetime
    status: str
    archived_at: datetime | None
    deployment: str | None
    body: JsonObject | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of sessions is narrowed to. ``refers`` are ids (``agent_…``, ``agent_…@3``, ``memstore_…``)
    that a session must refer to, all of them. ``agent`` is a name, ``source`` the format it came in, ``goal`` words
    of what was asked; ``began`` is when it began, or came into the log where its source has no clock."""

    refers: Collection[str] = ()
    deployment: str | None = None
    statuses: Collection[str] = ()
    archived: bool = False
    created: Period = field(default_factory=Period)
    began: Period = field(default_factory=Period)
    agent: str | None = None
    model: str | None = None
    outcome: str | None = None
    source: str | None = None
    goal: str | None = None


class Standing(NamedTuple):
    """The little that every append asks of a session."""

    status: str
    archived: bool
    imported: bool
    end: End
    """Of its log; nobody else moves it until the transaction ends."""


def standing(connection: Connection, session_id: str) -> Standing:
    """How a session stands; it is held until the transaction ends.

    Raises:
        NotFound: there is none here.
    """
    held = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    sql = (
        "SELECT status, archived_at IS NOT NULL, body IS NULL, events, head FROM sessions "  # noqa: S608
        f"WHERE id = ? AND workspace = ? AND deleted_at IS NULL{held}"
    )
    found = execute(connection, sql, (session_id, workspace(connection))).fetchone()
    if found is None:
        raise NotFound(f"there is no session {session_id!r}", hint="reverie sessions list")
    return Standing(found[0], bool(found[1]), bool(found[2]), End(found[3], found[4]))


def row(connection: Connection, session_id: str, *, lock: bool = False) -> SessionRow:
    """A session by its whole id; with ``lock``, held until the transaction ends.

    Raises:
        NotFound: there is none here.
    """
    held = " FOR UPDATE" if lock and connection.dialect.name == "postgresql" else ""
    found = execute(connection, f"{_SELECT} AND id = ?{held}", (workspace(connection), session_id)).fetchone()
    if found is None:
        raise NotFound(f"there is no session {session_id!r}", hint="reverie sessions list")
    return _read(found)


def body(connection: Connection, session_id: str) -> str:
    """What the client said of a session, as raw JSON; an empty object for one that was imported.

    Raises:
        NotFound: there is none here.
    """
    sql = "SELECT body FROM sessions WHERE id = ? AND workspace = ? AND deleted_at IS NULL"
    found = execute(connection, sql, (session_id, workspace(connection))).fetchone()
    if found is None:
        raise NotFound(f"there is no session {session_id!r}", hint="reverie sessions list")
    return found[0] or "{}"


def listed(
    connection: Connection,
    filters: Filters,
    *,
    after: Cursor | None = None,
    limit: int = 100,
    newest_first: bool = True,
) -> list[SessionRow]:
    """Sessions by the time they came into the workspace, from behind ``after``."""
    sql, values = _SELECT, [workspace(connection)]
    for condition, told in _conditions(filters):
        sql, values = f"{sql} AND {condition}", [*values, *told]
    if after is not None:
        sign, at = ("<" if newest_first else ">"), iso(after[0])
        sql += f" AND (created_at {sign} ? OR (created_at = ? AND id {sign} ?))"
        values += [at, at, after[1]]
    way = "DESC" if newest_first else "ASC"
    sql += f" ORDER BY created_at {way}, id {way} LIMIT {limit:d}"
    return [_read(found) for found in execute(connection, sql, values).fetchall()]


def ids(connection: Connection, filters: Filters, limit: int) -> list[str]:
    """The ids of the newest ``limit`` sessions that fit."""
    sql = "SELECT id FROM sessions WHERE workspace = ? AND deleted_at IS NULL"
    values = [workspace(connection)]
    for condition, told in _conditions(filters):
        sql, values = f"{sql} AND {condition}", [*values, *told]
    sql += f" ORDER BY created_at DESC, id DESC LIMIT {limit:d}"
    return [found[0] for found in execute(connection, sql, values).fetchall()]


def facets(connection: Connection, filters: Filters) -> dict[Facet, list[tuple[str, int]]]:
    """Of each facet the values that there are, each with how many sessions have it and all else that is asked
    for; the commonest first."""
    found: dict[Facet, list[tuple[str, int]]] = {}
    for name, column in FACETS.items():
        sql = f"SELECT {column}, COUNT(*) FROM sessions WHERE workspace = ? AND deleted_at IS NULL"  # noqa: S608
        values = [workspace(connection)]
        for condition, told in _conditions(replace(filters, **{name: None})):
            sql, values = f"{sql} AND {condition}", [*values, *told]
        sql += f" AND {column} IS NOT NULL GROUP BY {column}"
        sql += f" ORDER BY COUNT(*) DESC, {column} LIMIT {_VALUES:d}"
        found[name] = [(row[0], row[1]) for row in execute(connection, sql, values).fetchall()]
    return found


def _conditions(filters: Filters) -> Iterable[tuple[str, Sequence[str]]]:
    for ref in filters.refers:
        here = "SELECT 1 FROM session_refs r WHERE r.session_id = sessions.id AND r.ref = ?"
        yield f"EXISTS ({here})", (ref,)
    if filters.deployment is not None:
        yield "deployment = ?", (filters.deployment,)
    if filters.statuses:
        yield f"status IN ({', '.join('?' * len(filters.statuses))})", tuple(filters.statuses)
    if not filters.archived:
        yield "archived_at IS NULL", ()
    for sign, at in filters.created.bounds():
        yield f"created_at {sign} ?", (at,)
    for sign, at in filters.began.bounds():
        yield f"{_BEGAN} {sign} ?", (at,)
    for name, column in FACETS.items():
        if (wanted := getattr(filters, name)) is not None:
            yield f"{column} = ?", (wanted,)
    if filters.goal is not None:
        yield "LOWER(goal) LIKE ? ESCAPE '~'", (within(filters.goal.lower()),)


def describe(connection: Connection, session_id: str, body: JsonObject, deployment: str | None) -> None:
    """Make a session that was just written one of the API's."""
    sql = "UPDATE sessions SET body = ?, deployment = ? WHERE id = ? AND workspace = ?"
    execute(connection, sql, (json_text(body), deployment, session_id, workspace(connection)))


def refer(connection: Connection, session_id: str, refs: Iterable[str]) -> None:
    """Note what a session refers to, by id."""
    here = workspace(connection)
    sql = "INSERT INTO session_refs (session_id, ref, workspace) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    execute_many(connection, sql, [(session_id, ref, here) for ref in refs])


def write(
    connection: Connection,
    session_id: str,
    at: datetime,
    *,
    body: object = _UNSAID,
    status: str | None = None,
    archived_at: datetime | None = None,
) -> None:
    """Change what is said; what is not said stays."""
    changes: dict[str, object] = {"updated_at": iso(at)}
    if body is not _UNSAID:
        changes["body"] = json_text(body)
    if status is not None:
        changes["status"] = status
    if archived_at is not None:
        changes["archived_at"] = iso(archived_at)
    told = ", ".join(f"{name} = ?" for name in changes)
    sql = f"UPDATE sessions SET {told} WHERE id = ? AND workspace = ?"  # noqa: S608
    execute(connection, sql, (*changes.values(), session_id, workspace(connection)))


def delete(connection: Connection, session_id: str, at: datetime) -> None:
    """Remove a session with all that is only its own. A row without facts stays, so that no import
    brings it back."""
    here = workspace(connection)
    facts = ", ".join(f'"{name}" = NULL' for name in _FACTS)
    sql = (
        f"UPDATE sessions SET deleted_at = ?, updated_at = ?, extra = '{{}}', {facts} "  # noqa: S608
        "WHERE id = ? AND workspace = ?"
    )
    execute(connection, sql, (iso(at), iso(at), session_id, here))
    for table in _OF_A_SESSION:
        which = f"DELETE FROM {table} WHERE session_id = ? AND workspace = ?"  # noqa: S608
        execute(connection, which, (session_id, here))
    empty = "UPDATE sessions SET events = 0, head = ? WHERE id = ? AND workspace = ?"
    execute(connection, empty, (GENESIS, session_id, here))


def heads(connection: Connection, session_ids: Sequence[str]) -> dict[str, int]:
    """How many events these sessions have, of those that are there."""
    marks = ", ".join("?" * len(session_ids))
    sql = f"SELECT id, events FROM sessions WHERE id IN ({marks}) AND deleted_at IS NULL"  # noqa: S608
    return dict(execute(connection, sql, tuple(session_ids)).fetchall())  # type: ignore[arg-type]


def _read(found: Sequence[Any]) -> SessionRow:
    told = dict(zip(_COLUMNS, found, strict=True))
    for name in ("started_at", "created_at", "updated_at", "archived_at"):
        if told[name] is not None:
            told[name] = datetime.fromisoformat(told[name])
    if told["body"] is not None:
        told["body"] = loads(told["body"], dict[str, Any])
    outcome = Outcome(told.pop("outcome"), told.pop("score"), told.pop("outcome_source"))
    return SessionRow(**told, outcome=outcome)
