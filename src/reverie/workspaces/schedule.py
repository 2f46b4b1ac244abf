"""Cron schedules: what they mean, and when they are due.

Five fields in local time of an IANA zone. A time that a clock going forward leaves out is skipped; a time that
a clock going back has twice is due once, the first time. Only what is due every hour (the field is ``*``) goes on
through the hour that comes again: else it would fall silent for an hour. cronsim tells the local times; which
moments they are is told here, for its own rule (Debian's) moves the skipped ones.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reverie.domain.errors import Invalid

__all__ = ["checked", "due", "latest", "next_due", "offset", "upcoming"]

_FIELDS: Final = 5
_NAMES: Final = "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|SUN|MON|TUE|WED|THU|FRI|SAT"
_VALUE: Final = rf"(?:\d{{1,2}}|{_NAMES})"
_TERM: Final = rf"(?:\*|{_VALUE}(?:-{_VALUE})?)(?:/\d{{1,3}})?"
_FIELD: Final = re.compile(rf"{_TERM}(?:,{_TERM})*", re.IGNORECASE | re.ASCII)
_LONGEST: Final = 255
_SHIFT: Final = timedelta(hours=3)  # further than clocks go back, while time zones are what they are
_REACHES: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=40), timedelta(days=2_000))
_TICK: Final = timedelta(microseconds=1)
_SHARE: Final = 0.15
_LEAST: Final = timedelta(seconds=5)
_MOST: Final = timedelta(minutes=9)


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
    return list(islice(_after(expression, zone, now), count))


def latest(expression: str, zone: str, after: datetime, until: datetime) -> datetime | None:
    """The last moment in (``after``, ``until``], in UTC; None where there is none. It is looked for in ever
    longer stretches before ``until``, so that it does not matter how long ago ``after`` was."""
    for reach in (*_REACHES, until - after):
        start = max(after, until - reach)
        found = list(takewhile(lambda moment: moment <= until, _after(expression, zone, start)))
        if found:
            return found[-1]
        if start == after:
            break
    return None


def due(
    expression: str, zone: str, since: datetime, now: datetime, spread: str | None = None
) -> datetime | None:
    """The moment after ``since`` for which it is time now: the last one, so that of many that nobody attended
    one is caught up on. With ``spread`` (an id) it is time a little later; see ``offset``."""
    found = latest(expression, zone, since, now)
    if found is not None and found + offset(expression, zone, found, spread) > now:
        found = latest(expression, zone, since, found - _TICK)
    return found


def next_due(expression: str, zone: str, now: datetime, spread: str | None = None) -> datetime | None:
    """When ``due`` has something new to say; None: never."""
    before = latest(expression, zone, now - _MOST, now)
    coming = [] if before is None else [before]
    for moment in (*coming, *upcoming(expression, zone, now, 1)):
        at = moment + offset(expression, zone, moment, spread)
        if at > now:
            return at
    return None


def offset(expression: str, zone: str, moment: datetime, spread: str | None) -> timedelta:
    """How long after ``moment`` it is started, so that not everybody's nine o'clock begins at once: less than
    15 % of the time to the next moment, and of 9 minutes (5 seconds, where 15 % are less). Which share of that
    depends on ``spread`` alone; None: at once."""
    if spread is None:
        return timedelta()
    share = int.from_bytes(hashlib.sha256(spread.encode()).digest()[:4]) / 2**32
    following = upcoming(expression, zone, moment, 1)
    longest = _SHARE * (following[0] - moment) if following else _MOST
    return share * min(max(longest, _LEAST), _MOST)


def _zone(name: str) -> ZoneInfo:
    if not name or name.startswith(("/", ".")) or ".." in name:  # names of zones are names of files
        raise ValueError(name)
    return ZoneInfo(name)


def _after(expression: str, zone: str, now: datetime) -> Iterator[datetime]:
    """The moments after ``now``, in order."""
    here, every_hour = _zone(zone), expression.split()[1] == "*"
    start, later = now.astimezone(here), (now + _SHIFT).astimezone(here)
    back = _SHIFT if start.utcoffset() != later.utcoffset() else timedelta()  # hours that come once more
    seconds: list[datetime] = []  # of local times that come twice
    for local in _local(expression, start.replace(tzinfo=None) - back):
        moments = _moments(local, here)
        if not moments:
            continue
        first = moments[0]  # these only grow: what is later waits for them
        yield from (moment for moment in seconds if moment < first)
        seconds = [moment for moment in seconds if moment > first]
        if every_hour:
            seconds += [moment for moment in moments[1:] if moment > now]
        if first > now:
            yield first
    yield from seconds


def _local(expression: str, start: datetime) -> Iterator[datetime]:
    from cronsim import CronSim, CronSimError

    try:
        yield from CronSim(expression, start)
    except CronSimError:
        return


def _moments(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """None when the clock leaves the local time out, two in order when it has it twice, else one."""
    both = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(moment for moment in both if moment.astimezone(zone).replace(tzinfo=None) == local)
