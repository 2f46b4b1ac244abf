"""Many approvals at once: only of what adds and takes nothing away, after a look at all of it together.

Each is a decision of its own, with its own transaction and line in the audit log. Where one cannot be made
any more, because somebody decided or memory changed meanwhile, the others are made all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.errors import ReverieError, UsageError
from reverie.domain.proposals import Proposal
from reverie.review.review import Preview, ReviewService

__all__ = ["MOST", "Bulk", "Done", "Glance", "LeftOut"]

MOST: Final = 100
"""Proposals at once: as many as a person can look through."""

_REPLACES: Final = {
    "retire": "it takes a memory away",
    "merge": "it puts one memory in the place of others",
    "move": "it moves a memory",
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A proposal that is not approved together with others, and why."""

    proposal: Proposal
    why: str


@dataclass(frozen=True, slots=True)
class Glance:
    """What a bulk approval would do now, in the order asked for. Changes nothing."""

    included: tuple[Preview, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What a bulk approval did: the proposals as decided, and those that were not, and why."""

    approved: tuple[Proposal, ...]
    left_out: tuple[LeftOut, ...]


class Bulk:
    """Approves many proposals, each on its own."""

    def __init__(self, review: ReviewService, fallen: Callable[[str], bool]) -> None:
        """``fallen`` says whether a finding (id) is below its threshold by now."""
        self._review = review
        self._fallen = fallen

    def look(self, proposals: Sequence[str]) -> Glance:
        """What approving these (ids) together would do, and which stay out of it.

        Raises:
            UsageError: more than ``MOST``.
            NotFound, Ambiguous: an id.
        """
        if len(proposals) > MOST:
            raise UsageError(f"at most {MOST} proposals at once, not {len(proposals)}", hint="take fewer")
        included: list[Preview] = []
        left_out: list[LeftOut] = []
        taken: set[tuple[str, str]] = set()
        for preview in map(self._review.preview, dict.fromkeys(proposals)):
            proposal = preview.proposal
            why = self._why_not(preview, taken)
            if why is None:
                taken.add((proposal.store_id, proposal.path))
                included.append(preview)
            else:
                left_out.append(LeftOut(proposal, why))
        return Glance(tuple(included), tuple(left_out))

    def approve(self, seen: Mapping[str, str], *, by: str, note: str | None = None) -> Done:
        """Approve proposals, each on its own.

        Args:
            seen: By id, the ``seen_sha256`` of the preview that the reviewer looked at: what memory changed
                meanwhile is not approved.
            by: Who decides.
            note: For the audit log; by default how many there were.

        Raises:
            UsageError, NotFound, Ambiguous: as ``look``; nothing was approved.
        """
        glance = self.look(list(seen))
        said = note or f"one of {len(glance.included)} approved together"
        approved: list[Proposal] = []
        left_out = list(glance.left_out)
        for preview in glance.included:
            id = preview.proposal.id
            try:
                approved.append(self._review.approve(id, by=by, note=said, seen_sha256=_of(seen, id)))
            except ReverieError as error:
                left_out.append(LeftOut(self._review.get(id), error.what))
        return Done(tuple(approved), tuple(left_out))

    def _why_not(self, preview: Preview, taken: set[tuple[str, str]]) -> str | None:
        """The first reason to leave it out; the costly one is looked at last."""
        proposal = preview.proposal
        reasons = {
            f"it was {proposal.status}": proposal.status != "pending",
            _REPLACES.get(proposal.kind, ""): proposal.kind in _REPLACES,
            "foreign text had a hand in it": proposal.tainted,
            "memory changed since, in the same lines": not preview.clean,
            "it replaces lines of a memory": _removes(preview.diff),
            "another one of these changes the same file": (proposal.store_id, proposal.path) in taken,
        }
        why = next((reason for reason, holds in reasons.items() if holds), None)
        if why is None and any(map(self._fallen, proposal.findings[:1])):
            why = "its evidence is below its threshold by now"
        return why


def _of(seen: Mapping[str, str], id: str) -> str:
    """What was seen of a proposal, which may have been named by the beginning of its id."""
    return next(
        digest for name, digest in seen.items() if id in (name, f"prop_{name}") or id.startswith(name)
    )


def _removes(diff: str) -> bool:
    """Whether a unified diff takes a line away."""
    return any(line.startswith("-") for line in diff.splitlines()[2:])
