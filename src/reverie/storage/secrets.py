"""SQL of sealed values. Every function takes the caller's transaction; nothing here can open one."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select

from reverie.domain.clock import iso
from reverie.storage.scope import workspace
from reverie.storage.tables import secrets
from reverie.storage.upsert import insert

__all__ = ["NONE", "Connection", "every", "find", "forget", "names", "put", "state"]


NONE: Final = (0, None)
"""The ``state`` of a workspace without values."""


def put(conn: Connection, owner: str, name: str, sealed: bytes, at: datetime) -> None:
    """Keep a value, in the place of the one of that name."""
    row = {
        "owner": owner,
        "name": name,
        "workspace": workspace(conn),
        "sealed": sealed,
        "updated_at": iso(at),
    }
    statement = insert(conn, secrets).values(row)
    key = (secrets.c.owner, secrets.c.name)
    changes = {"sealed": sealed, "updated_at": iso(at)}
    conn.execute(statement.on_conflict_do_update(index_elements=key, set_=changes))


def find(conn: Connection, owner: str, name: str) -> bytes | None:
    """A value of an owner."""
    query = select(secrets.c.sealed).where(_of(conn, owner), secrets.c.name == name)
    return conn.execute(query).scalar_one_or_none()


def names(conn: Connection, owner: str) -> set[str]:
    """Which values an owner has."""
    return set(conn.execute(select(secrets.c.name).where(_of(conn, owner))).scalars())


def every(conn: Connection) -> list[tuple[str, str, bytes]]:
    """Every value of the workspace: (owner, name, sealed)."""
    query = select(secrets.c.owner, secrets.c.name, secrets.c.sealed)
    rows = conn.execute(query.where(secrets.c.workspace == workspace(conn)))
    return [(row.owner, row.name, row.sealed) for row in rows]


def state(conn: Connection) -> tuple[int, str | None]:
    """What changes whenever a value of the workspace is kept: how many there are, and when the last was."""
    query = select(func.count(), func.max(secrets.c.updated_at)).where(secrets.c.workspace == workspace(conn))
    row = conn.execute(query).one()
    return row[0], row[1]


def forget(conn: Connection, owner: str, name: str | None = None) -> None:
    """Delete the values of an owner; with ``name``, that one."""
    which = _of(conn, owner) if name is None else and_(_of(conn, owner), secrets.c.name == name)
    conn.execute(delete(secrets).where(which))


def _of(conn: Connection, owner: str) -> ColumnElement[bool]:
    return and_(secrets.c.workspace == workspace(conn), secrets.c.owner == owner)
