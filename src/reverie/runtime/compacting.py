"""Summing a conversation up when it becomes too long for its model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from reverie.domain.events import JsonObject
from reverie.domain.messages import ModelRequest, ModelResponse, Text, ToolSpec, UserTurn
from reverie.runtime.context import ThreadContext

__all__ = ["asking", "summary"]

_ASK: Final = (
    "The conversation is about to be cut here, because it is too long to be kept whole. Write down what is "
    "needed to go on as if it had not been: what was asked for, word for word where the words matter; what "
    "was decided, and why; what was done, with the names of files, commands and results; what failed, and "
    "how it was mended; what is still to be done, and what comes next. Leave out what no longer matters. "
    "Call no tools. Answer with that text alone."
)
_LATEST: Final = "\n\nThe latest that was said to you, word for word:\n\n"
_MOST: Final = 20_000


def asking(
    thread: ThreadContext, system: str, tools: Sequence[ToolSpec], settings: JsonObject
) -> ModelRequest:
    """The request for a summary. The tools stay: a conversation with calls in it is not taken without."""
    messages = list(thread.messages)
    ask = Text(_ASK)
    if messages and isinstance(last := messages[-1], UserTurn):
        messages[-1] = UserTurn([*last.parts, ask])
    else:
        messages.append(UserTurn([ask]))
    return ModelRequest(messages, system, tools, settings)


def summary(thread: ThreadContext, response: ModelResponse) -> str:
    """What stands in the place of the conversation: the model's summary, and the latest words of a person."""
    told = "".join(part.text for part in response.parts if isinstance(part, Text)).strip()
    last = thread.messages[-1] if thread.messages else None
    if isinstance(last, UserTurn):
        words = "\n\n".join(part.text for part in last.parts if isinstance(part, Text))
        if words:
            told += _LATEST + words[:_MOST]
    return told
