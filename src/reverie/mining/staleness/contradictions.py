"""Two memories that demand opposite things.

Found by what they speak of and whether they ask for it or forbid it. A rule with a condition of its own
("not in Makefiles") is a refinement, not a contradiction; memories of different scopes do not meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from reverie.mining.staleness.reading import Demand, Reading

__all__ = ["Contradiction", "contradictions"]

ALIKE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Contradiction:
    """``older`` and ``newer`` (by their last change) and the demands that clash."""

    older: Reading
    newer: Reading
    old: Demand
    new: Demand


def contradictions(readings: Sequence[Reading]) -> list[Contradiction]:
    """At most one a pair of memories, in order of their paths."""
    by_word: dict[str, set[int]] = defaultdict(set)
    for i, reading in enumerate(readings):
        for demand in reading.demands:
            for word in demand.what:
                by_word[word].add(i)
    pairs = {
        pair for places in by_word.values() if len(places) <= 200 for pair in combinations(sorted(places), 2)
    }
    found: list[Contradiction] = []
    for i, j in sorted(pairs):
        older, newer = sorted((readings[i], readings[j]), key=lambda r: (r.memory.updated_at, r.memory.path))
        if _same_place(older, newer):
            found.extend(Contradiction(older, newer, old, new) for old, new in _clashes(older, newer))
    return found


def _same_place(a: Reading, b: Reading) -> bool:
    return all(b.scope.get(name, value) == value for name, value in a.scope.items())


def _clashes(a: Reading, b: Reading) -> Iterator[tuple[Demand, Demand]]:
    for one in a.demands:
        for other in b.demands:
            if _opposed(one, other) or _reversed(a, one, b, other) or _differ_in_number(one, other):
                yield one, other
                return


def _opposed(a: Demand, b: Demand) -> bool:
    """One asks for what the other forbids."""
    if a.positive == b.positive:
        return False
    asks, forbids = (a, b) if a.positive else (b, a)
    if forbids.condition and forbids.condition != asks.condition:
        return False
    return _alike(a.what, b.what, ALIKE) and a.numbers == b.numbers


def _reversed(a: Reading, one: Demand, b: Reading, other: Demand) -> bool:
    """One prefers X to Y, the other Y to X."""
    if not (one.positive and other.positive) or one.condition != other.condition:
        return False
    not_one = next((d for d in a.demands if d.sentence == one.sentence and not d.positive), None)
    not_other = next((d for d in b.demands if d.sentence == other.sentence and not d.positive), None)
    if not_one is None or not_other is None:
        return False
    return _among(not_one.what - one.what, other.what) and _among(not_other.what - other.what, one.what)


def _differ_in_number(a: Demand, b: Demand) -> bool:
    """The same demand with another figure."""
    if not (a.positive and b.positive and a.numbers and b.numbers and a.condition == b.condition):
        return False
    return (
        a.numbers != b.numbers and len(a.numbers) == len(b.numbers) and a.what == b.what and len(a.what) >= 3
    )


def _alike(a: frozenset[str], b: frozenset[str], share: float) -> bool:
    return len(a & b) >= 2 and len(a & b) >= share * len(a | b)


def _among(rejected: frozenset[str], chosen: frozenset[str]) -> bool:
    """What one rejects is (mostly) what the other chooses."""
    return bool(rejected & chosen) and 2 * len(rejected & chosen) >= len(rejected)
