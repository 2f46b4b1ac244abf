"""Fitting a conjunction on cells: thresholds and labels by likelihood, one condition at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.counting import Conditions, Counts, Piece, Tally, runs_of
from reverie.mining.conditional.language import arity_cost
from reverie.mining.conditional.scores import gain
from reverie.mining.conditional.sheet import Sheet

__all__ = ["Fit", "Ground"]

SWEEPS: Final = 3
KEEP: Final = 3.0


@dataclass(frozen=True, slots=True)
class Fit:
    """Conditions and their score: log-likelihood gained, less what they must earn."""

    score: float
    pieces: Conditions

    @property
    def worth(self) -> float:
        """Log-likelihood gained, less the cost of their place in the language alone."""
        return self.score + KEEP * (len(self.pieces) - 1)


class Ground:
    """What a conjunction is fitted on: the active rows of a sheet, and what is expected of them."""

    def __init__(self, sheet: Sheet, active: Bools, expected: Floats) -> None:
        self.sheet = sheet
        self.rows = sheet.rows
        self.active = active
        self.expected = expected
        self.all = self.rows.tally(active, expected)

    def within(self, rows: Bools) -> Ground:
        """The same, with fewer active rows."""
        return Ground(self.sheet, self.active & rows, self.expected)

    def inside(self, pieces: Conditions) -> Bools:
        return self.rows.holds(pieces, self.active)

    def tally(self, inside: Bools) -> Tally:
        return self.rows.tally(inside, self.expected)

    def gains(self, counts: Counts) -> Floats:
        return gain(counts.failed, counts.rows, counts.expected, *self.all)

    def gain_of(self, tally: Tally) -> float:
        return float(self.gains(Counts.one(tally))[0])

    def cost(self, pieces: Conditions) -> float:
        """What a conjunction must gain: its place in the language, and each further condition its keep."""
        return self.place_cost(len(pieces)) + sum(piece.keep for piece in pieces)

    def place_cost(self, arity: int) -> float:
        return arity_cost(len(self.sheet.axes), arity) + KEEP * (arity - 1)

    def score(self, pieces: Conditions) -> float:
        return self.gain_of(self.tally(self.inside(pieces))) - self.cost(pieces)

    def polish(self, pieces: Conditions, sweeps: int = SWEEPS, reopen: bool = True) -> Fit:
        """Move each condition's thresholds (or label) to the best place given the others, until none moves.

        Without ``reopen`` a condition that has one threshold is not given a second.
        """
        keeps = [piece.keep for piece in pieces]
        place = self.place_cost(len(pieces))
        gained = 0.0
        for _ in range(sweeps):
            before = pieces
            for i, piece in enumerate(pieces):
                others = self.inside(pieces[:i] + pieces[i + 1 :])
                cells = self.rows.histogram(piece.codes, piece.axis.cells, others, self.expected)
                gained, keeps[i], moved = self._best_run(piece, cells, reopen)
                pieces = (*pieces[:i], moved, *pieces[i + 1 :])
            if len(pieces) == 1 or all(_same(a, b) for a, b in zip(before, pieces, strict=True)):
                break
        return Fit(gained - place - sum(keeps), pieces)

    def _best_run(self, piece: Piece, cells: Counts, reopen: bool) -> tuple[float, float, Piece]:
        """(gain, keep, condition) of the best run of the axis."""
        if piece.axis.kind == "category":
            labels = np.arange(piece.axis.cells)
            return self._best(piece, cells, labels, labels + 1)
        move_low, move_high = reopen or piece.low > 0, reopen or piece.high < piece.axis.cells
        best = (0.0, 0.0, piece)
        for _ in range(2):
            before = best[2]
            if move_high:
                best = self._best_high(best[2], cells)
            if move_low:
                best = self._best_low(best[2], cells)
            if _same(best[2], before):
                break
        return best

    def _best_high(self, piece: Piece, cells: Counts) -> tuple[float, float, Piece]:
        """The best end for the run's start (going round for hours)."""
        count = piece.axis.cells
        ends = piece.low + 1 + np.arange(count if piece.axis.kind == "hour" else count - piece.low)
        return self._best(piece, cells, np.full(len(ends), piece.low), ends)

    def _best_low(self, piece: Piece, cells: Counts) -> tuple[float, float, Piece]:
        """The best start for the run's end (going round for hours)."""
        count = piece.axis.cells
        if piece.axis.kind == "hour":
            return self._best(piece, cells, piece.high + np.arange(count), np.full(count, piece.high + count))
        return self._best(piece, cells, np.arange(piece.high), np.full(piece.high, piece.high))

    def _best(self, piece: Piece, cells: Counts, starts: Ints, ends: Ints) -> tuple[float, float, Piece]:
        keeps = piece.axis.keeps(starts, ends)
        gains = self.gains(runs_of(cells, starts, ends, piece.axis.kind == "hour"))
        best = int(np.argmax(gains - keeps))
        moved = piece.moved(*_wrapped(int(starts[best]), int(ends[best]), piece.axis.cells))
        return float(gains[best]), float(keeps[best]), moved


def _wrapped(start: int, end: int, count: int) -> tuple[int, int]:
    """(low, high) of a run that may have been counted past the last cell."""
    low = start % count
    high = end - (start - low)
    return (low, high) if high <= count else (low, high - count)


def _same(a: Piece, b: Piece) -> bool:
    return (a.low, a.high) == (b.low, b.high)
