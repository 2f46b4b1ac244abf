"""What a session shows an MCP server: the token of the credential for it, from the session's vaults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeAlias

from reverie.domain.events import JsonObject
from reverie.domain.resources import Resource
from reverie.workspaces.credentials import MAX_CREDENTIALS, Credentials
from reverie.workspaces.secrets import Secrets

__all__ = ["Bearers", "Headers"]

Headers: TypeAlias = Callable[[], Awaitable[Mapping[str, str]]]
_TOKEN: Final = {"static_bearer": "token", "mcp_oauth": "access_token"}


class Bearers:
    """The credentials of a workspace as headers of requests."""

    def __init__(self, credentials: Credentials, secrets: Secrets) -> None:
        self._credentials = credentials
        self._secrets = secrets

    def of(self, url: str, body: JsonObject) -> Headers:
        """What requests to ``url`` carry, asked for as often as one is made. ``body`` is the session's.

        What it gives raises ConfigError or Tampered where a token cannot be opened.
        """
        vaults: Sequence[str] = body.get("vault_ids") or ()

        async def headers() -> Mapping[str, str]:
            return await asyncio.to_thread(self._headers, url, vaults)

        return headers

    def _headers(self, url: str, vaults: Sequence[str]) -> Mapping[str, str]:
        found = self._find(url, vaults)
        if found is None:
            return {}
        token = self._secrets.read(found.id, _TOKEN[found.body["auth"]["type"]])
        return {"authorization": f"Bearer {token}"}

    def _find(self, url: str, vaults: Sequence[str]) -> Resource | None:
        """The first credential for a server, in the order of the vaults."""
        for vault in vaults:
            for each in self._credentials.list(vault, limit=MAX_CREDENTIALS):
                if each.body["auth"].get("mcp_server_url") == url:
                    return each
        return None
