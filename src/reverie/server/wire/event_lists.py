"""Which events are asked for: pages of them, and streams."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import field

from reverie.server.wire.base import Ask, Meta, Timestamp

__all__ = ["EventList", "EventStream", "SessionStream", "ThreadEventList"]

EventType: TypeAlias = Literal[
    "user.message", "user.interrupt", "user.tool_confirmation", "user.custom_tool_result", "user.tool_result",
    "user.define_outcome", "system.message", "agent.message", "agent.thinking", "agent.tool_use",
    "agent.tool_result", "agent.mcp_tool_use", "agent.mcp_tool_result", "agent.custom_tool_use",
    "agent.thread_message_sent", "agent.thread_message_received", "agent.thread_context_compacted",
    "session.status_running", "session.status_idle", "session.status_rescheduled",
    "session.status_terminated", "session.thread_status_running", "session.thread_status_idle",
    "session.thread_status_rescheduled", "session.thread_status_terminated", "session.thread_created",
    "session.updated", "session.usage", "session.error", "span.model_request_start", "span.model_request_end",
    "span.outcome_evaluation_start", "span.outcome_evaluation_ongoing", "span.outcome_evaluation_end",
    "workflow_run.created", "workflow_run.status_running", "workflow_run.status_idle",
    "workflow_run.status_ended", "workflow_run.error", "workflow_run.phase_started",
    "workflow_run.phase_ended", "workflow_run.news", "session.outcome", "session.thread_updated", "raw",
]  # fmt: skip
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=1_000)]
Preview: TypeAlias = Literal["agent.message", "agent.thinking"]


class EventList(Ask):
    """A page of events."""

    created_at_gt: Timestamp | None = field(default=None, name="created_at[gt]")
    created_at_gte: Timestamp | None = field(default=None, name="created_at[gte]")
    created_at_lt: Timestamp | None = field(default=None, name="created_at[lt]")
    created_at_lte: Timestamp | None = field(default=None, name="created_at[lte]")
    limit: Limit = 100
    order: Literal["asc", "desc"] = "asc"
    page: str | None = None
    types: list[EventType] = []  # noqa: RUF012  (msgspec copies it)


class ThreadEventList(Ask):
    """A page of a thread's events."""

    limit: Limit = 100
    page: str | None = None


class EventStream(Ask):
    """A stream of events. ``after`` is where to go on, as the header ``Last-Event-ID``: 0 is the beginning;
    without either, only what happens from now on is told."""

    after: Annotated[int, Meta(ge=0)] | None = None
    event_deltas: Annotated[list[Preview], Meta(max_length=100)] = []  # noqa: RUF012


class SessionStream(EventStream):
    """A stream of a session's events. ``all_threads`` is ours: the events of all its threads, of every type, in the
    order of the log; those of other threads than the primary one say ``session_thread_id``."""

    all_threads: bool = False
