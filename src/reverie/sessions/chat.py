"""A session as chat messages, in the shape that OpenAI's API gave the world: for fine-tuning, evaluation and
every tool that reads such files. ``importers.chat`` reads them back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from reverie.domain.clock import iso_or_none
from reverie.domain.events import PRIMARY_THREAD, Event, JsonObject
from reverie.domain.sessions import Session
from reverie.storage.text import json_text

__all__ = ["chat"]

_CALLS: Final = ("agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use")
_RESULTS: Final = {
    "agent.tool_result": "tool_use_id",
    "agent.mcp_tool_result": "mcp_tool_use_id",
    "user.tool_result": "tool_use_id",
    "user.custom_tool_result": "custom_tool_use_id",
}
_ROLES: Final = {"user.message": "user", "system.message": "system", "agent.message": "assistant"}


def chat(session: Session, events: Iterable[Event]) -> JsonObject:
    """``{"session_id", "model"?, "started_at"?, "messages": [...]}``: what was said and done on the primary
    thread. What an agent says and calls at once is one message. Thoughts, statuses and errors are left out; of
    images and documents only that they were there."""
    info = session.info
    started = iso_or_none(info.started_at)
    told = {"session_id": session.id, "model": info.model, "started_at": started}
    return {**{key: value for key, value in told.items() if value}, "messages": _messages(events)}


def _messages(events: Iterable[Event]) -> Sequence[JsonObject]:
    found: list[dict[str, Any]] = []
    for event in events:
        if event.thread != PRIMARY_THREAD:
            continue
        if event.type in _CALLS:
            _saying(found).setdefault("tool_calls", []).append(_call(event))
        elif event.type in _RESULTS:
            call = str(event.payload.get(_RESULTS[event.type]))
            found.append({"role": "tool", "tool_call_id": call, "content": _text(event)})
        elif event.type in _ROLES:
            role = _ROLES[event.type]
            if role == "assistant" and _goes_on(found):
                found[-1]["content"] = f"{found[-1]['content']}\n{_text(event)}"
            else:
                found.append({"role": role, "content": _text(event)})
    return found


def _goes_on(found: Sequence[JsonObject]) -> bool:
    """Whether the last message is the agent's, and it has called nothing yet."""
    return bool(found) and found[-1]["role"] == "assistant" and "tool_calls" not in found[-1]


def _saying(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The agent's message at the end; a new one where it is somebody else's."""
    if not found or found[-1]["role"] != "assistant":
        found.append({"role": "assistant", "content": None})
    return found[-1]


def _call(event: Event) -> JsonObject:
    arguments = json_text(event.payload.get("input") or {})
    function = {"name": str(event.payload.get("name")), "arguments": arguments}
    return {"id": str(event.payload.get("tool_use_id") or event.id), "type": "function", "function": function}


def _text(event: Event) -> str:
    blocks: Sequence[JsonObject] | str = event.payload.get("content") or ()
    if isinstance(blocks, str):
        return blocks
    # What is attached is not what was typed, whatever text it holds.
    said = (str(b.get("text") or "") if b.get("type") == "text" else f"[{b.get('type')}]" for b in blocks)
    return "\n".join(text for text in said if text)
