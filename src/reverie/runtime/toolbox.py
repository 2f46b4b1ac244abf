"""The tools of one agent: what the model is told of them, and what becomes of a call before it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

from reverie.domain.events import EventType, JsonObject
from reverie.domain.messages import Message, Text, ToolCall, ToolResult, ToolSpec, UserTurn
from reverie.plugins import Output, Shown, Tool
from reverie.runtime.context import Call
from reverie.runtime.house import McpFound, Validate

__all__ = ["Judged", "OwnTool", "Toolbox"]

_WEB: Final = ("web_fetch", "web_search")
_BUILT_IN: Final = "agent_toolset_20260401"
_ALLOW: Final[JsonObject] = {"type": "always_allow"}
Permission: TypeAlias = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A call as it is logged. ``problem``: why it is not made, for the model."""

    type: EventType
    payload: JsonObject
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Policed:
    """What an agent says of one tool."""

    policy: str
    config: JsonObject


class OwnTool(Protocol):
    """A tool of ours that acts on the session itself (delegate, wait, give a verdict). It needs no sandbox, asks
    nobody, and can be called again where it was cut off: what it does is known by the id of the call."""

    @property
    def spec(self) -> ToolSpec: ...

    async def call(self, call: Call) -> Output:
        """Do it. An Output with ``is_error`` is what went wrong in the model's words."""
        ...


class Toolbox:
    """``agent`` is the snapshot in the session; ``tools`` what is installed; ``mcp`` what its servers have;
    ``own`` what of ours it has besides."""

    def __init__(
        self,
        agent: JsonObject,
        tools: Mapping[str, Tool],
        mcp: Sequence[McpFound],
        validate: Validate,
        own: Sequence[OwnTool] = (),
    ) -> None:
        self._validate = validate
        self._own = {tool.spec.name: tool for tool in own}
        self._tools: dict[str, tuple[Tool, _Policed]] = {}
        self._mcp: dict[str, tuple[McpFound, _Policed]] = {}
        self._custom: dict[str, JsonObject] = {}
        for told in cast(Sequence[JsonObject], agent.get("tools") or ()):
            self._add(told, tools, mcp)

    def _add(self, told: JsonObject, tools: Mapping[str, Tool], mcp: Sequence[McpFound]) -> None:
        if told["type"] == "custom":
            self._custom[told["name"]] = told
        elif told["type"] == _BUILT_IN:
            for name, tool in tools.items():
                if (policed := _policed(told, name)) is not None:
                    self._tools[name] = (tool, policed)
        else:
            for found in mcp:
                policed = _policed(told, found.name)
                if found.server == told["mcp_server_name"] and policed is not None:
                    self._mcp[found.called] = (found, policed)

    @property
    def specs(self) -> list[ToolSpec]:
        """Everything that the model may call."""
        return [
            *(tool.spec for tool in self._own.values()),
            *(tool.spec for tool, _ in self._tools.values()),
            *(found.spec for found, _ in self._mcp.values()),
            *(ToolSpec(t["name"], t["description"], t["input_schema"]) for t in self._custom.values()),
        ]

    @property
    def built_in(self) -> bool:
        """Whether there is any tool that needs a sandbox."""
        return bool(self._tools)

    def tool(self, name: str) -> Tool | None:
        """A built-in tool of this agent."""
        found = self._tools.get(name)
        return None if found is None else found[0]

    def own(self, name: str) -> OwnTool | None:
        """A tool of ours."""
        return self._own.get(name)

    def config(self, name: str) -> JsonObject:
        """What the agent says of a built-in tool."""
        return self._tools[name][1].config

    def mcp(self, called: str) -> McpFound | None:
        """A tool of an MCP server, by its name for the model."""
        found = self._mcp.get(called)
        return None if found is None else found[0]

    def shown(self, messages: Iterable[Message]) -> Iterator[Shown]:
        """What the model was shown, with where it came from: what web_fetch may take URLs from."""
        turns = (message for message in messages if isinstance(message, UserTurn))
        for part in (part for turn in turns for part in turn.parts):
            if isinstance(part, Text):
                yield Shown("user_input", part.text)
            elif isinstance(part, ToolResult) and (part.name in self._custom or part.name in _WEB):
                text = "\n".join(piece.text for piece in part.content if isinstance(piece, Text))
                custom = part.name in self._custom
                yield Shown("client_tool_results" if custom else "server_tool_results", text, part.name)

    def judge(self, call: ToolCall) -> Judged:
        """A call of the model, as it goes to the log."""
        private: dict[str, Any] = {}
        if call.details:
            private["details"] = call.details
        if call.garbled is not None:
            private["garbled"] = call.garbled
        if own := self._own.get(call.name):
            permission = _permitted("allow", _ALLOW)
            private["own"] = True
            return self._judged("agent.tool_use", call, private, own.spec.input_schema, permission)
        if call.name in self._custom:
            return self._judged(
                "agent.custom_tool_use", call, private, self._custom[call.name]["input_schema"]
            )
        if found := self._mcp.get(call.name):
            return self._of_server(call, private, *found)
        if found := self._tools.get(call.name):
            tool, policed = found
            permission = _evaluated(policed.policy, lambda: tool.risk(call.input))
            return self._judged("agent.tool_use", call, private, tool.spec.input_schema, permission)
        known = ", ".join(spec.name for spec in self.specs) or "there are none"
        problem = f"There is no tool {call.name!r}. The tools are: {known}."
        return Judged("agent.tool_use", _payload(call, private, _permitted("deny", _ALLOW)), problem)

    def _of_server(
        self, call: ToolCall, private: dict[str, Any], found: McpFound, policed: _Policed
    ) -> Judged:
        permission = _evaluated(policed.policy, lambda: "low" if found.read_only else "unknown")
        more = {"mcp_server_name": found.server, "name": found.name}
        private["called"] = found.called
        schema = found.spec.input_schema
        return self._judged("agent.mcp_tool_use", call, private, schema, {**permission, **more})

    def _judged(
        self,
        type: EventType,
        call: ToolCall,
        private: dict[str, Any],
        schema: JsonObject,
        more: JsonObject | None = None,
    ) -> Judged:
        problem = _garbled(call) or self._misfit(schema, call)
        if problem is not None and more is not None:
            more = {**more, **_permitted("deny", more.get("evaluation", _ALLOW))}
        return Judged(type, _payload(call, private, more or {}), problem)

    def _misfit(self, schema: JsonObject, call: ToolCall) -> str | None:
        problems = self._validate(schema, call.input)
        if not problems:
            return None
        return f"The arguments of {call.name} do not fit its schema:\n" + "\n".join(
            f"- {problem}" for problem in problems
        )


