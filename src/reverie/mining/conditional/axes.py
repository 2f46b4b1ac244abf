"""Axes: each column as at most 250 cells in one byte, and the cells' place in the language searched.

A cell is a category or a range between two observed values; a condition is a run of cells ``[low, high)``
(an arc that may pass midnight for hours). Cuts of a long numeric column are quantiles of a sample chosen
by a hash of the row's number, so that they do not depend on how the rows are partitioned.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb, log
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.domain.events import Scalar
from reverie.mining.conditional.table import Column, Kind

__all__ = ["MAX_CELLS", "NO_CELL", "Axis", "Cond", "NotMined", "encode", "row_hash"]

MAX_CELLS: Final = 250
MAX_LABELS: Final = 40
NO_CELL: Final = 255
SAMPLED_VALUES: Final = 65_536
LANGUAGE_CUTS: Final = 15
SEARCH_CUTS: Final = 5

Bytes: TypeAlias = NDArray[np.uint8]
Bools: TypeAlias = NDArray[np.bool_]

_NO_FLOORS: Final = np.empty(0, dtype=np.float64)
_NO_LOOKUP: Final = np.empty(0, dtype=np.uint8)


class Cond(NamedTuple):
    """Cells ``low`` ≤ cell < ``high`` of axis ``axis``; on an hour, ``low`` > ``high`` passes midnight."""

    axis: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class NotMined:
    """An attribute (or values of it) that was left out, and why."""

    attribute: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """One column in cells.

    ``floors`` holds the smallest value of each cell (numbers and hours), ``labels`` the cells' labels
    (categories), ``lookup`` the cell of each column code (the last entry: missing). ``coarse`` are the cuts (a cut c lies below cell c) of the language, ``scout`` those
    that the first search uses.
    """

    name: str
    kind: Kind
    cells: int
    floors: NDArray[np.float64]
    labels: tuple[Scalar, ...]
    lookup: Bytes
    coarse: tuple[int, ...]
    scout: tuple[int, ...]

    def codes(self, values: NDArray[Any]) -> Bytes:
        """Cells of raw values; NO_CELL for what is missing or was left out."""
        if self.kind == "category":
            return self.lookup[values]
        clean = _clean(values, self.kind)
        codes = np.searchsorted(self.floors, clean, side="right") - 1
        codes = np.clip(codes, 0, self.cells - 1).astype(np.uint8)
        codes[np.isnan(clean)] = NO_CELL
        return codes

    def holds(self, codes: Bytes, low: int, high: int) -> Bools:
        """The rows whose cell lies in the run [low, high) (bytes wrap around: one comparison)."""
        if low < high:
            return (codes - np.uint8(low)) < np.uint8(high - low)
        return (codes < high) | ((codes >= low) & (codes < self.cells))

    def conditions(self, cuts: tuple[int, ...]) -> list[tuple[int, int]]:
        """All runs of cells between cuts (all labels of a category)."""
        if self.kind == "category":
            return [(i, i + 1) for i in range(self.cells)]
        edges = (0, *cuts, self.cells)
        runs = [(a, b) for a, b in combinations(edges, 2) if (a, b) != (0, self.cells)]
        if self.kind == "hour":
            runs += [(b, a) for a, b in combinations(cuts, 2)]
        return runs

    def one_sided(self, low: int, high: int) -> bool:
        return self.kind != "category" and (low == 0 or high == self.cells)

    @property
    def size(self) -> int:
        """How many conditions the language has on this axis."""
        if self.kind == "category":
            return self.cells
        cuts = len(self.coarse)
        return 2 * cuts + comb(cuts, 2) * (2 if self.kind == "hour" else 1)

    def cost(self, low: int, high: int) -> float:
        """−ln of the condition's share of this axis' error budget: half goes to one-sided conditions."""
        if self.kind == "category":
            return log(self.cells)
        cuts = len(self.coarse)
        if cuts == 1:
            return log(2)
        sides = 2 * cuts
        return log(2 * (sides if self.one_sided(low, high) else self.size - sides))


def row_hash(rows: int) -> NDArray[np.uint64]:
    """A fixed scramble of row numbers (splitmix64), so that a sample is the same however rows are split."""
    x = np.arange(1, rows + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def encode(column: Column, enough: int, sampled: NDArray[np.int64]) -> tuple[Axis | None, list[NotMined]]:
    """The axis of a column, or why there is none.

    ``enough`` is the number of rows below which a label could not be claimed even if all of its rows
    failed; such labels are not in the language. ``sampled`` are row numbers for the quantiles.
    """
    if column.known_before is False:
        return None, [NotMined(column.name, "may be a consequence of the outcome, so no test of it is valid")]
    if column.kind == "category":
        return _categories(column, enough)
    return _ranges(column, enough, sampled)


def _categories(column: Column, enough: int) -> tuple[Axis | None, list[NotMined]]:
    present = column.values[column.values >= 0]
    if not len(present):
        return None, [NotMined(column.name, "no value in any row")]
    counts = np.bincount(present, minlength=len(column.labels))
    distinct = int((counts > 0).sum())
    if distinct == 1 and len(present) == len(column.values):
        return None, [NotMined(column.name, "the same value in every row")]
    frequent = np.flatnonzero((counts >= enough) & (counts < len(column.values)))
    if not len(frequent):
        return None, [NotMined(column.name, f"none of its {distinct} values occurs in {enough} rows or more")]
    kept = frequent[np.argsort(-counts[frequent], kind="stable")][:MAX_LABELS]
    lookup = np.full(len(column.labels) + 1, NO_CELL, dtype=np.uint8)
    lookup[kept] = np.arange(len(kept))
    labels = tuple(column.labels[int(i)] for i in kept)
    left_out = distinct - len(kept)
    notes = [NotMined(column.name, f"{left_out} rarer values of {distinct} were left out")] if left_out else []
    return Axis(column.name, "category", len(kept), _NO_FLOORS, labels, lookup, (), ()), notes


def _ranges(column: Column, enough: int, sampled: NDArray[np.int64]) -> tuple[Axis | None, list[NotMined]]:
    values = _clean(column.values, column.kind)
    notes = _infinities(column)
    sample = np.sort(values[sampled])
    sample = sample[~np.isnan(sample)]
    if len(sample) < 2 * enough:
        return None, [*notes, NotMined(column.name, f"a value in fewer than {2 * enough} rows")]
    floors, starts = np.unique(sample, return_index=True)
    if len(floors) == 1:
        return None, [*notes, NotMined(column.name, "the same value in every row")]
    if len(floors) > MAX_CELLS:
        picked = sample[(np.arange(1, MAX_CELLS) * len(sample)) // MAX_CELLS]
        floors = np.unique(np.append(picked, sample[0]))
        starts = np.searchsorted(sample, floors)
    coarse = _spread(starts, len(sample), LANGUAGE_CUTS)
    scout = _spread(starts, len(sample), SEARCH_CUTS)
    if not coarse:
        return None, [*notes, NotMined(column.name, "nearly the same value in every row")]
    return Axis(column.name, column.kind, len(floors), floors, (), _NO_LOOKUP, coarse, scout), notes


def _infinities(column: Column) -> list[NotMined]:
    endless = int(np.isinf(column.values).sum())
    return [NotMined(column.name, f"{endless} values that are not finite were left out")] if endless else []


def _clean(values: NDArray[Any], kind: Kind) -> NDArray[np.float64]:
    clean = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    return clean % 24.0 if kind == "hour" else clean


def _spread(starts: NDArray[np.int64], total: int, cuts: int) -> tuple[int, ...]:
    """At most ``cuts`` cells whose lower edges part the sample into about equal shares."""
    goals = np.arange(1, cuts + 1) * total / (cuts + 1)
    right = np.clip(np.searchsorted(starts, goals), 1, len(starts) - 1)
    nearer_left = (right > 1) & (goals - starts[right - 1] < starts[right] - goals)
    return tuple(int(c) for c in np.unique(right - nearer_left))
