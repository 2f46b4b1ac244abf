"""Thresholds at full resolution: the posterior of each cut among raw values, its median and its interval.

Between two neighbouring values of the rows that matter every cut says the same, so the likelihood is a
step function; with a prior that is flat in the *rank* of the whole column its median is the cut with the
smallest expected error in rows. (A change-point posterior; the other bounds are held at their estimates.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf, log10
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional.axes import Bools
from reverie.mining.conditional.counting import Counts, Floats, Piece, Rows, Tally
from reverie.mining.conditional.fit import Ground

__all__ = ["Exact", "covered", "settle"]

SWEEPS: Final = 2
NEGLIGIBLE: Final = 12.0  # nats below the best cut
LEVEL: Final = 0.95
SNAP: Final = 0.005  # of the rows: how far a threshold may move to become a round number


@dataclass(frozen=True, slots=True)
class Cut:
    """A found threshold with its 95 % interval, in the column's own unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Exact:
    """A condition on raw values: ``low`` ≤ value < ``high`` (hours may pass midnight), or a label."""

    piece: Piece
    values: Floats | None
    low: Cut | None = None
    high: Cut | None = None

    def holds(self, part: slice) -> Bools:
        if self.values is None:
            return self.piece.axis.holds(self.piece.codes[part], self.piece.low, self.piece.high)
        values = self.values[part]
        low = -inf if self.low is None else self.low.value
        high = inf if self.high is None else self.high.value
        above, below = values >= low, values < high
        return (above | below) if low > high else (above & below)


def covered(rows: Rows, exacts: Sequence[Exact], within: Bools) -> Bools:
    """The rows of ``within`` that fulfil all conditions, by raw values."""
    result = within.copy()
    for part in rows.parts():
        mine = result[part]
        for exact in exacts:
            mine &= exact.holds(part)
    return result


def settle(ground: Ground, pieces: Sequence[Piece], values: Sequence[Floats | None]) -> tuple[Exact, ...]:
    """Conditions on raw values from conditions on cells; ``values`` are the clean columns by place."""
    exacts = [_rough(piece, values[piece.place]) for piece in pieces]
    for _ in range(SWEEPS if len(pieces) > 1 else 1):
        for i, exact in enumerate(exacts):
            if exact.values is not None:
                others = covered(ground.rows, exacts[:i] + exacts[i + 1 :], ground.active)
                exacts[i] = _refined(ground, exact, exact.values, others)
    return tuple(exacts)


def _rough(piece: Piece, values: Floats | None) -> Exact:
    """Thresholds at the lower edges of cells."""
    if values is None:
        return Exact(piece, None)
    floors, cells = piece.axis.floors, piece.axis.cells
    low = _at(floors[piece.low]) if piece.low > 0 else None
    high = _at(floors[piece.high]) if piece.high < cells else None
    return Exact(piece, values, low, high)


def _at(value: float) -> Cut:
    return Cut(float(value), float(value), float(value))


