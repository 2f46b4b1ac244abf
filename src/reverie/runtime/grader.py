"""One grader: an agent of ours with a model, a brief, tools to look with, and one door for its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from reverie.domain.events import JsonObject
from reverie.domain.messages import AssistantTurn, Text, ToolCall, ToolSpec
from reverie.domain.outcomes import GRADER
from reverie.outcomes import verdicts
from reverie.outcomes.briefing import Brief, system_prompt
from reverie.plugins import Output
from reverie.runtime.context import Call, ThreadContext

__all__ = ["MAX_STEPS", "MAX_VERDICTS", "VerdictTool", "grader", "verdict_calls"]

MAX_STEPS: Final = 60
"""Requests of one grader."""
MAX_VERDICTS: Final = 4
"""Calls of the verdict tool on one thread: what is refused so often will not be given."""

_TOOLS: Final = ("bash", "read", "glob", "grep")


@dataclass(frozen=True, slots=True)
class VerdictTool:
    """The one door through which a verdict comes. It keeps nothing: what was said is in the thread."""

    brief: Brief
    iteration: int
    seen: str

    @property
    def spec(self) -> ToolSpec:
        return verdicts.tool(self.brief)

    async def call(self, call: Call) -> Output:
        found = self.read(call.input)
        if isinstance(found, verdicts.Refused) and not found.fatal:
            return Output([Text(found.message)], is_error=True)
        return Output([Text("The verdict is taken. There is nothing more to do.")])

    def read(self, input: JsonObject) -> verdicts.Accepted | verdicts.Refused:
        """What a call says."""
        return verdicts.accept(input, self.brief, iteration=self.iteration, seen=self.seen)

    def settled(self, thread: ThreadContext) -> verdicts.Accepted | verdicts.Refused | None:
        """What the thread's calls come to: the first verdict that counts, or that ends this run; else None."""
        for call in verdict_calls(thread):
            found = self.read(call.input)
            if isinstance(found, verdicts.Accepted) or found.fatal:
                return found
        return None

    def last_refusal(self, thread: ThreadContext) -> str:
        """Why its last call did not count."""
        calls = verdict_calls(thread)
        if not calls:
            return f"It never called the tool {verdicts.VERDICT}."
        found = self.read(calls[-1].input)
        return found.message if isinstance(found, verdicts.Refused) else ""


def verdict_calls(thread: ThreadContext) -> list[ToolCall]:
    """The calls of the verdict tool on a thread, in order."""
    turns = (turn for turn in thread.messages if isinstance(turn, AssistantTurn))
    parts = (part for turn in turns for part in turn.parts)
    return [part for part in parts if isinstance(part, ToolCall) and part.name == verdicts.VERDICT]


def grader(worker: JsonObject, model: str | Mapping[str, Any] | None, *, tools: bool) -> JsonObject:
    """The agent that grades the work of ``worker``, with its model where no other is named."""
    told: Mapping[str, Any] = {} if model is None else {"id": model} if isinstance(model, str) else model
    return {
        "type": "inline",
        "name": GRADER,
        "description": "Judges work by its rubric.",
        "model": {**worker["model"], **told},
        "execution_identity": worker.get("execution_identity"),
        "system": system_prompt(),
        "tools": [_looking()] if tools else [],
        "mcp_servers": [],
        "skills": [],
    }


def _looking() -> JsonObject:
    """The tools of a grader: to read, and to run something, in a copy."""
    allow = {"type": "always_allow"}
    return {
        "type": "agent_toolset_20260401",
        "default_config": {"enabled": False, "permission_policy": allow},
        "configs": [
            {"type": name, "name": name, "enabled": True, "permission_policy": allow} for name in _TOOLS
        ],
    }
