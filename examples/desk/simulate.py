"""Matters without the engine: the same tools and the same policy in a small driver, hundreds a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from examples.desk.matters import Matter
from examples.desk.people import reply
from examples.desk.policy import clerk
from examples.desk.tools import Tools
from examples.desk.truth import failures
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

__all__ = ["SYSTEM", "Line", "Ran", "run_matter"]

SYSTEM: Final = (
    "You are {agent}, a clerk of a law office. You work off what you are asked with the tools you have, say in a sentence "
    "how it went, and do again what you are told was not as wanted."
)
_MOST: Final = 60
"""Answers of one model to one matter."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a transcript: a call with its result, or (``tool`` is empty) what ``who`` said."""

    who: str
    tool: str
    given: Mapping[str, Any]
    result: str
    is_error: bool = False


@dataclass(slots=True)
class Ran:
    """A matter that is over. ``late``: it was done again when it had to be out already."""

    tools: Tools
    lines: list[Line] = field(default_factory=list[Line])
    late: bool = False

    @property
    def failures(self) -> tuple[str, ...]:
        return failures(self.tools, late=self.late)

    @property
    def trail(self) -> Sequence[str]:
        """What was called, with what."""
        return [f"{line.tool} {json.dumps(line.given)}" for line in self.lines if line.tool]

    @property
    def calls(self) -> int:
        return sum(bool(line.tool) for line in self.lines)


def run_matter(matter: Matter, memory: str = "", now: Callable[[], datetime] | None = None) -> Ran:
    """One matter, from the request to the last word. ``memory`` is what the clerk finds in its system prompt;
    ``now`` is the office's clock, which stands still at the matter's hour where none is given."""
    at = datetime(2026, 3, 2, matter.hour, matter.minute, tzinfo=UTC)
    ran = Ran(Tools(matter, now or (lambda: at)))
    messages: list[Message] = []
    system = f"{SYSTEM.format(agent=matter.agent)}\n\n{memory}"
    _say(ran, messages, matter.user, matter.request)
    _drive(ran, system, messages)
    if (said := reply(ran.tools)) is not None:
        ran.late = matter.urgent
        _say(ran, messages, matter.user, said)
        _drive(ran, system, messages)
    return ran


def _say(ran: Ran, messages: list[Message], who: str, text: str) -> None:
    messages.append(UserTurn([Text(text)]))
    ran.lines.append(Line(who, "", {}, text))


def _drive(ran: Ran, system: str, messages: list[Message]) -> None:
    """The clerk until it calls nothing more."""
    tools = ran.tools.named()
    specs: Sequence[ToolSpec] = [ToolSpec(name, "", {}) for name in tools]
    agent = ran.tools.matter.agent
    for _ in range(_MOST):
        said = clerk(ModelRequest(messages, system, specs))
        if isinstance(said, str):
            messages.append(AssistantTurn([Text(said)]))
            ran.lines.append(Line(agent, "", {}, said))
            return
        text, failed = _called(tools[said.name], said)
        ran.lines.append(Line(agent, said.name, said.input, text, failed))
        messages += [AssistantTurn([said]), UserTurn([ToolResult(said.id, said.name, [Text(text)], failed)])]
    raise RuntimeError(f"{agent} came to no end")


def _called(tool: Callable[..., Any], call: ToolCall) -> tuple[str, bool]:
    try:
        return json.dumps(tool(**call.input)), False
    except Exception as error:  # noqa: BLE001  (as the engine does: it is the model's to read)
        return f"{type(error).__name__}: {error}", True
