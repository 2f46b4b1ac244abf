"""Proposals over HTTP: look, approve, modify, reject, undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from reverie.domain.errors import NotFound, StaleBase
from reverie.domain.proposals import Proposal as Kept
from reverie.domain.resources import Cursor
from reverie.dreaming.trials.service import Terms
from reverie.review import bulk
from reverie.review.review import Preview as Previewed
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.errors import WireError
from reverie.server.paging import after, page
from reverie.server.wire.proposals import (
    Approve,
    BulkApprove,
    BulkApproved,
    BulkGlance,
    BulkLook,
    Decision,
    LeftOut,
    Merge,
    MergeChunk,
    Modify,
    Preview,
    Proposal,
    ProposalList,
    Reject,
    Undo,
)

__all__ = ["ENDPOINTS", "shown"]

_PATH: Final = "/v1/proposals"
_ITEM: Final = f"{_PATH}/{{proposal_id}}"


def _list(call: Call[None, ProposalList]) -> Page[Proposal]:
    query = call.query
    found = call.house.review.page(
        store_id=query.memory_store_id,
        status=query.status,
        kind=query.kind,
        dream_id=query.dream_id and _dreamed(call, query.dream_id),
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, _place, lambda each: shown(*each))


def _retrieve(call: Call[None, None]) -> Proposal:
    return shown(*call.house.review.placed(_exact(call)))


def _preview(call: Call[None, None]) -> Preview:
    return _previewed(call.house.review.preview(_exact(call)))


def _previewed(found: Previewed) -> Preview:
    return Preview(
        clean=found.clean,
        diff=found.diff,
        proposal_id=found.proposal.id,
        result=found.result,
        seen_sha256=found.seen_sha256,
    )


def _merge(call: Call[None, None]) -> Merge:
    found = call.house.merger.show(_exact(call))
    return Merge(
        base=found.base,
        chunks=[MergeChunk(each.kind, each.base, each.memory, each.proposal) for each in found.chunks],
        conflicts=found.conflicts,
        memory=found.memory,
        merged=found.text(),
        proposal_id=found.proposal.id,
        seen_sha256=found.seen_sha256,
        wanted=found.wanted,
    )


def _bulk_look(call: Call[BulkLook, None]) -> BulkGlance:
    found = call.house.bulk.look(call.body.proposal_ids)
    return BulkGlance(_left_out(found.left_out), [_previewed(each) for each in found.included])


def _bulk_approve(call: Call[BulkApprove, None]) -> BulkApproved:
    asked = call.body
    done = call.house.bulk.approve(asked.seen, by=_signed(call, asked.reviewer), note=asked.note)
    return BulkApproved([each.id for each in done.approved], _left_out(done.left_out))


def _left_out(found: Sequence[bulk.LeftOut]) -> list[LeftOut]:
    return [LeftOut(each.proposal.id, each.why) for each in found]


def _approve(call: Call[Approve, None]) -> Proposal:
    asked = call.body
    told = asked.trial
    trial = None if told is None else Terms(told.share, told.budget, told.patience_days)
    return _decided(
        call, lambda id, by: call.house.approve(id, by=by, note=asked.note, trial=trial), asked.reviewer
    )


def _modify(call: Call[Modify, None]) -> Proposal:
    asked = call.body
    return _decided(
        call,
        lambda id, by: call.house.review.modify(
            id, asked.content, by=by, note=asked.note, seen_sha256=asked.seen_sha256
        ),
        asked.reviewer,
    )


def _reject(call: Call[Reject, None]) -> Proposal:
    asked = call.body
    return _decided(
        call,
        lambda id, by: call.house.review.reject(id, reason=asked.reason, by=by, note=asked.note),
        asked.reviewer,
    )


def _undo(call: Call[Undo, None]) -> Proposal:
    return _decided(call, lambda id, by: call.house.review.undo(id, by=by), call.body.reviewer)


def _decided(call: Call[Any, None], decide: Callable[[str, str], Kept], reviewer: str | None) -> Proposal:
    """Decide, in the name of the key and of the person it speaks for."""
    try:
        decided = decide(_exact(call), _signed(call, reviewer))
    except StaleBase as conflict:
        raise WireError(
            conflict.what, status=409, type="conflict_error", details={"merged": conflict.merged}
        ) from None
    return shown(*call.house.review.placed(decided.id))


def _signed(call: Call[Any, None], reviewer: str | None) -> str:
    return call.principal.actor if reviewer is None else f"{reviewer} ({call.principal.actor})"


def _exact(call: Call[Any, None]) -> str:
    """The id that the path says, if it is a whole one: a prefix is for people who type."""
    wanted = call.path["proposal_id"]
    if call.house.review.get(wanted).id != wanted:
        raise NotFound(f"there is no proposal {wanted!r}")
    return wanted


def _dreamed(call: Call[Any, ProposalList], dream_id: str) -> str:
    """The id under which a dream's proposals are kept."""
    return call.house.dream_requests.get(dream_id).dream_id or dream_id


