"""The search: all pairs of conditions by matrix products of one-hot cells, then triples from a wide beam.

Counts of a conjunction are sums of 0/1 products, so a block of them is one matrix product; sums over
cells become sums over runs of cells by a second product with a 0/1 matrix. Everything is an integer
below 2²⁴, hence exact in single precision, whatever the order of summation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, log
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional.axes import Axis, Bools, Bytes, Cond
from reverie.mining.conditional.scores import surprise

__all__ = ["MAX_ARITY", "Conjunction", "Found", "Scout", "arity_cost"]

MAX_ARITY: Final = 3
TOP: Final = 20_000
PER_AXES: Final = 3
EXPECTED_STEPS: Final = 255  # with at most 65,536 rows sums stay below 2²⁴

Conjunction: TypeAlias = tuple[Cond, ...]
Singles: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """A conjunction and its score: Chernoff exponent minus the cost of its place in the language (nats)."""

    score: float
    conds: Conjunction


def arity_cost(axes: int, arity: int) -> float:
    """−ln of one choice of attributes' share: a third of the budget per arity, equal shares within."""
    return log(min(MAX_ARITY, axes)) + log(comb(axes, arity))


class Scout:
    """A sample of rows, prepared for counting: one-hot cells, conditions, and what was expected."""

    def __init__(self, axes: tuple[Axis, ...], codes: NDArray[np.uint8], failed: Bools) -> None:
        self.axes = axes
        self.codes = codes  # (axes, rows)
        self.failed = failed
        self.conds = [
            Cond(i, low, high) for i, axis in enumerate(axes) for low, high in axis.conditions(axis.scout)
        ]
        self.axis_of = np.array([c.axis for c in self.conds], dtype=np.int32)
        self.costs = np.array([axes[c.axis].cost(c.low, c.high) for c in self.conds], dtype=np.float32)
        self.rows_of = np.array([axes[c.axis].holds(codes[c.axis], c.low, c.high) for c in self.conds], dtype=bool)
        self._cells, self._runs = self._one_hot()

    def _one_hot(self) -> tuple[Singles, Singles]:
        """(rows × cells) one-hot of the scout's cells, and (conditions × cells): which cells a run holds."""
        blocks: list[Singles] = []
        runs: list[tuple[int, NDArray[np.float32]]] = []
        offset = 0
        for i, axis in enumerate(self.axes):
            edges = np.array([0, *(axis.scout or range(1, axis.cells)), axis.cells])
            starts = edges[:-1]
            group = np.searchsorted(edges, np.arange(256), side="right") - 1
            group[axis.cells :] = len(starts)
            hot = np.eye(len(starts) + 1, len(starts), dtype=np.float32)[group]
            blocks.append(hot[self.codes[i]])
            for cond in self.conds:
                if cond.axis == i:
                    run = axis.holds(starts.astype(np.uint8), cond.low, cond.high)
                    runs.append((offset, run.astype(np.float32)))
            offset += len(starts)
        matrix = np.zeros((len(runs), offset), dtype=np.float32)
        for row, (at, run) in zip(matrix, runs, strict=True):
            row[at : at + len(run)] = run
        return np.concatenate(blocks, axis=1), matrix

    def search(self, active: Bools, expected: NDArray[np.float64], beam: int, keep: int) -> list[Found]:
        """The best conjunctions among ``active`` rows, best first, at most three per set of attributes."""
        counts = _Counts(self, active, expected)
        singles, pairs = self._singles_and_pairs(counts)
        found = [*singles, *pairs[:keep]]
        if len(self.axes) >= 3:
            found += self._triples(counts, pairs[:beam], keep)
        return sorted(found, key=lambda f: (-f.score, f.conds))[:keep]

    def _singles_and_pairs(self, counts: _Counts) -> tuple[list[Found], list[Found]]:
        scores = counts.of_pairs() - self.costs[:, None] - self.costs
        singles = np.diag(scores) + self.costs - np.float32(arity_cost(len(self.axes), 1))
        ones = [Found(float(s), (c,)) for s, c in zip(singles, self.conds, strict=True)]
        if len(self.axes) < 2:
            return ones, []
        scores[self.axis_of[:, None] >= self.axis_of] = -np.inf
        scores -= np.float32(arity_cost(len(self.axes), 2))
        a, b, best = _top(scores, self.axis_of, self.axis_of)
        return ones, [
            Found(float(s), (self.conds[i], self.conds[j])) for s, i, j in zip(best, a, b, strict=True)
        ]

    def _triples(self, counts: _Counts, pairs: list[Found], keep: int) -> list[Found]:
        if not pairs:
            return []
        place = {cond: i for i, cond in enumerate(self.conds)}
        first = np.array([place[f.conds[0]] for f in pairs])
        second = np.array([place[f.conds[1]] for f in pairs])
        scores = counts.beyond(self.rows_of[first] & self.rows_of[second])
        scores -= self.costs + (self.costs[first] + self.costs[second])[:, None]
        scores -= np.float32(arity_cost(len(self.axes), 3))
        used = (self.axis_of[first][:, None] == self.axis_of) | (self.axis_of[second][:, None] == self.axis_of)
        scores[used] = -np.inf
        axes = len(self.axes)
        a, b, best = _top(scores, self.axis_of[first] * axes + self.axis_of[second], self.axis_of)
        found: dict[Conjunction, float] = {}
        for s, i, j in zip(best[: 3 * keep], a, b, strict=False):
            found.setdefault(tuple(sorted((*pairs[i].conds, self.conds[j]))), float(s))
        return [Found(s, conds) for conds, s in list(found.items())[:keep]]

    def neighbours(
        self, active: Bools, expected: NDArray[np.float64], bases: list[Conjunction]
    ) -> list[Conjunction]:
        """For each base conjunction, the best ways to add one condition (one per base)."""
        counts = _Counts(self, active, expected)
        masks = np.array([self.holds(base) for base in bases])
        scores = counts.beyond(masks) - self.costs
        result: list[Conjunction] = []
        for base, row in zip(bases, scores, strict=True):
            row[np.isin(self.axis_of, [c.axis for c in base])] = -np.inf
            result.append(tuple(sorted((*base, self.conds[int(np.argmax(row))]))))
        return result

    def holds(self, conds: Conjunction) -> Bools:
        """The sample's rows that fulfil all conditions."""
        rows = np.ones(len(self.failed), dtype=bool)
        for cond in conds:
            rows &= self.axes[cond.axis].holds(self.codes[cond.axis], cond.low, cond.high)
        return rows


