"""Agents that a program defines, and the sessions they run: with the real loop, and models that are programs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract import serving

import reverie
from reverie.agents.session import Piece
from reverie.domain.errors import ConfigError, NotFound, UsageError
from reverie.domain.events import Event
from reverie.server.app import build
from reverie.server.settings import Settings

Name = Callable[[str], str]


def price(article: str) -> dict[str, Any]:
    """What an article costs."""
    return {"article": article, "euros": 3}


# ------------------------------------------------------------------ one task


def test_a_dozen_lines_suffice(house: reverie.Reverie, scripted: Name) -> None:
    agent = reverie.Agent(model=scripted("caller"), tools=[price])
    session = agent.run_sync('price {"article": "tea"}', reverie=house)
    assert session.text == '{"article":"tea","euros":3}'
    assert (session.status, session.stop_reason, session.error) == ("idle", "end_turn", None)
    assert session.usage.output_tokens > 0 and session.cost_usd is None
    assert session.outcome.label == "unknown" and session.pending == []
    assert "end_turn" in repr(session)


def test_everything_shows_in_the_log_and_over_the_api(house: reverie.Reverie, scripted: Name) -> None:
    agent = reverie.Agent(name="clerk", model=scripted("caller"), tools=[price], system="Be brief.")
    session = agent.run_sync('price {"article": "tea"}', reverie=house)
    assert [event.id for event in session.events] == [event.id for event in house.log.events(session.id)]
    assert [event.seq for event in session.events] == list(range(1, len(session.events) + 1))
    types = [event.type for event in session.events]
    assert types[:2] == ["user.message", "session.status_running"]
    assert types[-2:] == ["session.usage", "session.status_idle"]
    assert types.index("agent.custom_tool_use") < types.index("user.custom_tool_result")
    body = house.sessions.get(session.id).row.body or {}
    assert body["agent"]["name"] == "clerk" and body["agent"]["system"] == "Be brief."
    assert body["agent"]["tools"][0]["input_schema"]["required"] == ["article"]
    assert body["title"].startswith("price")
    config = house.environments.get(body["environment_id"]).body["config"]
    assert config["networking"] == {
        "type": "limited",
        "allow_mcp_servers": False,
        "allow_package_managers": False,
        "allowed_hosts": [],
    }


def test_the_system_prompt_reaches_the_model(house: reverie.Reverie, scripted: Name) -> None:
    session = reverie.Agent(model=scripted("told"), system="Be brief.").run_sync("?", reverie=house)
    assert session.text.startswith("Be brief.")


def test_events_come_in_their_order_while_it_works(house: reverie.Reverie, scripted: Name) -> None:
    seen: list[Event] = []
    agent = reverie.Agent(model=scripted("caller"), tools=[price])
    session = agent.run_sync('price {"article": "tea"}', reverie=house, on_event=seen.append)
    assert seen == list(session.events)

    async def later() -> None:
        async def note(event: Event) -> None:
            seen.append(event)

        await session.send("thanks {}", on_event=note)

    before = len(seen)
    asyncio.run(later())
    assert seen == list(session.events) and len(seen) > before


def test_a_message_shows_while_it_is_made(house: reverie.Reverie, scripted: Name) -> None:
    async def go() -> None:
        session = await reverie.Agent(model=scripted("slowly")).start("count", reverie=house)
        news = [each async for each in session.stream(pieces=True)]
        pieces = [each for each in news if isinstance(each, Piece)]
        (message,) = (each for each in news if isinstance(each, Event) and each.type == "agent.message")
        assert "".join(piece.text for piece in pieces) == session.text
        assert len(pieces) == 10 and {piece.event_id for piece in pieces} == {message.id}
        assert news.index(pieces[-1]) < news.index(message)

    asyncio.run(go())


def test_many_at_once_on_one_house(house: reverie.Reverie, scripted: Name) -> None:
    agent = reverie.Agent(model=scripted("echo"))

    async def go() -> list[reverie.RunSession]:
        return await asyncio.gather(*(agent.run(f"task {n}", reverie=house) for n in range(8)))

    sessions = asyncio.run(go())
    assert [session.text for session in sessions] == [f"you said: task {n}" for n in range(8)]


def test_two_who_wait_for_one_session_both_see_all_of_it(house: reverie.Reverie, scripted: Name) -> None:
    async def go() -> None:
        session = await reverie.Agent(model=scripted("caller"), tools=[price]).start(
            'price {"article": "tea"}', reverie=house
        )

        async def watched() -> list[int]:
            return [event.seq async for event in session.stream()]

        one, other, _ = await asyncio.gather(watched(), watched(), session.wait())
        assert one == other == [event.seq for event in session.events]
        assert [event async for event in session.stream()] == []

    asyncio.run(go())


# ------------------------------------------------------------------ definitions


def test_an_agent_is_found_again_and_has_a_version_for_each_definition(
    house: reverie.Reverie, scripted: Name
) -> None:
    def run(**changes: Any) -> str:
        agent = reverie.Agent(**{"name": "clerk", "model": scripted("echo"), "tools": [price], **changes})
        session = agent.run_sync("hello", reverie=house)
        told = (house.sessions.get(session.id).row.body or {})["agent"]
        return f"{told['id']}@{told['version']}"

    first = run()
    assert run() == first
    assert run(system="Be brief.") == first.replace("@1", "@2")
    assert run(tools=[]) == first.replace("@1", "@3")
    assert run(name="other").split("@")[0] != first.split("@")[0]
    assert len(house.agents.list()) == 2 and len(house.environments.list()) == 1


def test_an_agent_of_the_same_name_that_was_made_elsewhere_is_left_alone(
    house: reverie.Reverie, scripted: Name
) -> None:
    theirs = house.agents.create({"name": "clerk", "model": "anthropic:some-model"})
    reverie.Agent(name="clerk", model=scripted("echo")).run_sync("hello", reverie=house)
    assert house.agents.get(theirs.id).version == 1
    assert len(house.agents.list()) == 2


def test_memory_stores_are_mounted_and_made_where_they_are_missing(
    house: reverie.Reverie, scripted: Name
) -> None:
    known = house.stores.create("team", actor="test")
    agent = reverie.Agent(model=scripted("echo"), memory={"team": "read_only", "lessons": "read_write"})
    for _ in range(2):
        session = agent.run_sync("hello", reverie=house)
    resources = (house.sessions.get(session.id).row.body or {})["resources"]
    assert [(each["name"], each["access"]) for each in resources] == [
        ("team", "read_only"),
        ("lessons", "read_write"),
    ]
    assert resources[0]["memory_store_id"] == known.id
    assert sorted(store.name for store in house.stores.list()) == ["lessons", "team"]


def test_a_budget_of_tokens_stops_it(house: reverie.Reverie, scripted: Name) -> None:
    agent = reverie.Agent(model=scripted("caller"), tools=[price], max_tokens=5, max_cost_usd=1.001)
    session = agent.run_sync('price {"article": "tea"}', reverie=house)
    assert session.stop_reason == "budget_reached"
    budget = (house.sessions.get(session.id).row.body or {})["budget"]
    assert budget["max_list_cost"] == {"amount": "101", "currency": "USD"}
    with pytest.raises(UsageError, match="budget"):
        asyncio.run(session.send("more"))


def test_a_budget_of_tokens_alone_shows_over_the_api(house: reverie.Reverie, scripted: Name) -> None:
    session = reverie.Agent(model=scripted("echo"), max_tokens=900).run_sync("hello", reverie=house)
    with serving.sync_http(build(house, Settings())) as http:
        shown = http.get(f"/v1/sessions/{session.id}").json()
        events = http.get(f"/v1/sessions/{session.id}/events").json()["data"]
    assert shown["budget"] == {"type": "limit", "max_tokens": "900"}
    assert [event["budget"] for event in events if event["type"] == "session.usage"] == [shown["budget"]]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tools": ["telepathy"]}, "'telepathy' is none of"),
        ({"permissions": "sometimes"}, "'sometimes' is none of"),
        ({"permissions": {"docs": "auto"}}, "'docs' is none of"),
        ({"max_cost_usd": 0}, "more than nothing"),
        ({"max_tokens": -1}, "more than nothing"),
        ({"tools": [lambda: 1]}, "a name of letters"),
    ],
)
def test_a_definition_that_is_wrong_is_refused_at_once(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        reverie.Agent(**given)


def test_what_is_missing_is_said_before_anything_runs(house: reverie.Reverie, scripted: Name) -> None:
    with pytest.raises(ConfigError, match="no model is named"):
        reverie.Agent().run_sync("hello", reverie=house)
    for given in ({"environment": "nowhere"}, {"environment": "env_none"}, {"memory": ["memstore_none"]}):
        with pytest.raises(NotFound):
            reverie.Agent(model=scripted("echo"), **given).run_sync("hello", reverie=house)
    assert house.log.sessions() == []


def test_the_first_configured_model_is_the_default(
    sqlite_url: str, scripted: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVERIE_MODELS", scripted("echo"))
    with reverie.open(sqlite_url) as house:
        assert reverie.Agent().run_sync("hello", reverie=house).text == "you said: hello"


def test_built_in_tools_and_servers_as_the_api_says_them(house: reverie.Reverie, scripted: Name) -> None:
    agent = reverie.Agent(
        model=scripted("echo"),
        tools=["bash", "read"],
        permissions={"bash": "always_ask"},
        mcp_servers={"docs": "https://docs.example/"},
    )
    made = agent.definition.session(house, "title")["agent"]
    tools, served = house.agents.get(made["id"]).body["tools"]
    assert not tools["default_config"]["enabled"]
    assert [
        (each["name"], each["enabled"], each["permission_policy"]["type"]) for each in tools["configs"]
    ] == [
        ("bash", True, "always_ask"),
        ("read", True, "always_allow"),
    ]
    assert served["mcp_server_name"] == "docs"
    assert served["default_config"]["permission_policy"] == {"type": "always_ask"}


# ------------------------------------------------------------------ more than one turn


def test_it_goes_on_from_one_event_loop_to_another(house: reverie.Reverie, scripted: Name) -> None:
    session = reverie.Agent(model=scripted("echo")).run_sync("one", reverie=house)
    assert asyncio.run(session.send("two")) is session
    assert session.text == "you said: two"
    assert asyncio.run(session.send([{"type": "text", "text": "three"}])).text == "you said: three"


def test_what_is_said_while_it_works_waits_for_its_turn(house: reverie.Reverie, scripted: Name) -> None:
    async def go() -> None:
        session = await reverie.Agent(model=scripted("echo")).start("one", reverie=house)
        for word in ("two", "three"):
            await session.send(word, wait=False)
        await session.wait()
        said = [
            event.payload["content"][0]["text"] for event in session.events if event.type == "user.message"
        ]
        assert said == ["one", "two", "three"]
        assert session.text.endswith("three") and session.resting

    asyncio.run(go())


def test_an_interrupt_stops_a_tool_that_works(house: reverie.Reverie, scripted: Name) -> None:
    async def go() -> None:
        began = asyncio.Event()
        stopped: list[bool] = []

        async def forever() -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.append(True)

        session = await reverie.Agent(model=scripted("caller"), tools=[forever]).start(
            "forever", reverie=house
        )
        waiting = asyncio.create_task(session.wait())
        await began.wait()
        await session.interrupt()
        await waiting
        assert (session.status, session.stop_reason) == ("idle", "end_turn")
        assert stopped == [True]
        result = next(event for event in session.events if event.type == "user.custom_tool_result")
        assert result.payload["is_error"]

    asyncio.run(go())


def test_a_deleted_session_ends_a_wait(house: reverie.Reverie, scripted: Name) -> None:
    session = reverie.Agent(model=scripted("echo")).run_sync("one", reverie=house)
    house.sessions.delete(session.id, actor="test")
    with pytest.raises(NotFound):
        asyncio.run(session.wait())


@pytest.mark.parametrize("allow", [True, False])
def test_a_call_that_asks_waits_for_a_yes_or_no(house: reverie.Reverie, scripted: Name, allow: bool) -> None:
    agent = reverie.Agent(model=scripted("caller"), tools=["write"], permissions="always_ask")
    session = agent.run_sync('write {"file_path": "/workspace/a.txt", "content": "hello"}', reverie=house)
    assert session.stop_reason == "requires_action"
    (call,) = session.pending
    assert (call.name, call.waits_for) == ("write", "confirmation")
    asyncio.run(session.confirm(call.id, allow=allow, message=None if allow else "not that file"))
    assert session.stop_reason == "end_turn" and session.pending == []
    result = next(event for event in session.events if event.type == "agent.tool_result")
    assert result.payload["is_error"] is (not allow)
    assert ("not that file" in session.text) is (not allow)


# ------------------------------------------------------------------ other programs, and crashes


def test_a_call_that_nobody_here_answers_waits_and_is_answered_by_whoever_resumes(
    house: reverie.Reverie, scripted: Name
) -> None:
    agent = reverie.Agent(model=scripted("caller"), tools=[price])
    asked = agent.definition.session(house, "title")
    made = house.sessions.create(asked).row.id  # as a client of the API would
    content = [{"type": "text", "text": 'price {"article": "tea"}'}]

    async def go() -> None:
        session = await reverie.resume(made, reverie=house)
        house.sessions.send(made, [{"type": "user.message", "content": content}])
        session = await (await reverie.resume(made, reverie=house)).wait()
        assert session.stop_reason == "requires_action"
        assert [(call.name, call.waits_for) for call in session.pending] == [("price", "custom_result")]
        again = await reverie.resume(made, tools=[price], reverie=house)
        assert await again.answer_pending() is again
        assert again.text == '{"article":"tea","euros":3}'

    asyncio.run(go())


def test_a_result_can_be_given_by_hand(house: reverie.Reverie, scripted: Name) -> None:
    agent = reverie.Agent(model=scripted("caller"), tools=[price])
    made = house.sessions.create(agent.definition.session(house, "title")).row.id

    async def go() -> None:
        session = await reverie.resume(made, reverie=house)
        await session.send('price {"article": "tea"}')
        (call,) = session.pending
        await session.answer(call.id, "sold out", is_error=True)
        assert session.text == "error: sold out"
        with pytest.raises(UsageError):
            await session.answer(call.id, "again")

    asyncio.run(go())


def test_an_imported_session_cannot_be_resumed(house: reverie.Reverie) -> None:
    with house.session("something") as recorder:
        recorder.user("hello")
    with pytest.raises(UsageError, match="imported"):
        asyncio.run(reverie.resume(recorder.id, reverie=house))
    with pytest.raises(NotFound):
        asyncio.run(reverie.resume("sesn_none", reverie=house))


KILLED = """
import os, signal, sys
import reverie

