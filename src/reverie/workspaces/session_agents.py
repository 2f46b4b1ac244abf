"""The agent of a session: the snapshot of what it was when the session began, with what the session says
otherwise, and with every agent that it may call beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    if agent.archived_at is not None:
        raise Archived("the agent is archived: no session starts with it", where=agent.id)
    body = _definition(agent)
    if said["type"] == "agent_with_overrides":
        body |= _overrides(said, body, agents.check_schema)
    if (grader := agent.body.get("grader")) is not None:
        body["grader"] = grader
    team = _Team(agents, conn, agent.id)
    return {**body, "multiagent": team.roster(agent.body["multiagent"], "agent.multiagent")}


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


class _Team:
    """Finds those whom an agent may call, and whom they may, as deep as was allowed when it was saved."""

    def __init__(self, agents: Agents, conn: Connection, lead: str) -> None:
        self._agents, self._conn, self._lead = agents, conn, lead

    def roster(self, said: Said | None, field: str) -> Body | None:
        """The roster with whole definitions in the place of references.

        Raises:
            Archived: one of them is.
        """
        if said is None:
            return None
        if said["type"] == "coordinator":
            depth: int = said.get("max_depth", 1)
            return {**said, "agents": self._members(said["agents"], f"{field}.agents", depth)}
        found = dict(said)
        for name in ("subagents", "workflows"):
            part: Said = said[name]
            if part["type"] == "enabled":
                place = f"{field}.{name}.predefined_agents"
                members = self._members(part["predefined_agents"], place, part.get("max_depth", 1))
                found[name] = {**part, "predefined_agents": members}
        return found

    def _members(self, entries: Sequence[Said], field: str, depth: int) -> list[Body]:
        return [self._member(entry, f"{field}[{n}]", depth) for n, entry in enumerate(entries)]

    def _member(self, entry: Said, field: str, depth: int) -> Body:
        if entry["type"] != "agent":
            return dict(entry)
        agent = self._agents.get(entry["id"], entry["version"], conn=self._conn)
        if agent.archived_at is not None:
            told = f"the agent {agent.id} of its roster is archived: no session starts with it"
            raise Archived(told, where=field)
        if depth == 1 or agent.id == self._lead or agent.body["multiagent"] is None:
            return _definition(agent)
        below = _Team(self._agents, self._conn, agent.id)
        return {
            **_definition(agent),
            "multiagent": below.roster(agent.body["multiagent"], f"{field}.multiagent"),
        }
