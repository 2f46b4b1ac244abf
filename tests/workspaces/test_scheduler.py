"""Sessions start by themselves: at their times, once, whatever clocks and processes do."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workspaces.timekeeping import Time, at, deploy, house, slots

from reverie.app import Reverie
from reverie.workspaces.resources import Resources

NINE = "0 9 * * *"


def test_a_session_starts_when_it_is_time_and_only_then(db_url: str) -> None:
    time = Time("2026-03-02T07:00")
    with house(db_url, time) as here:
        made, scheduler = deploy(here, NINE, "Europe/Berlin"), here.scheduler()
        for minutes in (0, 59):
            time.go(minutes=minutes)
            scheduler.look()
            assert slots(here, made) == []
        time.go(minutes=10)  # within nine minutes after it was due
        scheduler.look()
        scheduler.look()
        assert slots(here, made) == ["03-02 08:00"]
        (run,) = here.deployment_runs.list()
        assert here.live.row(run.body["session_id"]).deployment == made
        assert here.deployments.get(made).last_run_at == run.created_at
        time.go(days=1)
        scheduler.look()
        assert slots(here, made) == ["03-02 08:00", "03-03 08:00"]


def test_what_nobody_attended_is_caught_up_on_once(sqlite_url: str) -> None:
    time = Time("2026-03-02T07:00")
    with house(sqlite_url, time) as here:
        made = deploy(here, NINE, "UTC")
        time.go(days=4)
        here.scheduler().look()
        here.scheduler().look()
        assert slots(here, made) == ["03-05 09:00"]


def test_nothing_is_caught_up_on_that_was_paused_or_another_schedule(sqlite_url: str) -> None:
    time = Time("2026-03-02T07:00")
    with house(sqlite_url, time) as here:
        made, scheduler = deploy(here, NINE, "UTC"), here.scheduler()
        here.deployments.pause(made)
        time.go(days=2)
        scheduler.look()
        here.deployments.unpause(made)
        scheduler.look()
        assert slots(here, made) == []
        here.deployments.update(
            made, {"schedule": {"type": "cron", "expression": "0 6 * * *", "timezone": "UTC"}}
        )
        scheduler.look()
        assert slots(here, made) == []
        here.deployments.update(made, {"name": "the same schedule"})
        time.go(hours=24)
        scheduler.look()
        assert slots(here, made) == ["03-05 06:00"]
        here.deployments.archive(made)
        time.go(days=2)
        scheduler.look()
        assert slots(here, made) == ["03-05 06:00"]


def test_a_start_that_cannot_succeed_is_a_run_and_pauses(sqlite_url: str) -> None:
    time = Time("2026-03-02T07:00")
    with house(sqlite_url, time) as here:
        made, scheduler = deploy(here, NINE, "UTC"), here.scheduler()
        here.environments.archive(here.deployments.get(made).resource.body["environment_id"])
        for _ in range(3):
            time.go(days=1)
            scheduler.look()
        (run,) = here.deployment_runs.list(trigger="schedule")
        assert run.body["error"]["type"] == "environment_archived_error"
        paused = here.deployments.get(made).resource.body["paused_reason"]
        assert paused == {"type": "error", "error": {"type": "environment_archived_error"}}


@pytest.mark.parametrize(
    ("expression", "zone", "begin", "days", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", 3, ["03-30 00:30", "03-31 00:30"]),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", 2, ["10-25 00:30", "10-26 01:30"]),
        ("30 2 * * *", "America/New_York", "2026-03-07T12:00", 3, ["03-09 06:30", "03-10 06:30"]),
        ("30 1 * * *", "America/New_York", "2026-10-31T12:00", 2, ["11-01 05:30", "11-02 06:30"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T06:00", 2, ["10-04 15:15"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T06:00", 2, ["04-04 14:45", "04-05 15:15"]),
        (
            "0 * * * *", "Europe/Berlin", "2026-10-24T22:30", 0.2,
            ["10-24 23:00", "10-25 00:00", "10-25 01:00", "10-25 02:00", "10-25 03:00"],
        ),
    ],
)  # fmt: skip
def test_each_time_once_when_clocks_change(
    sqlite_url: str, expression: str, zone: str, begin: str, days: float, expected: list[str]
) -> None:
    time = Time(begin)
    with house(sqlite_url, time) as here:
        made, scheduler = deploy(here, expression, zone), here.scheduler()
        end = time.now + timedelta(days=days)
        while time.now < end:
            time.go(minutes=15)
            scheduler.look()
        assert slots(here, made) == expected


def test_two_schedulers_at_once_make_one_start(db_url: str) -> None:
    time = Time("2026-03-02T07:00")
    with house(db_url, time) as one, house(db_url, time, seed=1) as other:
        made = [deploy(one, NINE, "UTC") for _ in range(5)]
        schedulers = [here.scheduler() for here in (one, other)]
        with ThreadPoolExecutor(2) as pool:
            for _ in range(3):
                time.go(days=1)
                list(pool.map(lambda each: each.look(), schedulers))
        for id in made:
            assert slots(one, id) == ["03-02 09:00", "03-03 09:00", "03-04 09:00"]
        assert len(one.log.sessions()) == 15  # nor is one left of those that lost


class Killed(Exception):
    """Stands for a kill: whatever was not committed is gone."""


def test_a_kill_before_the_record_is_kept_loses_nothing(db_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time("2026-03-02T07:00")
    create = Resources.create

    def killed(self: Resources, kind: str, *said: Any, **more: Any) -> Any:
        create(self, kind, *said, **more)
        raise Killed

    with house(db_url, time) as one, house(db_url, time, seed=1) as other:
        made = deploy(one, NINE, "UTC")
        time.go(days=1)
        with monkeypatch.context() as broken:
            broken.setattr(Resources, "create", killed)
            one.scheduler().look()
        assert slots(one, made) == [] and one.log.sessions() == []
        other.scheduler().look()
        assert slots(one, made) == ["03-02 09:00"] and len(one.log.sessions()) == 1


def test_a_kill_after_it_doubles_nothing(db_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time("2026-03-02T07:00")
    with house(db_url, time) as one, house(db_url, time, seed=1) as other:
        made = deploy(one, NINE, "UTC")
        time.go(days=1)
        create = one.sessions.create

        def killed(*said: Any, **more: Any) -> Any:
            create(*said, **more)
            raise Killed

        monkeypatch.setattr(one.sessions, "create", killed)
        one.scheduler().look()
        one.scheduler().look()
        other.scheduler().look()
        assert slots(one, made) == ["03-02 09:00"] and len(one.log.sessions()) == 1


def test_workspaces_are_all_attended(sqlite_url: str) -> None:
    time = Time("2026-03-02T07:00")
    with house(sqlite_url, time) as here:
        there = here.workspace(here.workspaces.create("there", by="ana").id)
        made = [(place, deploy(place, NINE, "UTC")) for place in (here, there)]
        time.go(hours=3)
        here.scheduler().look()
        for place, id in made:
            assert slots(place, id) == ["03-02 09:00"]
            assert len(place.log.sessions()) == 1


def test_a_fault_of_one_keeps_no_other_waiting(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time("2026-03-02T07:00")
    with house(sqlite_url, time) as here:
        made = sorted(deploy(here, NINE, "UTC") for _ in range(3))
        time.go(days=1)
        attend = here.deployment_runs.attend

        def broken(id: str, now: datetime) -> datetime | None:
            if id == made[0]:
                raise RuntimeError("a fault")
            return attend(id, now)

        scheduler = here.scheduler()
        with monkeypatch.context() as patch:
            patch.setattr(here.deployment_runs, "attend", broken)
            scheduler.look()
        assert [len(slots(here, id)) for id in made] == [0, 1, 1]
        scheduler.look()  # it rests a minute
        assert slots(here, made[0]) == []
        time.go(minutes=1)
        scheduler.look()
        assert slots(here, made[0]) == ["03-02 09:00"]


def test_it_runs_in_a_thread(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    time, looked = Time("2026-03-02T07:00"), threading.Event()
    with house(sqlite_url, time) as here:
        made, scheduler = deploy(here, NINE, "UTC"), here.scheduler()
        time.go(days=1)
        look = scheduler.look
        monkeypatch.setattr(scheduler, "look", lambda: (look(), looked.set()))
        scheduler.start()
        scheduler.start()
        assert looked.wait(30)
        scheduler.stop()
        scheduler.stop()
        assert slots(here, made) == ["03-02 09:00"]


MOVES = st.sampled_from([-86_400, -3_600, -60, 1, 60, 600, 1_800, 3_600, 86_400, 10 * 365 * 86_400])


@pytest.fixture(scope="module")
def template(_sqlite_template: Path) -> Path:
    return _sqlite_template


@settings(max_examples=20)
@given(
    st.lists(st.tuples(MOVES, st.integers(0, 1)), min_size=1, max_size=12),
    st.sampled_from(
        [
            ("30 2 * * *", "Europe/Berlin", "2026-10-24T23:00"),
            ("*/20 1 * * *", "America/New_York", "2026-11-01T04:00"),
            ("45 * * * *", "Australia/Lord_Howe", "2026-04-04T13:00"),
        ]
    ),
)
def test_whatever_the_clock_does_no_time_is_started_twice(
    template: Path, moves: list[tuple[int, int]], schedule: tuple[str, str, str]
) -> None:
    expression, zone, begin = schedule
    folder = Path(tempfile.mkdtemp())
    url = f"sqlite:///{shutil.copy(template, folder / 'r.db')}"
    time = Time(begin)
    try:
        with house(url, time) as one, house(url, time, seed=1) as other:
            made = deploy(one, expression, zone)
            schedulers = [one.scheduler(), other.scheduler()]
            latest = time.now
            for seconds, which in moves:
                time.go(seconds=seconds)
                latest = max(latest, time.now)
                schedulers[which].look()
            found = _starts(one, made)
            assert len(found) == len(set(found)) == len(one.log.sessions())
            assert all(at(begin) < moment <= latest for moment in found)
            local = [moment.astimezone(_zone(zone)) for moment in found]
            if not expression.startswith("45 *"):
                shown = [moment.replace(tzinfo=None) for moment in local]
                assert len(shown) == len(set(shown))  # nor is a time on the wall
    finally:
        shutil.rmtree(folder)


def _zone(name: str) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


def _starts(opened: Reverie, deployment_id: str) -> list[datetime]:
    runs = opened.deployment_runs.list(deployment_id=deployment_id, trigger="schedule", limit=1_000)
    return [datetime.fromisoformat(run.body["trigger_context"]["scheduled_at"]) for run in runs]
