"""Memory stores on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import field

from reverie.server.wire.agents import Metadata, MetadataPatch
from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire

__all__ = [
    "DeletedMemoryStore",
    "MemoryStore",
    "MemoryStoreCreate",
    "MemoryStoreList",
    "MemoryStoreUpdate",
    "SearchHit",
    "SearchQuery",
]

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Description: TypeAlias = Annotated[str, Meta(max_length=1024)]


class MemoryStore(Wire):
    """A named set of memories. ``memory_count`` and ``warnings`` (what is nearly full) are ours."""

    id: str
    archived_at: Timestamp | None
    created_at: Timestamp
    description: str
    metadata: dict[str, str]
    name: str
    updated_at: Timestamp
    memory_count: int
    warnings: list[str]
    type: Literal["memory_store"] = "memory_store"


class MemoryStoreCreate(Ask):
    """A new store. Names need not be unique."""

    name: Name
    description: Description | None = None
    metadata: Metadata | None = None


class MemoryStoreUpdate(Ask):
    """What changes; a field left out or null stays. Of the metadata, a key with null goes."""

    name: Name | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET


class MemoryStoreList(Ask):
    """A page of stores, newest first."""

    created_at_gte: Timestamp | None = field(name="created_at[gte]", default=None)
    created_at_lte: Timestamp | None = field(name="created_at[lte]", default=None)
    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None


class DeletedMemoryStore(Wire):
    """That a store is gone, with all that was in it."""

    id: str
    type: Literal["memory_store_deleted"] = "memory_store_deleted"


class SearchQuery(Ask):
    """Words to look for; anything may be typed, it is never syntax."""

    query: Annotated[str, Meta(min_length=1, max_length=1000)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class SearchHit(Wire):
    """A memory that holds every word. ``rank`` counts from 1, the best."""

    memory_id: str
    path: str
    rank: int
    snippet: str
    type: Literal["memory_search_hit"] = "memory_search_hit"
