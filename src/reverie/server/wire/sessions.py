"""Sessions on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import field

from reverie.domain.ids import derived_id
from reverie.domain.sessions import OutcomeLabel
from reverie.server.wire.agents import (
    Advisor,
    Consulting,
    ExecutionIdentity,
    Metadata,
    MetadataPatch,
    Off,
    On,
    System,
)
from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire
from reverie.server.wire.grading import Grader, GraderAsk
from reverie.server.wire.model_configs import ModelAsk, ModelConfig
from reverie.server.wire.money import Budget, BudgetAsk, Used
from reverie.server.wire.sending import InitialAsk
from reverie.server.wire.session_resources import ResourceAsk, SessionResource, resource_body
from reverie.server.wire.tools import McpServer, ServersAsk, Skill, SkillsAsk, Tool, ToolsAsk
from reverie.sessions.status import OutcomeState, SessionState
from reverie.sessions.turns import usage_body
from reverie.storage.managed import SessionRow
from reverie.workspaces.sessions import SessionView

__all__ = [
    "AgentAsk",
    "AgentUpdateAsk",
    "AgentWithOverridesAsk",
    "CoordinatorOf",
    "DeletedSession",
    "LabelAsk",
    "Labelled",
    "Member",
    "MultiagentOf",
    "OutcomeEvaluation",
    "Session",
    "SessionAgent",
    "SessionCreate",
    "SessionFacets",
    "SessionList",
    "SessionUpdate",
    "Source",
    "SpawningOf",
    "Stats",
    "SubagentsOf",
    "ThreadAgent",
    "imported_agent",
    "session_body",
]

Status: TypeAlias = Literal["running", "rescheduling", "idle", "terminated"]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]
Title: TypeAlias = Annotated[str, Meta(max_length=500)]
Fact: TypeAlias = Annotated[str, Meta(min_length=1, max_length=256)]

# ------------------------------------------------------------------ the agent of a session


class ThreadAgent(Wire, tag_field="type", tag="agent"):
    """An agent as it was when its thread began."""

    id: str
    description: str | None
    execution_identity: ExecutionIdentity
    mcp_servers: list[McpServer]
    model: ModelConfig
    name: str
    skills: list[Skill]
    system: str | None
    tools: list[Tool]
    version: int


class Member(ThreadAgent, tag_field="type", tag="agent"):
    """An agent that another may start. Ours is ``multiagent``: whom it may start itself, where it may."""

    multiagent: CoordinatorOf | MultiagentOf | UnsetType = UNSET


class CoordinatorOf(Wire, tag_field="type", tag="coordinator"):
    """Whom a coordinator may start."""

    agents: list[Member | Advisor]
    max_depth: int = 1


class SpawningOf(Wire, tag_field="type", tag="enabled"):
    """Workflow runs of these agents."""

    inline_agents: On | Off
    predefined_agents: list[ThreadAgent]


class SubagentsOf(Wire, tag_field="type", tag="enabled"):
    """Threads of these agents."""

    inline_agents: On | Off
    predefined_agents: list[Member]
    max_depth: int = 1


class MultiagentOf(Wire, tag_field="type", tag="multiagent_20261001"):
    """Three things, each on or off."""

    advisor: Consulting | Off
    subagents: SubagentsOf | Off
    workflows: SpawningOf | Off


class SessionAgent(Wire, tag_field="type", tag="agent"):
    """The agent as it was when the session began."""

    id: str
    description: str | None
    execution_identity: ExecutionIdentity
    mcp_servers: list[McpServer]
    model: ModelConfig
    multiagent: CoordinatorOf | MultiagentOf | None
    name: str
    skills: list[Skill]
    system: str | None
    tools: list[Tool]
    version: int
    grader: Grader | None = None


# ------------------------------------------------------------------ sessions


class OutcomeEvaluation(Wire):
    """One defined outcome, and where its evaluation is."""

    completed_at: Timestamp | None
    description: str
    explanation: str | None
    iteration: int
    outcome_id: str
    result: str
    type: Literal["outcome_evaluation"] = "outcome_evaluation"


class Stats(Wire):
    """How long it took."""

    active_seconds: float | None
    duration_seconds: float | None


class Source(Wire):
    """Where an imported session comes from."""

    format: str
    native_id: str


class Labelled(Wire):
    """How a session ended, and who says so: ``person``, ``verdict``, ``exit``, or what its source said."""

    label: OutcomeLabel
    label_source: str | None
    score: float | None


class Session(Wire):
    """A session. Ours are ``source``, None unless the session was imported, ``outcome``, and ``grader``."""

    id: str
    agent: SessionAgent
    archived_at: Timestamp | None
    budget: Budget | None
    created_at: Timestamp
    deployment_id: str | None
    environment_id: str
    metadata: dict[str, str]
    outcome: Labelled
    outcome_evaluations: list[OutcomeEvaluation]
    resources: list[SessionResource]
    source: Source | None
    stats: Stats
    status: Status
    title: str | None
    updated_at: Timestamp
    usage: Used
    vault_ids: list[str]
    grader: Grader | None = None
    type: Literal["session"] = "session"


class DeletedSession(Wire):
    """It is gone."""

    id: str
    type: Literal["session_deleted"] = "session_deleted"


class AgentAsk(Ask, tag_field="type", tag="agent"):
    """An agent; without a version, the newest."""

    id: Id
    version: Annotated[int, Meta(ge=1)] | None = None


class AgentWithOverridesAsk(Ask, tag_field="type", tag="agent_with_overrides"):
    """An agent, some of it said otherwise for this session."""

    id: Id
    mcp_servers: ServersAsk | None = None
    model: ModelAsk | None = None
    skills: SkillsAsk | None = None
    system: System | UnsetType | None = UNSET
    tools: ToolsAsk | None = None
    version: Annotated[int, Meta(ge=1)] | None = None


class SessionCreate(Ask):
    """A new session."""

    agent: Id | AgentAsk | AgentWithOverridesAsk
    environment_id: Id
    budget: BudgetAsk | None = None
    grader: GraderAsk | None = None
    initial_events: InitialAsk | None = None
    metadata: Metadata | None = None
    resources: Annotated[list[ResourceAsk], Meta(max_length=1_000)] | None = None
    title: Title | None = None
    vault_ids: Annotated[list[Id], Meta(max_length=50)] | None = None


class AgentUpdateAsk(Ask):
    """Tools and servers, each replaced as a whole."""

    mcp_servers: ServersAsk | None = None
    tools: ToolsAsk | None = None


class SessionUpdate(Ask):
    """What changes; what is left out stays."""

    agent: AgentUpdateAsk | UnsetType | None = UNSET
    budget: BudgetAsk | UnsetType | None = UNSET
    metadata: MetadataPatch | UnsetType | None = UNSET
    title: Title | UnsetType | None = UNSET
    vault_ids: list[Id] | UnsetType | None = UNSET


class LabelAsk(Ask):
    """How a session ended, as a person sees it. ``unknown``: nobody is to learn from it how it ended."""

    label: OutcomeLabel
    explanation: Annotated[str, Meta(max_length=4_096)] | None = None
    score: float | None = None


class SessionFacets(Ask):
    """Ours: what sessions are narrowed to by what is known of them, imported ones too. ``agent`` is a name, ``source``
    the format that a session came in (``reverie``: its own runtime), ``began_at`` when it began, as its source says."""

    agent: Fact | None = None
    began_at_gte: Timestamp | None = field(default=None, name="began_at[gte]")
    began_at_lt: Timestamp | None = field(default=None, name="began_at[lt]")
    model: Fact | None = None
    outcome: OutcomeLabel | None = None
    source: Fact | None = None


class SessionList(SessionFacets):
    """A page of sessions."""

    agent_id: Id | None = None
    agent_version: Annotated[int, Meta(ge=1)] | None = None
    created_at_gt: Timestamp | None = field(default=None, name="created_at[gt]")
    created_at_gte: Timestamp | None = field(default=None, name="created_at[gte]")
    created_at_lt: Timestamp | None = field(default=None, name="created_at[lt]")
    created_at_lte: Timestamp | None = field(default=None, name="created_at[lte]")
    deployment_id: Id | None = None
    include_archived: bool = False
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    memory_store_id: Id | None = None
    order: Literal["asc", "desc"] = "desc"
    page: str | None = None
    statuses: list[Status] = []  # noqa: RUF012  (msgspec copies it)


# ------------------------------------------------------------------ from the house to the wire


def session_body(seen: SessionView) -> Session:
    """A session in the wire's shape; an imported one with what its log tells."""
    row = seen.row
    body: dict[str, Any] = dict(row.body) if row.body is not None else _imported(row)
    state = seen.state or SessionState()
    return msgspec.convert(
        {
            **body,
            "id": row.id,
            "archived_at": row.archived_at,
            "created_at": row.created_at,
            "updated_at": row.updated_at,
            "deployment_id": row.deployment,
            "outcome": {
                "label": row.outcome.label,
                "label_source": row.outcome.source,
                "score": row.outcome.score,
            },
            "outcome_evaluations": [_outcome(outcome) for outcome in state.outcomes],
            "resources": [resource_body(resource) for resource in body["resources"]],
            "source": None if row.body is not None else {"format": row.format, "native_id": row.native_id},
            "stats": _stats(state, row, seen.now),
            "status": row.status,
            "usage": usage_body(state, seen.now),
        },
        Session,
    )


