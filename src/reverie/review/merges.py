"""A proposal and a memory that both changed: the three texts, stretch by stretch, for a person to make one of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reverie.domain.errors import NotFound
from reverie.domain.memories import content_sha256
from reverie.domain.proposals import Proposal
from reverie.memory.merge import Choice, Chunk, chunked, composed
from reverie.memory.stores import MemoryService
from reverie.review.review import ABSENT, ReviewService

__all__ = ["Merger", "Merging"]


@dataclass(frozen=True, slots=True)
class Merging:
    """``base`` is what the proposal, or the reviewer's text, was written against, ``memory`` what is there now
    and ``wanted`` what shall be (None: nothing). ``seen_sha256`` is for ``ReviewService.modify``."""

    proposal: Proposal
    base: str | None
    memory: str | None
    wanted: str | None
    chunks: tuple[Chunk, ...]
    seen_sha256: str

    @property
    def conflicts(self) -> int:
        """How many stretches a person has to settle."""
        return sum(chunk.kind == "conflict" for chunk in self.chunks)

    def text(self, choices: Sequence[Choice | None] = ()) -> str:
        """One text of the three. A conflict without a choice stands between markers: nothing is guessed."""
        return composed(self.chunks, choices)


class Merger:
    """Shows what has to be merged. Changes nothing: the result is written by ``ReviewService.modify``."""

    def __init__(self, memory: MemoryService, review: ReviewService) -> None:
        self._memory = memory
        self._review = review

    def show(self, proposal_id: str, content: str | None = None, seen_sha256: str | None = None) -> Merging:
        """The proposal against memory as it is; with ``content`` a reviewer's own text instead, written when
        memory was what ``seen_sha256`` says.

        Raises:
            NotFound, Ambiguous: the proposal.
        """
        proposal = self._review.get(proposal_id)
        found = self._memory.find(proposal.store_id, proposal.path)
        now = None if found is None else found.content
        base = proposal.base_content if content is None else self._seen(proposal, seen_sha256)
        wanted = content
        if wanted is None:
            wanted = None if proposal.kind == "retire" else proposal.content
        chunks = tuple(chunked(base, now, wanted))
        return Merging(proposal, base, now, wanted, chunks, ABSENT if now is None else content_sha256(now))

    def _seen(self, proposal: Proposal, digest: str | None) -> str | None:
        """The text of memory that a digest names, as far as its history tells."""
        try:
            versions = self._memory.versions(proposal.store_id, proposal.path)
        except NotFound:
            return None
        return next((v.content for v in reversed(versions) if v.content_sha256 == digest), None)
