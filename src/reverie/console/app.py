"""The console as an ASGI application: which page it is, whether its form may be believed, and the headers under
which it leaves.

Who calls is decided before (``scope["principal"]``), as for the API: the name it was called by, the page it
comes from, the key. A form must besides hold a token that only our own pages can know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from reverie.app import Workspace
from reverie.console.entry import COOKIE, entered, left, own_path, token_of
from reverie.console.rendering import STATIC, render, static
from reverie.console.screens import PAGES
from reverie.console.visits import Answer, Moved, Page, Same, Saved, Shown, Visit, Visitor
from reverie.domain.errors import Forbidden, Invalid, NotFound

__all__ = ["COOKIE", "Console", "token_of"]

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with "no-referrer" a form's Origin would read "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
    "vary": "HX-Request, Cookie",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_MOST_FIELDS: Final = 400  # of a form: a hundred proposals that are selected, each with what was seen of it
_FIELD: Final = "token"  # the hidden one of every form
_TWIN: Final = ".json"
_LIVE: Final = "/live"


class Console:
    """All pages below ``/`` that are not the API's."""

    def __init__(
        self,
        house: Callable[[str], Workspace],
        check: Callable[[str], Awaitable[object]],
        api: ASGIApp,
        *,
        secret: bytes,
        me: str,
        threads: CapacityLimiter,
    ) -> None:
        """
        Args:
            house: The services of a workspace.
            check: Raises ``Unauthenticated`` unless it is given a key that may be used.
            api: Answers a GET of a path of the API, for the pages' twins.
            secret: What the tokens of forms are made from where nobody has logged in.
            me: Who decides on loopback, where nobody logs in.
            threads: Bounds the pool that pages are made in.
        """
        self._house = house
        self._check = check
        self._api = api
        self._secret = secret
        self._me = me
        self._threads = threads
        self._pages = _Table(PAGES)

    @staticmethod
    def is_open(path: str) -> bool:
        """Whether anybody may ask for ``path``: nothing is shown there that is anybody's."""
        return path == "/login" or path.startswith("/static/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Errors of ours are raised, for ``refused`` to tell them."""
        answer = await self._answer(Request(scope, receive))
        if answer is None:
            await self._twin(scope, receive, send)
        else:
            await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        path, method = request.url.path, request.method
        if path.startswith("/static/"):
            return _static(path.removeprefix("/static/"))
        if path == "/login":
            return await self._login(request)
        if path == "/logout":
            await self._form(request)
            return left(_HEADERS)
        if path.endswith((_TWIN, _LIVE)):
            return None
        page, found = self._pages.find(method, path)
        visitor: Visitor = request.scope["principal"]
        if not visitor.may(page.scope):
            raise Forbidden(
                f"this key may not do that: it lacks the scope {page.scope}",
                hint="log in with a key that has it",
            )
        try:
            form = await self._form(request) if method == "POST" else {}
        except _Outdated as outdated:
            return self._page(Shown("again.html", {"fields": outdated.fields}, 403), request)
        visit = Visit(
            self._house(request.scope["principal"].workspace),
            visitor,
            self._me if visitor.key_id is None else f"console ({visitor.actor})",
            found,
            dict(request.query_params),
            form,
        )
        make = partial(self._made, page, visit, request)
        return await anyio.to_thread.run_sync(make, limiter=self._threads)

    def _made(self, page: Page, visit: Visit, request: Request) -> Response:
        answer: Answer = page.handle(visit)
        if isinstance(answer, Moved):
            return RedirectResponse(answer.to, 303, headers=_HEADERS)
        if isinstance(answer, Same):
            return Response(status_code=204, headers=_HEADERS)
        if isinstance(answer, Saved):
            told = {**_HEADERS, "content-disposition": f'attachment; filename="{answer.name}"'}
            return StreamingResponse(answer.parts, media_type=answer.media_type, headers=told)
        twin = (
            None if page.twin is None else f"{'/inbox' if request.url.path == '/' else request.url.path}.json"
        )
        return self._page(answer, request, twin=twin, may=visit.visitor.may)

    def _page(
        self,
        shown: Shown,
        request: Request,
        *,
        twin: str | None = None,
        may: Callable[[str], bool] = lambda scope: False,
    ) -> Response:
        frame = {
            "here": request.url.path,
            "twin": twin,
            "may": may,
            "token": self._token(request),
            "logged_in": token_of(request.headers.get("cookie", "")) is not None,
        }
        body = render(shown.template, {**frame, **shown.facts})
        return Response(body, shown.status, media_type="text/html; charset=utf-8", headers=_HEADERS)

    def refused(self, scope: Scope, status: int, what: str, where: str | None, hint: str | None) -> Response:
        """The page of an error: what, where, and what next. Without a key it is the one to log in."""
        request = Request(scope)
        if status == 401:
            facts = {"back": _own(request), "what": "" if request.method == "GET" else what}
            return self._page(Shown("login.html", facts, 401), request)
        again = _own(request) if status == 403 and request.method == "GET" else None
        title = _TITLES.get(status, "That did not work")
        facts = {"title": title, "what": what, "where": where, "hint": hint, "again": again, "links": ()}
        return self._page(Shown("error.html", facts, status), request)

    # ------------------------------------------------------------------ coming in, and forms

    async def _login(self, request: Request) -> Response:
        if request.method == "GET":
            return self._page(Shown("login.html", {"back": "/", "what": ""}), request)
        form = _fields(await request.body())
        _from_here(request)
        key = form.get("key", "").strip()
        await self._check(key)
        return entered(key, form.get("back", "/"), _HEADERS)

    async def _form(self, request: Request) -> dict[str, str]:
        """The fields of a form of ours.

        Raises:
            Forbidden: another page sent it.
            _Outdated: it is from before a restart.
        """
        _from_here(request)
        form = _fields(await request.body())
        if not hmac.compare_digest(form.pop(_FIELD, "").encode(), self._token(request).encode()):
            raise _Outdated(form)
        return form

    def _token(self, request: Request) -> str:
        """What forms of this visitor hold. With a key it outlives the server; without one it does not."""
        key = token_of(request.headers.get("cookie", ""))
        secret = self._secret if key is None else hashlib.sha256(key.encode()).digest()
        return hmac.new(secret, b"console form", "sha256").hexdigest()

    async def _twin(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The API's own answer about what a page shows, or its stream of what is new there."""
        path, live = scope["path"].removesuffix(_TWIN), scope["path"].endswith(_LIVE)
        page, found = self._pages.find("GET", "/" if path == "/inbox" else path.removesuffix(_LIVE))
        way = page.live if live else page.twin
        if scope["method"] != "GET" or way is None:
            raise NotFound(f"there is no {scope['path'][:200]} here")
        told, _, query = way.format_map(found).partition("?")
        asked = scope["query_string"] or query.encode()
        await self._api({**scope, "path": told, "query_string": asked}, receive, send)


_TITLES: Final = {
    403: "Not allowed",
    404: "Not here",
    409: "Something changed meanwhile",
    429: "Too many requests",
    500: "Something went wrong",
}


class _Outdated(Forbidden):
    """this form is from before the server was started again, or you have logged in anew since; nothing was
    changed"""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(
            "this form is from before the server was started again, or you have logged in anew since; "
            "nothing was changed",
            hint="load the page again, and send it once more",
        )
        self.fields = fields


class _Table:
    """Pages by method and path. A literal segment goes before a parameter, in the order of the table."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._rows = [(page, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", page.path))) for page in pages]

    def find(self, method: str, path: str) -> tuple[Page, Mapping[str, str]]:
        """The page, and the parts of the path that it has names for.

        Raises:
            NotFound
        """
        for page, pattern in self._rows:
            if page.method == method and (found := pattern.fullmatch(path)):
                return page, found.groupdict()
        raise NotFound(f"there is no page {path[:200]!r}", hint="begin at the inbox: /")


def _static(name: str) -> Response:
    if name not in STATIC:
        raise NotFound(f"there is no file {name[:100]!r}")
    return Response(
        static(name), headers={**_HEADERS, "cache-control": _FOR_EVER, "content-type": STATIC[name]}
    )


def _from_here(request: Request) -> None:
    """A browser says where a form comes from; what the guard has let pass is this server. Who says nothing is
    no browser, and programs have the API."""
    headers: Mapping[str, Any] = request.headers
    if "origin" not in headers and "sec-fetch-site" not in headers:
        raise Forbidden("a form that does not say which page it comes from", hint="programs use /v1")


def _fields(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except (UnicodeError, ValueError):
        raise Invalid("form", "percent-encoded UTF-8, with few fields") from None
    if "\x00" in (text := "".join(value for _, value in pairs)) or len(text) > len(body):
        raise Invalid("form", "texts without NUL characters")
    return {key: value.replace("\r\n", "\n") for key, value in pairs}


def _own(request: Request) -> str:
    """The path and query of this page, or of the one that a form was on, to come back to."""
    here = request.url
    if request.method != "GET":
        here = URL(request.headers.get("referer", "/"))
        if here.netloc not in ("", request.headers.get("host", "")):
            return "/"
    return own_path(f"{here.path}?{here.query}" if here.query else here.path)
