"""Work queues, as the SDK's own worker uses them: claims, leases, and several workers at once."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import anthropic
import pytest
from anthropic.lib.environments import iter_work
from anthropic.types.beta.environments import BetaSelfHostedWork
from tests.contract import serving
from tests.contract.serving import ENGINES

from reverie.app import Reverie
from reverie.server.app import build
from reverie.storage.database import Database

HELLO: Any = {"type": "user.message", "content": [{"type": "text", "text": "hello"}]}


class Queue:
    """A self-hosted environment, and sessions that wait in it."""

    def __init__(self, sdk: Any) -> None:
        self.sdk = sdk
        self.agent = sdk.beta.agents.create(model="m", name="an agent").id
        self.id = sdk.beta.environments.create(name="own", config={"type": "self_hosted"}).id
        self.work = sdk.beta.environments.work

    def session(self) -> str:
        made = self.sdk.beta.sessions.create(agent=self.agent, environment_id=self.id, initial_events=[HELLO])
        return made.id

    def started(self) -> Any:
        """An item that is acknowledged."""
        self.session()
        return self.work.ack(self.work.poll(self.id).id, environment_id=self.id)

    def beat(self, item: Any, expected: str = "NO_HEARTBEAT", **more: Any) -> Any:
        return self.work.heartbeat(item.id, environment_id=self.id, expected_last_heartbeat=expected, **more)


@pytest.fixture(autouse=True)
def _standing_still(clock: Any) -> None:
    """Time goes on only where a test says so (but for an order among what happens)."""
    clock.step = timedelta(microseconds=1)


@pytest.fixture
def queue(sdk: Any) -> Queue:
    return Queue(sdk)


def test_an_item_from_beginning_to_end(queue: Queue, strict: Any) -> None:
    assert queue.work.poll(queue.id) is None
    session = queue.session()
    item = queue.work.poll(queue.id)
    strict(item, BetaSelfHostedWork)
    assert item.id.startswith("work_") and (item.data.type, item.data.id) == ("session", session)
    assert (item.state, item.acknowledged_at, item.environment_id) == ("queued", None, queue.id)
    starting = queue.work.ack(item.id, environment_id=queue.id)
    strict(starting)
    assert starting.state == "starting" and starting.acknowledged_at
    beat = queue.beat(item)
    strict(beat)
    assert (beat.state, beat.lease_extended, beat.ttl_seconds) == ("active", True, 300)
    active = queue.work.retrieve(item.id, environment_id=queue.id)
    strict(active)
    assert (
        active.state == "active" and active.started_at and active.latest_heartbeat_at == beat.last_heartbeat
    )
    stopping = queue.work.stop(item.id, environment_id=queue.id)
    strict(stopping)
    assert stopping.state == "stopping" and stopping.stop_requested_at
    told = queue.beat(item, "whatever it was")  # while it is stopping nothing is compared
    assert (told.state, told.lease_extended) == ("stopping", False)
    stopped = queue.work.stop(item.id, environment_id=queue.id, force=True)
    assert stopped.state == "stopped" and stopped.stopped_at
    with pytest.raises(anthropic.ConflictError):
        queue.work.stop(item.id, environment_id=queue.id)
    with pytest.raises(anthropic.ConflictError):
        queue.work.ack(item.id, environment_id=queue.id)
    assert queue.work.poll(queue.id) is None


def test_a_lost_lease_is_told_with_how_it_stands(queue: Queue) -> None:
    item = queue.started()
    first = queue.beat(item, desired_ttl_seconds=60)
    assert first.ttl_seconds == 60
    second = queue.beat(item, first.last_heartbeat)
    assert second.ttl_seconds == 60 and second.last_heartbeat > first.last_heartbeat
    for expected in (first.last_heartbeat, "NO_HEARTBEAT", "", "x"):
        with pytest.raises(anthropic.PreconditionFailedError) as refused:
            queue.beat(item, expected)
        assert refused.value.error_code == "heartbeat_precondition_failed"
        assert refused.value.details.current_state.to_dict() == {
            "last_heartbeat": second.last_heartbeat,
            "lease_extended": False,
            "state": "active",
            "ttl_seconds": 60,
        }
    unconditional = queue.work.heartbeat(item.id, environment_id=queue.id)
    assert unconditional.lease_extended


def test_of_two_who_acknowledge_the_first_heartbeat_decides(queue: Queue) -> None:
    item = queue.started()
    assert queue.work.ack(item.id, environment_id=queue.id).state == "starting"
    queue.beat(item)
    with pytest.raises(anthropic.PreconditionFailedError):
        queue.beat(item)


def test_a_heartbeat_before_the_acknowledgement_is_refused(queue: Queue) -> None:
    queue.session()
    item = queue.work.poll(queue.id)
    with pytest.raises(anthropic.PreconditionFailedError) as refused:
        queue.beat(item)
    assert refused.value.details.current_state.state == "queued"


def test_a_claim_that_nobody_acknowledges_is_handed_out_again(queue: Queue, clock: Any) -> None:
    queue.session()
    item = queue.work.poll(queue.id)
    assert queue.work.poll(queue.id) is None
    clock.now += timedelta(seconds=2)
    assert queue.work.poll(queue.id) is None
    assert queue.work.poll(queue.id, reclaim_older_than_ms=2000).id == item.id
    clock.now += timedelta(seconds=5)
    assert queue.work.poll(queue.id).id == item.id


@pytest.mark.parametrize("beaten", [False, True])
def test_a_lease_that_runs_out_puts_the_item_back(queue: Queue, clock: Any, beaten: bool) -> None:
    item = queue.started()
    last = queue.beat(item, desired_ttl_seconds=100).last_heartbeat if beaten else "NO_HEARTBEAT"
    clock.now += timedelta(seconds=80 if beaten else 280)
    assert queue.work.poll(queue.id) is None
    clock.now += timedelta(seconds=40)
    again = queue.work.poll(queue.id)
    assert (again.id, again.state, again.latest_heartbeat_at) == (item.id, "queued", None)
    with pytest.raises(anthropic.PreconditionFailedError):  # the first worker comes back, too late
        queue.beat(item, last)
    queue.work.ack(item.id, environment_id=queue.id)
    assert queue.beat(item).lease_extended


def test_what_was_stopping_when_its_lease_ran_out_is_stopped(queue: Queue, clock: Any) -> None:
    item = queue.started()
    queue.work.stop(item.id, environment_id=queue.id)
    clock.now += timedelta(seconds=400)
    assert queue.work.poll(queue.id) is None
    assert queue.work.retrieve(item.id, environment_id=queue.id).state == "stopped"


def test_what_nobody_has_is_stopped_at_once(queue: Queue) -> None:
    queue.session()
    [item] = queue.work.list(queue.id)
    assert queue.work.stop(item.id, environment_id=queue.id).state == "stopped"


def test_a_session_has_one_item_until_that_is_stopped(queue: Queue) -> None:
    session = queue.session()
    queue.sdk.beta.sessions.events.send(session, events=[HELLO])
    [item] = queue.work.list(queue.id)
    queue.work.stop(item.id, environment_id=queue.id, force=True)
    queue.sdk.beta.sessions.events.send(session, events=[HELLO])
    second, first = queue.work.list(queue.id)
    assert (second.state, second.data.id, first.id) == ("queued", session, item.id)


@pytest.mark.parametrize("way", ["archive", "delete"])
def test_a_session_that_has_ended_waits_for_nobody(queue: Queue, way: str) -> None:
    waiting, served = queue.session(), queue.session()
    for _ in range(2):
        item = queue.work.poll(queue.id)
        if item.data.id == served:
            queue.work.ack(item.id, environment_id=queue.id)
            last = queue.beat(item).last_heartbeat
    for session in (waiting, served):
        getattr(queue.sdk.beta.sessions, way)(session)
    told = queue.beat(item, last)
    assert (told.state, told.lease_extended) == ("stopped", False)
    assert {found.state for found in queue.work.list(queue.id)} == {"stopped"}
    assert queue.work.poll(queue.id, reclaim_older_than_ms=0) is None


def test_the_oldest_comes_first_and_lists_are_newest_first(queue: Queue, strict: Any) -> None:
    sessions = [queue.session() for _ in range(5)]
    listed = list(queue.work.list(queue.id, limit=2))
    assert [item.data.id for item in listed] == sessions[::-1]
    strict(queue.work.list(queue.id, limit=2).data, list[BetaSelfHostedWork])
    assert [queue.work.poll(queue.id).data.id for _ in range(5)] == sessions


def test_metadata_is_patched(queue: Queue, strict: Any) -> None:
    queue.session()
    [item] = queue.work.list(queue.id)
    after = queue.work.update(item.id, environment_id=queue.id, metadata={"a": "1", "b": "2"})
    strict(after)
    after = queue.work.update(item.id, environment_id=queue.id, metadata={"a": None, "c": ""})
    assert after.metadata == {"b": "2", "c": ""}
    many: Any = {str(number): "" for number in range(15)}
    with pytest.raises(anthropic.BadRequestError, match="at most 16 pairs"):
        queue.work.update(item.id, environment_id=queue.id, metadata=many)


def test_the_statistics_tell_the_queue(queue: Queue, clock: Any, strict: Any) -> None:
    empty = queue.work.stats(queue.id)
    strict(empty)
    assert (empty.depth, empty.pending, empty.oldest_queued_at, empty.workers_polling) == (0, 0, None, 0)
    for _ in range(3):
        queue.session()
    items = list(queue.work.list(queue.id))
    queue.work.poll(queue.id, anthropic_worker_id="one")
    queue.work.poll(queue.id, anthropic_worker_id="one")
    stats = queue.work.stats(queue.id)
    strict(stats)
    assert (stats.depth, stats.pending, stats.workers_polling) == (1, 2, 1)
    assert stats.oldest_queued_at == items[-1].created_at
    queue.work.ack(items[-1].id, environment_id=queue.id)
    queue.work.poll(queue.id, anthropic_worker_id="two")
    stats = queue.work.stats(queue.id)
    assert (stats.depth + stats.pending, stats.workers_polling) == (2, 2)
    assert stats.oldest_queued_at == items[-2].created_at
    clock.now += timedelta(seconds=31)
    stats = queue.work.stats(queue.id)
    assert (stats.depth, stats.pending, stats.workers_polling) == (2, 0, 0)


def test_whoever_waits_hears_of_what_comes(client: anthropic.Anthropic) -> None:
    queue = Queue(client)
    begun = threading.Event()

    def wait() -> Any:
        begun.set()
        for _ in range(20):
            if item := queue.work.poll(queue.id, block_ms=999):
                return item
        return None

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        begun.wait()
        session = queue.session()
        assert waiting.result().data.id == session


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"block_ms": 0}, "at least 1"), ({"block_ms": 1000}, "at most 999"),
        ({"reclaim_older_than_ms": -1}, "at least 0"),
    ],
)  # fmt: skip
def test_the_limits_of_a_poll(client: anthropic.Anthropic, said: Any, told: str) -> None:
    queue = Queue(client)
    with pytest.raises(anthropic.BadRequestError, match=told):
        queue.work.poll(queue.id, **said)
    assert queue.work.poll(queue.id, block_ms=1) is None


def test_the_limits_of_a_lease(client: anthropic.Anthropic) -> None:
    queue = Queue(client)
    item = queue.started()
    assert queue.beat(item, desired_ttl_seconds=3600).ttl_seconds == 3600
    for seconds in (0, 3601):
        with pytest.raises(anthropic.BadRequestError, match="desired_ttl_seconds"):
            queue.beat(item, desired_ttl_seconds=seconds)


def test_an_item_is_found_in_its_environment_alone(client: anthropic.Anthropic) -> None:
    queue, other = Queue(client), Queue(client)
    item = queue.started()
    for way in ("retrieve", "ack", "heartbeat", "stop"):
        with pytest.raises(anthropic.NotFoundError):
            getattr(client.beta.environments.work, way)(item.id, environment_id=other.id)
    for way in ("list", "poll", "stats"):
        with pytest.raises(anthropic.NotFoundError):
            getattr(client.beta.environments.work, way)("env_nowhere")


# ---------------------------------------------------------------------- the key that comes with an item


def test_a_worker_gets_a_key_for_its_item_and_no_more_than_its_own(reverie: Reverie, clock: Any) -> None:
    minutes = itertools.count(0, 60)  # between any two requests: what a server remembers of keys is over
    api = build(reverie, now=lambda: float(next(minutes)))
    everything = reverie.keys.create("person", by="ana").token
    workers = reverie.keys.create("worker", by="ana", scopes=["work:*", "sessions:read"]).token

    def using(key: str) -> Any:
        return anthropic.Anthropic(api_key=key, base_url=serving.BASE, http_client=http, max_retries=0)

    with serving.sync_http(api) as http:
        queue = Queue(using(everything))
        session = queue.session()
        item = queue.work.poll(queue.id)
        assert queue.work.retrieve(item.id, environment_id=queue.id).secret is None
        first = using(token_of(item))
        assert first.beta.sessions.retrieve(session).id == session
        assert list(first.beta.memory_stores.list()) == []
        with pytest.raises(anthropic.PermissionDeniedError):
            first.beta.agents.create(model="m", name="no")
        clock.now += timedelta(seconds=6)
        item = using(workers).beta.environments.work.poll(queue.id)  # another one, who may less
        with pytest.raises(anthropic.AuthenticationError):  # the first has lost it
            first.beta.sessions.retrieve(session)
        second = using(token_of(item))
        assert second.beta.sessions.retrieve(session).id == session
        for more in (second.beta.memory_stores.list, lambda: second.beta.sessions.archive(session)):
            with pytest.raises(anthropic.PermissionDeniedError):
                more()
        own = second.beta.environments.work
        own.ack(item.id, environment_id=queue.id)
        own.heartbeat(item.id, environment_id=queue.id, expected_last_heartbeat="NO_HEARTBEAT")
        assert own.stop(item.id, environment_id=queue.id, force=True).state == "stopped"
        with pytest.raises(anthropic.AuthenticationError):
            own.stats(queue.id)
        ended = queue.session()
        third = using(token_of(queue.work.poll(queue.id))).beta.environments.work
        using(everything).beta.sessions.archive(ended)
        [item] = [item for item in queue.work.list(queue.id) if item.data.id == ended]
        with pytest.raises(anthropic.ConflictError):  # it may still save what it has, and then is through
            third.stop(item.id, environment_id=queue.id, force=True)
        with pytest.raises(anthropic.AuthenticationError):
            third.stats(queue.id)


def token_of(item: Any) -> str:
    return json.loads(base64.urlsafe_b64decode(item.secret))["sessions_token"]


# ---------------------------------------------------------------------- several workers at once


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_no_two_workers_get_one_item(
    client: anthropic.Anthropic, reverie: Reverie, database_url: str, clock: Any
) -> None:
    """Six threads on two processes' worth of databases, polling while items still come."""
    environment, items, day = Queue(client).id, 40, timedelta(days=1)
    with Reverie(Database.open(database_url, clock=clock), clock=clock) as second:
        queues = [house.workspace().work for house in (reverie, second)]

        def poll(number: int) -> list[str]:
            found: list[str] = []
            misses = 0
            while misses < 20:
                if number < 2 and len(found) < items // 2:
                    queues[number].enqueue(environment, f"sesn_{number}_{misses}_{len(found)}")
                item = queues[number % 2].poll(environment, day)
                misses += item is None
                found += [item.id] if item else []
            return found

        for number in range(items):
            queues[0].enqueue(environment, f"sesn_{number}")
        with ThreadPoolExecutor(6) as pool:
            claimed = [id_ for found in pool.map(poll, range(6)) for id_ in found]
        every = {item.id for item in queues[0].list(environment, limit=1000)}
    assert Counter(claimed).most_common(1)[0][1] == 1
    assert set(claimed) == every and len(every) > items


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_one_session_is_queued_once_however_many_queue_it(reverie: Reverie) -> None:
    environment = reverie.workspace().environments.create({"name": "e", "config": {"type": "self_hosted"}})
    queue = reverie.workspace().work
    with ThreadPoolExecutor(4) as pool:
        ids = {item.id for item in pool.map(lambda _: queue.enqueue(environment.id, "sesn_1"), range(12))}
    assert len(ids) == 1 and len(queue.list(environment.id)) == 1


# ---------------------------------------------------------------------- the vendor's own worker


def test_the_sdks_poller_drains_a_queue(client: anthropic.Anthropic) -> None:
    queue = Queue(client)
    sessions = [queue.session() for _ in range(3)]
    poller = iter_work(queue.work, environment_id=queue.id, drain=True, block_ms=None)
    served = [item.data.id for item in poller]
    assert served == sessions
    assert {item.state for item in queue.work.list(queue.id)} == {"stopping"}
