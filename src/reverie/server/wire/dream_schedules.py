"""Schedules of dreams on the wire (ours)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import field

from reverie.server.wire.agents import Metadata, MetadataPatch, Name
from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire
from reverie.server.wire.deployments import PausedByError, PausedByHand
from reverie.server.wire.dreams import (
    DreamBudget,
    DreamBudgetAsk,
    Propose,
    ProposeAsk,
    UpdateExisting,
    UpdateExistingAsk,
)

__all__ = [
    "ByCron",
    "ByFailure",
    "ByHand",
    "BySessions",
    "CronTrigger",
    "CronTriggerAsk",
    "DreamSchedule",
    "DreamScheduleCreate",
    "DreamScheduleList",
    "DreamScheduleRun",
    "DreamScheduleRunList",
    "DreamScheduleUpdate",
    "FailedOutcomeTrigger",
    "FailedOutcomeTriggerAsk",
    "ManualTrigger",
    "ManualTriggerAsk",
    "SessionsTrigger",
    "SessionsTriggerAsk",
    "Why",
]

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Text: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=10_000)]
Status: TypeAlias = Literal["active", "paused"]
Outcome: TypeAlias = Literal["dream", "skipped", "error"]
Model: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Instructions: TypeAlias = Annotated[str, Meta(min_length=1, max_length=4096)]


# ------------------------------------------------------------------ when


class CronTrigger(Wire, tag_field="type", tag="cron"):
    """At times; and when it is due next."""

    expression: str
    timezone: str
    upcoming_runs_at: list[Timestamp]


class SessionsTrigger(Wire, tag_field="type", tag="sessions"):
    """When so many sessions are new to the store."""

    every: int


class FailedOutcomeTrigger(Wire, tag_field="type", tag="failed_outcome"):
    """When a session failed."""


class ManualTrigger(Wire, tag_field="type", tag="manual"):
    """When somebody asks."""


class CronTriggerAsk(Ask, tag_field="type", tag="cron"):
    """At times: five fields of cron, in an IANA time zone."""

    expression: Text
    timezone: Text


class SessionsTriggerAsk(Ask, tag_field="type", tag="sessions"):
    """When so many sessions are new to the store."""

    every: Count


class FailedOutcomeTriggerAsk(Ask, tag_field="type", tag="failed_outcome"):
    """When a session failed."""


class ManualTriggerAsk(Ask, tag_field="type", tag="manual"):
    """When somebody asks."""


TriggerAsk: TypeAlias = CronTriggerAsk | SessionsTriggerAsk | FailedOutcomeTriggerAsk | ManualTriggerAsk


# ------------------------------------------------------------------ runs


class ByCron(Wire, tag_field="type", tag="cron"):
    """Its time had come."""

    scheduled_at: Timestamp


class BySessions(Wire, tag_field="type", tag="sessions"):
    """Enough sessions were new."""


class ByFailure(Wire, tag_field="type", tag="failed_outcome"):
    """A session had failed."""


class ByHand(Wire, tag_field="type", tag="manual"):
    """Somebody asked."""


class Why(Wire):
    """Why no dream was started."""

    message: str
    type: str


class DreamScheduleRun(Wire):
    """One attempt to start a dream: one of ``dream_id``, ``skipped`` and ``error`` is not null."""

    id: str
    created_at: Timestamp
    dream_id: str | None
    dream_schedule_id: str
    error: Why | None
    failed_sessions: int
    new_sessions: int
    skipped: Why | None
    trigger_context: ByCron | BySessions | ByFailure | ByHand
    type: Literal["dream_schedule_run"] = "dream_schedule_run"


class DreamScheduleRunList(Ask):
    """A page of runs, newest first."""

    created_at_gt: Timestamp | None = field(default=None, name="created_at[gt]")
    created_at_lt: Timestamp | None = field(default=None, name="created_at[lt]")
    limit: Annotated[int, Meta(ge=1, le=1000)] = 20
    outcome: Outcome | None = None
    page: str | None = None


# ------------------------------------------------------------------ schedules


class DreamSchedule(Wire):
    """A schedule of dreams. ``budget`` is that of each dream."""

    id: str
    archived_at: Timestamp | None
    budget: DreamBudget | None
    created_at: Timestamp
    instructions: str | None
    last_run: DreamScheduleRun | None
    memory_store_id: str
    metadata: dict[str, str]
    min_sessions: int
    model: str
    name: str
    output_behavior: Propose | UpdateExisting
    paused_reason: PausedByHand | PausedByError | None
    status: Status
    trigger: CronTrigger | SessionsTrigger | FailedOutcomeTrigger | ManualTrigger
    updated_at: Timestamp
    version: int
    type: Literal["dream_schedule"] = "dream_schedule"


class DreamScheduleCreate(Ask):
    """A new schedule."""

    memory_store_id: Id
    name: Name
    trigger: TriggerAsk
    budget: DreamBudgetAsk | None = None
    instructions: Instructions | None = None
    metadata: Metadata | None = None
    min_sessions: Count | None = None
    model: Model | None = None
    output_behavior: ProposeAsk | UpdateExistingAsk | UnsetType = UNSET


class DreamScheduleUpdate(Ask):
    """What changes; a field left out stays, null clears where that is possible. ``version`` is the one that was
    looked at: another one is a conflict."""

    budget: DreamBudgetAsk | UnsetType | None = UNSET
    instructions: Instructions | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET
    min_sessions: Count | UnsetType = UNSET
    model: Model | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    output_behavior: ProposeAsk | UpdateExistingAsk | UnsetType = UNSET
    trigger: TriggerAsk | UnsetType = UNSET
    version: Annotated[int, Meta(ge=1)] | None = None


class DreamScheduleList(Ask):
    """A page of schedules, newest first."""

    created_at_gt: Timestamp | None = field(default=None, name="created_at[gt]")
    created_at_lt: Timestamp | None = field(default=None, name="created_at[lt]")
    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    memory_store_id: str | None = None
    page: str | None = None
    status: Status | None = None
