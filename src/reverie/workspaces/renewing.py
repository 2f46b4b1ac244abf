"""Access tokens that are renewed: OAuth's refresh grant, one at a time for a credential, wherever it is asked.

A refresh token may be good for a single use, so that two renewals at once would lose the credential. Who
renews therefore says so in the credential's row first; others wait, and take what came of it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode

import msgspec

from reverie.domain.clock import Clock, iso
from reverie.domain.errors import AddressRefused, NotFound, ToolServerDenied, ToolServerFailed, Unanswered
from reverie.domain.events import JsonObject
from reverie.domain.resources import Resource
from reverie.storage.database import Connection
from reverie.workspaces.outbound import Outbound, Reply
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets
from reverie.workspaces.vaults import CREDENTIAL

__all__ = ["MAX_ANSWER", "Renewed", "Renewer"]

MAX_ANSWER: Final = 65_536  # bytes of a token endpoint's answer
_EARLY: Final = timedelta(seconds=60)  # before the token expires
_LEASE: Final = timedelta(seconds=40)  # of whoever renews: longer than a request may take
_LOOK: Final = 0.1  # seconds between two looks of those who wait
_PATIENCE: Final = 60.0  # seconds that they wait
_AGAIN: Final = timedelta(seconds=60)  # after a refusal, before the same refresh token is tried again
_MAX_LIFE: Final = 10 * 365 * 86_400  # seconds: what is longer is no expiry that anybody meant


@dataclass(frozen=True, slots=True)
class Renewed:
    """How a renewal went. ``reply`` is the token endpoint's error."""

    status: Literal["succeeded", "failed", "connect_error", "no_refresh_token"]
    reply: Reply | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Tokens:
    access: str
    refresh: str | None
    life: float | None


@dataclass(frozen=True, slots=True)
class _Turn:
    """A renewal that is ours to make."""

    id: str
    refresh: Mapping[str, Any]
    access_token: str
    refresh_token: str
    client_secret: str | None
    lease: str


