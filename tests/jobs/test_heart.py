"""The heart: who is dead at once, who after a silence, and when one must be patient with others."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest
from tests.conftest import SteppingClock
from tests.jobs.work import everywhere, house_of, new_sessions

from reverie.domain.errors import Unavailable
from reverie.jobs.bench import Key
from reverie.jobs.heart import Body, Heart, Pace, this_host
from reverie.storage import leases
from reverie.storage.database import Connection, Database

PACE = Pace(beat_s=2.0, dead_s=8.0, look_s=1.0)


class Watched:
    """A heart whose time is told, and what it tells. Nothing is done between two looks."""

    def __init__(self, db: Database, clock: SteppingClock, name: str = "me") -> None:
        self.busy: set[Key] = set()
        self.stopped = 0
        self.found: list[Key] = []
        self.workers: list[str] = []
        self.seconds = 0.0
        self._clock = clock
        clock.step = timedelta()
        body = Body(lambda: self.busy, self._stop, self._found)
        self.heart = Heart(db, name, body, pace=PACE, now=lambda: self.seconds)
        self.heart._register()

    def look(self, after_s: float = 0.0) -> None:
        self.elapse(after_s)
        self.heart._look()

    def elapse(self, seconds: float) -> None:
        self.seconds += seconds
        self._clock.now += timedelta(seconds=seconds)

    def live(self, seconds: int) -> None:
        for _ in range(seconds):
            self.look(1.0)

    def _stop(self) -> None:
        self.stopped += 1

    def _found(self, keys: Collection[Key], workers: Sequence[str]) -> None:
        self.found, self.workers = list(keys), list(workers)


@pytest.fixture
def db(sqlite_url: str, clock: SteppingClock):
    with Database.open(sqlite_url, clock=clock) as db:
        yield db


@pytest.fixture
def me(db: Database, clock: SteppingClock) -> Watched:
    return Watched(db, clock)


def test_a_silent_worker_is_dead_after_a_while_and_what_it_had_is_found(db: Database, me: Watched) -> None:
    (id,) = new_sessions(house_of(db))
    everywhere(db, leases.register, "other", host="elsewhere", pid=1)
    everywhere(db, leases.claim, id, "other")
    me.live(8)
    assert (me.workers, me.found) == (["me", "other"], [])
    me.look(1.0)
    assert (me.workers, me.found) == (["me"], [(db.workspace, id)])
    me.live(100)
    assert (me.workers, me.stopped) == (["me"], 0)  # a heart that beats is nobody's dead


def test_a_process_of_this_machine_that_is_gone_is_dead_at_once(db: Database, me: Watched) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    everywhere(db, leases.register, "gone", host=this_host(), pid=gone.pid)
    everywhere(
        db, leases.register, "far", host="elsewhere", pid=gone.pid
    )  # another machine's numbers say nothing
    everywhere(db, leases.register, "near", host=this_host(), pid=os.getpid())
    me.look()
    assert me.workers == ["far", "me", "near"]


def test_who_was_stopped_is_patient_with_others(db: Database, me: Watched) -> None:
    """All were, perhaps: a machine was asleep. They have as long to show themselves as ever."""
    everywhere(db, leases.register, "other", host="elsewhere", pid=1)
    me.look()
    me.look(after_s=60.0)
    assert me.workers == ["me", "other"]
    everywhere(db, leases.beat, "other")
    me.live(8)
    assert me.workers == ["me", "other"]
    me.look(1.0)
    assert me.workers == ["me"]


def test_who_did_not_reach_the_database_is_patient_with_others(
    db: Database, me: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere(db, leases.register, "other", host="elsewhere", pid=1)
    for _ in range(10):
        me.elapse(1.0)
        me.heart._missed("the server cannot be reached")
    me.look()
    assert me.workers == ["me", "other"]
    me.live(8)
    assert me.workers == ["me"]


def test_who_was_given_up_for_dead_stops_and_begins_anew(db: Database, me: Watched) -> None:
    everywhere(db, leases.leave, "me")
    me.look(2.0)
    assert me.stopped == 1
    me.look(2.0)
    assert (me.workers, me.stopped) == (["me"], 1)


def test_who_buries_others_by_a_clock_that_was_set_on_does_not_bury_itself(me: Watched) -> None:
    me.look(2.0)
    me._clock.now += timedelta(hours=1)
    me.look(1.0)  # no sign of life is due
    me.look(1.0)
    assert (me.workers, me.stopped) == (["me"], 0)


def test_what_nobody_works_on_here_is_let_go(db: Database, me: Watched) -> None:
    ids = new_sessions(house_of(db), 2)
    for id in ids:
        everywhere(db, leases.claim, id, "me")
    me.busy = {(db.workspace, ids[0])}
    me.look()
    assert me.found == [(db.workspace, ids[1])]
    assert [id for _, id, _ in everywhere(db, leases.held, "me")] == [ids[0]]


def test_a_database_that_is_away_stops_no_heart(
    db: Database, me: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    tried = threading.Semaphore(0)

    def unreachable(conn: Connection) -> bool:
        tried.release()
        raise Unavailable("planted")

    me.heart._pace = Pace(beat_s=0.0, dead_s=8.0, look_s=0.001)
    me.heart.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leases, "listed", unreachable)
        for _ in range(3):
            assert tried.acquire(timeout=20)
    me.heart.stop()
    assert [record.getMessage() for record in caplog.records] == ["me waits for the database: planted"]
    me.heart.leave()
    assert everywhere(db, leases.listed) == []
