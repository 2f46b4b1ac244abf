"""Two dreams side by side, on the wire (ours)."""

from __future__ import annotations

from typing import Literal

from reverie.server.wire.base import Wire

__all__ = [
    "ChangedFinding",
    "ChangedNumber",
    "ChangedProposal",
    "ComparedFinding",
    "ComparedProposal",
    "DreamComparison",
]


class ComparedFinding(Wire):
    """A finding that one of the dreams has alone."""

    id: str
    key: str
    kind: str
    claim: str
    sessions: int


class ChangedNumber(Wire):
    """A number that differs; null where it could not be computed."""

    name: str
    before: float | None
    after: float | None


class ChangedFinding(Wire):
    """A finding of both that differs; ``before_id`` is that of the other dream."""

    id: str
    before_id: str
    key: str
    kind: str
    claim: str
    numbers: list[ChangedNumber]


class ComparedProposal(Wire):
    """A proposal that one of the dreams has alone."""

    id: str
    path: str
    title: str
    status: str


class ChangedProposal(Wire):
    """A proposal of both that says something else; ``before_id`` is that of the other dream."""

    id: str
    before_id: str
    path: str
    title: str
    status: str


class DreamComparison(Wire):
    """What a dream has that another one has not, and so on. ``same_…`` are those that do not differ."""

    dream_id: str
    other_dream_id: str
    new_findings: list[ComparedFinding]
    gone_findings: list[ComparedFinding]
    changed_findings: list[ChangedFinding]
    same_findings: int
    new_proposals: list[ComparedProposal]
    gone_proposals: list[ComparedProposal]
    changed_proposals: list[ChangedProposal]
    same_proposals: int
    type: Literal["dream_comparison"] = "dream_comparison"
