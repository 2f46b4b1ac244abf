"""The language searched: which conditions an axis has, and each one's share of the error budget.

A weighted Bonferroni bound: the weights of all conjunctions sum to at most one, so testing each at alpha
times its weight keeps the family-wise error at alpha over the whole language (a layered bound as of Webb
2008, with weights inside the layers). Each arity has a third of the budget, each choice of attributes an
equal share of that, and on each axis half goes to one-sided conditions, whose supports shrink in steps of a
sixth (precision relative to the support is what a threshold needs), and half to intervals of a dozen
lengths, each length an equal share, placed at thirds of their length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, log
from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Floats, Ints

__all__ = [
    "MAX_ARITY",
    "SIDES",
    "Language",
    "arity_cost",
    "language_of_labels",
    "language_of_runs",
    "language_sizes",
]


MAX_ARITY: Final = 3
TAILS: Final = 0.9 / 1.2 ** np.arange(26)
SIDES: Final = len(TAILS)
LENGTHS: Final = 0.6 * 0.8 ** np.arange(21)
PER_LENGTH: Final = 5
OTHER_SHAPE: Final = 10.0  # more than any two runs can differ


def arity_cost(axes: int, arity: int) -> float:
    """−ln of one choice of attributes' share: a third of the budget per arity, equal shares within."""
    return log(min(MAX_ARITY, axes)) + log(comb(axes, arity))


def language_sizes(axes: Sequence[int]) -> tuple[int, ...]:
    """How many conjunctions of one, two and three conditions there are, from the conditions of each axis."""
    sums = [1] + [0] * MAX_ARITY
    for size in axes:
        for arity in range(MAX_ARITY, 0, -1):
            sums[arity] += sums[arity - 1] * size
    return tuple(sums[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """Conditions of one axis as runs [start, end) of cells; an end past the last cell goes round.

    ``below`` is the share of rows below each cut, for two rounds (2·cells + 1 entries). ``one_sided`` is the
    cost of a run that touches an end; others cost ``interval`` − ln(share of rows), for there are the more
    of them the shorter they are (infinite where the language has none).
    """

    starts: Ints
    ends: Ints
    cost: Floats
    cells: int
    below: Floats
    one_sided: float
    interval: float

    @property
    def size(self) -> int:
        return len(self.starts)

    def costs(self, starts: Ints, ends: Ints) -> Floats:
        """Costs of any runs, as if each were in the language (what lies between lengths is interpolated)."""
        if not len(self.below):
            return np.full(len(starts), self.one_sided)
        touching = (starts == 0) | (starts == self.cells) | (ends == self.cells) | (ends == 2 * self.cells)
        inner = self.interval - np.log(np.maximum(self.below[ends] - self.below[starts], 1e-9))
        costs = np.where(touching, self.one_sided, inner)
        costs[ends - starts >= self.cells] = np.inf
        return costs

    def near(self, start: int, end: int, count: int) -> Ints:
        """The members that differ least in rows from a run; of the same shape where there are any."""
        share = self.below[end] - self.below[start]
        off = np.abs(self.below[self.starts] - self.below[start])
        off = np.minimum(off, 1.0 - off) + np.abs(self.below[self.ends] - self.below[self.starts] - share)
        alike = ((self.starts == 0) == (start == 0)) & ((self.ends == self.cells) == (end == self.cells))
        nearest = np.argsort(off + OTHER_SHAPE * ~alike, kind="stable")
        return nearest[: min(count, max(1, int(np.count_nonzero(alike))))]


def language_of_labels(labels: int) -> Language:
    """One condition per label, in equal shares."""
    starts = np.arange(labels)
    cost, none = log(labels), np.empty(0)
    return Language(starts, starts + 1, np.full(labels, cost), labels, none, cost, np.inf)


def language_of_runs(below: Floats, round_trip: bool) -> Language:
    """Conditions on an ordered axis; ``round_trip`` for hours, whose intervals may pass midnight.

    ``below`` is the share of rows below each cut: 0 … 1, cells + 1 entries.
    """
    cells = len(below) - 1
    upper, lower = np.unique(_cuts(below, TAILS)), np.unique(_cuts(below, 1.0 - TAILS))
    starts = np.concatenate([np.zeros(len(upper), dtype=np.int64), lower])
    ends = np.concatenate([upper, np.full(len(lower), cells)])
    sides = len(starts)
    low, high, scale = _intervals(below, round_trip)
    scales, sizes = np.unique(scale, return_counts=True)
    half = log(2) if len(scales) else 0.0
    inner = half + log(max(1, len(scales))) + np.repeat(np.log(sizes), sizes)
    rounds = np.concatenate([below[:-1], below + 1.0])
    interval = float(np.mean(inner + np.log(rounds[high] - rounds[low]))) if len(inner) else np.inf
    cost = np.concatenate([np.full(sides, half + log(sides)), inner])
    starts, ends = np.concatenate([starts, low]), np.concatenate([ends, high])
    return Language(starts, ends, cost, cells, rounds, half + log(sides), interval)


def _cuts(below: Floats, shares: Floats) -> Ints:
    """The inner cuts nearest to shares of rows."""
    inner = below[1:-1]
    right = np.clip(np.searchsorted(inner, shares), 1, max(1, len(inner) - 1))
    left, right = right - 1, np.minimum(right, len(inner) - 1)
    return 1 + np.where(shares - inner[left] <= inner[right] - shares, left, right)


def _intervals(below: Floats, round_trip: bool) -> tuple[Ints, Ints, Ints]:
    """(start, end, length's number) of intervals between inner cuts, each once, ordered by length."""
    cells = len(below) - 1
    low, high = _cuts(below, _START), _cuts(below, (_START + LENGTHS[_SCALE]) % 1.0)
    wraps = _START + LENGTHS[_SCALE] >= 1.0
    kept = (low != high) if round_trip else (~wraps & (low < high))
    low, high, scale = low[kept], high[kept], _SCALE[kept]
    high = np.where(high > low, high, high + cells)
    _, first = np.unique(low * (2 * cells + 1) + high, return_index=True)
    first.sort()
    return low[first], high[first], scale[first]


def _placed() -> tuple[Floats, Ints]:
    """Where intervals of every length start (at thirds of their length), and the number of their length."""
    starts = [np.arange(length / PER_LENGTH, 1.0 - 1e-9, length / PER_LENGTH) for length in LENGTHS]
    return np.concatenate(starts), np.repeat(np.arange(len(LENGTHS)), [len(s) for s in starts])


_START, _SCALE = _placed()
