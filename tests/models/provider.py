"""A model provider for tests: a real HTTP server on loopback that speaks two wires, and fails as told.

It speaks OpenAI's chat completions (``POST /v1/chat/completions``) and Anthropic's messages (``POST /v1/messages``),
in one piece and streamed, with text, thinking, tool calls, usage and errors as those providers send them.

    from reverie.domain.messages import ToolCall
    from tests.models.provider import Fails, serving

    with serving([ToolCall("c1", "add", {"a": 1}), Fails(429, retry_after=2), "It is 3."]) as provider:
        with provider.configured(monkeypatch):     # or pass provider.variables to a process of its own
            model = Providers().make("anthropic:claude-haiku-4-5")      # or "openai:gpt-5", "openai-compatible:…"
            ...
        provider.requests[0].body["messages"]      # what was asked, in order

What is said, one after the other, or by a function of the request (``serving(lambda request: …)``):

- a text, ``Text``, ``Thinking``, ``ToolCall``, or a list of those; ``Says(...)`` for a stop reason or usage of its own;
- ``Fails(status, message, retry_after=…)``: an error in the provider's own words (429, 500, 529, 400 …);
- ``Refuses(category)``; ``TooLong()``: the context is too long;
- ``Cuts(answer, after=N)``: the connection ends after N bytes of the body (``clean``: as if the answer were whole);
- ``Garbage()``: a body that is no JSON; ``Huge(N)``: one token of N bytes; ``Hangs()``: headers, then nothing;
- ``Breaks(answer, Fails(…))``: an error in the middle of a stream, after its first events;
- ``Drips(answer, every=S)``: one event each S seconds.

A script that is at its end answers 500, ``the script is at its end``. The server runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest

from reverie.domain.messages import Text, Thinking, ToolCall, Usage

__all__ = [
    "Breaks",
    "Cuts",
    "Drips",
    "Fails",
    "Garbage",
    "Hangs",
    "Huge",
    "Provider",
    "Refuses",
    "Request",
    "Says",
    "TooLong",
    "serving",
]

USAGE = Usage(input=100, output=20)


@dataclass(frozen=True)
class Request:
    """What was asked. ``streams``: whether the answer is to be streamed."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def streams(self) -> bool:
        return bool(self.body.get("stream"))


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


@dataclass(frozen=True)
class Refuses:
    category: str = "cyber"


@dataclass(frozen=True)
class TooLong:
    pass


@dataclass(frozen=True)
class Cuts:
    answer: Any
    after: int = 300
    clean: bool = False


@dataclass(frozen=True)
class Breaks:
    answer: Any
    fault: Fails
    after: int = 3


@dataclass(frozen=True)
class Garbage:
    body: bytes = b'{"this is": "no json'


@dataclass(frozen=True)
class Huge:
    size: int = 10 << 20


@dataclass(frozen=True)
class Hangs:
    pass


@dataclass(frozen=True)
class Drips:
    answer: Any
    every: float = 0.01


Script = Callable[[Request], Any]
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


