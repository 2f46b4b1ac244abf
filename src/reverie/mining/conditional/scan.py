"""The search: all pairs of conditions by cubes of counts, then triples from a wide beam of pairs.

Rows, failures and expected failures are counted at once: the three whole numbers of a row are packed into
one double (below 2⁵³), so that one weighted count gives all three, exactly, whatever the order of summation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.axes import Cond
from reverie.mining.conditional.counting import Counts, Tally, runs_of
from reverie.mining.conditional.language import arity_cost
from reverie.mining.conditional.scores import gain, surprise
from reverie.mining.conditional.scout import Crossing, Scout
from reverie.mining.conditional.sheet import Conjunction

__all__ = ["MAX_CROSSED", "MAX_SAMPLE", "Found", "View"]

TOP: Final = 8_000
PER_AXES: Final = 3
MAX_CROSSED: Final = 120
"""Attributes crossed with each other; of more, those that show most by themselves."""
STEPS: Final = 255  # in which expected probabilities are counted
ROW: Final = float(1 << 23)
FAILURE: Final = float(1 << 38)
MAX_SAMPLE: Final = 1 << 15
"""Rows that can be counted packed: 255 steps each stay below 2²³, rows and failures below 2¹⁵."""


@dataclass(frozen=True, slots=True)
class Found:
    """A conjunction, the cost of its place in the language, and its Chernoff exponent less that cost (nats)."""

    score: float
    cost: float
    conds: Conjunction


class View:
    """A scout's active rows, what is expected of them, and the search among them."""

    def __init__(self, scout: Scout, active: Bools, expected: Floats) -> None:
        self.scout = scout
        self._active = active
        wanted = np.where(active, expected, 0.0)
        highest = float(wanted.max(initial=0.0))
        self._flat = highest if bool((expected[active] == highest).all()) else None
        steps = np.round(wanted * (STEPS / max(highest, 1e-12)))
        self._unit = float(wanted.sum()) / max(float(steps.sum()), 1.0)
        self._packed = np.where(active, steps + ROW + FAILURE * scout.failed, 0.0)

    def search(self, beam: int, keep: int) -> list[Found]:
        """The best conjunctions, best first, at most three per set of attributes."""
        pairs = self._pairs(self._crossing(), max(beam, keep))
        found = [*self._singles, *pairs[:keep], *self._triples(pairs[:beam], keep)]
        return sorted(found, key=lambda f: (-f.score, f.conds))[:keep]

    def _crossing(self) -> list[int]:
        """The axes that are crossed in pairs: all, or where there are many those that show most alone."""
        return sorted(f.conds[0].axis for f in self._singles[:MAX_CROSSED])

    def neighbours(self, bases: list[Conjunction], count: int = 1) -> list[Conjunction]:
        """For each base conjunction, the best ways to add one condition, each on an axis of its own."""
        result = [f.conds for base in bases if not base for f in self._singles[:count]]
        bases = [base for base in bases if base]
        if not bases:
            return result
        scout = self.scout
        scores = surprise(*self._beyond(scout.holds(base) for base in bases)) - scout.costs
        for base, row in zip(bases, scores, strict=True):
            self._without(row, base)
            for _ in range(count):
                best = scout.conds[int(np.argmax(row))]
                result.append(tuple(sorted((*base, best))))
                row[scout.axis_of == best.axis] = -np.inf
        return result

    def best_inside(self, rows: Bools, total: Tally, besides: Conjunction) -> Cond | None:
        """The condition on another axis whose rows fail most unlike the rest of ``rows``; None where none gains."""
        scout = self.scout
        k, n, _ = self._beyond([rows])
        e = n * np.float32(total.failed / max(1, total.rows))
        scores = gain(k, n, e, total.failed, total.rows, total.failed)[0] - scout.costs
        self._without(scores, besides)
        best = int(np.argmax(scores))
        return scout.conds[best] if scores[best] > 0 else None

    def surprises(self, rows: Ints, sets: Ints, count: int) -> Floats:
        """Chernoff exponents of ``count`` sets of rows; row ``rows[i]`` belongs to set ``sets[i]``."""
        packed = np.bincount(sets, self._packed[rows], count).astype(np.float64, copy=False)
        return surprise(*self._unpacked(packed))

    def _without(self, scores: Floats, conds: Conjunction) -> None:
        """No condition on an axis that is taken."""
        for c in conds:
            scores[self.scout.first_cond[c.axis] : self.scout.first_cond[c.axis + 1]] = -np.inf

    @cached_property
    def _singles(self) -> list[Found]:
        """The best condition of each axis, over its whole language, best first."""
        scout = self.scout
        place_cost = arity_cost(len(scout.axes), 1)
        found: list[Found] = []
        for place, axis in enumerate(scout.axes):
            cells = Counts(np.array(self._unpacked(scout.fine_cells_of(place, self._packed))))
            tallies = runs_of(cells, axis.language.starts, axis.language.ends)
            surprises = surprise(tallies.failed, tallies.rows, tallies.expected)
            best = int(np.argmax(surprises - axis.language.cost))
            low, end = int(axis.language.starts[best]), int(axis.language.ends[best])
            cost = float(axis.language.cost[best]) + place_cost
            cond = Cond(place, low, end if end <= axis.cells else end - axis.cells)
            found.append(Found(float(surprises[best]) - cost, cost, (cond,)))
        return sorted(found, key=lambda f: (-f.score, f.conds))

    def _pairs(self, axes: list[int], count: int) -> list[Found]:
        """The best pairs of conditions of different axes, at most PER_AXES for each two axes."""
        if len(axes) < 2:
            return []
        rows = np.flatnonzero(self._active)
        crossing = self.scout.crossing(axes, rows, self._packed[rows])
        chosen = np.zeros(len(self.scout.axes), dtype=bool)
        chosen[axes] = True
        blocks = [self._pairs_with(crossing, axis, chosen) for axis in axes[:-1]]
        one, two, scores, costs = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        axis_of = self.scout.axis_of
        best = _best_each(scores, axis_of[one].astype(np.int64) * len(self.scout.axes) + axis_of[two])[:count]
        pairs = ((self.scout.conds[a], self.scout.conds[b]) for a, b in _places(one[best], two[best]))
        return [
            Found(s, c, pair)
            for s, c, pair in zip(_plain(scores[best]), _plain(costs[best]), pairs, strict=True)
        ]

    def _pairs_with(self, crossing: Crossing, axis: int, chosen: Bools) -> tuple[Ints, Ints, Floats, Floats]:
        """For each condition of the chosen axes after this one its best partner here: both, score and cost."""
        scout = self.scout
        mine, later = scout.first_cond[axis], scout.first_cond[axis + 1]
        counts = np.array(self._unpacked(scout.crossed(crossing, axis)))
        k, n, e = scout.by_condition(counts, since=axis + 1).astype(np.float32)
        place = np.float32(arity_cost(len(scout.axes), 2))
        costs = scout.costs[mine:later, None] + (scout.costs[later:] + place)
        scores = surprise(k, n, e) - costs
        two = np.flatnonzero(chosen[scout.axis_of[later:]])
        one = scores[:, two].argmax(axis=0)
        return one + mine, two + later, scores[one, two], costs[one, two]

    def _triples(self, pairs: list[Found], keep: int) -> list[Found]:
        scout, axes = self.scout, len(self.scout.axes)
        if not pairs or axes < 3:
            return []
        ahead = np.array([f.cost for f in pairs]) + arity_cost(axes, 3) - arity_cost(axes, 2)
        costs = ahead.astype(np.float32)[:, None] + scout.costs
        scores = surprise(*self._beyond(scout.holds(f.conds) for f in pairs)) - costs
        one, two = (np.array([f.conds[i].axis for f in pairs]) for i in (0, 1))
        scores[(one[:, None] == scout.axis_of) | (two[:, None] == scout.axis_of)] = -np.inf
        found: dict[Conjunction, Found] = {}
        a, b = (index[: 3 * keep] for index in _top(scores, one * axes + two, scout.axis_of))
        for i, j in _places(a, b):
            conds = tuple(sorted((*pairs[i].conds, scout.conds[j])))
            found.setdefault(conds, Found(float(scores[i, j]), float(costs[i, j]), conds))
        return list(found.values())[:keep]

    def _beyond(self, masks: Iterable[Bools]) -> tuple[Floats, Floats, Floats]:
        """Failures, rows and expected failures of each mask's active rows within each condition."""
        packed: list[Floats] = []
        for mask in masks:
            rows = np.flatnonzero(mask & self._active)
            packed.append(self.scout.cells_of(rows, self._packed[rows]))
        k, n, e = (self.scout.by_condition(cells) for cells in self._unpacked(np.array(packed)))
        return k.astype(np.float32), n.astype(np.float32), e.astype(np.float32)

    def _unpacked(self, packed: Floats) -> tuple[Floats, Floats, Floats]:
        """Failures, rows and expected failures from packed sums."""
        failed = np.floor(packed / FAILURE)
        rest = packed - failed * FAILURE
        rows = np.floor(rest / ROW)
        if self._flat is not None:
            return failed, rows, rows * self._flat
        return failed, rows, (rest - rows * ROW) * self._unit


