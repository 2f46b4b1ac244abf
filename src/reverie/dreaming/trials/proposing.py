"""What a verdict proposes: to take a memory back, or out, with the numbers that say why. A person decides."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from reverie.domain.ids import derived_id
from reverie.domain.memories import Memory, MemoryVersion
from reverie.domain.proposals import Proposal
from reverie.domain.trials import Ruling, Trial
from reverie.review.review import TRIED

__all__ = ["JUDGE", "proposed", "words"]

JUDGE: Final = "trial/1"
_MARGIN: Final = 2  # points
_TITLES: Final = {
    "harmful": "Take out: it did harm in its trial",
    "no effect worth having": f"Retire: its effect, if any, is below {_MARGIN} points",
    "not enough data": "Retire: its trial used up its sessions without showing that it helps",
}


def proposed(
    trial: Trial,
    ruling: Ruling,
    memory: Memory,
    before: MemoryVersion | None,
    source: Proposal | None,
    at: datetime,
) -> Proposal | None:
    """What follows from a ruling: None where the memory helped.

    A harmful text goes back to what the memory said before it (``before``), where it said something; else the memory
    goes. The idea is marked as tried, so that dreams do not bring it again before the evidence has doubled.
    """
    if ruling.word == "helped":
        return None
    earlier = before.content if before is not None and ruling.word == "harmful" else None
    idea = trial.idea or memory.path
    return Proposal(
        id=derived_id("prop", trial.id, str(ruling.round), ruling.word, memory.version_id),
        dream_id=source.dream_id if source is not None else trial.id,
        store_id=memory.store_id,
        kind="retire" if earlier is None else "update",
        path=memory.path,
        title=f"{_TITLES[ruling.word]} ({words(ruling)})",
        content=earlier or "",
        base_sha256=memory.content_sha256,
        base_content=memory.content,
        idea=f"{TRIED}{idea}",
        evidence_weight=source.evidence_weight if source is not None else ruling.sessions,
        findings=source.findings if source is not None else (),
        risk="medium",
        origins=source.origins if source is not None else ("agent",),
        writer=JUDGE,
        status="pending",
        created_at=at,
        cites=source.cites if source is not None else None,
    )


def words(ruling: Ruling) -> str:
    """The numbers of a ruling in a line."""
    with_it, without = ruling.failures
    seen, unseen = ruling.seen, ruling.sessions - ruling.seen
    told = f"{with_it} of {seen} sessions failed with it, {without} of {unseen} without"
    if ruling.effect is not None:
        told += f": {_points(ruling.effect)} points, 95 % {_points(ruling.overall[0])} to {_points(ruling.overall[1])}"
    if ruling.hits is not None:
        told += f"; the failure it is about: in {ruling.hits[0]} with it, {ruling.hits[1]} without"
    return told


def _points(effect: float) -> str:
    return f"{100 * effect:+.0f}".replace("-", "−")
