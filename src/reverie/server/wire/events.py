"""Events as a list or a stream shows them."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from reverie.server.wire.agents import Metadata
from reverie.server.wire.base import UNSET, UnsetType, Wire
from reverie.server.wire.blocks import (
    MessageBlock,
    ResultBlock,
    SystemBlock,
    ThreadBlock,
    UserBlock,
)
from reverie.server.wire.grading import Grader
from reverie.server.wire.logged import Logged, Said
from reverie.server.wire.money import Budget, Used
from reverie.server.wire.sending import FileRubric, TextRubric
from reverie.server.wire.spans import RunEvent, SpanEvent

__all__ = [
    "EVENTS",
    "AgentCustomToolUse",
    "AgentMcpToolResult",
    "AgentMcpToolUse",
    "AgentMessage",
    "AgentThinking",
    "AgentThreadContextCompacted",
    "AgentThreadMessageReceived",
    "AgentThreadMessageSent",
    "AgentToolResult",
    "AgentToolUse",
    "AutoAllow",
    "AutoAsk",
    "AutoDeny",
    "BudgetReached",
    "ByAllow",
    "ByAsk",
    "ByAuto",
    "EndTurn",
    "ErrorObject",
    "Raw",
    "Refusal",
    "RefusalDetails",
    "RequiresAction",
    "RetriesExhausted",
    "Retry",
    "SendSessionEvents",
    "SessionDeleted",
    "SessionError",
    "SessionEvent",
    "SessionOutcome",
    "SessionStatusIdle",
    "SessionStatusRescheduled",
    "SessionStatusRunning",
    "SessionStatusTerminated",
    "SessionThreadCreated",
    "SessionUpdated",
    "SessionUsage",
    "SystemMessage",
    "ThreadStatusIdle",
    "ThreadStatusRescheduled",
    "ThreadStatusRunning",
    "ThreadStatusTerminated",
    "ThreadUpdated",
    "UserCustomToolResult",
    "UserDefineOutcome",
    "UserInterrupt",
    "UserMessage",
    "UserToolConfirmation",
    "UserToolResult",
]

Permission: TypeAlias = Literal["allow", "ask", "deny"]


# ------------------------------------------------------------------ what clients said


class UserMessage(Said, tag="user.message"):
    """Something a person said."""

    content: list[UserBlock]


class UserInterrupt(Said, tag="user.interrupt"):
    """A person stopped the agent."""

    session_thread_id: str | None = None


class UserToolConfirmation(Said, tag="user.tool_confirmation"):
    """A person's yes or no."""

    result: Literal["allow", "deny"]
    tool_use_id: str
    deny_message: str | None = None
    session_thread_id: str | None = None


class UserCustomToolResult(Said, tag="user.custom_tool_result"):
    """What a custom tool gave."""

    custom_tool_use_id: str
    content: list[ResultBlock] | None = None
    is_error: bool | None = None
    session_thread_id: str | None = None


class UserToolResult(Said, tag="user.tool_result"):
    """What a tool gave in a self-hosted environment."""

    tool_use_id: str
    content: list[ResultBlock] | None = None
    is_error: bool | None = None
    session_thread_id: str | None = None


class UserDefineOutcome(Logged, tag="user.define_outcome"):
    """What is wanted. Ours is ``grader``, where something was said of it."""

    description: str
    outcome_id: str
    rubric: TextRubric | FileRubric
    max_iterations: int | None = None
    grader: Grader | UnsetType = UNSET


class SystemMessage(Said, tag="system.message"):
    """A turn of the system's."""

    content: list[SystemBlock]


SentEvent: TypeAlias = (
    UserMessage
    | UserInterrupt
    | UserToolConfirmation
    | UserCustomToolResult
    | UserToolResult
    | UserDefineOutcome
    | SystemMessage
)

# ------------------------------------------------------------------ what the agent does


