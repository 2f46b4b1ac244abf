"""Rules that decide from paired replays whether to adopt an edit: ours, and all we found to hold against it.

Each takes the replays of many repetitions and returns, for each, whether the edit was adopted and how many pairs that took.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np
from benchmarks.trials.worlds import Flags, Floats, Replays
from numpy.typing import NDArray
from scipy.stats import binom, norm

from reverie.dreaming.trials.design import plan_for
from reverie.dreaming.trials.plans import Aims

Outcome = tuple[Flags, NDArray[np.int64]]
Rule = Callable[[Replays], Outcome]
ALPHA: Final = 0.05
SLACK: Final = 1e-12
USUAL: Final = Aims()
DIFFER: Final = USUAL.differ
PATIENT: Final = Aims(yielded=0.0)
THRIFTY: Final = Aims(yielded=0.15)
"""Fifteen points of power given up for stopping early, to be made good by a larger budget that is seldom used up."""


def counts(replays: Replays) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(pairs that differ, wins) after each pair."""
    differ = replays.with_edit != replays.without
    return differ.cumsum(1), (differ & replays.with_edit).cumsum(1)


def stopped(up: Flags, down: Flags, at_end: Flags) -> Outcome:
    """Adopt where ``up`` comes first, give up where ``down`` does, else what the end says."""
    hit = up | down
    ends = hit.any(1)
    when = hit.argmax(1)
    adopted = np.where(ends, up[np.arange(len(up)), when], at_end)
    return adopted, np.where(ends, when + 1, up.shape[1])


def ours(replays: Replays, aims: Aims = USUAL, *, coin: bool = True) -> Outcome:
    plan = plan_for(replays.without.shape[1], aims)
    n, wins = counts(replays)
    n = np.minimum(n, plan.last)  # it has ended by then
    adopt, drop, edge, chance = map(np.array, (plan.adopt, plan.drop, plan.edge, plan.coin))
    toss = np.random.default_rng(7).random(n.shape) if coin else np.ones(n.shape)
    final = (wins > edge[n]) | ((wins == edge[n]) & (toss < chance[n]))
    closing = n == plan.last
    up = (wins >= adopt[n]) | (closing & final)
    return stopped(up, ~up & ((wins <= drop[n]) | closing), final[:, -1])


def fixed(final: Flags, replays: Replays) -> Outcome:
    return final, np.full(len(final), replays.without.shape[1])


def naive(replays: Replays) -> Outcome:
    """The published gate: the candidate's mean is above the baseline's."""
    return fixed(replays.with_edit.sum(1) > replays.without.sum(1), replays)


def mcnemar(replays: Replays) -> Outcome:
    """McNemar's exact test, one-sided, after all pairs."""
    n, wins = (x[:, -1] for x in counts(replays))
    return fixed(binom.sf(wins - 1, n, 0.5) <= ALPHA, replays)


def mid_p(replays: Replays) -> Outcome:
    """McNemar's mid-p (Fagerland, Lydersen & Laake 2013): nearly, not surely, 5 %."""
    n, wins = (x[:, -1] for x in counts(replays))
    return fixed(binom.sf(wins, n, 0.5) + binom.pmf(wins, n, 0.5) / 2 <= ALPHA, replays)


def randomised(replays: Replays) -> Outcome:
    """McNemar's with Tocher's coin: uniformly most powerful unbiased for a fixed number of pairs."""
    n, wins = (x[:, -1] for x in counts(replays))
    above, here = binom.sf(wins, n, 0.5), binom.pmf(wins, n, 0.5)
    return fixed(np.random.default_rng(8).random(len(n)) < np.clip((ALPHA - above) / here, 0, 1), replays)


@lru_cache(maxsize=64)
def unconditional_limit(pairs: int) -> float:
    """The least z whose size is 5 % at the worst share of pairs that differ."""
    n = np.arange(pairs + 1)
    z = np.unique(np.round(np.concatenate([(2 * np.arange(k + 1) - k) / np.sqrt(max(k, 1)) for k in n]), 9))
    shares = binom.pmf(n[:, None], pairs, np.linspace(0.02, 1, 50))

    def size(limit: float) -> float:
        least = np.where(n > 0, np.ceil((n + limit * np.sqrt(n)) / 2 - 1e-9), 1)
        return float((binom.sf(least - 1, n, 0.5)[:, None] * shares).sum(0).max())

    low, high = 0, len(z) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if size(z[middle]) <= ALPHA else (middle + 1, high)
    return float(z[low])


