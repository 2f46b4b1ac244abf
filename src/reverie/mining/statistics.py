"""Honest numbers: two proportions compared, raw and within strata, and many comparisons at once.

Plain Python on purpose: tables here are small, exact answers are cheap, and importing a statistics
package would cost more time than all of mining. The tests hold every function against scipy or brute
force.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.findings import Comparison, Rate
from reverie.domain.intervals import Z95, newcombe

__all__ = [
    "Table",
    "benjamini_hochberg",
    "compare",
    "compare_within",
    "exact_p",
    "log_choose",
    "odds_ratio",
    "risk_difference",
]

EXACT_UP_TO: Final = 800
"""Sum of the strata's ranges up to which the exact conditional test is made; beyond, the normal one."""


@dataclass(frozen=True, slots=True)
class Table:
    """A 2 × 2 table: ``a`` successes of ``n`` with the thing, ``b`` successes of ``m`` without."""

    a: int
    n: int
    b: int
    m: int

    @property
    def informative(self) -> bool:
        """Both groups are there (a stratum without one of them compares nothing)."""
        return self.n > 0 and self.m > 0

    @property
    def interval(self) -> tuple[float, float]:
        """Of ``a/n − b/m``, at 95 %."""
        return newcombe(self.a, self.n, self.b, self.m)


def exact_p(strata: Iterable[Table], *, alternative: str = "two-sided") -> float:
    """The exact conditional p-value of "no association within any stratum".

    Given the margins, the number of successes with the thing is a sum of independent hypergeometric
    variables; its distribution is their convolution. One stratum: Fisher's exact test. Several: the
    exact version of Mantel–Haenszel (Gart 1970; Mehta, Patel & Gray 1985). Two-sided by the sum of all
    outcomes no more likely than the one seen; ``alternative="greater"``: more successes with the thing.
    Above ``EXACT_UP_TO`` the continuity-corrected Mantel–Haenszel chi-square stands in (two-sided), or
    its signed root (one-sided).
    """
    tables = [t for t in strata if t.informative]
    spread = sum(_high(t) - _low(t) for t in tables)
    if spread == 0:
        return 1.0
    if spread > EXACT_UP_TO:
        return _mantel_haenszel_p(tables, alternative)
    weights = [1.0]
    for table in tables:
        weights = _convolved(weights, _hypergeometric(table))
    seen = sum(t.a - _low(t) for t in tables)
    if alternative == "greater":
        return _probability(math.fsum(weights[seen:]))
    limit = weights[seen] * (1 + 1e-7)
    return _probability(math.fsum(w for w in weights if w <= limit))


def odds_ratio(strata: Iterable[Table]) -> float | None:
    """The Mantel–Haenszel odds ratio (Mantel & Haenszel 1959); None where its denominator is zero."""
    above = below = 0.0
    for t in strata:
        if t.informative:
            size = t.n + t.m
            above += t.a * (t.m - t.b) / size
            below += (t.n - t.a) * t.b / size
    return above / below if below else None


def risk_difference(strata: Iterable[Table]) -> tuple[float, float, float] | None:
    """(difference, low, high): the Mantel–Haenszel risk difference and its 95 % interval.

    Weights n·m/(n+m) (Greenland & Robins 1985), variance by Sato (1989), which holds for many small
    strata as for few large ones. None where no stratum has both groups.
    """
    tables = [t for t in strata if t.informative]
    total = sum(t.n * t.m / (t.n + t.m) for t in tables)
    if not total:
        return None
    difference = sum((t.a * t.m - t.b * t.n) / (t.n + t.m) for t in tables) / total
    p_sum = q_sum = 0.0
    for t in tables:
        size = t.n + t.m
        p_sum += (t.n**2 * t.b - t.m**2 * t.a + t.n * t.m * (t.m - t.n) / 2) / size**2
        q_sum += (t.a * (t.m - t.b) + t.b * (t.n - t.a)) / (2 * size)
    variance = max(0.0, (difference * p_sum + q_sum) / total**2)
    if variance == 0:  # every stratum all alike: Sato's interval has no width, which would be a lie
        return difference, *_pooled(tables).interval
    half = Z95 * math.sqrt(variance)
    return difference, max(-1.0, difference - half), min(1.0, difference + half)


