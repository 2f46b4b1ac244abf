"""Thresholds at full resolution: the posterior of each cut among raw values, its median and its interval.

Between two neighbouring values of the rows that matter every cut says the same, so the likelihood is a
step function; with a prior that is flat in the *rank* of the whole column its median is the cut with the
smallest expected error in rows (a change-point posterior; the other bounds are held at their estimates).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf, log10
from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.counting import Conditions, Counts, Piece, Rows
from reverie.mining.conditional.fit import Ground

__all__ = ["Cut", "Exact", "covered", "roundest", "settle"]

SWEEPS: Final = 2
NEGLIGIBLE: Final = 12.0  # nats below the best cut
TAILS: Final = (0.025, 0.975)
ONE_OF_FEW: Final = 0.1  # rows of a sample of the column that a gap between two of its values stands for
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


def settle(ground: Ground, pieces: Conditions) -> tuple[Exact, ...]:
    """Conditions on raw values from conditions on cells."""
    exacts = [_rough(piece, ground.sheet.values[piece.place]) for piece in pieces]
    for _ in range(SWEEPS if len(pieces) > 1 else 1):
        for i, exact in enumerate(exacts):
            if exact.values is not None:
                others = covered(ground.rows, exacts[:i] + exacts[i + 1 :], ground.active)
                exacts[i] = _refined(ground, exact, others)
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


def _refined(ground: Ground, exact: Exact, others: Bools) -> Exact:
    """Each bound at its posterior median, in turn."""
    both = exact.low is not None and exact.high is not None
    for _ in range(2 if both else 1):
        before = exact
        if exact.low is not None:
            exact = replace(exact, low=_Line(ground, exact, others, suffix=True).cut() or exact.low)
        if exact.high is not None:
            exact = replace(exact, high=_Line(ground, exact, others, suffix=False).cut() or exact.high)
        if exact == before:
            break
    return exact


class _Line:
    """The rows that fulfil the other conditions and the other bound, along the axis.

    What is sought is one cut: the rows from it on (``suffix``, a lower bound) or up to it are inside. Hours
    are turned so that the other bound lies at the end (or start) of the line. Only the stretch that holds
    plausible cuts is looked at row by row; the rest is counted in cells.
    """

    def __init__(self, ground: Ground, exact: Exact, others: Bools, suffix: bool) -> None:
        self._ground = ground
        self._suffix = suffix
        self._turn = _turn(exact, suffix)
        self._column = _turned_ranks(ground.sheet.ranked(exact.piece.place), self._turn)
        assert exact.values is not None
        values = exact.values
        if exact.piece.axis.kind == "hour":
            chosen = np.flatnonzero(others & ~np.isnan(values))
            self._beyond = Counts.none()
        else:
            chosen, self._beyond = self._stretch(exact, others)
        x = _turned(values[chosen], self._turn)
        self._at, index = np.unique(x, return_inverse=True)
        self._cells = Counts.of(index, ground.rows.failed[chosen], ground.expected[chosen], len(self._at))

    def _stretch(self, exact: Exact, others: Bools) -> tuple[Ints, Counts]:
        """Rows in the cells around plausible cuts, and the tally of the rows beyond, which are inside."""
        piece, ground, values = exact.piece, self._ground, exact.values
        assert values is not None
        other = exact.high if self._suffix else exact.low
        if other is not None:
            others = others & ((values < other.value) if self._suffix else (values >= other.value))
        cells = ground.rows.histogram(piece.codes, piece.axis.cells, others, ground.expected)
        gains = ground.gains(_inside(cells, Counts.none(), self._suffix))
        near = np.flatnonzero(gains > gains.max() - NEGLIGIBLE)
        first, last = int(near[0]), int(near[-1]) + 1
        in_stretch = others & piece.axis.holds(piece.codes, first, min(last + 1, piece.axis.cells))
        outer = cells.part(last + 1, None) if self._suffix else cells.part(0, first)
        return np.flatnonzero(in_stretch), outer

    def cut(self) -> Cut | None:
        """Median and interval of the cut's posterior; None where there is nothing to cut."""
        if len(self._at) < 2:
            return None
        gains = self._ground.gains(_inside(self._cells, self._beyond, self._suffix))
        cuts = np.arange(1, len(self._at))  # cut c parts at[c − 1] from at[c]
        near = np.flatnonzero(gains > gains.max() - NEGLIGIBLE)
        cuts, gains = cuts[near], gains[near]
        since = np.searchsorted(self._column, self._at[cuts - 1], side="right")
        upto = np.searchsorted(self._column, self._at[cuts], side="right")
        mass = np.exp(gains - gains.max()) * np.maximum(upto - since, ONE_OF_FEW)
        return self._summary(_Posterior(cuts, since, upto, np.cumsum(mass) / mass.sum()))

    def _summary(self, posterior: _Posterior) -> Cut:
        low, high = (float(self._column[posterior.rank(q)]) for q in TAILS)
        rank, gap = posterior.rank(0.5), posterior.cuts[posterior.place(0.5)]
        slack = max(1, int(SNAP * len(self._column)))
        above = max(float(self._at[gap - 1]), float(self._column[max(0, rank - slack)]))
        upto = min(float(self._at[gap]), float(self._column[min(len(self._column) - 1, rank + slack)]))
        exact = float(self._at[gap])
        value = roundest(above + self._turn, upto + self._turn) - self._turn if above < upto else exact
        return Cut(*(_back(v, self._turn) for v in (value, min(low, value), max(high, value))))


