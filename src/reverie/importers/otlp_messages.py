"""What a model was told and what it answered, in each way a span has of carrying it.

OpenTelemetry GenAI in its generations: one event for each message (conventions up to 1.36, as span
events or as log records), JSON in attributes of the span or of one event (from 1.37), and before both
``gen_ai.content.*`` events and ``gen_ai.prompt.0.…`` attributes. OpenInference: flattened attributes,
and ``input.value``/``output.value``. The AI SDK: ``ai.prompt.messages`` and ``ai.response.*``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from reverie.domain.events import Json
from reverie.importers.documents import Node
from reverie.importers.messages import is_message
from reverie.importers.otlp_spans import Item, structured, unflattened
from reverie.importers.values import mapping, sequence, string

__all__ = ["DETAILS", "Message", "Told", "is_message_event", "told_by"]

DETAILS: Final = "gen_ai.client.inference.operation.details"
_ROLE_OF_EVENT: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE: Final = "gen_ai.choice"
_OLD_EVENTS: Final = {
    "gen_ai.content.prompt": "gen_ai.prompt",
    "gen_ai.content.completion": "gen_ai.completion",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message, in a shape that ``messages.Dialogue`` reads, and where in its span or log record it stands."""

    record: dict[str, Json]
    place: str
    node: Node | None = None  # of a log record: it is not the one that ends the request


@dataclass(slots=True)
class Told:
    """The prompt and the history that went to a model, and what came back."""

    prompts: list[Message] = field(default_factory=list[Message])
    history: list[Message] = field(default_factory=list[Message])
    answer: list[Message] = field(default_factory=list[Message])

    def __bool__(self) -> bool:
        return bool(self.prompts or self.history or self.answer)

    def hear(self, message: Message, *, answer: bool = False) -> None:
        record = message.record
        if record.get("role") in ("system", "developer") and not answer:
            self.prompts.append(message)
        else:
            (self.answer if answer else self.history).append(message)


def is_message_event(name: str) -> bool:
    """Whether an event of this name is one message (conventions up to 1.36)."""
    return name == _CHOICE or name in _ROLE_OF_EVENT


def told_by(item: Item) -> Told:
    """The messages a span carries: the first way of carrying them that it uses."""
    for way in _WAYS:
        told = way(item)
        if told:
            return told
    return Told()


def _by_attributes(item: Item) -> Told:
    told = Told()
    details = [(e.attributes, f"{e.inside}/attributes") for e in item.events if e.name == DETAILS]
    for attributes, where in [(item.attributes, ""), *details]:
        for name, role in (("gen_ai.system_instructions", "system"), ("gen_ai.input.messages", "user")):
            place = where or item.place(name)
            for record in _records(attributes.get(name), role):
                told.hear(Message(record, place))
        for record in _records(attributes.get("gen_ai.output.messages"), "assistant"):
            told.hear(Message(record, where or item.place("gen_ai.output.messages")), answer=True)
    return told


def _by_events(item: Item) -> Told:
    told = Told()
    for event in item.events:
        record = _event_record(event.name, event.attributes)
        if record is not None:
            told.hear(Message(record, event.inside), answer=event.name == _CHOICE)
    if item.log is not None:
        record = _event_record(item.log, item.attributes)
        if record is not None:
            told.hear(Message(record, "", item.node), answer=item.log == _CHOICE)
    return told


def _event_record(name: str, attributes: Mapping[str, Json]) -> dict[str, Json] | None:
    """A message written as an event of its own."""
    inner = mapping(structured(attributes.get("gen_ai.event.content"))) or dict(attributes)
    if name == _CHOICE:
        message = mapping(structured(inner.get("message"))) or inner
        return _chat_record({**message, "role": "assistant"})
    role = _ROLE_OF_EVENT.get(name)
    return None if role is None else _chat_record({**inner, "role": string(inner.get("role")) or role})


def _by_old_events(item: Item) -> Told:
    told = Told()
    for event in item.events:
        name = _OLD_EVENTS.get(event.name)
        if name is not None:
            answer = name == "gen_ai.completion"
            for record in _records(event.attributes.get(name), "assistant" if answer else "user"):
                told.hear(Message(record, event.inside), answer=answer)
    return told


def _by_prompt_attributes(item: Item) -> Told:
    told = Told()
    for prefix, answer in (("gen_ai.prompt", False), ("gen_ai.completion", True)):
        place = item.place(f"{prefix}.0.content")
        for record in unflattened(item.attributes, prefix):
            told.hear(Message(_chat_record(mapping(record)), place), answer=answer)
    return told


