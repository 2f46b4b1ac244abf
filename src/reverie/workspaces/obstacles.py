"""What keeps a deployment from starting a session, in the wire's words for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from reverie.domain.errors import NotFound, RateLimited, ReverieError, UsageError
from reverie.domain.resources import Resource
from reverie.memory.stores import MemoryService
from reverie.storage import workspaces
from reverie.storage.database import Connection
from reverie.workspaces.agents import Agents
from reverie.workspaces.environments import ENVIRONMENT
from reverie.workspaces.resources import Resources
from reverie.workspaces.roster import members
from reverie.workspaces.session_resources import FILE
from reverie.workspaces.vaults import VAULT

__all__ = ["TRANSIENT", "Obstacle", "Obstacles", "refused"]

Said: TypeAlias = Mapping[str, Any]

TRANSIENT: Final = frozenset({"session_rate_limited_error", "session_creation_rejected_error"})
"""After these the schedule goes on: the next start may succeed. After any other it is paused."""


class Obstacle(NamedTuple):
    """Why a session was not started."""

    type: str
    message: str


class Obstacles:
    """Looks whether what a deployment refers to is still there."""

    def __init__(self, resources: Resources, agents: Agents, memory: MemoryService) -> None:
        self._resources = resources
        self._agents = agents
        self._memory = memory

    def first(self, body: Said, conn: Connection) -> Obstacle | None:
        """The first thing in the way; None when nothing is known to be."""
        return next(self._all(body, conn), None)

    def _all(self, body: Said, conn: Connection) -> Iterator[Obstacle]:
        home = workspaces.find(conn, self._resources.workspace)
        if home is not None and home.archived_at is not None:
            yield Obstacle("workspace_archived_error", f"the workspace {home.id} is archived")
        agent = self._agents.get(body["agent"]["id"], body["agent"]["version"], conn=conn)
        yield from self._archived_agents(agent, conn)
        environment = self._find(ENVIRONMENT, body["environment_id"], conn)
        if environment is None:
            yield Obstacle("environment_not_found_error", f"there is no environment {body['environment_id']}")
            return
        if environment.archived_at is not None:
            yield Obstacle("environment_archived_error", f"the environment {environment.id} is archived")
        yield from self._closed_vaults(body, conn)
        yield from self._missing_resources(body, environment, conn)
        yield from _blocked_servers(agent.body, environment.body["config"])

    def _archived_agents(self, agent: Resource, conn: Connection) -> Iterator[Obstacle]:
        called = (entry["id"] for _, entry in members(agent.body["multiagent"] or {}, ""))
        for agent_id in (agent.id, *called):
            if self._agents.get(agent_id, conn=conn).archived_at is not None:
                yield Obstacle("agent_archived_error", f"the agent {agent_id} is archived")

    def _closed_vaults(self, body: Said, conn: Connection) -> Iterator[Obstacle]:
        for vault_id in body["vault_ids"]:
            vault = self._find(VAULT, vault_id, conn)
            if vault is None:
                yield Obstacle("vault_not_found_error", f"there is no vault {vault_id}")
            elif vault.archived_at is not None:
                yield Obstacle("vault_archived_error", f"the vault {vault_id} is archived")

    def _missing_resources(self, body: Said, environment: Resource, conn: Connection) -> Iterator[Obstacle]:
        self_hosted = environment.body["config"]["type"] == "self_hosted"
        for resource in body["resources"]:
            if resource["type"] == "memory_store":
                yield from self._missing_store(resource["memory_store_id"], conn)
                continue
            if self_hosted:
                told = f"a self-hosted environment mounts no {resource['type']}"
                yield Obstacle("self_hosted_resources_unsupported_error", told)
            if resource["type"] == "file" and self._find(FILE, resource["file_id"], conn) is None:
                yield Obstacle("file_not_found_error", f"there is no file {resource['file_id']}")
        for file_id in _files(body["initial_events"]):
            if self._find(FILE, file_id, conn) is None:
                yield Obstacle("file_not_found_error", f"there is no file {file_id}")

    def _missing_store(self, store_id: str, conn: Connection) -> Iterator[Obstacle]:
        try:
            store = self._memory.store(store_id, conn=conn)
        except NotFound:
            yield Obstacle("session_resource_not_found_error", f"there is no memory store {store_id}")
            return
        if store.archived_at is not None:
            yield Obstacle("memory_store_archived_error", f"the memory store {store_id} is archived")

    def _find(self, kind: str, id: str, conn: Connection) -> Resource | None:
        try:
            return self._resources.get(kind, id, conn=conn)
        except NotFound:
            return None


def refused(error: ReverieError) -> Obstacle:
    """What a session's own refusal reads as."""
    if isinstance(error, RateLimited):
        return Obstacle("session_rate_limited_error", str(error))
    if isinstance(error, UsageError):
        return Obstacle("session_creation_rejected_error", str(error))
    return Obstacle("unknown_error", error.what)


def _files(events: Sequence[Said]) -> Iterator[str]:
    """The ids of the files that events refer to."""
    for event in events:
        blocks: Sequence[Said] = event.get("content", ())
        sources: list[Said] = [block["source"] for block in blocks if "source" in block]
        if "rubric" in event:
            sources.append(event["rubric"])
        yield from (source["file_id"] for source in sources if source["type"] == "file")


def _blocked_servers(agent: Said, config: Said) -> Iterator[Obstacle]:
    networking: Said | None = config.get("networking")
    if networking is None or networking["type"] == "unrestricted" or networking["allow_mcp_servers"]:
        return
    for server in agent["mcp_servers"]:
        url: str = server["url"]
        host = (urlsplit(url).hostname or "").lower()
        if not any(_matches(host, pattern.lower()) for pattern in networking["allowed_hosts"]):
            told = f"the environment lets nothing through to {host}, where the MCP server {server['name']} is"
            yield Obstacle("mcp_egress_blocked_error", told)


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
