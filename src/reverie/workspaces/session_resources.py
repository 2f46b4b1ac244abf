"""What is mounted in a session: files, repositories, memory stores. Kept in the session's own body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from reverie.domain.clock import iso
from reverie.domain.errors import Archived, Invalid, NotFound
from reverie.domain.ids import new_id
from reverie.memory.stores import MemoryService
from reverie.storage.database import Connection
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets

__all__ = ["FILE", "MAX_FILES", "MAX_STORES", "TOKEN", "Mounts", "absolute", "check", "refs"]

Said: TypeAlias = Mapping[str, Any]
Body: TypeAlias = dict[str, Any]

FILE: Final = "file"
MAX_FILES: Final = 500
MAX_STORES: Final = 8
TOKEN: Final = "authorization_token"  # noqa: S105  (its name)
_REPOSITORY: Final = re.compile(r"https://github\.com/[\w.-]+/(?P<name>[\w.-]+?)(?:\.git)?/?")
_SLUG: Final = re.compile(r"[^a-z0-9]+")


class Mounts:
    """Makes what a client asks to mount complete, and checks that it is there."""

    def __init__(
        self,
        resources: Resources,
        memory: MemoryService,
        secrets: Secrets,
        *,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._resources = resources
        self._memory = memory
        self._secrets = secrets
        self._entropy = entropy

    def all(self, conn: Connection, asked: Sequence[Said], at: datetime, *, self_hosted: bool) -> list[Body]:
        """The resources of a new session.

        Raises:
            NotFound: a file or a store that is not here.
            Archived: a store that is archived.
            Invalid: too many of a kind, one twice, two at one path; none but stores where self-hosted.
        """
        found: list[Body] = []
        for number, said in enumerate(asked):
            if self_hosted and said["type"] != "memory_store":
                limit = "memory_store: a self-hosted environment mounts nothing else"
                raise Invalid(f"resources[{number}].type", limit, said["type"])
            found.append(self._one(conn, said, at))
        check(found)
        return found

    def file(self, conn: Connection, said: Said, at: datetime) -> Body:
        """One more file.

        Raises:
            NotFound: no such file.
        """
        file_id: str = said["file_id"]
        self._resources.get(FILE, file_id, conn=conn)
        path = said.get("mount_path") or f"/mnt/session/uploads/{file_id}"
        return {**self._made("file", at), "file_id": file_id, "mount_path": absolute(path)}

    def rotate(self, conn: Connection, resource: Body, token: str, at: datetime) -> Body:
        """Another token for a repository.

        Raises:
            Invalid: it is no repository.
        """
        if resource["type"] != "github_repository":
            raise Invalid("authorization_token", "only of a github_repository", resource["type"])
        self._secrets.put(conn, resource["id"], TOKEN, token)
        return {**resource, "updated_at": iso(at)}

    def forget(self, conn: Connection, resource: Said) -> None:
        """Let go of what is kept of a resource elsewhere."""
        if resource["type"] == "github_repository":
            self._secrets.forget(conn, resource["id"])

    def _one(self, conn: Connection, said: Said, at: datetime) -> Body:
        if said["type"] == "file":
            return self.file(conn, said, at)
        if said["type"] == "memory_store":
            return self._store(conn, said, at)
        return self._repository(conn, said, at)

    def _repository(self, conn: Connection, said: Said, at: datetime) -> Body:
        url: str = said["url"]
        name = _REPOSITORY.fullmatch(url)
        if name is None:
            raise Invalid("resources.url", "https://github.com/OWNER/REPOSITORY", url)
        made = self._made("github_repository", at)
        if said.get(TOKEN):
            self._secrets.put(conn, made["id"], TOKEN, said[TOKEN])
        path = said.get("mount_path") or f"/workspace/{name['name']}"
        return {**made, "url": url, "checkout": said.get("checkout"), "mount_path": absolute(path)}

    def _store(self, conn: Connection, said: Said, at: datetime) -> Body:
        store_id: str = said["memory_store_id"]
        if not store_id.startswith("memstore_"):
            raise NotFound(f"there is no memory store {store_id!r}")
        store = self._memory.store(store_id, conn=conn)
        if store.archived_at is not None:
            raise Archived("the memory store is archived: no session mounts it", where=store_id)
        return {
            **self._made("memory_store", at),
            "memory_store_id": store.id,
            "access": said.get("access") or "read_write",
            "name": store.name,
            "description": store.description,
            "instructions": said.get("instructions"),
            "mount_path": f"/mnt/memory/{_SLUG.sub('-', store.name.lower()).strip('-') or store.id}",
        }

    def _made(self, type: str, at: datetime) -> Body:
        told = {"id": new_id("sesrsc", self._entropy), "type": type}
        return {**told, "created_at": iso(at), "updated_at": iso(at)}


def absolute(path: str) -> str:
    """A place in the container.

    Raises:
        Invalid: not absolute, or with ``..`` in it.
    """
    if not path.startswith("/") or "\x00" in path or {"..", "."} & set(path.split("/")):
        raise Invalid("mount_path", "an absolute path without . and ..", path)
    return path


def check(resources: Sequence[Said]) -> None:
    """Whether these can be in one session together.

    Raises:
        Invalid: they cannot.
    """
    for kind, most in (("file", MAX_FILES), ("memory_store", MAX_STORES)):
        count = sum(resource["type"] == kind for resource in resources)
        if count > most:
            raise Invalid("resources", f"at most {most} of type {kind}", count)
    for name in ("mount_path", "memory_store_id"):
        seen: set[str] = set()
        for resource in resources:
            value: str | None = resource.get(name)
            if value is None:
                continue
            if value in seen:
                raise Invalid(f"resources.{name}", "values that differ", value)
            seen.add(value)


def refs(resources: Sequence[Said]) -> list[str]:
    """The ids that these refer to."""
    return [r[name] for r in resources for name in ("file_id", "memory_store_id") if name in r]
