"""A sample laid out for counting: every axis in a few coarse cells, side by side, and the runs over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from reverie.mining.conditional.arrays import Bools, Bytes, Floats, Ints
from reverie.mining.conditional.axes import Axis, Cond
from reverie.mining.conditional.sheet import Sheet

__all__ = ["Crossing", "Scout"]

BUNDLED: Final = (64, 512)
"""Cells of axes that are counted together: at least and at most; in between a sixteenth of the rows."""


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
        self._widths = [
            len(cuts) for cuts in edges
        ]  # of each axis, with a last cell for what it does not know
        self._cells = np.array([_cells(c, cuts) for c, cuts in zip(sheet.codes, edges, strict=True)])
        unknown = self._cells == np.array(self._widths)[:, None] - 1
        self._columns = np.where(
            unknown, self.columns, self._cells + np.array(self._starts[:-1])[:, None]
        ).T.copy()

    def holds(self, conds: Iterable[Cond]) -> Bools:
        """The sample's rows that fulfil all conditions."""
        rows = np.ones(len(self.failed), dtype=bool)
        for c in conds:
            rows &= self.axes[c.axis].holds(self.sheet.codes[c.axis], c.low, c.high)
        return rows

    def by_condition(self, cells: Floats, since: int = 0) -> Floats:
        """Sums (… × cells) as sums (… × conditions), of the axes from ``since`` on."""
        return self._all_runs.since(self.first_cond[since], self._starts[since]).sums(cells)

    def cells_of(self, rows: Ints, weights: Floats) -> Floats:
        """Sums of weights of ``rows`` in each cell."""
        columns = self._columns.take(rows, axis=0).ravel()
        return _sums(columns, np.repeat(weights, len(self.axes)), self.columns + 1)[:-1]

    def fine_cells_of(self, place: int, weights: Floats) -> Floats:
        """Sums of all rows' weights in each of an axis' own cells."""
        return _sums(self.sheet.codes[place], weights, 256)[: self.axes[place].cells]

    def crossing(self, axes: Sequence[int], rows: Ints, weights: Floats) -> Crossing:
        """The sample's ``rows`` ready to be counted by any two of these axes."""
        cells, widths = self._cells[:, rows], self._widths
        most = int(np.clip(len(rows) // 16, *BUNDLED))
        return Crossing(
            cells, weights, [_Bundle.of(part, cells, widths) for part in _bundles(axes, widths, most)]
        )

    def crossed(self, crossing: Crossing, axis: int) -> Floats:
        """Sums of weights: conditions of one axis × cells of the axes after it (zeros where not to be crossed)."""
        sums = np.zeros((self._widths[axis] - 1, self.columns))
        for bundle in crossing.bundles:
            if bundle.axes[-1] > axis:
                places = crossing.cells[axis] * bundle.size + bundle.cells
                counts = _sums(places, crossing.weights, self._widths[axis] * bundle.size)
                parts = counts.reshape(-1, bundle.size)[:-1] @ bundle.apart
                for other, part in zip(bundle.axes, np.split(parts, bundle.edges, axis=1), strict=True):
                    sums[:, self._starts[other] : self._starts[other + 1]] = part
        return self._runs[axis].sums(sums[:, self._starts[axis + 1] :].T).T


@dataclass(frozen=True, slots=True, eq=False)
class _Bundle:
    """A few axes counted as one: ``cells`` of each row among ``size``; ``apart`` sums them into cells of each axis.

    One pass over the rows then serves several pairs of axes, while counts still fit the fastest cache.
    """

    axes: tuple[int, ...]
    cells: Ints
    size: int
    apart: Floats
    edges: list[int]

    @classmethod
    def of(cls, axes: tuple[int, ...], cells: Ints, widths: Sequence[int]) -> _Bundle:
        shape = tuple(widths[axis] for axis in axes)
        bundled = np.asarray(np.ravel_multi_index(tuple(cells[axis] for axis in axes), shape))
        size = int(np.prod(shape))
        each = np.unravel_index(np.arange(size), shape)
        apart = [at[:, None] == np.arange(width - 1) for at, width in zip(each, shape, strict=True)]
        edges = np.cumsum([width - 1 for width in shape])[:-1].tolist()
        return cls(axes, bundled, size, np.concatenate(apart, axis=1).astype(np.float64), edges)


class Crossing(NamedTuple):
    """Cells (axes × rows) and weights of the rows, and the axes to be crossed in bundles."""

    cells: Ints
    weights: Floats
    bundles: list[_Bundle]


def _bundles(axes: Sequence[int], widths: Sequence[int], most: int) -> list[tuple[int, ...]]:
    """Neighbouring axes together as long as their cells multiply to at most ``most``."""
    bundles: list[tuple[int, ...]] = []
    size = most + 1
    for axis in axes:
        size *= widths[axis]
        if size > most:
            bundles.append(())
            size = widths[axis]
        bundles[-1] = (*bundles[-1], axis)
    return bundles


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

    def since(self, condition: int, column: int) -> _Runs:
        """The runs from a condition on, over the cells from a column on."""
        wraps = self.wraps >= condition
        return _Runs(
            self.first[condition:] - column,
            self.last[condition:] - column,
            self.wraps[wraps] - condition,
            self.again_first[wraps] - column,
            self.again_last[wraps] - column,
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


def _cells(codes: Bytes, cuts: Ints) -> Ints:
    """The coarse cell of each row; the number after the last where the axis knows none."""
    cell_of = np.searchsorted(cuts, np.arange(256), side="right") - 1
    return cell_of[codes]


def _sums(index: Ints, weights: Floats, size: int) -> Floats:
    return np.bincount(index, weights, size).astype(np.float64, copy=False)


def _costs(axis: Axis, runs: Sequence[tuple[int, int]]) -> Floats:
    starts = np.array([low for low, _ in runs])
    ends = np.array([axis.end(low, high) for low, high in runs])
    return axis.language.costs(starts, ends).astype(np.float32)
