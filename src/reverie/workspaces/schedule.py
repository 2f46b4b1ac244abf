"""Cron schedules: what they mean, and when they are due.

Five fields in local time of an IANA zone. Times that a clock going forward leaves out are skipped; times
that a clock going back has twice are due twice. cronsim tells the local times; which moments they are is
told here, for its own rule (Debian's) moves the skipped ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reverie.domain.errors import Invalid

__all__ = ["checked", "upcoming"]

_FIELDS: Final = 5
_NAMES: Final = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT"
_VALUE: Final = rf"(?:\d{{1,2}}|{_NAMES})"
_TERM: Final = rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/\d{{1,3}})?"
_FIELD: Final = re.compile(rf"{_TERM}(?:,{_TERM})*", re.IGNORECASE | re.ASCII)
_LONGEST: Final = 255
_SHIFT: Final = timedelta(hours=3)  # further than clocks go back, while time zones are what they are


def checked(expression: str, zone: str) -> None:
    """See that a schedule is one.

    Raises:
        Invalid: no five fields of POSIX cron, no such zone, or a schedule that is never due (30 February).
    """
    try:
        _zone(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("schedule.timezone", "an IANA time zone, like Europe/Berlin", zone) from None
    if len(expression) > _LONGEST:
        raise Invalid("schedule.expression", f"at most {_LONGEST} characters", len(expression))
    fields = expression.split()
    if len(fields) != _FIELDS or not all(_FIELD.fullmatch(field) for field in fields):
        raise Invalid("schedule.expression", "five fields of cron, like 0 9 * * 1-5", expression)
    if next(_local(expression, datetime(2024, 1, 1)), None) is None:  # noqa: DTZ001 (local by nature)
        raise Invalid("schedule.expression", "a schedule that is due some day, in known ranges", expression)


def upcoming(expression: str, zone: str, now: datetime, count: int = 5) -> list[datetime]:
    """The next ``count`` moments after ``now``, in UTC and in order; fewer where there are no more."""
    here = _zone(zone)
    start, later = now.astimezone(here), (now + _SHIFT).astimezone(here)
    back = _SHIFT if start.utcoffset() != later.utcoffset() else timedelta()  # hours that come once more
    found: list[datetime] = []
    for local in _local(expression, start.replace(tzinfo=None) - back):
        moments = _moments(local, here)
        # The first moments of local times only grow: what is still to come is later than what is here.
        if len(found) >= count and moments and min(moments) > found[count - 1]:
            break
        found = sorted([*found, *(moment for moment in moments if moment > now)])
    return found[:count]


def _zone(name: str) -> ZoneInfo:
    if not name or name.startswith(("/", ".")) or ".." in name:  # names of zones are names of files
        raise ValueError(name)
    return ZoneInfo(name)


def _local(expression: str, start: datetime) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError

    try:
        yield from CronSim(expression, start)
    except CronSimError:
        return


def _moments(local: datetime, zone: ZoneInfo) -> set[datetime]:
    """None when the clock leaves the local time out, two when it has it twice, else one."""
    both = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return {moment for moment in both if moment.astimezone(zone).replace(tzinfo=None) == local}
