"""Numbers of a finding as a page draws them: what is counted, how it compares, and when it was seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from reverie.domain.findings import Comparison, Finding, Rate

__all__ = ["Bar", "Drawn", "Figure", "Row", "drawn", "figures", "rows", "same", "weeks"]

_WEEKS: Final = 52
_HEIGHT: Final = 28  # of the drawing, in its own units
_SAME: Final = {"cluster": "kind of request", "first_tool": "first tool called"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, what is counted (``meaning``), out of what (``of``; empty where it is no share), and where on
    the page of the evidence one sees what was counted."""

    name: str
    value: str
    meaning: str
    of: str = ""
    place: str = ""


def figures(finding: Finding) -> Iterator[Figure]:
    """How often, by whom, on how many days."""
    counts = finding.counts
    yield Figure(
        "sessions", f"{counts.sessions:,} of {counts.of_sessions:,}", "Sessions that show it.",
        "Sessions in which it could have shown: those that did what the claim is about.", "sessions",
    )  # fmt: skip
    yield Figure(
        "times", f"{counts.occurrences:,}",
        "Every time it was seen in these sessions; one session may show it often.", place="for",
    )  # fmt: skip
    named = [
        ("people", counts.users, "Different people whose sessions show it: one person's habit counts once."),
        ("agents", counts.agents, "Different agents that show it."),
        ("days", counts.days, "Different days (UTC) on which it was seen: one bad day counts once."),
    ]
    for name, count, meaning in named:
        yield Figure(name, f"{count:,}" if count else "unknown", meaning, place="sessions")
    if finding.p_adjusted is not None:
        yield Figure(
            "chance", f"{finding.p_adjusted:.2g}",
            "How probable a difference this large is by chance alone (p), corrected for everything else that "
            "was looked at.", place="numbers",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawn:
    """An interval on an axis from −100 to 100 points, in units of the drawing (0 to 200)."""

    low: float
    wide: float
    at: float


def drawn(found: Comparison | None) -> Drawn | None:
    """Where a difference and its interval are drawn."""
    if found is None:
        return None
    low, high = max(-1.0, found.low), min(1.0, found.high)
    return Drawn(100 + low * 100, max(2.0, (high - low) * 100), 100 + found.difference * 100)


@dataclass(frozen=True, slots=True)
class Row:
    """Comparable sessions, with what is claimed and without. ``compares``: both kinds are there."""

    name: str
    with_: Rate
    without: Rate

    @property
    def compares(self) -> bool:
        return bool(self.with_.total and self.without.total)

    @property
    def difference(self) -> float | None:
        """With − without, in [−1, 1]."""
        here, there = self.with_.value, self.without.value
        return None if here is None or there is None else here - there


def rows(finding: Finding) -> list[Row]:
    """The strata that a finding keeps, as it keeps them."""
    return [Row(each.name, each.with_, each.without) for each in finding.effect.strata]


@dataclass(frozen=True, slots=True)
class Bar:
    """A week of a sparkline: how many sessions, and the height and place of its bar."""

    week: date
    sessions: int
    x: float
    height: float


def weeks(began: Iterable[datetime | None]) -> Sequence[Bar]:
    """Sessions by the week (from Monday, UTC) they began in, the last 52 weeks up to the newest; without those
    whose time is unknown."""
    days = [at.date() for at in began if at is not None]
    found = Counter(day - timedelta(days=day.weekday()) for day in days)
    if not found:
        return ()
    last = max(found)
    first = max(min(found), last - timedelta(weeks=_WEEKS - 1))
    every = [first + timedelta(weeks=n) for n in range((last - first).days // 7 + 1)]
    most = max(found[week] for week in every)
    return [Bar(week, found[week], at * 8.0, _HEIGHT * found[week] / most) for at, week in enumerate(every)]


def same(finding: Finding) -> str:
    """What makes sessions comparable here, in words."""
    name = finding.effect.stratified_by or "task"
    return _SAME.get(name, name).replace("_", " ")
