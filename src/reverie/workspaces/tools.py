"""What an agent may use: the tools, MCP servers and skills that were asked for, checked and made complete.

Shapes are the wire's. A policy that nobody named is ``always_allow`` for the built-in tools, which run in
the session's own sandbox, and ``always_ask`` for those of an MCP server, which reach out of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from reverie.domain.errors import Invalid

__all__ = ["BUILT_IN", "MAX_TOOLS", "CheckSchema", "checked_servers", "resolved_skills", "resolved_tools"]

Said: TypeAlias = Mapping[str, Any]
CheckSchema: TypeAlias = Callable[[Said], Sequence[str]]
"""Says why a schema cannot describe a tool's input; nothing where it can."""

BUILT_IN: Final = ("bash", "edit", "read", "write", "glob", "grep", "web_fetch", "web_search")
MAX_TOOLS: Final = 256
_LATEST: Final = "latest"
_WEB: Final = ("web_search", "web_fetch")


def checked_servers(servers: Sequence[Said]) -> list[dict[str, Any]]:
    """MCP servers as they are stored.

    Raises:
        Invalid: two have one name, or a URL has no host or carries a password.
    """
    _distinct("mcp_servers", (server["name"] for server in servers))
    for number, server in enumerate(servers):
        _check_url(f"mcp_servers[{number}].url", server["url"])
    return [{"type": "url", "name": server["name"], "url": server["url"]} for server in servers]


def resolved_tools(
    tools: Sequence[Said], servers: Sequence[Said], check: CheckSchema
) -> list[dict[str, Any]]:
    """The tools with every default said. ``servers`` are the MCP servers of the same agent or session.

    Raises:
        Invalid: a name that stands twice, a toolset of no server, a server of no toolset, more than 256, a
            schema that is none.
    """
    _check_sets(tools, servers)
    custom = [tool["name"] for tool in tools if tool["type"] == "custom"]
    taken = [*custom, *(BUILT_IN if _built_in(tools) else ())]
    _distinct("tools", taken)
    found = [_resolved(tool, f"tools[{number}]", custom, check) for number, tool in enumerate(tools)]
    count = len(taken) + sum(len(tool["configs"]) for tool in found if tool["type"] == "mcp_toolset")
    if count > MAX_TOOLS:
        raise Invalid("tools", limit=f"at most {MAX_TOOLS} tools across all toolsets", value=count)
    return found


def resolved_skills(skills: Sequence[Said]) -> list[dict[str, Any]]:
    """Skills with a version each; one that is named twice is kept once."""
    found = {
        (skill["type"], skill["skill_id"]): {
            "type": skill["type"],
            "skill_id": skill["skill_id"],
            "version": skill.get("version") or _LATEST,
        }
        for skill in skills
    }
    return list(found.values())


def _check_url(field: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        host, secret = parts.hostname, parts.password
        _ = parts.port  # a port that is none is found out only here
    except ValueError:
        host = secret = None
    if not host or secret is not None:
        raise Invalid(field, limit="an http or https URL with a host and no password", value=url)


def _check_sets(tools: Sequence[Said], servers: Sequence[Said]) -> None:
    if _built_in(tools) > 1:
        raise Invalid("tools", limit="at most one agent_toolset_20260401", value=_built_in(tools))
    named = [tool["mcp_server_name"] for tool in tools if tool["type"] == "mcp_toolset"]
    _distinct("tools.mcp_server_name", named)
    known = {server["name"] for server in servers}
    for name in named:
        if name not in known:
            raise Invalid("tools.mcp_server_name", limit="the name of one of mcp_servers", value=name)
    for name in known - set(named):
        raise Invalid("mcp_servers", limit="servers that an mcp_toolset in tools refers to", value=name)


def _built_in(tools: Sequence[Said]) -> int:
    return sum(tool["type"] == "agent_toolset_20260401" for tool in tools)


def _resolved(tool: Said, field: str, custom: Sequence[str], check: CheckSchema) -> dict[str, Any]:
    if tool["type"] == "custom":
        return _custom(tool, field, check)
    built_in = tool["type"] == "agent_toolset_20260401"
    policy = {"type": "always_allow" if built_in else "always_ask"}
    defaults = _filled(tool.get("default_config"), {"enabled": True, "permission_policy": policy})
    configs: list[Said] = tool.get("configs") or []
    _distinct(f"{field}.configs", (config["name"] for config in configs))
    resolved = [_config(config, defaults, built_in=built_in) for config in configs]
    for number, config in enumerate(resolved):
        _check_web(config, f"{field}.configs[{number}]", custom)
    common = {"type": tool["type"], "configs": resolved, "default_config": defaults}
    return common if built_in else {**common, "mcp_server_name": tool["mcp_server_name"]}


def _filled(asked: Said | None, defaults: Said) -> dict[str, Any]:
    """The keys of ``defaults``, as asked for where anything was."""
    told = asked or {}
    return {key: value if told.get(key) is None else told[key] for key, value in defaults.items()}


def _custom(tool: Said, field: str, check: CheckSchema) -> dict[str, Any]:
    schema = tool["input_schema"]
    if schema.get("type") != "object":
        raise Invalid(f"{field}.input_schema.type", limit="object", value=schema.get("type"))
    if flaws := check(schema):
        raise Invalid(f"{field}.input_schema", limit="JSON Schema", value="; ".join(flaws))
    return {key: tool[key] for key in ("type", "name", "description", "input_schema")}


def _config(asked: Said, defaults: Said, *, built_in: bool) -> dict[str, Any]:
    found = {**asked, **_filled(asked, defaults)}
    if built_in:
        found["type"] = asked["name"]
    if sources := asked.get("url_sources"):
        found["url_sources"] = {
            key: {"type": value} if isinstance(value, str) else value for key, value in sources.items()
        }
    return found


# ------------------------------------------------------------------ the web


def _check_web(config: Said, field: str, custom: Sequence[str]) -> None:
    if config.get("allowed_domains") and config.get("blocked_domains"):
        raise Invalid(f"{field}.blocked_domains", limit="not together with allowed_domains", value="both")
    sources: Mapping[str, Said | None] | None = config.get("url_sources")
    if not sources:
        return
    if len(sources) == 3 and all(said is not None and said["type"] == "none" for said in sources.values()):
        raise Invalid(f"{field}.url_sources", limit="at least one source that is not none", value="none")
    _check_filter(sources.get("client_tool_results"), f"{field}.url_sources.client_tool_results", custom)
    _check_filter(sources.get("server_tool_results"), f"{field}.url_sources.server_tool_results", _WEB)


def _check_filter(said: Said | None, field: str, known: Sequence[str]) -> None:
    names: list[str] = [] if said is None else [tool["name"] for tool in said.get("tools", ())]
    _distinct(f"{field}.tools", names)
    for name in names:
        if name not in known:
            raise Invalid(f"{field}.tools", limit=f"one of: {', '.join(known) or 'none'}", value=name)


def _distinct(field: str, names: Iterable[str]) -> None:
    for name, times in Counter(names).items():
        if times > 1:
            raise Invalid(field, limit="names that differ", value=f"{name} ({times} times)")
