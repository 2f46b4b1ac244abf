"""What a look at a running trial found."""

from __future__ import annotations

from dataclasses import dataclass

from reverie.domain.trials import Point, Ruling, Trial

__all__ = ["Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """A trial after a look: how it stands, what that would be as a verdict (which it is if ``decided``: then the
    trial is over), and how many sessions of the round are not over yet."""

    trial: Trial
    point: Point
    ruling: Ruling
    waiting: int
    decided: bool = False
