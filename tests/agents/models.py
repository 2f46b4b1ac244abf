"""Models for these tests: programs that answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn


def _results(request: ModelRequest) -> list[str]:
    last = request.messages[-1]
    parts = last.parts if isinstance(last, UserTurn) else ()
    return [
        ("error: " if part.is_error else "") + "".join(getattr(each, "text", "") for each in part.content)
        for part in parts
        if isinstance(part, ToolResult)
    ]


def _task(request: ModelRequest) -> str:
    """What a person said last."""
    for message in reversed(request.messages):
        if isinstance(message, UserTurn):
            for part in reversed(message.parts):
                if isinstance(part, Text):
                    return part.text
    return ""


def echo(request: ModelRequest) -> str:
    """Says what it was told."""
    return f"you said: {_task(request)}"


def told(request: ModelRequest) -> str:
    """Says its system prompt."""
    return request.system


def caller(request: ModelRequest) -> Any:
    """Calls the tool that it is told of (``name {"argument": value}``), and says what that gave."""
    import msgspec

    if found := _results(request):
        return " & ".join(found)
    name, _, given = _task(request).partition(" ")
    return [
        Text("calling"),
        ToolCall(f"call-{len(request.messages)}", name, msgspec.json.decode(given or "{}")),
    ]


def slowly(request: ModelRequest) -> Iterator[Text]:
    """Says many words."""
    yield Text("one two three four five six seven eight nine ten")
