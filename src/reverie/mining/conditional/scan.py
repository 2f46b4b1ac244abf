"""The search: all pairs of conditions by cubes of counts, then triples from a wide beam of pairs.

Rows, failures and expected failures are counted at once: the three whole numbers of a row are packed into
one double (below 2⁵³), so that one weighted count gives all three, exactly, whatever the order of summation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.axes import Cond
from reverie.mining.conditional.counting import Counts, Tally, runs_of
from reverie.mining.conditional.language import arity_cost
from reverie.mining.conditional.scores import gain, surprise
from reverie.mining.conditional.scout import Scout
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
        singles = self._singles()
        pairs = self._pairs(self._crossing(singles), max(beam, keep))
        found = [*singles, *pairs[:keep], *self._triples(pairs[:beam], keep)]
        return sorted(found, key=lambda f: (-f.score, f.conds))[:keep]

    def _crossing(self, singles: list[Found]) -> list[int]:
        """The axes that are crossed in pairs: all, or where there are many those that show most alone."""
        if len(singles) <= MAX_CROSSED:
            return list(range(len(singles)))
        best = sorted(singles, key=lambda f: (-f.score, f.conds))[:MAX_CROSSED]
        return sorted(f.conds[0].axis for f in best)

    def neighbours(self, bases: list[Conjunction], count: int = 1) -> list[Conjunction]:
        """For each base conjunction, the best ways to add one condition, each on an axis of its own."""
        if not bases:
            return []
        scout = self.scout
        scores = surprise(*self._beyond(scout.holds(base) for base in bases)) - scout.costs
        result: list[Conjunction] = []
        for base, row in zip(bases, scores, strict=True):
            row[np.isin(scout.axis_of, [c.axis for c in base])] = -np.inf
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
        scores[np.isin(scout.axis_of, [c.axis for c in besides])] = -np.inf
        best = int(np.argmax(scores))
        return scout.conds[best] if scores[best] > 0 else None

    def surprises(self, masks: Bools) -> Floats:
        """Chernoff exponents of sets of rows (sets × rows)."""
        packed = np.array([self._packed[mask].sum() for mask in masks])
        return surprise(*self._unpacked(packed))

    def _singles(self) -> list[Found]:
        """The best condition of each axis, over its whole language."""
        scout = self.scout
        place_cost = arity_cost(len(scout.axes), 1)
        found: list[Found] = []
        for place, axis in enumerate(scout.axes):
            packed = scout.binned(scout.sheet.codes[place][None], self._packed, axis.cells)
            cells = Counts(np.array(self._unpacked(packed[: axis.cells])))
            tallies = runs_of(cells, axis.language.starts, axis.language.ends)
            surprises = surprise(tallies.failed, tallies.rows, tallies.expected)
            best = int(np.argmax(surprises - axis.language.cost))
            low, end = int(axis.language.starts[best]), int(axis.language.ends[best])
            cost = float(axis.language.cost[best]) + place_cost
            cond = Cond(place, low, end if end <= axis.cells else end - axis.cells)
            found.append(Found(float(surprises[best]) - cost, cost, (cond,)))
        return found

    def _pairs(self, axes: list[int], count: int) -> list[Found]:
        """The best pairs of conditions of different axes, at most PER_AXES for each two axes."""
        found: list[Found] = []
        least = -np.inf
        for i in axes[:-1]:
            found += self._pairs_with(i, [j for j in axes if j > i], least)
            if len(found) > 2 * count:
                found = sorted(found, key=lambda f: (-f.score, f.conds))[:count]
                least = found[-1].score
        return sorted(found, key=lambda f: (-f.score, f.conds))[:count]

    def _pairs_with(self, axis: int, others: list[int], least: float) -> list[Found]:
        """The best pairs of one axis with each of the others, if any scores more than ``least``."""
        scout = self.scout
        mine = slice(scout.first_cond[axis], scout.first_cond[axis + 1])
        later = scout.first_cond[others[0]]
        k, n, e = (
            scout.by_condition(sums)[:, later:].astype(np.float32)
            for sums in self._unpacked(scout.crossed(axis, others, self._packed))
        )
        place = np.float32(arity_cost(len(scout.axes), 2))
        costs = scout.costs[mine, None] + (scout.costs[later:] + place)
        scores = surprise(k, n, e) - costs
        found: list[Found] = []
        for j in others:
            start, end = scout.first_cond[j] - later, scout.first_cond[j + 1] - later
            block = scores[:, start:end].ravel()
            if block.max() <= least:
                continue
            for at in map(int, np.argsort(-block, kind="stable")[:PER_AXES]):
                a, b = divmod(at, end - start)
                pair = (scout.conds[mine.start + a], scout.conds[later + start + b])
                found.append(Found(float(block[at]), float(costs[a, start + b]), pair))
        return found

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
    best = np.flatnonzero(flat > _about_top(flat))
    best = best[np.lexsort((best, -flat[best]))]
    i, j = np.divmod(best, scores.shape[1])
    label = rows[i].astype(np.int64) * (int(columns.max(initial=0)) + 1) + columns[j]
    order = np.argsort(label, kind="stable")
    ordered = label[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))[: len(order)]
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    kept = np.sort(order[place < PER_AXES])
    return i[kept], j[kept]


def _places(a: Ints, b: Ints) -> Iterable[tuple[int, int]]:
    return zip(map(int, a), map(int, b), strict=True)


def _about_top(flat: Floats) -> float:
    """A threshold that about TOP entries exceed, from an evenly spaced part of them (all finite ones if few)."""
    if len(flat) <= 4 * TOP:
        return -np.inf
    part = flat[:: max(1, len(flat) // (4 * TOP)) | 1]
    allowed = max(1, round(TOP * len(part) / len(flat)))
    return float(np.partition(part, len(part) - allowed)[len(part) - allowed])
