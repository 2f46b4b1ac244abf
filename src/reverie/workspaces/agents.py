"""Agents: what one is made of, and the versions it has been through.

Every change of an agent makes a version, which never changes again; a change that changes nothing makes
none. Archiving is for good, and takes the agent's deployments along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import Archived, Invalid
from reverie.domain.outcomes import GRADER
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.storage.database import Connection
from reverie.workspaces.grading import resolved_grader, resolved_model
from reverie.workspaces.metadata import patched, said
from reverie.workspaces.resources import Resources
from reverie.workspaces.roster import merged, pinned, shown
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.tools import CheckSchema, checked_servers, resolved_skills, resolved_tools
from reverie.workspaces.webhooks import Webhooks

__all__ = ["AGENT", "DEPLOYMENT", "Agents"]

AGENT: Final = "agent"
DEPLOYMENT: Final = "deployment"
_SERVICE_ACCOUNT: Final[Mapping[str, Any]] = {"type": "service_account"}

Said: TypeAlias = Mapping[str, Any]


class Agents:
    """The agents of one workspace. Bodies are complete: every default is said, a roster is pinned.

    All methods raise ``NotFound`` for an id that is not an agent of the workspace.
    """

    def __init__(
        self,
        resources: Resources,
        secrets: Secrets,
        webhooks: Webhooks,
        *,
        check_schema: CheckSchema,
        clock: Clock,
    ) -> None:
        self.check_schema: Final = check_schema
        """What holds schemas of tools to being such."""
        self._resources = resources
        self._secrets = secrets
        self._webhooks = webhooks
        self._clock = clock

    def create(self, asked: Said) -> Resource:
        """A new agent, at version 1.

        Raises:
            Invalid: tools, servers or a roster that do not fit together.
        """

        def work(conn: Connection) -> Resource:
            body = self._body(asked, {}, None, conn)
            agent = self._resources.create(AGENT, body, prefix="agent", keep_versions=True, conn=conn)
            self._webhooks.emit(conn, "agent.created", agent.id)
            return agent

        return _shown(self._resources.write(work))

    def get(self, agent_id: str, version: int | None = None, *, conn: Connection | None = None) -> Resource:
        """An agent, now or as it was."""
        if version is None:
            return _shown(self._resources.get(AGENT, agent_id, conn=conn))
        return _shown(self._resources.version(AGENT, agent_id, version, conn=conn))

    def versions(self, agent_id: str, *, after: int | None = None, limit: int = 20) -> list[Resource]:
        """The versions of an agent, newest first; those before ``after``."""
        return [
            _shown(found) for found in self._resources.versions(AGENT, agent_id, after=after, limit=limit)
        ]

    def update(self, agent_id: str, asked: Said) -> Resource:
        """Change an agent. What ``asked`` leaves out stays; see the wire for what null clears.

        Raises:
            Archived: it was archived.
            Conflict: ``asked["version"]`` is not its version now.
            Invalid: tools, servers or a roster that do not fit together.
        """
        expected = asked.get("version")

        def work(conn: Connection) -> Resource:
            before = self._resources.get(AGENT, agent_id, lock=True, conn=conn)
            agent = self._resources.change(
                AGENT,
                agent_id,
                partial(self._changed, asked, conn),
                expected_version=expected,
                keep_versions=True,
                conn=conn,
            )
            if agent.version != before.version:
                self._webhooks.emit(conn, "agent.updated", agent.id)
            return agent

        return _shown(self._resources.write(work))

    def archive(self, agent_id: str) -> Resource:
        """Archive an agent for good, and its deployments with it. Again is harmless."""
        now = self._clock()

        def work(conn: Connection) -> Resource:
            if (before := self._resources.get(AGENT, agent_id, lock=True, conn=conn)).archived_at is not None:
                return before
            for deployment in self._resources.list(DEPLOYMENT, parent=agent_id, conn=conn):
                archive = partial(_archived, now)
                self._secrets.forget(conn, deployment.id)
                self._resources.change(DEPLOYMENT, deployment.id, archive, conn=conn)
                self._webhooks.emit(conn, "deployment.archived", deployment.id)
            self._webhooks.emit(conn, "agent.archived", agent_id)
            return self._resources.change(
                AGENT, agent_id, partial(_archived, now), keep_versions=True, conn=conn
            )

        return _shown(self._resources.write(work))

    def list(
        self,
        *,
        created: Period = ALWAYS,
        archived: bool = False,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> list[Resource]:
        """Agents, newest first; archived ones too where ``archived``."""
        found = self._resources.list(
            AGENT,
            created=created,
            archived=None if archived else False,
            after=after,
            limit=limit,
        )
        return [_shown(agent) for agent in found]

    def _changed(self, asked: Said, conn: Connection, agent: Resource) -> Resource:
        if agent.archived_at is not None:
            raise Archived("the agent is archived and cannot be changed", where=agent.id)
        return replace(agent, body=self._body(asked, agent.body, agent.id, conn))

    def _body(self, asked: Said, stored: Said, owner: str | None, conn: Connection) -> dict[str, Any]:
        servers = checked_servers(said(asked, "mcp_servers", stored.get("mcp_servers"), empty=[]))
        tools = resolved_tools(
            said(asked, "tools", stored.get("tools"), empty=[]), servers, self.check_schema
        )
        model = _model(asked, stored)
        name = asked.get("name", stored.get("name"))
        if name == GRADER:
            raise Invalid("name", "not that of the platform's own grader", name)
        return {
            "name": name,
            "description": said(asked, "description", stored.get("description")) or None,
            "system": said(asked, "system", stored.get("system")) or None,
            "model": model,
            "mcp_servers": servers,
            "tools": tools,
            "skills": resolved_skills(said(asked, "skills", stored.get("skills"), empty=[])),
            "metadata": patched(stored.get("metadata", {}), asked.get("metadata")),
            "multiagent": self._roster(asked, stored, owner, model["inference_geo"], conn),
            "execution_identity": said(
                asked, "execution_identity", stored.get("execution_identity"), empty=_SERVICE_ACCOUNT
            ),
            **_grader(asked, stored),
        }

    def _roster(
        self, asked: Said, stored: Said, owner: str | None, geo: str | None, conn: Connection
    ) -> dict[str, Any] | None:
        before: dict[str, Any] | None = stored.get("multiagent")
        if "multiagent" not in asked:
            return before

        def find(agent_id: str, version: int | None) -> Resource:
            return self.get(agent_id, version, conn=conn)

        return pinned(merged(asked["multiagent"], before), owner=owner, geo=geo, find=find)


def _model(asked: Said, stored: Said) -> dict[str, Any]:
    before: dict[str, Any] | None = stored.get("model")
    if before is not None and "model" not in asked:
        return before
    return resolved_model(asked["model"], before)


def _grader(asked: Said, stored: Said) -> dict[str, Any]:
    """Nothing where nothing is said: agents made before have none either."""
    told: Said = said(asked, "grader", stored.get("grader"), empty={})
    found = resolved_grader(told)
    return {"grader": found} if found else {}


def _archived(now: datetime, resource: Resource) -> Resource:
    return replace(resource, archived_at=resource.archived_at or now)


def _shown(agent: Resource) -> Resource:
    roster = shown(agent.body["multiagent"], agent.id, agent.version)
    return replace(agent, body={**agent.body, "multiagent": roster})
