"""The wires that the provider for tests speaks: what is said, as each vendor would send it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from reverie.domain.messages import Text, Thinking, ToolCall, Usage

__all__ = ["WIRES", "Anthropic", "Chat", "Fails", "Responses", "Says"]

USAGE = Usage(input=100, output=20)


@dataclass(frozen=True)
class Says:
    """An answer. ``stop`` is the wire's own word where the usual one will not do."""

    parts: Sequence[Any]
    usage: Usage | None = USAGE
    stop: str | None = None
    signature: str = "c2lnbmVk"
    category: str | None = None


@dataclass(frozen=True)
class Fails:
    status: int
    message: str = "it went wrong"
    retry_after: float | None = None
    type: str | None = None
    code: str | None = None


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def _text(part: Any) -> str:
    return part if isinstance(part, str) else part.text


def _given(call: ToolCall) -> str:
    return json.dumps(call.input) if call.garbled is None else call.garbled


def _pieces(text: str) -> list[str]:
    """As tokens come: a few, then the rest."""
    return [piece for piece in (text[:3], text[3:9], text[9:]) if piece]


class Anthropic:
    """https://docs.anthropic.com/en/api/messages"""

    def __init__(self, model: str) -> None:
        self._model = model

    def too_long(self) -> Fails:
        return Fails(400, "prompt is too long: 250000 tokens > 200000 maximum")

    def error(self, fault: Fails) -> dict[str, Any]:
        kind = fault.type or _ANTHROPIC_TYPES.get(fault.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": fault.message}}

    def failing(self, fault: Fails) -> bytes:
        return f"event: error\ndata: {json.dumps(self.error(fault))}\n\n".encode()

    def answer(self, said: Says) -> dict[str, Any]:
        used = said.usage or Usage()
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [self._block(part, said) for part in said.parts],
            **self._end(said),
            "usage": self._start_usage(used) | {"output_tokens": used.output},
        }

    def events(self, said: Says) -> Iterator[bytes]:
        used = said.usage or Usage()
        opening = self.answer(Says([])) | {"stop_reason": None, "usage": self._start_usage(used)}
        yield self._event("message_start", message=opening | {"stop_details": None})
        for index, part in enumerate(said.parts):
            block, deltas = self._streamed(part, said)
            yield self._event("content_block_start", index=index, content_block=block)
            for delta in deltas:
                yield self._event("content_block_delta", index=index, delta=delta)
            yield self._event("content_block_stop", index=index)
        usage = {"output_tokens": used.output}
        yield self._event("message_delta", delta=self._end(said), usage=usage)
        yield self._event("message_stop")

    def _streamed(self, part: Any, said: Says) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        block = self._block(part, said)
        if isinstance(part, ToolCall):
            pieces = _pieces(_given(part))
            return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in pieces]
        if isinstance(part, Thinking):
            deltas = [{"type": "thinking_delta", "thinking": p} for p in _pieces(part.text)]
            sign = {"type": "signature_delta", "signature": said.signature}
            return block | {"thinking": "", "signature": ""}, [*deltas, sign]
        return block | {"text": ""}, [{"type": "text_delta", "text": p} for p in _pieces(_text(part))]

    def _block(self, part: Any, said: Says) -> dict[str, Any]:
        if isinstance(part, ToolCall):
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": dict(part.input)}
        if isinstance(part, Thinking):
            return {"type": "thinking", "thinking": part.text, "signature": said.signature}
        return {"type": "text", "text": _text(part), "citations": None}

    def _end(self, said: Says) -> dict[str, Any]:
        calls = any(isinstance(part, ToolCall) for part in said.parts)
        ends: dict[str, Any] = {"stop_reason": said.stop or ("tool_use" if calls else "end_turn")}
        if said.category is not None:
            ends["stop_details"] = {"type": "refusal", "category": said.category, "explanation": "not this"}
        return ends | {"stop_sequence": None}

    def _start_usage(self, used: Usage) -> dict[str, Any]:
        return {
            "input_tokens": used.input,
            "cache_read_input_tokens": used.cache_read,
            "cache_creation_input_tokens": used.cache_write,
            "output_tokens": 1,
        }

    def _event(self, kind: str, **more: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind} | more)}\n\n".encode()