@reverie.tool(repeatable={repeatable})
def deadly() -> str:
    "Kills its own program."
    with open({mark!r}, "a") as mark:
        mark.write("x")
    os.kill(os.getpid(), signal.SIGKILL)

reverie.Agent(model={model!r}, tools=[deadly]).run_sync("deadly", db={db!r})
"""


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_session_goes_on_after_a_kill(tmp_path: Path, scripted: Name, repeatable: bool) -> None:
    """What was cut off is not silently done again, unless it was said that it may be."""
    db, mark = tmp_path / "r.db", tmp_path / "mark"
    program = KILLED.format(repeatable=repeatable, mark=str(mark), model=scripted("caller"), db=str(db))
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    calls: list[int] = []

    @reverie.tool(repeatable=repeatable)
    def deadly() -> str:
        calls.append(os.getpid())
        return "alive"

    async def go(house: reverie.Reverie) -> reverie.RunSession:
        (left,) = house.log.sessions()
        house.models.allow(scripted("caller"))
        return await (await reverie.resume(left.id, tools=[deadly], reverie=house)).wait()

    with reverie.open(db) as house:
        session = asyncio.run(go(house))
    assert session.stop_reason == "end_turn"
    assert mark.read_text() == "x"
    assert (calls, "unknown" in session.text) == ([os.getpid()], False) if repeatable else ([], True)
    assert ("alive" in session.text) is repeatable


def test_a_program_that_opens_no_house_leaves_without_a_word(tmp_path: Path, scripted: Name) -> None:
    program = f"""
import json, reverie
agent = reverie.Agent(model={scripted("echo")!r})
first, second = agent.run_sync("one"), agent.run_sync("two")
print(json.dumps([first.text, second.text, len(first.events)]))
"""
    env = {**os.environ, "REVERIE_DB": str(tmp_path / "r.db"), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, env=env
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)[:2] == ["you said: one", "you said: two"]


def test_functions_run_in_the_thread_of_the_program_that_waits(
    house: reverie.Reverie, scripted: Name
) -> None:
    async def where() -> str:
        return threading.current_thread().name

    agent = reverie.Agent(model=scripted("caller"), tools=[where])
    assert agent.run_sync("where", reverie=house).text == threading.current_thread().name
