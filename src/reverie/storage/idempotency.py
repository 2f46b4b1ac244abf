"""Idempotency keys in SQL: which request said one, who answers it, and what the answer was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_

from reverie.domain.clock import iso
from reverie.storage import tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.scope import workspace
from reverie.storage.upsert import insert

__all__ = ["Connection", "Name", "Row", "claim", "find", "forget", "keep", "purge"]

_T: Final = tables.idempotency


class Name(NamedTuple):
    """A key counts for one route of one workspace (the connection's)."""

    route: str
    key: str


class Row(NamedTuple):
    """What is known. ``status`` is None while ``owner`` answers it, who is waited for until ``held_until``."""

    digest: str
    owner: str
    held_until: datetime
    status: int | None
    headers: tuple[tuple[str, str], ...]
    answer: bytes


def claim(connection: Connection, name: Name, digest: str, owner: str, at: datetime, until: datetime) -> bool:
    """Whether ``owner`` may answer: nobody did or does, or whoever did was held up for too long."""
    values = {"digest": digest, "owner": owner, "held_until": iso(until)}
    fresh = {"workspace": workspace(connection), "route": name.route, "key": name.key, "created_at": iso(at)}
    statement = insert(connection, _T).values(**fresh, **values)
    lapsed = and_(_T.c.status.is_(None), _T.c.digest == digest, _T.c.held_until <= iso(at))
    taken = statement.on_conflict_do_update(
        index_elements=[_T.c.workspace, _T.c.route, _T.c.key], set_=values, where=lapsed
    )
    return connection.execute(taken.returning(_T.c.key)).first() is not None


def find(connection: Connection, name: Name, since: datetime) -> Row | None:
    """What is known of a key that came since then."""
    query = _T.select().where(*_is(connection, name), _T.c.created_at >= iso(since))
    row = connection.execute(query).first()
    if row is None:
        return None
    headers = () if row.headers is None else loads(row.headers, tuple[tuple[str, str], ...])
    held = datetime.fromisoformat(row.held_until)
    return Row(row.digest, row.owner, held, row.status, headers, row.answer or b"")


def keep(
    connection: Connection,
    name: Name,
    owner: str,
    status: int,
    headers: Sequence[tuple[str, str]],
    answer: bytes,
) -> bool:
    """Whether the answer was kept: False when it is not ``owner`` any more who answers."""
    values = {"status": status, "headers": dumps(headers), "answer": answer}
    change = _T.update().where(*_is(connection, name), _T.c.owner == owner, _T.c.status.is_(None))
    return connection.execute(change.values(values)).rowcount == 1


def forget(connection: Connection, name: Name, owner: str) -> None:
    """Let the next one who says the key answer it."""
    connection.execute(_T.delete().where(*_is(connection, name), _T.c.owner == owner, _T.c.status.is_(None)))


def purge(connection: Connection, before: datetime) -> None:
    """Forget what the workspace was asked before then."""
    connection.execute(
        _T.delete().where(_T.c.workspace == workspace(connection), _T.c.created_at < iso(before))
    )


def _is(connection: Connection, name: Name) -> tuple[ColumnElement[bool], ...]:
    return _T.c.workspace == workspace(connection), _T.c.route == name.route, _T.c.key == name.key