class Chat:
    """https://platform.openai.com/docs/api-reference/chat; thinking as vLLM and DeepSeek send it."""

    def __init__(self, model: str) -> None:
        self._model = model

    def too_long(self) -> Fails:
        message = "This model's maximum context length is 128000 tokens."
        return Fails(400, message, type="invalid_request_error", code="context_length_exceeded")

    def error(self, fault: Fails) -> dict[str, Any]:
        return {"error": {"message": fault.message, "type": fault.type, "param": None, "code": fault.code}}

    def failing(self, fault: Fails) -> bytes:
        return f"data: {json.dumps(self.error(fault))}\n\n".encode()

    def answer(self, said: Says) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self._joined(said, Text), "refusal": None}
        if thought := self._joined(said, Thinking):
            message["reasoning_content"] = thought
        if calls := [self._call(part) for part in said.parts if isinstance(part, ToolCall)]:
            message["tool_calls"] = calls
        if said.category is not None:
            message["refusal"] = "not this"
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._end(said)}
        made = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": self._model}
        return made | {"choices": [choice]} | ({"usage": self._usage(said.usage)} if said.usage else {})

    def events(self, said: Says) -> Iterator[bytes]:
        yield self._chunk({"role": "assistant", "content": ""})
        calls = 0
        for part in said.parts:
            if isinstance(part, ToolCall):
                yield from self._called(part, calls)
                calls += 1
            else:
                key = "reasoning_content" if isinstance(part, Thinking) else "content"
                yield from (self._chunk({key: piece}) for piece in _pieces(_text(part)))
        if said.category is not None:
            yield self._chunk({"refusal": "not this"})
        yield self._chunk({}, self._end(said))
        if said.usage:
            yield self._data({"choices": [], "usage": self._usage(said.usage)})
        yield b"data: [DONE]\n\n"

    def _called(self, part: ToolCall, number: int) -> Iterator[bytes]:
        start = {"index": number, **self._call(part)}
        start["function"] = {"name": part.name, "arguments": ""}
        yield self._chunk({"tool_calls": [start]})
        for piece in _pieces(_given(part)):
            yield self._chunk({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})

    def _joined(self, said: Says, kind: type) -> str | None:
        wanted = (str, Text) if kind is Text else (kind,)
        return "".join(_text(part) for part in said.parts if isinstance(part, wanted)) or None

    def _call(self, part: ToolCall) -> dict[str, Any]:
        return {
            "id": part.id,
            "type": "function",
            "function": {"name": part.name, "arguments": _given(part)},
        }

    def _end(self, said: Says) -> str:
        if said.category is not None:
            return "stop"
        usual = "tool_calls" if any(isinstance(part, ToolCall) for part in said.parts) else "stop"
        return {"max_tokens": "length"}.get(said.stop or "", said.stop) or usual

    def _usage(self, used: Usage) -> dict[str, Any]:
        sent = used.input + used.cache_read
        return {
            "prompt_tokens": sent,
            "completion_tokens": used.output,
            "total_tokens": sent + used.output,
            "prompt_tokens_details": {"cached_tokens": used.cache_read},
        }

    def _chunk(self, delta: dict[str, Any], end: str | None = None) -> bytes:
        return self._data({"choices": [{"index": 0, "delta": delta, "finish_reason": end}]})

    def _data(self, more: dict[str, Any]) -> bytes:
        made = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": self._model}
        return f"data: {json.dumps(made | more)}\n\n".encode()


