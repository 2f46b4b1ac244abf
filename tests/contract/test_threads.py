"""Threads and what is mounted, as the SDK knows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types.beta.sessions import BetaManagedAgentsSessionThread
from tests.contract.serving import ENGINES
from tests.contract.sessions import USAGE, Loop, agent, environment, message, session, store

from reverie.app import Reverie
from reverie.domain.errors import UsageError
from reverie.storage.database import Database


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    database = Database.open(database_url, clock=clock)
    with Reverie(database, clock=clock, entropy=entropy, waker=loop.wake) as house:
        loop.house = house
        yield house


def child(loop: Loop, made: Any, name: str = "helper") -> str:
    whole = made.agent.to_dict()
    snapshot = {**{key: value for key, value in whole.items() if key != "multiagent"}, "name": name}
    return loop.live.open_thread(made.id, snapshot)


def types(events: Any) -> list[str]:
    return [event.type for event in events]


# ------------------------------------------------------------------ threads


def test_a_session_has_a_primary_thread(sdk: Any, loop: Loop, strict: Any) -> None:
    made = session(sdk)
    (primary,) = sdk.beta.sessions.threads.list(made.id)
    strict(primary, BetaManagedAgentsSessionThread)
    assert primary.parent_thread_id is None and primary.stats is None and primary.usage is None
    assert primary.agent.name == "clerk" and primary.status == "idle"
    with pytest.raises(anthropic.BadRequestError, match="primary"):
        sdk.beta.sessions.threads.archive(primary.id, session_id=made.id)
    with pytest.raises(anthropic.NotFoundError):
        sdk.beta.sessions.threads.retrieve("sthr_none", session_id=made.id)
    with pytest.raises(anthropic.NotFoundError):
        sdk.beta.sessions.threads.retrieve(primary.id, session_id=session(sdk).id)


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_childs_work_shows_condensed_in_the_session(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client, initial_events=[message()])
    loop.begin(made.id)
    helper = child(loop, made)
    loop.live.turn(made.id, "running", thread=helper)
    loop.say(made.id, "to myself", thread=helper)
    loop.emit(
        made.id,
        "span.model_request_end",
        helper,
        model_request_start_id="",
        model_usage={**USAGE, "speed": None},
    )
    quiet = loop.call(made.id, thread=helper, evaluated_permission="allow", evaluation=None)
    asking = loop.call(made.id, thread=helper, evaluated_permission="ask", evaluation=None)
    loop.live.turn(made.id, "idle", thread=helper)
    events = list(client.beta.sessions.events.list(made.id))
    for event in events:
        strict(event)
    assert types(events) == [
        "user.message", "session.status_running", "session.thread_created", "session.thread_status_running",
        "agent.tool_use", "session.thread_status_idle",
    ]  # fmt: skip
    assert events[4].id == asking.id and events[4].session_thread_id == helper == events[2].session_thread_id
    own = list(client.beta.sessions.threads.events.list(helper, session_id=made.id))
    assert types(own)[1:3] == ["agent.message", "span.model_request_end"] and quiet.id in {e.id for e in own}
    assert next(e for e in own if e.id == asking.id).session_thread_id is None
    assert client.beta.sessions.retrieve(made.id).status == "running", "the primary one still runs"
    loop.rest(made.id)
    idle = list(client.beta.sessions.events.list(made.id))[-1]
    assert (idle.type, idle.stop_reason.event_ids) == ("session.status_idle", [asking.id]), "waiting outranks"
    confirmation = {"type": "user.tool_confirmation", "tool_use_id": asking.id, "result": "allow"}
    (routed,) = client.beta.sessions.events.send(made.id, events=[confirmation]).data
    assert routed.session_thread_id == helper
    seen = client.beta.sessions.threads.retrieve(helper, session_id=made.id)
    strict(seen)
    assert (seen.agent.name, seen.status, seen.usage.input_tokens) == ("helper", "idle", 100)
    primary = seen.parent_thread_id
    first = next(iter(client.beta.sessions.threads.events.list(primary, session_id=made.id)))
    assert first.type == "user.message"


def test_the_session_waits_for_its_last_thread(client: Any, loop: Loop) -> None:
    made = session(client)
    loop.begin(made.id)
    helper = child(loop, made)
    loop.live.turn(made.id, "running", thread=helper)
    loop.rest(made.id, "budget_reached")
    assert client.beta.sessions.retrieve(made.id).status == "running"
    loop.rest(made.id, thread=helper)
    assert client.beta.sessions.retrieve(made.id).status == "idle"
    idle = list(client.beta.sessions.events.list(made.id, types=["session.status_idle"]))
    assert len(idle) == 1 and idle[0].stop_reason.type == "budget_reached"


def test_an_interrupt_of_one_thread_leaves_the_others(client: Any, loop: Loop) -> None:
    made = session(client)
    loop.begin(made.id)
    helpers = [child(loop, made, name) for name in ("one", "two")]
    calls = {}
    for helper in helpers:
        loop.live.turn(made.id, "running", thread=helper)
        calls[helper] = loop.call(made.id, "custom_tool", thread=helper)
        loop.live.turn(made.id, "idle", thread=helper)
    loop.rest(made.id)
    stop = {"type": "user.interrupt", "session_thread_id": helpers[0]}
    client.beta.sessions.events.send(made.id, events=[stop])
    own = list(client.beta.sessions.threads.events.list(helpers[0], session_id=made.id))
    assert types(own)[-3:] == ["user.interrupt", "user.custom_tool_result", "session.thread_status_idle"]
    assert own[-1].stop_reason.type == "end_turn"
    idle = list(client.beta.sessions.events.list(made.id, types=["session.status_idle"]))[-1]
    assert idle.stop_reason.event_ids == [calls[helpers[1]].id]
    client.beta.sessions.events.send(made.id, events=[{"type": "user.interrupt"}])
    idle = list(client.beta.sessions.events.list(made.id, types=["session.status_idle"]))[-1]
    assert idle.stop_reason.type == "end_turn"


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_threads_are_archived_when_idle(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    loop.begin(made.id)
    helper = child(loop, made)
    loop.live.turn(made.id, "running", thread=helper)
    with pytest.raises(anthropic.BadRequestError, match="it is running"):
        client.beta.sessions.threads.archive(helper, session_id=made.id)
    loop.call(made.id, "custom_tool", thread=helper)
    loop.live.turn(made.id, "idle", thread=helper)
    archived = client.beta.sessions.threads.archive(helper, session_id=made.id)
    strict(archived)
    assert archived.status == "terminated" and archived.archived_at is not None
    assert (
        client.beta.sessions.threads.archive(helper, session_id=made.id).archived_at == archived.archived_at
    )
    assert [t.id for t in client.beta.sessions.threads.list(made.id, statuses=["terminated"])] == [helper]
    assert len(list(client.beta.sessions.threads.list(made.id, statuses=["terminated", "running"]))) == 2
    assert types(client.beta.sessions.events.list(made.id))[-1] == "session.thread_status_terminated"
    loop.rest(made.id)
    assert list(client.beta.sessions.events.list(made.id))[-1].stop_reason.type == "end_turn", (
        "its call is gone"
    )


def test_there_are_25_children_at_most_and_archiving_frees(client: Any, loop: Loop) -> None:
    made = session(client)
    helpers = [child(loop, made) for _ in range(25)]
    with pytest.raises(UsageError, match="at most 25"):
        child(loop, made)
    client.beta.sessions.threads.archive(helpers[0], session_id=made.id)
    child(loop, made)
    pages = client.beta.sessions.threads.list(made.id, limit=4)
    assert len(list(pages)) == 27 and pages.next_page is not None


# ------------------------------------------------------------------ what is mounted


def test_resources_are_listed_added_and_removed(sdk: Any, reverie: Reverie, strict: Any) -> None:
    kept = store(reverie)
    files = [sdk.beta.files.upload(file=(f"{n}.txt", b"x", "text/plain")).id for n in range(2)]
    repository = {
        "type": "github_repository", "url": "https://github.com/acme/tools.git",
        "authorization_token": "ghp_secretsecretsecret", "checkout": {"type": "branch", "name": "main"},
    }  # fmt: skip
    mounts = [
        {"type": "memory_store", "memory_store_id": kept, "instructions": "read first"},
        {"type": "file", "file_id": files[0]},
        repository,
    ]
    made = session(sdk, resources=mounts)
    strict(made)
    stored, file, code = made.resources
    assert (stored.mount_path, stored.access, stored.name) == (
        "/mnt/memory/notes-lore",
        "read_write",
        "Notes & Lore",
    )
    assert file.mount_path == f"/mnt/session/uploads/{files[0]}" and code.mount_path == "/workspace/tools"
    assert "ghp_secret" not in made.to_json() and code.checkout.name == "main"
    resources = sdk.beta.sessions.resources
    added = resources.add(made.id, type="file", file_id=files[1], mount_path="/data/a.txt")
    strict(added)
    listed = list(resources.list(made.id))
    for found in listed:
        strict(found)
    assert [found.id for found in listed] == [stored.id, file.id, code.id, added.id]
    assert [found.id for found in resources.list(made.id, limit=3)] == [found.id for found in listed]
    assert resources.retrieve(code.id, session_id=made.id).url == repository["url"]
    fresh = resources.update(code.id, session_id=made.id, authorization_token="ghp_another")
    strict(fresh)
    assert fresh.updated_at > fresh.created_at
    strict(resources.delete(file.id, session_id=made.id))
    with pytest.raises(anthropic.NotFoundError):
        resources.retrieve(file.id, session_id=made.id)
    with pytest.raises(anthropic.BadRequestError, match="memory stores"):
        resources.delete(stored.id, session_id=made.id)
    with pytest.raises(anthropic.BadRequestError, match="github_repository"):
        resources.update(added.id, session_id=made.id, authorization_token="x")
    with pytest.raises(anthropic.NotFoundError):
        resources.delete("sesrsc_none", session_id=made.id)


def test_limits_of_what_is_mounted(client: Any, reverie: Reverie) -> None:
    stores = [{"type": "memory_store", "memory_store_id": store(reverie, f"s{n}")} for n in range(9)]
    session(client, resources=stores[:8])
    upload = client.beta.files.upload(file=("a", b"x", "text/plain")).id
    files = [{"type": "file", "file_id": upload, "mount_path": f"/data/{n}"} for n in range(501)]
    full = session(client, resources=files[:500])
    limits: Any = [
        (stores, "at most 8 of type memory_store, this has 9"),
        (files, "at most 500 of type file, this has 501"),
        ([stores[0], stores[0]], "mount_path|memory_store_id"),
        ([files[0], files[0]], "mount_path"),
        ([{**files[0], "mount_path": "relative"}], "an absolute path"),
        ([{**files[0], "mount_path": "/a/../b"}], "an absolute path"),
        ([{**stores[0], "instructions": "x" * 4_097}], "at most 4096 characters"),
        ([{"type": "github_repository", "url": "https://example.com/a/b"}], "github.com/OWNER"),
        ([{"type": "unknown"}], "resources"),
    ]
    for mounts, told in limits:
        with pytest.raises(anthropic.BadRequestError, match=told):
            session(client, resources=mounts)
    with pytest.raises(anthropic.BadRequestError, match="at most 500"):
        client.beta.sessions.resources.add(full.id, type="file", file_id=upload)
    session(client, resources=[{**stores[0], "instructions": "x" * 4_096}])


def test_a_self_hosted_environment_mounts_memory_only(client: Any, reverie: Reverie) -> None:
    place = environment(client, config={"type": "self_hosted"}).id
    upload = client.beta.files.upload(file=("a", b"x", "text/plain")).id
    with pytest.raises(anthropic.BadRequestError, match="memory_store"):
        session(client, environment_id=place, resources=[{"type": "file", "file_id": upload}])
    kept = {"type": "memory_store", "memory_store_id": store(reverie)}
    made = session(client, environment_id=place, resources=[kept], agent=agent(client).id)
    with pytest.raises(anthropic.BadRequestError, match="self-hosted"):
        client.beta.sessions.resources.add(made.id, type="file", file_id=upload)