def _garbled(call: ToolCall) -> str | None:
    if call.garbled is None:
        return None
    return f"The arguments of {call.name} are not a JSON object: {call.garbled[:200]!r}. Nothing was done."


def _payload(call: ToolCall, private: dict[str, Any], more: JsonObject) -> JsonObject:
    told: dict[str, Any] = {"name": call.name, "input": dict(call.input), **more}
    return {**told, "private": private} if private else told


def _policed(toolset: JsonObject, name: str) -> _Policed | None:
    """What a toolset says of a tool; None where it is off."""
    configs = cast(Sequence[JsonObject], toolset.get("configs") or ())
    default: JsonObject = toolset["default_config"]
    told = next((config for config in configs if config["name"] == name), default)
    if not told.get("enabled", True):
        return None
    policy: JsonObject = told.get("permission_policy") or default["permission_policy"]
    return _Policed(str(policy["type"]), told if told is not default else {})


def _evaluated(policy: str, risk: Callable[[], str]) -> JsonObject:
    if policy != "auto":
        permission: Permission = "allow" if policy == "always_allow" else "ask"
        return _permitted(permission, {"type": policy})
    found = risk()
    if found == "low":
        return _permitted("allow", {"type": "auto", "evaluated_permission": {"type": "allow"}})
    reason = "high_risk" if found == "high" else "indeterminate"
    asked = {"type": "ask", "reason_code": reason}
    return _permitted("ask", {"type": "auto", "evaluated_permission": asked})


def _permitted(permission: Permission, evaluation: JsonObject) -> JsonObject:
    return {"evaluated_permission": permission, "evaluation": evaluation}
