"""Axes: each column as at most 250 cells in one byte, and the cells' place in the language searched.

A cell is a category or a range between two observed values; a condition is a run of cells ``[low, high)``
(an arc that may pass midnight for hours). Cuts of a long numeric column are quantiles of a sample chosen
by a hash of the row's number, so that they do not depend on how the rows are partitioned.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reverie.domain.events import Scalar
from reverie.mining.conditional.arrays import Bools, Bytes, Floats, Ints
from reverie.mining.conditional.language import Language, language_of_labels, language_of_runs
from reverie.mining.conditional.table import Column, Kind

__all__ = ["MAX_CELLS", "NO_CELL", "Axis", "Cond", "NotMined", "clean_values", "encode", "row_hash"]

MAX_CELLS: Final = 250
MAX_LABELS: Final = 40
NO_CELL: Final = 255
SAMPLED_VALUES: Final = 65_536
SECOND_BOUND: Final = 6.3  # ln(26 places · 20)
SCOUT_CUTS: Final = (0.06, 0.2, 0.4, 0.6, 0.8, 0.94)


def _cell_shares() -> Floats:
    """Shares of rows at which cells begin: evenly in the middle, in steps of a tenth towards either end.

    What a threshold must be precise to is the support it leaves, so ends need finer cells.
    """
    tail = 0.12 * 0.92 ** np.arange(45)
    middle = np.linspace(0.12, 0.88, MAX_CELLS - 1 - 2 * 44)
    return np.unique(np.concatenate([tail, middle, 1 - tail]))


_CELL_SHARES: Final = _cell_shares()
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
    (categories), ``lookup`` the cell of each column code (the last entry: missing). ``shares`` are the
    cells' shares of the present rows, ``scout`` the cuts (a cut c lies below cell c) of the first search.
    """

    name: str
    kind: Kind
    cells: int
    floors: Floats
    labels: tuple[Scalar, ...]
    lookup: Bytes
    scout: tuple[int, ...]
    language: Language

    def codes(self, values: NDArray[Any]) -> Bytes:
        """Cells of clean values (of column codes for a category); NO_CELL for what is missing or left out."""
        if self.kind == "category":
            return self.lookup[values]
        codes = np.searchsorted(self.floors[1:], values, side="right").astype(np.uint8)
        codes[np.isnan(values)] = NO_CELL
        return codes

    def holds(self, codes: Bytes, low: int, high: int) -> Bools:
        """The rows whose cell lies in the run [low, high) (bytes wrap around: one comparison)."""
        if low < high:
            return (codes - np.uint8(low)) < np.uint8(high - low)
        return (codes < high) | ((codes >= low) & (codes < self.cells))

    def scouted(self) -> list[tuple[int, int]]:
        """The conditions of the first search: runs between scout cuts (all labels of a category)."""
        if self.kind == "category":
            return [(i, i + 1) for i in range(self.cells)]
        edges = (0, *self.scout, self.cells)
        runs = [(a, b) for a, b in combinations(edges, 2) if (a, b) != (0, self.cells)]
        if self.kind == "hour":
            runs += [(b, a) for a, b in combinations(self.scout, 2)]
        return runs

    def end(self, low: int, high: int) -> int:
        """The end of a run counted on past the last cell where it passes midnight."""
        return high if low < high else high + self.cells

    def cost(self, low: int, high: int) -> float:
        """−ln of the share of this axis' error budget that a run of this shape and length has."""
        return float(self.language.costs(np.array([low]), np.array([self.end(low, high)]))[0])

    def keeps(self, starts: Ints, ends: Ints) -> Floats:
        """Costs of runs, where a second bound of a number must at least earn what the exam will ask of it."""
        costs = self.language.costs(starts, ends)
        if self.kind == "number":
            two_sided = (starts > 0) & (ends < self.cells)
            costs[two_sided] = np.maximum(costs[two_sided], self.language.one_sided + SECOND_BOUND)
        return costs


def row_hash(rows: int) -> NDArray[np.uint64]:
    """A fixed scramble of row numbers (splitmix64), so that a sample is the same however rows are split."""
    x = np.arange(1, rows + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def encode(column: Column, enough: int, sampled: Ints) -> tuple[Axis | None, list[NotMined]]:
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
    notes = (
        [NotMined(column.name, f"{left_out} rarer values of {distinct} were left out")] if left_out else []
    )
    return Axis(
        column.name, "category", len(kept), _NO_FLOORS, labels, lookup, (), language_of_labels(len(kept))
    ), notes


def _ranges(column: Column, enough: int, sampled: Ints) -> tuple[Axis | None, list[NotMined]]:
    notes = _infinities(column)
    sample = np.sort(_clean(column.values[sampled], column.kind))
    sample = sample[~np.isnan(sample)]
    if len(sample) < 2 * enough:
        return None, [*notes, NotMined(column.name, f"a value in fewer than {2 * enough} rows")]
    floors, starts = np.unique(sample, return_index=True)
    if len(floors) == 1:
        return None, [*notes, NotMined(column.name, "the same value in every row")]
    if len(floors) > MAX_CELLS:
        floors = np.unique(sample[np.append(0, (_CELL_SHARES * len(sample)).astype(np.int64))])
        starts = np.searchsorted(sample, floors)
    below = np.append(starts, len(sample)) / len(sample)
    scout = _spread(below)
    language = language_of_runs(below, round_trip=column.kind == "hour")
    return Axis(column.name, column.kind, len(floors), floors, (), _NO_LOOKUP, scout, language), notes


def _infinities(column: Column) -> list[NotMined]:
    endless = int(np.isinf(column.values).sum())
    return [NotMined(column.name, f"{endless} values that are not finite were left out")] if endless else []


def clean_values(column: Column) -> Floats | None:
    """A numeric column with NaN for what is not finite, hours in [0, 24); None for a category."""
    return None if column.kind == "category" else _clean(column.values, column.kind)


def _clean(values: NDArray[Any], kind: Kind) -> Floats:
    """The same array where nothing is to be cleaned."""
    finite = values if not np.isinf(values).any() else np.where(np.isinf(values), np.nan, values)
    if kind == "hour" and np.any((finite < 0.0) | (finite >= 24.0)):
        return np.where(finite % 24.0 >= 24.0, 0.0, finite % 24.0)
    return finite


def _spread(below: Floats) -> tuple[int, ...]:
    """Cells whose lower edges come nearest to the scout's shares of rows."""
    inner = below[1:-1]
    return tuple(int(c) for c in np.unique([1 + np.argmin(np.abs(inner - q)) for q in SCOUT_CUTS]))