@dataclass
class Provider:
    """A running server. ``requests`` are those it was sent; ``gone`` counts clients that left before the end."""

    port: int
    requests: list[Request] = field(default_factory=list)
    gone: int = 0

    @property
    def url(self) -> str:
        """Of the OpenAI wire: ``openai-compatible:any@{provider.url}``."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables that lead ``anthropic:…``, ``openai:…``, ``ollama:…``, ``vllm:…`` here."""
        return {
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.port}",
            "ANTHROPIC_API_KEY": "a key for tests",
            "OPENAI_BASE_URL": self.url,
            "OPENAI_API_KEY": "a key for tests",
            "OLLAMA_BASE_URL": self.url,
            "VLLM_BASE_URL": self.url,
            "REVERIE_MODEL_REQUESTS": "loopback",
            "NO_PROXY": "*",
        }

    @contextmanager
    def configured(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """This process's environment, for as long as it lasts."""
        with monkeypatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            yield


@contextmanager
def serving(script: Script | Iterable[Any]) -> Iterator[Provider]:
    """A provider that says what the script says, until the block ends."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    provider = Provider(0)
    answer = script if callable(script) else _one_by_one(script)
    serves = _Server(provider, answer)

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serves.start())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(serves.stop())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _one_by_one(answers: Iterable[Any]) -> Script:
    left = iter(answers)
    return lambda request: next(left, Fails(500, "the script is at its end"))


class _Server:
    def __init__(self, provider: Provider, answer: Script) -> None:
        self._provider = provider
        self._answer = answer
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._provider.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self._provider.gone += 1
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request: connections are not kept, so that every cut is of one answer."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        request = Request(head[0].split(" ")[1], headers, body)
        self._provider.requests.append(request)
        watch = asyncio.ensure_future(reader.read(1))
        try:
            await _reply(writer, request, self._answer(request), watch)
        finally:
            if watch.done():
                self._provider.gone += 1
            watch.cancel()


async def _reply(
    writer: asyncio.StreamWriter, request: Request, said: Any, gone: asyncio.Future[bytes]
) -> None:
    wire = _Anthropic(request) if request.path.endswith("/messages") else _OpenAI(request)
    if isinstance(said, TooLong):
        said = wire.too_long()
    if isinstance(said, Fails):
        more = {} if said.retry_after is None else {"retry-after": f"{said.retry_after:g}"}
        await _whole(writer, said.status, json.dumps(wire.error(said)).encode(), more)
        return
    if isinstance(said, Garbage):
        bodies = [b"data: " + said.body + b"\n\n"] if request.streams else [said.body]
        await _stream(writer, bodies, streams=request.streams)
        return
    if isinstance(said, Breaks):
        pieces = [*islice(wire.events(_says(said.answer)), said.after), wire.failing(said.fault)]
        await _stream(writer, pieces, streams=True)
        return
    cut = said.after if isinstance(said, Cuts) else None
    every = said.every if isinstance(said, Drips) else 0.0
    answer = _says(said.answer if isinstance(said, Cuts | Drips) else said)
    pieces = wire.events(answer) if request.streams else [json.dumps(wire.answer(answer)).encode()]
    clean = not isinstance(said, Cuts) or said.clean
    if isinstance(said, Hangs):
        pieces, clean = [], False
    await _stream(writer, pieces, streams=request.streams, cut=cut, every=every, clean=clean, gone=gone)
    if isinstance(said, Hangs):
        await gone


def _says(said: Any) -> Says:
    if isinstance(said, Says):
        return said
    if isinstance(said, Refuses):
        return Says([], stop="refusal", category=said.category)
    if isinstance(said, Huge):
        return Says(["x" * said.size])
    if isinstance(said, Hangs):
        return Says([])
    return Says(list(said) if isinstance(said, list | tuple) else [said])


async def _whole(writer: asyncio.StreamWriter, status: int, body: bytes, more: dict[str, str]) -> None:
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    } | more
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {status} Told\r\n{head}\r\n".encode() + body)
    await writer.drain()


async def _stream(
    writer: asyncio.StreamWriter,
    pieces: Iterable[bytes],
    *,
    streams: bool,
    cut: int | None = None,
    every: float = 0.0,
    clean: bool = True,
    gone: asyncio.Future[bytes] | None = None,
) -> None:
    kind = "text/event-stream" if streams else "application/json"
    head = f"content-type: {kind}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
    writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())
    for piece in pieces:
        part = piece if cut is None else piece[:cut]
        cut = None if cut is None else cut - len(part)
        if part:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
        if cut == 0 or (gone is not None and gone.done()):
            break
        if every:
            await asyncio.sleep(every)
    if clean:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


def _text(part: Any) -> str:
    return part if isinstance(part, str) else part.text


def _given(call: ToolCall) -> str:
    return json.dumps(call.input) if call.garbled is None else call.garbled


def _pieces(text: str) -> list[str]:
    """As tokens come: a few, then the rest."""
    return [piece for piece in (text[:3], text[3:9], text[9:]) if piece]


class _Anthropic:
    """https://docs.anthropic.com/en/api/messages"""

    def __init__(self, request: Request) -> None:
        self._model = request.body["model"]

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


class _OpenAI:
    """https://platform.openai.com/docs/api-reference/chat; thinking as vLLM and DeepSeek send it."""

    def __init__(self, request: Request) -> None:
        self._model = request.body["model"]

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