class Responses:
    """https://platform.openai.com/docs/api-reference/responses"""

    def __init__(self, model: str) -> None:
        self._model = model
        self._chat = Chat(model)

    def too_long(self) -> Fails:
        return self._chat.too_long()

    def error(self, fault: Fails) -> dict[str, Any]:
        return self._chat.error(fault)

    def failing(self, fault: Fails) -> bytes:
        return self._event("error", code=fault.code, message=fault.message, param=None)

    def answer(self, said: Says) -> dict[str, Any]:
        cut = said.stop == "max_tokens"
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": self._model,
            "status": "incomplete" if cut else "completed",
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": None,
            "metadata": {},
            "output": [self._item(index, part, said) for index, part in enumerate(self._parts(said))],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": self._usage(said.usage) if said.usage else None,
        }

    def events(self, said: Says) -> Iterator[bytes]:
        whole = self.answer(said)
        yield self._event(
            "response.created", response=whole | {"status": "in_progress", "output": [], "usage": None}
        )
        for index, part in enumerate(self._parts(said)):
            item = self._item(index, part, said)
            empty = (
                {"content": []}
                if item["type"] == "message"
                else {"arguments": ""}
                if "arguments" in item
                else {}
            )
            yield self._event("response.output_item.added", output_index=index, item=item | empty)
            for kind, more in self._deltas(part):
                place = {"item_id": item["id"], "output_index": index}
                yield self._event(kind, **place, **more)
            yield self._event("response.output_item.done", output_index=index, item=item)
        yield self._event(f"response.{whole['status']}", response=whole)

    def _parts(self, said: Says) -> list[Any]:
        return [*said.parts, *([None] if said.category is not None else [])]

    def _deltas(self, part: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        if part is None:
            yield "response.refusal.delta", {"content_index": 0, "delta": "not this"}
            yield "response.refusal.done", {"content_index": 0, "refusal": "not this"}
        elif isinstance(part, ToolCall):
            for piece in _pieces(_given(part)):
                yield "response.function_call_arguments.delta", {"delta": piece}
        elif isinstance(part, Thinking):
            yield (
                "response.reasoning_summary_part.added",
                {"summary_index": 0, "part": {"type": "summary_text", "text": ""}},
            )
            for piece in _pieces(part.text):
                yield "response.reasoning_summary_text.delta", {"summary_index": 0, "delta": piece}
        else:
            text = {"type": "output_text", "text": "", "annotations": []}
            yield "response.content_part.added", {"content_index": 0, "part": text}
            for piece in _pieces(_text(part)):
                yield "response.output_text.delta", {"content_index": 0, "delta": piece, "logprobs": []}

    def _item(self, index: int, part: Any, said: Says) -> dict[str, Any]:
        if isinstance(part, ToolCall):
            call = {"id": f"fc_{index}", "call_id": part.id, "name": part.name, "arguments": _given(part)}
            return {"type": "function_call", "status": "completed"} | call
        if isinstance(part, Thinking):
            summary = [{"type": "summary_text", "text": part.text}]
            return {
                "type": "reasoning",
                "id": f"rs_{index}",
                "summary": summary,
                "encrypted_content": said.signature,
            }
        content = {"type": "refusal", "refusal": "not this"}
        if part is not None:
            content = {"type": "output_text", "text": _text(part), "annotations": [], "logprobs": []}
        message = {"type": "message", "id": f"msg_{index}", "role": "assistant", "status": "completed"}
        return message | {"content": [content]}

    def _usage(self, used: Usage) -> dict[str, Any]:
        sent = used.input + used.cache_read
        return {
            "input_tokens": sent,
            "input_tokens_details": {"cached_tokens": used.cache_read},
            "output_tokens": used.output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sent + used.output,
        }

    def _event(self, kind: str, **more: Any) -> bytes:
        made = {"type": kind, "sequence_number": 1} | more
        return f"event: {kind}\ndata: {json.dumps(made)}\n\n".encode()


WIRES: dict[str, type[Anthropic | Chat | Responses]] = {
    "/messages": Anthropic,
    "/chat/completions": Chat,
    "/responses": Responses,
}
"""By the path below ``/v1``."""
