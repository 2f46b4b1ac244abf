"""Work items: sessions of a self-hosted environment that wait for a worker, or have one.

::

    queued ──ack──► starting ──heartbeat──► active ──stop──► stopping ──► stopped
      ▲                 │                     │                  (at once, when forced)
      └──── the lease ran out: nobody was heard of ◄┘

A worker that polls has claimed an item for a few seconds only: what it does not acknowledge goes to the
next one. From then on it holds a lease, which heartbeats extend; each says the one before it, so that of
two workers who believe they hold the same item one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

__all__ = ["Lease", "QueueStats", "WorkItem", "WorkState"]

WorkState = Literal["queued", "starting", "active", "stopping", "stopped"]


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One item. ``claimed_at`` is when it was last handed out; ``ttl_seconds`` how long its lease lasts from
    the last heartbeat (or from the acknowledgement), ``lease_until`` when it ends; ``key_id`` the API key
    that was made for whoever has it."""

    id: str
    environment_id: str
    session_id: str
    state: WorkState
    created_at: datetime
    ttl_seconds: int
    metadata: Mapping[str, str]
    claimed_at: datetime | None = None
    acknowledged_at: datetime | None = None
    started_at: datetime | None = None
    heartbeat_at: datetime | None = None
    lease_until: datetime | None = None
    stop_requested_at: datetime | None = None
    stopped_at: datetime | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """How a heartbeat was taken: ``held`` False means that the item is not this worker's any more."""

    item: WorkItem
    held: bool
    extended: bool


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How an environment's queue stands.

    ``depth``: items that nobody has; ``pending``: handed out, not acknowledged; ``workers_polling``: how
    many workers that said who they are have asked within 30 s.
    """

    depth: int
    pending: int
    oldest_queued_at: datetime | None
    workers_polling: int
