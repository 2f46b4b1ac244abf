"""Workspaces in SQL. To be asked of a connection that sees everything, but for one's own row."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select

from reverie.domain.clock import iso, time_or_none
from reverie.domain.workspaces import WorkspaceInfo
from reverie.storage import tables
from reverie.storage.database import Connection
from reverie.storage.upsert import insert

__all__ = ["Connection", "add", "archive", "find", "listed"]

_T: Final = tables.workspaces


def add(connection: Connection, fresh: WorkspaceInfo, at: datetime) -> bool:
    """Whether it was made: False when there is one of that name, archived ones too."""
    values = {"id": fresh.id, "name": fresh.name, "created_at": iso(at)}
    statement = insert(connection, _T).values(values).on_conflict_do_nothing().returning(_T.c.id)
    return connection.execute(statement).first() is not None


def find(connection: Connection, id_or_name: str) -> WorkspaceInfo | None:
    """The workspace of that id, else of that name."""
    for column in (_T.c.id, _T.c.name):
        row = connection.execute(select(_T).where(column == id_or_name)).first()
        if row is not None:
            return _workspace(row)
    return None


def listed(connection: Connection) -> list[WorkspaceInfo]:
    """Every workspace, oldest first."""
    return [_workspace(row) for row in connection.execute(select(_T).order_by(_T.c.created_at, _T.c.id))]


def archive(connection: Connection, id: str, at: datetime) -> bool:
    """Whether it was archived now: False when it was before."""
    change = _T.update().where(_T.c.id == id, _T.c.archived_at.is_(None))
    return connection.execute(change.values(archived_at=iso(at))).rowcount == 1


def _workspace(row: Row[Any]) -> WorkspaceInfo:
    archived = time_or_none(row.archived_at)
    return WorkspaceInfo(row.id, row.name, datetime.fromisoformat(row.created_at), archived)
