"""Review policies on the wire (ours)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = ["ReviewPolicy", "ReviewPolicyArchive", "ReviewPolicyCreate", "ReviewPolicyList"]

Kind: TypeAlias = Literal["add", "update", "merge", "move", "retire"]
MemoryKind: TypeAlias = Literal["note", "playbook", "preference", "warning"]
Risk: TypeAlias = Literal["low", "medium", "high"]
Least: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
Kinds: TypeAlias = Annotated[list[Kind], Meta(min_length=1, max_length=5)]
MemoryKinds: TypeAlias = Annotated[list[MemoryKind], Meta(min_length=1, max_length=4)]
Author: TypeAlias = Annotated[str, Meta(min_length=1, max_length=60)]


class ReviewPolicy(Wire):
    """What may enter a memory store without a person looking at it first."""

    id: str
    archived_at: Timestamp | None
    created_at: Timestamp
    kinds: list[Kind]
    max_risk: Risk
    memory_kinds: list[MemoryKind]
    memory_store_id: str
    min_days: int
    min_sessions: int
    min_users: int
    why: str | None
    written_by: str
    type: Literal["review_policy"] = "review_policy"


class ReviewPolicyCreate(Ask):
    """A new policy. ``why`` is needed where a kind takes something out of memory. ``author``: the person whom the
    key speaks for."""

    memory_store_id: Annotated[str, Meta(min_length=1, max_length=64)]
    author: Author | None = None
    kinds: Kinds | None = None
    max_risk: Risk = "low"
    memory_kinds: MemoryKinds | None = None
    min_days: Least = 1
    min_sessions: Least = 5
    min_users: Least = 2
    why: Annotated[str, Meta(max_length=1000)] | None = None


class ReviewPolicyArchive(Ask):
    """``author`` as in ``ReviewPolicyCreate``."""

    author: Author | None = None


class ReviewPolicyList(Ask):
    """A page of policies, newest first."""

    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    memory_store_id: str | None = None
    page: str | None = None
