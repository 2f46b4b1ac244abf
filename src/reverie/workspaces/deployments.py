"""Deployments: an agent with all it needs to start sessions by itself, by a schedule or when somebody asks.

What a deployment refers to is looked up when it is saved, and again at each start: see ``deployment_runs``.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.clock import Clock, iso
from reverie.domain.errors import Archived, Invalid, UsageError
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.memory.stores import MemoryService
from reverie.storage.database import Connection
from reverie.workspaces.agents import DEPLOYMENT, Agents
from reverie.workspaces.environments import Environments
from reverie.workspaces.files import Files
from reverie.workspaces.grading import resolved_grader, rubric_text
from reverie.workspaces.metadata import patched, said
from reverie.workspaces.resources import Resources
from reverie.workspaces.schedule import checked, upcoming
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.session_resources import FILE, TOKEN
from reverie.workspaces.vaults import Vaults
from reverie.workspaces.webhooks import Webhooks

__all__ = [
    "DUE_FROM",
    "MAX_SCHEDULED",
    "RUN",
    "SCHEDULED",
    "DeploymentView",
    "Deployments",
    "Status",
    "paused_by",
    "status_of",
]

RUN: Final = "deployment_run"
MAX_SCHEDULED: Final = 1_000
DUE_FROM: Final = "due_from"
"""Of a body: since when its schedule counts. What was due before is not caught up on."""
_SCHEDULED: Final = "+schedule"  # behind a status: what is counted must be a column
SCHEDULED: Final = "active" + _SCHEDULED
"""The status of those that start by themselves."""
_STARTED: Final = "schedule+session"
_UPCOMING: Final = 5

Said: TypeAlias = Mapping[str, Any]
Status: TypeAlias = Literal["active", "paused"]


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment, with what is computed of it: when it is due next, and when it last started by itself."""

    resource: Resource
    upcoming: tuple[datetime, ...]
    last_run_at: datetime | None


