"""Events of the log in the shapes of the wire.

A log that was imported holds what another tool wrote: its payloads are brought into the wire's form here.
Ids and texts stay; what has no place on the wire (a thinker's thoughts) is left out, and a time that the
source did not know is that of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

import msgspec

from reverie.domain.events import Event, JsonObject, QueuedEvent
from reverie.server.wire.events import EVENTS
from reverie.sessions.turns import thread_id
from reverie.sessions.views import View

__all__ = ["frame", "rendered"]

Body: TypeAlias = dict[str, Any]

_encode: Final = msgspec.json.Encoder().encode
_DEFAULTS: Final[dict[str, Body]] = {
    tag: {
        field.encode_name: field.default
        for field in msgspec.structs.fields(struct)
        if field.default is not msgspec.NODEFAULT and field.default is not msgspec.UNSET
    }
    for tag, struct in EVENTS.items()
}
_UNSHOWN: Final = frozenset({"private", "feedback", "plan"})
"""What the model's provider wants back, and thoughts; what a grader told the worker; a plan, which has pages of
its own."""
_BLOCKS: Final = {
    "agent.message": ("text", "redacted"),
    "system.message": ("text",),
    "user.message": ("text", "image", "document", "redacted"),
}
_RESULT_BLOCKS: Final = ("text", "image", "document", "search_result")
_CALLS: Final = frozenset({"agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use"})


def rendered(event: Event | QueuedEvent, seen: View, otherwise: datetime) -> Body:
    """The event as it shows in a view. ``otherwise`` stands for a time that its source did not know."""
    queued = isinstance(event, QueuedEvent)
    at = None if queued else event.at or otherwise
    payload = event.payload
    if seen.imported and (form := _IMPORTED.get(event.type)) is not None:
        payload = form(event.session_id, payload)
    elif not _UNSHOWN.isdisjoint(payload):
        payload = {name: value for name, value in payload.items() if name not in _UNSHOWN}
    body = {
        **_DEFAULTS.get(event.type, {}),
        **payload,
        "id": event.id,
        "type": event.type,
        "processed_at": at,
    }
    if event.thread != seen.thread and (
        event.type in _CALLS or (seen.whole and body.get("session_thread_id") is None)
    ):
        body["session_thread_id"] = thread_id(event.session_id, event.thread)
    return body


def frame(seq: int, type: str, body: Mapping[str, Any]) -> bytes:
    """One server-sent event. ``seq`` is where to resume from."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (seq, type.encode(), _encode(body))


# ---------------------------------------------------------------------- imported


def _content(told: object, allowed: tuple[str, ...]) -> list[Body]:
    if told is None:
        return []
    blocks = cast(list[object], told) if isinstance(told, list) else [told]
    return [_block(block, allowed) for block in blocks]


def _block(told: object, allowed: tuple[str, ...]) -> Body:
    """A block of one of the kinds; what is none becomes text: its own, or its JSON."""
    if isinstance(told, str):
        return {"type": "text", "text": told}
    if isinstance(told, dict):
        block = cast(Body, told)
        kind, text = block.get("type"), block.get("text")
        if isinstance(text, str) and (kind == "text" or kind not in allowed):
            return {"type": "text", "text": text}
        if kind in allowed and kind != "text" and _fits(block, str(kind)):
            return block
    return {"type": "text", "text": _encode(told).decode()}


def _fits(block: Body, kind: str) -> bool:
    try:
        msgspec.convert(
            {"id": "", "processed_at": None, "type": _HOLDERS[kind], **_held(block)}, _SHAPES[kind]
        )
    except msgspec.ValidationError:
        return False
    return True


_HOLDERS: Final = {
    "image": "user.message",
    "document": "user.message",
    "redacted": "user.message",
    "search_result": "user.tool_result",
}
_SHAPES: Final = {kind: EVENTS[holder] for kind, holder in _HOLDERS.items()}


def _held(block: Body) -> Body:
    return {"content": [block], "tool_use_id": ""}


def _said(type: str) -> Callable[[str, JsonObject], Body]:
    allowed = _BLOCKS[type]
    return lambda session_id, payload: {"content": _content(payload.get("content"), allowed)}


def _call(session_id: str, payload: JsonObject) -> Body:
    told: object = payload.get("input")
    given = cast(Body, told) if isinstance(told, dict) else {} if told is None else {"input": told}
    return {**payload, "name": str(payload.get("name", "")), "input": given}


def _result(session_id: str, payload: JsonObject) -> Body:
    error = payload.get("is_error")
    return {
        **payload,
        "tool_use_id": str(payload.get("tool_use_id") or ""),
        "content": _content(payload.get("content"), _RESULT_BLOCKS),
        "is_error": error if isinstance(error, bool) else None,
    }


def _confirmation(session_id: str, payload: JsonObject) -> Body:
    result = payload.get("result")
    return {
        **payload,
        "tool_use_id": str(payload.get("tool_use_id") or ""),
        "result": result if result in ("allow", "deny") else "allow",
    }


def _thread_created(session_id: str, payload: JsonObject) -> Body:
    return {
        **payload,
        "agent_name": str(payload.get("agent") or ""),
        "session_thread_id": thread_id(session_id, str(payload.get("thread", ""))),
    }


def _request_end(session_id: str, payload: JsonObject) -> Body:
    told: object = payload.get("usage")
    usage: JsonObject = cast(JsonObject, told) if isinstance(told, Mapping) else {}
    return {
        **payload,
        "model_request_start_id": "",
        "model_usage": {
            **{name: _count(usage, name) for name in _TOKENS},
            "speed": None,
        },
    }


_TOKENS: Final = (
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "input_tokens",
    "output_tokens",
)


def _count(usage: JsonObject, name: str) -> int:
    told = usage.get(name)
    return told if isinstance(told, int) and not isinstance(told, bool) else 0


def _nothing(session_id: str, payload: JsonObject) -> Body:
    return {}


def _outcome(session_id: str, payload: JsonObject) -> Body:
    return {**payload, "label": str(payload.get("label", "unknown"))}


def _raw(session_id: str, payload: JsonObject) -> Body:
    return {**payload, "kind": str(payload.get("kind", ""))}


_IMPORTED: Final[dict[str, Callable[[str, JsonObject], Body]]] = {
    "user.message": _said("user.message"),
    "system.message": _said("system.message"),
    "agent.message": _said("agent.message"),
    "agent.thinking": _nothing,
    "user.interrupt": _nothing,
    "user.tool_confirmation": _confirmation,
    "agent.tool_use": _call,
    "agent.tool_result": _result,
    "agent.thread_context_compacted": _nothing,
    "session.thread_created": _thread_created,
    "span.model_request_end": _request_end,
    "session.outcome": _outcome,
    "raw": _raw,
}
