"""Fitting a conjunction: thresholds by likelihood, first over an axis' cells, then over raw values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional.axes import Bools
from reverie.mining.conditional.counting import Conditions, Counts, Floats, Piece, Rows, Tally
from reverie.mining.conditional.scan import arity_cost
from reverie.mining.conditional.scores import gain

__all__ = ["Fit", "Ground"]

SWEEPS: Final = 3
IMPOSSIBLE: Final = -1e9

Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fit:
    """Conditions and their score: log-likelihood gained, less the cost of their place in the language."""

    score: float
    pieces: Conditions


class Ground:
    """What a conjunction is fitted on: the active rows, and how many of them were expected to fail."""

    def __init__(self, rows: Rows, active: Bools, expected: Floats, axes: int) -> None:
        self.rows = rows
        self.active = active
        self.expected = expected
        self.axes = axes
        self.all = rows.tally(active, expected)

    def inside(self, pieces: Conditions) -> Bools:
        return self.rows.holds(pieces, self.active)

    def gains(self, counts: Counts) -> Floats:
        return gain(counts.failed, counts.rows, counts.expected, *self.all)

    def score(self, pieces: Conditions) -> float:
        t = self.rows.tally(self.inside(pieces), self.expected)
        one = Counts(np.array([t.failed]), np.array([t.rows]), np.array([t.expected]))
        return float(self.gains(one)[0]) - self.cost(pieces)

    def cost(self, pieces: Conditions) -> float:
        return arity_cost(self.axes, len(pieces)) + sum(piece.cost for piece in pieces)

    def beside(self, pieces: Conditions, place: int, ) -> Counts:
        """Tallies by cell of one condition's axis, among the rows that fulfil the others."""
        piece = pieces[place]
        others = self.inside(pieces[:place] + pieces[place + 1 :])
        return self.rows.histogram(piece.codes, piece.axis.cells, others, self.expected)

    def polish(self, pieces: Conditions) -> Fit:
        """Move each condition's thresholds (or label) to the best place given the others, until none moves."""
        for _ in range(SWEEPS):
            before = pieces
            for i in range(len(pieces)):
                moved = self.best_run(pieces[i], self.beside(pieces, i))
                pieces = (*pieces[:i], moved, *pieces[i + 1 :])
            if len(pieces) == 1 or all(_same(a, b) for a, b in zip(before, pieces, strict=True)):
                break
        return Fit(self.score(pieces), pieces)

    def best_run(self, piece: Piece, cells: Counts) -> Piece:
        if piece.axis.kind == "category":
            best = int(np.argmax(self.gains(cells)))
            return piece.moved(best, best + 1)
        for _ in range(2):
            moved = self._best_low(self._best_high(piece, cells), cells)
            if _same(moved, piece):
                break
            piece = moved
        return piece

    def _best_high(self, piece: Piece, cells: Counts) -> Piece:
        """The best end for the run's start (going round for hours)."""
        starts = np.full(_reach(piece), piece.low)
        return self._best(piece, cells, starts, piece.low + 1 + np.arange(_reach(piece)))

    def _best_low(self, piece: Piece, cells: Counts) -> Piece:
        """The best start for the run's end."""
        count = piece.axis.cells
        if piece.axis.kind == "hour":
            starts = piece.high + np.arange(count)
            return self._best(piece, cells, starts, np.full(count, piece.high + count))
        return self._best(piece, cells, np.arange(piece.high), np.full(piece.high, piece.high))

    def _best(self, piece: Piece, cells: Counts, starts: Ints, ends: Ints) -> Piece:
        scores = self.gains(_runs(cells, starts, ends)) - _costs(piece, starts, ends)
        best = int(np.argmax(scores))
        return piece.moved(*_wrapped(int(starts[best]), int(ends[best]), piece.axis.cells))


def _reach(piece: Piece) -> int:
    return piece.axis.cells if piece.axis.kind == "hour" else piece.axis.cells - piece.low


def _runs(cells: Counts, starts: Ints, ends: Ints) -> Counts:
    """Tallies of the runs [start, end) of cells, counted round past the last cell."""

    def between(values: Floats) -> Floats:
        total = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values]))])
        return total[ends] - total[starts]

    return Counts(between(cells.failed), between(cells.rows), between(cells.expected))


def _costs(piece: Piece, starts: Ints, ends: Ints) -> Floats:
    """Cost of each run; a run over all cells is no condition."""
    count = piece.axis.cells
    touching = (starts % count == 0) | (ends % count == 0)
    costs = np.where(touching, piece.axis.cost(0, 1), _two_sided_cost(piece))
    return np.where(ends - starts >= count, -IMPOSSIBLE, costs)


def _two_sided_cost(piece: Piece) -> float:
    return piece.axis.cost(1, 2) if piece.axis.cells > 2 else -IMPOSSIBLE


def _wrapped(start: int, end: int, count: int) -> tuple[int, int]:
    """(low, high) of a run that may have been counted past the last cell."""
    low = start % count
    high = end - (start - low)
    return (low, high) if high <= count else (low, high - count)


def _same(a: Piece, b: Piece) -> bool:
    return (a.low, a.high) == (b.low, b.high)
