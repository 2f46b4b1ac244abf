"""Models for ``test_running``: programs that work with the tools they are given."""

from __future__ import annotations

from typing import Any

from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["asking", "careful", "clerk", "remote"]


def _given(request: ModelRequest) -> list[str]:
    turns = [message for message in request.messages if isinstance(message, UserTurn)]
    results = [part for turn in turns for part in turn.parts if isinstance(part, ToolResult)]
    return ["".join(part.text for part in result.content if isinstance(part, Text)) for result in results]


def clerk(request: ModelRequest) -> Any:
    """Makes a file, and remembers how."""
    given = _given(request)
    match len(given):
        case 0:
            assert "/mnt/memory/" in request.system, "it is told where its memory is"
            command = "seq 3 > /mnt/session/outputs/report.txt && cat /mnt/session/outputs/report.txt"
            return [Text("I count."), ToolCall("c1", "bash", {"command": command})]
        case 1:
            path = next(word for word in request.system.replace("`", " ").split() if "/mnt/memory/" in word)
            told = {"file_path": f"{path.rstrip('/.,:')}/counting.md", "content": "Count with seq.\n"}
            return ToolCall("c2", "write", told)
    return f"Counted: {given[0].split()}"


def careful(request: ModelRequest) -> Any:
    """Wants to run one command."""
    given = _given(request)
    return f"It said: {given[0]}" if given else ToolCall("c1", "bash", {"command": "echo allowed"})


def asking(request: ModelRequest) -> Any:
    """Asks its client the price of something."""
    given = _given(request)
    return f"It costs {given[0]}." if given else ToolCall("c1", "price", {"article": "tea"})


def remote(request: ModelRequest) -> Any:
    """Works with commands and files wherever they are, and tells what it saw."""
    seen = _given(request)
    steps = [
        ToolCall("a", "bash", {"command": "echo from the shell > made.txt; cat made.txt"}),
        ToolCall("b", "write", {"file_path": "note.md", "content": "one\n"}),
        ToolCall("c", "read", {"file_path": "note.md"}),
    ]
    return steps[len(seen)] if len(seen) < len(steps) else f"Seen: {seen[0].strip()}, {seen[2].strip()}"
