"""Coming in with a key, and leaving: a cookie that only this server's own pages send, and no script can read."""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.responses import RedirectResponse, Response

__all__ = ["COOKIE", "entered", "left", "own_path", "token_of"]

COOKIE: Final = "__Host-reverie"
"""Its prefix has browsers take it over HTTPS (or on this machine) alone, and from no other host."""


def token_of(cookies: str) -> str | None:
    """The key that a ``Cookie`` header carries."""
    try:
        found = SimpleCookie(cookies).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None and found.value else None


def entered(key: str, back: str, headers: Mapping[str, str]) -> Response:
    """On to where the visitor wanted to go, with the cookie; it ends with the browser."""
    answer = RedirectResponse(own_path(back), 303, headers=dict(headers))
    answer.set_cookie(COOKIE, key, secure=True, httponly=True, samesite="strict")
    return answer


def left(headers: Mapping[str, str]) -> Response:
    """To the door, without it."""
    answer = RedirectResponse("/login", 303, headers=dict(headers))
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="strict")
    return answer


def own_path(said: str) -> str:
    """``said`` where it is a path of this server, else the inbox: nobody is sent elsewhere."""
    own = said.startswith("/") and not said.startswith(("//", "/\\")) and said.isprintable()
    return said if own else "/"
