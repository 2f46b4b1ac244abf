"""Attributes that only restate the outcome: a status code, an error flag. They explain nothing."""

from __future__ import annotations

from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools
from reverie.mining.conditional.axes import NotMined, clean_values
from reverie.mining.conditional.scores import phi
from reverie.mining.conditional.table import Column, Table

__all__ = ["RESTATING", "restating_columns"]

RESTATES: Final = 0.95
RESTATING: Final = "restates the outcome"


def restating_columns(table: Table, failed: Bools) -> tuple[Table, list[NotMined]]:
    """The table without columns that tell the outcome by themselves, and what was taken out.

    Only of columns that are not known to come before the outcome (``known_before`` None): whether one
    value, or one cut, agrees with the outcome almost perfectly (phi coefficient of at least 0.95).
    """
    kept: list[Column] = []
    taken: list[NotMined] = []
    for column in table.columns:
        if column.known_before is None and _agreement(column, failed) >= RESTATES:
            taken.append(NotMined(column.name, RESTATING))
        else:
            kept.append(column)
    return Table(tuple(kept), table.rows), taken


def _agreement(column: Column, failed: Bools) -> float:
    """The largest phi, in either direction, of one value (or of the rows below one cut) with the outcome."""
    values = clean_values(column)
    if values is None:
        present = column.values >= 0
        n = np.bincount(column.values[present], minlength=1).astype(np.float64)
        k = np.bincount(column.values[present & failed], minlength=len(n)).astype(np.float64)
    else:
        present = ~np.isnan(values)
        order = np.argsort(values[present], kind="stable")
        last = np.append(np.diff(values[present][order]) > 0, True)[: len(order)]
        n = np.arange(1.0, len(order) + 1)[last]
        k = np.cumsum(failed[present][order])[last].astype(np.float64)
    return float(np.abs(phi(k, n, float(failed.sum()), float(len(failed)))).max(initial=0.0))