def _top(scores: Floats, rows: Ints, columns: Ints) -> tuple[Ints, Ints]:
    """Best entries, best first, at most PER_AXES for each pair of group labels of row and column."""
    flat = scores.ravel()
    good = np.flatnonzero(flat > _about_top(flat))
    i, j = np.divmod(good, scores.shape[1])
    kept = _best_each(flat[good], rows[i].astype(np.int64) * (int(columns.max(initial=0)) + 1) + columns[j])
    return i[kept], j[kept]


def _best_each(scores: Floats, labels: Ints) -> Ints:
    """Places of the scores, best first, at most PER_AXES of each label."""
    best = np.argsort(-scores, kind="stable")
    order = np.argsort(labels[best], kind="stable")
    ordered = labels[best][order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))[: len(order)]
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return best[np.sort(order[place < PER_AXES])]


def _plain(values: Floats) -> Iterable[float]:
    return map(float, values)


def _places(a: Ints, b: Ints) -> Iterable[tuple[int, int]]:
    return zip(map(int, a), map(int, b), strict=True)


def _about_top(flat: Floats) -> float:
    """A threshold that about TOP entries exceed, from an evenly spaced part of them (all finite ones if few)."""
    if len(flat) <= 4 * TOP:
        return -np.inf
    part = flat[:: max(1, len(flat) // (4 * TOP)) | 1]
    allowed = max(1, round(TOP * len(part) / len(flat)))
    return float(np.partition(part, len(part) - allowed)[len(part) - allowed])
