"""Claims, signs of life and wakes: who may work on a session, and what is to be done."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import SteppingClock
from tests.jobs.work import everywhere, house_of, new_sessions, waiting

from reverie.app import Reverie
from reverie.domain.errors import StorageError
from reverie.storage import leases
from reverie.storage.database import Connection, Database
from reverie.storage.driver import execute


@pytest.fixture
def house(db: Database) -> Reverie:
    house = house_of(db)
    for worker in ("w1", "w2"):
        everywhere(db, leases.register, worker, host="h", pid=1)
    return house


def holds(db: Database, session_id: str, epoch: int) -> bool:
    return db.write(lambda conn: leases.holds(conn, session_id, epoch))


def test_one_worker_has_a_session_and_each_claim_is_another_epoch(house: Reverie) -> None:
    db, (id,) = house.database, new_sessions(house)
    assert everywhere(db, leases.claim, id, "w1") == 1
    assert everywhere(db, leases.claim, id, "w2") is None
    assert holds(db, id, 1)
    assert everywhere(db, leases.claim, id, "w1") == 2  # its own, anew: what ran before is refused
    assert not holds(db, id, 1)
    everywhere(db, leases.release, id, 1)  # too late: nothing happens
    assert holds(db, id, 2)
    everywhere(db, leases.release, id, 2)
    assert not holds(db, id, 2)
    assert everywhere(db, leases.claim, id, "w2") == 3


def test_who_is_not_among_the_living_claims_nothing(house: Reverie) -> None:
    db, (id,) = house.database, new_sessions(house)
    assert everywhere(db, leases.claim, id, "nobody") is None
    assert everywhere(db, leases.claim, "sesn_none", "w1") is None
    everywhere(db, leases.leave, "w1")
    assert everywhere(db, leases.claim, id, "w1") is None
    assert everywhere(db, leases.beat, "w1") is False
    assert everywhere(db, leases.beat, "w2") is True


def test_what_a_worker_had_when_it_left_is_anybodys_and_refused_to_it(house: Reverie) -> None:
    db, (id,) = house.database, new_sessions(house)
    epoch = everywhere(db, leases.claim, id, "w1")
    assert waiting(db) == []
    everywhere(db, leases.leave, "w1")
    assert not holds(db, id, epoch)  # also as long as nobody else has it
    assert waiting(db) == [id]
    assert everywhere(db, leases.claim, id, "w2") == epoch + 1


def test_the_silent_are_buried(house: Reverie, clock: SteppingClock) -> None:
    db, (id,) = house.database, new_sessions(house)
    everywhere(db, leases.claim, id, "w1")
    _grow_old(db, clock, 60)
    everywhere(db, leases.beat, "w2")
    assert everywhere(db, leases.bury, 30) == ["w1"]
    assert everywhere(db, leases.bury, 30) == []
    assert waiting(db) == [id]


def test_a_sign_of_life_from_the_future_is_none(house: Reverie, clock: SteppingClock) -> None:
    """Somebody sets the clock back by a day: the dead must not live for so long."""
    _grow_old(house.database, clock, -86_400)
    assert sorted(everywhere(house.database, leases.bury, 30)) == ["w1", "w2"]


def _grow_old(db: Database, clock: SteppingClock, seconds: float) -> None:
    """So much time goes by: on SQLite it is the clock's, on PostgreSQL the server's, which nobody can set."""
    if db.dialect == "sqlite":
        clock.now += timedelta(seconds=seconds)
        return
    shift = f"to_char(beat_at::timestamp - interval '{seconds} s', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    everywhere(db, execute, f"UPDATE workers SET beat_at = {shift}")


# ---------------------------------------------------------------------- what is to be done


def test_a_wake_is_kept_until_the_work_is_done(house: Reverie) -> None:
    db, (id,) = house.database, new_sessions(house, woken=False)
    assert waiting(db) == []
    house.sessions.send(id, [{"type": "user.message", "content": [{"type": "text", "text": "hello"}]}])
    assert waiting(db) == [id]
    epoch = everywhere(db, leases.claim, id, "w1")
    assert everywhere(db, leases.release, id, epoch, done=False) is True  # broken off
    epoch = everywhere(db, leases.claim, id, "w1")
    house.sessions.send(id, [{"type": "user.message", "content": [{"type": "text", "text": "more"}]}])
    assert everywhere(db, leases.release, id, epoch) is True  # woken meanwhile
    assert waiting(db) == [id]
    epoch = everywhere(db, leases.claim, id, "w1")
    assert everywhere(db, leases.release, id, epoch) is False
    assert waiting(db) == []


def test_a_wake_that_is_rolled_back_never_was(house: Reverie) -> None:
    db, (id,) = house.database, new_sessions(house, woken=False)

    def work(conn: Connection) -> None:
        leases.want(conn, id)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.write(work)
    assert waiting(db) == []


def test_a_session_at_work_by_its_log_that_nobody_has_is_found(house: Reverie) -> None:
    db, (id,) = house.database, new_sessions(house, woken=False)
    house.live.turn(id, "running")
    assert waiting(db) == [id]
    epoch = everywhere(db, leases.claim, id, "w1")
    assert waiting(db) == []
    everywhere(db, leases.release, id, epoch)
    house.live.turn(id, "idle")
    assert waiting(db) == []


def test_an_archived_session_wants_nothing_and_a_deleted_one_has_no_run(house: Reverie) -> None:
    db, (first, second) = house.database, new_sessions(house, 2)
    house.sessions.archive(first)
    house.sessions.delete(second, actor="ana")
    assert waiting(db) == []
    with db.read() as conn:
        found = execute(conn, "SELECT session_id FROM runs WHERE workspace = ?", (db.workspace,)).fetchall()
    assert found == [(first,)]
    assert everywhere(db, leases.claim, second, "w1") is None


def test_what_is_broken_off_at_once_rests_ever_longer(house: Reverie, clock: SteppingClock) -> None:
    db, (id,) = house.database, new_sessions(house)
    clock.step = timedelta()

    def elapse(seconds: float) -> None:
        if db.dialect == "sqlite":
            clock.now += timedelta(seconds=seconds)
            return
        shift = f"to_char(since::timestamp - interval '{seconds} s', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
        everywhere(db, execute, f"UPDATE runs SET since = {shift}")

    everywhere(db, leases.release, id, everywhere(db, leases.claim, id, "w1"), done=False)
    assert waiting(db) == [id]  # once is nothing
    for pause in (2, 4, 8, 16, 32, 60, 60):
        everywhere(db, leases.release, id, everywhere(db, leases.claim, id, "w1"), done=False)
        elapse(pause - 0.5)
        assert waiting(db) == []
        elapse(1)
        assert waiting(db) == [id]
    epoch = everywhere(db, leases.claim, id, "w1")
    everywhere(db, leases.release, id, epoch)  # done: as if nothing had been
    house.live.turn(id, "running")
    assert waiting(db) == [id]


def test_what_a_worker_has_can_be_asked(house: Reverie) -> None:
    db, ids = house.database, new_sessions(house, 3)
    for id in ids:
        everywhere(db, leases.claim, id, "w1")
    assert everywhere(db, leases.held, "w1") == [(db.workspace, id, 1) for id in sorted(ids)]
    assert everywhere(db, leases.held, "w2") == []
    assert [worker.id for worker in everywhere(db, leases.listed)] == ["w1", "w2"]


# ---------------------------------------------------------------------- walls


def test_the_fence_of_one_workspace_is_none_of_anothers(house: Reverie) -> None:
    db, (id,) = house.database, new_sessions(house)
    epoch = everywhere(db, leases.claim, id, "w1")
    assert not holds(db.scoped("wrkspc_other"), id, epoch)


def test_workers_work_for_all_workspaces(house: Reverie) -> None:
    other = house.workspace("wrkspc_other")
    (mine,) = new_sessions(house)
    (theirs,) = new_sessions(other)  # type: ignore[arg-type]
    assert waiting(house.database) == sorted([mine, theirs])
    assert everywhere(house.database, leases.claim, theirs, "w1") == 1
    with pytest.raises(StorageError, match="EVERYWHERE"):
        house.database.write(lambda conn: leases.claim(conn, mine, "w1"))


# ---------------------------------------------------------------------- at most one, whatever happens

STEP = st.tuples(
    st.sampled_from(("claim", "release", "leave", "register")), st.sampled_from(("w1", "w2", "w3"))
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(STEP, min_size=5, max_size=30))
def test_nobody_but_the_last_to_claim_may_write(house: Reverie, story: list[tuple[str, str]]) -> None:
    """Told beside a model of it: who lives, who has the session, by which epoch."""
    db, (id,) = house.database, new_sessions(house)
    alive, owner, epochs = {"w1", "w2"}, None, dict[str, int]()
    for worker in alive:
        everywhere(db, leases.register, worker, host="h", pid=1)
    everywhere(db, leases.leave, "w3")
    last = 0
    for what, who in story:
        if what == "claim":
            got = everywhere(db, leases.claim, id, who)
            free = owner is None or owner == who or owner not in alive
            assert (got is not None) == (who in alive and free)
            if got is not None:
                assert got > last
                owner, epochs[who], last = who, got, got
        elif what == "release" and who in epochs:
            everywhere(db, leases.release, id, epochs[who])
            owner = None if owner == who else owner
        elif what == "leave":
            everywhere(db, leases.leave, who)
            alive.discard(who)
            owner = None if owner == who else owner
        elif what == "register":
            everywhere(db, leases.register, who, host="h", pid=1)
            alive.add(who)
        for worker, epoch in epochs.items():
            assert holds(db, id, epoch) == (worker == owner and epoch == last)


# ---------------------------------------------------------------------- PostgreSQL: no claim between check and commit


@pytest.mark.parametrize("first", ["fence", "claim"])
def test_a_claim_waits_for_a_fenced_transaction_and_the_other_way_round(
    postgresql_url: str, first: str
) -> None:
    with Database.open(postgresql_url) as db:
        house = house_of(db)
        (id,) = new_sessions(house)
        everywhere(db, leases.register, "w1", host="h", pid=1)
        epoch = everywhere(db, leases.claim, id, "w1")
        everywhere(db, leases.leave, "w1")
        everywhere(db, leases.register, "w1", host="h", pid=1)
        everywhere(db, execute, "UPDATE runs SET worker = 'w0' WHERE workspace <> ''")  # of one who is dead
        entered, go = threading.Event(), threading.Event()
        told: list[str] = []

        def fence(conn: Connection) -> bool:
            held = leases.holds(conn, id, epoch)
            if first == "fence":
                leases.want(conn, id)  # a client's wake is nothing that the fence keeps out
                entered.set()
                assert go.wait(20)
                told.append("fenced write")
            return held

        def claim(conn: Connection) -> int | None:
            got = leases.claim(conn, id, "w1")
            if first == "claim":
                entered.set()
                assert go.wait(20)
                told.append("claim")
            else:
                told.append("claim")
            return got

        answers: dict[str, object] = {}
        works = {
            "fence": lambda: answers.update(fence=db.write(fence)),
            "claim": lambda: answers.update(claim=everywhere(db, claim)),
        }
        second = "claim" if first == "fence" else "fence"
        threads = {name: threading.Thread(target=work) for name, work in works.items()}
        threads[first].start()
        assert entered.wait(20)
        threads[second].start()
        _until_someone_waits(db)
        go.set()
        for thread in threads.values():
            thread.join(20)
        assert answers == {"fence": first == "fence", "claim": epoch + 1}
        assert told[0] == ("fenced write" if first == "fence" else "claim")


def test_who_is_stopped_in_the_middle_of_a_transaction_does_not_keep_his_locks(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = leases._HOLDS["postgresql"].replace("'5s'", "'300ms'")
    monkeypatch.setitem(leases._HOLDS, "postgresql", shorter)
    with Database.open(postgresql_url) as db:
        house = house_of(db)
        (id,) = new_sessions(house)
        everywhere(db, leases.register, "w1", host="h", pid=1)
        epoch = everywhere(db, leases.claim, id, "w1")
        entered, thawed = threading.Event(), threading.Event()
        told: list[StorageError] = []

        def write(conn: Connection) -> None:
            assert leases.holds(conn, id, epoch)
            entered.set()
            assert thawed.wait(20)  # it is stopped here
            leases.want(conn, id)

        def frozen() -> None:
            try:
                db.write(write)
            except StorageError as error:
                told.append(error)

        thread = threading.Thread(target=frozen)
        thread.start()
        assert entered.wait(20)
        assert everywhere(db, leases.claim, id, "w1") == epoch + 1  # waits for the server to end the other
        thawed.set()
        thread.join(20)
        assert len(told) == 1


def _until_someone_waits(db: Database) -> None:
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    for _ in range(2_000):
        with db.read() as conn:
            if execute(conn, asked).fetchall() != [(0,)]:
                return
        threading.Event().wait(0.005)
    raise AssertionError("nobody waits: the claim slipped through")