class AutoAllow(Wire, tag_field="type", tag="allow"):
    """Judged safe."""


class AutoAsk(Wire, tag_field="type", tag="ask"):
    """Not judged: a person decides."""

    reason_code: str


class AutoDeny(Wire, tag_field="type", tag="deny"):
    """Judged unsafe."""

    reason_code: str


class ByAllow(Wire, tag_field="type", tag="always_allow"):
    """The policy is to allow."""


class ByAsk(Wire, tag_field="type", tag="always_ask"):
    """The policy is to ask."""


class ByAuto(Wire, tag_field="type", tag="auto"):
    """The policy is to judge each call."""

    evaluated_permission: AutoAllow | AutoAsk | AutoDeny


Evaluation: TypeAlias = ByAllow | ByAsk | ByAuto


class AgentMessage(Logged, tag="agent.message"):
    """Something the agent said."""

    content: list[MessageBlock]


class AgentThinking(Logged, tag="agent.thinking"):
    """The agent thinks; what, is not told."""


class AgentToolUse(Logged, tag="agent.tool_use"):
    """A call of a built-in tool."""

    input: dict[str, Any]
    name: str
    evaluated_permission: Permission | None = None
    evaluation: Evaluation | None = None
    session_thread_id: str | None = None


class AgentToolResult(Logged, tag="agent.tool_result"):
    """What it gave."""

    tool_use_id: str
    content: list[ResultBlock] | None = None
    is_error: bool | None = None


class AgentMcpToolUse(Logged, tag="agent.mcp_tool_use"):
    """A call of an MCP server's tool."""

    input: dict[str, Any]
    mcp_server_name: str
    name: str
    evaluated_permission: Permission | None = None
    evaluation: Evaluation | None = None
    session_thread_id: str | None = None


class AgentMcpToolResult(Logged, tag="agent.mcp_tool_result"):
    """What it gave."""

    mcp_tool_use_id: str
    content: list[ResultBlock] | None = None
    is_error: bool | None = None


class AgentCustomToolUse(Logged, tag="agent.custom_tool_use"):
    """A call that the client answers."""

    input: dict[str, Any]
    name: str
    session_thread_id: str | None = None


class AgentThreadMessageSent(Logged, tag="agent.thread_message_sent"):
    """One thread told another."""

    content: list[ThreadBlock]
    to_session_thread_id: str
    to_agent_name: str | None = None


class AgentThreadMessageReceived(Logged, tag="agent.thread_message_received"):
    """One thread was told by another."""

    content: list[ThreadBlock]
    from_session_thread_id: str
    from_agent_name: str | None = None


class AgentThreadContextCompacted(Logged, tag="agent.thread_context_compacted"):
    """The context was summarised to fit."""


# ------------------------------------------------------------------ what becomes of the session


class EndTurn(Wire, tag_field="type", tag="end_turn"):
    """The turn is finished."""


class RequiresAction(Wire, tag_field="type", tag="requires_action"):
    """It waits for the client to answer these."""

    event_ids: list[str]


class BudgetReached(Wire, tag_field="type", tag="budget_reached"):
    """The budget is spent."""


class RetriesExhausted(Wire, tag_field="type", tag="retries_exhausted"):
    """It gave up."""


class Refusal(Wire, tag_field="type", tag="refusal"):
    """The model refused."""


StopReason: TypeAlias = EndTurn | RequiresAction | BudgetReached | RetriesExhausted | Refusal


class RefusalDetails(Wire, tag_field="type", tag="refusal"):
    """What was refused, and why."""

    category: str | None = None
    explanation: str | None = None


class SessionStatusRunning(Logged, tag="session.status_running"):
    """It works."""


class SessionStatusIdle(Logged, tag="session.status_idle"):
    """It rests."""

    stop_reason: StopReason
    stop_details: RefusalDetails | None = None


class SessionStatusRescheduled(Logged, tag="session.status_rescheduled"):
    """It will try again."""


