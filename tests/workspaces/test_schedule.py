"""Schedules: which texts are ones, and which moments they mean, clocks going back and forth included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.workspaces.schedule import checked, upcoming


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(expression: str, zone: str, now: str, count: int = 5) -> list[str]:
    checked(expression, zone)
    return [moment.strftime("%m-%d %H:%M") for moment in upcoming(expression, zone, at(now), count)]


def test_weekdays_at_nine() -> None:
    assert told("0 9 * * 1-5", "UTC", "2026-11-20T09:00", 3) == ["11-23 09:00", "11-24 09:00", "11-25 09:00"]


def test_zero_and_seven_are_sunday_and_names_are_taken() -> None:
    for expression in ("0 0 * * 0", "0 0 * * 7", "0 0 * * SUN", "0 0 * nov sun"):
        assert told(expression, "UTC", "2026-11-20T00:00", 1) == ["11-22 00:00"]


def test_a_day_of_the_month_or_of_the_week() -> None:  # POSIX: either, where both are restricted
    assert told("0 0 13 * 5", "UTC", "2026-11-01T00:00", 3) == ["11-06 00:00", "11-13 00:00", "11-20 00:00"]


def test_a_time_that_the_clock_leaves_out_is_skipped() -> None:  # 8 March 2026, 02:00 is 03:00
    assert told("30 2 * * *", "America/New_York", "2026-03-07T12:00", 2) == ["03-09 06:30", "03-10 06:30"]


def test_a_time_that_the_clock_has_twice_is_due_twice() -> None:  # 1 November 2026, 02:00 is 01:00 again
    first, second = "11-01 05:30", "11-01 06:30"
    assert told("30 1 * * *", "America/New_York", "2026-11-01T04:00", 3) == [first, second, "11-02 06:30"]
    assert told("30 1 * * *", "America/New_York", "2026-11-01T05:30", 2) == [second, "11-02 06:30"]
    assert told("30 1 * * *", "America/New_York", "2026-11-01T06:30", 1) == ["11-02 06:30"]


def test_the_hour_that_comes_twice_comes_in_order() -> None:
    found = told("*/20 * * * *", "America/New_York", "2026-11-01T05:10", 7)
    assert found == [
        f"11-01 {hour}" for hour in ("05:20", "05:40", "06:00", "06:20", "06:40", "07:00", "07:20")
    ]


def test_half_an_hour_back() -> None:  # Lord Howe Island: 02:00 is 01:30 again
    found = told("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 3)
    assert found == ["04-04 14:45", "04-04 15:15", "04-05 15:15"]


def test_a_leap_day() -> None:
    assert [moment.year for moment in upcoming("0 0 29 2 *", "UTC", at("2026-01-01T00:00"), 3)] == [
        2028,
        2032,
        2036,
    ]


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "@daily", "0 0 L * *", "0 0 15W * *", "0 0 * * 5#2", "0 0 ? * *", "60 * * * *",
     "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "0 0 30 2 *", "*/0 * * * *", "5-1 * * * *", "a * * * *",
     "0 0 * * *\n* * * * *", "０ 0 * * *", "0," * 200 + "0 * * * *"],
)  # fmt: skip
def test_what_is_no_schedule(expression: str) -> None:
    with pytest.raises(Invalid, match=r"schedule\.expression"):
        checked(expression, "UTC")


@pytest.mark.parametrize(
    "zone", ["", "Mars/Base", "../UTC", "/usr/share/zoneinfo/UTC", "UTC\x00", "America", "x" * 300]
)
def test_what_is_no_zone(zone: str) -> None:
    with pytest.raises(Invalid, match=r"schedule\.timezone"):
        checked("* * * * *", zone)


@settings(max_examples=60)
@given(
    minute=st.sampled_from(["*", "0", "*/7", "59"]),
    hour=st.sampled_from(["*", "1", "2", "0-3", "23"]),
    zone=st.sampled_from(["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_every_moment_fits_and_none_is_left_out(minute: str, hour: str, zone: str, now: datetime) -> None:
    """Against the definition: every minute after now is due exactly if its local time is one of cron's."""
    now = now.replace(tzinfo=UTC)
    found = upcoming(f"{minute} {hour} * * *", zone, now)
    assert found == sorted(set(found)) and all(moment > now for moment in found)
    hours = {"*": range(24), "0-3": range(4)}.get(hour) or [int(hour)]
    minutes = {"*": range(60), "*/7": range(0, 60, 7)}.get(minute) or [int(minute)]
    tick = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    expected: list[datetime] = []
    while tick <= min(found[-1], now + timedelta(days=3)):
        local = tick.astimezone(ZoneInfo(zone))
        if local.hour in hours and local.minute in minutes:
            expected.append(tick)
        tick += timedelta(minutes=1)
    assert found[: len(expected)] == expected
