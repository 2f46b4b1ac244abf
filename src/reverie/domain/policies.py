"""Review policies: what a person has said may enter memory without a person looking at it first.

There is none unless somebody writes one. Whatever it says, it applies nothing that untrusted text had a hand
in (``Proposal.tainted``), nothing that looks like a secret or commands its reader, and nothing that a person
has decided against before: see ``review.policies``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from reverie.domain.proposals import Proposal, ProposalKind, Risk

__all__ = ["GROWING", "MEMORY_KINDS", "MemoryKind", "Policy", "Support", "by_policy", "signature"]

MemoryKind = Literal["note", "playbook", "preference", "warning"]
MEMORY_KINDS: Final[tuple[MemoryKind, ...]] = ("note", "playbook", "preference", "warning")
_POLICY: Final = "policy:rpol_"
GROWING: Final[tuple[ProposalKind, ...]] = ("add", "update")
"""The kinds that take nothing out of memory. A policy about any other one has to say why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be applied: all of it must hold.

    ``store_id`` is the one store it is about. ``kinds`` and ``memory_kinds`` are what the proposal does and what
    sort of memory it does it to (front matter, ``kind``). The three minima are of the finding that the text rests
    on first, counted as ``Support``. ``by`` wrote it, and ``why``.
    """

    id: str
    store_id: str
    kinds: tuple[ProposalKind, ...]
    memory_kinds: tuple[MemoryKind, ...]
    min_sessions: int
    min_users: int
    min_days: int
    max_risk: Risk
    why: str | None
    by: str
    created_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Support:
    """How much independent evidence stands behind a finding.

    Sessions of one user on one day about one task (a retry loop) count as one of ``sessions``. Sessions that name
    no user are all taken to be one user's.
    """

    sessions: int
    users: int
    days: int


def signature(policy: Policy) -> str:
    """How a decision of a policy is signed: with its id, and with the name of who wrote it."""
    return f"policy:{policy.id} (written by {policy.by})"


def by_policy(proposal: Proposal) -> bool:
    """Whether a policy applied it, and nobody has taken that back."""
    decision = proposal.decision
    return proposal.status == "approved" and decision is not None and decision.by.startswith(_POLICY)