class SessionStatusTerminated(Logged, tag="session.status_terminated"):
    """It has ended."""


class _OfThread(Logged):
    agent_name: str
    session_thread_id: str


class ThreadStatusRunning(_OfThread, tag="session.thread_status_running"):
    """A thread works."""


class ThreadStatusIdle(_OfThread, tag="session.thread_status_idle"):
    """A thread rests."""

    stop_reason: StopReason
    stop_details: RefusalDetails | None = None


class ThreadStatusRescheduled(_OfThread, tag="session.thread_status_rescheduled"):
    """A thread will try again."""


class ThreadStatusTerminated(_OfThread, tag="session.thread_status_terminated"):
    """A thread has ended."""


class SessionThreadCreated(_OfThread, tag="session.thread_created"):
    """A thread was made. Ours are ``name``, what it is called beside its agent, and ``max_tokens``."""

    workflow_run_id: str | None = None
    name: str | UnsetType = UNSET
    max_tokens: int | UnsetType = UNSET


class SessionUpdated(Logged, tag="session.updated"):
    """The client changed something; only what changed is there."""

    agent: dict[str, Any] | UnsetType = UNSET
    budget: Budget | UnsetType | None = UNSET
    metadata: Metadata | UnsetType = UNSET
    title: str | UnsetType | None = UNSET


class SessionDeleted(Logged, tag="session.deleted"):
    """It is gone, and the stream with it."""


class SessionUsage(Logged, tag="session.usage"):
    """What was used so far."""

    usage: Used
    budget: Budget | None = None


class Retry(Wire):
    """Whether it is tried again."""

    type: Literal["retrying", "exhausted", "terminal"]


class ErrorObject(Wire):
    """What went wrong. Some types say more."""

    message: str
    retry_status: Retry
    type: str
    credential_id: str | UnsetType = UNSET
    mcp_server_name: str | UnsetType = UNSET
    repository_url: str | UnsetType | None = UNSET
    vault_id: str | UnsetType = UNSET


class SessionError(Logged, tag="session.error"):
    """Something went wrong."""

    error: ErrorObject


# ------------------------------------------------------------------ ours


class SessionOutcome(Logged, tag="session.outcome"):
    """How a session ended, and who says so. Shown when asked for by its type."""

    label: str
    score: float | None = None
    label_source: str | None = None
    explanation: str | None = None


class ThreadUpdated(Logged, tag="session.thread_updated"):
    """What a thread alone may use was changed. Shown when asked for by its type."""

    max_tokens: int | None


class Raw(Logged, tag="raw"):
    """A record of an imported log that no reader knows. Shown when asked for by its type."""

    kind: str
    record: Any = None


SessionEvent: TypeAlias = (
    SentEvent
    | AgentMessage
    | AgentThinking
    | AgentToolUse
    | AgentToolResult
    | AgentMcpToolUse
    | AgentMcpToolResult
    | AgentCustomToolUse
    | AgentThreadMessageSent
    | AgentThreadMessageReceived
    | AgentThreadContextCompacted
    | SessionStatusRunning
    | SessionStatusIdle
    | SessionStatusRescheduled
    | SessionStatusTerminated
    | ThreadStatusRunning
    | ThreadStatusIdle
    | ThreadStatusRescheduled
    | ThreadStatusTerminated
    | SessionThreadCreated
    | SessionUpdated
    | SessionDeleted
    | SessionUsage
    | SessionError
    | SpanEvent
    | RunEvent
    | SessionOutcome
    | ThreadUpdated
    | Raw
)
EVENTS: dict[str, type[Wire]] = {
    struct.__struct_config__.tag: struct  # type: ignore[misc]
    for struct in SessionEvent.__args__  # type: ignore[attr-defined]
}


class SendSessionEvents(Wire):
    """What was taken, in the order in which it was sent."""

    data: list[SentEvent]
