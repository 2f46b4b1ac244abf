"""Dreams start by themselves: when they should, when there is enough that is new, one at a time for a store."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workspaces.timekeeping import Time, house

from reverie.app import Reverie
from reverie.domain.errors import Archived, Conflict, Invalid, NotFound
from reverie.domain.events import NewEvent
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.workspaces.resources import Resources

NIGHTLY: Any = {"type": "cron", "expression": "0 3 * * *", "timezone": "UTC"}
MANUAL: Any = {"type": "manual"}
FAILURE: Any = {"type": "failed_outcome"}


def record(here: Any, number: int, *, label: Any = "unknown", first: int = 0) -> None:
    """So many sessions that ended like that, from ``first`` on."""
    for each in range(first, first + number):
        info = SessionInfo("test", f"{label} {each}", outcome=Outcome(label, None, "test"))
        text: Any = {"content": [{"type": "text", "text": f"say {each}"}]}
        here.log.record(Transcript(info, [NewEvent("user.message", text, key="1")]))


def plan(here: Any, trigger: Any, **more: Any) -> str:
    """A schedule for the default store; its id."""
    store = here.memory.store().id
    said = {"name": "s", "memory_store_id": store, "trigger": trigger, **more}
    made: str = here.dream_schedules.create(said).resource.id
    return made


def told(here: Any, schedule_id: str) -> list[str]:
    """What became of its runs, oldest first."""
    runs = here.dream_schedule_runs.list(schedule_id, limit=100)
    return [
        next((body[key]["type"] for key in ("skipped", "error") if body[key]), "dream")
        for body in (run.body for run in reversed(runs))
    ]


def dream(here: Any) -> None:
    """Work off what waits."""
    for request in here.night_watch().work():
        assert request.status == "completed", request


@contextmanager
def two(url: str, time: Time) -> Iterator[tuple[Reverie, Reverie]]:
    with house(url, time) as one, house(url, time, seed=1) as other:
        yield one, other


def test_a_dream_a_night_when_there_is_enough_that_is_new(db_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(db_url, time) as here:
        made, scheduler = plan(here, NIGHTLY), here.scheduler()
        scheduler.look()
        assert told(here, made) == []
        record(here, 4)
        time.go(hours=16)
        scheduler.look()
        (run,) = here.dream_schedule_runs.list(made)
        assert run.body["skipped"] == {
            "type": "too_few_sessions",
            "message": "4 new sessions since the last dream, and it takes 5",
        }
        record(here, 2, first=4)
        time.go(days=1)
        scheduler.look()
        run = here.dream_schedule_runs.list(made)[0]
        assert run.body["trigger_context"] == {"type": "cron", "scheduled_at": "2026-03-03T03:00:00.000000Z"}
        request = here.dream_requests.get(run.body["dream_id"])
        assert (request.status, request.output, len(request.session_ids)) == ("pending", "propose", 6)
        dream(here)
        time.go(days=1)
        scheduler.look()
        assert told(here, made) == ["too_few_sessions", "dream", "too_few_sessions"]


def test_nights_that_nobody_attended_are_caught_up_on_once(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made, paused = plan(here, NIGHTLY), plan(here, NIGHTLY)
        here.dream_schedules.pause(paused)
        record(here, 5)
        time.go(days=9)
        here.scheduler().look()
        here.scheduler().look()
        here.dream_schedules.unpause(paused)
        here.scheduler().look()
        assert (told(here, made), told(here, paused)) == (["dream"], [])
        (run,) = here.dream_schedule_runs.list(made)
        assert run.body["trigger_context"]["scheduled_at"].startswith("2026-03-10T03:00")


def test_every_so_many_sessions(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made, scheduler = plan(here, {"type": "sessions", "every": 6}), here.scheduler()
        for number in range(13):
            record(here, 1, first=number)
            time.go(minutes=1)
            scheduler.look()
            dream(here)
        assert told(here, made) == ["dream", "dream"]
        first = here.dream_schedule_runs.list(made, limit=2)[-1]
        assert (first.body["new_sessions"], first.body["trigger_context"]) == (6, {"type": "sessions"})


def test_a_dream_that_failed_is_not_begun_again_for_the_same(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made, scheduler = plan(here, {"type": "sessions", "every": 6}), here.scheduler()
        record(here, 6)
        scheduler.look()
        here.dream_requests.cancel(here.dream_schedule_runs.list(made)[0].body["dream_id"])
        for number in range(6, 12):
            time.go(minutes=1)
            scheduler.look()
            assert told(here, made) == ["dream"]
            record(here, 1, first=number)
        time.go(minutes=1)
        scheduler.look()
        assert told(here, made) == ["dream", "dream"]


def test_on_a_failure_and_its_silence_is_told_once(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made, scheduler = plan(here, FAILURE), here.scheduler()

        def look() -> list[str]:
            time.go(minutes=1)
            scheduler.look()
            return told(here, made)

        record(here, 3)
        assert look() == []
        record(here, 1, label="failure")
        assert look() == ["too_few_sessions"]
        assert look() == ["too_few_sessions"]
        record(here, 1, first=3)
        assert look() == ["too_few_sessions", "dream"]
        dream(here)
        record(here, 9, label="success")
        assert look() == ["too_few_sessions", "dream"]
        record(here, 1, label="failure", first=1)
        assert look() == ["too_few_sessions", "dream", "dream"]


def test_a_session_at_work_is_not_there_yet(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made = plan(here, MANUAL, min_sessions=1)
        said = {
            "agent": here.agents.create({"model": "m", "name": "a"}).id,
            "environment_id": here.environments.create({"name": "e"}).id,
            "initial_events": [{"type": "user.message", "content": [{"type": "text", "text": "go"}]}],
        }
        here.sessions.create(said)
        here.dream_schedule_runs.run(made)
        assert told(here, made) == ["too_few_sessions"]


def test_by_hand_whether_paused_or_not(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made = plan(here, MANUAL)
        record(here, 5)
        here.dream_schedules.pause(made)
        here.scheduler().look()
        assert here.dream_schedule_runs.run(made).body["trigger_context"] == {"type": "manual"}
        assert here.dream_schedule_runs.run(made).body["skipped"]["type"] == "memory_store_busy"
        dream(here)
        here.dream_schedules.archive(made)
        with pytest.raises(Archived):
            here.dream_schedule_runs.run(made)
        assert told(here, made) == ["dream", "memory_store_busy"]


def test_a_store_that_is_gone_pauses(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made = [plan(here, NIGHTLY), plan(here, NIGHTLY)]
        here.stores.archive(here.memory.store().id, actor="ana")
        run = here.dream_schedule_runs.run(made[1])
        assert run.body["error"]["type"] == "memory_store_archived_error"
        assert here.dream_schedules.get(made[1]).resource.status == "active"  # who asked is there to read it
        for _ in range(3):
            time.go(days=1)
            here.scheduler().look()
        for id in made:
            found = here.dream_schedules.get(id)
            error = {"type": "memory_store_archived_error"}
            assert found.resource.body["paused_reason"] == {"type": "error", "error": error}
        assert told(here, made[0]) == ["memory_store_archived_error"]


def test_schedules_are_changed_under_a_lock(sqlite_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with house(sqlite_url, time) as here:
        made = plan(here, NIGHTLY, metadata={"a": "1"})
        changed = here.dream_schedules.update(made, {"min_sessions": 2}, version=1).resource
        assert (changed.version, changed.body["min_sessions"], changed.body["trigger"]) == (2, 2, NIGHTLY)
        with pytest.raises(Conflict):
            here.dream_schedules.update(made, {"name": "b"}, version=1)
        with pytest.raises(Invalid, match="expression"):
            here.dream_schedules.update(made, {"trigger": {**NIGHTLY, "expression": "@daily"}})
        with pytest.raises(NotFound):
            plan(here, NIGHTLY, memory_store_id="memstore_none")
        here.dream_schedules.archive(made)
        for change in (here.dream_schedules.pause, here.dream_schedules.unpause):
            with pytest.raises(Archived):
                change(made)
        with pytest.raises(Archived):
            here.dream_schedules.update(made, {"name": "b"})
        assert here.dream_schedules.list() == []
        assert [each.resource.id for each in here.dream_schedules.list(archived=True)] == [made]


def test_several_at_once_start_one_dream_for_a_store(db_url: str) -> None:
    time = Time("2026-03-01T12:00")
    with two(db_url, time) as (one, other):
        triggers = [NIGHTLY, {"type": "sessions", "every": 5}, FAILURE, NIGHTLY]
        made = [plan(one, trigger) for trigger in triggers]
        record(one, 5, label="failure")
        time.go(days=1)
        schedulers = [one.scheduler(), other.scheduler()]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda each: each.look(), schedulers))
        ends = [end for id in made for end in told(one, id)]
        assert ends.count("dream") == 1 and set(ends) <= {"dream", "memory_store_busy"}
        assert len(one.dream_requests.list()) == 1
        assert [len(told(one, id)) for id in (made[0], made[3])] == [1, 1]  # each night has one outcome


class Killed(Exception):
    """Stands for a kill: whatever was not committed is gone."""


def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(
    db_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time("2026-03-01T12:00")
    create = Resources.create

    def killed(self: Resources, kind: str, *said: Any, **more: Any) -> Any:
        made = create(self, kind, *said, **more)
        if kind == "dream":  # asked for, and the run is not recorded yet
            raise Killed
        return made

    with two(db_url, time) as (one, other):
        made = plan(one, NIGHTLY)
        record(one, 5)
        time.go(days=1)
        with monkeypatch.context() as broken:
            broken.setattr(Resources, "create", killed)
            one.scheduler().look()
        assert told(one, made) == [] and one.dream_requests.list() == []
        other.scheduler().look()
        one.scheduler().look()
        assert told(one, made) == ["dream"] and len(one.dream_requests.list()) == 1


@pytest.fixture(scope="module")
def template(_sqlite_template: Path) -> Path:
    return _sqlite_template


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("go"), st.sampled_from([-86_400, -3_600, 60, 3_600, 86_400])),
        st.tuples(st.just("look"), st.integers(0, 1)),
        st.tuples(st.just("session"), st.integers(1, 3)),
        st.tuples(st.just("end"), st.sampled_from(["dream", "cancel"])),
        st.tuples(st.just("run"), st.integers(0, 2)),
    ),
    min_size=4,
    max_size=20,
)


@settings(max_examples=20)
@given(STEPS)
def test_whatever_happens_a_time_is_used_once_and_a_store_has_one_dream(
    template: Path, steps: list[tuple[str, Any]]
) -> None:
    folder, time = Path(tempfile.mkdtemp()), Time("2026-10-24T23:00")
    url = f"sqlite:///{shutil.copy(template, folder / 'r.db')}"
    triggers = [
        {"type": "cron", "expression": "30 * * * *", "timezone": "Europe/Berlin"},
        {"type": "sessions", "every": 2},
        FAILURE,
    ]
    try:
        with two(url, time) as houses:
            here = houses[0]
            made = [plan(here, trigger, min_sessions=2) for trigger in triggers]
            schedulers = [each.scheduler() for each in houses]
            sessions = 0
            for what, how in steps:
                if what == "go":
                    time.go(seconds=how)
                elif what == "look":
                    schedulers[how].look()
                elif what == "session":
                    record(here, how, label="failure", first=sessions)
                    sessions += how
                elif what == "run":
                    here.dream_schedule_runs.run(made[how])
                elif how == "dream":
                    dream(here)
                else:
                    for request in here.dream_requests.list(statuses=["pending"]):
                        here.dream_requests.cancel(request.id)
                assert len(here.dream_requests.list(statuses=["pending", "running"])) <= 1
            runs = here.dream_schedule_runs.list(made[0], limit=100)
            times = [
                context["scheduled_at"] for run in runs if len(context := run.body["trigger_context"]) > 1
            ]
            assert len(times) == len(set(times))
    finally:
        shutil.rmtree(folder)