def unconditional(replays: Replays) -> Outcome:
    """The exact unconditional test of paired proportions (Suissa & Shuster 1991)."""
    n, wins = (x[:, -1] for x in counts(replays))
    z = (2 * wins - n) / np.sqrt(np.maximum(n, 1))
    return fixed((n > 0) & (z >= unconditional_limit(replays.without.shape[1]) - 1e-9), replays)


@lru_cache(maxsize=64)
def barnard_limit(size: int) -> float:
    """The least pooled z of two samples whose size is 5 % at the worst common rate (Barnard 1947)."""
    x = np.arange(size + 1)
    mean = (x[:, None] + x[None, :]) / (2 * size)
    z = (x[:, None] - x[None, :]) / np.sqrt(np.maximum(mean * (1 - mean) * 2 * size, SLACK))
    order = np.argsort(-z, axis=None)
    worst = np.zeros(order.size)
    for rate in np.linspace(0.02, 0.5, 25):
        mass = binom.pmf(x, size, rate)
        worst = np.maximum(worst, np.multiply.outer(mass, mass).ravel()[order].cumsum())
    ranked = np.round(z.ravel()[order], 9)
    last = np.append(ranked[1:] != ranked[:-1], True)  # ties go in together
    allowed = np.flatnonzero(last & (worst <= ALPHA))
    return float(ranked[allowed[-1]]) if len(allowed) else np.inf


def barnard(replays: Replays) -> Outcome:
    """Barnard's exact test: pairing ignored, all replays of one arm against all of the other."""
    size = replays.without.shape[1]
    a, b = replays.with_edit.sum(1), replays.without.sum(1)
    mean = (a + b) / (2 * size)
    z = (a - b) / np.sqrt(np.maximum(mean * (1 - mean) * 2 * size, SLACK))
    return fixed(z >= barnard_limit(size) - 1e-8, replays)


def sprt(replays: Replays, miss: float = 0.2) -> Outcome:
    """Wald's test of 1/2 against the chance of a win at +10 points (1947); no decision is no adoption."""
    n, wins = counts(replays)
    ratio = USUAL.help / DIFFER
    log = wins * np.log1p(ratio) + (n - wins) * np.log1p(-ratio)
    return stopped(log >= np.log(1 / ALPHA), log <= np.log(miss / (1 - ALPHA)), np.zeros(len(n), np.bool_))


def group_sequential(limits: Floats, replays: Replays) -> Outcome:
    """Five looks; given up at a look from the second on where the edit is behind."""
    n, wins = counts(replays)
    looks = np.round(np.linspace(0, n.shape[1], 6)[1:]).astype(int) - 1
    z = (2 * wins - n) / np.sqrt(np.maximum(n, 1))
    up, down = np.zeros((2, *n.shape), np.bool_)
    up[:, looks] = z[:, looks] >= limits
    down[:, looks[1:]] = z[:, looks[1:]] < 0
    return stopped(up, down, np.zeros(len(n), np.bool_))


def pocock(replays: Replays) -> Outcome:
    """Pocock 1977, the constant of Jennison & Turnbull's table 2.1 for one-sided 5 %."""
    return group_sequential(np.full(5, 2.122), replays)


def obrien_fleming(replays: Replays) -> Outcome:
    """O'Brien & Fleming 1979, the constant of Jennison & Turnbull's table 2.3 for one-sided 5 %."""
    return group_sequential(1.751 * np.sqrt(5 / np.arange(1, 6)), replays)


def triangular(replays: Replays) -> Outcome:
    """Whitehead & Stratton's triangular test (1983), as wide as its tip fits the budget, with their correction."""
    n, wins = counts(replays)
    tip = np.ceil(DIFFER * n.shape[1])
    drift = np.sqrt(8 * np.log(1 / (2 * ALPHA)) / tip)
    height = 2 / drift * np.log(1 / (2 * ALPHA)) - 0.583
    ahead = 2 * wins - n
    up, down = ahead >= height + drift / 4 * n, ahead <= -height + 3 * drift / 4 * n
    return stopped(up, down & ~up, np.zeros(len(n), np.bool_))


def e_process(log: Floats) -> Outcome:
    """Adopt at 1/alpha, give up where nine tenths of the capital are lost."""
    return stopped(log >= np.log(1 / ALPHA), log <= np.log(0.1), np.zeros(len(log), np.bool_))


