"""Agents over HTTP."""

from __future__ import annotations

from typing import Final

import msgspec

from reverie.domain.errors import Invalid
from reverie.domain.resources import Cursor, Resource
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place, since
from reverie.server.wire.agents import Agent, AgentCreate, AgentGet, AgentList, AgentUpdate, VersionList

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/agents"


def _create(call: Call[AgentCreate, None]) -> Agent:
    return _agent(call.house.agents.create(msgspec.to_builtins(call.body)))


def _retrieve(call: Call[None, AgentGet]) -> Agent:
    return _agent(call.house.agents.get(call.path["agent_id"], call.query.version))


def _update(call: Call[AgentUpdate, None]) -> Agent:
    return _agent(call.house.agents.update(call.path["agent_id"], msgspec.to_builtins(call.body)))


def _archive(call: Call[None, None]) -> Agent:
    return _agent(call.house.agents.archive(call.path["agent_id"]))


def _list(call: Call[None, AgentList]) -> Page[Agent]:
    query = call.query
    found = call.house.agents.list(
        created=since(query),
        archived=query.include_archived,
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, place, _agent)


def _versions(call: Call[None, VersionList]) -> Page[Agent]:
    agent_id, limit = call.path["agent_id"], call.query.limit
    before = _version_of(after(call.query.page), agent_id)
    found = call.house.agents.versions(agent_id, after=before, limit=limit + 1)
    return page(found, limit, lambda agent: (agent.updated_at, str(agent.version)), _agent)


def _version_of(cursor: Cursor | None, agent_id: str) -> int | None:
    """Versions are listed by number: the cursor says it in the place of an id."""
    if cursor is None:
        return None
    if not cursor[1].isdigit() or len(cursor[1]) > 18:
        raise Invalid("page", f"a cursor that the list of versions of {agent_id} gave", cursor[1])
    return int(cursor[1])


def _agent(resource: Resource) -> Agent:
    found: Agent = answered(resource, Agent, version=resource.version)
    return found


_ITEM: Final = f"{_PATH}/{{agent_id}}"

ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Agent, "agents:write", body=AgentCreate, tag="agents",
             summary="Make an agent"),
    Endpoint("GET", _PATH, _list, Page[Agent], "agents:read", query=AgentList, tag="agents",
             summary="List agents, newest first"),
    Endpoint("GET", _ITEM, _retrieve, Agent, "agents:read", query=AgentGet, tag="agents",
             summary="An agent, now or at a version"),
    Endpoint("POST", _ITEM, _update, Agent, "agents:write", body=AgentUpdate, tag="agents",
             summary="Change an agent: a new version"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, Agent, "agents:write", tag="agents",
             summary="Archive an agent, for good"),
    Endpoint("GET", f"{_ITEM}/versions", _versions, Page[Agent], "agents:read", query=VersionList, tag="agents",
             summary="The versions of an agent, newest first"),
)  # fmt: skip
