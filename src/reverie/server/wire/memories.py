"""Memories on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire

__all__ = [
    "DeletedMemory",
    "Memory",
    "MemoryCreate",
    "MemoryDelete",
    "MemoryGet",
    "MemoryList",
    "MemoryListItem",
    "MemoryPrefix",
    "MemoryUpdate",
    "MemoryWrite",
    "Precondition",
    "Sha256",
    "View",
]

View: TypeAlias = Literal["basic", "full"]
Sha256: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Memory(Wire, tag_field="type", tag="memory"):
    """A text at a path. ``content`` is null where only the basics were asked for. ``warnings`` (what is
    nearly full) is ours."""

    id: str
    content: str | None
    content_sha256: str
    content_size_bytes: int
    created_at: Timestamp
    memory_store_id: str
    memory_version_id: str
    path: str
    updated_at: Timestamp
    warnings: list[str]


class MemoryPrefix(Wire, tag_field="type", tag="memory_prefix"):
    """Stands for the memories that lie deeper than was asked for."""

    path: str


MemoryListItem: TypeAlias = Memory | MemoryPrefix


class MemoryCreate(Ask):
    """A new memory. Null is an empty text."""

    content: str | None
    path: str


class Precondition(Ask):
    """What must hold for an update to happen."""

    type: Literal["content_sha256"]
    content_sha256: Sha256 | UnsetType = UNSET


class MemoryUpdate(Ask):
    """What changes; a field left out or null stays."""

    content: str | UnsetType | None = UNSET
    path: str | UnsetType | None = UNSET
    precondition: Precondition | UnsetType | None = UNSET


class MemoryWrite(Ask):
    """How much of the memory the answer to a write shows."""

    view: View = "basic"


class MemoryGet(Ask):
    """How much of one thing is shown."""

    view: View = "full"


class MemoryList(Ask):
    """A page of memories, by path. ``depth`` 1 shows one level and rolls up what lies deeper."""

    depth: Annotated[int, Meta(ge=0, le=1)] = 0
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
    path_prefix: str | None = None
    view: View = "basic"


class MemoryDelete(Ask):
    """What the memory must be for the deletion to happen."""

    expected_content_sha256: Sha256 | None = None


class DeletedMemory(Wire):
    """That a memory is gone; its versions stay."""

    id: str
    type: Literal["memory_deleted"] = "memory_deleted"
