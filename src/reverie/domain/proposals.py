"""Proposals: one reviewable change to one memory, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from reverie.domain.findings import OriginClass

__all__ = ["Brief", "Decision", "Proposal", "ProposalKind", "ProposalStatus", "RejectReason", "Risk"]

ProposalKind = Literal["add", "update", "merge", "move", "retire"]
ProposalStatus = Literal["pending", "approved", "modified", "rejected", "superseded", "reverted"]
RejectReason = Literal["wrong", "useless", "too_broad", "known", "sensitive"]
Risk = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided, when, and how. ``content`` is what was written when it differs from the proposal."""

    by: str
    at: datetime
    reason: RejectReason | None = None
    note: str | None = None
    content: str | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that waits for a person.

    ``base_sha256`` is the digest of the memory it was written against (None: the path was free), and
    ``base_content`` that text, for a three-way merge. ``idea`` is the ``Finding.key`` it rests on, and
    ``evidence_weight`` the number of sessions behind it: a rejected idea comes back only when that
    number has doubled. ``findings`` begin with the ``cites`` that it cites (None: all of them); what else lay
    before its writer follows, for whoever asks what descends from a session.
    ``origins`` are the classes of everything its writer saw; with ``tool`` among them the proposal is
    tainted, and no rule may apply it unseen.
    """

    id: str
    dream_id: str
    store_id: str
    kind: ProposalKind
    path: str
    title: str
    content: str
    base_sha256: str | None
    base_content: str | None
    idea: str
    evidence_weight: int
    findings: tuple[str, ...]
    risk: Risk
    origins: tuple[OriginClass, ...]
    writer: str
    status: ProposalStatus
    created_at: datetime
    decision: Decision | None = None
    cites: int | None = None

    @property
    def cited(self) -> tuple[str, ...]:
        """The findings that it cites, the most important first."""
        return self.findings[: self.cites]

    @property
    def tainted(self) -> bool:
        return "tool" in self.origins


@dataclass(frozen=True, slots=True)
class Brief:
    """What a list of proposals shows of one: everything but its texts."""

    id: str
    store_id: str
    kind: ProposalKind
    path: str
    title: str
    risk: Risk
    tainted: bool
    evidence_weight: int
