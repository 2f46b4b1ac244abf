"""Prequential offsets: what one would have expected of each row, from earlier rows alone.

A row's expected failure probability is the recent rate of all rows, times the stratum's and the user's
own relative risk so far, each shrunk towards one (gamma-Poisson). All of it is settled before the row's
outcome, so observed − expected is a martingale difference for any attribute known before the outcome:
an unlucky user, a hard task or a bad week is expected to fail and proves nothing about its attributes.

Recent rates come from several windows, mixed by how well each predicted the last rows (Vovk's aggregating
rule over a sliding span), so that a steady rate is estimated from everything and an outage within dozens
of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Guard", "guard_of"]

WINDOWS: Final = (64, 512, 4096)
SPAN: Final = 256
PRIOR_ROWS: Final = 8.0
HIGHEST: Final = 0.98
GRAIN: Final = float(1 << 26)

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows ordered by (group, time): ``order``, and where each row's group starts in that order."""

    order: Ints
    starts: Ints
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Guard:
    """The rows' order in time, their strata and users. Without any of them rows are exchangeable."""

    rows: int
    order: Ints | None
    strata: Groups | None
    users: Groups | None

    @property
    def exchangeable(self) -> bool:
        """True when nothing is known that could make rows depend on each other."""
        return self.order is None and self.strata is None and self.users is None

    def expected(self, target: Bools, active: Bools) -> Floats:
        """Expected failure probability of every row, learned from ``active`` rows only.

        Values are multiples of 2⁻²⁶, so that sums of up to 2²⁷ of them are exact in any order.
        """
        n, k = int(active.sum()), int((target & active).sum())
        overall = (k + 0.5) / (n + 1.0)
        if self.exchangeable:
            return _grained(np.full(self.rows, overall))
        expected = _recent(self.order, target, active, overall)
        for groups in (self.strata, self.users):
            if groups is not None:
                expected = np.minimum(expected * _relative_risk(groups, target, active, expected), HIGHEST)
        return _grained(np.maximum(expected, 0.1 * overall))


def guard_of(
    rows: int, strata: NDArray[Any] | None, users: NDArray[Any] | None, times: Floats | None
) -> Guard:
    """The guard for rows with these strata, users and times (NaN times come first, ties keep row order)."""
    order: Ints | None = None
    if times is not None or strata is not None or users is not None:
        order = np.arange(rows)
        if times is not None:
            order = np.argsort(np.where(np.isfinite(times), times, -np.inf), kind="stable")
    return Guard(rows, order, _groups(strata, order), _groups(users, order))


def _groups(codes: NDArray[Any] | None, order: Ints | None) -> Groups | None:
    if codes is None or order is None or not len(codes):
        return None
    by_group = order[np.argsort(codes[order], kind="stable")]
    ordered = codes[by_group]
    new = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    if len(new) < 2:
        return None
    starts = np.repeat(new, np.diff(np.append(new, len(codes))))
    return Groups(by_group, starts, len(new))


def _recent(order: Ints | None, target: Bools, active: Bools, overall: float) -> Floats:
    """The rate among recent active rows, before each row."""
    if order is None:
        return np.full(len(target), overall)
    kept = active[order]
    rank = np.cumsum(kept) - kept  # how many active rows came before
    outcomes = target[order][kept].astype(np.float64)
    done = np.append(0.0, np.cumsum(outcomes))
    seen = np.arange(len(outcomes) + 1)
    rates = [_window_rate(done, seen, w, overall) for w in (*WINDOWS, len(seen)) if w <= len(seen)]
    mixed = _mixture(rates, outcomes) if len(rates) > 1 else rates[0]
    result = np.empty(len(target))
    result[order] = mixed[rank]
    return result


def _window_rate(done: Floats, seen: Ints, window: int, overall: float) -> Floats:
    """Shrunk rate of the last ``window`` outcomes, for each count of outcomes seen so far."""
    first = np.maximum(seen - window, 0)
    return (done - done[first] + PRIOR_ROWS * overall) / (seen - first + PRIOR_ROWS)


def _mixture(rates: list[Floats], outcomes: Floats) -> Floats:
    """Windows weighted by their likelihood over the last SPAN outcomes."""
    scores: list[Floats] = []
    for rate in rates:
        before = rate[:-1]
        likely = np.log(np.where(outcomes > 0, before, 1.0 - before))
        total = np.append(0.0, np.cumsum(likely))
        scores.append(total - total[np.maximum(np.arange(len(total)) - SPAN, 0)])
    best = np.max(scores, axis=0)
    weights = [np.exp(score - best) for score in scores]
    return sum(w * r for w, r in zip(weights, rates, strict=True)) / np.sum(weights, axis=0)


def _relative_risk(groups: Groups, target: Bools, active: Bools, expected: Floats) -> Floats:
    """(a + failures so far) / (a + expected so far) of each row's group."""
    order = groups.order
    failed = np.where(active, target, 0.0)[order]
    foreseen = np.where(active, expected, 0.0)[order]
    shape = _shape(groups, failed, foreseen, (foreseen * (1.0 - expected[order])))
    so_far = _before(failed, groups.starts)
    risk = np.empty(len(target))
    risk[order] = (shape + so_far) / (shape + _before(foreseen, groups.starts))
    return risk


def _before(values: Floats, starts: Ints) -> Floats:
    """Sum over earlier rows of the same group."""
    total = np.append(0.0, np.cumsum(values))
    return total[:-1] - total[starts]


def _shape(groups: Groups, failed: Floats, foreseen: Floats, variance: Floats) -> float:
    """The gamma shape a from how far groups' totals scatter beyond chance (method of moments).

    One standard error is added to the scatter: expecting too much difference costs a little power,
    expecting too little would let an unlucky group become a lesson.
    """
    edges = np.unique(groups.starts)
    k, e, v = (np.add.reduceat(values, edges) for values in (failed, foreseen, variance))
    square = float((e * e).sum())
    if square == 0.0:
        return 1e6
    excess = (k - e) ** 2 - v
    spread = (float(excess.sum()) + float(np.sqrt((2 * v * v + v).sum()))) / square
    return float(np.clip(1.0 / max(spread, 1e-6), 0.5, 1e6))


def _grained(values: Floats) -> Floats:
    return np.round(values * GRAIN) / GRAIN
