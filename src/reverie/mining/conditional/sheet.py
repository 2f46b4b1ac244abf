"""The encoded table: axes, one byte per row and axis, and the raw values that thresholds are read from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional.arrays import Bytes, Floats, Ints
from reverie.mining.conditional.axes import Axis, Cond, NotMined, clean_values, encode, row_hash
from reverie.mining.conditional.counting import Conditions, Piece, Rows
from reverie.mining.conditional.table import Table

__all__ = ["Conjunction", "Sheet", "conds_of", "encoded", "hashed_first"]

Conjunction: TypeAlias = tuple[Cond, ...]

SAMPLED_VALUES = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """Axes with their codes and clean raw values (None for categories), for all rows or a sample."""

    axes: tuple[Axis, ...]
    codes: tuple[Bytes, ...]
    values: tuple[Floats | None, ...]
    rows: Rows
    _ranked: dict[int, Floats] = field(default_factory=dict[int, Floats])

    def pieces(self, conds: Iterable[Cond]) -> Conditions:
        return tuple(Piece(c.axis, self.axes[c.axis], self.codes[c.axis], c.low, c.high) for c in conds)

    def ranked(self, place: int) -> Floats:
        """Present values of a numeric column in order: all, or those of a sample (kept for the next time)."""
        if place not in self._ranked:
            values = self.values[place]
            assert values is not None
            chosen = values[_sampled(len(values))]
            self._ranked[place] = np.sort(chosen[~np.isnan(chosen)])
        return self._ranked[place]

    def sampled(self, chosen: Ints) -> Sheet:
        codes = tuple(codes[chosen] for codes in self.codes)
        values = tuple(None if v is None else v[chosen] for v in self.values)
        return Sheet(self.axes, codes, values, self.rows.sampled(chosen))


def conds_of(pieces: Conditions) -> Conjunction:
    """The conditions of pieces, in order of their axes."""
    return tuple(sorted(Cond(p.place, p.low, p.high) for p in pieces))


def encoded(table: Table, rows: Rows, enough: int) -> tuple[Sheet, list[NotMined]]:
    """The sheet of a table, and what could not be encoded."""
    sampled = _sampled(table.rows)
    axes: list[Axis] = []
    codes: list[Bytes] = []
    values: list[Floats | None] = []
    left_out: list[NotMined] = []
    for column in table.columns:
        axis, notes = encode(column, enough, sampled)
        left_out += notes
        if axis is None:
            continue
        clean = clean_values(column)
        axes.append(axis)
        values.append(clean)
        codes.append(rows.encoded(axis, column.values if clean is None else clean))
    return Sheet(tuple(axes), tuple(codes), tuple(values), rows), left_out


def hashed_first(chosen: Ints, hashes: NDArray[np.uint64], count: int) -> Ints:
    """The ``count`` rows of ``chosen`` with the smallest hashes, in row order."""
    if len(chosen) <= count:
        return chosen
    nearest = np.argpartition(hashes[chosen], count - 1)[:count]
    return np.sort(chosen[nearest])


@lru_cache(maxsize=2)
def _sampled(rows: int) -> Ints:
    """Which rows stand for all when values are ranked: the same however the table is split."""
    if rows <= SAMPLED_VALUES:
        return np.arange(rows)
    return hashed_first(np.arange(rows), row_hash(rows), SAMPLED_VALUES)
