"""Does a mistake come up more or less often than it did? The later half of the sessions against the earlier.

Only sessions that could have shown it count. The test is exact and made within users (a new crowd is no
trend), two-sided, and corrected for every mistake that was looked at; what it cannot tell is "steady".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from reverie.domain.events import Json
from reverie.domain.findings import Rate
from reverie.domain.observations import Observation
from reverie.mining.statistics import Table, benjamini_hochberg, exact_p

__all__ = ["Trend", "trends"]

ALPHA: Final = 0.05
LEAST: Final = 5  # sessions in each half


@dataclass(frozen=True, slots=True)
class Trend:
    """``before`` and ``since``: sessions with it, of sessions that could have shown it, on either side of ``at``."""

    direction: Literal["rising", "falling", "steady"]
    before: Rate
    since: Rate
    at: datetime
    p_adjusted: float

    @property
    def words(self) -> str:
        """ "less often lately (1 of 30 sessions since 2026-03-01, 12 of 31 before)"; empty when steady."""
        if self.direction == "steady":
            return ""
        often = "more" if self.direction == "rising" else "less"
        return (
            f"{often} often lately ({self.since.successes} of {self.since.total} sessions since "
            f"{self.at.date().isoformat()}, {self.before.successes} of {self.before.total} before)"
        )

    @property
    def statement(self) -> dict[str, Json]:
        return {
            "direction": self.direction,
            "since": self.at.isoformat(),
            "before": [self.before.successes, self.before.total],
            "after": [self.since.successes, self.since.total],
            "p_adjusted": self.p_adjusted,
        }


def trends(able: Mapping[str, Sequence[Observation]], having: Mapping[str, set[str]]) -> dict[str, Trend]:
    """The trend of each thing: ``able`` are the sessions that could show it, ``having`` the ids of those that do.

    Nothing is said of a thing whose sessions have no time, or too few of them.
    """
    halves: dict[str, tuple[list[Observation], list[Observation]]] = {}
    for key in sorted(able):
        timed = sorted(
            (o for o in able[key] if o.started_at is not None), key=lambda o: (o.started_at, o.session_id)
        )
        if len(timed) >= 2 * LEAST:
            halves[key] = timed[: len(timed) // 2], timed[len(timed) // 2 :]
    p_values = [exact_p(_tables(*halves[key], having[key])) for key in halves]
    adjusted = benjamini_hochberg(p_values)
    return {key: _trend(*halves[key], having[key], p) for key, p in zip(halves, adjusted, strict=True)}


def _trend(early: Sequence[Observation], late: Sequence[Observation], having: set[str], p: float) -> Trend:
    before, since = _rate(early, having), _rate(late, having)
    rising = (since.value or 0.0) > (before.value or 0.0)
    at = late[0].started_at
    assert at is not None
    direction = "steady" if p > ALPHA else "rising" if rising else "falling"
    return Trend(direction, before, since, at, p)


def _rate(sessions: Sequence[Observation], having: set[str]) -> Rate:
    return Rate(sum(o.session_id in having for o in sessions), len(sessions))


def _tables(early: Sequence[Observation], late: Sequence[Observation], having: set[str]) -> list[Table]:
    strata: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for offset, group in ((0, late), (2, early)):
        for o in group:
            row = strata[o.user or ""]
            row[offset] += o.session_id in having
            row[offset + 1] += 1
    return [Table(*strata[key]) for key in sorted(strata)]
