"""Models for tests of teams: a lead that hands out work, and specialists that do it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn


def _texts(request: ModelRequest) -> list[str]:
    parts = [part for turn in request.messages if isinstance(turn, UserTurn) for part in turn.parts]
    return [part.text for part in parts if isinstance(part, Text)]


def _results(request: ModelRequest) -> list[str]:
    last = request.messages[-1]
    parts = last.parts if isinstance(last, UserTurn) else ()
    return ["".join(getattr(each, "text", "") for each in part.content) for part in parts
            if isinstance(part, ToolResult)]  # fmt: skip


def lead(request: ModelRequest) -> Any:
    """Asks the specialist "reader" to read what it was asked, waits, and tells what that found; whatever is said to
    it after that it says again."""
    results = _results(request)
    if not results and len(request.messages) > 1:
        return "They say: " + _texts(request)[-1]
    if not results:
        return ToolCall("ask", "send_to_agent", {"agent": "reader", "message": _texts(request)[0]})
    if len(request.messages) == 3:
        return ToolCall("wait", "wait_for_agents", {})
    return "They say: " + results[0]


def reducer(request: ModelRequest) -> str:
    """A lead that is only asked to make something of results."""
    return "All in all: " + _texts(request)[-1]


def reader(request: ModelRequest) -> str:
    """A specialist: says back what it was told, in capitals."""
    return _texts(request)[-1].upper()


def failing(request: ModelRequest) -> str:
    """A specialist that fails where it is told to."""
    told = _texts(request)[-1]
    if "fail" in told:
        raise ValueError("it was told to fail")
    return f"done: {told.splitlines()[0]}"


async def hanging(request: ModelRequest) -> str:
    """A specialist that never comes back."""
    await asyncio.Event().wait()
    return "never"


def pricing(request: ModelRequest) -> Any:
    """A specialist that calls the function `price`."""
    return _results(request)[0] if _results(request) else ToolCall("call", "price", {"article": "tea"})


def counted(request: ModelRequest) -> str:
    """Writes a line into the file that it is told of first, and hangs no one."""
    place, _, word = _texts(request)[-1].splitlines()[0].partition(" ")
    with Path(place).open("a") as file:
        file.write(word + "\n")
    return word


def flaky(request: ModelRequest) -> str:
    """A specialist that fails the first time; the file that it is told of remembers."""
    place = Path(_texts(request)[-1].splitlines()[0])
    if not place.exists():
        place.touch()
        raise ValueError("not yet")
    return "now"


async def gated(request: ModelRequest) -> str:
    """A specialist that waits until the file that it is told of is there."""
    while not Path(_texts(request)[-1].splitlines()[0]).exists():
        await asyncio.sleep(0.02)
    return "through"
