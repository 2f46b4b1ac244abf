"""Threads of a session on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from reverie.server.wire.agents import Advisor, ExecutionIdentity
from reverie.server.wire.base import Ask, Meta, Timestamp, Wire
from reverie.server.wire.model_configs import ModelConfig
from reverie.server.wire.money import Used
from reverie.server.wire.sessions import ThreadAgent, imported_agent
from reverie.server.wire.tools import McpServer, Skill, Tool
from reverie.sessions.turns import tokens_body
from reverie.workspaces.threads import ThreadView

__all__ = ["InlineAgent", "SessionThread", "ThreadList", "ThreadStats", "ThreadUpdate", "thread_body"]

MAX_TOKENS: Final = 10**15
Status: TypeAlias = Literal["running", "idle", "rescheduling", "terminated"]


class InlineAgent(Wire, tag_field="type", tag="inline"):
    """An agent that was defined where it was needed, and is not kept."""

    description: str | None
    execution_identity: ExecutionIdentity
    mcp_servers: list[McpServer]
    model: ModelConfig
    name: str
    skills: list[Skill]
    system: str | None
    tools: list[Tool]


class ThreadStats(Wire):
    """How long it took."""

    active_seconds: float | None
    duration_seconds: float | None
    startup_seconds: float | None


class SessionThread(Wire):
    """One line of execution of a session. Ours are ``max_tokens``, what it alone may use, and ``name``, what it
    is called beside its agent."""

    id: str
    agent: ThreadAgent | Advisor | InlineAgent
    archived_at: Timestamp | None
    created_at: Timestamp
    max_tokens: int | None
    name: str | None
    parent_thread_id: str | None
    session_id: str
    stats: ThreadStats | None
    status: Status
    updated_at: Timestamp
    usage: Used | None
    workflow_run_id: str | None
    type: Literal["session_thread"] = "session_thread"


class ThreadUpdate(Ask):
    """How many tokens a thread alone may use, of all kinds together; null: as many as its session."""

    max_tokens: Annotated[int, Meta(ge=1, le=MAX_TOKENS)] | None


class ThreadList(Ask):
    """A page of threads."""

    limit: Annotated[int, Meta(ge=1, le=1_000)] = 1_000
    page: str | None = None
    statuses: list[Status] = []  # noqa: RUF012  (msgspec copies it)


def thread_body(seen: ThreadView) -> SessionThread:
    """A thread in the wire's shape."""
    return msgspec.convert(
        {
            "id": seen.id,
            "agent": seen.agent if seen.agent is not None else imported_agent(seen.session),
            "archived_at": seen.archived_at,
            "created_at": seen.created_at,
            "max_tokens": None if seen.state is None else seen.state.max_tokens,
            "name": seen.name,
            "parent_thread_id": seen.parent,
            "session_id": seen.session.id,
            "status": seen.status,
            "updated_at": seen.updated_at,
            "workflow_run_id": seen.workflow_run,
            **_counts(seen),
        },
        SessionThread,
    )


def _counts(seen: ThreadView) -> dict[str, Any]:
    """Statistics from the first turn on, usage from its end on."""
    state = seen.state
    if state is None or not state.started:
        return {"stats": None, "usage": None}
    running = 0.0
    if state.running_since is not None:
        running = max(0.0, (seen.now - state.running_since).total_seconds())
    active = state.active_seconds + running
    end = seen.updated_at if seen.status == "terminated" else seen.now
    stats = {
        "active_seconds": active,
        "duration_seconds": max(0.0, (end - seen.created_at).total_seconds()),
        "startup_seconds": 0.0,
    }
    rested = state.status != "running" or state.active_seconds > 0
    return {"stats": stats, "usage": tokens_body(state.usage, active) if rested else None}