class Renewer:
    """Gives access tokens of ``mcp_oauth`` credentials, renewed where that is due.

    Args:
        outbound: Makes what token endpoints are asked with; used in one event loop, and closed there.
    """

    def __init__(
        self, resources: Resources, secrets: Secrets, outbound: Callable[[], Outbound], *, clock: Clock
    ) -> None:
        self._resources = resources
        self._secrets = secrets
        self._outbound = outbound
        self._clock = clock
        self._refused: dict[str, tuple[str, datetime, Renewed]] = {}  # by id: what was tried, until when

    async def token(self, credential_id: str, refused: str | None = None) -> str:
        """An access token that has not expired and is not ``refused``, the one that the server said 401 to.
        Where there is none, the one that there is.

        Raises:
            ToolServerDenied: it cannot be renewed; the message says what to do.
            ToolServerFailed: the token endpoint gave no answer, and the old token is of no more use.
            NotFound, ConfigError, Tampered: there is no token, or it cannot be opened.
        """
        token, due = await asyncio.to_thread(self._look, credential_id, refused)
        if not due:
            return token
        done = await self.renew(credential_id, refused)
        token, still = await asyncio.to_thread(self._look, credential_id, refused)
        if done.status == "succeeded" or not still:
            return token
        if done.status == "connect_error":
            if refused is None and await asyncio.to_thread(self._lives, credential_id):
                return token
            raise ToolServerFailed(f"its access token could not be renewed: {done.why}", where=credential_id)
        raise ToolServerDenied(
            f"its access token could not be renewed: {done.why}",
            where=credential_id,
            hint="sign in to the server again, and put the new tokens into the credential",
        )

    async def renew(self, credential_id: str, refused: str | None = None) -> Renewed:
        """Renew a token, unless somebody has done so since: it is not ``refused``, and lives.

        Raises:
            ToolServerFailed: somebody else renews it, and does not come to an end.
            NotFound, ConfigError, Tampered: there is no token, or it cannot be opened.
        """
        for _ in range(round(_PATIENCE / _LOOK)):
            turn = await asyncio.to_thread(self._take, credential_id, refused)
            if isinstance(turn, Renewed):
                return turn
            if turn is not None:
                return await self._made(turn)
            await asyncio.sleep(_LOOK)
        raise ToolServerFailed(
            "its access token is being renewed, and that does not end", where=credential_id
        )

    # ------------------------------------------------------------------ whose turn it is

    def _look(self, credential_id: str, refused: str | None) -> tuple[str, bool]:
        """The token, and whether it is to be renewed, and can be."""
        auth: JsonObject = self._resources.get(CREDENTIAL, credential_id).body["auth"]
        token = self._secrets.read(credential_id, "access_token")
        return token, auth["refresh"] is not None and self._due(auth, token, refused)

    def _due(self, auth: JsonObject, token: str, refused: str | None) -> bool:
        expires = auth["expires_at"]
        soon = expires is not None and datetime.fromisoformat(expires) - self._clock() <= _EARLY
        return token == refused or soon

    def _lives(self, credential_id: str) -> bool:
        expires = self._resources.get(CREDENTIAL, credential_id).body["auth"]["expires_at"]
        return expires is None or datetime.fromisoformat(expires) > self._clock()

    def _take(self, credential_id: str, refused: str | None) -> _Turn | Renewed | None:
        """Our turn; how it went, where it is done or nobody can; None while somebody else is at it."""

        def work(conn: Connection) -> _Turn | Renewed | None:
            found = self._resources.get(CREDENTIAL, credential_id, lock=True, conn=conn)
            auth: JsonObject = found.body["auth"]
            if auth["refresh"] is None:
                return Renewed("no_refresh_token", why="there is no refresh token")
            access = self._secrets.get(conn, credential_id, "access_token")
            if not self._due(auth, access, refused):
                return Renewed("succeeded")
            token = self._secrets.get(conn, credential_id, "refresh_token")
            if (before := self._refusal(credential_id, token)) is not None:
                return before
            until = found.body.get("renewing")
            if until is not None and datetime.fromisoformat(until) > self._clock():
                return None
            lease = iso(self._clock() + _LEASE)
            self._lease(conn, credential_id, lease)
            secret = None
            if auth["refresh"]["token_endpoint_auth"]["type"] != "none":
                secret = self._secrets.get(conn, credential_id, "client_secret")
            return _Turn(credential_id, auth["refresh"], access, token, secret, lease)

        return self._resources.write(work)

    def _refusal(self, credential_id: str, token: str) -> Renewed | None:
        tried, until, how = self._refused.get(credential_id, ("", self._clock(), Renewed("failed")))
        return how if tried == token and until > self._clock() else None

    def _lease(self, conn: Connection, credential_id: str, until: str | None, **auth: object) -> None:
        def change(before: Resource) -> Resource:
            body = {**before.body, "auth": {**before.body["auth"], **auth}, "renewing": until}
            return replace(before, body=body)

        self._resources.change(CREDENTIAL, credential_id, change, conn=conn)

    # ------------------------------------------------------------------ the renewal

    async def _made(self, turn: _Turn) -> Renewed:
        """Ask the token endpoint, and keep what it gives."""
        tokens: _Tokens | None = None
        try:
            how, tokens = await self._asked(turn)
        finally:  # also when we are stopped meanwhile: others need not wait for the lease
            await asyncio.shield(asyncio.to_thread(self._keep, turn, tokens))
        if how.status == "failed":
            self._refused[turn.id] = (turn.refresh_token, self._clock() + _AGAIN, how)
        return how

    async def _asked(self, turn: _Turn) -> tuple[Renewed, _Tokens | None]:
        outbound = self._outbound()
        try:
            headers, content = _request(turn)
            reply = await outbound.send(
                "POST", turn.refresh["token_endpoint"], headers=headers, content=content
            )
        except (AddressRefused, Unanswered) as error:
            return Renewed("connect_error", why=f"the token endpoint: {error.what}"), None
        finally:
            await outbound.aclose()
        if reply.status >= 500 or reply.status == 429:
            return Renewed("connect_error", reply, f"the token endpoint answers HTTP {reply.status}"), None
        tokens = _tokens(reply) if 200 <= reply.status < 300 else None
        if tokens is None:
            return Renewed("failed", reply, _reason(reply)), None
        return Renewed("succeeded"), tokens

    def _keep(self, turn: _Turn, tokens: _Tokens | None) -> None:
        """Keep what came, unless the credential was changed, archived or deleted meanwhile."""

        def work(conn: Connection) -> None:
            try:
                found = self._resources.get(CREDENTIAL, turn.id, lock=True, conn=conn)
            except NotFound:
                return
            if found.archived_at is not None or found.body.get("renewing") != turn.lease:
                return
            if tokens is None:
                self._lease(conn, turn.id, None)
                return
            self._secrets.put(conn, turn.id, "access_token", tokens.access)
            if tokens.refresh is not None:
                self._secrets.put(conn, turn.id, "refresh_token", tokens.refresh)
            life = None if tokens.life is None else iso(self._clock() + timedelta(seconds=tokens.life))
            self._lease(conn, turn.id, None, expires_at=life)

        self._resources.write(work)


# ---------------------------------------------------------------------- RFC 6749, section 6


def _request(turn: _Turn) -> tuple[dict[str, str], bytes]:
    """Headers and body of the request for new tokens."""
    said = turn.refresh
    form = {"grant_type": "refresh_token", "refresh_token": turn.refresh_token}
    form |= {name: said[name] for name in ("scope", "resource") if said.get(name)}
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    method = said["token_endpoint_auth"]["type"]
    if method == "client_secret_basic":
        pair = f"{quote(said['client_id'], safe='')}:{quote(turn.client_secret or '', safe='')}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form["client_id"] = said["client_id"]
        if method == "client_secret_post":
            form["client_secret"] = turn.client_secret or ""
    return headers, urlencode(form).encode()


class _Answer(msgspec.Struct):
    access_token: str
    refresh_token: str | None = None
    expires_in: float | str | None = None


class _Error(msgspec.Struct):
    error: str = ""


def _tokens(reply: Reply) -> _Tokens | None:
    try:
        told = msgspec.json.decode(reply.body, type=_Answer)
        life = None if told.expires_in is None else float(told.expires_in)
    except (msgspec.DecodeError, ValueError):
        return None
    if not told.access_token or not told.access_token.isascii() or not told.access_token.isprintable():
        return None
    usual = life is not None and 0 < life <= _MAX_LIFE
    return _Tokens(told.access_token, told.refresh_token or None, life if usual else None)


def _reason(reply: Reply) -> str:
    """Why, by OAuth's own short code: nothing longer that the endpoint said is repeated."""
    try:
        code = msgspec.json.decode(reply.body, type=_Error).error
    except msgspec.DecodeError:
        code = ""
    if not code.isidentifier() or len(code) > 40:
        code = ""
    if 200 <= reply.status < 300:
        return "the token endpoint's answer holds no token"
    return f"the token endpoint answers HTTP {reply.status}" + (f", {code}" if code else "")
