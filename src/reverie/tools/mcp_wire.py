"""HTTP towards an MCP server: to its address and no other, with its credential, and nothing left open."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

import httpx2

from reverie.domain.errors import ReverieError
from reverie.tools.guarded import Guarded, Resolve

__all__ = ["MOST_BYTES", "Credential", "Headers", "client_for"]

Headers: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
"""The headers that a request needs (``authorization``), as they are now: asked before each request with
nothing, and again with what the server said 401 to, so that a credential can be renewed in between."""

MOST_BYTES: Final = 16 << 20
"""Bytes of one answer of a server."""
_MOST_RESUMED: Final = 32
_NOT_LISTENING: Final = 406  # what we answer ourselves, in place of the server


class Credential(httpx2.Auth):
    """Puts the headers on each request, and remembers what came of it: ``status`` of the last answer, and
    why there were no headers, if that happened."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self.status = 0
        self.failure: ReverieError | None = None

    @property
    def denied(self) -> bool:
        return self.status in (401, 403)

    async def async_auth_flow(
        self, request: httpx2.Request
    ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        used = await self._now({})
        request.headers.update(used)
        status = (yield request).status_code
        if status == 401 and (fresh := await self._now(used)) != used:
            request.headers.update(fresh)
            status = (yield request).status_code
        if request.method != "DELETE" and status != _NOT_LISTENING:
            self.status = status

    async def _now(self, refused: Mapping[str, str]) -> dict[str, str]:
        try:
            return dict(await self._headers(refused))
        except ReverieError as error:
            self.failure = error
            raise httpx2.LocalProtocolError(str(error)) from error


class _NotListening(httpx2.AsyncBaseTransport):
    """Does without the stream on which a server could speak unasked: nothing is done with what it says there,
    and one that closes it at once would be asked again and again. For the same reason the resumption of an
    answer has an end."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self._resumed = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            self._resumed += 1
            if "last-event-id" not in request.headers or self._resumed > _MOST_RESUMED:
                return httpx2.Response(_NOT_LISTENING)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def client_for(
    credential: Credential, *, allow: Sequence[str], resolve: Resolve, timeout_s: float, listening: bool
) -> httpx2.AsyncClient:
    """A client for one server. ``listening``: the server speaks on a stream of its own (SSE)."""
    guarded = Guarded(allow=allow, resolve=resolve, most=MOST_BYTES, keep=4)
    return httpx2.AsyncClient(
        transport=guarded if listening else _NotListening(guarded),
        auth=credential,
        timeout=httpx2.Timeout(timeout_s, read=600.0),
        trust_env=False,
    )
