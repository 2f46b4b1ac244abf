"""A sample laid out for counting: every axis in a few coarse cells, side by side, and the runs over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.axes import Axis, Cond
from reverie.mining.conditional.sheet import Sheet

__all__ = ["Scout"]


class Scout:
    """The conditions of the first search, the rows that fulfil each, and how to sum cells into conditions.

    ``conds`` are in order of their axes; ``first_cond`` tells where each axis' conditions start (and where
    the last ones end). Cells of all axes stand side by side in ``columns`` columns.
    """

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.axes = sheet.axes
        self.failed = sheet.rows.failed
        scouted = [axis.scouted() for axis in sheet.axes]
        self.conds = [Cond(i, *run) for i, runs in enumerate(scouted) for run in runs]
        self.axis_of = np.array([c.axis for c in self.conds], dtype=np.int32)
        self.first_cond: list[int] = np.cumsum([0, *(len(runs) for runs in scouted)]).tolist()
        self.costs = np.concatenate([_costs(a, runs) for a, runs in zip(sheet.axes, scouted, strict=True)])
        edges = [np.array([0, *(axis.scout or range(1, axis.cells)), axis.cells]) for axis in sheet.axes]
        self._starts: list[int] = np.cumsum([0, *(len(e) - 1 for e in edges)]).tolist()
        self._runs = [_Runs.of(runs, cuts) for runs, cuts in zip(scouted, edges, strict=True)]
        self._all_runs = _Runs.beside(self._runs, self._starts)
        self.columns = self._starts[-1]
        self._column = _columns(sheet, edges, self._starts)

    def holds(self, conds: Iterable[Cond]) -> Bools:
        """The sample's rows that fulfil all conditions."""
        rows = np.ones(len(self.failed), dtype=bool)
        for c in conds:
            rows &= self.axes[c.axis].holds(self.sheet.codes[c.axis], c.low, c.high)
        return rows

    def by_condition(self, cells: Floats) -> Floats:
        """Sums (… × cells) as sums (… × conditions)."""
        return self._all_runs.sums(cells)

    def cells_of(self, rows: Ints, weights: Floats) -> Floats:
        """Sums of weights of ``rows`` in each cell."""
        return self.binned(self._column[:, rows], weights, self.columns + 1)[: self.columns]

    def crossed(self, axis: int, others: Sequence[int], weights: Floats) -> Floats:
        """Sums of all rows' weights: (conditions of one axis × all cells, nothing but for ``others``)."""
        start, end = self._starts[axis], self._starts[axis + 1]
        mine = np.flatnonzero(self._column[axis] < end)
        weights, place = weights[mine], self._column[axis, mine] - start
        sums = np.zeros((end - start, self.columns))
        for other in others:  # two axes at a time: their counts stay in the fastest cache
            first, last = self._starts[other], self._starts[other + 1]
            width = last - first + 1
            index = np.minimum(self._column[other, mine] - first, width - 1) + place * width
            pair = np.bincount(index, weights, (end - start) * width).reshape(-1, width)
            sums[:, first:last] = pair[:, :-1]
        return self._runs[axis].sums(sums.T).T

    @staticmethod
    def binned(index: Ints, weights: Floats, size: int) -> Floats:
        """Sums of weights by index, for each of several rows of indices alike."""
        return np.bincount(index.ravel(), np.tile(weights, len(index)), size).astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Runs of cells by first and last column; ``wraps`` are the runs that have a second stretch."""

    first: Ints
    last: Ints
    wraps: Ints
    again_first: Ints
    again_last: Ints

    @classmethod
    def of(cls, conditions: Sequence[tuple[int, int]], cuts: Ints) -> _Runs:
        """Runs over one axis, from conditions in fine cells and the fine cells at which coarse ones start."""
        low = np.searchsorted(cuts, np.array([low for low, _ in conditions]))
        high = np.searchsorted(cuts, np.array([high for _, high in conditions]))
        wraps = np.flatnonzero(low > high)
        last = np.where(low > high, len(cuts) - 1, high)
        return cls(low, last, wraps, np.zeros(len(wraps), dtype=np.intp), high[wraps])

    @classmethod
    def beside(cls, axes: Sequence[_Runs], starts: Sequence[int]) -> _Runs:
        """The runs of several axes whose cells stand side by side."""
        placed = list(zip(axes, starts, strict=False))
        conditions = np.cumsum([0, *(len(runs.first) for runs in axes)])
        return cls(
            np.concatenate([runs.first + start for runs, start in placed]),
            np.concatenate([runs.last + start for runs, start in placed]),
            np.concatenate([runs.wraps + at for runs, at in zip(axes, conditions, strict=False)]),
            np.concatenate([runs.again_first + start for runs, start in placed]),
            np.concatenate([runs.again_last + start for runs, start in placed]),
        )

    def sums(self, cells: Floats) -> Floats:
        """Sums (… × cells) as sums (… × runs)."""
        upto = np.zeros((*cells.shape[:-1], cells.shape[-1] + 1))
        np.cumsum(cells, axis=-1, out=upto[..., 1:])
        sums = np.take(upto, self.last, axis=-1)
        sums -= np.take(upto, self.first, axis=-1)
        if len(self.wraps):
            sums[..., self.wraps] += upto[..., self.again_last] - upto[..., self.again_first]
        return sums


def _columns(sheet: Sheet, edges: Sequence[Ints], starts: Sequence[int]) -> Ints:
    """(axes × rows): the column of each row's cell; the number after the last column where it has none."""
    columns = np.empty((len(sheet.axes), len(sheet.rows)), dtype=np.intp)
    for i, (cuts, codes) in enumerate(zip(edges, sheet.codes, strict=True)):
        column_of = starts[i] + np.searchsorted(cuts, np.arange(256), side="right") - 1
        column_of[sheet.axes[i].cells :] = starts[-1]
        columns[i] = column_of[codes]
    return columns


def _costs(axis: Axis, runs: Sequence[tuple[int, int]]) -> Floats:
    starts = np.array([low for low, _ in runs])
    ends = np.array([axis.end(low, high) for low, high in runs])
    return axis.language.costs(starts, ends).astype(np.float32)
