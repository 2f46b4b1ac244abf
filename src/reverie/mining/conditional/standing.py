"""Attributes that stand for another: with which of two groups a row is from, one value or threshold tells."""

from __future__ import annotations

from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.table import Column

__all__ = ["stands_for"]

PARTED: Final = 0.9
"""Rows told rightly of either group, beyond chance (Youden's J)."""
LEAST_EACH: Final = 5
LEAST_OF_A_LABEL: Final = 3
"""What is rarer tells its own row apart, whatever it says."""


def stands_for(column: Column, groups: Ints) -> bool:
    """Whether an attribute tells apart groups that follow each other (codes in their order)."""
    return any(
        _parts(column, later)
        for code in np.unique(groups)[1:]
        if min(int((later := groups >= code).sum()), int((~later).sum())) >= LEAST_EACH
    )


def _parts(column: Column, later: Bools) -> bool:
    if column.kind == "category":
        return _by_label(column.values + 1, later) >= PARTED
    return _by_threshold(column.values.astype(np.float64), later) >= PARTED


def _by_label(codes: Ints, later: Bools) -> float:
    """Each label says the group that most of its rows are of; a missing value is a label."""
    many, few = (
        np.bincount(codes[later], minlength=codes.max() + 1),
        np.bincount(codes, minlength=codes.max() + 1),
    )
    says_later = (2 * many > few) & (few >= LEAST_OF_A_LABEL)
    says_earlier = (2 * many <= few) & (few >= LEAST_OF_A_LABEL)
    right, wrong = says_later[codes[later]].mean(), 1 - says_earlier[codes[~later]].mean()
    return float(right - wrong)


def _by_threshold(values: Floats, later: Bools) -> float:
    """The best single cut, either way (missing values lie below all others)."""
    order = np.argsort(np.where(np.isfinite(values), values, -np.inf), kind="stable")
    ranked = np.where(np.isfinite(values), values, -np.inf)[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    below = np.cumsum(later[order])[ends] / later.sum()
    other = np.cumsum(~later[order])[ends] / (~later).sum()
    return float(np.abs(below - other).max())
