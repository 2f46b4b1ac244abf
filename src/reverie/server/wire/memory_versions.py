"""Versions of memories on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import field

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire
from reverie.server.wire.memories import View

__all__ = [
    "Actor",
    "ApiActor",
    "MemoryVersion",
    "MemoryVersionDiff",
    "MemoryVersionDiffQuery",
    "MemoryVersionGet",
    "MemoryVersionList",
    "ServiceAccountActor",
    "SessionActor",
    "UserActor",
]

Operation: TypeAlias = Literal["created", "modified", "deleted"]


class ApiActor(Wire, tag_field="type", tag="api_actor"):
    """Who wrote with an API key."""

    api_key_id: str


class SessionActor(Wire, tag_field="type", tag="session_actor"):
    """An agent that wrote in a session."""

    session_id: str


class UserActor(Wire, tag_field="type", tag="user_actor"):
    """A person, by the name they go by."""

    user_id: str


class ServiceAccountActor(Wire, tag_field="type", tag="service_account_actor"):
    """The house itself: a dream that wrote what it found, a store made by itself."""

    service_account_id: str


Actor: TypeAlias = ApiActor | SessionActor | UserActor | ServiceAccountActor


class MemoryVersion(Wire):
    """One change of a memory. ``version`` (from 1) and ``reason`` are ours."""

    id: str
    content: str | None
    content_sha256: str | None
    content_size_bytes: int | None
    created_at: Timestamp
    created_by: Actor | None
    memory_id: str
    memory_store_id: str
    operation: Operation
    path: str | None
    redacted_at: Timestamp | None
    redacted_by: Actor | None
    version: int
    reason: str | None
    proposal_id: str | None
    type: Literal["memory_version"] = "memory_version"


class MemoryVersionList(Ask):
    """A page of versions, newest first."""

    api_key_id: str | None = None
    created_at_gte: Timestamp | None = field(name="created_at[gte]", default=None)
    created_at_lte: Timestamp | None = field(name="created_at[lte]", default=None)
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    memory_id: str | None = None
    operation: Operation | None = None
    page: str | None = None
    service_account_id: str | None = None
    session_id: str | None = None
    view: View = "basic"


class MemoryVersionGet(Ask):
    """How much of a version is shown."""

    view: View = "full"


class MemoryVersionDiffQuery(Ask):
    """The version to compare with: the older side of the diff."""

    against: str


class MemoryVersionDiff(Wire):
    """A unified diff; empty where the texts are the same."""

    diff: str
    from_version_id: str
    to_version_id: str
    type: Literal["memory_version_diff"] = "memory_version_diff"
