"""A model for tests of replays: it does what its memory says, and nothing that it does not."""

from __future__ import annotations

from typing import Any

from reverie.domain.messages import ModelRequest, ToolCall, ToolResult, UserTurn

PLACE = "/mnt/memory/default-rehearsal/how.md"


def worker(request: ModelRequest) -> Any:
    """Reads its memory, and answers with what stands there."""
    last = request.messages[-1]
    results = [part for part in getattr(last, "parts", ()) if isinstance(part, ToolResult)]
    if isinstance(last, UserTurn) and results:
        text = "".join(getattr(each, "text", "") for each in results[0].content)
        return "I sealed it with red wax." if "red wax" in text else "I sent it as it was."
    return ToolCall("look", "read", {"file_path": PLACE})
