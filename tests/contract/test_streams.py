"""Streams: every frame has an id, and a cut stream goes on where it was, wherever the cut and the server."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import anthropic
import httpx2
import pytest
from tests.contract import serving
from tests.contract.serving import ENGINES
from tests.contract.sessions import USAGE, Loop, message, session

from reverie.app import Reverie
from reverie.server.app import build
from reverie.server.settings import Settings
from reverie.server.sse import STALLED, Hub
from reverie.storage.database import Database


class Frame(NamedTuple):
    id: int
    event: str
    data: Any


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    database = Database.open(database_url, clock=clock)
    with Reverie(database, clock=clock, entropy=entropy, waker=loop.wake) as house:
        loop.house = house
        yield house


def frames(chunks: Any) -> Iterator[Frame]:
    """The whole frames of a stream as they come; what follows the last one is not one."""
    left = b""
    for chunk in chunks:
        left += chunk
        while b"\n\n" in left:
            told, left = left.split(b"\n\n", 1)
            fields = dict(line.split(": ", 1) for line in told.decode().split("\n"))
            yield Frame(int(fields["id"]), fields["event"], json.loads(fields["data"]))


def path(session_id: str, thread: str | None = None) -> str:
    whole = f"/v1/sessions/{session_id}"
    return f"{whole}/events/stream" if thread is None else f"{whole}/threads/{thread}/stream"


@contextmanager
def opened(http: httpx2.Client, where: str, **request: Any) -> Iterator[Iterator[Frame]]:
    """The frames of a stream, behind the ping that each begins with."""
    with http.stream("GET", where, **request) as response:
        assert response.status_code == 200 and response.headers["content-type"].startswith(
            "text/event-stream"
        )
        told = frames(response.iter_bytes())
        assert next(told).event == "ping"
        yield told


def some(told: Iterator[Frame], count: int) -> list[Frame]:
    return [next(told) for _ in range(count)]


# ------------------------------------------------------------------ the SDK


def test_the_sdk_reads_a_session_as_it_happens(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    with client.beta.sessions.events.stream(made.id) as stream:
        client.beta.sessions.events.send(made.id, events=[message()])
        loop.begin(made.id)
        loop.say(made.id, "hello")
        loop.rest(made.id)
        seen = []
        for event in stream:
            strict(event)
            seen.append(event)
            if event.type == "session.status_idle":
                break
    assert [event.type for event in seen] == [
        "user.message", "session.status_running", "agent.message", "session.usage", "session.status_idle",
    ]  # fmt: skip
    listed = [event.to_dict() for event in client.beta.sessions.events.list(made.id)]
    assert [event.to_dict() for event in seen] == listed


def test_the_async_sdk_reads_it_too(async_client: Any, loop: Loop) -> None:
    async def run() -> list[str]:
        agent = await async_client.beta.agents.create(model="scripted:x", name="a")
        place = await async_client.beta.environments.create(name="e")
        made = await async_client.beta.sessions.create(agent=agent.id, environment_id=place.id)
        stream = await async_client.beta.sessions.events.stream(made.id)
        await asyncio.to_thread(loop.begin, made.id)
        await asyncio.to_thread(loop.rest, made.id)
        seen = []
        async for event in stream:
            seen.append(event.type)
            if event.type == "session.status_idle":
                break
        await stream.close()
        return seen

    assert asyncio.run(run()) == ["session.status_running", "session.usage", "session.status_idle"]


# ------------------------------------------------------------------ frames and resuming


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_stream_goes_on_behind_the_id_it_is_given(client: Any, http: Any, loop: Loop) -> None:
    made = session(client)
    loop.begin(made.id)
    for number in range(6):
        loop.say(made.id, str(number))
    with opened(http, path(made.id), params={"after": 0}) as told:
        whole = some(told, 7)
    assert [frame.id for frame in whole] == [1, 2, 3, 4, 5, 6, 7] and whole[
        0
    ].event == "session.status_running"
    for start in (1, 4):
        for how in ({"params": {"after": start}}, {"headers": {"Last-Event-ID": str(start)}}):
            with opened(http, path(made.id), **how) as told:
                assert some(told, 7 - start) == whole[start:]
    with opened(http, path(made.id), params={"after": 1}, headers={"Last-Event-ID": "6"}) as told:
        assert next(told) == whole[6], "the header is what a browser repeats with"
    with opened(http, path(made.id)) as told:
        loop.say(made.id, "new")
        assert next(told).id == 8, "without a place: from now on"


@pytest.mark.parametrize("place", ["x", "-1", "1.5", "9" * 30, "12"])
def test_a_place_that_is_none_is_refused(client: Any, http: Any, place: str) -> None:
    made = session(client)
    for how in ({"params": {"after": place}}, {"headers": {"Last-Event-ID": place}}):
        answer = http.get(path(made.id), **how)
        assert answer.status_code == 400 and answer.json()["error"]["type"] == "invalid_request_error"
    assert http.get(path("sesn_none")).status_code == 404
    assert http.get(path(made.id, "sthr_none")).status_code == 404


def test_a_long_log_is_replayed_whole(client: Any, http: Any, loop: Loop) -> None:
    made = session(client)
    for _ in range(700):
        loop.say(made.id, "x" * 500)
    with opened(http, path(made.id), params={"after": 0}) as told:
        assert [frame.id for frame in some(told, 700)] == list(range(1, 701))
        loop.say(made.id)
        assert next(told).id == 701


def test_a_threads_stream_is_its_own(client: Any, http: Any, loop: Loop) -> None:
    made = session(client)
    loop.begin(made.id)
    helper = loop.live.open_thread(made.id, made.agent.to_dict() | {"name": "helper"})
    with opened(http, path(made.id, helper)) as own, opened(http, path(made.id)) as whole:
        loop.live.turn(made.id, "running", thread=helper)
        loop.say(made.id, "aside", thread=helper)
        loop.say(made.id, "aloud")
        assert [frame.event for frame in some(own, 2)] == ["session.thread_status_running", "agent.message"]
        assert [frame.event for frame in some(whole, 2)] == ["session.thread_status_running", "agent.message"]
        loop.live.turn(made.id, "idle", thread=helper)
        assert next(own).event == "session.thread_status_idle"
    with client.beta.sessions.threads.events.stream(helper, session_id=made.id) as stream:
        loop.say(made.id, "again", thread=helper)
        assert next(stream).content[0].text == "again"


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_cut_anywhere_on_two_servers_nothing_is_missed_or_told_twice(
    database_url: str, clock: Any, entropy: Any, loop: Loop, reverie: Reverie
) -> None:
    rng, total = random.Random(11), 150
    with ExitStack() as stack:
        other = stack.enter_context(
            Reverie(Database.open(database_url, clock=clock), clock=clock, waker=loop.wake)
        )
        houses = [reverie, other]
        servers = [stack.enter_context(serving.sync_http(build(house))) for house in houses]
        sdk = anthropic.Anthropic(api_key="x", base_url=serving.BASE, http_client=servers[0])
        made = session(sdk)

        def write() -> None:
            written = 0
            while written < total:
                batch = min(rng.choice((1, 1, 3)), total - written)
                loop.house = houses[written % 2]
                for _ in range(batch):
                    loop.say(made.id, "ä" * rng.randrange(300))
                written += batch

        writer = threading.Thread(target=write)
        writer.start()
        seen: list[int] = []
        cuts = random.Random(13)
        while len(seen) < total:
            if cuts.random() < 0.2:  # a restart: the server forgets everything
                servers[0] = stack.enter_context(serving.sync_http(build(reverie)))
            place = {"Last-Event-ID": str(seen[-1] if seen else 0)}
            with cuts.choice(servers).stream("GET", path(made.id), headers=place) as response:
                seen += [
                    f.id
                    for f in frames(_cut(response.iter_bytes(), cuts, total - len(seen)))
                    if f.event != "ping"
                ]
        writer.join()
    assert seen == list(range(1, total + 1))


def _cut(chunks: Iterator[bytes], rng: random.Random, most: int) -> Iterator[bytes]:
    """Some chunks, the last of them broken off anywhere; no more than there will be."""
    taken, whole = 0, rng.randrange(4)
    for _ in range(whole):
        chunk = next(chunks)
        yield chunk
        taken += chunk.count(b"event: agent")
        if taken >= most:
            return
    chunk = next(chunks)
    yield chunk[: rng.randrange(len(chunk) + 1)]


# ------------------------------------------------------------------ previews


def test_previews_are_for_those_who_asked_and_end_in_the_event(client: Any, http: Any, loop: Loop) -> None:
    from anthropic.lib.sessions import accumulate_managed_agents_event

    from reverie.storage.events import event_id

    made = session(client)
    asked = client.beta.sessions.events.stream(made.id, event_deltas=["agent.message"])
    with asked as stream, opened(http, path(made.id)) as plain:
        coming = event_id(made.id, "step 1")
        thinking = {"type": "event_start", "event": {"type": "agent.thinking", "id": "sevt_t"}}
        start = {"type": "event_start", "event": {"type": "agent.message", "id": coming}}
        loop.live.preview(made.id, thinking)
        loop.live.preview(made.id, start)
        for text in ("hel", "lo"):
            content = {"type": "text", "text": text}
            delta = {"type": "content_delta", "index": 0, "content": content}
            loop.live.preview(made.id, {"type": "event_delta", "event_id": coming, "delta": delta})
        loop.say(made.id, "hello")
        got = [next(stream) for _ in range(4)]
        assert [event.type for event in got] == ["event_start", "event_delta", "event_delta", "agent.message"]
        whole = None
        for event in got:
            whole = accumulate_managed_agents_event(whole, event)
            assert event is got[-1] or "hello".startswith("".join(block.text for block in whole.content))
        assert whole.id == coming == got[0].event.id and whole.content[0].text == "hello"
        assert next(plain) == Frame(
            1, "agent.message", json.loads(got[-1].to_json(indent=None)) | {"type": "agent.message"}
        )
    assert [e.type for e in client.beta.sessions.events.list(made.id)] == ["agent.message"], "never kept"
    with pytest.raises(anthropic.BadRequestError, match="event_deltas"):
        client.beta.sessions.events.stream(made.id, event_deltas=["agent.message"] * 101)


# ------------------------------------------------------------------ endings


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
@pytest.mark.parametrize("by", ["this process", "another"])
def test_a_stream_ends_when_the_session_is_deleted(
    database_url: str, client: Any, http: Any, loop: Loop, clock: Any, by: str, strict: Any
) -> None:
    made = session(client)
    loop.begin(made.id)
    loop.rest(made.id)
    with client.beta.sessions.events.stream(made.id) as stream, opened(http, path(made.id)) as told:
        if by == "another":
            with Reverie(Database.open(database_url, clock=clock), clock=clock) as other:
                other.sessions.delete(made.id, actor="test")
        else:
            client.beta.sessions.delete(made.id)
        (last,) = list(stream)
        strict(last)
        assert last.type == "session.deleted" and last.id.startswith("sevt_")
        assert [frame.event for frame in told] == ["session.deleted"]


@pytest.mark.parametrize("settings", [Settings(streams_per_key=2)])
def test_a_key_holds_no_more_streams_than_it_may(client: Any, http: Any, settings: Settings) -> None:
    made = session(client)
    with opened(http, path(made.id)), opened(http, path(made.id)):
        answer = http.get(path(made.id))
        assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["type"] == "rate_limit_error"
    with opened(http, path(made.id)):
        pass


def test_streams_end_when_the_server_stops(client: Any, http: Any, api: Any) -> None:
    made = session(client)
    with opened(http, path(made.id)) as told:
        http._transport.run(_call(api.running.close))
        assert list(told) == []


async def _call(work: Callable[[], None]) -> None:
    work()


def test_a_reader_that_takes_nothing_is_cut_off_and_the_others_are_not(
    client: Any, http: Any, api: Any, loop: Loop
) -> None:
    made = session(client)
    bridge = http._transport
    with opened(http, path(made.id)) as good, http.stream("GET", path(made.id)) as stalled:
        (channel,) = _hub(bridge, api)._channels.values()
        for _ in range(40):  # more than lies between us and a reader
            loop.say(made.id)
            next(good)
        assert len(channel.readers) == 2
        bridge.run(_sweep(api))
        assert len(channel.readers) == 1, "one of them has not taken what it was sent"
        loop.say(made.id)
        assert next(good).id == 41
        with pytest.raises(Exception):  # noqa: B017  (however the client says that it was cut)
            assert len([*frames(stalled.iter_bytes())]) == 41
            raise AssertionError("the stream went on")


def _hub(bridge: Any, api: Any) -> Hub:
    async def found() -> Hub:
        return api.running.shared(Hub)

    return bridge.run(found())


async def _sweep(api: Any) -> None:
    """The sweeper's look, after as long as a reader is waited for."""
    later = asyncio.get_running_loop().time() + STALLED + 1
    for stream in tuple(api.running.shared(Hub)._streams):
        if stream._sending_since is not None:
            stream.look(later)
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_channel_that_was_let_go_too_early_is_opened_again(
    client: Any, http: Any, api: Any, reverie: Reverie
) -> None:
    """The sweeper may find a channel that nobody reads yet, because who asked for it is about to."""
    made = session(client)

    async def race() -> bool:
        hub, (seen, _) = api.running.shared(Hub), reverie.sessions.view(made.id)
        asked = asyncio.ensure_future(hub.channel(reverie, seen))
        await asyncio.sleep(0)
        opening = hub._opening[seen]
        opening.add_done_callback(lambda done: hub._forget(done.result()))  # before whoever waits goes on
        found = await asked
        return found is hub._channels[seen] and found is not opening.result()

    assert http._transport.run(race())


def test_where_it_is_quiet_there_are_pings(client: Any, http: Any, api: Any, loop: Loop) -> None:
    made = session(client)
    loop.say(made.id)
    bridge = http._transport

    async def quiet() -> None:
        later = asyncio.get_running_loop().time() + 16
        for stream in api.running.shared(Hub)._streams:
            stream.look(later)

    with opened(http, path(made.id)) as told:
        bridge.run(quiet())
        assert next(told) == Frame(1, "ping", {"type": "ping"}), "with the place to resume from"
        loop.say(made.id)
        assert next(told).id == 2


def test_usage_is_what_the_fold_says(client: Any, loop: Loop) -> None:
    made = session(client)
    loop.begin(made.id)
    for _ in range(3):
        loop.emit(made.id, "span.model_request_end", model_request_start_id="", model_usage=USAGE)
    assert client.beta.sessions.retrieve(made.id).usage.output_tokens == 60
