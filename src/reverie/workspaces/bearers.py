"""What a session shows an MCP server: the token of the credential for it, from the session's vaults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from reverie.domain.events import JsonObject
from reverie.domain.resources import Resource
from reverie.workspaces.credentials import MAX_CREDENTIALS, Credentials
from reverie.workspaces.renewing import Renewer
from reverie.workspaces.secrets import Secrets

__all__ = ["Bearers", "Headers"]

Headers: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Mapping[str, str]]]
_BEARER = "Bearer "


class Bearers:
    """The credentials of a workspace as headers of requests."""

    def __init__(self, credentials: Credentials, secrets: Secrets, renewer: Renewer) -> None:
        self._credentials = credentials
        self._secrets = secrets
        self._renewer = renewer

    def of(self, url: str, body: JsonObject) -> Headers:
        """What requests to ``url`` carry, asked for as often as one is made, with what the server has just
        refused. ``body`` is the session's.

        What it gives raises what ``Renewer.token`` raises.
        """
        vaults: Sequence[str] = body.get("vault_ids") or ()

        async def headers(refused: Mapping[str, str]) -> Mapping[str, str]:
            found = await asyncio.to_thread(self._find, url, vaults)
            if found is None:
                return {}
            before = refused.get("authorization")
            token = await self._token(found, None if before is None else before.removeprefix(_BEARER))
            return {"authorization": f"{_BEARER}{token}"}

        return headers

    async def _token(self, found: Resource, refused: str | None) -> str:
        if found.body["auth"]["type"] == "mcp_oauth":
            return await self._renewer.token(found.id, refused)
        return await asyncio.to_thread(self._secrets.read, found.id, "token")

    def _find(self, url: str, vaults: Sequence[str]) -> Resource | None:
        """The first credential for a server, in the order of the vaults."""
        for vault in vaults:
            for each in self._credentials.list(vault, limit=MAX_CREDENTIALS):
                if each.body["auth"].get("mcp_server_url") == url:
                    return each
        return None
