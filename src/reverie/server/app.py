"""The HTTP API, and the console beside it: ``build`` gives an ASGI application over an opened ``Reverie``.

From the outside in: every request gets an id and every error its shape; nobody passes without being known;
then the route, and its door.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import anyio.to_thread
import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from reverie.app import Reverie
from reverie.domain.errors import NotFound, Unsupported
from reverie.server.absent import refuse_absent
from reverie.server.auth import PUBLIC, Keyring
from reverie.server.background import Background
from reverie.server.endpoint import Endpoint
from reverie.server.errors import ErrorBody, Refusal, refusal
from reverie.server.guard import Guard
from reverie.server.pages import Pages, key_of_page
from reverie.server.public import Public
from reverie.server.router import Router
from reverie.server.routes import ENDPOINTS
from reverie.server.running import Running
from reverie.server.settings import Settings

__all__ = ["App", "build"]

_DRAINED: Final = 1 << 20  # bytes of an unread body that are let come in, to keep the connection
_log: Final = logging.getLogger("reverie.server")


def build(
    reverie: Reverie,
    settings: Settings | None = None,
    *,
    endpoints: Iterable[Endpoint] = ENDPOINTS,
    console: bool = False,
    entropy: Callable[[int], bytes] = os.urandom,
    now: Callable[[], float] = time.monotonic,
) -> App:
    """The API as an ASGI application. ``reverie`` stays the caller's to close.

    Args:
        endpoints: The table of routes.
        console: Whether the review console is served too, beside the API.
        entropy: Gives random bytes, for the ids of requests.
        now: Seconds that only go forward, for rate limits and for how long a key is remembered.
    """
    running = Running(reverie, settings or Settings(), now=now)
    table = tuple(endpoints)
    return App(running, Router(table, running), Public(running, table), entropy, console=console)


class App:
    """The outermost layer: ids of requests, the shape of errors, and the server's life."""

    def __init__(
        self,
        running: Running,
        router: Router,
        public: Public,
        entropy: Callable[[int], bytes],
        *,
        console: bool,
    ) -> None:
        self.running = running
        self._router = router
        self._public = public
        self._pages = Pages(running, self._route, secret=entropy(32)) if console else None
        self._guard = Guard(
            running.settings,
            Keyring(
                running.reverie.keys,
                keyless=running.settings.keyless,
                now=running.now,
                serves=lambda key: running.reverie.workspace(key.workspace).work.session_of(key),
            ),
            self._enter,
            is_open=self._is_open,
            cookie=lambda scope: None if self._pages is None else key_of_page(scope),
        )
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"req_{self._entropy(15).hex()}"
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *_named(scope, request_id)]
            await send(message)

        try:
            await self._guard(scope, receive, named)
        except ClientDisconnect:
            return None
        except Exception as error:
            refused = refusal(error)
            if refused.status >= 500 and not isinstance(error, Unsupported):
                _log.exception("%s %r failed (%s)", scope["method"], scope["path"], request_id)
            if started:  # the status is out: all that is left is to cut the answer short, visibly
                raise
            if self._pages is not None and self._pages.owns(scope["path"]):
                return await self._pages.refuse(error, scope, receive, named)
            await _refuse(refused, request_id, named, unread=_unread(scope))

    def _is_open(self, path: str) -> bool:
        return path in PUBLIC or (self._pages is not None and self._pages.is_open(path))

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._pages is not None and self._pages.owns(scope["path"]):
            return await self._pages(scope, receive, send)
        return await self._route(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in PUBLIC:
            return await self._public(scope, receive, send)
        found = self._router.find(scope["path"])
        if found is None:
            refuse_absent(scope["path"])
            raise NotFound(f"there is no {scope['path'][:200]} here")
        door, scope["path_params"] = found
        return await door(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Between its first request and its last, a server also delivers webhooks and works off dreams."""
        await receive()
        background = Background(self.running.reverie)
        background.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.running.close()
        await anyio.to_thread.run_sync(background.stop)
        await send({"type": "lifespan.shutdown.complete"})


def _named(scope: Scope, request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of every answer: which request it was, and whose."""
    names = [(b"request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
    if principal := scope.get("principal"):
        names.append((b"anthropic-workspace-id", principal.workspace.encode()))
    return names


async def _refuse(refused: Refusal, request_id: str, send: Send, *, unread: bool) -> None:
    status, told, extra = refused
    body = msgspec.json.encode(ErrorBody(error=told, request_id=request_id))
    headers: dict[str, Any] = {"content-type": "application/json", "content-length": str(len(body)), **extra}
    if unread:
        headers["connection"] = "close"
    raw = [(key.encode("latin-1"), value.encode("latin-1", "replace")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _unread(scope: Scope) -> bool:
    """Whether much of a body may still be on its way: it is not waited for, the connection ends instead."""
    said = dict(scope["headers"])
    length = said.get(b"content-length", b"0")
    return b"transfer-encoding" in said or not length.isdigit() or int(length) > _DRAINED
