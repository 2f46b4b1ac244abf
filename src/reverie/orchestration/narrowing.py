"""What an agent that is called may do: never more of the web than who called it, and, where it was invented
on the spot, none of the tools that its inventor has not.

Allow-lists intersect and block-lists add up, tool by tool, level by level. Shapes are the wire's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from reverie.domain.errors import Invalid
from reverie.domain.events import JsonObject

__all__ = ["inline_agent", "inline_agents", "narrowed"]

Definition: TypeAlias = JsonObject

_TOOLSET: Final = "agent_toolset_20260401"
_BUILT_IN: Final = ("bash", "edit", "read", "write", "glob", "grep", "web_fetch", "web_search")
_WEB: Final = ("web_fetch", "web_search")


class _Inline(Struct, forbid_unknown_fields=True):
    """An agent that a model invents: what it may say of it."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    system: Annotated[str, Meta(max_length=100_000)] | None = None
    description: Annotated[str, Meta(max_length=2048)] | None = None
    model: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    tools: Annotated[list[str], Meta(max_length=256)] | None = None


def inline_agent(told: JsonObject, lead: Definition, where: str = "agent") -> dict[str, Any]:
    """The definition of an agent that is invented on the spot, as the wire shows one (``type: inline``).

    Args:
        told: ``name``; and ``system``, ``description``, ``model`` (by default the lead's) and ``tools``: names
            of the lead's built-in and custom tools and MCP servers, by default all of them.
        lead: The definition of the agent that invents it.
        where: What it is called where something is wrong with it.

    Raises:
        Invalid: an unknown field, one of the wrong kind, or a tool that the lead does not have itself.
    """
    try:
        asked = msgspec.convert({key: value for key, value in told.items() if value is not None}, _Inline)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        raise Invalid(where + place.removesuffix("`"), what.replace("`", "")) from error
    tools = _kept(lead, asked.tools, f"{where}.tools")
    servers = {tool["mcp_server_name"] for tool in tools if tool["type"] == "mcp_toolset"}
    model: JsonObject = lead["model"]
    return {
        "type": "inline",
        "name": asked.name,
        "description": asked.description,
        "system": asked.system,
        "model": {**model, "id": asked.model or model["id"]},
        "tools": tools,
        "mcp_servers": [server for server in lead["mcp_servers"] if server["name"] in servers],
        "skills": list(lead["skills"]),
        "execution_identity": lead["execution_identity"],
    }


def inline_agents(
    told: Sequence[JsonObject], lead: Definition, taken: Collection[str], where: str = "plan.agents"
) -> dict[str, dict[str, Any]]:
    """``inline_agent`` of several, by name; ``taken`` are names that they cannot have.

    Raises:
        Invalid: as ``inline_agent`` does; and a name that is taken.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, each in enumerate(told):
        agent = inline_agent(each, lead, f"{where}[{number}]")
        if agent["name"] in found or agent["name"] in taken:
            raise Invalid(f"{where}[{number}].name", "a name that no other agent here has", agent["name"])
        found[agent["name"]] = agent
    return found


def narrowed(member: Definition, lead: Definition) -> dict[str, Any]:
    """A definition that reaches no more of the web than ``lead``'s does."""
    limits = {name: found for name in _WEB if (found := _domains(lead, name)) != (None, ())}
    tools: Sequence[JsonObject] = member["tools"]
    return {**member, "tools": [_limited(tool, limits) for tool in tools]}


# ---------------------------------------------------------------------- tools that the lead has


def _kept(lead: Definition, names: Sequence[str] | None, where: str) -> list[JsonObject]:
    tools: Sequence[JsonObject] = lead["tools"]
    if names is None:
        return list(tools)
    known = [name for tool in tools for name in _names(tool)]
    for number, name in enumerate(names):
        if name not in known:
            limit = f"one of the lead's own tools: {', '.join(known) or 'none'}"
            raise Invalid(f"{where}[{number}]", limit, name)
    return [kept for tool in tools for kept in _subset(tool, names)]


def _names(tool: JsonObject) -> Iterator[str]:
    if tool["type"] == _TOOLSET:
        yield from (name for name in _BUILT_IN if _config(tool, name)["enabled"])
    else:
        yield tool["mcp_server_name"] if tool["type"] == "mcp_toolset" else tool["name"]


def _subset(tool: JsonObject, names: Sequence[str]) -> Iterator[JsonObject]:
    """The tool with what is named of it on, and nothing else; nothing, where none of it is named."""
    chosen = [name for name in _names(tool) if name in names]
    if chosen and tool["type"] == _TOOLSET:
        configs = [_config(tool, name) for name in chosen]
        yield {**tool, "configs": configs, "default_config": {**tool["default_config"], "enabled": False}}
    elif chosen:
        yield tool


def _config(toolset: JsonObject, name: str) -> JsonObject:
    """What holds for one built-in tool: what is said of it, else of all."""
    configs: Sequence[JsonObject] = toolset["configs"]
    said = next((config for config in configs if config["name"] == name), None)
    return {"type": name, "name": name, **toolset["default_config"]} if said is None else said


# ---------------------------------------------------------------------- the web


_Domains: TypeAlias = tuple[Sequence[str] | None, Sequence[str]]
"""Those that alone are allowed (None: all), and those that are blocked."""


def _domains(agent: Definition, name: str) -> _Domains:
    tools: Sequence[JsonObject] = agent["tools"]
    for tool in tools:
        if tool["type"] == _TOOLSET:
            config = _config(tool, name)
            return config.get("allowed_domains"), tuple(config.get("blocked_domains") or ())
    return None, ()


def _limited(tool: JsonObject, limits: Mapping[str, _Domains]) -> JsonObject:
    if tool["type"] != _TOOLSET or not limits:
        return tool
    others = [config for config in tool["configs"] if config["name"] not in limits]
    return {**tool, "configs": [*others, *(_web(_config(tool, name), limits[name]) for name in limits)]}


def _web(config: JsonObject, limit: _Domains) -> JsonObject:
    allowed, blocked = limit
    own: Sequence[str] | None = config.get("allowed_domains")
    if allowed is not None:
        own = allowed if own is None else _both(own, allowed)
    both = dict.fromkeys((*(config.get("blocked_domains") or ()), *blocked))
    return {**config, "allowed_domains": own, "blocked_domains": list(both) or None}


def _both(some: Iterable[str], others: Sequence[str]) -> list[str]:
    """What lies within both, each entry being a domain, or one with a path."""
    pairs = ((_parts(entry), _parts(other)) for entry in some for other in others)
    found = (
        f"{host}{path}"
        for (a, below_a), (b, below_b) in pairs
        if (host := _narrower(a, b, _in_domain)) is not None
        and (path := _narrower(below_a, below_b, _in_path)) is not None
    )
    return list(dict.fromkeys(found))


def _parts(entry: str) -> tuple[str, str]:
    host, _, path = entry.partition("/")
    return host.rstrip(".").lower(), f"/{path}".rstrip("/")


def _narrower(one: str, other: str, within: Callable[[str, str], bool]) -> str | None:
    return one if within(one, other) else other if within(other, one) else None


def _in_domain(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _in_path(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above}/")
