"""Work items of self-hosted environments on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.agents import MetadataPatch
from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = [
    "Heartbeat",
    "HeartbeatAsk",
    "Poll",
    "SessionWork",
    "Stats",
    "StopAsk",
    "Work",
    "WorkList",
    "WorkUpdate",
]

Beat: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A heartbeat's time as workers repeat it, to the character."""
State: TypeAlias = Literal["queued", "starting", "active", "stopping", "stopped"]


class SessionWork(Wire, tag_field="type", tag="session"):
    """A session that wants a sandbox."""

    id: str


class Work(Wire):
    """One item: a session that waits for a worker, or has one."""

    id: str
    acknowledged_at: Timestamp | None
    created_at: Timestamp
    data: SessionWork
    environment_id: str
    latest_heartbeat_at: Beat | None
    metadata: dict[str, str]
    secret: str | None
    started_at: Timestamp | None
    state: State
    stop_requested_at: Timestamp | None
    stopped_at: Timestamp | None
    type: Literal["work"] = "work"


class WorkUpdate(Ask):
    """A patch of the metadata: null deletes a key."""

    metadata: MetadataPatch | None


class WorkList(Ask):
    """A page of an environment's items."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None


class Poll(Ask):
    """How a worker asks for an item."""

    block_ms: Annotated[int, Meta(ge=1, le=999)] | None = None
    reclaim_older_than_ms: Annotated[int, Meta(ge=0, le=86_400_000)] | None = None


class HeartbeatAsk(Ask):
    """How a worker keeps its item."""

    desired_ttl_seconds: Annotated[int, Meta(ge=1, le=3600)] | None = None
    expected_last_heartbeat: Annotated[str, Meta(max_length=64)] | None = None


class Heartbeat(Wire):
    """How the lease stands."""

    last_heartbeat: str  # empty where there has been none
    lease_extended: bool
    state: State
    ttl_seconds: int
    type: Literal["work_heartbeat"] = "work_heartbeat"


class StopAsk(Ask):
    """Whether to give the worker no time."""

    force: bool = False


class Stats(Wire):
    """How the queue stands."""

    depth: int
    oldest_queued_at: Timestamp | None
    pending: int
    workers_polling: int
    type: Literal["work_queue_stats"] = "work_queue_stats"
