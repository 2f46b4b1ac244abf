"""In-process transports that stream: an answer's bytes come out while the application still runs, and
closing an answer early is a disconnect, as with a socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import anthropic
import httpx2

__all__ = ["BASE", "ENGINES", "Bridge", "Direct", "ask", "async_client", "async_http", "sync_http"]

BASE: Final = "http://localhost:8000"
ENGINES: Final = ["sqlite", "postgresql"]
_PATIENCE: Final = 30.0  # a test that waits longer for one chunk is stuck


class _Answer:
    """One request at the application, in a task of its own."""

    def __init__(self, app: Any, scope: dict[str, Any], body: bytes) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | None = body
        self._gone = asyncio.Event()
        self._started = asyncio.Event()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=8)  # a slow reader pushes back
        self._task = asyncio.ensure_future(self._run(app, scope))

    async def _run(self, app: Any, scope: dict[str, Any]) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            self._started.set()
            if not self._gone.is_set():
                await self._chunks.put(None)

    async def _receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if self._gone.is_set():
            return
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
            self._started.set()
        elif chunk := message.get("body", b""):
            put = asyncio.ensure_future(self._chunks.put(chunk))
            gone = asyncio.ensure_future(self._gone.wait())
            await asyncio.wait({put, gone}, return_when=asyncio.FIRST_COMPLETED)
            put.cancel(), gone.cancel()

    async def start(self) -> None:
        await asyncio.wait_for(self._started.wait(), _PATIENCE)
        if not self.status:
            await self._task
            raise AssertionError("the application ended without an answer")

    async def next(self) -> bytes | None:
        chunk = await asyncio.wait_for(self._chunks.get(), _PATIENCE)
        if chunk is None:
            await self._task  # raises what the application raised
        return chunk

    async def close(self) -> None:
        self._gone.set()
        await asyncio.wait_for(asyncio.wait({self._task}), _PATIENCE)


def _scope(request: httpx2.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(key.lower(), value) for key, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("127.0.0.1", 50_000),
        "root_path": "",
    }


class _AsyncBytes(httpx2.AsyncByteStream):
    def __init__(self, answer: _Answer) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._answer.next()) is not None:
            yield chunk

    async def aclose(self) -> None:
        await self._answer.close()


class Direct(httpx2.AsyncBaseTransport):
    """An application on the running loop."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = _Answer(self._app, _scope(request), await request.aread())
        await answer.start()
        return httpx2.Response(answer.status, headers=answer.headers, stream=_AsyncBytes(answer))


class _SyncBytes(httpx2.SyncByteStream):
    def __init__(self, bridge: Bridge, answer: _Answer) -> None:
        self._bridge = bridge
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._bridge.run(self._answer.next())) is not None:
            yield chunk

    def close(self) -> None:
        self._bridge.run(self._answer.close())


class Bridge(httpx2.BaseTransport):
    """An application on an event loop in a thread of its own, for synchronous clients."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(2 * _PATIENCE)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer: _Answer = self.run(self._begin(_scope(request), request.read()))
        return httpx2.Response(answer.status, headers=answer.headers, stream=_SyncBytes(self, answer))

    async def _begin(self, scope: dict[str, Any], body: bytes) -> _Answer:
        answer = _Answer(self._app, scope, body)
        await answer.start()
        return answer

    def close(self) -> None:
        if not self._loop.is_closed():
            self.run(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE)
            self._loop.close()

    async def _end(self) -> None:
        if running := getattr(self._app, "running", None):
            running.close()
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await self._loop.shutdown_default_executor()


@contextmanager
def sync_http(app: Any, headers: dict[str, str] | None = None) -> Iterator[httpx2.Client]:
    """A plain synchronous HTTP client on the application."""
    with httpx2.Client(transport=Bridge(app), base_url=BASE, headers=headers) as client:
        yield client


def async_http(app: Any, headers: dict[str, str] | None = None) -> httpx2.AsyncClient:
    """A plain asynchronous HTTP client on the application, on the running loop."""
    return httpx2.AsyncClient(transport=Direct(app), base_url=BASE, headers=headers)


def async_client(app: Any, api_key: str = "unused-on-loopback") -> anthropic.AsyncAnthropic:
    """The asynchronous SDK on the application."""
    return anthropic.AsyncAnthropic(
        api_key=api_key, base_url=BASE, http_client=async_http(app), max_retries=0
    )


def ask(
    app: Any,
    method: str,
    path: str,
    receive: Any,
    *,
    query: bytes = b"",
    kind: str = "application/json",
    size: int | None = None,
    headers: dict[str, str] | None = None,
) -> int:
    """One request straight to the application, with a ``receive`` of one's own; the status of the answer."""
    status: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    sent = {"host": "localhost:8000", "content-type": kind, **(headers or {})}
    if size is not None:
        sent["content-length"] = str(size)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "headers": [(key.encode(), value.encode()) for key, value in sent.items()],
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "server": ("localhost", 8000),
        "client": ("127.0.0.1", 50_000),
        "root_path": "",
    }
    asyncio.run(asyncio.wait_for(app(scope, receive, send), _PATIENCE))
    return status[0]
