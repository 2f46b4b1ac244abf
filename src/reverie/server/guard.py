"""The gate of the house, before anything is read of a request but its headers. Deny by default:

1. The name it was called by. On loopback only our own names are answered, so that a foreign name that
   resolves to this machine (DNS rebinding) reaches nothing.
2. The page it comes from. A browser says so; only pages of this very server may call. No CORS header is
   ever sent.
3. Who calls: a key. Only the paths in ``PUBLIC`` are for everybody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from reverie.domain.errors import Forbidden, Unauthenticated
from reverie.server.auth import PUBLIC, Keyring
from reverie.server.settings import Settings, is_loopback

__all__ = ["Guard"]

_SAFE_SITES: Final = frozenset({"", "same-origin", "none"})
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Says who calls (``scope["principal"]``) or refuses; the body is not touched."""

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        inner: ASGIApp,
        *,
        is_open: Callable[[str], bool] = PUBLIC.__contains__,
        cookie: Callable[[Scope], str | None] = lambda scope: None,
    ) -> None:
        """
        Args:
            is_open: Whether anybody may ask for a path.
            cookie: The key that a browser keeps for a page, where the path is one.
        """
        self._keyring = keyring
        self._inner = inner
        self._is_open = is_open
        self._cookie = cookie
        self._names = _names(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        host = headers.get("host", "")
        self._check_host(host)
        _check_origin(headers, host)
        if not self._is_open(scope["path"]):
            scope["principal"] = await self._keyring.principal(_token(headers) or self._cookie(scope))
        await self._inner(scope, receive, send)

    def _check_host(self, host: str) -> None:
        name = _name(host)
        if self._names is not None and name not in self._names:
            raise Forbidden(
                f"this server is not called {name[:100]!r}",
                hint="add the name: reverie serve --allow-host NAME",
            )


def _names(settings: Settings) -> frozenset[str] | None:
    """The names that are answered; None for any, where keys alone decide."""
    if is_loopback(settings.host):
        return settings.hosts | _LOCAL | {settings.host.strip("[]").lower()}
    return settings.hosts or None


def _check_origin(headers: dict[str, str], host: str) -> None:
    origin = headers.get("origin")
    same = origin is None or _netloc(origin) == host.lower()
    if not same or headers.get("sec-fetch-site", "") not in _SAFE_SITES:
        raise Forbidden("pages of other sites may not call this server")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:  # brackets that do not close
        return None


def _name(host: str) -> str:
    """``localhost:8787`` and ``[::1]:8787`` without port and brackets."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".")


def _token(headers: dict[str, str]) -> str | None:
    """The key that was sent. With both headers (the SDK sends a key of the vendor's beside a token when the
    environment has one) it is the one that looks like ours."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    sent = [token for token in (headers.get("x-api-key"), bearer.strip()) if token]
    if bearer and scheme.lower() != "bearer":
        raise Unauthenticated("`authorization`: only Bearer is understood")
    return next((token for token in sent if token.startswith("rvk_")), sent[0] if sent else None)


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by name; of one that is doubled, the last."""
    return {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
