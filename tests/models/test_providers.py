"""Real requests over HTTP, through pydantic-ai, to a server of our own: both wires, streamed and not."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.models import provider as wire
from tests.models.provider import Provider, Says, serving

from reverie.domain import errors
from reverie.domain.messages import (
    AssistantTurn,
    Delta,
    Document,
    Image,
    ModelRequest,
    ModelResponse,
    SystemTurn,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
    UserTurn,
)
from reverie.models.providers import Providers
from reverie.models.wire import Patience

ADD = ToolSpec(
    "add", "Adds.", {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
)
HELLO = ModelRequest([UserTurn([Text("hello")])])
PNG = b"\x89PNG\r\n\x1a\n0"

Ask: TypeAlias = Callable[..., ModelResponse]


class Asked:
    """One model, asked again and again; what it streamed is in ``deltas``."""

    def __init__(
        self, name: str, provider: Provider, streamed: bool, patience: Patience | None = None
    ) -> None:
        self.provider = provider
        self.streamed = streamed
        self.deltas: list[Delta] = []
        self.runner = asyncio.Runner()
        self.model = Providers(patience).make(name)

    def __call__(self, request: ModelRequest = HELLO) -> ModelResponse:
        asking = self.model.respond(request, self.deltas.append if self.streamed else None)
        return self.runner.run(asyncio.wait_for(asking, 8))  # nothing here may take so long

    def close(self) -> None:
        self.runner.run(self.model.aclose())
        self.runner.close()

    @property
    def body(self) -> dict[str, Any]:
        return self.provider.requests[-1].body


WIRES = {
    "anthropic": "anthropic:claude-haiku-4-5",
    "openai": "openai:gpt-5",
    "responses": "openai-responses:gpt-5",
    "url": "openai-compatible:qwen3@{url}",
}


WAYS = [f"{name}-{how}" for name, how in itertools.product(WIRES, ("streamed", "whole"))][:-1]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """Which wire, and whether it is streamed."""
    name, _, how = request.param.partition("-")
    return name, how == "streamed"


@pytest.fixture
def asked(
    way: tuple[str, bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Asked]]:
    """``asked(script)``: a model behind a server that says what the script says."""
    monkeypatch.setenv(
        "SSL_CERT_DIR", str(tmp_path)
    )  # nothing here is TLS, and reading all authorities takes time
    with ExitStack() as stack:

        def start(script: Any, patience: Patience | None = None) -> Asked:
            provider = stack.enter_context(serving(script))
            for name, value in provider.variables.items():
                monkeypatch.setenv(name, value)
            made = Asked(WIRES[way[0]].format(url=provider.url), provider, way[1], patience)
            stack.callback(made.close)
            return made

        yield start


streamed = pytest.mark.parametrize("way", [each for each in WAYS if each.endswith("streamed")], indirect=True)


# ---------------------------------------------------------------------- answers


def test_text_usage_and_cost(asked: Callable[..., Asked], way: tuple[str, bool]) -> None:
    used = Usage(input=1000, output=200, cache_read=3000)
    ask = asked([Says(["Hello, you there."], usage=used)])
    answer = ask()
    assert answer.parts == [Text("Hello, you there.")]
    assert (answer.stop, answer.usage, dict(answer.details)) == ("end_turn", used, {})
    # $1 a million in, $5 out, $0.10 from the cache; $1.25, $10 and $0.125
    prices = {"anthropic": Decimal("0.23"), "url": None}
    price = prices.get(way[0], Decimal("0.3625"))
    assert answer.cost == price
    assert ask.model.priced == (price is not None)
    assert ask.model.context_tokens == {"anthropic": 200_000, "url": None}.get(way[0], 400_000)
    assert answer.model == WIRES[way[0]].partition(":")[2].partition("@")[0]


def test_a_stream_tells_the_parts_as_they_come(asked: Callable[..., Asked]) -> None:
    parts = [
        Thinking("First I think."),
        Text("Then I speak."),
        ToolCall("c1", "add", {"a": 1}),
        ToolCall("c2", "add", {"a": 2}),
    ]
    ask = asked([parts])
    answer = ask(ModelRequest(HELLO.messages, tools=[ADD]))
    assert [type(part) for part in answer.parts] == [Thinking, Text, ToolCall, ToolCall]
    assert answer.stop == "tool_use"
    assert [part.input for part in answer.parts if isinstance(part, ToolCall)] == [{"a": 1}, {"a": 2}]
    told: dict[int, str] = {}
    for delta in ask.deltas:
        told[delta.part] = told.get(delta.part, "") + delta.text
        assert delta.kind == ("thinking" if delta.part == 0 else "text")
    assert told == ({0: "First I think.", 1: "Then I speak."} if ask.streamed else {})
    assert len(ask.deltas) == (6 if ask.streamed else 0)


def test_what_was_thought_called_and_given_goes_back_as_it_came(
    asked: Callable[..., Asked], way: tuple[str, bool]
) -> None:
    first = [Thinking("Adding."), ToolCall("toolu_1", "add", {"a": 1}), ToolCall("toolu_2", "add", {"a": 2})]
    ask = asked([first, "Done."])
    said = ask(ModelRequest(HELLO.messages, tools=[ADD]))
    results = [
        ToolResult("toolu_2", "add", [Text("no such number")], is_error=True),
        ToolResult("toolu_1", "add", [Text("3")]),
    ]
    assert isinstance(said.parts[0], Thinking)
    json.dumps(said.parts[0].details)  # it is kept in a log
    ask(ModelRequest([*HELLO.messages, AssistantTurn(said.parts), UserTurn(results)], tools=[ADD]))
    if way[0] == "responses":
        _, thought, *calls = ask.body["input"]
        summary = [{"type": "summary_text", "text": "Adding."}]
        assert (thought["summary"], thought["encrypted_content"]) == (summary, "c2lnbmVk")
        assert ask.body["store"] is False
        assert [(item["type"], item["call_id"]) for item in calls] == [
            ("function_call", "toolu_1"),
            ("function_call", "toolu_2"),
            ("function_call_output", "toolu_1"),
            ("function_call_output", "toolu_2"),
        ]
        return
    _, assistant, *given = ask.body["messages"]
    if way[0] == "anthropic":
        assert assistant["content"] == [
            {"type": "thinking", "thinking": "Adding.", "signature": "c2lnbmVk"},
            {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1}},
            {"type": "tool_use", "id": "toolu_2", "name": "add", "input": {"a": 2}},
        ]
        assert [(r["tool_use_id"], r["is_error"]) for r in given[0]["content"]] == [
            ("toolu_1", False),
            ("toolu_2", True),
        ]
    else:
        assert assistant["reasoning_content"] == "Adding."
        assert [call["id"] for call in assistant["tool_calls"]] == ["toolu_1", "toolu_2"]
        assert [(r["tool_call_id"], r["content"]) for r in given] == [
            ("toolu_1", "3"),
            ("toolu_2", '{"error":"no such number"}'),  # this wire has no field that says so
        ]


def test_a_thought_signed_by_one_provider_is_not_sent_to_another(asked: Callable[..., Asked]) -> None:
    ask = asked(["Well."])
    foreign = Thinking("Between us.", {"signature": "c2VjcmV0", "provider_name": "somebody-else"})
    ask(ModelRequest([*HELLO.messages, AssistantTurn([foreign, Text("Hm.")]), *HELLO.messages]))
    assert "c2VjcmV0" not in json.dumps(ask.body)


def test_system_turns_images_and_documents(asked: Callable[..., Asked], way: tuple[str, bool]) -> None:
    ask = asked(["Seen.", "Read."])
    shown = UserTurn(
        [Text("Look."), Image("image/png", PNG), Image("image/png", url="https://example.org/a.png")]
    )
    ask(
        ModelRequest(
            [shown, AssistantTurn([Text("Yes.")]), SystemTurn("The desk is closed."), *HELLO.messages],
            system="Be brief.",
        )
    )
    sent = json.dumps(ask.body)
    for text in ("Be brief.", "The desk is closed.", "iVBORw0KGgow", "https://example.org/a.png"):
        assert text in sent
    assert sent.index("Yes.") < sent.index("The desk is closed.")
    papers = [
        Document("text/plain", b"Rent is due.\xff", title="Lease"),
        Document("application/pdf", b"%PDF-1.4", title="Deed"),
    ]
    ask(ModelRequest([UserTurn(papers)]))
    sent = json.dumps(ask.body)
    assert "Rent is due." in sent or "UmVudCBpcyBkdWUu" in sent  # in base64
    assert "Lease" in sent and "Deed" in sent and "JVBERi0xLjQ=" in sent


def test_settings_tools_and_the_tool_that_must_be_called(
    asked: Callable[..., Asked], way: tuple[str, bool]
) -> None:
    ask = asked(["a", ToolCall("c", "add", {"a": 1})])
    settings = {"max_tokens": 5000, "effort": "high", "temperature": 0.5, "speed": "fast", "colour": "red"}
    ask(ModelRequest(HELLO.messages, system="Be brief.", tools=[ADD], settings=settings))
    body = ask.body
    assert "colour" not in json.dumps(body)
    if way[0] == "anthropic":
        assert (body["max_tokens"], body["thinking"]["type"]) == (5000, "enabled")
        assert body["tools"][0]["input_schema"] == ADD.input_schema
        assert "ephemeral" in json.dumps(body["system"])  # the prompt's cache is on
    else:
        limit = {"openai": "max_completion_tokens", "responses": "max_output_tokens", "url": "max_tokens"}[
            way[0]
        ]
        assert body[limit] == 5000
        tool = body["tools"][0]
        assert tool.get("function", tool)["parameters"] == ADD.input_schema
        effort = body.get("reasoning", {}).get("effort", body.get("reasoning_effort"))
        assert effort == (None if way[0] == "url" else "high")
        assert body.get("temperature") == (0.5 if way[0] == "url" else None)
    answer = ask(
        ModelRequest(HELLO.messages, tools=[ADD, ToolSpec("sub", "", {"type": "object"})], tool_choice="add")
    )
    assert answer.stop == "tool_use"
    assert "add" in json.dumps(ask.body["tool_choice"])


def test_the_ends_of_answers(asked: Callable[..., Asked], way: tuple[str, bool]) -> None:
    ask = asked([Says(["So it goes on and"], stop="max_tokens"), wire.Refuses("bio"), Says([])])
    assert ask().stop == "max_tokens"
    refused = ask()
    assert refused.stop == "refusal"
    assert dict(refused.details) == {
        "category": "bio" if way[0] == "anthropic" else "unspecified",
        "explanation": "not this",
    }
    nothing = ask()
    assert (nothing.parts, nothing.stop) == ([], "end_turn")


def test_arguments_that_are_no_json_object_are_kept_as_they_are(
    asked: Callable[..., Asked], way: tuple[str, bool]
) -> None:
    if way == ("anthropic", False):
        return  # its answers in one piece carry objects only
    ask = asked([[ToolCall("c1", "add", {}, '{"a": 1'), ToolCall("c2", "add", {}, "[1]")], "Sorry."])
    said = ask(ModelRequest(HELLO.messages, tools=[ADD]))
    calls = [part for part in said.parts if isinstance(part, ToolCall)]
    assert [(call.input, call.garbled) for call in calls] == [({}, '{"a": 1'), ({}, "[1]")]
    told = [ToolResult(call.id, "add", [Text("no JSON")], is_error=True) for call in calls]
    assert (
        ask(ModelRequest([*HELLO.messages, AssistantTurn(calls), UserTurn(told)], tools=[ADD])).stop
        == "end_turn"
    )


def test_calls_of_one_answer_have_ids_of_their_own(asked: Callable[..., Asked]) -> None:
    ask = asked([[ToolCall("call_0", "add", {"a": 1}), ToolCall("call_0", "add", {"a": 2})]])
    calls = [part for part in ask().parts if isinstance(part, ToolCall)]
    assert [call.input for call in calls] == [{"a": 1}, {"a": 2}]
    assert len({call.id for call in calls}) == 2


# ---------------------------------------------------------------------- faults

FAULTS: dict[str, tuple[Any, type[errors.ModelFailed], bool]] = {
    "rate limit": (wire.Fails(429, retry_after=7), errors.ModelRateLimited, True),
    "overloaded": (wire.Fails(529, "Overloaded"), errors.ModelOverloaded, True),
    "unavailable": (wire.Fails(503), errors.ModelOverloaded, True),
    "broken": (wire.Fails(500), errors.ModelFailed, True),
    "gateway": (wire.Fails(502), errors.ModelFailed, True),
    "bad request": (wire.Fails(400, "messages: field required"), errors.ModelRefusedRequest, False),
    "bad key": (wire.Fails(401, "invalid x-api-key"), errors.ModelRefusedRequest, False),
    "forbidden": (wire.Fails(403), errors.ModelRefusedRequest, False),
    "no such model": (wire.Fails(404, "model: nothing"), errors.ModelRefusedRequest, False),
    "unprocessable": (wire.Fails(422), errors.ModelRefusedRequest, False),
    "unpaid": (wire.Fails(402, "add credit"), errors.ModelBilling, False),
    "too long": (wire.TooLong(), errors.ContextTooLong, False),
    "too large": (wire.Fails(413, "request exceeds the maximum size"), errors.ContextTooLong, False),
    "too long, in other words": (
        wire.Fails(400, "the request exceeds the available context size"),
        errors.ContextTooLong,
        False,
    ),
    "garbage": (wire.Garbage(), errors.ModelFailed, True),
    "a page": (wire.Garbage(b"<html>Bad Gateway</html>"), errors.ModelFailed, True),
    "not the shape": (wire.Garbage(b'{"hello": 1}'), errors.ModelFailed, True),
    "cut": (wire.Cuts("word " * 400, after=600), errors.ModelFailed, True),
    "cut, though it looks whole": (wire.Cuts("word " * 400, after=600, clean=True), errors.ModelFailed, True),
    "huge": (wire.Huge(), errors.ModelFailed, True),
    "hang": (wire.Hangs(), errors.ModelFailed, True),
    "silence": (wire.Hangs(headers=False), errors.ModelFailed, True),
    "compressed": (wire.Zips("x" * 9), errors.ModelFailed, True),
}


def _tried() -> Iterator[tuple[str, str]]:
    """Each fault on each wire; streamed too, where there is a stream (a status comes before)."""
    for (name, (said, _, _)), each in itertools.product(FAULTS.items(), WAYS):
        alike = isinstance(said, wire.Fails) and name != "rate limit"
        if not (each.startswith("url") or (alike and each.endswith("streamed"))):
            yield name, each


@pytest.mark.parametrize(("fault", "way"), list(_tried()), indirect=["way"])
def test_each_fault_is_its_error(asked: Callable[..., Asked], fault: str) -> None:
    said, kind, retryable = FAULTS[fault]
    ask = asked([said, "Here again."], Patience(silence_s=0.3, whole_s=0.3))
    with pytest.raises(errors.ModelFailed) as caught:
        ask()
    assert type(caught.value) is kind
    assert caught.value.retryable is retryable
    assert caught.value.retry_after == (7 if fault == "rate limit" else None)
    assert caught.value.where == ask.model.name
    assert len(caught.value.what) <= 500
    assert len(ask.provider.requests) == 1, "asking again is the runtime's business"
    assert ask().parts == [Text("Here again.")], "the model is as good as before"


UNSENDABLE: dict[str, ModelRequest] = {
    "half a character": ModelRequest([UserTurn([Text("a\ud800b")])]),
    "a tool that is not there": ModelRequest(HELLO.messages, tools=[ADD], tool_choice="subtract"),
}


@pytest.mark.parametrize("what", UNSENDABLE)
def test_what_cannot_be_sent_is_refused_and_not_tried_again(asked: Callable[..., Asked], what: str) -> None:
    ask = asked(["Here again."])
    with pytest.raises(errors.ModelRefusedRequest) as caught:
        ask(UNSENDABLE[what])
    assert not caught.value.retryable
    assert not ask.provider.requests
    assert ask().parts == [Text("Here again.")]


def test_files_that_a_tool_gave(asked: Callable[..., Asked], way: tuple[str, bool]) -> None:
    ask = asked(["Seen."] * 2)
    called = AssistantTurn([ToolCall("c1", "look", {})])
    given = [Text("a picture"), Image("image/png", PNG)]
    ask(ModelRequest([*HELLO.messages, called, UserTurn([ToolResult("c1", "look", given)])]))
    sent = json.dumps(ask.body)
    assert "a picture" in sent and "iVBORw0KGgow" in sent
    zipped = ToolResult("c1", "unpack", [Document("application/zip", b"PK")])
    if way[0] == "anthropic":  # others are sent it, and may say no themselves
        with pytest.raises(errors.ModelRefusedRequest, match="application/zip"):
            ask(ModelRequest([*HELLO.messages, called, UserTurn([zipped])]))


@streamed
def test_an_error_in_the_middle_of_a_stream(asked: Callable[..., Asked], way: tuple[str, bool]) -> None:
    overloaded = wire.Fails(529, "Overloaded", type="overloaded_error", code="server_is_overloaded")
    ask = asked(
        [wire.Breaks("word " * 9, overloaded), wire.Breaks("word", wire.Fails(500, type="server_error"))]
    )
    with pytest.raises(errors.ModelOverloaded):
        ask()
    with pytest.raises(errors.ModelFailed):
        ask()


@streamed
def test_a_drip_ends_when_all_of_it_took_too_long(asked: Callable[..., Asked], way: tuple[str, bool]) -> None:
    ask = asked([wire.Drips(["word"] * 500, every=0.02)], Patience(longest_s=0.4))
    with pytest.raises(errors.ModelFailed, match="no answer in time"):
        ask()


def test_an_answer_may_have_so_many_bytes(asked: Callable[..., Asked]) -> None:
    ask = asked([["many words " * 5] * 200], Patience(most_body=5_000))
    with pytest.raises(errors.ModelFailed, match="more than 5,000 bytes"):
        ask()


@streamed
def test_a_line_may_have_so_many_bytes(asked: Callable[..., Asked]) -> None:
    ask = asked([wire.Huge(1 << 20)], Patience(most_line=100_000))
    with pytest.raises(errors.ModelFailed, match="a line of the answer has more than 100,000 bytes"):
        ask()


def test_many_ask_at_a_time_and_from_any_event_loop(asked: Callable[..., Asked]) -> None:
    ask = asked(
        lambda request: json.dumps(request.body["messages" if "messages" in request.body else "input"])
    )

    async def many() -> None:
        try:
            said = [ModelRequest([UserTurn([Text(f"<{number}>")])]) for number in range(20)]
            answers = await asyncio.gather(*(ask.model.respond(request) for request in said))
            for number, answer in enumerate(answers):
                assert f"<{number}>" in str(answer.parts)
        finally:
            await ask.model.aclose()

    asyncio.run(many())
    asyncio.run(many())
    ask.runner.run(many())


def test_nobody_listens(asked: Callable[..., Asked]) -> None:
    with serving([]) as gone:
        pass
    ask = asked([])
    nobody = Providers().make(f"openai-compatible:any@{gone.url}")
    with pytest.raises(errors.ModelFailed, match="the connection broke") as caught:
        ask.runner.run(nobody.respond(HELLO))
    assert caught.value.retryable


@streamed
def test_who_watches_may_fail_and_the_error_is_theirs(
    asked: Callable[..., Asked], way: tuple[str, bool]
) -> None:
    ask = asked(["Hello there.", "And again."])

    def watch(delta: Delta) -> None:
        raise LookupError(delta.text)

    with pytest.raises(LookupError, match="Hel"):
        ask.runner.run(ask.model.respond(HELLO, watch))
    assert ask().parts == [Text("And again.")]


def test_whoever_stops_waiting_hangs_up(asked: Callable[..., Asked]) -> None:
    ask = asked([wire.Hangs()])

    async def leave() -> None:
        asking = asyncio.ensure_future(ask.model.respond(HELLO, ask.deltas.append if ask.streamed else None))
        while not ask.provider.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while not ask.provider.gone:
            await asyncio.sleep(0.01)

    ask.runner.run(asyncio.wait_for(leave(), 10))
