"""What a version of a memory was made from, and which of them untrusted text had a hand in.

A version rests on the one before it (an approval merges, it does not replace), on the version it was copied
or restored from, and on the proposal it came by. Taint follows the same ways, through copies too, and ends
only where a memory was deleted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from reverie.storage import lineage as rows
from reverie.storage.database import Connection

__all__ = ["COPIED", "RESTORED", "children", "reached", "tainted_paths"]

COPIED: Final = "copied from "
"""How the reason of a version begins that was copied from another; the version's id follows."""

RESTORED: Final = "restored version "
"""How the reason of a version begins that brought an older text back; the version's number follows."""

_SESSION: Final = "session:"  # whoever writes so is an agent at work, under the influence of what it reads


def tainted_paths(conn: Connection, store_id: str) -> frozenset[str]:
    """The paths of a store whose memories untrusted text had a hand in: by a tainted proposal, or written
    by an agent at its work."""
    steps = rows.steps(conn)
    sources = (s.version_id for s in steps if s.by_tainted or s.actor.startswith(_SESSION))
    tainted = reached(sources, children(steps))
    newest = {step.memory_id: step for step in steps if step.store_id == store_id}
    return frozenset(s.path for s in newest.values() if s.path is not None and s.version_id in tainted)


def children(steps: Sequence[rows.Step]) -> Mapping[str, Sequence[str]]:
    """The versions that were made from a version, by its id. ``steps``: by memory, oldest first."""
    found: dict[str, list[str]] = defaultdict(list)
    by_number = {(step.memory_id, step.version): step for step in steps}
    for step in steps:
        for parent in _parents(step, by_number):
            found[parent].append(step.version_id)
    return found


def reached(sources: Iterable[str], ways: Mapping[str, Sequence[str]]) -> set[str]:
    """The sources and everything that can be reached from them."""
    found: set[str] = set()
    open_ = list(sources)
    while open_:
        each = open_.pop()
        if each not in found:
            found.add(each)
            open_.extend(ways.get(each, ()))
    return found


def _parents(step: rows.Step, by_number: Mapping[tuple[str, int], rows.Step]) -> list[str]:
    reason = step.reason or ""
    found: list[str] = []
    before = by_number.get((step.memory_id, step.version - 1))
    if before is not None and before.operation != "deleted":
        found.append(before.version_id)
    if reason.startswith(COPIED):
        found.append(reason.removeprefix(COPIED))
    number = reason.removeprefix(RESTORED)
    if reason.startswith(RESTORED) and number.isdecimal():
        old = by_number.get((step.memory_id, int(number)))
        found.extend([] if old is None else [old.version_id])
    return found
