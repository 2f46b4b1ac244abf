"""Intervals of shares, and of the difference of two: the ones that every figure of ours is told with."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["Z95", "newcombe", "wilson"]

Z95: Final = 1.959963984540054
"""The 97.5th percentile of the normal distribution."""


def wilson(successes: int, total: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion (Wilson, JASA 22, 1927); (0, 1) where there is nothing."""
    if total == 0:
        return 0.0, 1.0
    p, z2 = successes / total, Z95 * Z95
    middle = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def newcombe(a: int, n: int, b: int, m: int) -> tuple[float, float]:
    """The 95 % interval of ``a/n − b/m`` from two score intervals (Newcombe, Stat. Med. 17, 1998, method 10); ``n`` and
    ``m`` are more than 0."""
    p, q = a / n, b / m
    (low_p, high_p), (low_q, high_q) = wilson(a, n), wilson(b, m)
    low = p - q - math.sqrt((p - low_p) ** 2 + (high_q - q) ** 2)
    high = p - q + math.sqrt((high_p - p) ** 2 + (q - low_q) ** 2)
    return max(-1.0, low), min(1.0, high)
