"""The exam of a conjunction: exact p-value against the whole language, and does every condition earn its place?

Thresholds fitted to raw values belong to no language fixed beforehand. So the conjunction's *witnesses* are
examined: members of the language whose thresholds lie nearest. Under the null no member passes, with
probability 1 − alpha, hence no fitted conjunction does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import log
from typing import Final, Literal, TypeAlias

import numpy as np

from reverie.mining.conditional.arrays import Bytes, Floats
from reverie.mining.conditional.counting import Conditions, Counts, Crossed, Piece
from reverie.mining.conditional.fit import Ground
from reverie.mining.conditional.language import SIDES, arity_cost
from reverie.mining.conditional.scores import chernoff, fisher, surprise

__all__ = ["Exam", "Idle", "examine"]

_Bound: TypeAlias = Literal["low", "high"] | None

WITNESSES: Final = {1: 24, 2: 12, 3: 8}
"""How many members of each axis' language are looked at, by arity."""
NEAREST: Final = 4
"""… for what each condition gains."""
BEST_WITNESSES: Final = 4
"""… by an exact test, of those with the lowest bounds."""


@dataclass(frozen=True, slots=True)
class Idle:
    """A condition (or one bound of an interval) that the rule does as well without."""

    place: int
    bound: _Bound


@dataclass(frozen=True, slots=True)
class Exam:
    """``log_p`` of the best witness and the ``cost`` of its place in the language (nats); what is idle."""

    log_p: float
    cost: float
    idle: Idle | None

    @property
    def log_adjusted(self) -> float:
        return self.log_p + self.cost


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One condition's witnesses, nearest first, over a few segments of its axis (the last segment: none of its cells)."""

    segment_of: Bytes
    choices: Floats  # (witnesses × segments) 0/1
    costs: Floats


def examine(ground: Ground, pieces: Conditions, exchangeable: bool, alpha: float) -> Exam:
    """The conjunction's best witness, and the condition that most fails to gain over the rule without it.

    A condition gains when Fisher's exact test of the rule against the rule without it passes alpha after
    Bonferroni over every condition that could have been added instead (Webb 2007, "productive").
    """
    sides = [_side(piece, WITNESSES[len(pieces)]) for piece in pieces]
    axes = [Crossed(p.codes, s.segment_of, s.choices.shape[1]) for s, p in zip(sides, pieces, strict=True)]
    cube = ground.rows.cube(axes, ground.active, ground.expected)
    log_p, costs = _best_witness(ground, cube, sides, exchangeable)
    axes_left = len(ground.sheet.axes) - len(pieces) + 1
    idle = _most_idle(cube, pieces, sides, axes_left, alpha)
    return Exam(log_p, arity_cost(len(ground.sheet.axes), len(pieces)) + costs, idle)


def _side(piece: Piece, count: int) -> _Side:
    axis, cells = piece.axis, piece.axis.cells
    if axis.kind == "category":
        segment_of = np.ones(256, dtype=np.uint8)
        segment_of[piece.low] = 0
        return _Side(segment_of, np.array([[1.0, 0.0]]), np.array([piece.cost]))
    near = axis.language.near(piece.low, axis.end(piece.low, piece.high), count)
    low, high = axis.language.starts[near], axis.language.ends[near]
    high = np.where(high > cells, high - cells, high)
    edges = np.unique(np.concatenate([[0, cells], low, high]))
    segment_of = (np.searchsorted(edges, np.arange(256), side="right") - 1).astype(np.uint8)
    segment_of[cells:] = len(edges) - 1
    starts = edges[:-1].astype(np.uint8)
    rows = [np.append(axis.holds(starts, int(a), int(b)), False) for a, b in zip(low, high, strict=True)]
    return _Side(segment_of, np.array(rows, dtype=np.float64), axis.language.cost[near])


def _summed(cube: Counts, choices: list[Floats]) -> Counts:
    """Tallies of all combinations of segment choices: one axis of witnesses per condition."""

    sums = cube.sums
    for choice in choices:
        sums = np.tensordot(sums, np.atleast_2d(choice), axes=([1], [1]))
    return Counts(sums)


def _best_witness(
    ground: Ground, cube: Counts, sides: list[_Side], exchangeable: bool
) -> tuple[float, float]:
    """(ln p, cost of the conditions) of the witness that is least likely by chance."""
    tallies = _summed(cube, [side.choices for side in sides])
    costs = reduce(np.add.outer, [side.costs for side in sides])
    bounds = costs - surprise(tallies.failed, tallies.rows, tallies.expected)
    lowest = np.argsort(bounds, axis=None, kind="stable")[: BEST_WITNESSES if exchangeable else 1]
    best: list[tuple[float, float, float]] = []
    for index in zip(*np.unravel_index(lowest, bounds.shape), strict=True):
        k, n = int(tallies.failed[index]), int(tallies.rows[index])
        if exchangeable:
            log_p = fisher(k, n, ground.all.failed, ground.all.rows)
        else:
            log_p = chernoff(k, n, float(tallies.expected[index]))
        best.append((log_p + float(costs[index]), log_p, float(costs[index])))
    return min(best)[1:]


def _most_idle(
    cube: Counts, pieces: Conditions, sides: list[_Side], axes_left: int, alpha: float
) -> Idle | None:
    """Which condition or bound gains least, if it does not gain enough: by its own witness that shows most."""
    gained: dict[tuple[int, _Bound], float] = {}
    for i, piece in enumerate(pieces):
        others = [side.choices[0] for side in sides]
        for choice, cost in zip(sides[i].choices[:NEAREST], sides[i].costs[:NEAREST], strict=True):
            others[i] = choice
            inside = _summed(cube, others).total()
            for bound, wider in _wider(piece, choice, alone=len(pieces) == 1):
                without = _summed(cube, [*others[:i], wider, *others[i + 1 :]]).total()
                options = log(axes_left) + float(cost) if bound is None else log(SIDES)
                log_p = fisher(inside.failed, inside.rows, without.failed, without.rows) + options
                gained[i, bound] = min(log_p, gained.get((i, bound), 0.0))
    worst = max(gained, key=lambda place: gained[place], default=None)
    return None if worst is None or gained[worst] <= log(alpha) else Idle(*worst)


def _wider(piece: Piece, chosen: Floats, alone: bool) -> list[tuple[_Bound, Floats]]:
    """What the condition would be without one of its bounds, and without itself."""
    wider: list[tuple[_Bound, Floats]] = [] if alone else [(None, np.ones_like(chosen))]
    if piece.axis.kind == "number" and piece.low > 0 and piece.high < piece.axis.cells:
        inside = np.flatnonzero(chosen)
        no_low, no_high = chosen.copy(), chosen.copy()
        no_low[: inside[0]] = 1.0
        no_high[inside[-1] : -1] = 1.0
        wider.append(("low", no_low))
        wider.append(("high", no_high))
    return wider
