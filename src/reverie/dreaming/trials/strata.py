"""What would have been expected of a session anyhow: the rate in its stratum, known before it began.

A trial is valid whatever is subtracted here, because the coin does not look at strata; what is subtracted well
makes it quicker, because a hard task that fails is then no news about the memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["Expectations", "Stratum"]

Stratum = tuple[str, ...]
"""Where a session belongs, the coarsest first: (repository, task, agent version …); any depth, also none."""
PULL: Final = 4.0
"""How many sessions' worth of weight a level's rate is drawn toward that of the level above."""


@dataclass(slots=True)
class Expectations:
    """Success rates by stratum, each level shrunk toward the one above it (James & Stein's idea, kept simple).

    A stratum that was never seen has the rate of its parent; the root starts at one half. Sizes need not be
    known in advance. Feed each session once, after its expectation was taken.
    """

    _tally: dict[Stratum, tuple[int, int]] = field(default_factory=dict[Stratum, tuple[int, int]])

    def of(self, stratum: Stratum) -> float:
        """The success rate expected here, within (0, 1)."""
        rate = 0.5
        for depth in range(len(stratum) + 1):
            good, total = self._tally.get(stratum[:depth], (0, 0))
            rate = (good + PULL * rate) / (total + PULL)
        return rate

    def learn(self, stratum: Stratum, good: bool) -> None:
        """One session more in this stratum and in all above it."""
        for depth in range(len(stratum) + 1):
            successes, total = self._tally.get(stratum[:depth], (0, 0))
            self._tally[stratum[:depth]] = successes + good, total + 1
