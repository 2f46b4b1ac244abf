"""Did it help, where no trial says? How often the failure that a memory addresses happened before it was approved,
and after. It compares one time with another, not like with like: who came, and with what, may have changed too. A
trial compares sessions of the same days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from reverie.domain.intervals import newcombe, wilson
from reverie.domain.observations import Observation
from reverie.domain.trials import Interval, Marks
from reverie.dreaming.trials.marks import hit
from reverie.plugins import Observer
from reverie.storage import observations as rows
from reverie.storage.database import Database

__all__ = ["MOST", "Course", "Courses", "Share", "Week"]

MOST: Final = 500
"""Sessions that are counted on each side of the approval: the nearest ones."""


@dataclass(frozen=True, slots=True)
class Share:
    """``failed`` of ``total`` sessions."""

    failed: int
    total: int

    @property
    def value(self) -> float | None:
        """In [0, 1]; None of nothing."""
        return self.failed / self.total if self.total else None

    @property
    def interval(self) -> Interval:
        """Wilson's score interval at 95 % (JASA 22, 1927); of nothing everything is possible."""
        return wilson(self.failed, self.total)


@dataclass(frozen=True, slots=True)
class Week:
    """Sessions that began in the seven days from ``monday`` on (UTC)."""

    monday: date
    share: Share


@dataclass(frozen=True, slots=True)
class Course:
    """The failure before ``at`` and from then on. ``addressed``: it is the one that the memory is about; else it
    cannot be recognised, and how sessions ended stands for it (those whose end nobody told are left out)."""

    at: datetime
    addressed: bool
    before: Share
    after: Share
    weeks: tuple[Week, ...]

    @property
    def change(self) -> tuple[float, Interval] | None:
        """After − before, with Newcombe's hybrid score interval at 95 % (Stat. Med. 17, 1998, method 10); None where
        there is nothing on one side."""
        old, new = self.before, self.after
        if old.value is None or new.value is None:
            return None
        return new.value - old.value, newcombe(new.failed, new.total, old.failed, old.total)


class Courses:
    """Courses in one workspace. Only what a dream has observed is counted; nothing is read anew."""

    def __init__(self, db: Database, observer: Callable[[], Observer]) -> None:
        self._db = db
        self._observer = observer

    def course(self, at: datetime, marks: Marks) -> Course:
        """What became of the failure that ``marks`` recognise around ``at``."""
        version = self._observer().version
        with self._db.read() as conn:
            before, after = rows.around(conn, version, at, MOST)
        told = [_counted(found, marks) for found in (before, after)]
        return Course(at, bool(marks), _share(told[0]), _share(told[1]), tuple(_weeks([*told[0], *told[1]])))


_Counted = tuple[datetime, bool]
"""When a session began, and whether it failed."""


def _counted(found: Sequence[tuple[datetime, str, Observation]], marks: Marks) -> list[_Counted]:
    if marks:
        return [(at, hit(observation, marks)) for at, _, observation in found]
    return [(at, outcome != "success") for at, outcome, _ in found if outcome != "unknown"]


def _share(told: Sequence[_Counted]) -> Share:
    return Share(sum(failed for _, failed in told), len(told))


def _weeks(told: Sequence[_Counted]) -> list[Week]:
    """Those in which anything began, in order."""
    all_: Counter[date] = Counter()
    failed: Counter[date] = Counter()
    for at, bad in told:
        monday = at.date() - timedelta(days=at.weekday())
        all_[monday] += 1
        failed[monday] += bad
    return [Week(monday, Share(failed[monday], all_[monday])) for monday in sorted(all_)]
