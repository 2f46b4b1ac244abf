"""Models for ``test_team_areas``: specialists that write files, and a lead that looks at what became of them."""

from __future__ import annotations

from typing import Any

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn


def _parts(request: ModelRequest, kind: type[Any]) -> list[Any]:
    turns = [turn for turn in request.messages if isinstance(turn, UserTurn)]
    return [part for turn in turns for part in turn.parts if isinstance(part, kind)]


def lead(request: ModelRequest) -> Any:
    """Has two specialists write what its task says, one after the word of the other being given; then looks."""
    texts, done = [part.text for part in _parts(request, Text)], _parts(request, ToolResult)
    commands = texts[0].split(" | ")
    if not done:
        return [
            ToolCall(f"c{n}", "send_to_agent", {"agent": "writer", "message": command})
            for n, command in enumerate(commands)
        ]
    if len(done) == len(commands):
        return ToolCall("w", "wait_for_agents", {})
    if len(done) == len(commands) + 1:
        return ToolCall("b", "bash", {"command": "tail -n +1 *.txt"})
    return "\n".join([*texts[1:], done[-1].content[0].text])


def writer(request: ModelRequest) -> Any:
    """Runs the command that it is told."""
    if not _parts(request, ToolResult):
        return ToolCall("b", "bash", {"command": _parts(request, Text)[0].text})
    return "Written."