def shown(proposal: Kept, position: int) -> Proposal:
    """A proposal on the wire."""
    decision = proposal.decision
    return Proposal(
        id=proposal.id,
        base_content=proposal.base_content,
        base_sha256=proposal.base_sha256,
        cited_finding_ids=list(proposal.cited),
        content=proposal.content,
        created_at=proposal.created_at,
        decision=None
        if decision is None
        else Decision(
            at=decision.at,
            by=decision.by,
            content=decision.content,
            memory_version_id=decision.version_id,
            note=decision.note,
            reason=decision.reason,
        ),
        dream_id=proposal.dream_id,
        evidence_weight=proposal.evidence_weight,
        finding_ids=list(proposal.findings),
        idea=proposal.idea,
        kind=proposal.kind,
        memory_store_id=proposal.store_id,
        origins=list(proposal.origins),
        path=proposal.path,
        position=position,
        risk=proposal.risk,
        status=proposal.status,
        tainted=proposal.tainted,
        title=proposal.title,
        writer=proposal.writer,
    )


def _place(each: tuple[Kept, int]) -> Cursor:
    return each[0].created_at, each[0].id


ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _list, Page[Proposal], "proposals:read", query=ProposalList, tag="proposals",
             summary="List proposals, newest first"),
    Endpoint("GET", _ITEM, _retrieve, Proposal, "proposals:read", tag="proposals", summary="A proposal"),
    Endpoint("GET", f"{_ITEM}/preview", _preview, Preview, "proposals:read", tag="proposals",
             summary="What approving it would do to memory as it is now"),
    Endpoint("GET", f"{_ITEM}/merge", _merge, Merge, "proposals:read", tag="proposals",
             summary="It, memory as it is, and what it was written against, stretch by stretch"),
    Endpoint("POST", f"{_PATH}/bulk_look", _bulk_look, BulkGlance, "proposals:read", body=BulkLook,
             tag="proposals", summary="What approving many together would do, and which stay out of it"),
    Endpoint("POST", f"{_PATH}/bulk_approve", _bulk_approve, BulkApproved, "proposals:write",
             body=BulkApprove, tag="proposals", summary="Approve many together, each on its own"),
    Endpoint("POST", f"{_ITEM}/approve", _approve, Proposal, "proposals:write", body=Approve, tag="proposals",
             summary="Write it into memory, in one transaction with the decision"),
    Endpoint("POST", f"{_ITEM}/modify", _modify, Proposal, "proposals:write", body=Modify, tag="proposals",
             summary="Write a text of one's own in its place"),
    Endpoint("POST", f"{_ITEM}/reject", _reject, Proposal, "proposals:write", body=Reject, tag="proposals",
             summary="Refuse it; the idea comes back only when its evidence has doubled"),
    Endpoint("POST", f"{_ITEM}/undo", _undo, Proposal, "proposals:write", body=Undo, tag="proposals",
             summary="Take a decision back"),
)  # fmt: skip