class _Counts:
    """Failures, rows and expected failures of conjunctions among the active rows."""

    def __init__(self, scout: Scout, active: Bools, expected: NDArray[np.float64]) -> None:
        self._scout = scout
        self._active = active
        self._failed = active & scout.failed
        self._cells = scout._cells[active]
        self._failed_cells = scout._cells[self._failed]
        wanted = expected[active]
        highest = float(wanted.max(initial=0.0))
        self._flat = highest == float(wanted.min(initial=1.0))
        steps = np.round(wanted * (EXPECTED_STEPS / max(highest, 1e-12))).astype(np.float32)
        total = float(steps.sum(dtype=np.float64))
        self._unit = np.float32(wanted.sum() / total) if total else np.float32(0)
        self._rate = np.float32(highest)
        self._weighted = None if self._flat else self._cells * steps[:, None]

    def of_pairs(self) -> Singles:
        """Surprise of every pair of conditions (a condition with itself on the diagonal)."""
        cells = self._cells.T
        n = self._project(cells @ self._cells)
        k = self._project(self._failed_cells.T @ self._failed_cells)
        e = n * self._rate if self._weighted is None else self._project(cells @ self._weighted) * self._unit
        return surprise(k, n, e)

    def _project(self, cells: Singles) -> Singles:
        runs = self._scout._runs
        return runs @ cells @ runs.T

    def beyond(self, masks: Bools) -> Singles:
        """Surprise of each mask's rows within each condition: (masks × conditions)."""
        runs = self._scout._runs.T
        inside = masks[:, self._active].astype(np.float32)
        failed = masks[:, self._failed].astype(np.float32)
        n = (inside @ self._cells) @ runs
        k = (failed @ self._failed_cells) @ runs
        e = n * self._rate if self._weighted is None else ((inside @ self._weighted) @ runs) * self._unit
        return surprise(k, n, e)


def _top(scores: Singles, rows: NDArray[Any], columns: NDArray[Any]) -> tuple[Any, Any, Any]:
    """Best entries, best first, at most PER_AXES for each pair of group labels of row and column."""
    flat = scores.ravel()
    count = min(TOP, len(flat))
    best = np.argpartition(flat, len(flat) - count)[len(flat) - count :]
    best = best[np.lexsort((best, -flat[best]))]
    best = best[np.isfinite(flat[best])]
    i, j = np.divmod(best, scores.shape[1])
    label = rows[i].astype(np.int64) * (int(columns.max(initial=0)) + 1) + columns[j]
    order = np.argsort(label, kind="stable")
    ordered = label[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    kept = np.sort(order[place < PER_AXES])
    return i[kept], j[kept], flat[best[kept]]


def sample_codes(codes: list[Bytes], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(axes × sampled rows) codes."""
    return np.array([column[rows] for column in codes], dtype=np.uint8).reshape(len(codes), len(rows))
