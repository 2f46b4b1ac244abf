"""Rows here beside rows elsewhere, as 2 × 2 tables of successes: over all, and within groups."""

from __future__ import annotations

import numpy as np

from reverie.mining.conditional.arrays import Bools, Ints
from reverie.mining.conditional.report import Share
from reverie.mining.statistics import Table

__all__ = ["share", "table", "tables_within"]


def share(failed: Bools, rows: Bools) -> Share:
    """How many of ``rows`` failed."""
    return Share(int(np.count_nonzero(rows & failed)), int(np.count_nonzero(rows)))


def table(here: Share, there: Share) -> Table:
    """Successes here and there."""
    return Table(here.rows - here.failed, here.rows, there.rows - there.failed, there.rows)


def tables_within(groups: Ints, failed: Bools, here: Bools, there: Bools) -> list[Table]:
    """Successes here and there in each group (``groups`` are codes from 0) that has rows of both."""
    size = int(groups.max(initial=-1)) + 1

    def counts(chosen: Bools) -> Ints:
        return np.bincount(groups[chosen], minlength=size)

    n, m = counts(here), counts(there)
    a, b = counts(here & ~failed), counts(there & ~failed)
    return [Table(int(a[i]), int(n[i]), int(b[i]), int(m[i])) for i in np.flatnonzero((n > 0) & (m > 0))]
