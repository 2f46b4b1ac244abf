"""Did it help? The failure that a memory addresses, before and after, and its trials, as a page draws and says them.

Every drawing is plain SVG made here, in units of its own, and has a table beside it that says the same. (A library for
plots that one zooms into was weighed and left out: fifty weeks and forty points of a curve are seen at once.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reverie.domain.trials import Interval, Point, Trial
from reverie.dreaming.trials.courses import Course, Share
from reverie.dreaming.trials.service import History

__all__ = [
    "Arm",
    "Band",
    "Curve",
    "Dot",
    "Mark",
    "Plot",
    "Rule",
    "Stand",
    "curve",
    "marks",
    "plot",
    "said",
    "stand",
]

WIDE, HIGH = 720, 190
_LEFT, _TOP, _RIGHT, _BOTTOM = 44, 26, 10, 24
_FEW: Final = 3
"""Sessions of a side below which nothing is said of it."""
_WEEK: Final = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, as a vertical line. ``kind``: approval or trial."""

    at: datetime
    words: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A week, with its interval."""

    x: float
    y: float
    low: float
    high: float
    words: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A mark with its place; ``end``: its words stand left of it."""

    x: float
    y: float
    words: str
    kind: str
    end: bool


@dataclass(frozen=True, slots=True)
class Band:
    """All sessions of one side together, with the interval of their rate."""

    x: float
    wide: float
    y: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Plot:
    """Rates by week; ``ticks`` are (y, words) and ``days`` (x, words)."""

    dots: Sequence[Dot]
    bands: Sequence[Band]
    rules: Sequence[Rule]
    ticks: Sequence[tuple[float, str]]
    days: Sequence[tuple[float, str]]
    wide: int = WIDE
    high: int = HIGH
    left: int = _LEFT
    floor: int = HIGH - _BOTTOM
    roof: int = _TOP


def _up(rate: float) -> float:
    return round(HIGH - _BOTTOM - rate * (HIGH - _TOP - _BOTTOM), 1)


def plot(course: Course | None, happened: Sequence[Mark]) -> Plot | None:
    """The weeks of a course and what happened meanwhile; None where there are fewer than two of them."""
    if course is None or len(course.weeks) < 2:
        return None
    first, last = course.weeks[0].monday, course.weeks[-1].monday + _WEEK
    span = max(1, (last - first).days)

    def along(at: datetime) -> float:
        days = (at.date() - first).days + at.hour / 24
        return round(_LEFT + min(1.0, max(0.0, days / span)) * (WIDE - _LEFT - _RIGHT), 1)

    def middle(week: int) -> float:
        days = (course.weeks[week].monday - first).days + 3.5
        return round(_LEFT + days / span * (WIDE - _LEFT - _RIGHT), 1)

    dots = [
        Dot(
            middle(n),
            _up(week.share.value or 0.0),
            _up(week.share.interval[0]),
            _up(week.share.interval[1]),
            f"week of {week.monday}: {week.share.failed} of {week.share.total}",
        )
        for n, week in enumerate(course.weeks)
    ]
    middle_of_all = (_LEFT + WIDE) / 2
    rules = [
        Rule(x := along(mark.at), 9 + 11 * (n % 2), mark.words, mark.kind, x > middle_of_all)
        for n, mark in enumerate(sorted(happened, key=lambda mark: mark.at))
    ]
    split = along(course.at)
    bands = [*_band(_LEFT, split, course.before), *_band(split, WIDE - _RIGHT, course.after)]
    ticks = [(_up(rate), f"{rate:.0%}".replace("%", " %")) for rate in (0.0, 0.5, 1.0)]
    days = [(float(_LEFT), str(first)), (float(WIDE - _RIGHT), str(last - timedelta(days=1)))]
    return Plot(dots, bands, rules, ticks, days)


def _band(left: float, right: float, share: Share) -> Iterator[Band]:
    if share.value is not None and share.total >= _FEW and right > left:
        low, high = share.interval
        yield Band(left, round(right - left, 1), _up(share.value), _up(low), _up(high))


def marks(course: Course | None, histories: Sequence[History]) -> list[Mark]:
    """What happened to a memory that could have made a difference."""
    found = [] if course is None else [Mark(course.at, "approved", "approval")]
    for each in histories:
        found.append(Mark(each.trial.began_at, "trial began", "trial"))
        if each.trial.ended_at is not None:
            found.append(Mark(each.trial.ended_at, f"trial {each.trial.status}", "trial"))
    return found


