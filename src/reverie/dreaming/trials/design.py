"""The plan of a paired replay: after how many wins to adopt an edit, and when to give it up.

A pair is one replay of a task with the edit and one without. Pairs that end alike say nothing about which is better
(McNemar 1947); of those that differ, n so far, w are *wins*, where only the replay with the edit succeeded. An edit
that changes nothing wins each of them with probability exactly one half, whatever the tasks are, however they differ
and however the next task was chosen, as long as the choice did not look at who won. So the number of wins is a fair
walk, and every error below is a finite sum, taken exactly.

**Where to stop** is found by backward induction, the best that sequential analysis has (Arrow, Blackwell & Girshick
1949; for designs of this kind Eales & Jennison, "An improved method for deriving optimal one-sided group sequential
tests", Biometrika 1992): at each (n, w) adopt, give up or go on, whichever is worth most when adopting an edit that
helps is worth 1, adopting one that does nothing costs a price, and each pair costs another, averaged over edits that
help, harm and do nothing. The price of a false adoption is raised until the 5 % hold, that of a pair until early
stopping gives up the power it may.

**At the end**, when the pairs are used up after n that differed, whatever error is left over is spent: adopt if the wins
reach the least number that keeps both limits, given this n. n says nothing about an edit that does nothing, so
this holds for every n and hence on average. On the very edge a coin decides that was tossed beforehand (the randomised
test of Tocher 1950, which is uniformly most powerful unbiased); without a coin the edge is not adopted.

The limit on harm holds for every edit whose pairs, given the past, win with probability at most (1 − harm/d)/2 when they
differ, d being the greatest share of pairs that differ: any edit that harms each task by ``harm`` or more, and any
that harms by it on average over tasks drawn evenly, as long as not more than ``d`` of its pairs differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reverie.domain.errors import Invalid
from reverie.dreaming.trials.plans import AIMS, Aims, Plan

__all__ = ["Figures", "figures_of", "plan_for"]

Floats = NDArray[np.float64]

MOST_PAIRS: Final = 2000
ROUNDS: Final = 14
"""Bisections of a price, on a logarithmic scale: within a part in a thousand."""
COARSE: Final = 7
CAUTIOUS: Final = 0.97
"""The share of alpha that stopping early may spend at most, so that something is left for the end."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a plan does with one kind of edit: the share adopted, and the pairs replayed on average."""

    adopted: float
    pairs: float


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The stopping lines alone: adopt at ``adopt[n]`` wins, give up at ``drop[n]``."""

    adopt: NDArray[np.int64]
    drop: NDArray[np.int64]


@lru_cache(maxsize=64)
def plan_for(pairs: int, aims: Aims = AIMS) -> Plan:
    """The plan that spends at most this many pairs. Raises ``Invalid`` for pairs or aims out of bounds.

    Takes a tenth of a second for 50 pairs, some seconds for 500; the same plan is not made twice in a process.
    """
    _check(pairs, aims)
    spread = math.sqrt(pairs * aims.differ * (1 - aims.differ))
    last = min(pairs, math.ceil(aims.differ * pairs + 2.5 * spread))
    free = _closed(_priced(last, aims, 0.0), pairs, aims)
    goal = figures_of(free, aims.help, aims.differ).adopted - aims.yielded
    low, high = -7.0, -1.5  # log10 of what a pair costs, in adoptions of an edit that helps
    best = free
    for _ in range(COARSE):
        middle = (low + high) / 2
        plan = _closed(_priced(last, aims, 10**middle), pairs, aims)
        if figures_of(plan, aims.help, aims.differ).adopted >= goal:
            low, best = middle, plan
        else:
            high = middle
    return best


def figures_of(plan: Plan, effect: float, differ: float, *, coin: bool = True) -> Figures:
    """What the plan does with edits of this effect whose pairs differ with probability ``differ``, exactly.

    Pairs are alike and independent; ``differ`` is at least |effect|. ``coin``: whether one is tossed on the edge.
    """
    win = (1 + effect / differ) / 2
    bounds = _Bounds(np.array(plan.adopt), np.array(plan.drop))
    crossed, given_up, alive = _walk(bounds, win)
    ended = np.array([_adopted_at_end(plan, n, alive[n], coin) for n in range(plan.last + 1)])
    used_up = _binomial(plan.pairs, differ)
    used_up[plan.last] += used_up[plan.last + 1 :].sum()
    used_up = used_up[: plan.last + 1]
    adopted = float((used_up * (np.cumsum(crossed) + ended)).sum())
    going = 1 - np.cumsum(crossed + given_up)
    return Figures(adopted, _pairs_used(going[:-1], plan.pairs, differ))


def _check(pairs: int, aims: Aims) -> None:
    if not 1 <= pairs <= MOST_PAIRS:
        raise Invalid("pairs", f"from 1 to {MOST_PAIRS}", pairs)
    if not (0 < aims.alpha < 1 and 0 < aims.harm_alpha < 1 and 0 <= aims.yielded < 1):
        raise Invalid("aims", "error rates lie between 0 and 1", str(aims))
    if not (0 < aims.help < aims.differ <= 1 and 0 < aims.harm < aims.liveliest <= 1):
        raise Invalid("aims", "an effect is smaller than the share of pairs that differ", str(aims))


def _priced(last: int, aims: Aims, pair: float) -> _Bounds:
    """The best stopping lines for what a pair costs, with false adoptions as dear as both limits ask."""
    low, high = -1.0, 4.0  # log10 of what adopting an edit that does nothing costs
    best = _induced(last, aims, 10**high, pair)
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        bounds = _induced(last, aims, 10**middle, pair)
        if _early(bounds, 0.5) <= CAUTIOUS * aims.alpha and _early(bounds, _harmed(aims)) <= aims.harm_alpha:
            high, best = middle, bounds
        else:
            low = middle
    return best


def _induced(last: int, aims: Aims, price: float, pair: float) -> _Bounds:
    """Backward induction over (n, wins), under the fair walk; other edits enter by their likelihood ratio."""
    ratio = aims.help / aims.differ
    up, down = math.log1p(ratio), math.log1p(-ratio)
    adopt, drop = np.full(last + 1, last + 1), np.full(last + 1, -1)
    value = np.zeros(last + 2)
    for n in range(last, -1, -1):
        wins = np.arange(n + 1)
        helps = np.exp(wins * up + (n - wins) * down)
        harms = helps[::-1]
        gain = helps - price
        cost = pair / aims.differ * (helps + 1 + harms) / 3
        go_on = (value[: n + 1] + value[1 : n + 2]) / 2 - cost if n < last else np.full(n + 1, -np.inf)
        stop = np.maximum(gain, 0.0)
        if 0 < n < last:  # at 0 nothing was seen yet
            adopt[n] = _first(gain >= np.maximum(go_on, 0.0), n)
            drop[n] = np.flatnonzero((go_on <= 0) & (gain <= 0)).max(initial=-1)
        value = np.maximum(stop, go_on)
    return _Bounds(adopt, drop)


def _first(wanted: NDArray[np.bool_], n: int) -> int:
    """The least number of wins that is wanted; n + 1, which cannot be reached, where none is."""
    return int(np.argmax(wanted)) if wanted.any() else n + 1


def _walk(bounds: _Bounds, win: float) -> tuple[Floats, Floats, list[Floats]]:
    """(adopted at n, given up at n, distribution of the wins of those that go on after n), exactly."""
    last = len(bounds.adopt) - 1
    crossed, given_up, alive = np.zeros(last + 1), np.zeros(last + 1), list[Floats]()
    now = np.ones(1)
    for n in range(last + 1):
        if n:
            now = np.append(now * (1 - win), 0.0) + np.insert(now * win, 0, 0.0)
        top, floor = int(bounds.adopt[n]), int(bounds.drop[n])
        crossed[n], given_up[n] = now[top:].sum(), now[: floor + 1].sum()
        now = now.copy()
        now[top:] = 0.0
        now[: floor + 1] = 0.0
        alive.append(now)
    return crossed, given_up, alive


def _early(bounds: _Bounds, win: float) -> float:
    """The share of edits adopted before the end."""
    return float(_walk(bounds, win)[0].sum())


def _harmed(aims: Aims) -> float:
    """The greatest chance of a win that an edit which harms can have in a pair that differs."""
    return (1 - aims.harm / aims.liveliest) / 2


def _closed(bounds: _Bounds, pairs: int, aims: Aims) -> Plan:
    """The stopping lines with the end: for each n, what is left of both limits is spent on the most wins."""
    fair, harmed = _walk(bounds, 0.5), _walk(bounds, _harmed(aims))
    left = aims.alpha - np.cumsum(fair[0])
    harm_left = aims.harm_alpha - np.cumsum(harmed[0])
    ends = [_end(fair[2][n], harmed[2][n], left[n], harm_left[n]) for n in range(len(bounds.adopt))]
    adopt, drop = tuple(bounds.adopt.tolist()), tuple(bounds.drop.tolist())
    return Plan(pairs, adopt, drop, tuple(e for e, _ in ends), tuple(c for _, c in ends))


def _end(fair: Floats, harmed: Floats, left: float, harm_left: float) -> tuple[int, float]:
    """(edge, coin): the number of wins at which one of the limits is used up, and the part of it that fits.

    Limits or not, nothing is adopted that has not won more than half.
    """
    above, harm_above = 0.0, 0.0
    half = (len(fair) - 1) // 2
    for wins in range(len(fair) - 1, half, -1):
        if fair[wins] == 0.0:
            continue
        part = min((left - above) / fair[wins], (harm_left - harm_above) / harmed[wins])
        if part < 1:
            return wins, max(0.0, float(part))
        above, harm_above = above + fair[wins], harm_above + harmed[wins]
    return half, 0.0


def _adopted_at_end(plan: Plan, n: int, alive: Floats, coin: bool) -> float:
    edge = plan.edge[n]
    on_edge = alive[edge] * plan.coin[n] if coin else 0.0
    return float(alive[edge + 1 :].sum() + on_edge)


def _binomial(n: int, p: float) -> Floats:
    """The binomial distribution, 0 to n."""
    k = np.arange(n + 1)
    logs = np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k])
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = logs + np.where(k > 0, k * np.log(p), 0.0) + np.where(k < n, (n - k) * np.log1p(-p), 0.0)
    return np.exp(logs)


def _pairs_used(going: Floats, pairs: int, differ: float) -> float:
    """Pairs on average: each n that is gone on from takes the pairs up to the next that differs, or to the end.

    The (n + 1)-th wait within ``pairs`` is E[min(T_{n+1}, pairs) − min(T_n, pairs)] = P(S_pairs > n) / differ, T being
    negative binomial and S binomial (Wald's identity).
    """
    reach = _binomial(pairs, differ)[::-1].cumsum()[::-1]  # P(S ≥ k)
    return float((going * reach[1 : len(going) + 1]).sum() / differ)
