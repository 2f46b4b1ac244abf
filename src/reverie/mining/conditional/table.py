"""What the rule miner eats: columns of mixed kinds, with missing values, side by side."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.domain.errors import UsageError
from reverie.domain.events import Scalar
from reverie.mining.conditional.arrays import Floats, Ints

__all__ = ["Column", "Kind", "Table", "codes_of"]

Kind: TypeAlias = Literal["category", "number", "hour"]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One attribute of all rows.

    ``values`` of a category are indices into ``labels`` (−1: missing); of a number, floats (NaN: missing);
    of an hour, hours of the day as floats, taken modulo 24. A missing value fulfils no condition.
    ``known_before`` is False for what may be a consequence of the outcome (durations, retries): such a
    column is not mined, because no test of association is valid for it. None means "not known": the
    column is mined unless it merely restates the target.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    labels: tuple[Scalar, ...] = ()
    known_before: bool | None = True

    @classmethod
    def category(cls, name: str, values: Sequence[Scalar], known_before: bool | None = True) -> Column:
        """A categorical column from its values; None is missing."""
        present = sorted({v for v in values if v is not None}, key=_label_order)
        index: dict[Scalar, int] = {label: i for i, label in enumerate(present)}
        index[None] = -1
        codes = np.fromiter((index[v] for v in values), dtype=np.int32, count=len(values))
        return cls(name, "category", codes, tuple(present), known_before)

    @classmethod
    def number(cls, name: str, values: Sequence[float | None], known_before: bool | None = True) -> Column:
        """A numeric column; None, NaN and infinities are missing."""
        return cls(name, "number", _floats(values), (), known_before)

    @classmethod
    def hour(cls, name: str, values: Sequence[float | None], known_before: bool | None = True) -> Column:
        """Hours of the day in [0, 24), where 23 lies beside 0; None is missing."""
        return cls(name, "hour", _floats(values), (), known_before)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length. Names must differ.

    Raises:
        UsageError: lengths differ, or two columns share a name.
    """

    columns: tuple[Column, ...]
    rows: int

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise UsageError(f"two columns share a name: {', '.join(twice)}", where="Table")
        for column in self.columns:
            if len(column.values) != self.rows:
                what = f"column {column.name!r} has {len(column.values)} values for {self.rows} rows"
                raise UsageError(what, where="Table")

    @classmethod
    def of(cls, columns: Sequence[Column]) -> Table:
        """A table as long as its first column (no columns: no rows)."""
        return cls(tuple(columns), len(columns[0].values) if columns else 0)

    @classmethod
    def from_values(cls, values: Mapping[str, Sequence[Scalar]], hours: Sequence[str] = ()) -> Table:
        """Kinds by inspection: ``hours`` names the hours; all-numeric columns are numbers, the rest categories."""
        return cls.of([_guess(name, column, name in hours) for name, column in values.items()])


def codes_of(values: Sequence[Hashable] | NDArray[Any] | None, rows: int, what: str) -> Ints | None:
    """Dense integer codes of any labels, in order of first appearance; None stays None.

    A missing label (None) is a group of its own: rows of unknown users count as one user.

    Raises:
        UsageError: as many labels as rows are needed.
    """
    if values is None:
        return None
    if len(values) != rows:
        raise UsageError(f"{len(values)} {what} for {rows} rows", where="mine_rules")
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        _, codes = np.unique(values, return_inverse=True)
        return codes.astype(np.int32)
    index: dict[Hashable, int] = {}
    return np.fromiter((index.setdefault(v, len(index)) for v in values), dtype=np.int32, count=rows)


def _floats(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _label_order(label: Scalar) -> tuple[str, str]:
    return (type(label).__name__, str(label))


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _guess(name: str, values: Sequence[Scalar], is_hour: bool) -> Column:
    present = [v for v in values if v is not None]
    if present and all(_is_number(v) for v in present):
        numbers: list[float | None] = [None if v is None else float(v) for v in values]
        return Column.hour(name, numbers) if is_hour else Column.number(name, numbers)
    return Column.category(name, [v if v is None or isinstance(v, bool) else str(v) for v in values])
