"""SQL for proposals. Every function takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select, tuple_, update

from reverie.domain.clock import iso
from reverie.domain.findings import OriginClass
from reverie.domain.proposals import Decision, Proposal, ProposalKind, ProposalStatus
from reverie.domain.resources import Cursor
from reverie.storage.codec import dumps, loads
from reverie.storage.prefixes import whole_id
from reverie.storage.scope import workspace
from reverie.storage.tables import proposals
from reverie.storage.upsert import insert

__all__ = [
    "Connection",
    "add",
    "decide",
    "get",
    "listed",
    "page",
    "pending_for",
    "position",
    "tally",
    "with_status",
]

_T: Final = proposals


def add(conn: Connection, proposal: Proposal, position: int) -> bool:
    """Whether it was added: False when one of that id is there already, in whatever status."""
    row = {
        "id": proposal.id,
        "dream_id": proposal.dream_id,
        "store_id": proposal.store_id,
        "kind": proposal.kind,
        "path": proposal.path,
        "title": proposal.title,
        "content": proposal.content,
        "base_sha256": proposal.base_sha256,
        "base_content": proposal.base_content,
        "idea": proposal.idea,
        "evidence_weight": proposal.evidence_weight,
        "findings": dumps(proposal.findings),
        "risk": proposal.risk,
        "origins": dumps(proposal.origins),
        "tainted": proposal.tainted,
        "writer": proposal.writer,
        "position": position,
        "status": proposal.status,
        "created_at": iso(proposal.created_at),
        "decision": None if proposal.decision is None else dumps(proposal.decision),
        "workspace": workspace(conn),
        "cites": proposal.cites,
    }
    statement = insert(conn, _T).values(row).on_conflict_do_nothing().returning(_T.c.id)
    return conn.execute(statement).first() is not None


def get(conn: Connection, given: str) -> Proposal:
    """The proposal of an id or a unique prefix of one (``prop_`` may be left out).

    Raises:
        NotFound, Ambiguous: none or several fit.
    """
    found = whole_id(
        conn, _T.c.id, "prop", given, noun="proposal", hint="reverie proposals list --status all"
    )
    return _proposal(conn.execute(_mine(conn).where(_T.c.id == found)).one())


def listed(
    conn: Connection,
    *,
    store_id: str | None = None,
    status: ProposalStatus | None = None,
    kind: ProposalKind | None = None,
    dream_id: str | None = None,
    limit: int | None = None,
) -> list[Proposal]:
    """Proposals that fit everything given, by importance within their dream, newer dreams first."""
    wanted = {_T.c.store_id: store_id, _T.c.status: status, _T.c.kind: kind, _T.c.dream_id: dream_id}
    query = _mine(conn).order_by(_T.c.position, _T.c.created_at.desc(), _T.c.id).limit(limit)
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    return [_proposal(row) for row in conn.execute(query)]


def tally(conn: Connection, dream_id: str) -> dict[str, int]:
    """How many proposals of a dream there are of each status."""
    query = select(_T.c.status, func.count()).where(
        _T.c.dream_id == dream_id, _T.c.workspace == workspace(conn)
    )
    return {row[0]: row[1] for row in conn.execute(query.group_by(_T.c.status))}


def page(
    conn: Connection,
    *,
    store_id: str | None = None,
    status: ProposalStatus | None = None,
    kind: ProposalKind | None = None,
    dream_id: str | None = None,
    after: Cursor | None = None,
    limit: int,
) -> list[tuple[Proposal, int]]:
    """Proposals that fit everything given, newest first, from behind ``after``; each with its place in its
    dream's order of importance, from 0."""
    wanted = {_T.c.store_id: store_id, _T.c.status: status, _T.c.kind: kind, _T.c.dream_id: dream_id}
    query = select(_T).where(_T.c.workspace == workspace(conn))
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(tuple_(_T.c.created_at, _T.c.id) < tuple_(iso(after[0]), after[1]))
    rows = conn.execute(query.order_by(_T.c.created_at.desc(), _T.c.id.desc()).limit(limit))
    return [(_proposal(row), row.position) for row in rows]


def position(conn: Connection, proposal_id: str) -> int:
    """The place of a proposal in its dream's order of importance, from 0."""
    query = select(_T.c.position).where(_T.c.id == proposal_id, _T.c.workspace == workspace(conn))
    return conn.execute(query).scalar_one()


def pending_for(conn: Connection, store_id: str, ideas: Sequence[str]) -> list[Proposal]:
    """The proposals of these ideas that wait for a decision, in order of id."""
    query = (
        _mine(conn)
        .where(_T.c.store_id == store_id, _T.c.status == "pending", _T.c.idea.in_(ideas))
        .order_by(_T.c.id)
    )
    return [_proposal(row) for row in conn.execute(query)]


def with_status(conn: Connection, store_id: str, statuses: Sequence[ProposalStatus]) -> list[Proposal]:
    """The proposals of a store in any of these statuses."""
    query = _mine(conn).where(_T.c.store_id == store_id, _T.c.status.in_(statuses)).order_by(_T.c.id)
    return [_proposal(row) for row in conn.execute(query)]


def decide(conn: Connection, proposal: Proposal) -> None:
    """Keeps the status and the decision of a proposal; what it proposes never changes."""
    decision = None if proposal.decision is None else dumps(proposal.decision)
    change = update(_T).where(_T.c.id == proposal.id, _T.c.workspace == workspace(conn))
    conn.execute(change.values(status=proposal.status, decision=decision))


def _mine(conn: Connection) -> Select[Any]:
    return select(_T).where(_T.c.workspace == workspace(conn))


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        id=row.id,
        dream_id=row.dream_id,
        store_id=row.store_id,
        kind=row.kind,
        path=row.path,
        title=row.title,
        content=row.content,
        base_sha256=row.base_sha256,
        base_content=row.base_content,
        idea=row.idea,
        evidence_weight=row.evidence_weight,
        findings=loads(row.findings, tuple[str, ...]),
        risk=row.risk,
        origins=loads(row.origins, tuple[OriginClass, ...]),
        writer=row.writer,
        status=row.status,
        created_at=datetime.fromisoformat(row.created_at),
        decision=None if row.decision is None else loads(row.decision, Decision),
        cites=row.cites,
    )
