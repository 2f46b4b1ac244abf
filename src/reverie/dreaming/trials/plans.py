"""What a paired replay is to keep, and the plan that keeps it (``design`` makes it; this needs no numbers to load)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["AIMS", "Aims", "Plan"]


@dataclass(frozen=True, slots=True)
class Aims:
    """What a plan must keep, and for which edits it is made as quick as possible.

    ``alpha``: edits that do nothing and are adopted. ``harm_alpha``: edits that harm by ``harm`` (a difference of success
    rates) and are adopted, as long as at most ``liveliest`` of their pairs differ. ``help``: the benefit looked for.
    ``differ``: the share of pairs expected to differ, 2p(1 − p) for tasks that succeed with probability p; it
    touches how quick the plan is, never its errors. ``yielded``: the power that may be given up for
    stopping early.
    """

    alpha: float = 0.05
    harm: float = 0.10
    harm_alpha: float = 0.01
    liveliest: float = 0.60
    help: float = 0.10
    differ: float = 0.45
    yielded: float = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """Stopping by the number of pairs that differed, n, from 0 to ``last``; lists have ``last`` + 1 entries.

    Adopt at once with ``adopt[n]`` wins or more, give up with ``drop[n]`` or fewer. When the pairs are used up, or n is
    ``last``: adopt with more than ``edge[n]`` wins, and with exactly as many if the coin lies below ``coin[n]``.
    """

    pairs: int
    adopt: tuple[int, ...]
    drop: tuple[int, ...]
    edge: tuple[int, ...]
    coin: tuple[float, ...]

    @property
    def last(self) -> int:
        """The number of differing pairs after which it ends in any case."""
        return len(self.adopt) - 1


AIMS: Final = Aims()
"""Those of a replay, unless others are chosen."""
