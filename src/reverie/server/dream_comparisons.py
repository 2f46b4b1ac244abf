"""Two dreams side by side, over HTTP (ours)."""

from __future__ import annotations

from typing import Final

from reverie.domain.findings import Finding
from reverie.domain.proposals import Proposal
from reverie.dreaming.comparing import Change
from reverie.server.endpoint import Call, Endpoint
from reverie.server.wire.dream_comparisons import (
    ChangedFinding,
    ChangedNumber,
    ChangedProposal,
    ComparedFinding,
    ComparedProposal,
    DreamComparison,
)

__all__ = ["ENDPOINTS"]


def _compare(call: Call[None, None]) -> DreamComparison:
    dream, other = call.path["dream_id"], call.path["other_dream_id"]
    found = call.house.compare_dreams(other, dream)
    return DreamComparison(
        dream_id=dream,
        other_dream_id=other,
        new_findings=[_finding(each) for each in found.findings.new],
        gone_findings=[_finding(each) for each in found.findings.gone],
        changed_findings=[_changed(each) for each in found.findings.changed],
        same_findings=found.findings.same,
        new_proposals=[_proposal(each) for each in found.proposals.new],
        gone_proposals=[_proposal(each) for each in found.proposals.gone],
        changed_proposals=[_reworded(each) for each in found.proposals.changed],
        same_proposals=found.proposals.same,
    )


def _finding(each: Finding) -> ComparedFinding:
    return ComparedFinding(
        id=each.id, key=each.key, kind=each.kind, claim=each.claim, sessions=each.counts.sessions
    )


def _changed(change: Change[Finding]) -> ChangedFinding:
    after = change.after
    numbers = [ChangedNumber(name=n.name, before=n.before, after=n.after) for n in change.numbers]
    return ChangedFinding(
        id=after.id,
        before_id=change.before.id,
        key=after.key,
        kind=after.kind,
        claim=after.claim,
        numbers=numbers,
    )


def _proposal(each: Proposal) -> ComparedProposal:
    return ComparedProposal(id=each.id, path=each.path, title=each.title, status=each.status)


def _reworded(change: Change[Proposal]) -> ChangedProposal:
    after = change.after
    return ChangedProposal(
        id=after.id, before_id=change.before.id, path=after.path, title=after.title, status=after.status
    )


ENDPOINTS: Final = (
    Endpoint("GET", "/v1/dreams/{dream_id}/compare/{other_dream_id}", _compare, DreamComparison, "dreams:read",
             tag="dreams", summary="What a dream found and proposed that another one did not"),
)  # fmt: skip
