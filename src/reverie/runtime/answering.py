"""An answer of a model as events of the log, and the ids that its pieces have while it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from reverie.domain.errors import ModelBilling, ModelFailed, ModelOverloaded, ModelRateLimited
from reverie.domain.events import Event, JsonObject, NewEvent
from reverie.domain.messages import Delta, ModelResponse, Text, Thinking, ToolCall, Usage
from reverie.plugins import Output
from reverie.runtime.context import CALLS
from reverie.runtime.hands import result_payload, result_type
from reverie.runtime.toolbox import Toolbox
from reverie.storage.events import event_id

__all__ = ["Preview", "answered", "ended", "stopped", "told_of"]

_PREVIEWED: Final = {"text": "agent.message", "thinking": "agent.thinking"}


def answered(
    session_id: str, thread: str, start: Event, response: ModelResponse, toolbox: Toolbox
) -> list[NewEvent]:
    """What a model said and asked for, in its order, and the end of the request; a call that cannot be made has
    its result behind that."""
    events: list[NewEvent] = []
    results: list[NewEvent] = []
    for number, part in _numbered(response.parts):
        key = _key(start.id, number)
        match part:
            case Text():
                events.append(NewEvent("agent.message", _said(part.text), key, thread=thread))
            case Thinking():
                private = {"thinking": part.text, "details": part.details}
                events.append(NewEvent("agent.thinking", {"private": private}, key, thread=thread))
            case ToolCall():
                events += _called(session_id, thread, key, part, toolbox, results)
    return [*events, ended(thread, start, response), *results]  # results are what the next request is for


def _called(
    session_id: str, thread: str, key: str, call: ToolCall, toolbox: Toolbox, results: list[NewEvent]
) -> Iterator[NewEvent]:
    judged, id = toolbox.judge(call), event_id(session_id, key)
    yield NewEvent(judged.type, {**judged.payload, "tool_use_id": id}, key, thread=thread)
    if judged.problem is not None:
        kind = CALLS[judged.type]
        payload = result_payload(kind, id, Output([Text(judged.problem)], is_error=True))
        results.append(NewEvent(result_type(kind), payload, f"{key}:result", thread=thread))


def ended(thread: str, start: Event, response: ModelResponse, **private: Any) -> NewEvent:
    """The end of a request that was answered."""
    payload: dict[str, Any] = {
        "model_request_start_id": start.id,
        "model": response.model,
        "model_usage": _usage(response.usage),
        "is_error": False,
        **private,
    }
    if response.cost is not None:
        payload["list_cost"] = str(response.cost)
    return NewEvent("span.model_request_end", payload, f"{start.id}:end", thread=thread)


def stopped(thread: str, start: Event, *, interrupted: bool) -> NewEvent:
    """The end of a request that has no answer."""
    payload: dict[str, Any] = {
        "model_request_start_id": start.id,
        "model_usage": _usage(Usage()),
        "is_error": True,
    }
    if interrupted:
        payload["interrupted"] = True
    return NewEvent("span.model_request_end", payload, f"{start.id}:end", thread=thread)


def told_of(error: ModelFailed, retry: str) -> JsonObject:
    """A failure of a model as ``session.error`` tells it; ``retry`` is what is done about it."""
    kinds: Mapping[type[ModelFailed], str] = {
        ModelOverloaded: "model_overloaded_error",
        ModelRateLimited: "model_rate_limited_error",
        ModelBilling: "billing_error",
    }
    kind = kinds.get(type(error), "model_request_failed_error")
    return {"type": kind, "message": str(error), "retry_status": {"type": retry}}


class Preview:
    """Shows an answer while it is made, under the ids that its events will have."""

    def __init__(self, session_id: str, start: Event, show: Callable[[JsonObject], None]) -> None:
        self._session_id = session_id
        self._start = start
        self._show = show
        self._shown: tuple[int, str] | None = None
        self._id = ""

    def __call__(self, delta: Delta) -> None:
        if self._shown != (delta.part, delta.kind):
            self._begin(delta)
        if delta.kind == "text":
            content = {"type": "text", "text": delta.text}
            told = {"type": "content_delta", "index": 0, "content": content}
            self._show({"type": "event_delta", "event_id": self._id, "delta": told})

    def _begin(self, delta: Delta) -> None:
        goes_on = self._shown == (delta.part - 1, "text") and delta.kind == "text"
        self._shown = (delta.part, delta.kind)
        if not goes_on:  # texts side by side become one event
            self._id = event_id(self._session_id, _key(self._start.id, delta.part))
            self._show({"type": "event_start", "event": {"type": _PREVIEWED[delta.kind], "id": self._id}})


def _key(start: str, number: int) -> str:
    return f"{start}:{number}"


def _numbered(parts: Sequence[Text | Thinking | ToolCall]) -> list[tuple[int, Text | Thinking | ToolCall]]:
    """The parts with their numbers; texts side by side made one, under the first one's."""
    found: list[tuple[int, Text | Thinking | ToolCall]] = []
    for number, part in enumerate(parts):
        last = found[-1][1] if found else None
        if isinstance(part, Text) and isinstance(last, Text):
            found[-1] = (found[-1][0], Text(last.text + part.text))
        else:
            found.append((number, part))
    return [(number, part) for number, part in found if not isinstance(part, Text) or part.text]


def _said(text: str) -> JsonObject:
    return {"content": [{"type": "text", "text": text}]}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": usage.cache_write,
        "speed": None,
    }
