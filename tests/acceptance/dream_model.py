"""A model that writes dreams slowly, a step at a time, and leaves a line in a file for each request that reaches it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from reverie.domain.messages import AssistantTurn, ModelRequest, Text, ToolCall
from reverie.testing.dreamer import calls_since, careful, desk_of

__all__ = ["LOOKS", "PAUSE_S", "asked", "slow"]

LOOKS = 4  # requests before it writes, at each desk
PAUSE_S = 0.1


def asked(path: Path) -> list[int]:
    """The requests that were made, in order: each by the number of answers that had been given before it."""
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def slow(request: ModelRequest) -> Sequence[Text | ToolCall]:
    """Looks at the first finding, four times, then does what a careful model does."""
    before = sum(isinstance(turn, AssistantTurn) for turn in request.messages)
    with Path(os.environ["REQUESTS"]).open("a") as file:
        file.write(f"{before}\n")
    time.sleep(PAUSE_S)
    if len(calls_since(request.messages)) < LOOKS:
        first = desk_of(request.messages).topics[0][0]["id"]
        return [ToolCall(f"look{before}", "look_at_finding", {"finding": first})]
    return careful(request)
