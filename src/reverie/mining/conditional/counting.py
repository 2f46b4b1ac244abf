"""Counting: failures, rows and expected failures, added up partition by partition.

Every count is an integer or a sum of multiples of 2⁻²⁶ (see offsets), so partitions of any size, counted
anywhere and added in any order, give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional.axes import Axis, Bools, Bytes

__all__ = ["Conditions", "Counts", "Piece", "Rows", "Tally"]

Floats: TypeAlias = NDArray[np.float64]


class Tally(NamedTuple):
    """``failed`` of ``rows`` where ``expected`` failures were expected."""

    failed: int
    rows: int
    expected: float


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Tallies in an array of any shape: cells of an axis, or of several axes crossed. They add."""

    failed: Floats
    rows: Floats
    expected: Floats

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.failed + other.failed, self.rows + other.rows, self.expected + other.expected)

    @classmethod
    def of(cls, index: NDArray[np.integer], failed: Bools, expected: Floats, size: int) -> Counts:
        """One row per index, counted into ``size`` bins."""
        return cls(
            np.bincount(index[failed], minlength=size)[:size].astype(np.float64),
            np.bincount(index, minlength=size)[:size].astype(np.float64),
            np.bincount(index, weights=expected, minlength=size)[:size],
        )

    def total(self) -> Tally:
        return Tally(int(self.failed.sum()), int(self.rows.sum()), float(self.expected.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A condition with what it takes to evaluate it: cells ``low`` ≤ cell < ``high`` of these codes.

    ``place`` is the number of the axis in the language; ``axis`` may be a zoomed version of that axis.
    """

    place: int
    axis: Axis
    codes: Bytes
    low: int
    high: int

    @property
    def cost(self) -> float:
        return self.axis.cost(self.low, self.high)

    def moved(self, low: int, high: int) -> Piece:
        return Piece(self.place, self.axis, self.codes, low, high)


Conditions: TypeAlias = tuple[Piece, ...]


class Rows:
    """All rows of a table (or of a sample of it) in partitions."""

    def __init__(self, failed: Bools, partition: int) -> None:
        self.failed = failed
        self._partition = partition

    def parts(self) -> Iterator[slice]:
        for start in range(0, len(self.failed), self._partition):
            yield slice(start, start + self._partition)

    def holds(self, pieces: Sequence[Piece], within: Bools) -> Bools:
        """The rows of ``within`` that fulfil all conditions."""
        result = within.copy()
        for part in self.parts():
            rows = result[part]
            for piece in pieces:
                rows &= piece.axis.holds(piece.codes[part], piece.low, piece.high)
        return result

    def tally(self, inside: Bools, expected: Floats) -> Tally:
        failed = rows = 0
        foreseen = 0.0
        for part in self.parts():
            mine = inside[part]
            rows += int(np.count_nonzero(mine))
            failed += int(np.count_nonzero(mine & self.failed[part]))
            foreseen += float(expected[part][mine].sum())
        return Tally(failed, rows, foreseen)

    def histogram(self, codes: Bytes, cells: int, inside: Bools, expected: Floats) -> Counts:
        """Tallies by cell of one axis among the rows ``inside``."""
        total: Counts | None = None
        for part in self.parts():
            chosen = np.flatnonzero(inside[part])
            mine = Counts.of(codes[part][chosen], self.failed[part][chosen], expected[part][chosen], cells)
            total = mine if total is None else total + mine
        assert total is not None
        return total

    def cube(self, axes: Sequence[tuple[NDArray[np.uint8], Bytes, int]], inside: Bools, expected: Floats) -> Counts:
        """Tallies by the cells of up to three axes crossed, each given as (cell of code, codes, cells)."""
        shape = tuple(size for _, _, size in axes)
        total: Counts | None = None
        for part in self.parts():
            chosen = np.flatnonzero(inside[part])
            index = np.zeros(len(chosen), dtype=np.int32)
            for cell_of, codes, size in axes:
                index *= size
                index += cell_of[codes[part][chosen]]
            mine = Counts.of(index, self.failed[part][chosen], expected[part][chosen], int(np.prod(shape)))
            total = mine if total is None else total + mine
        assert total is not None
        return Counts(*(a.reshape(shape) for a in (total.failed, total.rows, total.expected)))