def _by_openinference(item: Item) -> Told:
    told = Told()
    for prefix, answer in (("llm.input_messages", False), ("llm.output_messages", True)):
        for number, given in enumerate(unflattened(item.attributes, prefix)):
            place = item.place(f"{prefix}.{number}.message.content")
            told.hear(
                Message(_openinference_record(mapping(mapping(given).get("message"))), place), answer=answer
            )
    return told


def _by_vercel(item: Item) -> Told:
    """The AI SDK's own attributes, beside the conventions'."""
    told = Told()
    for record in _records(item.attributes.get("ai.prompt.messages"), "user"):
        told.hear(Message(record, item.place("ai.prompt.messages")))
    for name in ("ai.response.text", "ai.response.toolCalls"):
        value = item.attributes.get(name)
        key = "content" if name == "ai.response.text" else "tool_calls"
        if value:
            record = _chat_record({"role": "assistant", key: value})
            told.hear(Message(record, item.place(name)), answer=True)
    return told


def _openinference_record(message: dict[str, Json]) -> dict[str, Json]:
    record = {k: v for k, v in message.items() if k in ("role", "content", "tool_call_id", "name")}
    parts = [
        _openinference_part(mapping(mapping(p).get("message_content")))
        for p in sequence(message.get("contents"))
    ]
    if parts:
        record["content"] = parts
    calls = [mapping(mapping(c).get("tool_call")) for c in sequence(message.get("tool_calls"))]
    if calls:
        record["tool_calls"] = calls
    name = string(message.get("function_call_name"))
    if name is not None:
        record["function_call"] = {"name": name, "arguments": message.get("function_call_arguments_json")}
    return record


def _openinference_part(part: dict[str, Json]) -> dict[str, Json]:
    image = mapping(mapping(part.get("image")).get("image"))
    return {"type": "image", "url": image.get("url")} if image else part


def _by_values(item: Item) -> Told:
    """The last resort: whatever went in, and whatever came out."""
    told = Told()
    for name, role in (("input.value", "user"), ("output.value", "assistant")):
        value = structured(item.attributes.get(name))
        found = mapping(value)
        choice = mapping(next(iter(sequence(found.get("choices"))), None)).get("message")
        shown: Json = found.get("messages") or found.get("input") or choice or item.attributes.get(name)
        for record in _records(shown, role):
            told.hear(Message(record, item.place(name)), answer=role == "assistant")
    return told


_WAYS: Final = (
    *(_by_attributes, _by_events, _by_old_events, _by_prompt_attributes),
    *(_by_openinference, _by_vercel, _by_values),
)


# Shapes.


def _records(given: Json, role: str) -> Iterator[dict[str, Json]]:
    """Messages out of an attribute: a list of them, one, a list of parts, or a text."""
    value = structured(given)
    if isinstance(value, str) and value:
        yield {"role": role, "content": value}
        return
    several = sequence(value) or ([value] if isinstance(value, dict) else [])
    parts = [v for v in several if not _is_turn(mapping(v))]
    if parts and len(parts) == len(several):  # e.g. system instructions: parts without a message
        yield _chat_record({"role": role, "parts": parts})
        return
    for message in several:
        found = mapping(message)
        yield _chat_record(found if "role" in found or is_message(found) else {**found, "role": role})


def _is_turn(record: dict[str, Json]) -> bool:
    return (
        "role" in record
        or "parts" in record
        or (is_message(record) and "tool_call" not in str(record.get("type")))
    )


def _chat_record(message: dict[str, Json]) -> dict[str, Json]:
    """A message of OpenTelemetry's shape (role and parts, or an event's attributes) as one of chat's."""
    record = dict(message)
    parts = record.pop("parts", None)
    if parts is not None:
        record["content"] = [
            _part(mapping(part)) if isinstance(part, dict) else part for part in sequence(parts)
        ]
    record["tool_calls"] = structured(record.get("tool_calls"))
    content = structured(record.get("content"))
    if isinstance(content, list) and all("type" in mapping(part) for part in sequence(cast(Json, content))):
        record["content"] = content  # else a text that happens to be JSON: verbatim
    if record.get("role") == "tool" and not record.get("tool_call_id"):
        record["tool_call_id"] = record.get("id")
    return record


def _part(part: dict[str, Json]) -> dict[str, Json]:
    kind = part.get("type")
    if kind in ("tool_call_response", "server_tool_call_response"):
        answer = next((part[k] for k in ("response", "result", kind) if part.get(k) is not None), None)
        return {"type": "tool_result", "tool_use_id": part.get("id"), "content": answer}
    if kind == "server_tool_call":
        return {**part, "type": "tool_use", "input": part.get("server_tool_call")}
    return part
