"""Our messages and pydantic-ai's: what goes there comes back as it was."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pydantic_ai.messages as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.messages import (
    AssistantTurn,
    Message,
    SystemTurn,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    UserTurn,
)
from reverie.models.translate import answer, conversation

WORDS = st.text(min_size=1, max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)
DETAILS = st.fixed_dictionaries(
    {"signature": WORDS, "provider_name": st.just("anthropic")},
    optional={"id": WORDS, "provider_details": st.dictionaries(WORDS, JSON, min_size=1, max_size=2)},
)
SAID = st.lists(
    st.builds(Text, WORDS)
    | st.builds(Thinking, st.text(max_size=20), DETAILS)
    | st.builds(ToolCall, WORDS, WORDS, st.dictionaries(WORDS, JSON, max_size=3))
    | st.builds(ToolCall, WORDS, WORDS, st.just({}), st.sampled_from(['{"a": 1', "[1]", "null", "text"])),
    min_size=1,
    max_size=5,
    unique_by=lambda part: part.id if isinstance(part, ToolCall) else object(),
)
GIVEN = st.lists(
    st.builds(Text, WORDS)
    | st.builds(ToolResult, WORDS, WORDS, st.lists(st.builds(Text, WORDS), max_size=2), st.booleans()),
    min_size=1,
    max_size=4,
).map(UserTurn)
TURNS: st.SearchStrategy[list[Message]] = st.lists(
    SAID.map(AssistantTurn) | GIVEN | st.builds(SystemTurn, WORDS), max_size=6
)


@settings(max_examples=80)
@given(SAID)
def test_what_a_model_said_goes_back_as_it_came(parts: list[Any]) -> None:
    (there,) = conversation([AssistantTurn(parts)])
    assert isinstance(there, theirs.ModelResponse)
    back = answer(there, "any:model").parts
    assert list(back) == parts
    for part in back:
        if isinstance(part, Thinking):
            json.dumps(dict(part.details))


@settings(max_examples=80)
@given(TURNS)
def test_turns_keep_their_order_and_sides_take_turns(turns: list[Message]) -> None:
    made = conversation(turns)
    assert all(type(a) is not type(b) for a, b in pairwise(made))
    assert [word for message in made for word in _told(message)] == [
        word for turn in turns for word in _meant(turn)
    ]


def _meant(turn: Message) -> list[str]:
    if isinstance(turn, SystemTurn):
        return [turn.text]
    return [_word(part) for part in turn.parts]


def _word(part: Any) -> str:
    return (
        part.call_id if isinstance(part, ToolResult) else part.id if isinstance(part, ToolCall) else part.text
    )


def _told(message: theirs.ModelMessage) -> list[str]:
    words: list[str] = []
    for part in message.parts:
        if isinstance(part, theirs.UserPromptPart):
            words += [item for item in part.content if isinstance(item, str)]
        else:
            words.append(getattr(part, "tool_call_id", None) or getattr(part, "content", ""))
    return words
