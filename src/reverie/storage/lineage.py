"""Where every version of every memory comes from, in SQL: who wrote it, after which, by which proposal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from reverie.storage.scope import workspace
from reverie.storage.tables import memory_versions, proposals

__all__ = ["Connection", "Step", "contents", "steps"]

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
