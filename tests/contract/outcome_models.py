"""Models for ``test_outcomes_running``: a clerk that forgets something at first, and a grader."""

from __future__ import annotations

from typing import Any

from tests.runtime.graders import honest

from reverie.domain.messages import AssistantTurn, ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["clerk", "judge", "talker"]


def _results(request: ModelRequest) -> int:
    turns = [message for message in request.messages if isinstance(message, UserTurn)]
    return sum(isinstance(part, ToolResult) for turn in turns for part in turn.parts)


def _heard(request: ModelRequest) -> str:
    turns = [message for message in request.messages if isinstance(message, UserTurn)]
    return "\n".join(part.text for part in turns[-1].parts if isinstance(part, Text))


def clerk(request: ModelRequest) -> Any:
    """Writes a report with one part, and the other when it is told that it is missing."""
    done = _results(request)
    turns = sum(isinstance(message, AssistantTurn) for message in request.messages)
    if done == 0:
        return _write("the sums are right", new=True)
    if turns == 1:
        return "The report is done."
    if done == 1:
        assert "the sources are named" in _heard(request) and "the sums are right" not in _heard(request)
        return _write("the sources are named")
    return "Now it names its sources."


def _write(text: str, *, new: bool = False) -> ToolCall:
    sign = ">" if new else ">>"
    return ToolCall("c", "bash", {"command": f"echo {text} {sign} /mnt/session/outputs/report.md"})


def talker(request: ModelRequest) -> Any:
    """Says it all at once."""
    return "Here: the sums are right, and the sources are named."


judge = honest
