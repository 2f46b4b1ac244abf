"""A model provider for tests: a real HTTP server on loopback that speaks three wires, and fails as told.

It speaks OpenAI's chat completions (``POST /v1/chat/completions``) and responses (``POST /v1/responses``: ask
``openai-responses:gpt-5``), and Anthropic's messages (``POST /v1/messages``), in one piece and streamed, with text, thinking, tool calls, usage and errors as those providers send them.

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
- ``Garbage()``: a body that is no JSON; ``Huge(N)``: one token of N bytes; ``Hangs()``: headers, then nothing (or not even those);
- ``Zips(answer)``: compressed, though nobody asked for that;
- ``Breaks(answer, Fails(…))``: an error in the middle of a stream, after its first events;
- ``Drips(answer, every=S)``: one event each S seconds.

A script that is at its end answers 500, ``the script is at its end``. The server runs in a thread of its own.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest
from tests.models.wires import WIRES, Fails, Says

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
    "Zips",
    "serving",
]


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
    headers: bool = True


@dataclass(frozen=True)
class Zips:
    answer: Any


@dataclass(frozen=True)
class Drips:
    answer: Any
    every: float = 0.01


Script = Callable[[Request], Any]


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
    wire = WIRES[request.path.removeprefix("/v1").partition("?")[0]](request.body["model"])
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
    if isinstance(said, Zips):
        body = gzip.compress(json.dumps(wire.answer(_says(said.answer))).encode())
        await _whole(writer, 200, body, {"content-encoding": "gzip"})
        return
    if isinstance(said, Hangs) and not said.headers:
        await gone
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