def _imported(row: SessionRow) -> dict[str, Any]:
    return {
        "agent": {**imported_agent(row), "multiagent": None},
        "environment_id": "env_imported",
        "title": row.goal,
        "metadata": {},
        "budget": None,
        "vault_ids": [],
        "resources": [],
    }


def imported_agent(row: SessionRow) -> dict[str, Any]:
    """Who worked in an imported session, as far as the log tells."""
    name = row.agent or row.format
    return {
        "type": "agent",
        "id": derived_id("agent", row.format, name),
        "version": 1,
        "name": name,
        "description": None,
        "execution_identity": {"type": "service_account"},
        "mcp_servers": [],
        "model": {"id": row.model or "unknown", "effort": None, "inference_geo": None, "speed": None},
        "skills": [],
        "system": None,
        "tools": [],
    }


def _outcome(outcome: OutcomeState) -> dict[str, Any]:
    return {
        name: getattr(outcome, name)
        for name in ("completed_at", "description", "explanation", "iteration", "outcome_id", "result")
    }


def _stats(state: SessionState, row: SessionRow, now: datetime) -> dict[str, float]:
    """Each thread's time counts here; where they overlap, twice."""
    active = state.retired_seconds + sum(
        thread.active_seconds
        + (0.0 if thread.running_since is None else max(0.0, (now - thread.running_since).total_seconds()))
        for thread in state.threads.values()
    )
    end = row.updated_at if row.status == "terminated" or row.archived_at is not None else now
    return {"active_seconds": active, "duration_seconds": max(0.0, (end - row.created_at).total_seconds())}