class Deployments:
    """The deployments of one workspace. All methods raise ``NotFound`` for an id that is not one of them."""

    def __init__(
        self,
        resources: Resources,
        *,
        agents: Agents,
        environments: Environments,
        vaults: Vaults,
        files: Files,
        memory: MemoryService,
        secrets: Secrets,
        webhooks: Webhooks,
        clock: Clock,
    ) -> None:
        self._resources = resources
        self._agents = agents
        self._environments = environments
        self._vaults = vaults
        self._files = files
        self._memory = memory
        self._secrets = secrets
        self._webhooks = webhooks
        self._clock = clock

    def create(self, asked: Said) -> DeploymentView:
        """A new deployment, active.

        Raises:
            NotFound: an agent, environment, vault, file or store that is not here.
            Archived: one that is archived.
            Invalid: events or a schedule that are none; the 1,001st schedule.
        """
        asked = self._looked_at(asked)

        def work(conn: Connection) -> Resource:
            body = self._body(asked, {}, conn)
            status = status_of("active", body)
            self._check_scheduled(status, conn)
            agent_id = body["agent"]["id"]
            made = self._resources.create(
                DEPLOYMENT, body, prefix="depl", parent=agent_id, status=status, conn=conn
            )
            self._keep_tokens(made.id, asked, conn)
            self._webhooks.emit(conn, "deployment.created", made.id)
            return made

        return self._view(self._resources.write(work))

    def get(self, deployment_id: str) -> DeploymentView:
        """A deployment."""
        return self._view(self._resources.get(DEPLOYMENT, deployment_id))

    def update(self, deployment_id: str, asked: Said) -> DeploymentView:
        """Change a deployment; what ``asked`` leaves out stays.

        Raises:
            Archived: it is archived.
            NotFound, Invalid: as for ``create``.
        """
        asked = self._looked_at(asked)

        def work(conn: Connection) -> Resource:
            before = self._held(deployment_id, conn)
            body = self._body(asked, before.body, conn)
            status = status_of(_plain(before), body)
            if status != before.status:
                self._check_scheduled(status, conn)
            self._keep_tokens(deployment_id, asked, conn)
            change = partial(replace, body=body, status=status, parent=body["agent"]["id"])
            after = self._resources.change(DEPLOYMENT, deployment_id, change, conn=conn)
            if after.version != before.version:
                self._webhooks.emit(conn, "deployment.updated", deployment_id)
            return after

        return self._view(self._resources.write(work))

    def archive(self, deployment_id: str) -> DeploymentView:
        """Archive a deployment for good. Again is harmless."""
        now = self._clock()

        def work(conn: Connection) -> Resource:
            found = self._resources.get(DEPLOYMENT, deployment_id, lock=True, conn=conn)
            if found.archived_at is not None:
                return found
            self._secrets.forget(conn, deployment_id)
            self._webhooks.emit(conn, "deployment.archived", deployment_id)
            archived = partial(replace, archived_at=now)
            return self._resources.change(DEPLOYMENT, deployment_id, archived, conn=conn)

        return self._view(self._resources.write(work))

    def pause(self, deployment_id: str) -> DeploymentView:
        """Let no schedule start it; people still can. Again is harmless.

        Raises:
            Archived: it is archived.
        """
        return self._turn(deployment_id, "paused", {"type": "manual"})

    def unpause(self, deployment_id: str) -> DeploymentView:
        """Let the schedule start it again, from now on: nothing is caught up on. Again is harmless.

        Raises:
            Archived: it is archived.
        """
        return self._turn(deployment_id, "active", None)

    def list(
        self,
        *,
        agent_id: str | None = None,
        status: Status | None = None,
        created: Period = ALWAYS,
        archived: bool = False,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> builtins.list[DeploymentView]:
        """Deployments, newest first."""
        found = self._resources.list(
            DEPLOYMENT,
            parent=agent_id,
            statuses=None if status is None else (status, status + _SCHEDULED),
            created=created,
            archived=None if archived else False,
            after=after,
            limit=limit,
        )
        return [self._view(deployment) for deployment in found]

    # ------------------------------------------------------------------ inside

    def _held(self, deployment_id: str, conn: Connection) -> Resource:
        found = self._resources.get(DEPLOYMENT, deployment_id, lock=True, conn=conn)
        if found.archived_at is not None:
            raise Archived("the deployment is archived and cannot be changed", where=deployment_id)
        return found

    def _turn(self, deployment_id: str, to: Status, reason: Said | None) -> DeploymentView:
        now = iso(self._clock())

        def turned(found: Resource) -> Resource:
            after = paused_by(reason)(found)
            return after if reason else replace(after, body={**after.body, DUE_FROM: now})

        def work(conn: Connection) -> Resource:
            found = self._held(deployment_id, conn)
            if _plain(found) == to:
                return found
            self._webhooks.emit(conn, f"deployment.{'paused' if reason else 'unpaused'}", deployment_id)
            return self._resources.change(DEPLOYMENT, deployment_id, turned, conn=conn)

        return self._view(self._resources.write(work))

    def _check_scheduled(self, status: str, conn: Connection) -> None:
        if not status.endswith(_SCHEDULED):
            return
        every = tuple(name + _SCHEDULED for name in ("active", "paused"))
        if (count := self._resources.count(DEPLOYMENT, statuses=every, conn=conn)) >= MAX_SCHEDULED:
            raise Invalid("schedule", f"at most {MAX_SCHEDULED} deployments with one", count + 1)

    def _keep_tokens(self, deployment_id: str, asked: Said, conn: Connection) -> None:
        """Tokens of repositories are sealed under their places; a new list of resources drops the old ones."""
        if "resources" not in asked:
            return
        self._secrets.forget(conn, deployment_id)
        for number, resource in enumerate(asked["resources"] or ()):
            if resource.get(TOKEN):
                self._secrets.put(conn, deployment_id, f"{TOKEN}:{number}", resource[TOKEN])

    def _view(self, deployment: Resource) -> DeploymentView:
        schedule: Said | None = deployment.body["schedule"]
        if schedule is None:
            return DeploymentView(deployment, (), None)
        due: Sequence[datetime] = ()
        if deployment.archived_at is None:
            due = upcoming(schedule["expression"], schedule["timezone"], self._clock(), _UPCOMING)
        last = self._resources.list(RUN, parent=deployment.id, statuses=(_STARTED,), limit=1)
        return DeploymentView(deployment, tuple(due), last[0].created_at if last else None)

    def _body(self, asked: Said, stored: Said, conn: Connection) -> dict[str, Any]:
        schedule = _or_stored("schedule", asked, stored, _schedule, None)
        same = schedule == stored.get("schedule")
        return {
            "name": asked.get("name", stored.get("name")),
            "description": said(asked, "description", stored.get("description")) or None,
            "agent": _or_stored("agent", asked, stored, partial(self._agent, conn)),
            "environment_id": _or_stored("environment_id", asked, stored, partial(self._environment, conn)),
            "initial_events": asked.get("initial_events", stored.get("initial_events")),
            "metadata": patched(stored.get("metadata", {}), asked.get("metadata")),
            "resources": _or_stored("resources", asked, stored, partial(self._mounts, conn), []),
            "schedule": schedule,
            DUE_FROM: stored.get(DUE_FROM) if same else iso(self._clock()),
            "vault_ids": _or_stored("vault_ids", asked, stored, partial(self._open_vaults, conn), []),
            "budget": said(asked, "budget", stored.get("budget")),
            "paused_reason": stored.get("paused_reason"),
        }

    def _agent(self, conn: Connection, asked: str | Said) -> dict[str, Any]:
        agent_id, version = (asked, None) if isinstance(asked, str) else (asked["id"], asked.get("version"))
        agent = self._agents.get(agent_id, version, conn=conn)
        if agent.archived_at is not None:
            raise Archived("the agent is archived and is not deployed any more", where=agent.id)
        return {"type": "agent", "id": agent.id, "version": agent.version}

    def _environment(self, conn: Connection, environment_id: str) -> str:
        if self._environments.kept(environment_id, conn).archived_at is not None:
            raise Archived("the environment is archived: no session starts in it", where=environment_id)
        return environment_id

    def _open_vaults(self, conn: Connection, vault_ids: Sequence[str]) -> builtins.list[str]:
        for vault_id in vault_ids:
            if self._vaults.get(vault_id, conn=conn).archived_at is not None:
                raise Archived("the vault is archived: no session opens it", where=vault_id)
        return list(dict.fromkeys(vault_ids))

    def _mounts(self, conn: Connection, asked: Sequence[Said]) -> builtins.list[dict[str, Any]]:
        for resource in asked:
            if resource["type"] == "file":
                self._resources.get(FILE, resource["file_id"], conn=conn)
            elif resource["type"] == "memory_store":
                store = self._memory.store(resource["memory_store_id"], conn=conn)
                if store.archived_at is not None:
                    raise Archived("the memory store is archived: no session mounts it", where=store.id)
        return [{key: value for key, value in resource.items() if key != TOKEN} for resource in asked]

    def _looked_at(self, asked: Said) -> Said:
        """What is asked for, its first events checked: that reads files, and no transaction waits for it."""
        if "initial_events" not in asked:
            return asked
        return {**asked, "initial_events": self._events(asked["initial_events"])}

    def _events(self, asked: Sequence[Said]) -> builtins.list[Said]:
        """The first events, in an order that a session takes."""
        types = [event["type"] for event in asked]
        if (outcomes := types.count("user.define_outcome")) > 1:
            raise Invalid("initial_events", "at most one user.define_outcome", outcomes)
        for number, type_ in enumerate(types):
            follows = number > 0 and types[number - 1] == "user.message"
            if type_ == "system.message" and (number + 1 < len(types) or not follows):
                where = f"initial_events[{number}]"
                raise UsageError(
                    "a system.message is the last event, right behind a user.message", where=where
                )
        return [self._event(event, f"initial_events[{number}]") for number, event in enumerate(asked)]

    def _event(self, asked: Said, field: str) -> Said:
        """An event as each session is sent it. A rubric that was uploaded stays one: it is read when it is used."""
        if asked["type"] != "user.define_outcome":
            return asked
        rubric_text(asked["rubric"], f"{field}.rubric", self._files)
        said = {name: value for name, value in asked.items() if name != "grader"}
        grader = resolved_grader(asked.get("grader") or {})
        return {**said, "grader": grader} if grader else said


def paused_by(reason: Said | None) -> Callable[[Resource], Resource]:
    """The change that pauses a deployment for a reason; None: that lets it go on."""

    def change(deployment: Resource) -> Resource:
        body = {**deployment.body, "paused_reason": reason}
        return replace(
            deployment, body=body, status=status_of("active" if reason is None else "paused", body)
        )

    return change


def status_of(status: Status, body: Said) -> str:
    """The column that tells a deployment's status, and whether it has a schedule."""
    return status if body["schedule"] is None else status + _SCHEDULED


def _plain(deployment: Resource) -> Status:
    return "active" if deployment.body["paused_reason"] is None else "paused"


def _or_stored(key: str, asked: Said, stored: Said, made: Callable[[Any], Any], empty: Any = None) -> Any:
    """``made`` of what is asked for; the stored value where nothing is, ``empty`` where null is."""
    if key not in asked:
        return stored.get(key, empty)
    return empty if asked[key] is None else made(asked[key])


def _schedule(asked: Said) -> dict[str, Any]:
    checked(asked["expression"], asked["timezone"])
    return {"type": "cron", "expression": asked["expression"], "timezone": asked["timezone"]}
