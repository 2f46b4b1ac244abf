"""API keys in SQL. A connection that sees every workspace sees every key: callers are known by theirs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, Select, select

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.keys import ApiKey
from reverie.domain.workspaces import EVERYWHERE
from reverie.storage import tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.scope import workspace

__all__ = ["Connection", "Kept", "add", "find", "is_any", "listed", "revoke", "touch"]

_T: Final = tables.api_keys


class Kept(NamedTuple):
    """A key and the hex SHA-256 of what its holder sends."""

    key: ApiKey
    sha256: str


def add(connection: Connection, key: ApiKey, sha256: str) -> None:
    """Keep a new key."""
    connection.execute(
        _T.insert().values(
            id=key.id,
            workspace=workspace(connection),
            name=key.name,
            sha256=sha256,
            scopes=dumps(key.scopes),
            created_at=iso(key.created_at),
            expires_at=iso_or_none(key.expires_at),
        )
    )


def find(connection: Connection, id: str) -> Kept | None:
    """A key by its id, revoked and expired ones too."""
    row = connection.execute(_seen(connection).where(_T.c.id == id)).first()
    return None if row is None else Kept(_key(row), row.sha256)


def listed(connection: Connection) -> list[ApiKey]:
    """Every key, oldest first."""
    query = _seen(connection).order_by(_T.c.created_at, _T.c.id)
    return [_key(row) for row in connection.execute(query)]


def is_any(connection: Connection) -> bool:
    """Whether a key was ever made."""
    return connection.execute(_seen(connection).limit(1)).first() is not None


def revoke(connection: Connection, id: str, at: datetime) -> bool:
    """Whether it was revoked now: False when it was before, or is not there."""
    change = _T.update().where(
        _T.c.id == id, _T.c.workspace == workspace(connection), _T.c.revoked_at.is_(None)
    )
    return connection.execute(change.values(revoked_at=iso(at))).rowcount == 1


def touch(connection: Connection, id: str, at: datetime) -> None:
    """Note that a key was used."""
    change = _T.update().where(_T.c.id == id, _T.c.workspace == workspace(connection))
    connection.execute(change.values(last_used_at=iso(at)))


def _seen(connection: Connection) -> Select[Any]:
    mine = workspace(connection)
    return select(_T) if mine == EVERYWHERE else select(_T).where(_T.c.workspace == mine)


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        scopes=loads(row.scopes, tuple[str, ...]),
        created_at=datetime.fromisoformat(row.created_at),
        expires_at=time_or_none(row.expires_at),
        revoked_at=time_or_none(row.revoked_at),
        last_used_at=time_or_none(row.last_used_at),
    )
