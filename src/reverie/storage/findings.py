"""Findings in SQL: what the miners of a dream said, in the order of their weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Column, Select, select

from reverie.domain.findings import Finding
from reverie.storage import tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.prefixes import whole_id
from reverie.storage.scope import workspace

__all__ = ["cited", "dream_of", "every", "finding", "findings", "put_findings"]

_T: Final = tables.findings


def put_findings(connection: Connection, dream_id: str, found: Sequence[Finding]) -> None:
    """Keep the findings of a dream, in their order, in place of what it had."""
    mine = workspace(connection)
    connection.execute(_T.delete().where(_T.c.dream_id == dream_id, _T.c.workspace == mine))
    rows = [
        {
            "id": each.id,
            "dream_id": dream_id,
            "position": position,
            "key": each.key,
            "kind": each.kind,
            "body": dumps(each),
            "workspace": mine,
        }
        for position, each in enumerate(found)
    ]
    if rows:
        connection.execute(_T.insert(), rows)


def findings(connection: Connection, dream_id: str) -> list[Finding]:
    """The findings of a dream, in the order they were put."""
    query = select(_T.c.body).where(_T.c.dream_id == dream_id, _T.c.workspace == workspace(connection))
    query = query.order_by(_T.c.position)
    return [loads(body, Finding) for body in connection.execute(query).scalars()]


def cited(connection: Connection, session_id: str) -> bool:
    """Whether any finding names a session (whole id)."""
    here = _T.c.body.contains(f'"{session_id}"', autoescape=True)
    query = select(_T.c.id).where(_T.c.workspace == workspace(connection), here).limit(1)
    return connection.execute(query).first() is not None


def every(connection: Connection) -> list[tuple[str, Finding]]:
    """Every finding in the workspace with the id of its dream, in no particular order."""
    query = select(_T.c.dream_id, _T.c.body).where(_T.c.workspace == workspace(connection))
    return [(row.dream_id, loads(row.body, Finding)) for row in connection.execute(query)]


def finding(connection: Connection, id_prefix: str) -> Finding:
    """A finding by its id or a unique prefix; the newest dream's, where several made the same one.

    Raises:
        NotFound, Ambiguous: none or several fit.
    """
    found = whole_id(connection, _T.c.id, "find", id_prefix, noun="finding", hint="reverie findings list")
    return loads(connection.execute(_newest(connection, found, _T.c.body)).scalar_one(), Finding)


def dream_of(connection: Connection, finding_id: str) -> str:
    """The id of the newest dream with a finding (whole id, of one that is there)."""
    return connection.execute(_newest(connection, finding_id, _T.c.dream_id)).scalar_one()


def _newest(connection: Connection, finding_id: str, column: Column[str]) -> Select[str]:
    d = tables.dreams
    return (
        select(column)
        .join(d, d.c.id == _T.c.dream_id)
        .where(_T.c.id == finding_id, _T.c.workspace == workspace(connection))
        .order_by(d.c.created_at.desc(), d.c.id)
        .limit(1)
    )