def _refined(ground: Ground, exact: Exact, values: Floats, others: Bools) -> Exact:
    line = _Line.of(ground, exact, values, others)
    for _ in range(2):
        before = exact
        if exact.low is not None:
            exact = replace(exact, low=line.best_cut(exact, upper=False))
        if exact.high is not None:
            exact = replace(exact, high=line.best_cut(exact, upper=True))
        if exact.low is None or exact.high is None or exact == before:
            break
    return exact


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """The rows that fulfil the other conditions, along this condition's axis.

    Values are unrolled so that the run does not pass the end of the line: ``shift`` is the hour at which
    the line begins. ``at`` are distinct values, ``counts`` the tallies of rows below each of them (one
    more entry: all), ``ranks`` how many rows of the whole column lie below or at each value.
    """

    ground: Ground
    shift: float | None
    at: Floats
    below: Counts
    column: Floats

    @classmethod
    def of(cls, ground: Ground, exact: Exact, values: Floats, others: Bools) -> _Line:
        shift = _quiet_hour(exact) if exact.piece.axis.kind == "hour" else None
        present = others & ~np.isnan(values)
        chosen = np.flatnonzero(present)
        x = _unrolled(values[chosen], shift)
        at, index = np.unique(x, return_inverse=True)
        cells = Counts.of(index, ground.rows.failed[chosen], ground.expected[chosen], len(at))
        below = Counts(*(np.append(0.0, np.cumsum(v)) for v in (cells.failed, cells.rows, cells.expected)))
        column = np.sort(_unrolled(values[~np.isnan(values)], shift))
        return cls(ground, shift, at, below, column)

    def best_cut(self, exact: Exact, upper: bool) -> Cut:
        """Median and interval of one bound's posterior, the other bound held."""
        other = exact.low if upper else exact.high
        fixed = (0 if upper else len(self.at)) if other is None else self._index(other.value)
        cuts = np.arange(fixed + 1, len(self.at)) if upper else np.arange(1, fixed)
        if not len(cuts):
            kept = exact.high if upper else exact.low
            assert kept is not None
            return kept
        first, last = (np.full(len(cuts), fixed), cuts) if upper else (cuts, np.full(len(cuts), fixed))
        gains = self.ground.gains(_between(self.below, first, last))
        near = np.flatnonzero(gains > gains.max() - NEGLIGIBLE)
        cuts, gains = cuts[near], gains[near]
        upto = np.searchsorted(self.column, self.at[cuts], side="right")
        since = np.searchsorted(self.column, self.at[cuts - 1], side="right")
        mass = np.exp(gains - gains.max()) * (upto - since)
        return self._cut(cuts, since, upto, np.cumsum(mass) / mass.sum())

    def _cut(self, cuts: NDArray[Any], since: NDArray[Any], upto: NDArray[Any], share: Floats) -> Cut:
        ranks = [_rank(q, since, upto, share) for q in ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2)]
        low, middle, high = (float(self.column[r]) for r in ranks)
        gap = int(np.searchsorted(share, 0.5))
        slack = max(1, int(SNAP * len(self.column)))
        floor_ = max(float(self.at[cuts[gap] - 1]), float(self.column[max(0, ranks[1] - slack)]))
        top = min(float(self.at[cuts[gap]]), float(self.column[min(len(self.column) - 1, ranks[1] + slack)]))
        value = roundest(floor_, top) if floor_ < top else middle
        return Cut(*(_rolled(v, self.shift) for v in (value, min(low, value), max(high, value))))

    def _index(self, value: float) -> int:
        """How many distinct values lie below a threshold."""
        return int(np.searchsorted(self.at, _unrolled(np.array([value]), self.shift)[0]))


def _between(below: Counts, first: NDArray[Any], last: NDArray[Any]) -> Counts:
    return Counts(*(v[last] - v[first] for v in (below.failed, below.rows, below.expected)))


def _rank(quantile: float, since: NDArray[Any], upto: NDArray[Any], share: Floats) -> int:
    """The row of the sorted column at which the posterior reaches ``quantile``."""
    i = min(int(np.searchsorted(share, quantile)), len(share) - 1)
    before = float(share[i - 1]) if i else 0.0
    within = (quantile - before) / max(float(share[i]) - before, 1e-300)
    return int(min(since[i] + floor(within * (upto[i] - since[i])), upto[i] - 1))


def _quiet_hour(exact: Exact) -> float:
    """The hour in the middle of what the arc leaves out (midnight for one that touches it)."""
    if exact.low is None or exact.high is None:
        return 0.0
    gap = (exact.low.value - exact.high.value) % 24.0
    return (exact.high.value + gap / 2) % 24.0


def _unrolled(values: Floats, shift: float | None) -> Floats:
    return values if shift is None or shift == 0.0 else (values - shift) % 24.0


def _rolled(value: float, shift: float | None) -> float:
    return value if shift is None or shift == 0.0 else (value + shift) % 24.0


def roundest(above: float, upto: float) -> float:
    """The number with the fewest digits in (above, upto]; the one nearest the middle of those."""
    step = 10.0 ** ceil(log10(upto - above) + 1e-12)
    middle = (above + upto) / 2
    for unit in (step, step / 2, step / 5, step / 10, step / 20, step / 50, step / 100):
        multiple = round(middle / unit)
        near = [m * unit for m in (multiple, multiple - 1, multiple + 1) if above < m * unit <= upto]
        if near:
            return float(f"{near[0]:.12g}")
    return upto
