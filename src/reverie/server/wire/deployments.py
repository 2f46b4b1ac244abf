"""Deployments and their runs on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import field

from reverie.server.wire.agents import AgentRef, AgentRefAsk, Description, Metadata, MetadataPatch, Name
from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire
from reverie.server.wire.blocks import SystemBlock, UserBlock
from reverie.server.wire.grading import Grader
from reverie.server.wire.money import Budget, BudgetAsk
from reverie.server.wire.sending import (
    FileRubric,
    OutcomeAsk,
    SystemMessageAsk,
    TextRubric,
    UserMessageAsk,
)
from reverie.server.wire.session_resources import Branch, Commit, ResourceAsk

__all__ = [
    "ByHand",
    "BySchedule",
    "Cron",
    "CronAsk",
    "Deployment",
    "DeploymentCreate",
    "DeploymentList",
    "DeploymentRun",
    "DeploymentRunList",
    "DeploymentUpdate",
    "FirstMessage",
    "FirstOutcome",
    "FirstSystemMessage",
    "MountedFile",
    "MountedRepository",
    "MountedStore",
    "PauseError",
    "PausedByError",
    "PausedByHand",
    "RunError",
]

Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Status: TypeAlias = Literal["active", "paused"]
EventsAsk: TypeAlias = Annotated[
    list[UserMessageAsk | OutcomeAsk | SystemMessageAsk], Meta(min_length=1, max_length=50)
]
VaultsAsk: TypeAlias = Annotated[list[Id], Meta(max_length=50)]
ResourcesAsk: TypeAlias = Annotated[list[ResourceAsk], Meta(max_length=500)]


# ------------------------------------------------------------------ what a deployment is made of


class FirstMessage(Wire, tag_field="type", tag="user.message"):
    """What each session is told first."""

    content: list[UserBlock]


class FirstOutcome(Wire, tag_field="type", tag="user.define_outcome"):
    """What each session is to bring about."""

    description: str
    rubric: TextRubric | FileRubric
    max_iterations: int | None
    grader: Grader | None = None


class FirstSystemMessage(Wire, tag_field="type", tag="system.message"):
    """What each session's system says besides."""

    content: list[SystemBlock]


class MountedFile(Wire, tag_field="type", tag="file"):
    """A file in each session."""

    file_id: str
    mount_path: str | None


class MountedRepository(Wire, tag_field="type", tag="github_repository"):
    """A repository in each session. Its token is never shown."""

    url: str
    checkout: Branch | Commit | None
    mount_path: str | None


class MountedStore(Wire, tag_field="type", tag="memory_store"):
    """A memory store in each session."""

    memory_store_id: str
    access: Literal["read_write", "read_only"] | None
    instructions: str | None


class Cron(Wire, tag_field="type", tag="cron"):
    """When sessions start by themselves, and when they do next."""

    expression: str
    timezone: str
    last_run_at: Timestamp | None
    upcoming_runs_at: list[Timestamp] | None


class CronAsk(Ask, tag_field="type", tag="cron"):
    """When sessions shall start by themselves."""

    expression: Annotated[str, Meta(min_length=1, max_length=255)]
    timezone: Annotated[str, Meta(min_length=1, max_length=255)]


class PausedByHand(Wire, tag_field="type", tag="manual"):
    """Somebody paused it."""


class PauseError(Wire):
    """What a scheduled start met."""

    type: str


class PausedByError(Wire, tag_field="type", tag="error"):
    """A scheduled start failed in a way that the next one would too."""

    error: PauseError


class Deployment(Wire):
    """A deployment."""

    id: str
    agent: AgentRef
    archived_at: Timestamp | None
    budget: Budget | None
    created_at: Timestamp
    description: str | None
    environment_id: str
    initial_events: list[FirstMessage | FirstOutcome | FirstSystemMessage]
    metadata: dict[str, str]
    name: str
    paused_reason: PausedByHand | PausedByError | None
    resources: list[MountedFile | MountedRepository | MountedStore]
    schedule: Cron | None
    status: Status
    updated_at: Timestamp
    vault_ids: list[str]
    type: Literal["deployment"] = "deployment"


class DeploymentCreate(Ask):
    """A new deployment."""

    agent: Id | AgentRefAsk
    environment_id: Id
    initial_events: EventsAsk
    name: Name
    budget: BudgetAsk | None = None
    description: Description | None = None
    metadata: Metadata | None = None
    resources: ResourcesAsk | None = None
    schedule: CronAsk | None = None
    vault_ids: VaultsAsk | None = None


class DeploymentUpdate(Ask):
    """What changes; a field left out stays, null clears where that is possible."""

    agent: Id | AgentRefAsk | UnsetType = UNSET
    budget: BudgetAsk | UnsetType | None = UNSET
    description: Description | UnsetType | None = UNSET
    environment_id: Id | UnsetType = UNSET
    initial_events: EventsAsk | UnsetType = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET
    name: Name | UnsetType = UNSET
    resources: ResourcesAsk | UnsetType | None = UNSET
    schedule: CronAsk | UnsetType | None = UNSET
    vault_ids: VaultsAsk | UnsetType | None = UNSET


class DeploymentList(Ask):
    """A page of deployments."""

    agent_id: str | None = None
    created_at_gte: Timestamp | None = field(default=None, name="created_at[gte]")
    created_at_lte: Timestamp | None = field(default=None, name="created_at[lte]")
    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
    status: Status | None = None


# ------------------------------------------------------------------ runs


class BySchedule(Wire, tag_field="type", tag="schedule"):
    """The schedule started it."""

    scheduled_at: Timestamp


class ByHand(Wire, tag_field="type", tag="manual"):
    """Somebody started it."""


class RunError(Wire):
    """Why no session was started."""

    message: str
    type: str


class DeploymentRun(Wire):
    """One attempt to start a session: either ``session_id`` or ``error`` is null."""

    id: str
    agent: AgentRef
    created_at: Timestamp
    deployment_id: str
    error: RunError | None
    session_id: str | None
    trigger_context: BySchedule | ByHand
    type: Literal["deployment_run"] = "deployment_run"


class DeploymentRunList(Ask):
    """A page of runs."""

    created_at_gt: Timestamp | None = field(default=None, name="created_at[gt]")
    created_at_gte: Timestamp | None = field(default=None, name="created_at[gte]")
    created_at_lt: Timestamp | None = field(default=None, name="created_at[lt]")
    created_at_lte: Timestamp | None = field(default=None, name="created_at[lte]")
    deployment_id: str | None = None
    has_error: bool | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 20
    page: str | None = None
    trigger_type: Literal["schedule", "manual"] | None = None