@dataclass(frozen=True, slots=True, eq=False)
class _Posterior:
    """Cumulative ``share`` of the posterior over cuts; cut i lies at ranks ``since`` < rank ≤ ``upto``."""

    cuts: Ints
    since: Ints
    upto: Ints
    share: Floats

    def place(self, quantile: float) -> int:
        return min(int(np.searchsorted(self.share, quantile)), len(self.share) - 1)

    def rank(self, quantile: float) -> int:
        i = self.place(quantile)
        before = float(self.share[i - 1]) if i else 0.0
        within = (quantile - before) / max(float(self.share[i]) - before, 1e-300)
        return int(
            max(0, min(self.since[i] + floor(within * (self.upto[i] - self.since[i])), self.upto[i] - 1))
        )


def _inside(cells: Counts, beyond: Counts, suffix: bool) -> Counts:
    """Tallies inside for each cut between two cells; ``beyond`` is inside whatever the cut."""

    upto = np.cumsum(cells.sums, axis=1)
    inside = upto[:, -1:] - upto[:, :-1] if suffix else upto[:, :-1]
    return Counts(inside + beyond.sums.sum(axis=1, keepdims=True))


def _turn(exact: Exact, suffix: bool) -> float:
    """By how much hours are turned: to where the other bound is (midnight where there is none)."""
    other = exact.high if suffix else exact.low
    return other.value if exact.piece.axis.kind == "hour" and other is not None else 0.0


def _turned(values: Floats, turn: float) -> Floats:
    return values if turn == 0.0 else (values - turn) % 24.0


def _turned_ranks(ranked: Floats, turn: float) -> Floats:
    if turn == 0.0:
        return ranked
    start = int(np.searchsorted(ranked, turn))
    return _turned(np.concatenate([ranked[start:], ranked[:start]]), turn)


def _back(value: float, turn: float) -> float:
    return value if turn == 0.0 else round((value + turn) % 24.0, 9)


def roundest(above: float, upto: float) -> float:
    """The number with the fewest digits in (above, upto], nearest to the middle among those."""
    gap, middle = upto - above, above / 2 + upto / 2
    if not 1e-280 < gap < inf:  # no room for arithmetic: numbers of either end of what a float can hold
        return upto
    step = 10.0 ** ceil(log10(gap) + 1e-12)
    for unit in (step, step / 2, step / 5, step / 10, step / 20, step / 50, step / 100):
        multiple = round(middle / unit)
        for candidate in (multiple, multiple - 1, multiple + 1):
            rounded = float(f"{candidate * unit:.12g}")  # 0.30000000000000004 is no round number
            if above < rounded <= upto:
                return rounded
    return upto
