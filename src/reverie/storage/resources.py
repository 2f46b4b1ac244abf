"""Resources in SQL: one table for every kind of them, and one for the bodies they have had.

Every function takes the caller's transaction and sees its workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, func, select, tuple_

from reverie.domain.clock import iso
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.storage import tables
from reverie.storage.codec import loads
from reverie.storage.database import Connection
from reverie.storage.scope import workspace
from reverie.storage.text import json_text
from reverie.storage.upsert import insert

__all__ = [
    "Connection",
    "Filter",
    "add",
    "change",
    "count",
    "find",
    "keep_version",
    "listed",
    "remove",
    "versions",
]

_T: Final = tables.resources
_V: Final = tables.resource_versions


@dataclass(frozen=True, slots=True)
class Filter:
    """Which resources of a kind: those that fit everything given. ``archived``: False for those that are
    not, True for those that are, None for both."""

    parent: str | None = None
    statuses: Sequence[str] | None = None
    archived: bool | None = False
    created: Period = ALWAYS


def add(connection: Connection, fresh: Resource, key: str | None = None) -> bool:
    """Whether it was added: False when another of its kind has the key."""
    values = _values(fresh) | {
        "id": fresh.id,
        "workspace": workspace(connection),
        "kind": fresh.kind,
        "key": key,
        "created_at": iso(fresh.created_at),
    }
    statement = insert(connection, _T).values(values).on_conflict_do_nothing().returning(_T.c.id)
    return connection.execute(statement).first() is not None


def find(
    connection: Connection, kind: str, id: str, *, lock: bool = False, share: bool = False
) -> Resource | None:
    """A resource by its id; with ``lock`` it is held until the transaction ends, with ``share`` together
    with others who only want it to stay."""
    query = _mine(connection, kind).where(_T.c.id == id)
    held = query.with_for_update(read=not lock) if lock or share else query
    row = connection.execute(held).first()
    return None if row is None else _resource(row)


def change(connection: Connection, now: Resource) -> None:
    """Keep a resource as it is now. Its id, kind and time of creation never change."""
    which = (_T.c.id == now.id, _T.c.workspace == workspace(connection))
    connection.execute(_T.update().where(*which).values(_values(now)))


def remove(connection: Connection, id: str) -> None:
    """Take a resource out, with the bodies it has had."""
    mine = workspace(connection)
    connection.execute(_V.delete().where(_V.c.resource_id == id, _V.c.workspace == mine))
    connection.execute(_T.delete().where(_T.c.id == id, _T.c.workspace == mine))


def listed(
    connection: Connection,
    kind: str,
    wanted: Filter,
    *,
    after: Cursor | None = None,
    limit: int | None = None,
    newest_first: bool = True,
) -> list[Resource]:
    """Resources of a kind by the time they were made (then by id), from behind ``after`` on."""
    query = _mine(connection, kind).where(*_conditions(wanted)).limit(limit)
    place = tuple_(_T.c.created_at, _T.c.id)
    if after is not None:
        there = tuple_(iso(after[0]), after[1])
        query = query.where(place < there if newest_first else place > there)
    order = [column.desc() if newest_first else column for column in (_T.c.created_at, _T.c.id)]
    return [_resource(row) for row in connection.execute(query.order_by(*order))]


def count(connection: Connection, kind: str, wanted: Filter) -> int:
    """How many resources of a kind there are."""
    query = _mine(connection, kind).where(*_conditions(wanted))
    return connection.execute(query.with_only_columns(func.count(_T.c.id))).scalar_one()


def keep_version(connection: Connection, resource: Resource) -> None:
    """Keep the body that a resource has now under its version."""
    values = {
        "resource_id": resource.id,
        "version": resource.version,
        "workspace": workspace(connection),
        "body": json_text(resource.body),
        "created_at": iso(resource.updated_at),
    }
    connection.execute(_V.insert().values(values))


def versions(
    connection: Connection,
    resource: Resource,
    *,
    number: int | None = None,
    before: int | None = None,
    limit: int | None = None,
) -> list[Resource]:
    """``resource`` as it was at its kept versions, newest first: one of them, or those before one.
    ``updated_at`` is the time of that version."""
    query = select(_V).where(_V.c.resource_id == resource.id, _V.c.workspace == workspace(connection))
    if number is not None:
        query = query.where(_V.c.version == number)
    if before is not None:
        query = query.where(_V.c.version < before)
    rows = connection.execute(query.order_by(_V.c.version.desc()).limit(limit))
    return [
        replace(
            resource,
            version=row.version,
            updated_at=datetime.fromisoformat(row.created_at),
            body=loads(row.body, dict[str, Any]),
        )
        for row in rows
    ]


def _mine(connection: Connection, kind: str) -> Select[Any]:
    return select(_T).where(_T.c.workspace == workspace(connection), _T.c.kind == kind)


def _conditions(wanted: Filter) -> Iterable[Any]:
    if wanted.parent is not None:
        yield _T.c.parent == wanted.parent
    if wanted.statuses is not None:
        yield _T.c.status.in_(wanted.statuses)
    if wanted.archived is not None:
        yield _T.c.archived_at.is_not(None) if wanted.archived else _T.c.archived_at.is_(None)
    made, when = _T.c.created_at, wanted.created
    if when.gt is not None:
        yield made > iso(when.gt)
    if when.gte is not None:
        yield made >= iso(when.gte)
    if when.lt is not None:
        yield made < iso(when.lt)
    if when.lte is not None:
        yield made <= iso(when.lte)


def _values(resource: Resource) -> dict[str, object]:
    return {
        "parent": resource.parent,
        "status": resource.status,
        "version": resource.version,
        "updated_at": iso(resource.updated_at),
        "archived_at": None if resource.archived_at is None else iso(resource.archived_at),
        "body": json_text(resource.body),
    }


def _resource(row: Row[Any]) -> Resource:
    return Resource(
        id=row.id,
        workspace=row.workspace,
        kind=row.kind,
        parent=row.parent,
        status=row.status,
        version=row.version,
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
        archived_at=None if row.archived_at is None else datetime.fromisoformat(row.archived_at),
        body=loads(row.body, dict[str, Any]),
    )
