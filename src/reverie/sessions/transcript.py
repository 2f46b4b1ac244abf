"""A session's events rendered for reading. The log stays as it is; this is only a view of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from reverie.domain.clock import iso, iso_or_none
from reverie.domain.events import Event, event_text
from reverie.domain.sessions import Session

__all__ = ["as_json", "transcript"]

_SPEAKERS = {
    "user.message": "user",
    "user.interrupt": "user interrupts",
    "user.tool_confirmation": "user answers",
    "system.message": "system",
    "agent.message": "agent",
    "agent.thinking": "agent thinks",
    "agent.tool_use": "call",
    "agent.mcp_tool_use": "call",
    "agent.custom_tool_use": "call",
    "agent.tool_result": "result",
    "agent.mcp_tool_result": "result",
    "user.tool_result": "result",
    "user.custom_tool_result": "result",
    "session.outcome": "outcome",
}


def transcript(
    session: Session,
    events: Sequence[Event],
    *,
    around: str | None = None,
    before: int = 3,
    after: int = 3,
) -> str:
    """The readable text of a session, or of one event (``around`` an id) with its neighbours."""
    shown = list(_shown(events))
    if around is not None:
        place = next((i for i, event in enumerate(shown) if event.id == around), None)
        shown = [] if place is None else shown[max(0, place - before) : place + after + 1]
    head = [] if around is not None else [*_head(session), ""]
    return "\n".join([*head, *(_block(event, event.id == around) for event in shown)])


def _shown(events: Sequence[Event]) -> Iterator[Event]:
    return (event for event in events if event.type in _SPEAKERS)


def _head(session: Session) -> Iterator[str]:
    info = session.info
    yield f"session {session.id}"
    facts = {
        "agent": info.agent,
        "model": info.model,
        "user": info.user,
        "repository": info.repository,
        "task": info.task,
        "began": iso(info.started_at) if info.started_at is not None else None,
        "outcome": info.outcome.label,
    }
    yield "  ".join(f"{name}: {value}" for name, value in facts.items() if value)


def _block(event: Event, marked: bool) -> str:
    at = f" {iso(event.at)[11:19]}" if event.at is not None else ""
    failed = " (error)" if event.payload.get("is_error") else ""
    thread = f" [{event.thread}]" if event.thread else ""
    mark = "▶ " if marked else ""
    origin = event.origin
    place = f"  {origin.uri}:{origin.line}" if marked and origin is not None and origin.line else ""
    title = f"{mark}{event.seq}{at} {_SPEAKERS[event.type]}{failed}{thread}  {event.id}{place}"
    return f"{title}\n{_body(event)}\n"


def _body(event: Event) -> str:
    if event.type == "session.outcome":
        return "    " + " ".join(
            str(event.payload[k]) for k in ("label", "score") if event.payload.get(k) is not None
        )
    text = event_text(event.type, event.payload)
    return "\n".join("    " + line for line in text.splitlines())


def as_json(event: Event) -> dict[str, Any]:
    """An event as plain data."""
    return {
        "id": event.id,
        "session_id": event.session_id,
        "seq": event.seq,
        "type": event.type,
        "at": iso_or_none(event.at),
        "thread": event.thread,
        "payload": dict(event.payload),
        "source": None if event.origin is None else asdict(event.origin),
        "hash": event.hash.hex(),
    }
