"""Has a rate changed, and when? Looked at every night, and still honest.

``Changes`` is an e-process: under the hypothesis that a yes-or-no has had one constant rate all along, *any*
rate, its value never reaches 1/α with probability more than α, however often and whenever one looks (Ville
1939). It is a ratio: a mixture over all moments at which the rate may have changed (weights 1/(t(t+1)), as
in e-detectors: Shin, Ramdas & Rinaldo 2022) and over the rates before and after (Beta priors), against the
best constant rate there is (universal inference: Wasserman, Ramdas & Balakrishnan 2020; safe testing:
Grünwald, de Heide & Koolen 2024). The moment itself is that of the largest cumulative log-likelihood ratio
(Page 1954).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Change", "change_in", "excess_over"]

DROPPED: Final = (0.5, 8.0)  # Beta prior of a rate after it dropped: mostly below a tenth
ROSE: Final = (8.0, 0.5)
BEFORE: Final = (0.5, 0.5)
GRID: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """``log_e``: the log of the e-process at its present value. ``at``: the index of the first one after the
    most likely moment of change; ``low`` and ``high``: moments with a likelihood of at least 1/7 of its (about
    95 %). ``before`` and ``after``: (yes, all) on either side."""

    log_e: float
    at: int
    low: int
    high: int
    before: tuple[int, int]
    after: tuple[int, int]


def change_in(seen: Sequence[bool], direction: Literal["drop", "rise"]) -> Change | None:
    """What a series of yes-or-no, in order of time, says of a change of its rate. None for fewer than two."""
    n = len(seen)
    if n < 2:
        return None
    yes = [0]
    for value in seen:
        yes.append(yes[-1] + value)
    total = yes[-1]
    after_prior = DROPPED if direction == "drop" else ROSE
    terms = [_log_marginal(total, n, BEFORE) - math.log(n)]  # the change is still to come: Σ_{t≥n} 1/(t(t+1))
    best = low = high = 1
    ratios: list[float] = []
    for t in range(1, n):  # t of them before the change
        k, m = yes[t], total - yes[t]
        if k * (n - t) == m * t or (k * (n - t) > m * t) != (direction == "drop"):
            ratios.append(-math.inf)  # a change the other way is left out: the e-process only gets smaller
            continue
        marginal = _log_marginal(k, t, BEFORE) + _log_marginal(m, n - t, after_prior)
        terms.append(marginal - math.log(t * (t + 1)))
        ratios.append(_log_likelihood(k, t) + _log_likelihood(m, n - t))
    top = max(ratios)
    if top > -math.inf:
        best = 1 + ratios.index(top)
        likely = [t for t, ratio in enumerate(ratios, 1) if ratio >= top - math.log(7)]
        low, high = likely[0], likely[-1]
    log_e = _log_sum(terms) - _log_likelihood(total, n)
    return Change(log_e, best, low, high, (yes[best], best), (total - yes[best], n - best))


def excess_over(limit: float, yes: int, n: int) -> float:
    """The log of an e-process against "the rate is at most ``limit``": a uniform mixture of higher rates."""
    rates = [limit + (1 - limit) * (i + 0.5) / GRID for i in range(GRID)]
    terms = [yes * math.log(p / limit) + (n - yes) * math.log((1 - p) / (1 - limit)) for p in rates]
    return _log_sum(terms) - math.log(GRID)


def _log_marginal(k: int, n: int, prior: tuple[float, float]) -> float:
    """ln ∫ p^k (1−p)^(n−k) dBeta(p)."""
    a, b = prior
    return _log_beta(a + k, b + n - k) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(k: int, n: int) -> float:
    """ln of the likelihood at the best constant rate."""
    return (k * math.log(k / n) if k else 0.0) + ((n - k) * math.log((n - k) / n) if n > k else 0.0)


def _log_sum(terms: Sequence[float]) -> float:
    top = max(terms)
    return top + math.log(math.fsum(math.exp(t - top) for t in terms))
