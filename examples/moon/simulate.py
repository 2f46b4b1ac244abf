"""Missions without the engine: the same tools and the same policies, in a small driver, for measuring fast."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

from examples.moon import policy
from examples.moon.terrain import Kind
from examples.moon.tools import Mission
from reverie.domain.messages import (
    AssistantTurn,
    Message,
    ModelRequest,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    UserTurn,
)

__all__ = ["Line", "Ran", "run_mission"]

Tools: TypeAlias = Mapping[str, Callable[..., Any]]
_MOST: Final = 40
"""Answers of one model to one task."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a transcript: who called what with which arguments, or said something (``tool`` is empty)."""

    who: str
    tool: str
    given: Mapping[str, Any]
    result: str
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Ran:
    """A mission that is over."""

    mission: Mission
    lines: Sequence[Line]
    files: Mapping[str, str]

    @property
    def report(self) -> dict[str, Any]:
        """What the lead wrote."""
        return json.loads(self.files.get(policy.REPORT, "{}"))


@dataclass(slots=True)
class _Crew:
    mission: Mission
    memory: str
    lines: list[Line] = field(default_factory=list[Line])
    files: dict[str, str] = field(default_factory=dict[str, str])

    def tools(self, who: str) -> Tools:
        mission = self.mission
        if who == "detector":
            return {"scan_site": mission.scan_site, "zoom": mission.zoom}
        if who == "navigator":
            names = (
                "set_descent_plan",
                "fly_segment",
                "touch_down",
                "read_telemetry",
                "abort",
                "launch_reserve",
            )
            return {name: getattr(mission, name) for name in names}
        return {"send_to_agent": self.send_to_agent, "write": self.write}

    def send_to_agent(self, agent: str, message: str) -> str:
        return self.drive(agent, [UserTurn([Text(message)])])

    def write(self, file_path: str, content: str) -> str:
        self.files[file_path] = content
        return f"{file_path} written"

    def drive(self, who: str, messages: list[Message]) -> str:
        """One model until it calls nothing more; what it says then."""
        tools = self.tools(who)
        specs = [ToolSpec(name, "", {}) for name in tools]
        for _ in range(_MOST):
            said = getattr(policy, who)(ModelRequest(messages, self.memory, specs))
            if isinstance(said, str):
                messages.append(AssistantTurn([Text(said)]))
                self.lines.append(Line(who, "", {}, said))
                return said
            messages += [AssistantTurn([said]), UserTurn([self._result(who, tools, said)])]
        raise RuntimeError(f"the {who} came to no end")

    def _result(self, who: str, tools: Tools, call: ToolCall) -> ToolResult:
        failed = False
        try:
            given = partial(tools[call.name], **call.input)()
            text = given if isinstance(given, str) else json.dumps(given)
        except Exception as error:  # noqa: BLE001  (as the engine does: it is the model's to read)
            text, failed = f"{type(error).__name__}: {error}", True
        self.lines.append(Line(who, call.name, call.input, text, failed))
        return ToolResult(call.id, call.name, [Text(text)], failed)


def run_mission(
    kind: Kind, seed: int, *, memory: str = "", feedback: Callable[[Mission], str | None] | None = None
) -> Ran:
    """One mission. ``memory`` is what all three find in their system prompts; ``feedback`` is asked once the
    report is written, and what it says is the lead's next input (None: it is good)."""
    crew = _Crew(Mission(kind, seed), memory)
    messages: list[Message] = [UserTurn([Text(crew.mission.order)])]
    crew.drive("commander", messages)
    if feedback is not None and (told := feedback(crew.mission)) is not None:
        messages.append(UserTurn([Text(told)]))
        crew.drive("commander", messages)
    return Ran(crew.mission, crew.lines, crew.files)
