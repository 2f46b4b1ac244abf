"""A request that comes twice is done once, and answered twice alike."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from tests.conftest import SteppingClock

from reverie.domain.errors import Conflict, Invalid
from reverie.storage.database import Connection, Database
from reverie.storage.driver import execute
from reverie.workspaces.idempotency import KEPT, MAX_KEY, Answer, Claim, Idempotency

ROUTE = "POST /v1/agents"


@pytest.fixture
def again(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> Idempotency:
    clock.step = timedelta()
    return Idempotency(db, clock=clock, entropy=entropy, held=timedelta(minutes=2))


def begun(again: Idempotency, key: str = "k", digest: str = "d", route: str = ROUTE) -> Claim:
    claim = again.begin(route, key, digest)
    assert isinstance(claim, Claim)
    return claim


def test_the_second_one_gets_the_first_ones_answer(again: Idempotency) -> None:
    again.finish(begun(again), 201, [("request-id", "req_1")], b"\x00\xffbytes")
    expected = Answer(201, (("request-id", "req_1"),), b"\x00\xffbytes")
    assert [again.begin(ROUTE, "k", "d") for _ in range(2)] == [expected, expected]


def test_another_request_under_the_same_key_is_refused(again: Idempotency, clock: SteppingClock) -> None:
    claim = begun(again)
    with pytest.raises(Conflict, match="another request"):
        again.begin(ROUTE, "k", "other")
    clock.now += timedelta(hours=1)  # not even once the claim has lapsed
    with pytest.raises(Conflict, match="another request"):
        again.begin(ROUTE, "k", "other")
    again.finish(claim, 200, [], b"")
    with pytest.raises(Conflict, match="another request"):
        again.begin(ROUTE, "k", "other")


def test_keys_count_for_their_route_and_workspace(
    again: Idempotency, db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]
) -> None:
    begun(again)
    begun(again, route="POST /v1/files")
    begun(again, key="K")
    begun(Idempotency(db.scoped("wrkspc_b"), clock=clock, entropy=entropy), digest="of somebody else")


def test_while_it_is_answered_nobody_else_does(again: Idempotency, clock: SteppingClock) -> None:
    claim = begun(again)
    assert again.begin(ROUTE, "k", "d") is None
    clock.now += timedelta(seconds=119)
    assert again.begin(ROUTE, "k", "d") is None
    again.finish(claim, 200, [], b"done")
    assert again.begin(ROUTE, "k", "d") == Answer(200, (), b"done")


def test_who_gave_up_lets_the_next_one_try(again: Idempotency) -> None:
    again.abandon(begun(again))
    again.finish(begun(again, digest="even another"), 200, [], b"x")
    again.abandon(Claim(ROUTE, "k", "somebody else"))
    assert again.begin(ROUTE, "k", "even another") == Answer(200, (), b"x")


def test_who_was_killed_is_not_waited_for_ever(
    again: Idempotency, db: Database, clock: SteppingClock
) -> None:
    killed = begun(again)
    clock.now += timedelta(minutes=2)
    later = begun(again)
    again.finish(killed, 200, [], b"too late")
    assert again.begin(ROUTE, "k", "d") is None
    with pytest.raises(Conflict, match="another one answers"):
        db.write(lambda conn: again.finish(killed, 200, [], b"too late", conn=conn))
    again.finish(later, 200, [], b"in time")
    assert again.begin(ROUTE, "k", "d") == Answer(200, (), b"in time")


def test_the_work_and_its_answer_are_kept_together(again: Idempotency, db: Database) -> None:
    claim = begun(again)

    def work(conn: Connection) -> None:
        again.finish(claim, 200, [], b"kept", conn=conn)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.write(work)
    assert again.begin(ROUTE, "k", "d") is None


def test_of_many_at_once_one_answers(again: Idempotency) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: again.begin(ROUTE, "k", "d"), range(8)))
    assert sum(isinstance(each, Claim) for each in found) == 1
    assert found.count(None) == 7


def test_answers_are_forgotten_after_seven_days(
    again: Idempotency, db: Database, clock: SteppingClock
) -> None:
    again.finish(begun(again), 200, [], b"old")
    clock.now += KEPT
    assert again.begin(ROUTE, "k", "d") == Answer(200, (), b"old")
    clock.now += timedelta(seconds=1)
    begun(again, digest="new")
    clock.now += KEPT + timedelta(seconds=1)
    begun(again, key="other")
    with db.read() as conn:
        assert execute(conn, "SELECT key FROM idempotency").fetchall() == [("other",)]


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY + 1), "a\nb", "\x00"])
def test_keys_that_are_none(again: Idempotency, key: str) -> None:
    with pytest.raises(Invalid, match="Idempotency-Key"):
        again.begin(ROUTE, key, "d")


def test_the_longest_key(again: Idempotency) -> None:
    begun(again, key="ü" * MAX_KEY)