def mixture_sprt(replays: Replays) -> Outcome:
    """Robbins's mixture (1970; Johari et al. 2022): the likelihood ratio averaged over wins from 50 to 100 %."""
    n, wins = counts(replays)
    log = np.full(n.shape, -np.inf)
    points = (np.arange(12) + 0.5) / 12
    for ratio in points:
        np.logaddexp(log, wins * np.log1p(ratio) + (n - wins) * np.log1p(-ratio), out=log)
    return e_process(log - np.log(len(points)))


def agrapa(replays: Replays) -> Outcome:
    """The approximate growth-rate-adaptive bet of Waudby-Smith & Ramdas (2024) on the differences of pairs."""
    d = replays.with_edit.astype(float) - replays.without
    so_far = np.arange(1, d.shape[1] + 1)
    mean = d.cumsum(1) / (so_far + 1)
    second = (0.25 + (d**2).cumsum(1)) / (so_far + 1)
    stake = np.clip(mean / np.maximum(second, 1e-3), 0, 0.75)
    stake = np.concatenate([np.full((len(d), 1), 0.1), stake[:, :-1]], axis=1)
    return e_process(np.log1p(stake * d).cumsum(1))


def kelly(replays: Replays) -> Outcome:
    """Kelly's bet for +10 points: half the differing pairs would be won by a tenth more."""
    d = replays.with_edit.astype(float) - replays.without
    return e_process(np.log1p(USUAL.help / DIFFER * d).cumsum(1))


@lru_cache(maxsize=64)
def risk_budget(last: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(least wins, chance of one win fewer): alpha spent evenly over the differing pairs, on the most wins first."""
    now, spent, least = np.ones(1), 0.0, np.zeros(last + 1, np.int64)
    for n in range(last + 1):
        if n:
            now = (np.append(now, 0.0) + np.insert(now, 0, 0.0)) / 2
        tail = now[::-1].cumsum()[::-1]
        fits = np.flatnonzero(spent + tail <= ALPHA * n / last + SLACK)
        least[n] = fits[0] if len(fits) else n + 1
        spent += float(now[least[n] :].sum())
        now[least[n] :] = 0.0
    return least, np.arange(last + 1) - least


def step(replays: Replays) -> Outcome:
    """The idea of STEP (Snyder et al., RSS 2025): a budget of risk spent evenly along the walk, either side stops it.

    Theirs solves for unpaired replays; this is the same spending on the walk of differing pairs.
    """
    n, wins = counts(replays)
    last = max(2, int(np.ceil(1.1 * DIFFER * n.shape[1])))
    least, most = risk_budget(last)
    n = np.minimum(n, last)
    up, down = wins >= least[n], wins <= most[n]
    return stopped(up, ~up & (down | (n == last)), np.zeros(len(n), np.bool_))


def curtailed(replays: Replays) -> Outcome:
    """McNemar's with conditional power (Lan, Simon & Halperin 1982): given up where +10 points leave less than 10 %."""
    n, wins = counts(replays)
    pairs = n.shape[1]
    at_end = mcnemar(replays)[0]
    rest = pairs - np.arange(1, pairs + 1)
    total = n + DIFFER * rest
    short = norm.isf(ALPHA) * np.sqrt(np.maximum(total, 1)) - (2 * wins - n)
    drift, spread = USUAL.help * rest, np.sqrt(np.maximum(DIFFER * rest, SLACK))
    down = (norm.sf((short - drift) / spread) < 0.1) & (rest > 0)
    return stopped(np.zeros_like(down), down, at_end)


RULES: Final[dict[str, Rule]] = {
    "ours": ours,
    "ours, no coin": lambda replays: ours(replays, coin=False),
    "ours, patient": lambda replays: ours(replays, PATIENT),
    "ours, thrifty": lambda replays: ours(replays, THRIFTY),
    "mean > mean (published)": naive,
    "McNemar, exact": mcnemar,
    "McNemar, mid-p": mid_p,
    "McNemar, randomised (UMPU)": randomised,
    "Suissa–Shuster, unconditional": unconditional,
    "Barnard, unpaired": barnard,
    "McNemar, conditional power": curtailed,
    "Wald's SPRT, power 80 %": sprt,
    "Wald's SPRT, power 60 %": lambda replays: sprt(replays, 0.4),
    "Pocock, 5 looks": pocock,
    "O'Brien–Fleming, 5 looks": obrien_fleming,
    "Whitehead's triangle": triangular,
    "STEP's risk budget": step,
    "mixture SPRT": mixture_sprt,
    "betting, aGRAPA": agrapa,
    "betting, Kelly": kelly,
}
