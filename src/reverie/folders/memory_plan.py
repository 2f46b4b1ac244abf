"""What to do so that a folder and a memory store hold the same again: a pure function of three digests a path.

What both had when they last agreed tells who changed what since. Where both did, nobody's text is thrown away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Plan", "most_deletions", "plan"]

_FEW: Final = 8
_EMPTY: Final = hashlib.sha256(b"").hexdigest()


@dataclass(slots=True)
class Plan:
    """What each path wants. ``agreed``: both are alike, or both are gone. ``pulled``: the folder takes what the
    store has (nothing: the file goes). ``pushed``: the store takes the file. ``moved``: a file that has another
    name now, from where. ``deleted``: the store gives up what the agent deleted. ``clashing``: both changed.

    ``returned``: the agent deleted what somebody changed meanwhile: it comes back. ``wiped``: so many were
    deleted at once that it looks like an accident: they come back (and are among ``pulled``).
    """

    agreed: dict[str, str | None] = field(default_factory=dict[str, str | None])
    pulled: list[str] = field(default_factory=list[str])
    pushed: list[str] = field(default_factory=list[str])
    moved: dict[str, str] = field(default_factory=dict[str, str])
    deleted: list[str] = field(default_factory=list[str])
    clashing: list[str] = field(default_factory=list[str])
    returned: list[str] = field(default_factory=list[str])
    wiped: list[str] = field(default_factory=list[str])


def most_deletions(memories: int) -> int:
    """How many memories of so many may be deleted between two looks; more is taken for an accident."""
    return max(_FEW, memories // 4)


def plan(
    base: Mapping[str, str],
    local: Mapping[str, str],
    remote: Mapping[str, str],
    *,
    writable: bool,
    trusting: bool = True,
) -> Plan:
    """Compare a folder (``local``) and a store (``remote``) with what both had (``base``): digests by path.

    Args:
        writable: Whether the agent may write; what it did to a folder that it may only read goes back.
        trusting: Whether a file that is missing (or empty) was deleted (or emptied) by somebody: not so when
            the machine may have lost it.
    """
    made, gone = Plan(), list[str]()
    for path in sorted({*base, *local, *remote}):
        was, here, there = base.get(path), local.get(path), remote.get(path)
        lost = not trusting and was is not None and here in (None, _EMPTY)
        if here == there:
            made.agreed[path] = here
        elif here == was or lost or (here is None and not writable):
            made.pulled.append(path)
        elif not writable or (here is not None and there != was):
            made.clashing.append(path)
        elif here is not None:
            made.pushed.append(path)
        elif there == was:
            gone.append(path)
        else:
            made.returned.append(path)
    _moved(made, gone, base, local)
    wiped = not local and len(base) > 1
    if gone and (wiped or len(gone) > most_deletions(len(base))):
        made.wiped, gone = gone, []
    made.deleted = gone
    made.pulled += [*made.returned, *made.wiped]
    return made


def _moved(made: Plan, gone: list[str], base: Mapping[str, str], local: Mapping[str, str]) -> None:
    """A file that is gone and another one that is new with the same bytes are one that has another name."""
    fresh = {local[path]: path for path in reversed(made.pushed) if path not in base}
    for path in list(gone):
        target = fresh.pop(base[path], None)
        if target is not None:
            made.moved[target] = path
            made.pushed.remove(target)
            gone.remove(path)
