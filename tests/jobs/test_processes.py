"""Many processes on one database: killed, stopped, thawed, cut off; and never two on one session."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import postgres
from tests.jobs.work import Step, house_of, new_sessions, owned_by_two, steps_of, waiting

from reverie.storage.database import Database

PROGRAM = Path(__file__).with_name("crew.py")
ROOT = Path(__file__).parents[2]
RECOVERY_S = 30.0  # 10 on a machine of one's own
"""Within so many seconds what a worker left goes on elsewhere."""


@pytest.fixture(params=["local-sqlite", "dbos-postgresql"])
def crewed(request: pytest.FixtureRequest) -> tuple[str, str]:
    """An engine, and the URL of an empty database that suits it."""
    kind, database = str(request.param).split("-")
    return kind, request.getfixturevalue(f"{database}_url")


class Crew:
    """One worker in a process of its own."""

    def __init__(self, url: str, kind: str, *, steps: int, fenced: bool = True) -> None:
        command = [sys.executable, str(PROGRAM), url, kind, str(steps), "0.05", str(int(fenced))]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        self.name = ""

    def begin(self) -> None:
        assert self.process.stdout is not None
        self.name = self.process.stdout.readline().strip()
        assert self.name, "the worker did not start"


@contextmanager
def crews(url: str, kind: str, count: int, *, steps: int, fenced: bool = True) -> Iterator[list[Crew]]:
    made = [Crew(url, kind, steps=steps, fenced=fenced) for _ in range(count)]
    try:
        for crew in made:
            crew.begin()
        yield made
    finally:
        for crew in made:
            crew.process.kill()
        for crew in made:
            crew.process.communicate()


def until(happened: Callable[[], bool], within_s: float = 30.0) -> None:
    assert happens(happened, within_s), "it did not happen in time"


def happens(happened: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not (done := happened()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return done


def one_after_the_other(steps: list[Step], count: int) -> bool:
    return [step.number for step in steps] == list(range(count)) and not owned_by_two(steps)


def test_what_a_killed_worker_had_goes_on_elsewhere(crewed: tuple[str, str]) -> None:
    kind, url = crewed
    with Database.open(url) as db, crews(url, kind, 2, steps=30) as two:
        ids = new_sessions(house_of(db), 6)  # more than one works on at once
        until(lambda: {crew.name for crew in two} <= set(_latest(db, ids).values()))
        two[0].process.kill()
        two[0].process.wait()
        left = [id for id, by in _latest(db, ids).items() if by == two[0].name and len(steps_of(db, id)) < 30]
        until(lambda: set(_latest(db, left).values()) == {two[1].name}, RECOVERY_S)
        until(lambda: waiting(db) == [] and all(len(steps_of(db, id)) == 30 for id in ids))
        assert all(one_after_the_other(steps_of(db, id), 30) for id in ids)


@pytest.mark.parametrize(("kind", "fenced"), [("dbos", True), ("local", False)])
def test_a_thawed_worker_writes_nothing_where_another_goes_on(
    postgresql_url: str, kind: str, fenced: bool
) -> None:
    """The control: without the fence it does, and this test sees it. (On SQLite a process that is stopped may
    hold the one place to write, and then nobody goes on.)"""
    steps = 40
    with (
        Database.open(postgresql_url) as db,
        crews(postgresql_url, kind, 2, steps=steps, fenced=fenced) as two,
    ):
        ids = new_sessions(house_of(db), 4)
        until(lambda: len(_latest(db, ids)) == 4)
        owners = Counter(_latest(db, ids).values())
        two.sort(key=lambda crew: -owners[crew.name])
        frozen, other = two
        for _ in range(6):  # one that is stopped in the middle of a write without a fence holds its row
            frozen.process.send_signal(signal.SIGSTOP)
            if happens(lambda: set(_latest(db, ids).values()) == {other.name}, RECOVERY_S / 3):
                break
            frozen.process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        assert set(_latest(db, ids).values()) == {other.name}
        frozen.process.send_signal(signal.SIGCONT)
        if not fenced:
            until(lambda: any(owned_by_two(steps_of(db, id)) for id in ids))
            return
        until(lambda: all(len(steps_of(db, id)) == steps for id in ids))
        assert all(one_after_the_other(steps_of(db, id), steps) for id in ids)


def test_who_is_told_to_stop_hands_over_at_once(crewed: tuple[str, str]) -> None:
    kind, url = crewed
    with Database.open(url) as db, crews(url, kind, 2, steps=20) as two:
        ids = new_sessions(house_of(db), 6)
        until(lambda: {crew.name for crew in two} <= set(_latest(db, ids).values()))
        two[0].process.send_signal(signal.SIGTERM)
        until(lambda: all(len(steps_of(db, id)) == 20 for id in ids))
        assert two[0].process.wait(20) == 0
        assert all(one_after_the_other(steps_of(db, id), 20) for id in ids)


def test_workers_outlive_a_restart_of_postgresql() -> None:
    try:
        with postgres.server() as template:
            _restart(template.format("postgres"))
    except postgres.Missing as missing:
        pytest.skip(f"PostgreSQL: {missing}")


def _restart(url: str) -> None:
    with Database.open(url) as db, crews(url, "dbos", 1, steps=40):
        ids = new_sessions(house_of(db), 4)
        until(lambda: len(_latest(db, ids)) == 4)
        postgres.restart(url)
        before = {id: len(steps_of(db, id)) for id in ids}
        until(lambda: all(len(steps_of(db, id)) > before[id] for id in ids), RECOVERY_S)
        until(lambda: all(len(steps_of(db, id)) == 40 for id in ids))
        assert all(one_after_the_other(steps_of(db, id), 40) for id in ids)


def _latest(db: Database, ids: list[str]) -> dict[str, str]:
    """Who took the last step of each session in which there are any."""
    return {id: steps[-1].by for id in ids if (steps := steps_of(db, id))}
