"""Models for ``test_teams_running``: a lead, specialists that ask their client, and one that never answers."""

from __future__ import annotations

import asyncio
from typing import Any

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["buyer", "hung", "lead", "reader"]


def _parts(request: ModelRequest, kind: type[Any]) -> list[Any]:
    turns = [turn for turn in request.messages if isinstance(turn, UserTurn)]
    return [part for turn in turns for part in turn.parts if isinstance(part, kind)]


def lead(request: ModelRequest) -> Any:
    """Gives each specialist that it is told of a task, and says what came back; ``plan`` makes one of it."""
    texts, done = [part.text for part in _parts(request, Text)], _parts(request, ToolResult)
    names = texts[0].split()
    if not done and names[0] == "plan":
        first = {"id": "first", "agent": names[1], "prompt": "read", "phase": "one"}
        then = {"id": "then", "agent": names[1], "prompt": "read on", "depends_on": ["first"], "phase": "two"}
        return ToolCall("p", "run_plan", {"name": "two", "tasks": [first, then]})
    if not done:
        return [ToolCall(name, "send_to_agent", {"agent": name, "message": "please"}) for name in names]
    if names[0] == "plan":
        return "The plan is done." if "is over: 2 finished" in done[0].content[0].text else "It is not."
    return f"So far: {', '.join(texts[1:]) or 'nothing'}"


def reader(request: ModelRequest) -> str:
    """Reports at once."""
    return "read"


def buyer(request: ModelRequest) -> Any:
    """Asks its client for a price."""
    given = _parts(request, ToolResult)
    if not given:
        return ToolCall("c", "price", {"article": "tea"})
    return f"tea costs {given[0].content[0].text}"


async def hung(request: ModelRequest) -> str:
    """Never answers."""
    await asyncio.Event().wait()
    return "never"
