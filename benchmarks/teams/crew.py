"""The team that is measured: models that answer at once, and a tool that gives a sentence."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from reverie.domain.messages import ModelRequest, ModelResponse, Text, ToolCall, ToolResult, Usage, UserTurn

__all__ = ["ECHO", "LEAD", "SERIAL", "SPECIALIST", "echo", "lead", "reading", "serial", "specialist"]

LEAD = "scripted:benchmarks.teams.crew:lead"
SERIAL = "scripted:benchmarks.teams.crew:serial"
SPECIALIST = "scripted:benchmarks.teams.crew:specialist"
ECHO = "scripted:benchmarks.teams.crew:echo"


def _results(request: ModelRequest) -> int:
    turns = (turn for turn in request.messages if isinstance(turn, UserTurn))
    return sum(isinstance(part, ToolResult) for turn in turns for part in turn.parts)


def _said(*parts: Any) -> ModelResponse:
    return ModelResponse(parts, Usage(100, 20), "end_turn", "scripted", Decimal("0.01"))


def lead(request: ModelRequest) -> ModelResponse:
    """Gives as many tasks as the system prompt says, waits, and tells how many reports there are."""
    count, done = int(request.system), _results(request)
    if done == 0 and count:
        task = "Read the meters of house"
        calls = [
            ToolCall(f"c{n}", "send_to_agent", {"agent": "specialist", "message": f"{task} {n}."})
            for n in range(count)
        ]
        return _said(*calls)
    if done == count and count:
        return _said(ToolCall("w", "wait_for_agents", {}))
    turns = [turn for turn in request.messages if isinstance(turn, UserTurn)]
    texts = [part.text for turn in turns for part in turn.parts if isinstance(part, Text)]
    return _said(Text(f"{texts.count('Read.')} reports"))


def serial(request: ModelRequest) -> ModelResponse:
    """Gives one task after the other, as many as the system prompt says, each when the one before is done."""
    done = _results(request)
    if done == 2 * int(request.system):
        return _said(Text("Done."))
    if done % 2:
        return _said(ToolCall(f"w{done}", "wait_for_agents", {}))
    return _said(ToolCall(f"c{done}", "send_to_agent", {"agent": "specialist", "message": "Read."}))


def specialist(request: ModelRequest) -> ModelResponse:
    """Calls the tool as often as the system prompt says."""
    done = _results(request)
    if done < int(request.system):
        return _said(ToolCall(f"c{done}", "reading", {"meter": done}))
    return _said(Text("Read."))


def echo(request: ModelRequest) -> ModelResponse:
    """Says something of what it was given, at once."""
    return _said(Text("Nothing to report: the build has passed."))


async def reading(meter: int) -> str:
    """What a meter shows.

    Args:
        meter: Its number.
    """
    return f"Meter {meter} shows 230 V, 50 Hz, and nothing that anybody would have to look after today."
