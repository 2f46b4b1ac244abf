"""Bad input, each with an event or an error of its own that says what is wrong; the session stays usable."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from tests.runtime.houses import Answers, House, Probe, answer, built_in, calls, custom, results

from reverie.domain.errors import Invalid
from reverie.domain.events import Event
from reverie.domain.messages import Text, ToolCall
from reverie.models.providers import Providers
from reverie.plugins import Output
from reverie.runtime import hands
from reverie.storage.database import Database
from reverie.workspace import Workspace


def told(events: list[Event]) -> list[Any]:
    return [event.payload["error"] for event in events if event.type == "session.error"]


def still_works(house: House, session: str) -> None:
    house.models_here = {**house.models_here, "scripted:it": Answers("Still here.")}
    runtime: Any = house._runtime
    runtime._plugs = None
    events = house.turn(session, "are you there?")
    assert house.stop(session) == {"type": "end_turn"}, told(events)


# ---------------------------------------------------------------------- models


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("opanai:gpt-5", "did you mean openai"),
        ("openai-compatible:qwen3", "does not say which model is where"),
    ],
)
def test_a_model_that_cannot_be_had(
    house: House, name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)

    class Made(dict[str, Any]):
        def __contains__(self, id: object) -> bool:
            return True

        def __getitem__(self, id: str) -> Any:
            return Providers().make(id)

    house.models_here = Made()
    session = house.begin(agent={"model": name})
    (error,) = told(house.turn(session))
    assert words in error["message"] and error["retry_status"] == {"type": "exhausted"}
    assert house.stop(session) == {"type": "retries_exhausted"}
    events = house.turn(session, "again")
    assert len(told(events)) == 1, "it takes the next message, and says so again"


# ---------------------------------------------------------------------- tools


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"n": {"type": "whole number"}}},
        {"type": "object", "properties": {"n": {"pattern": "("}}},
        {"type": "object", "required": "n"},
        {"type": "array"},
    ],
)
def test_a_schema_that_is_none_makes_no_agent(house: House, schema: Any) -> None:
    with pytest.raises(Invalid, match="input_schema"):
        house.begin(Answers("unused"), tools=[{**custom(), "input_schema": schema}])
    session = house.begin(Answers("Yes."), tools=[custom()])
    with pytest.raises(Invalid, match="input_schema"):
        house.sessions.update(session, {"agent": {"tools": [{**custom(), "input_schema": schema}]}})
    house.turn(session)


def test_arguments_that_do_not_fit_come_back_to_the_model(house: House) -> None:
    probe = Probe()
    house.tools_here = [probe]
    answers = Answers(
        [ToolCall("a", "probe", {"n": "one"}), ToolCall("b", "ask_client", {})], "I see.", "Yes."
    )
    session = house.begin(answers, tools=[built_in(), custom()])
    house.turn(session)
    first, second = results(answers.requests[1])
    assert first.is_error and "`n`" in first.content[0].text and not probe.made
    assert second.is_error and "the field `n` is missing" in second.content[0].text
    assert house.stop(session) == {"type": "end_turn"}


async def _raises(input: Any) -> Any:
    raise RuntimeError("it broke")


async def _huge(input: Any) -> Any:
    return "x" * 50_000_000


async def _odd(input: Any) -> Any:
    return Output([Text("\ud800 \x00 and more")])


@pytest.mark.parametrize(
    ("does", "words"), [(_raises, "RuntimeError: it broke"), (_huge, "x"), (_odd, "and more")]
)
@pytest.mark.parametrize("where", ["built in", "custom"])
def test_a_tool_that_misbehaves(house: House, does: Any, words: str, where: str) -> None:
    name = "probe" if where == "built in" else "ask_client"
    answers = Answers(answer(ToolCall("a", name, {"n": 1}), stop="tool_use"), "I see.")
    house.tools_here = [Probe(does=does)]
    session = house.begin(answers, tools=[built_in(), custom()])

    async def here(input: Any) -> Output:
        gave = await does(input)
        return gave if isinstance(gave, Output) else Output([Text(gave)])

    house.handle(session, {"ask_client": here})
    events = house.turn(session)
    (result,) = results(answers.requests[1])
    text = "".join(part.text for part in result.content)
    assert words in text and len(text) < 110_000, text[:300]
    assert house.stop(session) == {"type": "end_turn"}, told(events)
    still_works(house, session)


def test_a_tool_that_never_returns_has_an_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "MAX_SECONDS", 0.2)
    ended = threading.Event()

    async def never(input: Any) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return "never"

    house.tools_here = [Probe(does=never)]
    answers = Answers(calls("probe", n=1), "I see.")
    session = house.begin(answers, tools=[built_in()])
    house.turn(session)
    (result,) = results(answers.requests[1])
    assert result.is_error and "did not end within" in result.content[0].text and ended.wait(5)
    still_works(house, session)


# ---------------------------------------------------------------------- MCP servers that die


@contextmanager
def mcp_server(port: int = 0) -> Iterator[tuple[int, Any]]:
    """A real one, in a thread; gives its port, and what ends it at once."""
    from mcp.server import MCPServer

    server = MCPServer("docs")

    @server.tool()
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return str(a + b)

    with running(server, port) as (at, stop):
        yield at, stop


@contextmanager
def running(server: Any, port: int) -> Iterator[tuple[int, Any]]:
    config = uvicorn.Config(
        server.streamable_http_app(), port=port, log_level="error", timeout_graceful_shutdown=0
    )
    served = uvicorn.Server(config)
    loop = asyncio.new_event_loop()

    def run() -> None:
        asyncio.set_event_loop(loop)
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(served.serve())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not served.started:
        threading.Event().wait(0.01)
    at = served.servers[0].sockets[0].getsockname()[1]

    def stop() -> None:
        served.should_exit = served.force_exit = True
        thread.join(10)

    try:
        yield at, stop
    finally:
        stop()


def _connected(sqlite_url: str) -> House:
    """A house whose links to MCP servers are the product's own, and may go to this machine."""

    class Linked(House):
        mcp = Workspace.mcp
        pinned = Workspace.pinned

    house = Linked(Database.open(sqlite_url), allow=["127.0.0.1"])
    house.models_here, house.tools_here, house.servers, house.slept, house.pins = {}, [], {}, [], {}
    house.attend()
    return house


