"""Where every version of every memory comes from, in SQL: who wrote it, after which, by which proposal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, func, select

from reverie.domain.clock import iso
from reverie.domain.memories import Memory
from reverie.storage.scope import workspace
from reverie.storage.tables import memory_versions, proposals, session_refs

__all__ = ["Connection", "Step", "contents", "memories_at", "sessions_with", "steps"]

_V: Final = memory_versions.c


@dataclass(frozen=True, slots=True)
class Step:
    """One version without its text. ``by_tainted``: the proposal it came by was tainted."""

    version_id: str
    memory_id: str
    store_id: str
    path: str | None
    version: int
    operation: str
    content_sha256: str | None
    actor: str
    reason: str | None
    proposal_id: str | None
    by_tainted: bool
    created_at: datetime


def steps(conn: Connection) -> list[Step]:
    """Every version in the workspace, by memory, oldest first."""
    p = proposals.c
    query = (
        select(
            *(_V[name] for name in ("id", "memory_id", "store_id", "path", "version", "operation", "actor")),
            *(_V[name] for name in ("content_sha256", "reason", "proposal_id", "created_at")),
            p.tainted,
        )
        .select_from(memory_versions.outerjoin(proposals, p.id == _V.proposal_id))
        .where(_V.workspace == workspace(conn))
        .order_by(_V.memory_id, _V.version)
    )
    return [
        Step(
            version_id=row.id,
            memory_id=row.memory_id,
            store_id=row.store_id,
            path=row.path,
            version=row.version,
            operation=row.operation,
            content_sha256=row.content_sha256,
            actor=row.actor,
            reason=row.reason,
            proposal_id=row.proposal_id,
            by_tainted=bool(row.tainted),
            created_at=datetime.fromisoformat(row.created_at),
        )
        for row in conn.execute(query)
    ]


def contents(conn: Connection) -> dict[str, str]:
    """The text of every version that has one, by the version's id."""
    query = select(_V.id, _V.content).where(_V.workspace == workspace(conn), _V.content.is_not(None))
    return {row.id: row.content for row in conn.execute(query)}


def memories_at(conn: Connection, store_id: str, at: datetime) -> list[Memory]:
    """The memories of a store as they stood at a time, by path; without those that were redacted since."""
    mine = (_V.workspace == workspace(conn), _V.store_id == store_id, _V.created_at <= iso(at))
    newest = (
        select(_V.memory_id, func.max(_V.version).label("version"))
        .where(*mine)
        .group_by(_V.memory_id)
        .subquery()
    )
    joined = and_(_V.memory_id == newest.c.memory_id, _V.version == newest.c.version)
    query = select(memory_versions).join(newest, joined).where(*mine, _V.content.is_not(None))
    return [
        Memory(
            id=row.memory_id,
            store_id=row.store_id,
            path=row.path,
            content=row.content,
            content_sha256=row.content_sha256,
            version_id=row.id,
            version=row.version,
            updated_at=datetime.fromisoformat(row.created_at),
        )
        for row in conn.execute(query.order_by(_V.path))
    ]


def sessions_with(connection: Connection, store_ids: Sequence[str]) -> list[str]:
    """The ids of the sessions of the API that mount any of these memory stores."""
    r = session_refs.c
    query = select(r.session_id).where(r.ref.in_(store_ids), r.workspace == workspace(connection))
    return list(connection.execute(query).scalars())
