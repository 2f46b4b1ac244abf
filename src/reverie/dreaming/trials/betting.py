"""Evidence that may be looked at after every session: a bet against "this memory changes nothing".

Session i sees the memory with probability q, by a coin that depends on nothing else. With its outcome y (1 good,
0 bad) and what was expected of it, m, taken from earlier sessions,

    z = (y − m)/q if it saw the memory, −(y − m)/(1 − q) if not

has the mean t, the effect of the memory on this very session, *whatever* the session is: strata, drift and other
memories are in y and m and cancel, since only the coin is averaged over (design-based inference; Horvitz &
Thompson 1952 with a predictable centre as in Robins, Rotnitzky & Zhao 1994). For a fixed stake s with 1 + s·z > 0,

    W(a) = Π (1 + s·z) · exp(−s·n·a)        a = the average effect over the n sessions so far

has expectation at most 1, because E(1 + s·z) = 1 + s·t ≤ exp(s·t). So has the average of W over a fixed set of
stakes, and by Ville's inequality (1939) it exceeds 1/alpha *at any time* with probability at most alpha. W(0)
is the e-value against "no benefit so far"; the a for which W(a) < 2/alpha, up and down, make a confidence sequence
for the *average effect so far*, which may change from session to session. This is the betting of Waudby-Smith &
Ramdas ("Estimating means of bounded random variables by betting", JRSS-B 2024) on the design-based scores of Howard,
Ramdas, McAuliffe & Sekhon ("Time-uniform, nonparametric, nonasymptotic confidence sequences", Ann. Stat. 2021, §4.2),
whose empirical-Bernstein process it dominates term by term, since 1 + x ≥ exp(x − ψ_E(…)x²). Fixed stakes rather
than stakes that learn: only so does the running average survive a drifting effect. For the vocabulary see Ramdas,
Grünwald, Vovk & Shafer, "Game-theoretic statistics and safe anytime-valid inference" (Stat. Sci. 2023).

Sessions are counted **in the order in which they began**, as far as all have ended. In the order in which outcomes
come in, a memory that makes sessions slow would be judged on the quick ones. A session without outcome is bad.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reverie.domain.errors import Invalid
from reverie.dreaming.trials.strata import Expectations, Stratum

__all__ = ["Account", "Seen", "open_account", "paths", "scores", "stakes"]

Floats = NDArray[np.float64]

ROUNDS: Final = 60
"""Bisections of a confidence limit: past the precision of a float."""
STAKES: Final = 8
LEAST: Final = 1 / 20
"""The least stake, as a share of the greatest. With 80 % seeing the memory, intervals shrink down to about half a point;
each stake more delays every verdict a little."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One session of a trial: did it see the memory, did it end well, where does it belong."""

    seen: bool
    good: bool
    stratum: Stratum = ()


@dataclass(frozen=True, slots=True)
class Account:
    """What was won by betting on either direction, for one memory and one outcome.

    ``up``, ``down``: the logarithm of what each stake has won on "it helps" and on "it harms". ``total``: the sum of
    the scores; over ``sessions`` it estimates the average effect without bias.
    """

    share: float
    sessions: int
    total: float
    up: tuple[float, ...]
    down: tuple[float, ...]

    @property
    def effect(self) -> float | None:
        """The estimated average effect, as a difference of success rates; None without sessions."""
        return self.total / self.sessions if self.sessions else None

    def helps(self, above: float = 0.0) -> float:
        """The e-value against "the average effect so far is at most ``above``"."""
        return math.exp(min(700.0, _mixed(self.up, self.share, self.sessions * above)))

    def harms(self, below: float = 0.0) -> float:
        """The e-value against "the average effect so far is at least ``below``"."""
        return math.exp(min(700.0, _mixed(self.down, self.share, -self.sessions * below)))

    def interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """(low, high): holds the average effect so far at all times at once, with probability 1 − ``alpha``."""
        if not self.sessions:
            return -1.0, 1.0
        limit = math.log(2 / alpha)
        low = self._crossed(self.up, limit)
        high = -self._crossed(self.down, limit)
        return low, high

    def _crossed(self, wins: tuple[float, ...], limit: float) -> float:
        """The greatest effect in [−1, 1] that the bets refute, from below; −1 where they refute none."""
        low, high = -1.0, 1.0
        if _mixed(wins, self.share, self.sessions * low) < limit:
            return low
        for _ in range(ROUNDS):
            middle = (low + high) / 2
            if _mixed(wins, self.share, self.sessions * middle) >= limit:
                low = middle
            else:
                high = middle
        return low


def stakes(share: float) -> Floats:
    """The stakes that are averaged over: a geometric row up to just below where a bet could lose everything."""
    most = 0.95 * min(share, 1 - share)
    return np.geomspace(LEAST * most, most, STAKES)


def scores(sessions: Iterable[Seen], share: float) -> list[float]:
    """z of each session, each with the expectation that those before it gave."""
    known, out = Expectations(), list[float]()
    for one in sessions:
        surprise = one.good - known.of(one.stratum)
        out.append(surprise / share if one.seen else -surprise / (1 - share))
        known.learn(one.stratum, one.good)
    return out


def open_account(sessions: Sequence[Seen], share: float) -> Account:
    """The account after these sessions, in the order in which they began. Raises ``Invalid`` for a bad share."""
    if not 0 < share < 1:
        raise Invalid("share", "between 0 and 1, both excluded", str(share))
    z = np.array(scores(sessions, share), dtype=np.float64)
    gains = np.multiply.outer(z, stakes(share))
    up, down = np.log1p(gains).sum(axis=0), np.log1p(-gains).sum(axis=0)
    return Account(share, len(sessions), float(z.sum()), tuple(up.tolist()), tuple(down.tolist()))


def paths(z: Floats, share: float, effects: Floats | None = None) -> tuple[Floats, Floats]:
    """ln of both e-values after each session: of many trials at once, to see how the account would have gone.

    ``z``: scores, shape (…, n). ``effects``: the average effect so far that is held against it, shape (…, n), 0 where
    it is None. Returns (helps, harms), each of shape (…, n).
    """
    so_far = np.arange(1.0, z.shape[-1] + 1)
    held = np.zeros_like(z) if effects is None else np.multiply(effects, so_far)
    up, down = np.full_like(z, -np.inf), np.full_like(z, -np.inf)
    for stake in stakes(share):
        np.logaddexp(up, np.log1p(stake * z).cumsum(-1) - stake * held, out=up)
        np.logaddexp(down, np.log1p(-stake * z).cumsum(-1) + stake * held, out=down)
    return up - math.log(STAKES), down - math.log(STAKES)


def _mixed(wins: tuple[float, ...], share: float, held: float) -> float:
    """ln of the average over the stakes of exp(win − stake·held)."""
    terms: Any = np.array(wins) - stakes(share) * held
    return float(np.logaddexp.reduce(terms)) - math.log(STAKES)
