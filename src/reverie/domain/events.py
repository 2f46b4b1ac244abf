"""Events: the immutable facts of a session's log.

The types are those of the wire, so that a log imported from elsewhere and a log written by our own
runtime read alike. What matters to a learner is decided here, once, by the type: ``user.message`` is
something a *person* said. Text that a program put under a "user" role (reminders, hooks, command
output, summaries of a compaction) is ``system.message``, and no miner will mistake it for a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, cast

__all__ = [
    "EVENT_TYPES",
    "PRIMARY_THREAD",
    "Event",
    "EventType",
    "Json",
    "JsonObject",
    "NewEvent",
    "Origin",
    "QueuedEvent",
    "Scalar",
    "TextPart",
    "event_text",
    "record_sha256",
    "text_parts",
]

Scalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = Any  # a JSON value: what orjson.loads returns
JsonObject: TypeAlias = Mapping[str, Any]

EventType = Literal[
    "user.message",  # {content: [block]}: a person typed this
    "user.interrupt",  # {reason?: str}: a person stopped the agent
    "user.tool_confirmation",  # {tool_use_id, result: "allow"|"deny", deny_message?}
    "user.tool_result",  # {tool_use_id, content?, is_error?}: a tool that ran in a client's own environment
    "user.custom_tool_result",  # {custom_tool_use_id, content?, is_error?}
    "user.define_outcome",  # {description, rubric, max_iterations, outcome_id}
    "system.message",  # {content: [block], kind}: a program's words; kind = instructions|injected|command|hook|summary
    "agent.message",  # {content: [block]}
    "agent.thinking",  # {content?: [block]}: kept when present, never mined
    "agent.tool_use",  # {tool_use_id, name, input: object}
    "agent.tool_result",  # {tool_use_id, content: [block], is_error: bool, exit_code?: int, duration_ms?: int}
    "agent.mcp_tool_use",  # {mcp_server_name, name, input, evaluated_permission?}
    "agent.mcp_tool_result",  # {mcp_tool_use_id, content, is_error}
    "agent.custom_tool_use",  # {name, input}: the client runs it
    "agent.thread_message_sent",  # {to_session_thread_id, to_agent_name?, content}
    "agent.thread_message_received",  # {from_session_thread_id, from_agent_name?, content}
    "agent.thread_context_compacted",  # {trigger?, pre_tokens?}
    # of a log that was imported: {thread, parent_tool_use_id?, agent?}
    "session.thread_created",  # {session_thread_id, agent_name, workflow_run_id, name?, max_tokens?}
    "session.thread_updated",  # {max_tokens}: what the thread alone may use
    "session.thread_status_running",  # {session_thread_id, agent_name}
    "session.thread_status_idle",  # {session_thread_id, agent_name, stop_reason, stop_details?}
    "session.thread_status_rescheduled",  # {session_thread_id, agent_name}
    "session.thread_status_terminated",  # {session_thread_id, agent_name}
    "session.status_running",
    "session.status_idle",  # {stop_reason, stop_details?}
    "session.status_rescheduled",
    "session.status_terminated",
    "session.updated",  # {title?, metadata?, agent?, budget?}: what changed
    "session.error",  # {error: {type, message, retry_status}}
    "session.usage",  # {usage, budget}: what was used so far
    "session.outcome",  # {label, score?, label_source, explanation?}
    "span.model_request_start",
    "span.model_request_end",  # {model, usage: {...}}: one per model response
    "span.outcome_evaluation_start",  # {outcome_id, iteration}
    "span.outcome_evaluation_ongoing",  # {outcome_id, iteration}
    "span.outcome_evaluation_end",  # {outcome_id, iteration, result, explanation, usage, …start_id}
    "workflow_run.created",  # {workflow_run_id, name, description, phases}; the others name the run too
    "workflow_run.status_running",
    "workflow_run.status_idle",
    "workflow_run.status_ended",
    "workflow_run.error",
    "workflow_run.phase_started",
    "workflow_run.phase_ended",
    "workflow_run.news",  # {workflow_run_id, news}: what became of a task of its plan, or is asked of the run
    "raw",  # {kind, record}: a record no reader of ours knows yet; kept, counted, not mined
]
EVENT_TYPES: Final[frozenset[str]] = frozenset(EventType.__args__)  # type: ignore[attr-defined]

_CALLS: Final = frozenset({"agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use"})

PRIMARY_THREAD: Final = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an event comes from in the file it was read from.

    ``line`` counts from 1 (line-based formats); ``pointer`` is an RFC 6901 JSON pointer (document
    formats, or the place inside a line); ``sha256`` is the hex digest of the raw record's bytes as
    they stood in the file, before masking.
    """

    format: str
    uri: str
    line: int | None
    pointer: str | None
    native_id: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event on its way to the log.

    ``key`` identifies it within its session across re-reads of the same file: reading a file again
    gives the same keys, and a key that is in the log already is not written again.
    ``at`` is an aware UTC datetime, or None where the source has no clock.
    """

    type: EventType
    payload: JsonObject
    key: str
    at: datetime | None = None
    thread: str = PRIMARY_THREAD
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event in the log. ``seq`` counts from 1 without gaps; ``hash`` chains it to its predecessor."""

    id: str
    session_id: str
    seq: int
    type: EventType
    payload: JsonObject
    key: str
    at: datetime | None
    thread: str
    origin: Origin | None
    hash: bytes


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event that a client sent and that was accepted, on its way to the log: it is on the disk, and
    will keep its id. ``position`` orders what waits in one session."""

    id: str
    session_id: str
    position: int
    type: EventType
    payload: JsonObject
    thread: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class TextPart:
    """One readable string of an event. ``path`` is its place in the payload (RFC 6901)."""

    path: str
    text: str


def text_parts(type: EventType, payload: JsonObject) -> Iterator[TextPart]:
    """The readable strings of an event in reading order. Citations point into these, verbatim."""
    if type in _CALLS:
        yield TextPart("/name", str(payload.get("name", "")))
        yield from _leaves("/input", payload.get("input"))
        return
    content = payload.get("content")
    if isinstance(content, str):
        yield TextPart("/content", content)
    elif isinstance(content, list):
        for i, block in enumerate(cast(list[Json], content)):
            if isinstance(block, dict):
                text = cast(JsonObject, block).get("text")
                if isinstance(text, str):
                    yield TextPart(f"/content/{i}/text", text)
    for field in ("deny_message", "reason", "explanation"):
        text = payload.get(field)
        if isinstance(text, str):
            yield TextPart(f"/{field}", text)


def event_text(type: EventType, payload: JsonObject) -> str:
    """All readable text of an event, parts joined by newlines."""
    return "\n".join(part.text for part in text_parts(type, payload))


def _leaves(path: str, value: Json) -> Iterator[TextPart]:
    """Every string leaf below ``value``, and numbers and booleans as their JSON text, depth first."""
    stack: list[tuple[str, Json]] = [(path, value)]
    while stack:  # a loop, not recursion: the depth of foreign data is not ours to trust
        here, node = stack.pop()
        if isinstance(node, str):
            yield TextPart(here, node)
        elif isinstance(node, bool):
            yield TextPart(here, "true" if node else "false")
        elif isinstance(node, int | float):
            yield TextPart(here, repr(node))
        elif isinstance(node, dict):
            items: Iterable[tuple[str, Json]] = cast(dict[str, Json], node).items()
            stack.extend(reversed([(f"{here}/{_escape(k)}", v) for k, v in items]))
        elif isinstance(node, list):
            stack.extend(reversed([(f"{here}/{i}", v) for i, v in enumerate(cast(list[Json], node))]))


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def record_sha256(record: bytes) -> str:
    """The digest that ``Origin.sha256`` holds."""
    return hashlib.sha256(record).hexdigest()
