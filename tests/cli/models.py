"""Models for these tests: programs that answer."""

from __future__ import annotations

from typing import Any

import msgspec

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn


def caller(request: ModelRequest) -> Any:
    """Calls the tool that it is told of (``name {"argument": value}``), and says what that gave."""
    parts = getattr(request.messages[-1], "parts", ())
    results = [part for part in parts if isinstance(part, ToolResult)]
    if results:
        return "it gave: " + "".join(getattr(each, "text", "") for each in results[0].content)
    task = next(part.text for part in parts if isinstance(part, Text))
    name, _, given = task.partition(" ")
    return [Text("calling"), ToolCall("call", name, msgspec.json.decode(given or "{}"))]


def echo(request: ModelRequest) -> str:
    """Says what it is and what it was told."""
    turns = [message for message in request.messages if isinstance(message, UserTurn)]
    said = [part.text for turn in turns for part in turn.parts if isinstance(part, Text)]
    return " / ".join([request.system.splitlines()[0] if request.system else "–", *said])


def endless(request: ModelRequest) -> Any:
    """Calls a tool that sleeps, for ever."""
    return ToolCall("call", "bash", {"command": "sleep 60"})


def price(article: str) -> str:
    """What an article costs."""
    return f"{article}: 3\neuros"