def said(course: Course | None) -> str:
    """A course in a sentence that a careful person would sign."""
    if course is None:
        return "No proposal brought this text, so nothing says what it should have helped against."
    what = "showed the failure it is about" if course.addressed else "ended badly"
    if course.before.total < _FEW or course.after.total < _FEW:
        since = f"{course.after.total:,} since, {course.before.total:,} before"
        return f"Not enough data: of the sessions that dreams have looked at, {since} it was approved."
    told = course.change
    assert told is not None
    change, (low, high) = told
    verdict = "That is rarer" if high < 0 else "That is more often" if low > 0 else "That may be chance"
    return (
        f"{_of(course.before)} {what} before it was approved, {_of(course.after)} since. {verdict}: "
        f"{_points(change)} points, 95 % interval {_points(low)} to {_points(high)}."
    )


def _of(share: Share) -> str:
    return f"{(share.value or 0) * 100:.0f} % of {share.total:,} sessions"


def _points(difference: float) -> str:
    return f"{difference * 100:+.0f}".replace("-", "−") if round(difference * 100) else "0"


# ---------------------------------------------------------------------- a trial


@dataclass(frozen=True, slots=True)
class Arm:
    """The sessions that saw a memory on trial, or those that did not."""

    name: str
    share: Share


@dataclass(frozen=True, slots=True)
class Curve:
    """The effect as it stood after more and more sessions: a line, and the band of its interval."""

    line: str
    band: str
    wide: int = WIDE
    high: int = HIGH
    left: int = _LEFT
    zero: float = _TOP + (HIGH - _TOP - _BOTTOM) / 2
    roof: int = _TOP
    floor: int = HIGH - _BOTTOM


@dataclass(frozen=True, slots=True)
class Stand:
    """How a trial stands, in words and numbers. ``arms``: by the failure that the memory is about where that can be
    recognised, and by how sessions end."""

    trial: Trial
    verdict: str
    words: str
    point: Point
    arms: Sequence[tuple[str, Sequence[Arm]]]
    curve: Curve | None
    points: Sequence[Point]


_VERDICTS: Final = {
    "helped": "It helped",
    "harmful": "It does harm",
    "no effect worth having": "It has no effect worth having",
    "not enough data": "Not enough data",
}


def stand(history: History, point: Point) -> Stand:
    """A trial as it stands."""
    trial = history.trial
    own = [each for each in history.points if each.round == trial.round.number]
    verdict = _VERDICTS[trial.word]
    if trial.status == "running" and trial.word == "not enough data":
        verdict = "Not enough data yet"
    return Stand(trial, verdict, _told(point), point, list(_arms(point)), curve(own), own)


def _told(point: Point) -> str:
    addressed = point.addressed_effect is not None and point.addressed is not None
    effect = point.addressed_effect if addressed else point.effect
    low, high = point.addressed if addressed and point.addressed else point.overall
    what = "The failure it is about is" if addressed else "Sessions that end badly are"
    if effect is None:
        return "No session that began since has ended yet, with it and without."
    rarer = "rarer" if effect >= 0 else "more frequent"
    return (
        f"{what} {abs(effect) * 100:.0f} points {rarer} where sessions see it. "
        f"95 % interval of the help: {_points(low)} to {_points(high)} points, however often one looks."
    )


def _arms(point: Point) -> Iterator[tuple[str, Sequence[Arm]]]:
    totals = (point.seen, point.sessions - point.seen)
    for title, counts in (
        ("the failure it is about happened", point.hits),
        ("ended badly", point.failures),
    ):
        if counts is not None:
            names = ("see it", "do not")
            yield (
                title,
                [Arm(n, Share(c, total)) for n, c, total in zip(names, counts, totals, strict=True)],
            )


def curve(points: Sequence[Point]) -> Curve | None:
    """The line of a round's points and its band; None where there are fewer than two."""
    known = [(each.sessions, *_effect(each)) for each in points]
    told = [(count, effect, interval) for count, effect, interval in known if effect is not None]
    if len(told) < 2:
        return None
    most = max(count for count, _, _ in told)

    def at(count: int, effect: float) -> str:
        x = _LEFT + count / most * (WIDE - _LEFT - _RIGHT)
        return f"{x:.1f},{_up((max(-1.0, min(1.0, effect)) + 1) / 2)}"

    lows = [at(count, low) for count, _, (low, _) in told]
    highs = [at(count, high) for count, _, (_, high) in told]
    line = " ".join(at(count, effect) for count, effect, _ in told)
    return Curve(line, " ".join([*highs, *reversed(lows)]))


def _effect(point: Point) -> tuple[float | None, Interval]:
    if point.addressed_effect is not None and point.addressed is not None:
        return point.addressed_effect, point.addressed
    return point.effect, point.overall
