"""What the proof counts: shares with intervals, differences on the same tasks, failures by what was planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from examples.prove.world import Played
from reverie.domain.intervals import wilson

__all__ = ["Difference", "Share", "failing", "gained", "share"]

_RESAMPLES: Final = 4_000


@dataclass(frozen=True, slots=True)
class Share:
    """``hits`` of ``total``, with Wilson's 95 % interval (JASA 22, 209, 1927). Of nothing it is 0 to 1."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else 0.0

    @property
    def low(self) -> float:
        return wilson(self.hits, self.total)[0]

    @property
    def high(self) -> float:
        return wilson(self.hits, self.total)[1]

    def __str__(self) -> str:
        return f"{self.value:.0%} ({self.low:.0%}–{self.high:.0%})"


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more often the same tasks succeed, with the 95 % interval of a paired bootstrap over tasks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:+.0f} ({100 * self.low:+.0f} to {100 * self.high:+.0f})"

    @property
    def is_none(self) -> bool:
        """Whether it may be nothing."""
        return self.low <= 0.0 <= self.high


def share(results: Sequence[Played]) -> Share:
    """How many succeeded."""
    return Share(sum(each.succeeded for each in results), len(results))


def gained(after: Sequence[Played], before: Sequence[Played], seed: int = 0) -> Difference:
    """The share of successes after, less that before, of the same tasks in the same order.

    Raises:
        ValueError: they are not the same tasks.
    """
    if [each.task for each in after] != [each.task for each in before]:
        raise ValueError("these are not the same tasks")
    pairs = np.array([a.succeeded - b.succeeded for a, b in zip(after, before, strict=True)], dtype=np.int8)
    draws = np.random.default_rng(seed).integers(len(pairs), size=(_RESAMPLES, len(pairs)))
    means = pairs[draws].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Difference(float(pairs.mean()), float(low), float(high))


def failing(results: Sequence[Played]) -> Counter[str]:
    """How many tasks failed of each planted thing. A task may fail of several."""
    return Counter(name for each in results for name in set(each.failures))
