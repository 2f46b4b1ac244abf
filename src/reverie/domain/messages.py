"""What a model is asked and what it answers, whoever's model it is. Nothing of a vendor's wire is in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from reverie.domain.events import JsonObject

__all__ = [
    "AssistantTurn",
    "Delta",
    "Document",
    "Image",
    "Message",
    "ModelRequest",
    "ModelResponse",
    "ResultPart",
    "Stop",
    "SystemTurn",
    "Text",
    "Thinking",
    "ToolCall",
    "ToolResult",
    "ToolSpec",
    "Usage",
    "UserTurn",
]


@dataclass(frozen=True, slots=True)
class Text:
    """Text."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its bytes, or where it is. One of the two is set."""

    media_type: str
    data: bytes | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document: its bytes, or where it is. One of the two is set."""

    media_type: str
    data: bytes | None = None
    url: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """What a model thought. ``details`` is what its provider wants back unchanged (signatures, ids)."""

    text: str
    details: JsonObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asks for. ``id`` is unique in the request; ``input`` has whatever the model gave:
    whether it fits the tool's schema is for the hands to see. ``garbled`` is the text of arguments that are
    no JSON object; then ``input`` is empty."""

    id: str
    name: str
    input: JsonObject
    garbled: str | None = None
    details: JsonObject = field(default_factory=dict[str, Any])


ResultPart: TypeAlias = Text | Image | Document


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call gave. ``call_id`` is that of its ``ToolCall``; ``name`` the tool's."""

    call_id: str
    name: str
    content: Sequence[ResultPart]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class UserTurn:
    """What a person said and what tools gave."""

    parts: Sequence[Text | Image | Document | ToolResult]


@dataclass(frozen=True, slots=True)
class AssistantTurn:
    """What a model said, thought and called."""

    parts: Sequence[Text | Thinking | ToolCall]


@dataclass(frozen=True, slots=True)
class SystemTurn:
    """What the system said in the middle of a conversation; it replaces nothing."""

    text: str


Message: TypeAlias = UserTurn | AssistantTurn | SystemTurn


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it. ``input_schema`` is a JSON Schema of type object."""

    name: str
    description: str
    input_schema: JsonObject


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request. ``settings`` are ``max_tokens`` (int), ``effort`` (low … max), ``speed``, ``temperature``:
    those that a model does not know are left out. ``tool_choice`` names the one tool that must be called.
    """

    messages: Sequence[Message]
    system: str = ""
    tools: Sequence[ToolSpec] = ()
    settings: JsonObject = field(default_factory=dict[str, Any])
    tool_choice: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request. ``input`` are those that came from no cache and went into none."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


Stop: TypeAlias = Literal["end_turn", "tool_use", "max_tokens", "refusal"]


@dataclass(frozen=True, slots=True)
class ModelResponse:
    """One answer. ``model`` is the name under which it was answered; ``cost`` is in US cents at list prices,
    None where the model has none. ``details`` of a refusal: ``{"category": …}``."""

    parts: Sequence[Text | Thinking | ToolCall]
    usage: Usage
    stop: Stop
    model: str
    cost: Decimal | None = None
    details: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer while it is made, for those who watch. ``part`` counts the parts of the answer."""

    part: int
    kind: Literal["text", "thinking"]
    text: str
