"""Our messages in pydantic-ai's types, and its answers in ours.

What a provider wants back unchanged (signatures, ids of reasoning, encrypted reasoning) travels in ``details``
of a thought or a call. It is sent back to the provider that gave it; another one is sent the thought as text, or
nothing, as pydantic-ai decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import msgspec
import pydantic_ai.messages as theirs
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from reverie.domain import messages as ours
from reverie.domain.errors import ModelFailed
from reverie.domain.events import JsonObject

__all__ = ["answer", "conversation", "parameters", "price_of"]

_CENTS: Final = 100
_OF_RESPONSE: Final = ("provider_name", "provider_url", "canonical_system")
_OF_PART: Final = ("id", "signature", "provider_name", "provider_details")


# ---------------------------------------------------------------------- there


def parameters(request: ours.ModelRequest) -> ModelRequestParameters:
    """The tools and the system prompt."""
    tools = [
        ToolDefinition(
            name=tool.name,
            description=tool.description,
            parameters_json_schema=dict(tool.input_schema),
            strict=False,  # else schemas are rewritten, and the model is told other than what calls are checked by
        )
        for tool in request.tools
    ]
    system = [theirs.InstructionPart(content=request.system)] if request.system else []
    return ModelRequestParameters(function_tools=tools, instruction_parts=system)


def conversation(messages: Sequence[ours.Message]) -> list[theirs.ModelMessage]:
    """The turns. Turns of one side that follow each other become one message, in their order."""
    made: list[theirs.ModelMessage] = []
    for message in messages:
        if isinstance(message, ours.AssistantTurn):
            _say(made, message)
        else:
            parts = list(_asked(message))
            last = made[-1] if made else None
            if isinstance(last, theirs.ModelRequest):
                parts = [*last.parts, *parts]
                made.pop()
            made.append(theirs.ModelRequest(parts=parts))
    return made


def _say(made: list[theirs.ModelMessage], turn: ours.AssistantTurn) -> None:
    origin: dict[str, Any] = {}
    for part in turn.parts:
        if not isinstance(part, ours.Text):
            origin.update({name: part.details[name] for name in _OF_RESPONSE if name in part.details})
    parts = [_said(part) for part in turn.parts]
    if made and isinstance(last := made[-1], theirs.ModelResponse):
        parts = [*last.parts, *parts]
        made.pop()
    made.append(theirs.ModelResponse(parts=parts, **origin))


def _said(part: ours.Text | ours.Thinking | ours.ToolCall) -> theirs.ModelResponsePart:
    if isinstance(part, ours.Text):
        return theirs.TextPart(part.text)
    kept: dict[str, Any] = {name: part.details[name] for name in _OF_PART if name in part.details}
    if isinstance(part, ours.Thinking):
        return theirs.ThinkingPart(part.text, **kept)
    kept.pop("signature", None)
    given = dict(part.input) if part.garbled is None else part.garbled
    return theirs.ToolCallPart(part.name, given, part.id, **kept)


def _asked(turn: ours.UserTurn | ours.SystemTurn) -> Iterator[theirs.ModelRequestPart]:
    if isinstance(turn, ours.SystemTurn):
        yield theirs.SystemPromptPart(turn.text)
        return
    said: list[theirs.UserContent] = []
    for part in turn.parts:
        if not isinstance(part, ours.ToolResult):
            said += _shown(part)
            continue
        if said:
            yield theirs.UserPromptPart(said)
            said = []
        yield theirs.ToolReturnPart(
            part.name, _given(part.content), part.call_id, outcome="failed" if part.is_error else "success"
        )
    if said:
        yield theirs.UserPromptPart(said)


def _given(content: Sequence[ours.ResultPart]) -> Any:
    """What a tool gave: plain text where it is one text, which is what every provider takes."""
    if all(isinstance(part, ours.Text) for part in content):
        return "\n".join(part.text for part in content if isinstance(part, ours.Text))
    return [shown for part in content for shown in _shown(part)]


def _shown(part: ours.ResultPart) -> list[theirs.UserContent]:
    if isinstance(part, ours.Text):
        return [part.text] if part.text else []
    if part.data is not None:
        data = part.data
        if part.media_type.startswith("text/"):  # it becomes text, of which providers take UTF-8 alone
            data = data.decode("utf-8", "replace").encode()
        shown: theirs.UserContent = theirs.BinaryContent(data, media_type=part.media_type)
    elif isinstance(part, ours.Image):
        shown = theirs.ImageUrl(part.url or "", media_type=part.media_type)
    else:
        shown = theirs.DocumentUrl(part.url or "", media_type=part.media_type)
    title = part.title if isinstance(part, ours.Document) else None
    return [f"{title}:", shown] if title else [shown]


# ---------------------------------------------------------------------- and back


def answer(response: theirs.ModelResponse, model: str) -> ours.ModelResponse:
    """What a model answered, under the name ``model`` where the provider says none.

    Raises:
        ModelFailed: the provider says that its model failed.
    """
    parts = _unique(
        [ours_part for part in response.parts if (ours_part := _part(part, response)) is not None]
    )
    stop = _stop(response, parts)
    return ours.ModelResponse(
        parts=parts,
        usage=_usage(response.usage),
        stop=stop,
        model=response.model_name or model,
        cost=price_of(response),
        details=_refused(response) if stop == "refusal" else {},
    )


def price_of(response: theirs.ModelResponse) -> Decimal | None:
    """Cents, at list prices; None where the model has none, or the provider did not say how much was used."""
    try:
        return response.cost().total_price * _CENTS
    except (LookupError, ValueError, AssertionError):
        return None


def _part(
    part: theirs.ModelResponsePart, response: theirs.ModelResponse
) -> ours.Text | ours.Thinking | ours.ToolCall | None:
    if isinstance(part, theirs.TextPart):
        return ours.Text(part.content) if part.content else None
    if isinstance(part, theirs.ThinkingPart):
        details = _details(part, response)
        return ours.Thinking(part.content, details) if part.content or "signature" in details else None
    if isinstance(part, theirs.ToolCallPart):
        given, garbled = _arguments(cast("str | dict[str, Any] | None", part.args))
        return ours.ToolCall(part.tool_call_id, part.tool_name, given, garbled, _details(part, response))
    return None  # tools of the provider's own, files, speech: never asked for


def _details(part: theirs.ThinkingPart | theirs.ToolCallPart, response: theirs.ModelResponse) -> JsonObject:
    kept = {name: value for name in _OF_PART if (value := getattr(part, name, None)) is not None}
    if not kept:
        return {}
    kept |= {name: value for name in _OF_RESPONSE if (value := getattr(response, name)) is not None}
    return msgspec.to_builtins(kept)


def _arguments(given: str | dict[str, Any] | None) -> tuple[JsonObject, str | None]:
    if isinstance(given, dict):
        return given, None
    if not given:
        return {}, None
    try:
        return msgspec.json.decode(given, type=dict[str, Any]), None
    except (msgspec.DecodeError, RecursionError):
        return {}, given


def _unique(
    parts: list[ours.Text | ours.Thinking | ours.ToolCall],
) -> list[ours.Text | ours.Thinking | ours.ToolCall]:
    """The parts with calls told apart: some servers give every call of an answer the same id."""
    seen: set[str] = set()
    made: list[ours.Text | ours.Thinking | ours.ToolCall] = []
    for part in parts:
        if isinstance(part, ours.ToolCall):
            id = part.id
            while id in seen:
                id += "_"
            seen.add(id)
            if id != part.id:
                part = ours.ToolCall(id, part.name, part.input, part.garbled, part.details)  # noqa: PLW2901
        made.append(part)
    return made


def _usage(used: RequestUsage) -> ours.Usage:
    cached = used.cache_read_tokens + used.cache_write_tokens
    return ours.Usage(
        input=max(used.input_tokens - cached, 0),
        output=used.output_tokens,
        cache_read=used.cache_read_tokens,
        cache_write=used.cache_write_tokens,
    )


def _stop(
    response: theirs.ModelResponse, parts: Sequence[ours.Text | ours.Thinking | ours.ToolCall]
) -> ours.Stop:
    reason = response.finish_reason
    if reason == "error":
        raise ModelFailed("the model stopped with an error", where=response.model_name)
    if reason == "length":
        return "max_tokens"
    if reason == "content_filter":
        return "refusal"
    return "tool_use" if any(isinstance(part, ours.ToolCall) for part in parts) else "end_turn"


def _refused(response: theirs.ModelResponse) -> dict[str, str]:
    said = response.provider_details or {}
    details = {"category": str(said.get("refusal_category") or "unspecified")}
    return details | ({"explanation": str(said["refusal"])} if said.get("refusal") else {})
