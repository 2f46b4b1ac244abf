"""Every frequent gapped sub-sequence, and which of them deserve a test.

What is enumerated and in which family it is tested is decided without a look at any outcome (support, and
order against its reverse), so a bound over the tests made holds for all that was searched.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from reverie.mining.statistics import benjamini_hochberg
from reverie.mining.workflows.outcomes import Outcomes
from reverie.mining.workflows.sequences import Array, Sequences, reach

__all__ = [
    "LONGEST",
    "LONGEST_UNORDERED",
    "WORTH_A_TEST",
    "Candidate",
    "Order",
    "Search",
    "order_of",
    "search",
    "sign_test",
]

LONGEST: Final = 5
LONGEST_UNORDERED: Final = 3
FALSE_ORDERS: Final = 0.05
WORTH_A_TEST: Final = 2.0
"""Standard deviations above expectation from which a pattern is kept for the exact test (a screen only:
it leaves out the finite-population factor, so it is looser than it looks)."""

MAX_EXPANDED: Final = 4_000
"""Patterns of one length that are extended (the best supported ones); what was cut is said."""


@lru_cache(maxsize=65_536)
def sign_test(more: int, less: int) -> float:
    """P(at least ``more`` of ``more + less``) when either way is as likely: exact up to 2,000, then normal."""
    n = more + less
    if n == 0 or (more <= less and n > 2_000):
        return 1.0
    if n > 2_000:
        return 0.5 * math.erfc((more - less - 1) / math.sqrt(2 * n))
    base = math.lgamma(n + 1) - n * math.log(2)
    tail = (math.exp(base - math.lgamma(k + 1) - math.lgamma(n - k + 1)) for k in range(more, n + 1))
    return min(1.0, math.fsum(tail))


@dataclass(frozen=True, slots=True)
class Order:
    """Directed pairs of actions over all sessions.

    ``after[a, b]``: sessions with a → b; ``both[a, b]``: those that have b → a as well. Were the steps of
    every session shuffled, a → b alone and b → a alone would be equally likely (a shuffle and its reverse
    are), so the sign test of ``settled`` needs no model of how often either occurs. ``settled[a, b]``: a comes
    before b more often than the reverse, at a false-discovery rate of 5 % over all pairs. ``leans[a, b]``: in
    the sample it does, settled or not.
    """

    after: Array
    both: Array
    settled: Array
    leans: Array

    def holds(self, pattern: Sequence[int]) -> bool:
        """Settled pairs (adjacent or not) tie all steps together, and no adjacent pair leans the other way."""
        if not all(bool(self.leans[a, b]) for a, b in pairwise(pattern)):
            return False
        reached, waiting = {0}, [0]
        while waiting:
            i = waiting.pop()
            for j in range(len(pattern)):
                first, second = (i, j) if i < j else (j, i)
                if j not in reached and self.settled[pattern[first], pattern[second]]:
                    reached.add(j)
                    waiting.append(j)
        return len(reached) == len(pattern)

    def tally(self, a: int, b: int) -> tuple[int, int]:
        """(sessions with a → b alone, sessions with b → a alone)."""
        return int(self.after[a, b] - self.both[a, b]), int(self.after[b, a] - self.both[a, b])


@dataclass(slots=True)
class Candidate:
    """A pattern worth a test. ``sessions`` (sorted) contain it; ``ordered``: its order holds (``Order.holds``)."""

    pattern: tuple[int, ...]
    sessions: Array
    ordered: bool


@dataclass(slots=True)
class Search:
    """``least``: the sessions (of known outcome) a pattern must have; ``tested[ordered, length]``: how many
    patterns there were in each family; ``cut``: some frequent patterns were not extended."""

    order: Order
    least: int
    candidates: list[Candidate] = field(default_factory=list[Candidate])
    tested: dict[tuple[bool, int], int] = field(default_factory=dict[tuple[bool, int], int])
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Prefix:
    pattern: tuple[int, ...]
    rows: Array
    places: Array
    ordered: bool
    support: int


def search(sequences: Sequences, least: int, outcomes: Outcomes | None) -> Search:
    """All patterns of two to five distinct actions in at least ``least`` sessions.

    With ``outcomes``: of known outcome; patterns of unsettled order are followed to length three, and those
    that stand out are kept. Without: settled order only, and every pattern of three or more steps is kept.
    """
    found = Search(order_of(sequences), least)
    level = [
        _Prefix((a,), sequences.row[column], sequences.places[column], True, 0)
        for a, column in enumerate(sequences.column)
    ]
    for length in range(2, LONGEST + 1):
        longer: list[_Prefix] = []
        for prefix in level:
            longer.extend(_extended(sequences, prefix, found, least, outcomes))
        longer = [p for p in longer if p.ordered or (outcomes is not None and length < LONGEST_UNORDERED)]
        if len(longer) > MAX_EXPANDED:
            longer.sort(key=lambda p: (-p.support, p.pattern))
            longer, found.cut = longer[:MAX_EXPANDED], True
        level = longer
    return found


def order_of(sequences: Sequences) -> Order:
    """Counts every directed pair, session by session, and settles what can be settled."""
    size = len(sequences.actions)
    after, both = np.zeros((size, size), dtype=np.int64), np.zeros((size, size), dtype=np.int64)
    for a, column in enumerate(sequences.column):
        rows, places = sequences.row[column], sequences.places[column]
        forward, backward = _neighbours(sequences, rows, places, size)
        after[a] = np.bincount(forward % size, minlength=size)
        both[a] = np.bincount(np.intersect1d(forward, backward, assume_unique=True) % size, minlength=size)
    pairs = [(a, b) for a in range(size) for b in range(size) if a != b and after[a, b] + after[b, a] > 0]
    sure = [sign_test(int(after[a, b] - both[a, b]), int(after[b, a] - both[a, b])) for a, b in pairs]
    settled = np.zeros((size, size), dtype=bool)
    for (a, b), p in zip(pairs, benjamini_hochberg(sure), strict=True):
        settled[a, b] = p <= FALSE_ORDERS
    return Order(after, both, settled, leans=after > after.T)


def _neighbours(sequences: Sequences, rows: Array, places: Array, size: int) -> tuple[Array, Array]:
    """(session × size + action) of every action after, and of every action before, ``places``; distinct."""
    spans = sequences.begin[rows + 1] - sequences.begin[rows]
    ends = np.cumsum(spans)
    total = int(spans.sum())
    entries = np.arange(total, dtype=np.int64) + (sequences.begin[rows] - (ends - spans)).repeat(spans)
    here, there = places.repeat(spans), sequences.places[entries]
    keys = sequences.owner[rows].astype(np.int64).repeat(spans) * size + sequences.action[entries]
    forward, backward = keys[(reach(here) & there) != 0], keys[(reach(there) & here) != 0]
    if sequences.single:
        return forward, backward
    return np.unique(forward), np.unique(backward)


def _extended(
    sequences: Sequences, prefix: _Prefix, found: Search, least: int, outcomes: Outcomes | None
) -> Iterator[_Prefix]:
    """Counts every extension of ``prefix`` by one action, keeps what is worth a test, yields what to extend."""
    length, size = len(prefix.pattern) + 1, len(sequences.actions)
    rows, actions, places = sequences.extensions(prefix.rows, prefix.places)
    allowed = ~np.isin(actions, prefix.pattern)
    in_order = _in_order(prefix, found.order)
    if outcomes is None or length > LONGEST_UNORDERED:
        allowed &= in_order[actions]
    rows, actions, places = rows[allowed], actions[allowed], places[allowed]
    support, worth = _counted(sequences, sequences.owner[rows], actions, length, outcomes)
    frequent = support >= least
    for kind in (True, False):
        family = (kind, length)
        found.tested[family] = found.tested.get(family, 0) + int((frequent & (in_order == kind)).sum())
    goes_on = in_order if outcomes is None or length >= LONGEST_UNORDERED else np.ones(size, dtype=bool)
    goes_on = goes_on & (length < LONGEST)
    wanted = np.flatnonzero(frequent & (worth | goes_on))
    by_action = np.argsort(actions, kind="stable")
    edges = np.searchsorted(actions[by_action], np.arange(size + 1))
    for action in wanted.tolist():
        mine = by_action[edges[action] : edges[action + 1]]
        pattern, holds = (*prefix.pattern, action), bool(in_order[action])
        if worth[action]:
            found.candidates.append(Candidate(pattern, sequences.sessions_of(rows[mine]), holds))
        if goes_on[action]:
            yield _Prefix(pattern, rows[mine], places[mine], holds, int(support[action]))


def _in_order(prefix: _Prefix, order: Order) -> Array:
    """For each action: does the order of ``prefix`` with it at the end hold (``Order.holds``)?"""
    ties = order.settled[list(prefix.pattern)]
    tied = ties.any(axis=0) & prefix.ordered
    if len(prefix.pattern) == 2:  # two steps that only a third one ties together
        tied = tied | ties.all(axis=0) & bool(order.leans[prefix.pattern])
    return tied & order.leans[prefix.pattern[-1]]


def _counted(
    sequences: Sequences, sessions: Array, actions: Array, length: int, outcomes: Outcomes | None
) -> tuple[Array, Array]:
    """For each action: how many sessions have it here (of known outcome), and whether it is worth a test."""
    size = len(sequences.actions)
    if not sequences.single:  # several stretches of one session are one session
        once = np.unique(sessions.astype(np.int64) * size + actions)
        sessions, actions = once // size, once % size
    if outcomes is None:
        return np.bincount(actions, minlength=size), np.full(size, length > 2)
    support = np.bincount(actions[outcomes.known[sessions]], minlength=size)
    excess = np.bincount(actions, weights=outcomes.residual[sessions], minlength=size)
    variance = np.bincount(actions, weights=outcomes.variance[sessions], minlength=size)
    return support, (variance > 0) & (excess > WORTH_A_TEST * np.sqrt(variance))
