"""Schedules: which texts are ones, and which moments they mean, clocks going back and forth included."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.workspaces.schedule import checked, due, latest, next_due, offset, upcoming


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


def test_a_time_that_the_clock_has_twice_is_due_once() -> None:  # 1 November 2026, 02:00 is 01:00 again
    first = "11-01 05:30"
    assert told("30 1 * * *", "America/New_York", "2026-11-01T04:00", 3) == [
        first,
        "11-02 06:30",
        "11-03 06:30",
    ]
    assert told("30 1 * * *", "America/New_York", "2026-11-01T05:30", 1) == ["11-02 06:30"]
    assert told("*/20 1 * * *", "America/New_York", "2026-11-01T05:30", 2) == ["11-01 05:40", "11-02 06:00"]
    assert told("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2) == ["10-25 00:30", "10-26 01:30"]


def test_what_is_due_every_hour_goes_on_through_the_hour_that_comes_again() -> None:
    assert told("30 * * * *", "Europe/Berlin", "2026-10-24T23:40", 3) == [
        "10-25 00:30", "10-25 01:30", "10-25 02:30",
    ]  # fmt: skip


def test_the_hour_that_comes_twice_comes_in_order() -> None:
    found = told("*/20 * * * *", "America/New_York", "2026-11-01T05:10", 7)
    assert found == [
        f"11-01 {hour}" for hour in ("05:20", "05:40", "06:00", "06:20", "06:40", "07:00", "07:20")
    ]


def test_half_an_hour_back() -> None:  # Lord Howe Island: 02:00 is 01:30 again
    found = told("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 3)
    assert found == ["04-04 14:45", "04-05 15:15", "04-06 15:15"]


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


ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
# Clocks change within a day of these: New York, Berlin and Lord Howe, forward and back.
CHANGES = ["2026-03-08", "2026-11-01", "2026-03-29", "2026-10-25", "2026-10-04", "2026-04-05"]
moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.builds(
        lambda day, off: datetime.fromisoformat(day) + timedelta(minutes=off),
        st.sampled_from(CHANGES),
        st.integers(-1440, 1440),
    ),
)
minutes = st.sampled_from(["*", "0", "30", "*/7", "59"])
hours = st.sampled_from(["*", "1", "2", "0-3", "23"])


def fits(field: str, among: int) -> set[int]:
    if field == "0-3":
        return set(range(4))
    return set(range(0, among, 7 if field == "*/7" else 1)) if field.startswith("*") else {int(field)}


def meant(minute: str, hour: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    """By the definition: every minute in (start, end] whose local time fits, the first time it is shown; of
    every hour, each time."""
    found: list[datetime] = []
    tick = start.replace(second=0, microsecond=0)
    while (tick := tick + timedelta(minutes=1)) <= end:
        local = tick.astimezone(ZoneInfo(zone))
        if (
            local.hour in fits(hour, 24)
            and local.minute in fits(minute, 60)
            and not (local.fold and hour != "*")
        ):
            found.append(tick)
    return found


@settings(max_examples=80)
@given(minutes, hours, st.sampled_from(ZONES), moments)
def test_every_moment_fits_and_none_is_left_out(minute: str, hour: str, zone: str, now: datetime) -> None:
    now = now.replace(tzinfo=UTC)
    found = upcoming(f"{minute} {hour} * * *", zone, now)
    assert found == sorted(set(found)) and all(moment > now for moment in found)
    expected = meant(minute, hour, zone, now, min(found[-1], now + timedelta(days=3)))
    assert found[: len(expected)] == expected


@settings(max_examples=80)
@given(minutes, hours, st.sampled_from(ZONES), moments, st.integers(0, 3 * 1440))
def test_the_latest_is_the_last_one_in_between(
    minute: str, hour: str, zone: str, until: datetime, ago: int
) -> None:
    until = until.replace(tzinfo=UTC)
    after = until - timedelta(minutes=ago)
    expected = [at for at in meant(minute, hour, zone, after, until) if at > after]
    assert latest(f"{minute} {hour} * * *", zone, after, until) == (expected[-1] if expected else None)


def test_the_latest_is_found_however_long_ago() -> None:
    now = at("2036-06-01T00:00:30")
    assert latest("* * * * *", "UTC", at("2006-01-01T00:00"), now) == at("2036-06-01T00:00")
    assert latest("0 0 29 2 *", "UTC", at("2006-01-01T00:00"), now) == at("2036-02-29T00:00")
    assert latest("0 0 29 2 *", "UTC", at("2032-03-01T00:00"), at("2036-01-01T00:00")) is None
    assert latest("* * * * *", "UTC", now, at("2006-01-01T00:00")) is None  # the clock went back


@settings(max_examples=60)
@given(minutes, hours, st.sampled_from(ZONES), moments, st.sampled_from(["depl_a", "depl_b", None]))
def test_what_is_due_next_is_due_then_and_not_before(
    minute: str, hour: str, zone: str, now: datetime, spread: str | None
) -> None:
    now, expression = now.replace(tzinfo=UTC), f"{minute} {hour} * * *"
    since = now - timedelta(days=3)
    then = next_due(expression, zone, now, spread)
    assert then is not None and then > now
    before = due(expression, zone, since, now, spread)
    assert due(expression, zone, since, then - timedelta(microseconds=1), spread) == before
    after = due(expression, zone, since, then, spread)
    assert after is not None and after != before
    assert timedelta() <= then - after <= timedelta(minutes=9)


@pytest.mark.parametrize(
    ("expression", "most"), [("* * * * *", 9), ("*/20 * * * *", 180), ("0 9 * * *", 540), ("0 9 1 1 *", 540)]
)
def test_starts_are_spread_over_a_part_of_the_time_in_between(expression: str, most: float) -> None:
    moment = upcoming(expression, "UTC", at("2026-01-01T00:00"), 1)[0]
    found = [offset(expression, "UTC", moment, f"depl_{number}").total_seconds() for number in range(200)]
    assert 0 <= min(found) < most * 0.1 and most * 0.9 < max(found) < most
    assert offset(expression, "UTC", moment, None) == timedelta()
