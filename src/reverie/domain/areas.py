"""What came of an area's work when it was merged into the folders it was forked from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MergeReport", "Unmerged"]


@dataclass(frozen=True, slots=True)
class Unmerged:
    """A change that was not taken over, because somebody else had changed the same: theirs stands at ``path``.
    The area's version is at ``kept_at``; None where there is none, because the area had deleted it (or it
    cannot be read). Both as the sandbox sees them."""

    path: str
    kept_at: str | None
    why: str


@dataclass(frozen=True, slots=True)
class MergeReport:
    """What a merge did, by path as the sandbox sees it. ``merged``: both had changed the text, in different
    lines, and it holds both changes now."""

    taken: Sequence[str] = ()
    merged: Sequence[str] = ()
    deleted: Sequence[str] = ()
    conflicts: Sequence[Unmerged] = ()
