"""Three texts that have to become one: what it was written against, what memory says now, what is wanted."""

from __future__ import annotations

from typing import Any, Final

from reverie.console.entry import own_path
from reverie.console.text import shortened
from reverie.console.visits import Shown, Visit
from reverie.memory.merge import Choice, Chunk
from reverie.review.merges import Merging

__all__ = ["CHOICES", "choices", "merge_page"]

CHOICES: Final[dict[str, Choice]] = {
    "memory": "memory",
    "proposal": "proposal",
    "both": "both",
    "base": "base",
}
_SAME: Final = 6  # lines of a stretch that nobody changed: more of it is left out
_STRETCH: Final = 8_000  # bytes of a stretch on a page


def merge_page(
    merging: Merging,
    *,
    own: str | None,
    back: str,
    what: str | None,
    own_seen: str | None = None,
    status: int = 200,
) -> Shown:
    """The screen on which a person settles each conflict. ``own``: the reviewer's own text, if it is one that
    is merged, and ``own_seen`` what memory was when they began to write it."""
    facts: dict[str, Any] = {
        "title": f"Merge: {merging.proposal.title}",
        "proposal": merging.proposal,
        "merging": merging,
        "stretches": [_shown(each) for each in merging.chunks],
        "own": own,
        "own_seen": own_seen,
        "back": own_path(back),
        "what": what,
    }
    return Shown("merge.html", facts, status)


def _shown(chunk: Chunk) -> Chunk:
    """As much of a stretch as is needed to see what it is about."""
    if chunk.kind == "same":
        lines = chunk.base.splitlines()
        if len(lines) <= _SAME:
            return chunk
        left = f"⋯ {len(lines) - 4} lines as they were"
        text = "\n".join([*lines[:2], left, *lines[-2:]]) + "\n"
        return Chunk("same", text, text, text)
    return Chunk(chunk.kind, *(_cut(text) for text in (chunk.base, chunk.memory, chunk.proposal)))


def _cut(text: str) -> str:
    most = shortened(text, _STRETCH)
    return text if len(most) == len(text) else f"{most}\n⋯ {len(text) - len(most):,} more characters\n"


def choices(visit: Visit, merging: Merging) -> list[Choice | None]:
    """What a form says of each conflict, in order; None where it says nothing."""
    return [CHOICES.get(visit.form.get(f"conflict.{number}", "")) for number in range(merging.conflicts)]
