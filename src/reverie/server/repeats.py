"""Requests that come twice (``Idempotency-Key``): done once, answered twice alike."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from reverie.app import Workspace
from reverie.server.errors import WireError
from reverie.workspaces.idempotency import Answer, Claim

__all__ = ["HEADER", "once"]

HEADER: Final = "idempotency-key"
_WAIT: Final = 30.0  # seconds that a repeat waits for the first to be answered
_LOOK: Final = 0.05


async def once(
    house: Workspace, route: str, request: Request, work: Callable[[], Awaitable[Response]]
) -> Response:
    """The answer of ``work``, done once for each key of the workspace and route.

    An error is no answer: nothing was done, and who repeats the request tries again. Who is killed between
    the work and the keeping of its answer leaves a claim that lapses after two minutes, and after that a
    repeat does the work again.

    Raises:
        Invalid: the key is too long, or not printable.
        Conflict: the key came before with another request.
        WireError: the first request is still being answered after half a minute (409).
    """
    key = request.headers.get(HEADER)
    if key is None:
        return await work()
    digest = await _digest(request)
    begun = await _begin(house, route, key, digest)
    if isinstance(begun, Answer):
        headers = {**dict(begun.headers), "idempotent-replayed": "true"}
        return Response(begun.body, begun.status, headers)
    try:
        answer = await work()
    except Exception:
        await anyio.to_thread.run_sync(house.idempotency.abandon, begun)
        raise
    kept = (("content-type", answer.headers["content-type"]),)
    await anyio.to_thread.run_sync(
        house.idempotency.finish, begun, answer.status_code, kept, bytes(answer.body)
    )
    return answer


async def _begin(house: Workspace, route: str, key: str, digest: str) -> Claim | Answer:
    for _ in range(round(_WAIT / _LOOK)):
        begun = await anyio.to_thread.run_sync(house.idempotency.begin, route, key, digest)
        if begun is not None:
            return begun
        await asyncio.sleep(_LOOK)
    raise WireError(
        "`Idempotency-Key`: the first request with it is still being answered",
        status=409,
        type="conflict_error",
        headers={"retry-after": "1"},
    )


async def _digest(request: Request) -> str:
    """Of all that the request says: its path, query and body."""
    told = hashlib.sha256()
    parts = (request.scope["path"].encode(), request.scope["query_string"], await request.body())
    for part in parts:
        told.update(len(part).to_bytes(8, "big") + part)
    return told.hexdigest()
