"""Proposals on the wire: reviewable changes to memory, and decisions on them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire
from reverie.server.wire.trials import ApprovalTrial

__all__ = [
    "Approve",
    "BulkApprove",
    "BulkApproved",
    "BulkGlance",
    "BulkLook",
    "Decision",
    "DreamProposalList",
    "LeftOut",
    "Merge",
    "MergeChunk",
    "Modify",
    "Preview",
    "Proposal",
    "ProposalList",
    "Reject",
    "Undo",
]

Status: TypeAlias = Literal["pending", "approved", "modified", "rejected", "superseded", "reverted"]
Kind: TypeAlias = Literal["add", "update", "merge", "move", "retire"]
Reason: TypeAlias = Literal["wrong", "useless", "too_broad", "known", "sensitive"]
Reviewer: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Note: TypeAlias = Annotated[str, Meta(max_length=4096)]


class Decision(Wire):
    """Who decided, when, and how. ``content`` is what was written, where it differs from the proposal."""

    at: Timestamp
    by: str
    content: str | None
    memory_version_id: str | None
    note: str | None
    reason: str | None


class Proposal(Wire):
    """A change of one memory. ``tainted``: untrusted text (of tools, files, pages) had a hand in it.
    ``finding_ids`` begin with those it cites; what else lay before its writer follows.
    ``position`` is its place in its dream's order of importance, from 0."""

    id: str
    base_content: str | None
    base_sha256: str | None
    cited_finding_ids: list[str]
    content: str
    created_at: Timestamp
    decision: Decision | None
    dream_id: str
    evidence_weight: int
    finding_ids: list[str]
    idea: str
    kind: Kind
    memory_store_id: str
    origins: list[str]
    path: str
    position: int
    risk: str
    status: Status
    tainted: bool
    title: str
    writer: str
    type: Literal["proposal"] = "proposal"


class Preview(Wire):
    """What approving would do now. ``result`` is the text memory would hold, or, where it is not clean, the
    merge with conflict markers; ``seen_sha256`` is for ``modify``."""

    clean: bool
    diff: str
    proposal_id: str
    result: str | None
    seen_sha256: str
    type: Literal["proposal_preview"] = "proposal_preview"


class MergeChunk(Wire):
    """A stretch of three texts: all the same, changed by ``memory``, by the ``proposal``, by both ``alike``, or
    by both and not alike (``conflict``)."""

    kind: Literal["same", "memory", "proposal", "alike", "conflict"]
    base: str
    memory: str
    proposal: str


class Merge(Wire):
    """A proposal against memory as it is. ``merged`` has conflict markers where ``conflicts`` is not 0; what a
    person makes of it goes to ``modify``, with ``seen_sha256``."""

    base: str | None
    chunks: list[MergeChunk]
    conflicts: int
    memory: str | None
    merged: str
    proposal_id: str
    seen_sha256: str
    wanted: str | None
    type: Literal["proposal_merge"] = "proposal_merge"


class LeftOut(Wire):
    """A proposal that is not approved together with others, and why."""

    proposal_id: str
    why: str


class BulkGlance(Wire):
    """What approving together would do: the previews, in the order asked for, and what stays out."""

    left_out: list[LeftOut]
    previews: list[Preview]
    type: Literal["bulk_glance"] = "bulk_glance"


class BulkApproved(Wire):
    """What was approved, each on its own, and what was not."""

    approved: list[str]
    left_out: list[LeftOut]
    type: Literal["bulk_approved"] = "bulk_approved"


class ProposalList(Ask):
    """A page of proposals, newest first."""

    dream_id: str | None = None
    kind: Kind | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    memory_store_id: str | None = None
    page: str | None = None
    status: Status | None = None


class DreamProposalList(Ask):
    """A page of a dream's proposals, the most important first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None


class Approve(Ask):
    """Write it. ``reviewer`` names the person a program decides for. With ``trial`` some sessions see it and others
    do not, from the first one on."""

    note: Note | None = None
    reviewer: Reviewer | None = None
    trial: ApprovalTrial | None = None


class BulkLook(Ask):
    """See what approving these together would do."""

    proposal_ids: Annotated[list[str], Meta(min_length=1, max_length=100)]


class BulkApprove(Ask):
    """Approve these together, each on its own. ``seen`` has, by the id of a proposal, the ``seen_sha256`` of
    the preview that a person looked at: what memory changed meanwhile is left out."""

    seen: Annotated[dict[str, str], Meta(min_length=1, max_length=100)]
    note: Note | None = None
    reviewer: Reviewer | None = None


class Reject(Ask):
    """Refuse it, with the reason, which the next dream heeds."""

    reason: Reason
    note: Note | None = None
    reviewer: Reviewer | None = None


class Modify(Ask):
    """Write another text in its place. ``seen_sha256`` (of the preview) says which memory that text takes
    into account; without it, it is merged like the proposal's."""

    content: str
    note: Note | None = None
    reviewer: Reviewer | None = None
    seen_sha256: Annotated[str, Meta(pattern="^([0-9a-f]{64})?$")] | None = None


class Undo(Ask):
    """Take the decision back."""

    reviewer: Reviewer | None = None
