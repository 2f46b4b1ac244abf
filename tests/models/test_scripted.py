"""Models that are programs: what a function may say, and what is said when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import ConfigError, ModelFailed, ModelRateLimited
from reverie.domain.messages import (
    AssistantTurn,
    Delta,
    Image,
    Message,
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
from reverie.models.scripted import Scripted, ScriptedModel
from reverie.testing.models import script

CALL = ToolCall("c1", "add", {"a": 1})
HELLO = ModelRequest([UserTurn([Text("hello")])])


def echo(request: ModelRequest) -> str:
    last = request.messages[-1]
    assert isinstance(last, UserTurn)
    return "".join(part.text for part in last.parts if isinstance(part, Text))


async def awaited(request: ModelRequest) -> str:
    await asyncio.sleep(0)
    return "hello"


def yielded(request: ModelRequest) -> Iterator[str | ToolCall]:
    yield "hello"
    yield CALL


async def streamed(request: ModelRequest) -> AsyncIterator[str]:
    yield "hello"


not_a_function = "hello"


def respond(
    says: Any, request: ModelRequest = HELLO, watch: Callable[[Delta], None] | None = None
) -> ModelResponse:
    model = ScriptedModel("scripted:x:y", says if callable(says) else lambda request: says)
    return asyncio.run(model.respond(request, watch))


@pytest.mark.parametrize(
    ("says", "parts"),
    [
        ("hello", [Text("hello")]),
        (CALL, [CALL]),
        (["hello", CALL], [Text("hello"), CALL]),
        ((Thinking("hm"), [Text("hello")]), [Thinking("hm"), Text("hello")]),
        (AssistantTurn([Text("hello")]), [Text("hello")]),
        ([], []),
        (echo, [Text("hello")]),
        (awaited, [Text("hello")]),
        (yielded, [Text("hello"), CALL]),
        (streamed, [Text("hello")]),
    ],
)
def test_a_function_may_say_it_in_many_ways(says: Any, parts: list[Any]) -> None:
    answer = respond(says)
    assert answer.parts == parts
    assert answer.stop == ("tool_use" if CALL in parts else "end_turn")
    assert (answer.model, answer.cost) == ("scripted:x:y", None)


def test_a_response_is_taken_as_it_is_and_an_error_of_ours_goes_through() -> None:
    made = ModelResponse([Text("no")], Usage(1, 2), "refusal", "mine", details={"category": "any"})
    assert respond(made) is made

    def limited(request: ModelRequest) -> str:
        raise ModelRateLimited("slowly", retry_after=2)

    with pytest.raises(ModelRateLimited, match="slowly"):
        respond(limited)


@pytest.mark.parametrize("says", [None, 3, b"bytes", {"text": "hello"}, [["hello", 3]]])
def test_what_is_no_answer_is_said_to_be_none(says: Any) -> None:
    with pytest.raises(
        ModelFailed, match=r"scripted:x:y: the function answered (?s:.*)next: answer with a text"
    ) as caught:
        respond(says)
    assert not caught.value.retryable


def test_a_fault_of_the_function_names_its_line() -> None:
    def broken(request: ModelRequest) -> str:
        return {}["nothing"]

    with pytest.raises(ModelFailed, match=r"raised KeyError: 'nothing' \(test_scripted.py, line \d+\)"):
        respond(broken)


def test_deltas_are_the_words_of_each_part() -> None:
    deltas: list[Delta] = []
    respond([Thinking("let me see"), CALL, "it is  three"], watch=deltas.append)
    assert [(d.part, d.kind, d.text) for d in deltas] == [
        (0, "thinking", "let"), (0, "thinking", " me"), (0, "thinking", " see"),
        (2, "text", "it"), (2, "text", " is"), (2, "text", " "), (2, "text", " three"),
    ]  # fmt: skip


TEXTS = st.text(max_size=30)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    TEXTS.map(SystemTurn),
    st.lists(TEXTS.map(Text) | TEXTS.map(lambda t: ToolResult("c", "t", [Text(t)])), max_size=3).map(
        UserTurn
    ),
    st.lists(
        TEXTS.map(Text) | TEXTS.map(Thinking) | TEXTS.map(lambda t: ToolCall("c", "t", {"t": t})), max_size=3
    ).map(AssistantTurn),
)


@settings(max_examples=60)
@given(st.lists(st.lists(MESSAGES, max_size=4), max_size=6), st.booleans())
def test_a_conversation_counts_the_same_however_it_grew(steps: list[list[Message]], folded: bool) -> None:
    model = ScriptedModel("scripted:x:y", lambda request: "ok")
    said: list[Message] = []
    for step in steps:
        said = [*(said[1:] if folded else said), *step]
        request = ModelRequest(list(said), system="Be brief.", tools=[ToolSpec("add", "Adds.", {})])
        fresh = ScriptedModel("scripted:x:y", lambda request: "ok")
        grown, anew = (asyncio.run(m.respond(request)).usage for m in (model, fresh))
        assert grown == anew


def test_four_characters_are_a_token() -> None:
    parts: list[Any] = [Text("x" * 9), Image("image/png", b"1234"), ToolResult("c", "t", [Text("y" * 8)])]
    request = ModelRequest([UserTurn(parts)], system="z" * 4)
    assert respond("12345", request).usage == Usage(input=-(-25 // 4), output=2)


def test_functions_are_found_in_modules_and_in_files(tmp_path: Path) -> None:
    assert asyncio.run(Scripted().make(f"scripted:{__name__}:echo").respond(HELLO)).parts == [Text("hello")]
    file = tmp_path / "my script.py"
    file.write_text("def reply(request): return 'from a file'\n")
    assert asyncio.run(Scripted().make(f"scripted:{file}:reply").respond(HELLO)).parts == [
        Text("from a file")
    ]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("scripted:any", "which function"),
        ("scripted:", "which function"),
        ("scripted:tests:no-name", "which function"),
        ("scripted:no_such_module:f", "no module 'no_such_module'"),
        ("scripted:reverie.__main__:f", "no module"),
        ("scripted:../up:f", "no module"),
        (f"scripted:{__name__}:nothing", "no function 'nothing'"),
        (f"scripted:{__name__}:not_a_function", "no function 'not_a_function'"),
        ("scripted:/no/such/file.py:f", "no file /no/such/file.py"),
    ],
)
def test_a_name_that_leads_nowhere(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        Scripted().make(name)
    assert caught.value.where == name
    assert caught.value.hint


def test_a_file_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="cannot be loaded: ZeroDivisionError"):
        Scripted().make(f"scripted:{tmp_path}/broken.py:f")


def test_a_script_answers_one_after_the_other() -> None:
    replies = script(["one", CALL, ModelRateLimited("wait"), echo])
    model = ScriptedModel("scripted:x:y", replies)
    assert [asyncio.run(model.respond(HELLO)).parts for _ in range(2)] == [[Text("one")], [CALL]]
    with pytest.raises(ModelRateLimited):
        asyncio.run(model.respond(HELLO))
    assert replies.left == 1
    assert asyncio.run(model.respond(HELLO)).parts == [Text("hello")]
    assert replies.requests == [HELLO] * 4
    with pytest.raises(ModelFailed, match="4 answers, and was asked once more"):
        asyncio.run(model.respond(HELLO))
