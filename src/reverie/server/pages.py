"""The console under the server's roof: the same callers, limits and errors as the API, on pages."""

from __future__ import annotations

import getpass
import os
from typing import Final

import anyio.to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from reverie.console.app import Console, token_of
from reverie.domain.errors import ReverieError
from reverie.server import bodies
from reverie.server.auth import PUBLIC, Principal
from reverie.server.errors import WireError, refusal
from reverie.server.running import Running

__all__ = ["Pages", "key_of_page"]

_LARGEST: Final = 1024 * 1024
"""Bytes of a form: the largest memory, percent-encoded, and what is said of it."""


def _is_page(path: str) -> bool:
    return path not in PUBLIC and path != "/v1" and not path.startswith("/v1/")


def key_of_page(scope: Scope) -> str | None:
    """The key that a visitor of a page logged in with. Paths of the API never heed it: a cookie goes along
    whoever made the request, a header does not."""
    if not _is_page(scope["path"]):
        return None
    cookies = b"; ".join(value for key, value in scope["headers"] if key == b"cookie")
    return token_of(cookies.decode("latin-1"))


class Pages:
    """Everything that is neither the API nor public."""

    def __init__(self, running: Running, api: ASGIApp, *, secret: bytes) -> None:
        async def check(token: str) -> object:
            return await anyio.to_thread.run_sync(running.reverie.keys.check, token)

        self._running = running
        self._console = Console(
            running.reverie.workspace, check, api, secret=secret, me=_me(), threads=running.threads
        )
        self._body = bodies.Reader(None, _LARGEST)

    def owns(self, path: str) -> bool:
        """Whether a path is a page's."""
        return _is_page(path)

    def is_open(self, path: str) -> bool:
        """Whether a page is for everybody: the one to log in at."""
        return _is_page(path) and self._console.is_open(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "POST"):
            raise WireError(
                "pages are looked at (GET) and sent (POST)", status=405, type="invalid_request_error"
            )
        principal: Principal | None = scope.get("principal")
        if principal is not None:
            self._running.rates.take(principal, "read" if scope["method"] == "GET" else "create")
        await self._console(scope, self._body.bounded(scope, receive), send)

    async def refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        """An error as a page, with the status that the API would give."""
        refused = refusal(error)
        what, where, hint = refused.error.message, None, None
        if isinstance(error, ReverieError) and refused.status < 500:
            what, where, hint = error.what, error.where, error.hint
        answer = self._console.refused(scope, refused.status, what, where, hint)
        answer.headers.update({key: value for key, value in refused.headers.items() if key == "retry-after"})
        await answer(scope, receive, send)


def _me() -> str:
    """Who sits at this machine: without keys nobody else can call."""
    if named := os.environ.get("REVERIE_USER"):
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return "console"
