"""Whether an OAuth credential works: its server is asked with it, and a token that is refused is renewed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import msgspec

from reverie.domain.clock import Clock
from reverie.domain.errors import AddressRefused, Archived, Invalid, ToolServerFailed, Unanswered
from reverie.domain.resources import Resource
from reverie.workspaces.credentials import Credentials
from reverie.workspaces.outbound import Outbound, Reply
from reverie.workspaces.renewing import Renewed, Renewer
from reverie.workspaces.secrets import Secrets

__all__ = ["Answer", "Validation", "Validator"]

_SHOWN: Final = 1_024  # bytes of an error's body
_HELLO: Final = msgspec.json.encode(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "reverie", "version": "1"},
        },
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, secrets masked."""

    status_code: int
    content_type: str
    body: str
    body_truncated: bool


@dataclass(frozen=True, slots=True)
class Validation:
    """What came of it. ``failed``: the server's own word at the step that failed, ``initialize``; None also
    where it gave no answer. ``probed``: whether that step failed. ``refresh``: how the renewal went, where
    one was tried, and the token endpoint's error."""

    status: Literal["valid", "invalid", "unknown"]
    has_refresh_token: bool
    reason: str
    at: datetime
    probed: bool = False
    failed: Answer | None = None
    refresh: Renewed | None = None
    refresh_failed: Answer | None = None


class Validator:
    """Tries credentials. ``mask`` takes secrets out of what servers say."""

    def __init__(
        self,
        credentials: Credentials,
        secrets: Secrets,
        renewer: Renewer,
        outbound: Callable[[], Outbound],
        mask: Callable[[str], str],
        *,
        clock: Clock,
    ) -> None:
        self._credentials = credentials
        self._secrets = secrets
        self._renewer = renewer
        self._outbound = outbound
        self._mask = mask
        self._clock = clock

    async def validate(self, vault_id: str, credential_id: str) -> Validation:
        """Ask the server of an OAuth credential; where it says 401, renew the token and ask once more.

        Raises:
            NotFound: there is no such credential in that vault.
            Archived: it was archived.
            Invalid: it is no OAuth credential.
            ConfigError, Tampered: its secret cannot be opened.
        """
        found = self._found(vault_id, credential_id)
        token = self._secrets.read(credential_id, "access_token")
        reply = await self._probe(found, token)
        if isinstance(reply, str) or reply.status != 401:
            return self._judged(found, reply, None)
        try:
            renewed = await self._renewer.renew(credential_id, token)
        except ToolServerFailed as error:
            renewed = Renewed("connect_error", why=error.what)
        if renewed.status == "succeeded":
            reply = await self._probe(found, self._secrets.read(credential_id, "access_token"))
        return self._judged(found, reply, renewed)

    def _found(self, vault_id: str, credential_id: str) -> Resource:
        found = self._credentials.get(vault_id, credential_id)
        if (kind := found.body["auth"]["type"]) != "mcp_oauth":
            raise Invalid("credential_id", "a credential of type mcp_oauth", kind)
        if found.archived_at is not None:
            raise Archived("the credential is archived", where=credential_id)
        return found

    async def _probe(self, found: Resource, token: str) -> Reply | str:
        """What the server says to ``initialize``, or why it says nothing."""
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        outbound = self._outbound()
        try:
            url = found.body["auth"]["mcp_server_url"]
            return await outbound.send("POST", url, headers=headers, content=_HELLO)
        except (AddressRefused, Unanswered) as error:
            return error.what
        finally:
            await outbound.aclose()

    def _judged(self, found: Resource, reply: Reply | str, renewed: Renewed | None) -> Validation:
        refreshable, now = found.body["auth"]["refresh"] is not None, self._clock()
        failed_reply = None if renewed is None else renewed.reply
        refresh_failed = None if failed_reply is None else self._answer(failed_reply)
        if isinstance(reply, str):
            told = self._mask(f"the server gave no answer: {reply}")
            return Validation("unknown", refreshable, told, now, True, None, renewed, refresh_failed)
        if reply.status < 400:
            told = "the server takes the token"
            return Validation("valid", refreshable, told, now, refresh=renewed)
        denied = reply.status in (401, 403) and (renewed is None or renewed.status != "connect_error")
        told = f"the server answers HTTP {reply.status}"
        if renewed is not None and renewed.why:
            told += f"; not renewed: {renewed.why}"
        return Validation(
            "invalid" if denied else "unknown",
            refreshable,
            self._mask(told),
            now,
            True,
            self._answer(reply),
            renewed,
            refresh_failed,
        )

    def _answer(self, reply: Reply) -> Answer:
        text = self._mask(reply.body.decode("utf-8", "replace"))
        kind = reply.headers.get("content-type", "")
        return Answer(reply.status, kind, text[:_SHOWN], len(text) > _SHOWN)
