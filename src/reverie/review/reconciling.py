"""Three texts into one: what a proposal was written against, what memory holds now, and what is wanted."""

from __future__ import annotations

from reverie.domain.errors import StaleBase
from reverie.memory.merge import conflicting, three_way

__all__ = ["merged"]


def merged(base: str | None, now: str | None, wanted: str | None, *, where: str) -> str | None:
    """What memory shall hold, given that ``wanted`` was written against ``base`` and memory holds ``now``
    (None: no memory). Existing or not is merged like a line: changed on one side only, it holds.

    Raises:
        StaleBase: both changed the same.
    """
    if now in (base, wanted):
        return wanted
    if wanted == base:
        return now
    if base is None or now is None or wanted is None:  # the conflict is about there being a memory at all
        text = conflicting(now or "", wanted or "")
    else:
        merge = three_way(base, now, wanted)
        if merge.clean:
            return merge.text
        text = merge.text
    raise StaleBase(
        "memory changed since this was written, in the same place",
        merged=text,
        where=where,
        hint="edit the text so that it says what both mean (reverie review, key e), or reject it",
    )
