"""Agents that really run, through the official SDK: tools in a real sandbox, memory, files, confirmations and
the client's own tools. Only the model is a program."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.sessions import message

import reverie as product
from reverie.app import Reverie
from reverie.domain.errors import SandboxFailed

MODELS = Path(__file__).with_name("running_models.py")
TOOLSET = "agent_toolset_20260401"


@pytest.fixture
def reverie(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reverie]:
    names = ",".join(f"scripted:{MODELS}:{name}" for name in ("clerk", "careful", "asking"))
    monkeypatch.setenv("REVERIE_MODELS", names)
    with product.open(sqlite_url) as house:
        try:
            house.plugs().environment()
        except SandboxFailed as failed:
            pytest.skip(f"no sandbox: {failed}")
        house.attend()
        yield house


def begin(sdk: Any, model: str, *, tools: Any, **more: Any) -> Any:
    agent = sdk.beta.agents.create(name=model, model=f"scripted:{MODELS}:{model}", tools=tools)
    place = sdk.beta.environments.create(name="desk", config={"type": "cloud"})
    return sdk.beta.sessions.create(agent=agent.id, environment_id=place.id, **more)


def until_idle(sdk: Any, made: Any, *events: Any) -> list[Any]:
    """Send, and everything that is streamed until the session rests."""
    found: list[Any] = []
    with sdk.beta.sessions.events.stream(made.id) as stream:
        sdk.beta.sessions.events.send(made.id, events=list(events))
        for event in stream:
            found.append(event)
            if event.type == "session.status_idle":
                break
    return found


def text_of(events: list[Any]) -> list[str]:
    return [block.text for event in events if event.type == "agent.message" for block in event.content]


def test_an_agent_works_with_its_tools_and_its_memory(client: Any, strict: Any) -> None:
    store = client.beta.memory_stores.create(name="lessons", description="How things are done.")
    mounted = {"type": "memory_store", "memory_store_id": store.id, "access": "read_write"}
    made = begin(client, "clerk", tools=[{"type": TOOLSET}], resources=[mounted])
    events = until_idle(client, made, message("count to three"))
    assert not [event for event in events if event.type == "session.error"], events
    assert text_of(events) == ["I count.", "Counted: ['1', '2', '3']"]
    assert events[-1].stop_reason.type == "end_turn"
    for event in client.beta.sessions.events.list(made.id):
        strict(event)
    results = [event for event in events if event.type == "agent.tool_result"]
    assert [result.is_error for result in results] == [False, False], results

    (memory,) = client.beta.memory_stores.memories.list(store.id)
    assert memory.path.endswith("counting.md")
    versions = list(client.beta.memory_stores.memory_versions.list(store.id))
    assert [version.created_by.to_dict() for version in versions] == [
        {"type": "session_actor", "session_id": made.id}
    ]

    (file,) = _until(lambda: list(client.beta.files.list(scope_id=made.id)))
    assert file.filename == "report.txt"
    assert client.beta.files.download(file.id).read() == b"1\n2\n3\n"
    shown = client.beta.sessions.retrieve(made.id)
    assert shown.status == "idle" and shown.usage.output_tokens > 0


@pytest.mark.parametrize("answer", ["allow", "deny"])
def test_a_call_that_needs_a_yes(client: Any, answer: str) -> None:
    ask = {"permission_policy": {"type": "always_ask"}}
    made = begin(client, "careful", tools=[{"type": TOOLSET, "default_config": ask}])
    events = until_idle(client, made, message("go"))
    (call,) = [event for event in events if event.type == "agent.tool_use"]
    assert events[-1].stop_reason.to_dict() == {"type": "requires_action", "event_ids": [call.id]}
    more = {"deny_message": "Not on my machine."} if answer == "deny" else {}
    said = {"type": "user.tool_confirmation", "tool_use_id": call.id, "result": answer, **more}
    (told,) = text_of(until_idle(client, made, said))
    assert told.strip().startswith("It said: allowed" if answer == "allow" else "It said: Not on my machine.")


def test_a_tool_of_the_client(client: Any) -> None:
    schema = {"type": "object", "properties": {"article": {"type": "string"}}, "required": ["article"]}
    tool = {"type": "custom", "name": "price", "description": "What it costs.", "input_schema": schema}
    made = begin(client, "asking", tools=[tool])
    events = until_idle(client, made, message("what is tea?"))
    (call,) = [event for event in events if event.type == "agent.custom_tool_use"]
    assert (call.name, call.input) == ("price", {"article": "tea"})
    content = [{"type": "text", "text": "3 euros"}]
    given = {"type": "user.custom_tool_result", "custom_tool_use_id": call.id, "content": content}
    assert text_of(until_idle(client, made, given)) == ["It costs 3 euros."]


def _until(found: Any) -> Any:
    deadline = time.monotonic() + 10
    while not (it := found()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return it
