"""The agent of a session: the snapshot of what it was when the session began, with what the session says
otherwise, and with every agent that it may call beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from reverie.domain.errors import Archived
from reverie.domain.resources import Resource
from reverie.storage.database import Connection
from reverie.workspaces.agents import Agents
from reverie.workspaces.grading import resolved_model
from reverie.workspaces.tools import CheckSchema, checked_servers, resolved_skills, resolved_tools

__all__ = ["changed_tools", "snapshot", "without_roster"]

Said: TypeAlias = Mapping[str, Any]
Body: TypeAlias = dict[str, Any]

_OF_A_THREAD: Final = (
    "name", "description", "execution_identity", "model", "system", "tools", "mcp_servers", "skills",
)  # fmt: skip


def snapshot(agents: Agents, asked: str | Said, conn: Connection) -> Body:
    """The agent that is asked for (an id; an id with a version; one with overrides), complete.

    Raises:
        NotFound: no such agent or version here.
        Archived: it is archived.
        Invalid: overrides that do not fit together.
    """
    said: Said = {"id": asked, "type": "agent"} if isinstance(asked, str) else asked
    agent = agents.get(said["id"], said.get("version"), conn=conn)
    if agent.archived_at is not None or agents.get(agent.id, conn=conn).archived_at is not None:
        raise Archived("the agent is archived: no session starts with it", where=agent.id)
    body = _definition(agent)
    if said["type"] == "agent_with_overrides":
        body |= _overrides(said, body, agents.check_schema)
    if (grader := agent.body.get("grader")) is not None:
        body["grader"] = grader
    return {**body, "multiagent": _roster(agents, agent.body["multiagent"], conn)}


def _definition(agent: Resource) -> Body:
    told = {name: agent.body[name] for name in _OF_A_THREAD}
    return {"type": "agent", "id": agent.id, "version": agent.version, **told}


def without_roster(agent: Said) -> Body:
    """The snapshot as its thread shows it."""
    return {name: value for name, value in agent.items() if name != "multiagent"}


def _overrides(said: Said, body: Said, check: CheckSchema) -> Body:
    found: Body = {}
    if said.get("model") is not None:
        found["model"] = resolved_model(said["model"])
    if "system" in said:
        found["system"] = said["system"]
    if said.get("skills") is not None:
        found["skills"] = resolved_skills(said["skills"])
    return {**found, **changed_tools(said, body, check)}


def changed_tools(said: Said, body: Said, check: CheckSchema) -> Body:
    """Tools and MCP servers as ``said`` replaces them, each as a whole; they must fit together.

    Raises:
        Invalid: they do not.
    """
    if said.get("tools") is None and said.get("mcp_servers") is None:
        return {}
    servers = body["mcp_servers"] if said.get("mcp_servers") is None else checked_servers(said["mcp_servers"])
    tools = body["tools"] if said.get("tools") is None else said["tools"]
    return {"mcp_servers": servers, "tools": resolved_tools(tools, servers, check)}


def _roster(agents: Agents, said: Said | None, conn: Connection) -> Body | None:
    """The roster with whole definitions in the place of references."""
    if said is None:
        return None
    if said["type"] == "coordinator":
        return {**said, "agents": [_member(agents, entry, conn) for entry in said["agents"]]}
    found = dict(said)
    for name in ("subagents", "workflows"):
        if said[name]["type"] == "enabled":
            members = [_member(agents, entry, conn) for entry in said[name]["predefined_agents"]]
            found[name] = {**said[name], "predefined_agents": members}
    return found


def _member(agents: Agents, entry: Said, conn: Connection) -> Body:
    if entry["type"] != "agent":
        return dict(entry)
    return _definition(agents.get(entry["id"], entry["version"], conn=conn))