def compare(table: Table) -> Comparison | None:
    """The raw comparison of one table; None where a group is empty."""
    if not table.informative:
        return None
    low, high = table.interval
    return Comparison(
        with_=Rate(table.a, table.n),
        without=Rate(table.b, table.m),
        difference=table.a / table.n - table.b / table.m,
        low=low,
        high=high,
        p_value=exact_p([table]),
        method="Fisher's exact test, Newcombe's hybrid score interval",
        strata=1,
        odds_ratio=odds_ratio([table]),
    )


def compare_within(strata: Sequence[Table]) -> Comparison | None:
    """The comparison within strata; None where no stratum has both groups. Rates are over those strata."""
    tables = [t for t in strata if t.informative]
    difference = risk_difference(tables)
    if difference is None:
        return None
    return Comparison(
        with_=Rate(sum(t.a for t in tables), sum(t.n for t in tables)),
        without=Rate(sum(t.b for t in tables), sum(t.m for t in tables)),
        difference=difference[0],
        low=difference[1],
        high=difference[2],
        p_value=exact_p(tables),
        method="exact conditional test within strata, Mantel–Haenszel risk difference with Sato's interval",
        strata=len(tables),
        odds_ratio=odds_ratio(tables),
    )


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: the false-discovery rate (Benjamini & Hochberg 1995).

    Valid for independent and for positively dependent tests (Benjamini & Yekutieli 2001); pass every
    test that was made, not only those that look good.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i], reverse=True)
    adjusted = [1.0] * len(p_values)
    least = 1.0
    for rank, i in zip(range(len(p_values), 0, -1), order, strict=True):
        least = min(least, p_values[i] * len(p_values) / rank)
        adjusted[i] = least
    return adjusted


def _pooled(tables: Sequence[Table]) -> Table:
    return Table(
        sum(t.a for t in tables), sum(t.n for t in tables), sum(t.b for t in tables), sum(t.m for t in tables)
    )


def _probability(p: float) -> float:
    """Within (0, 1]: what is too small for a float is still not impossible."""
    return min(1.0, max(p, sys.float_info.min))


def _low(t: Table) -> int:
    return max(0, t.a + t.b - t.m)


def _high(t: Table) -> int:
    return min(t.n, t.a + t.b)


def _hypergeometric(t: Table) -> list[float]:
    """P(successes with the thing = k) for k from the least to the most the margins allow."""
    successes, size = t.a + t.b, t.n + t.m
    base = log_choose(size, successes)
    return [
        math.exp(log_choose(t.n, k) + log_choose(t.m, successes - k) - base)
        for k in range(_low(t), _high(t) + 1)
    ]


def log_choose(n: int, k: int) -> float:
    """ln of the binomial coefficient."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _convolved(left: list[float], right: list[float]) -> list[float]:
    out = [0.0] * (len(left) + len(right) - 1)
    for i, x in enumerate(left):
        for j, y in enumerate(right):
            out[i + j] += x * y
    return out


def _mantel_haenszel_p(tables: Sequence[Table], alternative: str) -> float:
    excess = variance = 0.0
    for t in tables:
        size, successes = t.n + t.m, t.a + t.b
        excess += t.a - t.n * successes / size
        if size > 1:
            variance += t.n * t.m * successes * (size - successes) / (size**2 * (size - 1))
    if variance == 0:
        return 1.0
    if alternative == "greater":
        return _probability(0.5 * math.erfc((excess - 0.5) / math.sqrt(2 * variance)))
    chi = max(0.0, abs(excess) - 0.5) / math.sqrt(variance)
    return _probability(math.erfc(chi / math.sqrt(2)))
