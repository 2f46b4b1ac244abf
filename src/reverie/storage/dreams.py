"""Dreams in SQL: the dream, what each finished stage gave, and which sessions a store has seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, case, func, or_, select, tuple_

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.dreams import Dream, Stage
from reverie.domain.resources import Cursor, Period
from reverie.storage import tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute_many
from reverie.storage.findings import finding, findings, put_findings
from reverie.storage.prefixes import whole_id
from reverie.storage.scope import workspace
from reverie.storage.statements import insert_new, within
from reverie.storage.upsert import insert

__all__ = [
    "Connection",
    "archive",
    "at_rest",
    "begin",
    "dream",
    "dreamed_sessions",
    "dreams",
    "finding",
    "findings",
    "finish",
    "put",
    "put_findings",
    "save_stage",
    "stage",
    "stored",
    "unasked",
    "unseen",
    "workspaces_waiting",
]

_T: Final = tables.dreams
_SEEN: Final = insert_new(tables.dreamed_sessions)


def begin(connection: Connection, fresh: Dream) -> Dream:
    """Keep ``fresh`` unless there is a dream of that id, and give what is kept then.

    A dream that failed before begins again; one that runs (elsewhere, or until it was killed) or is
    completed comes back as it stands.
    """
    statement = insert(connection, _T).values(id=fresh.id, workspace=workspace(connection), **_values(fresh))
    connection.execute(statement.on_conflict_do_nothing())
    kept = _stored(connection, fresh.id)
    if kept.status != "failed":
        return kept
    again = replace(kept, status="running", ended_at=None, error=None)
    put(connection, again)
    return again


def put(connection: Connection, kept: Dream) -> None:
    """Keep a dream as it is now."""
    values, mine = _values(kept), workspace(connection)
    statement = insert(connection, _T).values(id=kept.id, workspace=mine, **values)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[_T.c.id], set_=values, where=_T.c.workspace == mine)
    )


def finish(connection: Connection, done: Dream, seen: Iterable[str] = ()) -> None:
    """Keep a dream that ended. ``seen``: the content_sha256 of every session it looked at."""
    put(connection, done)
    mine = workspace(connection)
    execute_many(connection, _SEEN, [(done.store_id, contents, mine) for contents in sorted(set(seen))])


def dreamed_sessions(connection: Connection, store_id: str) -> set[str]:
    """The content_sha256 of every session that a finished dream into this store has looked at."""
    t = tables.dreamed_sessions
    query = select(t.c.content_sha256).where(t.c.store_id == store_id)
    return set(connection.execute(query.where(t.c.workspace == workspace(connection))).scalars())


def at_rest(connection: Connection, limit: int, *, besides: str) -> list[str]:
    """The sessions that nobody works on, but for those of the agent ``besides``; those that came into the log last
    first."""
    t = tables.sessions.c
    query = select(t.id).where(*_rests(connection, besides)).order_by(t.created_at.desc(), t.id.desc())
    return list(connection.execute(query.limit(limit)).scalars())


def unseen(connection: Connection, store_id: str, *, besides: str) -> tuple[int, int]:
    """How many sessions that nobody works on have contents that no finished dream into this store has looked
    at; and how many of those failed. Those of the agent ``besides`` do not count."""
    t, seen = tables.sessions.c, tables.dreamed_sessions.c
    known = select(seen.store_id).where(
        seen.workspace == workspace(connection), seen.store_id == store_id, seen.content_sha256 == t.head
    )
    failed = func.count(case((t.outcome == "failure", 1)))
    row = connection.execute(
        select(func.count(), failed)
        .select_from(tables.sessions)
        .where(*_rests(connection, besides), ~known.exists())
    ).one()
    return row[0], row[1]


def dream(connection: Connection, id_prefix: str) -> Dream:
    """A dream by its id or a unique prefix of it.

    Raises:
        NotFound, Ambiguous: none or several fit.
    """
    found = whole_id(connection, _T.c.id, "drm", id_prefix, noun="dream", hint="reverie dreams list")
    return _stored(connection, found)


def dreams(connection: Connection, store_id: str | None = None) -> list[Dream]:
    """Every dream (into one store, where given), newest first."""
    query = select(_T.c.body).where(_T.c.workspace == workspace(connection))
    query = query.order_by(_T.c.created_at.desc(), _T.c.id)
    if store_id is not None:
        query = query.where(_T.c.store_id == store_id)
    return [loads(body, Dream) for body in connection.execute(query).scalars()]


def stored(connection: Connection, dream_id: str) -> tuple[Dream, datetime | None] | None:
    """The dream of exactly this id, and when it was archived; None where there is none."""
    query = select(_T.c.body, _T.c.archived_at)
    query = query.where(_T.c.id == dream_id, _T.c.workspace == workspace(connection))
    row = connection.execute(query).one_or_none()
    return None if row is None else _with_archived(row)


def unasked(
    connection: Connection,
    *,
    statuses: Sequence[str] | None,
    archived: bool | None,
    created: Period,
    after: Cursor | None,
    limit: int,
) -> list[tuple[Dream, datetime | None]]:
    """Dreams that no request (a resource of kind "dream") names as its own, newest first."""
    r = tables.resources.c
    mine = workspace(connection)
    asked = select(r.id).where(r.workspace == mine, r.kind == "dream", r.parent == _T.c.id)
    query = select(_T.c.body, _T.c.archived_at).where(_T.c.workspace == mine, ~asked.exists())
    if statuses is not None:
        query = query.where(_T.c.status.in_(statuses))
    if archived is not None:
        query = query.where(_T.c.archived_at.is_not(None) if archived else _T.c.archived_at.is_(None))
    query = query.where(*within(_T.c.created_at, created))
    if after is not None:
        query = query.where(tuple_(_T.c.created_at, _T.c.id) < tuple_(iso(after[0]), after[1]))
    rows = connection.execute(query.order_by(_T.c.created_at.desc(), _T.c.id.desc()).limit(limit))
    return [_with_archived(row) for row in rows]


def archive(connection: Connection, dream_id: str, at: datetime) -> None:
    """Mark a dream as archived, if it is not yet."""
    which = (_T.c.id == dream_id, _T.c.workspace == workspace(connection), _T.c.archived_at.is_(None))
    connection.execute(_T.update().where(*which).values(archived_at=iso(at)))


def workspaces_waiting(connection: Connection) -> list[str]:
    """The workspaces with a request that has not ended; the connection must see all of them."""
    r = tables.resources.c
    query = select(r.workspace).where(r.kind == "dream", r.status.in_(("pending", "running"))).distinct()
    return sorted(connection.execute(query).scalars())


def save_stage(connection: Connection, dream_id: str, name: Stage, body: str, at: str) -> None:
    """Keep what a finished stage gave; the first to finish it wins (two runs give the same anyway)."""
    values = {
        "dream_id": dream_id,
        "stage": name,
        "body": body,
        "at": at,
        "workspace": workspace(connection),
    }
    connection.execute(insert(connection, tables.dream_stages).values(**values).on_conflict_do_nothing())


def stage(connection: Connection, dream_id: str, name: Stage) -> str | None:
    """What a stage gave, or None while it has not finished."""
    t = tables.dream_stages
    query = select(t.c.body).where(
        t.c.dream_id == dream_id, t.c.stage == name, t.c.workspace == workspace(connection)
    )
    return connection.execute(query).scalar_one_or_none()


def _rests(connection: Connection, besides: str) -> tuple[ColumnElement[bool], ...]:
    t = tables.sessions.c
    mine = t.workspace == workspace(connection)
    counts = or_(t.agent.is_(None), t.agent != besides)
    return mine, counts, t.deleted_at.is_(None), t.events > 0, t.status.not_in(("running", "rescheduling"))


def _with_archived(row: Row[Any, Any]) -> tuple[Dream, datetime | None]:
    at = time_or_none(row.archived_at)
    return loads(row.body, Dream), at


def _stored(connection: Connection, dream_id: str) -> Dream:
    query = select(_T.c.body).where(_T.c.id == dream_id, _T.c.workspace == workspace(connection))
    return loads(connection.execute(query).scalar_one(), Dream)


def _values(kept: Dream) -> dict[str, object]:
    return {
        "store_id": kept.store_id,
        "status": kept.status,
        "stage": kept.stage,
        "body": dumps(kept),
        "created_at": iso(kept.created_at),
        "ended_at": iso_or_none(kept.ended_at),
    }
