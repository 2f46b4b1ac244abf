"""Both engines: what is woken is worked on, what fails comes again, what is closed lets go."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
from tests.jobs.work import Steps, everywhere, house_of, new_sessions, steps_of, waiting

from reverie.domain.clock import system_clock
from reverie.domain.errors import ConfigError, Unavailable
from reverie.jobs import choosing
from reverie.jobs.dbos import DbosEngine
from reverie.jobs.engine import Engine
from reverie.jobs.heart import Pace
from reverie.jobs.local import LocalEngine
from reverie.jobs.tickets import Tickets
from reverie.storage import leases
from reverie.storage.database import Database

PACE = Pace(beat_s=0.2, dead_s=2.0, look_s=0.05)
Maker = Callable[[], Engine]


@pytest.fixture(params=["local-sqlite", "dbos-postgresql"])
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[str, Database]]:
    kind, database = str(request.param).split("-")
    url: str = request.getfixturevalue(f"{database}_url")
    with Database.open(url) as db:
        yield kind, db


@pytest.fixture
def make(opened: tuple[str, Database]) -> Iterator[Maker]:
    kind, db = opened
    made: list[Engine] = []

    def make() -> Engine:
        made.append(
            LocalEngine(db, pace=PACE) if kind == "local" else DbosEngine(db, clock=system_clock, pace=PACE)
        )
        return made[-1]

    yield make
    for engine in made:
        engine.close(grace_s=5.0)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_what_waits_and_what_is_woken_is_worked_on(opened: tuple[str, Database], make: Maker) -> None:
    db = opened[1]
    house = house_of(db)
    (left,) = new_sessions(house)
    engine = make()
    engine.start(Steps(db, engine, steps=2, pause_s=0.0), at_once=2)
    until(lambda: len(steps_of(db, left)) == 2)
    (fresh,) = new_sessions(house, woken=False)
    engine.wake(db.workspace, fresh)
    until(lambda: len(steps_of(db, fresh)) == 2)
    until(lambda: waiting(db) == [])


def test_a_wake_during_a_run_is_followed_by_another(opened: tuple[str, Database], make: Maker) -> None:
    db = opened[1]
    runs, entered, go = list[str](), threading.Event(), threading.Event()

    async def work(workspace: str, id: str) -> None:
        runs.append(id)
        entered.set()
        await asyncio.to_thread(go.wait, 20)

    engine = make()
    engine.start(work, at_once=2)
    engine.wake(db.workspace, "sesn_a")
    assert entered.wait(20)
    for _ in range(5):
        engine.wake(db.workspace, "sesn_a")
    go.set()
    until(lambda: len(runs) == 2)


def test_work_that_fails_is_taken_up_again(opened: tuple[str, Database], make: Maker) -> None:
    db = opened[1]
    (id,) = new_sessions(house_of(db))
    engine = make()
    steps, failed = Steps(db, engine, steps=1, pause_s=0.0), list[str]()

    async def work(workspace: str, session_id: str) -> None:
        if not failed:  # claims, and says nothing more
            failed.append(session_id)
            await asyncio.to_thread(everywhere, db, leases.claim, session_id, engine.worker)
            raise ValueError("planted")
        await steps(workspace, session_id)

    engine.start(work, at_once=1)
    until(lambda: len(steps_of(db, id)) == 1)


def test_who_closes_cancels_and_leaves(opened: tuple[str, Database], make: Maker) -> None:
    db = opened[1]
    (id,) = new_sessions(house_of(db))
    engine = make()
    engine.start(Steps(db, engine, steps=1_000, pause_s=0.01), at_once=1)
    until(lambda: len(steps_of(db, id)) > 2)
    engine.close(grace_s=5.0)
    engine.close(grace_s=5.0)
    assert everywhere(db, leases.listed) == []
    assert waiting(db) == [id]
    engine.wake(db.workspace, id)  # nothing, and no harm
    steps = len(steps_of(db, id))
    other = make()
    other.start(Steps(db, other, steps=steps + 2, pause_s=0.0), at_once=1)
    until(lambda: len(steps_of(db, id)) == steps + 2)


def test_work_runs_on_the_loop_that_is_told(opened: tuple[str, Database], make: Maker) -> None:
    db, engine = opened[1], make()
    ran = asyncio.run_coroutine_threadsafe(
        asyncio.sleep(0, "it runs"), engine.loop()
    )  # before the start, too
    assert ran.result(10) == "it runs"
    loops: list[asyncio.AbstractEventLoop] = []

    async def work(workspace: str, id: str) -> None:
        loops.append(asyncio.get_running_loop())

    engine.start(work, at_once=1)
    engine.wake(db.workspace, "sesn_a")
    until(lambda: len(loops) == 1)
    assert loops[0] is engine.loop()


def test_a_worker_that_was_given_up_for_dead_stops_and_begins_anew(
    opened: tuple[str, Database], make: Maker
) -> None:
    db = opened[1]
    (id,) = new_sessions(house_of(db))
    engine = make()
    engine.start(Steps(db, engine, steps=30, pause_s=0.03), at_once=1)
    until(lambda: len(steps_of(db, id)) > 2)
    everywhere(db, leases.leave, engine.worker)  # somebody buries it
    until(lambda: len(steps_of(db, id)) == 30)
    epochs = {step.epoch for step in steps_of(db, id)}
    assert len(epochs) == 2


def test_the_database_chooses(opened: tuple[str, Database]) -> None:
    kind, db = opened
    engine = choosing.engine(db, system_clock)
    assert type(engine) is {"local": LocalEngine, "dbos": DbosEngine}[kind]
    engine.close(grace_s=0.0)


def test_without_dbos_it_is_said_what_to_install(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "dbos", None)
    monkeypatch.delitem(sys.modules, "reverie.jobs.dbos", raising=False)
    with (
        Database.open(postgresql_url) as db,
        pytest.raises(ConfigError, match=r"pip install 'reverie-agents\[postgres\]'"),
    ):
        choosing.engine(db, system_clock)


# ---------------------------------------------------------------------- DBOS alone


@pytest.fixture
def shared(postgresql_url: str) -> Iterator[Database]:
    with Database.open(postgresql_url) as db:
        yield db


def test_a_process_that_does_not_work_wakes_one_that_does(shared: Database) -> None:
    runs: list[str] = []

    async def work(workspace: str, id: str) -> None:
        runs.append(id)

    worker, server = (DbosEngine(shared, clock=system_clock) for _ in range(2))
    try:
        worker.start(work, at_once=1)
        server.wake(shared.workspace, "sesn_a")
        until(lambda: runs == ["sesn_a"])
        with pytest.raises(ConfigError, match="already"):
            server.start(work, at_once=1)
    finally:
        server.close(grace_s=1.0)
        worker.close(grace_s=1.0)


def test_tickets_are_one_for_each_session_and_are_forgotten(shared: Database) -> None:
    gate = threading.Event()

    async def work(workspace: str, id: str) -> None:
        await asyncio.to_thread(gate.wait, 20)

    engine, tickets = DbosEngine(shared, clock=system_clock, pace=PACE), Tickets(shared.url)
    try:
        engine.start(work, at_once=1)
        assert tickets.put(("w", "a"))
        assert not tickets.put(("w", "a"))
        assert tickets.put(("w", "b"))
        until(lambda: {each.worker for each in tickets.open()} == {None, engine.worker})
        later = system_clock() + timedelta(hours=1)
        assert tickets.purge(later) == 0  # what is open stays
        gate.set()
        until(lambda: tickets.open() == [])
        assert tickets.purge(system_clock() - timedelta(hours=1)) == 0
        assert tickets.purge(later) == 2
        assert tickets.put(("w", "a"))
    finally:
        gate.set()
        engine.close(grace_s=1.0)
        tickets.close()


def test_a_ticket_of_nobody_is_void(shared: Database) -> None:
    """Somebody took a ticket and died before he claimed the session, so that nobody has it."""
    house = house_of(shared)
    (id,) = new_sessions(house)
    engine = DbosEngine(shared, clock=system_clock, pace=PACE)
    try:
        engine.start(Steps(shared, engine, steps=1, pause_s=0.0), at_once=1)
        until(lambda: len(steps_of(shared, id)) == 1)
        taken = "UPDATE reverie_jobs.workflow_status SET status = 'PENDING', executor_id = 'nobody'"
        with psycopg.connect(shared.url.replace("+psycopg", ""), autocommit=True) as connection:
            until(lambda: connection.execute(f"{taken}, deduplication_id = %s", (id,)).rowcount == 1)
        more = Steps(shared, engine, steps=2, pause_s=0.0)
        engine._bench._work = more
        house.sessions.send(id, [{"type": "user.message", "content": [{"type": "text", "text": "more"}]}])
        until(lambda: len(steps_of(shared, id)) == 2)
    finally:
        engine.close(grace_s=1.0)


def test_a_user_who_may_make_no_schema_is_told_what_to_grant(postgresql_server: str) -> None:
    plain = postgresql_server.replace("+psycopg", "").format("postgres")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("CREATE DATABASE no_schema")
        connection.execute("CREATE ROLE guest LOGIN")
    try:
        with Database.open(postgresql_server.format("no_schema")) as owned:
            url = owned.url.replace("postgres@", "guest@")
            with psycopg.connect(owned.url.replace("+psycopg", ""), autocommit=True) as connection:
                connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO guest")
        with Database.open(url) as db:
            engine = DbosEngine(db, clock=system_clock)
            with pytest.raises(Unavailable, match="GRANT CREATE ON DATABASE"):
                engine.start(Steps(db, engine, steps=1, pause_s=0.0), at_once=1)
            engine.close(grace_s=0.0)
    finally:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("DROP DATABASE no_schema WITH (FORCE)")
            connection.execute("DROP ROLE guest")
