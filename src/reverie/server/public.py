"""What anybody may ask: is the server well (``/health``), and what does it serve (``/openapi.json``)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final, Literal

import anyio.to_thread
import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

import reverie
from reverie.domain.errors import ReverieError
from reverie.server.endpoint import Endpoint
from reverie.server.errors import WireError
from reverie.server.openapi import document
from reverie.server.running import Running
from reverie.server.settings import MAX_BODY
from reverie.server.wire.base import Wire

__all__ = ["PATHS", "DatabaseHealth", "Health", "Limits", "Public"]

_JSON: Final = "application/json"


class Limits(Wire):
    """The settings that a client can run into."""

    body_bytes: int
    creates_per_minute: int
    reads_per_minute: int
    streams_per_key: int


class DatabaseHealth(Wire):
    """Which database, and whether it answers."""

    answers: bool
    kind: Literal["sqlite", "postgresql"] | None
    version: str | None


class Health(Wire):
    """How the server is. ``ready`` is what a load balancer asks: 200 with it, 503 without."""

    status: Literal["ok", "closing", "unavailable"]
    ready: bool
    version: str
    database: DatabaseHealth
    limits: Limits


PATHS: Final = {
    "/health": ("Whether the server is well, and what it is.", Health),
    "/openapi.json": ("This document.", None),
}


class Public:
    """An ASGI application for the two public paths."""

    def __init__(self, running: Running, endpoints: Iterable[Endpoint]) -> None:
        self._running = running
        self._endpoints = list(endpoints)

    @cached_property
    def _openapi(self) -> bytes:
        return msgspec.json.encode(document(self._endpoints, reverie.__version__, public=PATHS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise WireError(
                f"{scope['path']} is only to be read",
                status=405,
                type="invalid_request_error",
                headers={"allow": "GET, HEAD"},
            )
        if scope["path"] == "/openapi.json":
            answer = Response(self._openapi, media_type=_JSON)
        else:
            health = await anyio.to_thread.run_sync(self._health)
            answer = Response(msgspec.json.encode(health), 200 if health.ready else 503, media_type=_JSON)
        await answer(scope, receive, send)

    def _health(self) -> Health:
        settings = self._running.settings
        database = self._database()
        closing = self._running.closed
        return Health(
            status="closing" if closing else "ok" if database.answers else "unavailable",
            ready=database.answers and not closing,
            version=reverie.__version__,
            database=database,
            limits=Limits(
                body_bytes=MAX_BODY,
                creates_per_minute=settings.creates_per_minute,
                reads_per_minute=settings.reads_per_minute,
                streams_per_key=settings.streams_per_key,
            ),
        )

    def _database(self) -> DatabaseHealth:
        try:
            kind, version = self._running.reverie.engine()
        except ReverieError:
            return DatabaseHealth(answers=False, kind=None, version=None)
        return DatabaseHealth(answers=True, kind=kind, version=version)
