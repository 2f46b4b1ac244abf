"""One path of the API: from an authenticated request to a handler's answer.

The order is the security: method, scope, body's size and type, JSON, fields; only then the handler.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reverie.domain.errors import Forbidden, Invalid
from reverie.server import bodies, queries
from reverie.server.auth import Principal
from reverie.server.endpoint import Call, Endpoint, Raw, Stream, Upload
from reverie.server.errors import WireError
from reverie.server.repeats import HEADER, once
from reverie.server.running import Running

__all__ = ["Door"]

_JSON: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode


class Door:
    """The endpoints of one path, by method: an ASGI application. Errors are raised, not answered."""

    def __init__(self, endpoints: Mapping[str, Endpoint], running: Running) -> None:
        self._by_method = {method: _Handler(endpoint, running) for method, endpoint in endpoints.items()}
        self._allow = ", ".join(sorted(endpoints))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._by_method.get(scope["method"])
        if handler is None:
            raise WireError(
                f"{scope['method']} is not something {scope['path']} does; it does {self._allow}",
                status=405,
                type="invalid_request_error",
                headers={"allow": self._allow},
            )
        await handler(scope, receive, send)


class _Handler:
    def __init__(self, endpoint: Endpoint, running: Running) -> None:
        self._endpoint = endpoint
        self._running = running
        self._asynchronous = inspect.iscoroutinefunction(endpoint.handle)
        self._rate = endpoint.rate or ("read" if endpoint.method == "GET" else "create")
        self._query = queries.Reader(endpoint.query)
        self._route = f"{endpoint.method} {endpoint.path}"
        self._post = endpoint.method == "POST"
        self._once = endpoint.answer not in (Raw, Stream) and endpoint.body is not Upload
        self._body = bodies.Reader(endpoint.body, endpoint.limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal: Principal = scope["principal"]
        if not principal.may(self._endpoint.scope):
            raise Forbidden(f"this key may not do that: it lacks the scope {self._endpoint.scope}")
        self._running.rates.take(principal, self._rate)
        request = Request(scope, self._body.bounded(scope, receive))
        call: Call[Any, Any] = Call(
            house=self._running.reverie.workspace(principal.workspace),
            principal=principal,
            path=scope["path_params"],
            query=self._query(scope["query_string"]),
            body=await self._body.read(request),
            request=request,
            server=self._running,
        )
        answer = await self._answered(call) if self._post else await self._answer(call)
        await answer(scope, receive, send)

    async def _answered(self, call: Call[Any, Any]) -> Response:
        """The answer to a POST, which may say an idempotency key."""
        if self._once:
            return await once(call.house, self._route, call.request, partial(self._answer, call))
        if HEADER in call.request.headers:
            raise Invalid("Idempotency-Key", "not taken here: an upload is not kept to be compared")
        return await self._answer(call)

    async def _answer(self, call: Call[Any, Any]) -> Response:
        answer = await self._handle(call)
        if isinstance(answer, Response):
            return answer
        return Response(_encode(answer), self._endpoint.status, media_type=_JSON)

    async def _handle(self, call: Call[Any, Any]) -> Any:
        if self._asynchronous:
            return await self._endpoint.handle(call)
        return await anyio.to_thread.run_sync(
            partial(self._endpoint.handle, call), limiter=self._running.threads
        )
