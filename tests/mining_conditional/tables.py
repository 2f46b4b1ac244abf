"""Small tables with known causes for the tests of this folder."""

from __future__ import annotations

from typing import Any

import numpy as np

from reverie.mining.conditional import Column, Table

Columns = dict[str, list[Any]]


def noise(dice: np.random.Generator, rows: int, kinds: int = 5, numbers: int = 4) -> Columns:
    """Attributes that have nothing to do with anything."""
    columns: Columns = {}
    for i in range(kinds):
        columns[f"kind_{i}"] = [f"k{v}" for v in dice.integers(0, 3 + i, rows)]
    for i in range(numbers):
        columns[f"number_{i}"] = np.round(dice.lognormal(2, 1, rows), 2).tolist()
    return columns


def table_of(columns: Columns) -> Table:
    return Table.from_values(columns, hours=["hour"])


def named(result: Any) -> list[tuple[str, ...]]:
    """The attributes of each rule."""
    return [tuple(clause.attribute for clause in rule.clauses) for rule in result.rules]


def numbers(name: str, values: Any, **kwargs: Any) -> Column:
    return Column.number(name, list(values), **kwargs)
