"""Resources in SQL: one table for every kind of them, and one for the bodies they have had.

Every function takes the caller's transaction and sees its workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import and_, or_, select

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.storage import tables
from reverie.storage.database import Connection
from reverie.storage.driver import execute
from reverie.storage.scope import workspace
from reverie.storage.text import clean_text, json_text
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
    "standing",
    "taken",
    "versions",
]

_T: Final = tables.resources
_V: Final = tables.resource_versions
_COLUMNS: Final = ", ".join(field.name for field in fields(Resource))
_SELECT: Final = f"SELECT {_COLUMNS} FROM resources WHERE workspace = ? AND kind = ?"  # noqa: S608

_body: Final = msgspec.json.Decoder(dict[str, Any])


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
    held = ""
    if connection.dialect.name == "postgresql" and (lock or share):
        held = " FOR UPDATE" if lock else " FOR SHARE"
    which = (workspace(connection), kind, clean_text(id))  # PostgreSQL cannot be asked for some texts
    row = execute(connection, f"{_SELECT} AND id = ?{held}", which).fetchone()
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
    more, values = _narrowed(wanted)
    if after is not None:
        more = f"{more} AND (created_at, id) {'<' if newest_first else '>'} (?, ?)"
        values += (iso(after[0]), after[1])
    way = "DESC" if newest_first else "ASC"
    most = "" if limit is None else f" LIMIT {limit:d}"
    sql = f"{_SELECT}{more} ORDER BY created_at {way}, id {way}{most}"
    rows = execute(connection, sql, (workspace(connection), kind, *values)).fetchall()
    return [_resource(row) for row in rows]


def count(connection: Connection, kind: str, wanted: Filter) -> int:
    """How many resources of a kind there are."""
    more, values = _narrowed(wanted)
    sql = f"SELECT count(*) FROM resources WHERE workspace = ? AND kind = ?{more}"  # noqa: S608
    ((number,),) = execute(connection, sql, (workspace(connection), kind, *values)).fetchall()
    return number


def taken(connection: Connection, kind: str, key: str) -> bool:
    """Whether one of the kind has the key."""
    sql = "SELECT 1 FROM resources WHERE workspace = ? AND kind = ? AND key = ?"
    return execute(connection, sql, (workspace(connection), kind, key)).fetchone() is not None


def standing(
    connection: Connection, workspaces: Sequence[str], statuses: Mapping[str, str]
) -> list[tuple[str, str, str, int]]:
    """What is not archived and has the status that ``statuses`` says of its kind: (workspace, kind, id,
    version). The connection must see all these workspaces."""
    r = _T.c
    wanted = or_(*(and_(r.kind == kind, r.status == status) for kind, status in statuses.items()))
    query = select(r.workspace, r.kind, r.id, r.version).where(
        r.workspace.in_(workspaces), r.kind.in_(statuses), wanted, r.archived_at.is_(None)
    )
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(query.order_by(r.id))]


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
            body=_body.decode(row.body),
        )
        for row in rows
    ]


def _narrowed(wanted: Filter) -> tuple[str, list[str]]:
    """What follows on a WHERE that names workspace and kind."""
    asked = [(f"created_at {sign} ?", at) for sign, at in wanted.created.bounds()]
    if wanted.parent is not None:
        asked.append(("parent = ?", wanted.parent))
    conditions, values = [condition for condition, _ in asked], [value for _, value in asked]
    if wanted.statuses is not None:
        marks = ", ".join("?" * len(wanted.statuses))
        conditions.append(f"status IN ({marks})" if marks else "1 = 0")
        values += wanted.statuses
    if wanted.archived is not None:
        conditions.append(f"archived_at IS {'NOT ' if wanted.archived else ''}NULL")
    return "".join(f" AND {condition}" for condition in conditions), values


def _values(resource: Resource) -> dict[str, object]:
    return {
        "parent": resource.parent,
        "status": resource.status,
        "version": resource.version,
        "updated_at": iso(resource.updated_at),
        "archived_at": iso_or_none(resource.archived_at),
        "body": json_text(resource.body),
    }


def _resource(row: Sequence[Any]) -> Resource:
    *same, version, created_at, updated_at, archived_at, body = row
    return Resource(
        *same,
        version=version,
        created_at=datetime.fromisoformat(created_at),
        updated_at=datetime.fromisoformat(updated_at),
        archived_at=time_or_none(archived_at),
        body=_body.decode(body),
    )
