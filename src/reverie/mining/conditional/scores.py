"""The arithmetic of evidence: how surprising k failures among n rows are, given what was expected."""

from __future__ import annotations

from math import asin, exp, inf, log, sqrt

import numpy as np

from reverie.mining.conditional.arrays import Floats
from reverie.mining.statistics import log_choose

__all__ = ["chernoff", "effect", "fisher", "gain", "phi", "probability", "surprise"]


def _divergence(k: Floats, n: Floats, e: Floats) -> Floats:
    """k·ln(k/e) + (n−k)·ln((n−k)/(n−e)), elementwise: n times the Bernoulli divergence of k/n from e/n."""
    tiny = np.float32(1e-12)
    failed = k * np.log(np.maximum(k, tiny) / np.maximum(e, tiny))
    passed = n - k
    return failed + passed * np.log(np.maximum(passed, tiny) / np.maximum(n - e, tiny))


def surprise(k: Floats, n: Floats, e: Floats) -> Floats:
    """Chernoff's exponent for "k or more of n, where e were expected", 0 where k ≤ e.

    exp(−surprise) bounds the probability when row i fails with a probability that is settled before row
    i's outcome is seen (a martingale difference), with e their sum: the exponential supermartingale of
    Freedman (1975) with the binomial exponent of Hoeffding (1963). The tilt is fitted to the data; the
    bound's slack against an exact tail (a factor of about sqrt(2πk)) is more than that costs.
    """
    return np.where(k > e, _divergence(k, n, e), 0)


def gain(k: Floats, n: Floats, e: Floats, all_k: float, all_n: float, all_e: float) -> Floats:
    """Log-likelihood ratio of two rates (inside, outside) against one, 0 where inside is not above outside.

    Without offsets (e = n·all_k/all_n) this is half the G statistic of the 2×2 table. Expected counts are
    first scaled to the total observed, so that a common factor in them does not matter.
    """
    scale = all_k / all_e if all_e > 0 else 1.0
    inside = e * scale
    both = _divergence(k, n, inside) + _divergence(all_k - k, all_n - n, all_k - inside)
    return np.where(k > inside, both, 0)


def chernoff(k: int, n: int, e: float) -> float:
    """ln of the bound on the probability of k or more failures among n rows where e were expected."""
    if k <= e:
        return 0.0
    exponent = k * log(k / max(e, 1e-12))
    if n > k:
        exponent += (n - k) * log((n - k) / max(n - e, 1e-12))
    return -exponent


def fisher(k: int, n: int, all_k: int, all_n: int) -> float:
    """ln P(X ≥ k) for X hypergeometric: n rows drawn from ``all_n``, of which ``all_k`` failed."""
    high = min(n, all_k)
    if k * all_n <= n * all_k:
        return 0.0
    if k > high:
        return -inf
    first = log_choose(all_k, k) + log_choose(all_n - all_k, n - k) - log_choose(all_n, n)
    total, term = 1.0, 1.0
    for x in range(k, high):
        term *= (all_k - x) * (n - x) / ((x + 1) * (all_n - all_k - n + x + 1))
        total += term
        if term < 1e-17 * total:
            break
    return min(0.0, first + log(total))


def effect(rate: float, other: float) -> float:
    """Cohen's h, the difference of two rates on the arcsine scale (Cohen 1988): 0.2 is small, 0.8 large."""
    return 2 * (asin(sqrt(min(1.0, max(0.0, rate)))) - asin(sqrt(min(1.0, max(0.0, other)))))


def probability(log_p: float) -> float:
    return exp(min(0.0, log_p))


def phi(k: Floats, n: Floats, all_k: float, all_n: float) -> Floats:
    """The correlation of failing with being among n rows of which k failed; 0 where either never changes."""
    spread = np.sqrt(n * (all_n - n) * all_k * (all_n - all_k))
    return np.divide(k * all_n - n * all_k, spread, out=np.zeros_like(n), where=spread > 0)
