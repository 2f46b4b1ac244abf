"""Prequential offsets: what one would have expected of each row, from earlier rows alone.

A row's expected failure probability is the recent rate of all rows, times its stratum's, its user's and its
session's own relative risk so far, each shrunk towards one (gamma-Poisson). All of it is settled before the row's
outcome, so observed − expected is a martingale difference for any attribute known before the outcome:
an unlucky user, a hard task or a bad week is expected to fail and proves nothing about its attributes.

Recent rates come from several windows, mixed by how well each predicted the last rows (Vovk's aggregating
rule over a sliding span), so that a steady rate is estimated from everything and an outage within dozens
of rows. They are brought up to date every few rows of a long table, not after each. Two constants come from
all rows at once: the overall rate, which is where windows start, and how much groups differ, which is how
soon a group's own record counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional.arrays import Bools, Floats, Ints

__all__ = ["GRAIN", "Guard", "guard_of"]

WINDOWS: Final = (64, 512, 4096)
SPAN: Final = 256
UPDATES: Final = 8_192
LONGEST_STEP: Final = 64
PRIOR_ROWS: Final = 8.0
HIGHEST: Final = 0.98
LOWEST: Final = 0.1  # of the overall rate
GRAIN: Final = float(1 << 26)
EVEN: Final = 1e6
"""The gamma shape of groups that do not differ."""


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Rows ordered by (group, time): ``order``, ``start`` of each row's group in it, ``edges`` of the groups."""

    order: Ints
    start: Ints
    edges: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """The rows' order in time, and how they are grouped. Without either rows are exchangeable."""

    rows: int
    order: Ints | None
    groups: tuple[_Groups, ...]

    @property
    def exchangeable(self) -> bool:
        """True when nothing is known that could make rows depend on each other."""
        return self.order is None

    def expected(self, failed: Bools, active: Bools) -> Floats:
        """Expected failure probability of every row, learned from ``active`` rows only.

        Values are multiples of 2⁻²⁶, so that sums of up to 2²⁷ of them are exact in any order.
        """
        n, k = int(np.count_nonzero(active)), int(np.count_nonzero(failed & active))
        overall = (k + 0.5) / (n + 1.0)
        if self.order is None:
            return np.full(self.rows, round(overall * GRAIN) / GRAIN)
        expected = _recent(self.order, failed, active, overall)
        for groups in self.groups:
            expected *= _relative_risk(groups, failed, active, expected)
            np.minimum(expected, HIGHEST, out=expected)
        np.maximum(expected, LOWEST * overall, out=expected)
        return np.round(expected * GRAIN, out=expected) / GRAIN


def guard_of(rows: int, groupings: Sequence[Ints | None], times: Floats | None) -> Guard:
    """The guard for rows grouped by these codes (strata, users …), coarse groupings first.

    NaN times come first, ties keep row order. A grouping that is None, or of one group, says nothing.
    """
    known = [codes for codes in groupings if codes is not None]
    if times is None and not known:
        return Guard(rows, None, ())
    order = np.arange(rows)
    if times is not None:
        order = np.argsort(np.where(np.isfinite(times), times, -np.inf), kind="stable")
    grouped = [_groups(codes, order) for codes in known]
    return Guard(rows, order, tuple(groups for groups in grouped if groups is not None))


def _groups(codes: NDArray[Any] | None, order: Ints) -> _Groups | None:
    if codes is None or not len(codes):
        return None
    by_group = order[np.argsort(codes[order], kind="stable")]
    ordered = codes[by_group]
    edges = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    if len(edges) < 2:
        return None
    return _Groups(by_group, np.repeat(edges, np.diff(np.append(edges, len(codes)))), edges)


def _recent(order: Ints, failed: Bools, active: Bools, overall: float) -> Floats:
    """The rate among recent active rows, before each row."""
    kept = active[order]
    outcomes = failed[order[kept]]
    step = int(np.clip(len(outcomes) // UPDATES, 1, LONGEST_STEP))
    done = np.append(0, np.cumsum(outcomes)).astype(np.float64)
    seen = np.arange(0, len(outcomes) + 1, step)
    windows = [w for w in WINDOWS if w < len(outcomes)]
    rates = [_window_rate(done, seen, w, overall) for w in (*windows, len(outcomes))]
    mixed = rates[0] if len(rates) == 1 else _mixture(rates, done, seen)
    result = np.empty(len(failed))
    result[order] = mixed[(np.cumsum(kept) - kept) // step]
    return result


def _window_rate(done: Floats, seen: Ints, window: int, overall: float) -> Floats:
    """Shrunk rate of the last ``window`` outcomes, after each of these counts of outcomes ``seen``."""
    first = np.maximum(seen - window, 0)
    return (done[seen] - done[first] + PRIOR_ROWS * overall) / (seen - first + PRIOR_ROWS)


def _mixture(rates: list[Floats], done: Floats, seen: Ints) -> Floats:
    """Windows weighted by their likelihood over the last SPAN outcomes (at least one step of them)."""
    step = int(seen[1]) if len(seen) > 1 else 1
    back = max(1, SPAN // step)
    k, n = np.diff(done[seen]), np.diff(seen)
    scores: list[Floats] = []
    for rate in rates:
        likely = k * np.log(rate[:-1]) + (n - k) * np.log1p(-rate[:-1])
        total = np.append(0.0, np.cumsum(likely))
        scores.append(total - total[np.maximum(np.arange(len(total)) - back, 0)])
    best = np.maximum.reduce(scores)
    weights = [np.exp(score - best) for score in scores]
    mixed = np.zeros(len(seen))
    for weight, rate in zip(weights, rates, strict=True):
        mixed += weight * rate
    return mixed / np.add.reduce(weights)


def _relative_risk(groups: _Groups, failed: Bools, active: Bools, expected: Floats) -> Floats:
    """(a + failures so far) / (a + expected so far) of each row's group."""
    kept = active[groups.order]
    foreseen = expected[groups.order]
    failures = (failed[groups.order] & kept).astype(np.float64)
    variance = np.where(kept, foreseen * (1.0 - foreseen), 0.0)
    foreseen *= kept
    shape = _shape(groups.edges, failures, foreseen, variance)
    if shape >= EVEN:
        return np.ones(len(expected))
    risk = np.empty(len(expected))
    risk[groups.order] = (shape + _before(failures, groups.start)) / (shape + _before(foreseen, groups.start))
    return risk


def _before(values: Floats, start: Ints) -> Floats:
    """Sum over earlier rows of the same group."""
    total = np.append(0.0, np.cumsum(values))
    return np.maximum(total[:-1] - total[start], 0.0)


def _shape(edges: Ints, failures: Floats, foreseen: Floats, variance: Floats) -> float:
    """The gamma shape a from how far groups' totals scatter beyond chance (method of moments).

    One standard error is added to the scatter: expecting too much difference costs a little power,
    expecting too little would let an unlucky group become a lesson.
    """
    k, e, v = (np.add.reduceat(values, edges) for values in (failures, foreseen, variance))
    square = float((e * e).sum())
    if square == 0.0:
        return EVEN
    excess = (k - e) ** 2 - v
    spread = (float(excess.sum()) + float(np.sqrt((2 * v * v + v).sum()))) / square
    return float(np.clip(1.0 / max(spread, 1e-9), 0.5, EVEN))