def _toolset(port: int) -> dict[str, Any]:
    return {
        "mcp_servers": [{"type": "url", "name": "docs", "url": f"http://127.0.0.1:{port}/mcp"}],
        "tools": [
            {
                "type": "mcp_toolset",
                "mcp_server_name": "docs",
                "default_config": {"enabled": True, "permission_policy": {"type": "always_allow"}},
            }
        ],
    }


def test_an_mcp_server_that_dies_in_between(sqlite_url: str) -> None:
    def named(request: Any) -> Any:
        (spec,) = request.tools
        return ToolCall("c", spec.name, {"a": 1, "b": 2})

    with _connected(sqlite_url) as house, mcp_server() as (port, stop):
        answers = Answers(named, lambda request: (stop(), named(request))[1], "I see.", "Yes.")
        session = house.begin(answers, agent=_toolset(port))
        house.turn(session)
        first, second = results(answers.requests[2])
        assert first.content[0].text == "3" and not first.is_error
        assert second.is_error and "docs" in second.content[0].text, second
        assert house.stop(session) == {"type": "end_turn"}
        events = house.turn(session, "and without it?")
        assert house.stop(session) == {"type": "end_turn"}
        (error,) = told(events)
        assert error["type"].startswith("mcp_") and error["mcp_server_name"] == "docs"
        with mcp_server(port):
            answers.answers = [named, "It is back."]
            assert not told(house.turn(session, "and now?"))
            assert results(answers.requests[-1])[-1].content[0].text == "3"


def test_an_mcp_server_that_was_never_there(sqlite_url: str) -> None:
    with mcp_server() as (port, stop):
        stop()
    with _connected(sqlite_url) as house:
        answers = Answers("Without it, then.")
        session = house.begin(answers, agent=_toolset(port))
        (error,) = told(house.turn(session))
        assert error["mcp_server_name"] == "docs" and house.stop(session) == {"type": "end_turn"}
        assert list(answers.requests[0].tools) == []
