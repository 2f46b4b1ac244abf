"""Teams that really run, through the official SDK: threads and their streams, what a specialist asks its client,
interrupts, runs of plans. Only the models are programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from tests.contract.sessions import message

import reverie as product
from reverie.app import Reverie

MODELS = Path(__file__).with_name("team_models.py")
SCHEMA = {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]}
PRICE = {"type": "custom", "name": "price", "description": "What it costs.", "input_schema": SCHEMA}


@pytest.fixture
def reverie(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reverie]:
    names = ("lead", "reader", "buyer", "hung")
    monkeypatch.setenv("REVERIE_MODELS", ",".join(f"scripted:{MODELS}:{name}" for name in names))
    with product.open(sqlite_url) as house:
        house.attend()
        yield house


def begin(sdk: Any) -> Any:
    """A session whose agent leads the others."""
    made = [
        sdk.beta.agents.create(
            name=name, model=f"scripted:{MODELS}:{name}", tools=[PRICE] if name == "buyer" else []
        ).id
        for name in ("reader", "buyer", "hung")
    ]
    lead = sdk.beta.agents.create(
        name="lead", model=f"scripted:{MODELS}:lead", multiagent={"type": "coordinator", "agents": made}
    )
    place = sdk.beta.environments.create(name="desk", config={"type": "cloud"})
    return sdk.beta.sessions.create(agent=lead.id, environment_id=place.id)


def until(sdk: Any, made: Any, enough: Callable[[Any], bool], *events: Any) -> list[Any]:
    """Send, and everything that is streamed until then."""
    found: list[Any] = []
    with sdk.beta.sessions.events.stream(made.id) as stream:
        sdk.beta.sessions.events.send(made.id, events=list(events))
        for event in stream:
            found.append(event)
            if enough(event):
                break
    return found


def idle(event: Any) -> bool:
    return event.type == "session.status_idle"


def of(sdk: Any, made: Any, name: str) -> Any:
    """The thread of a specialist."""
    (found,) = [each for each in sdk.beta.sessions.threads.list(made.id) if each.agent.name == name]
    return found


def last_words(sdk: Any, made: Any) -> str:
    told = [event for event in sdk.beta.sessions.events.list(made.id) if event.type == "agent.message"]
    return told[-1].content[0].text


def settled(sdk: Any, made: Any) -> None:
    deadline = time.monotonic() + 10
    while sdk.beta.sessions.retrieve(made.id).status != "idle":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_team_runs_and_its_threads_are_there_to_see(client: Any, strict: Any) -> None:
    made = begin(client)
    events = until(client, made, idle, message("reader"))
    assert last_words(client, made) == "So far: read"
    types = [event.type for event in events]
    for type in ("session.thread_created", "agent.thread_message_sent", "agent.thread_message_received"):
        assert types.count(type) == 1
    for event in client.beta.sessions.events.list(made.id):
        strict(event)
    thread = of(client, made, "reader")
    strict(thread)
    assert thread.status == "idle" and thread.parent_thread_id is not None and thread.usage.output_tokens > 0
    assert client.beta.sessions.threads.retrieve(thread.id, session_id=made.id).id == thread.id
    mine = list(client.beta.sessions.threads.events.list(thread.id, session_id=made.id))
    assert [each.type for each in mine if each.type.startswith("agent.")] == [
        "agent.thread_message_received", "agent.message", "agent.thread_message_sent",
    ]  # fmt: skip
    client.beta.sessions.threads.archive(thread.id, session_id=made.id)
    assert client.beta.sessions.threads.retrieve(thread.id, session_id=made.id).archived_at is not None


def test_what_a_specialist_asks_is_answered_by_the_id_of_its_call(client: Any) -> None:
    made = begin(client)
    events = until(client, made, idle, message("buyer reader"))
    (call,) = [event for event in events if event.type == "agent.custom_tool_use"]
    assert call.session_thread_id == of(client, made, "buyer").id
    while events[-1].stop_reason.type != "requires_action":  # the reader's report came last
        settled(client, made)
        events = [e for e in client.beta.sessions.events.list(made.id) if idle(e)]
    assert events[-1].stop_reason.event_ids == [call.id]
    content = [{"type": "text", "text": "3 euros"}]
    given = {"type": "user.custom_tool_result", "custom_tool_use_id": call.id, "content": content}
    until(client, made, idle, given)
    assert "tea costs 3 euros" in last_words(client, made)


def test_all_are_interrupted_and_one_is(client: Any) -> None:
    made = begin(client)
    until(client, made, lambda e: e.type == "session.thread_status_running", message("hung"))
    at = time.monotonic()
    until(client, made, idle, {"type": "user.interrupt"})
    assert time.monotonic() - at < 5 and of(client, made, "hung").status == "idle"
    other = begin(client)
    resting = lambda e: e.type == "session.thread_status_idle"  # noqa: E731  (the lead's: it waits for nobody)
    until(client, other, resting, message("hung"))
    thread = of(client, other, "hung")
    until(client, other, idle, {"type": "user.interrupt", "session_thread_id": thread.id})
    assert "interrupted by a person" in last_words(client, other)
    with pytest.raises(anthropic.BadRequestError):
        none = {"type": "user.interrupt", "session_thread_id": "sthr_none"}
        client.beta.sessions.events.send(other.id, events=[none])


def test_a_run_of_a_plan_tells_what_the_sdk_knows(client: Any, strict: Any) -> None:
    made = begin(client)
    until(client, made, idle, message("plan reader"))
    assert last_words(client, made) == "The plan is done."
    told = [e for e in client.beta.sessions.events.list(made.id) if e.type.startswith("workflow_run.")]
    for event in told:
        strict(event)
    assert [event.type.removeprefix("workflow_run.") for event in told] == [
        "created", "status_running", "phase_started", "phase_ended", "phase_started", "phase_ended", "status_ended",
    ]  # fmt: skip
    assert told[-1].result.type == "completed"
    assert sum(idle(event) for event in client.beta.sessions.events.list(made.id)) == 1
