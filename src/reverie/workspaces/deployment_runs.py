"""Runs of deployments: each is one attempt to start a session, recorded for good in the transaction that
starts it. What becomes of the session is the session's own story.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.clock import iso, time_or_none
from reverie.domain.errors import Archived, Conflict, ReverieError, StorageError
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.storage.database import Connection
from reverie.workspaces.agents import DEPLOYMENT
from reverie.workspaces.deployments import DUE_FROM, RUN, SCHEDULED, paused_by
from reverie.workspaces.obstacles import TRANSIENT, Obstacle, Obstacles, refused
from reverie.workspaces.resources import Resources
from reverie.workspaces.schedule import due, next_due
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.session_resources import TOKEN
from reverie.workspaces.sessions import Sessions
from reverie.workspaces.webhooks import Webhooks

__all__ = ["DeploymentRuns", "Trigger"]

Said: TypeAlias = Mapping[str, Any]
Trigger: TypeAlias = Literal["manual", "schedule"]

_OUTCOMES: Final = {False: "session", True: "error"}


class DeploymentRuns:
    """The runs of one workspace's deployments. Methods raise ``NotFound`` for an id that is not of it."""

    def __init__(
        self,
        resources: Resources,
        sessions: Sessions,
        obstacles: Obstacles,
        secrets: Secrets,
        webhooks: Webhooks,
    ) -> None:
        self._resources = resources
        self._sessions = sessions
        self._obstacles = obstacles
        self._secrets = secrets
        self._webhooks = webhooks

    def run(self, deployment_id: str) -> Resource:
        """Start a session now, paused or not. Where none can be started, the run says why.

        Raises:
            Archived: the deployment is archived.
        """
        return self._start(deployment_id, {"type": "manual"}, None)

    def fire(self, deployment_id: str, scheduled_at: datetime) -> Resource:
        """Start the session that a schedule wants at ``scheduled_at``; once, however often it is asked for.
        A failure that the next start would meet again pauses the deployment.

        Raises:
            Archived: the deployment is archived.
            Conflict: that start was made before, or the deployment is paused.
        """
        context = {"type": "schedule", "scheduled_at": iso(scheduled_at)}
        return self._start(deployment_id, context, _key(deployment_id, scheduled_at))

    def attend(self, deployment_id: str, now: datetime) -> datetime | None:
        """Make the start that is due at ``now``, unless it was made: of several that nobody attended, the last.
        When to look again; None: not before it is changed."""
        found = self._resources.get(DEPLOYMENT, deployment_id)
        schedule: Said | None = found.body["schedule"]
        if schedule is None or found.status != SCHEDULED or found.archived_at is not None:
            return None
        cron: tuple[str, str] = schedule["expression"], schedule["timezone"]
        since = time_or_none(found.body.get(DUE_FROM)) or found.updated_at
        slot = due(*cron, since, now, deployment_id)
        if slot is not None and not self._resources.taken(RUN, _key(deployment_id, slot)):
            with suppress(Conflict, Archived):  # another process was faster; or it was paused just now
                self.fire(deployment_id, slot)
        return next_due(*cron, now, deployment_id)

    def get(self, run_id: str) -> Resource:
        """A run."""
        return self._resources.get(RUN, run_id)

    def list(
        self,
        *,
        deployment_id: str | None = None,
        has_error: bool | None = None,
        trigger: Trigger | None = None,
        created: Period = ALWAYS,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> builtins.list[Resource]:
        """Runs, newest first."""
        triggers = ("manual", "schedule") if trigger is None else (trigger,)
        outcomes = (False, True) if has_error is None else (has_error,)
        statuses = [f"{by}+{_OUTCOMES[failed]}" for by in triggers for failed in outcomes]
        return self._resources.list(
            RUN, parent=deployment_id, statuses=statuses, created=created, after=after, limit=limit
        )

    # ------------------------------------------------------------------ inside

    def _start(self, deployment_id: str, context: Said, key: str | None) -> Resource:
        deployment, obstacle = self._resources.write(partial(self._looked_at, deployment_id, key))
        if obstacle is None:
            try:
                return self._succeeded(deployment, context, key)
            except (Conflict, StorageError):
                raise  # made before; or the database, which could not keep a record either
            except ReverieError as error:
                obstacle = refused(error)
        return self._resources.write(partial(self._failed, deployment, context, key, obstacle))

    def _looked_at(
        self, deployment_id: str, key: str | None, conn: Connection
    ) -> tuple[Resource, Obstacle | None]:
        found = self._resources.get(DEPLOYMENT, deployment_id, conn=conn)
        if found.archived_at is not None:
            raise Archived("the deployment is archived and starts nothing", where=deployment_id)
        if key is not None and found.body["paused_reason"] is not None:
            raise Conflict("the deployment is paused", where=deployment_id)
        return found, self._obstacles.first(found.body, conn)

    def _succeeded(self, deployment: Resource, context: Said, key: str | None) -> Resource:
        made: builtins.list[Resource] = []

        def record(conn: Connection, session_id: str) -> None:
            body = {**_run(deployment, context), "session_id": session_id, "error": None}
            made[:] = [self._record(deployment, body, key, conn)]

        asked = self._resources.write(partial(self._asked, deployment))
        self._sessions.create(asked, deployment=deployment.id, also=record)
        return made[0]

    def _failed(
        self, deployment: Resource, context: Said, key: str | None, why: Obstacle, conn: Connection
    ) -> Resource:
        error = {"type": why.type, "message": why.message}
        run = self._record(
            deployment, {**_run(deployment, context), "session_id": None, "error": error}, key, conn
        )
        if key is not None and why.type not in TRANSIENT:
            reason = {"type": "error", "error": {"type": why.type}}
            self._resources.change(DEPLOYMENT, deployment.id, paused_by(reason), conn=conn)
            self._webhooks.emit(conn, "deployment.paused", deployment.id)
        return run

    def _record(
        self, deployment: Resource, body: dict[str, Any], key: str | None, conn: Connection
    ) -> Resource:
        failed = body["error"] is not None
        status = f"{body['trigger_context']['type']}+{_OUTCOMES[failed]}"
        run = self._resources.create(
            RUN, body, prefix="drun", parent=deployment.id, status=status, key=key, conn=conn
        )
        if key is not None:  # nobody needs to be told of what they asked for themselves
            self._webhooks.emit(conn, "deployment_run.started", run.id)
            self._webhooks.emit(conn, f"deployment_run.{'failed' if failed else 'succeeded'}", run.id)
        return run

    def _asked(self, deployment: Resource, conn: Connection) -> dict[str, Any]:
        """What the session is made of: the deployment's body, with the tokens that it does not show."""
        body = deployment.body
        tokens = self._secrets.names(conn, deployment.id)
        resources: Sequence[Said] = [
            {**resource, TOKEN: self._secrets.get(conn, deployment.id, name)}
            if (name := f"{TOKEN}:{number}") in tokens
            else resource
            for number, resource in enumerate(body["resources"])
        ]
        same = {
            key: body[key] for key in ("agent", "environment_id", "initial_events", "vault_ids", "budget")
        }
        return {**same, "resources": resources, "title": body["name"]}


def _key(deployment_id: str, scheduled_at: datetime) -> str:
    """What no two runs share."""
    return f"{deployment_id}@{iso(scheduled_at)}"


def _run(deployment: Resource, context: Said) -> dict[str, Any]:
    return {"agent": deployment.body["agent"], "trigger_context": dict(context)}
