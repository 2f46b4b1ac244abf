"""What is mounted in a session, on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = [
    "Branch",
    "Commit",
    "DeletedResource",
    "FileResource",
    "FileResourceAsk",
    "GithubRepository",
    "GithubRepositoryAsk",
    "MemoryStoreAsk",
    "MemoryStoreResource",
    "ResourceAsk",
    "ResourceList",
    "ResourceUpdate",
    "SessionResource",
    "resource_body",
]

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
MountPath: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1_024)]
Token: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4_096)]
Instructions: TypeAlias = Annotated[str, Meta(max_length=4_096)]


class Branch(Wire, tag_field="type", tag="branch"):
    """A branch."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]


class Commit(Wire, tag_field="type", tag="commit"):
    """A commit."""

    sha: Annotated[str, Meta(pattern="^[0-9a-f]{40}([0-9a-f]{24})?$")]


class _Mounted(Wire):
    id: str
    created_at: Timestamp
    updated_at: Timestamp


class FileResource(_Mounted, tag_field="type", tag="file"):
    """A file."""

    file_id: str
    mount_path: str


class GithubRepository(_Mounted, tag_field="type", tag="github_repository"):
    """A repository. Its token is never shown."""

    mount_path: str
    url: str
    checkout: Branch | Commit | None


class MemoryStoreResource(_Mounted, tag_field="type", tag="memory_store"):
    """A memory store, as it was named when the session began."""

    memory_store_id: str
    access: Literal["read_write", "read_only"]
    description: str
    instructions: str | None
    mount_path: str
    name: str


SessionResource: TypeAlias = FileResource | GithubRepository | MemoryStoreResource


class FileResourceAsk(Ask, tag_field="type", tag="file"):
    """Mount a file."""

    file_id: Id
    mount_path: MountPath | None = None


class GithubRepositoryAsk(Ask, tag_field="type", tag="github_repository"):
    """Mount a repository."""

    url: Annotated[str, Meta(min_length=1, max_length=2_048)]
    authorization_token: Token | None = None
    checkout: Branch | Commit | None = None
    mount_path: MountPath | None = None


class MemoryStoreAsk(Ask, tag_field="type", tag="memory_store"):
    """Mount a memory store."""

    memory_store_id: Id
    access: Literal["read_write", "read_only"] | None = None
    instructions: Instructions | None = None


ResourceAsk: TypeAlias = FileResourceAsk | GithubRepositoryAsk | MemoryStoreAsk


class ResourceUpdate(Ask):
    """Another token for a repository."""

    authorization_token: Token


class ResourceList(Ask):
    """A page of a session's resources; all of them where no limit is said."""

    limit: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    page: str | None = None


class DeletedResource(Wire):
    """It is unmounted."""

    id: str
    type: Literal["session_resource_deleted"] = "session_resource_deleted"


def resource_body(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource as the house keeps it, for the wire."""
    return dict(resource)
