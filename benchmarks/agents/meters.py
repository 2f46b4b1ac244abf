"""The agent that is measured: a model that answers at once, and a tool that gives a sentence."""

from __future__ import annotations

import time
from decimal import Decimal

from reverie.domain.messages import ModelRequest, ModelResponse, Text, ToolCall, Usage

__all__ = ["MODEL", "asked_at", "model", "reading"]

MODEL = "scripted:benchmarks.agents.meters:model"
asked_at: list[float] = []
"""When the model was asked, by ``time.perf_counter``."""


def model(request: ModelRequest) -> ModelResponse:
    """Calls the tool as often as the system prompt says, then says that it is done."""
    asked_at.append(time.perf_counter())
    done = len(request.messages) // 2
    part = ToolCall(f"c{done}", "reading", {"meter": done}) if done < int(request.system) else Text("Done.")
    return ModelResponse([part], Usage(100, 20), "end_turn", MODEL, Decimal("0.01"))


async def reading(meter: int) -> str:
    """What a meter shows.

    Args:
        meter: Its number.
    """
    return f"Meter {meter} shows 230 V, 50 Hz, and nothing that anybody would have to look after today."
