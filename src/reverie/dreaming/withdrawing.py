"""Proposals to take back what no longer stands, because sessions it rests on were taken out.

Nothing leaves memory by itself: a person is told what rested on what, and decides.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from datetime import datetime
from typing import Final

from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory
from reverie.domain.proposals import Proposal
from reverie.dreaming.descent import Descendants, Descent
from reverie.memory.lineage import COPIED

__all__ = ["WITHDRAWER", "withdrawals"]

WITHDRAWER: Final = "withdrawal/1"
_LEAST: Final = 2  # sessions: what one alone shows is not proposed either


def withdrawals(
    descent: Descent, memories: Sequence[Memory], gone: Collection[str], *, now: datetime
) -> list[Proposal]:
    """Proposals to retire those of ``memories`` that do not stand without the sessions ``gone``.

    A memory stands while at least two sessions, and half of those its proposal cites, are left that neither
    are gone nor repeat what is. One that was written where untrusted text lay does not, whatever it cites:
    any of it may come from what is gone.
    """
    if not gone:
        return []
    fallen = descent.of(gone)
    versions = set(fallen.versions)
    found = [
        _withdrawal(descent, memory, fallen, gone, now)
        for memory in memories
        if memory.version_id in versions
    ]
    return [proposal for proposal in found if proposal is not None]


def _withdrawal(
    descent: Descent, memory: Memory, fallen: Descendants, gone: Collection[str], now: datetime
) -> Proposal | None:
    source = _source(descent, memory.id)
    if source is None:  # nobody proposed it: it was written by hand
        return None
    counted = {s for id in source.findings if id in descent.findings for s in descent.findings[id].sessions}
    lost = counted & {*gone, *fallen.sessions}
    if not source.tainted and _stands(counted - lost, counted):
        return None
    base = memory.content_sha256
    return Proposal(
        id=derived_id("prop", memory.store_id, memory.path, base, "withdraw", *sorted(gone)),
        dream_id=source.dream_id,
        store_id=memory.store_id,
        kind="retire",
        path=memory.path,
        title=_reason(len(lost), len(counted)),
        content="",
        base_sha256=base,
        base_content=memory.content,
        idea=f"withdraw:{memory.path}",
        evidence_weight=len(gone),
        findings=source.findings,
        risk="medium",
        origins=source.origins,
        writer=WITHDRAWER,
        status="pending",
        created_at=now,
        cites=source.cites,
    )


def _reason(lost: int, counted: int) -> str:
    if not lost:
        return "Withdraw: what was taken out lay before its writer, among untrusted text"
    return f"Withdraw: {lost} of the {counted} sessions it rests on were taken out, or repeat what was"


def _stands(left: Set[str], counted: Set[str]) -> bool:
    return len(left) >= min(_LEAST, len(counted)) and 2 * len(left) >= len(counted)


def _source(descent: Descent, memory_id: str) -> Proposal | None:
    """The proposal by which a memory last got text; of a copy, that of what it was copied from."""
    mine = [step for step in descent.steps if step.memory_id == memory_id]
    by = next((step.proposal_id for step in reversed(mine) if step.proposal_id), None)
    if by is not None:
        return descent.proposals.get(by)
    reasons = (step.reason or "" for step in mine)
    origin = next((reason.removeprefix(COPIED) for reason in reasons if reason.startswith(COPIED)), None)
    copied = next((step for step in descent.steps if step.version_id == origin), None)
    return None if copied is None else _source(descent, copied.memory_id)
