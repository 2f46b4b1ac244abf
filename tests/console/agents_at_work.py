"""Models for the console's tests: agents that really work in the served process, slowly enough to be watched."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.runtime.graders import honest

from reverie.domain.messages import AssistantTurn, ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["asker", "broken", "drafter", "judge", "lead", "reader", "slow"]


def _parts(request: ModelRequest, kind: type[Any]) -> list[Any]:
    turns = [turn for turn in request.messages if isinstance(turn, UserTurn)]
    return [part for turn in turns for part in turn.parts if isinstance(part, kind)]


def _turns(request: ModelRequest) -> int:
    return sum(isinstance(message, AssistantTurn) for message in request.messages)


async def slow(request: ModelRequest) -> Any:
    """Counts, a word at a time: as far as it is told to."""
    said, done = _parts(request, Text)[-1].text, len(_parts(request, ToolResult))
    steps = int(said.split()[-1]) if said.split()[-1].isdigit() else 0
    await asyncio.sleep(0.05)
    if done < steps:
        return [Text(f"Step {done + 1} of {steps}."), ToolCall(f"c{done}", "note", {"n": done + 1})]
    return f"Counted to {steps}: <b>done</b>."


def asker(request: ModelRequest) -> Any:
    """Asks its client for a price."""
    given = _parts(request, ToolResult)
    if len(given) < len(_parts(request, Text)):
        return ToolCall("c", "price", {"article": "tea"})
    return f"Tea costs {given[-1].content[0].text}."


def drafter(request: ModelRequest) -> str:
    """Says one thing more each time it is told that something is missing."""
    parts = ("the sums are right", "the sources are named", "the summary is short")
    return f"Draft: {', '.join(parts[: _turns(request) + 1])}."


def lead(request: ModelRequest) -> Any:
    """Makes a plan of four tasks, one of which fails."""
    if not _parts(request, ToolResult):
        tasks = [
            {"id": "read", "agent": "reader", "prompt": "read the papers"},
            {"id": "check", "agent": "reader", "prompt": "check them", "depends_on": ["read"]},
            {"id": "price", "agent": "broken", "prompt": "ask the price", "depends_on": ["read"]},
            {"id": "write", "agent": "reader", "prompt": "write it up", "depends_on": ["check", "price"]},
        ]
        return ToolCall("p", "run_plan", {"name": "papers", "tasks": tasks})
    return "That is all that came of it."


async def reader(request: ModelRequest) -> str:
    """Reports."""
    await asyncio.sleep(0.05)
    return "Read, and nothing was missing."


judge = honest


def broken(request: ModelRequest) -> str:
    """Fails."""
    raise RuntimeError("the price list is lost")
