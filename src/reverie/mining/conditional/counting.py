"""Counting: failures, rows and expected failures, added up partition by partition.

Every count is an integer or a sum of multiples of 2⁻²⁶ (see offsets), so partitions of any size, counted
anywhere and added in any order, give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional.arrays import Bools, Bytes, Floats, Ints
from reverie.mining.conditional.axes import Axis

__all__ = ["Conditions", "Counts", "Crossed", "Piece", "Rows", "Tally", "runs_of"]


class Tally(NamedTuple):
    """``failed`` of ``rows`` where ``expected`` failures were expected."""

    failed: int
    rows: int
    expected: float


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Tallies in an array of any shape: cells of an axis, or of several axes crossed. They add.

    ``sums`` has a first axis of three: failed, rows, expected.
    """

    sums: Floats

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.sums + other.sums)

    @property
    def failed(self) -> Floats:
        return self.sums[0]

    @property
    def rows(self) -> Floats:
        return self.sums[1]

    @property
    def expected(self) -> Floats:
        return self.sums[2]

    @classmethod
    def none(cls) -> Counts:
        return cls(np.zeros((3, 1)))

    @classmethod
    def one(cls, tally: Tally) -> Counts:
        return cls(np.array(tally, dtype=np.float64)[:, None])

    @classmethod
    def of(cls, index: Ints, failed: Bools, expected: Floats, size: int) -> Counts:
        """One row per index, counted into ``size`` bins (what lies beyond them is left out)."""
        places = index.astype(np.intp)
        sums = np.empty((3, size))
        sums[0] = np.bincount(places[failed], minlength=size)[:size]
        sums[1] = np.bincount(places, minlength=size)[:size]
        sums[2] = np.bincount(places, weights=expected, minlength=size)[:size]
        return cls(sums)

    def part(self, start: int, end: int | None) -> Counts:
        return Counts(self.sums[:, start:end])

    def total(self) -> Tally:
        failed, rows, expected = self.sums.reshape(3, -1).sum(axis=1)
        return Tally(int(failed), int(rows), float(expected))


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A condition with what it takes to evaluate it: cells ``low`` ≤ cell < ``high`` of these codes.

    ``place`` is the number of the axis in the sheet.
    """

    place: int
    axis: Axis
    codes: Bytes
    low: int
    high: int

    @property
    def cost(self) -> float:
        return self.axis.cost(self.low, self.high)

    @property
    def keep(self) -> float:
        return float(self.axis.keeps(np.array([self.low]), np.array([self.axis.end(self.low, self.high)]))[0])

    def moved(self, low: int, high: int) -> Piece:
        return Piece(self.place, self.axis, self.codes, low, high)


Conditions: TypeAlias = tuple[Piece, ...]


class Crossed(NamedTuple):
    """An axis of a cube: codes, the cube's cell of each code, and how many cells there are."""

    codes: Bytes
    cell_of: Bytes
    cells: int


class Rows:
    """All rows of a table (or of a sample of it) in partitions."""

    def __init__(self, failed: Bools, partition: int) -> None:
        self.failed = failed
        self._partition = partition

    def __len__(self) -> int:
        return len(self.failed)

    def sampled(self, chosen: Ints) -> Rows:
        return Rows(self.failed[chosen], self._partition)

    def parts(self) -> Iterator[slice]:
        for start in range(0, len(self.failed), self._partition):
            yield slice(start, start + self._partition)

    def encoded(self, axis: Axis, values: NDArray[Any]) -> Bytes:
        """The cells of a whole column."""
        return np.concatenate([axis.codes(values[part]) for part in self.parts()])

    def holds(self, pieces: Sequence[Piece], within: Bools) -> Bools:
        """The rows of ``within`` that fulfil all conditions."""
        result = within.copy()
        for part in self.parts():
            rows = result[part]
            for piece in pieces:
                rows &= piece.axis.holds(piece.codes[part], piece.low, piece.high)
        return result

    def tally(self, inside: Bools, expected: Floats) -> Tally:
        return self._added(inside, lambda failed, mine: _tallied(failed, expected[mine])).total()

    def histogram(self, codes: Bytes, cells: int, inside: Bools, expected: Floats) -> Counts:
        """Tallies by cell of one axis among the rows ``inside``."""
        return self._added(inside, lambda failed, mine: Counts.of(codes[mine], failed, expected[mine], cells))

    def cube(self, axes: Sequence[Crossed], inside: Bools, expected: Floats) -> Counts:
        """Tallies by the cells of several axes crossed."""
        shape = tuple(axis.cells for axis in axes)

        def counted(failed: Bools, mine: Ints) -> Counts:
            index = np.zeros(len(mine), dtype=np.int32)
            for axis in axes:
                index *= axis.cells
                index += axis.cell_of[axis.codes[mine]]
            return Counts.of(index, failed, expected[mine], int(np.prod(shape)))

        return Counts(self._added(inside, counted).sums.reshape(3, *shape))

    def _added(self, inside: Bools, count: Callable[[Bools, Ints], Counts]) -> Counts:
        """Counts of each partition's rows ``inside``, added up."""
        total: Counts | None = None
        for part in self.parts():
            mine = np.flatnonzero(inside[part]) + part.start
            counts = count(self.failed[mine], mine)
            total = counts if total is None else total + counts
        return Counts.none() if total is None else total


def _tallied(failed: Bools, expected: Floats) -> Counts:
    return Counts(np.array([[float(np.count_nonzero(failed))], [float(len(failed))], [expected.sum()]]))


def runs_of(cells: Counts, starts: Ints, ends: Ints, round_trip: bool = True) -> Counts:
    """Tallies of the runs [start, end) of cells; ``round_trip``: an end past the last cell goes round."""
    sums = np.concatenate([cells.sums, cells.sums], axis=1) if round_trip else cells.sums
    upto = np.zeros((3, sums.shape[1] + 1))
    np.cumsum(sums, axis=1, out=upto[:, 1:])
    return Counts(upto[:, ends] - upto[:, starts])
