"""Environments: where sessions run. A sandbox that Reverie makes, or workers of one's own (``work``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import Archived, Conflict, Invalid
from reverie.domain.resources import Cursor, Resource
from reverie.storage import managed
from reverie.storage import work as queues
from reverie.storage.database import Connection
from reverie.workspaces.metadata import patched, said
from reverie.workspaces.resources import Resources
from reverie.workspaces.webhooks import Webhooks

__all__ = ["ENVIRONMENT", "Environments", "resolved_config"]

ENVIRONMENT: Final = "environment"
_MANAGERS: Final = ("apt", "cargo", "gem", "go", "npm", "pip")
_UNRESTRICTED: Final[Mapping[str, Any]] = {"type": "unrestricted"}
_CLOSED: Final[Mapping[str, Any]] = {
    "allow_mcp_servers": False,
    "allow_package_managers": False,
    "allowed_hosts": (),
}
_NONE: Final[Mapping[str, Any]] = dict.fromkeys(_MANAGERS, ())
_DEPLOYMENT: Final = "deployment"

Said: TypeAlias = Mapping[str, Any]


class Environments:
    """The environments of one workspace. Bodies are complete: every default is said.

    All methods raise ``NotFound`` for an id that is not an environment of the workspace.
    """

    def __init__(self, resources: Resources, webhooks: Webhooks, *, clock: Clock) -> None:
        self._resources = resources
        self._webhooks = webhooks
        self._clock = clock

    def create(self, asked: Said) -> Resource:
        """A new environment.

        Raises:
            Invalid: packages without a way to fetch them.
        """
        config = resolved_config(asked.get("config") or {"type": "cloud"}, None)
        body = {
            "name": asked["name"],
            "description": asked.get("description"),
            "metadata": patched({}, asked.get("metadata")),
            "config": config,
            "scope": _scope(asked.get("scope")),
        }

        def work(conn: Connection) -> Resource:
            made = self._resources.create(ENVIRONMENT, body, prefix="env", status=config["type"], conn=conn)
            self._webhooks.emit(conn, "environment.created", made.id)
            return made

        return self._resources.write(work)

    def get(self, environment_id: str, *, conn: Connection | None = None) -> Resource:
        """An environment."""
        return self._resources.get(ENVIRONMENT, environment_id, conn=conn)

    def kept(self, environment_id: str, conn: Connection) -> Resource:
        """An environment that something is about to refer to: it is not deleted before ``conn`` commits."""
        return self._resources.get(ENVIRONMENT, environment_id, share=True, conn=conn)

    def update(self, environment_id: str, asked: Said) -> Resource:
        """Change an environment; what ``asked`` leaves out stays, inside its configuration too.

        Raises:
            Archived: it was archived.
            Invalid: a configuration of another type, or packages without a way to fetch them.
        """

        def work(conn: Connection) -> Resource:
            before = self._resources.get(ENVIRONMENT, environment_id, lock=True, conn=conn)
            change = partial(_changed, asked)
            after = self._resources.change(ENVIRONMENT, environment_id, change, conn=conn)
            if after.version != before.version:
                self._webhooks.emit(conn, "environment.updated", environment_id)
            return after

        return self._resources.write(work)

    def archive(self, environment_id: str) -> Resource:
        """Archive an environment: no new session starts in it. Again is harmless."""
        now = self._clock()

        def work(conn: Connection) -> Resource:
            before = self._resources.get(ENVIRONMENT, environment_id, lock=True, conn=conn)
            if before.archived_at is not None:
                return before
            self._webhooks.emit(conn, "environment.archived", environment_id)
            archived = partial(replace, archived_at=now)
            return self._resources.change(ENVIRONMENT, environment_id, archived, conn=conn)

        return self._resources.write(work)

    def delete(self, environment_id: str) -> Resource:
        """Delete an environment that nothing refers to.

        Raises:
            Conflict: a session or a deployment refers to it: archive it instead.
        """

        def work(conn: Connection) -> Resource:
            self._resources.get(ENVIRONMENT, environment_id, lock=True, conn=conn)
            self._check_unused(environment_id, conn)
            queues.remove(conn, environment_id)
            self._webhooks.emit(conn, "environment.deleted", environment_id)
            return self._resources.delete(ENVIRONMENT, environment_id, conn=conn)

        return self._resources.write(work)

    def list(self, *, archived: bool = False, after: Cursor | None = None, limit: int = 20) -> list[Resource]:
        """Environments, newest first; archived ones too where ``archived``."""
        return self._resources.list(
            ENVIRONMENT, archived=None if archived else False, after=after, limit=limit
        )

    def _check_unused(self, environment_id: str, conn: Connection) -> None:
        refers = managed.Filters(refers=(environment_id,), archived=True)
        if sessions := managed.listed(conn, refers, limit=1):
            raise Conflict(
                f"the session {sessions[0].id} runs or ran in it",
                where=environment_id,
                hint="archive the environment, or delete its sessions first",
            )
        for deployment in self._resources.list(_DEPLOYMENT, conn=conn):
            if deployment.body["environment_id"] == environment_id:
                raise Conflict(
                    f"the deployment {deployment.id} starts sessions in it",
                    where=environment_id,
                    hint="archive the deployment, or the environment",
                )


def resolved_config(asked: Said, stored: Said | None) -> dict[str, Any]:
    """A configuration with every default said, on top of the stored one.

    Raises:
        Invalid: the type is not the stored one, or packages could not be fetched.
    """
    if stored is not None and asked["type"] != stored["type"]:
        raise Invalid("config.type", f"{stored['type']}: the type of an environment stays", asked["type"])
    if asked["type"] == "self_hosted":
        return {"type": "self_hosted"}
    before: Said = stored or {"networking": _UNRESTRICTED, "packages": {}}
    networking = _networking(asked.get("networking"), before["networking"])
    packages = _packages(asked.get("packages") or {}, before["packages"])
    wanted = [name for name in _MANAGERS if packages[name]]
    if wanted and not networking.get("allow_package_managers", True):
        raise Invalid(
            "config.packages", "none, unless networking.allow_package_managers is true", ", ".join(wanted)
        )
    return {"type": "cloud", "networking": networking, "packages": packages}


def _networking(asked: Said | None, stored: Said) -> dict[str, Any]:
    if asked is None:
        return dict(stored)
    if asked["type"] == "unrestricted":
        return dict(asked)
    base = stored if stored["type"] == "limited" else _CLOSED
    return {"type": "limited", **{key: said(asked, key, base[key], empty=base[key]) for key in _CLOSED}}


def _packages(asked: Said, stored: Said) -> dict[str, Any]:
    kept = {name: said(asked, name, before, empty=before) for name, before in {**_NONE, **stored}.items()}
    return {**kept, "type": "packages"}


def _changed(asked: Said, environment: Resource) -> Resource:
    if environment.archived_at is not None:
        raise Archived("the environment is archived and cannot be changed", where=environment.id)
    body = environment.body
    config = (
        body["config"] if asked.get("config") is None else resolved_config(asked["config"], body["config"])
    )
    changed = {
        "name": said(asked, "name", body["name"], empty=body["name"]),
        "description": asked.get("description", body["description"]),
        "metadata": patched(body["metadata"], asked.get("metadata"), empty_deletes=True),
        "config": config,
        "scope": _scope(said(asked, "scope", body["scope"], empty=body["scope"])),
    }
    return replace(environment, body=changed)


def _scope(asked: str | None) -> Literal["organization"]:
    if asked == "account":
        raise Invalid("scope", "organization: there are no accounts here", asked)
    return "organization"
