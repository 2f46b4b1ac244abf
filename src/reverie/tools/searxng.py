"""SearXNG, a search engine that one runs oneself: no key, no account. Its address is ``$REVERIE_SEARXNG_URL``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec

from reverie.domain.errors import Unanswered
from reverie.domain.events import JsonObject
from reverie.plugins import Found

__all__ = ["VARIABLE", "SearXng"]

VARIABLE: Final = "REVERIE_SEARXNG_URL"
_TIMEOUT_S: Final = 20.0
_MOST_BYTES: Final = 4 << 20


class SearXng:
    """Asks ``<url>/search?format=json``, which an instance must allow (``search.formats`` in its settings).

    Args:
        url: Where it is, as ``http://localhost:8888``; what the variable says, if left out. Whoever runs this
            chose it, so it may well be in their own network.
    """

    name = "searxng"

    def __init__(self, url: str | None = None) -> None:
        self._url = os.environ.get(VARIABLE, "") if url is None else url

    def obstacle(self) -> str | None:
        if self._url.startswith(("http://", "https://")):
            return None
        return f"${VARIABLE} is not the URL of an instance"

    async def search(self, query: str, *, most: int, near: JsonObject | None = None) -> Sequence[Found]:
        country = (near or {}).get("country")
        asked = {"q": query, "format": "json", **({"language": f"all-{country}"} if country else {})}
        body = await self._answer(asked)
        try:
            results = cast(list[dict[str, Any]], msgspec.json.decode(body)["results"])
            return [_found(result) for result in results[:most] if isinstance(result.get("url"), str)]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError):
            raise Unanswered("its answer is not that of SearXNG", where=self._url) from None

    async def _answer(self, asked: JsonObject) -> bytes:
        import httpx2

        client = httpx2.AsyncClient(timeout=_TIMEOUT_S, trust_env=False)
        try:
            async with (
                client,
                client.stream("GET", f"{self._url.rstrip('/')}/search", params=asked) as answer,
            ):
                if answer.status_code == 403:
                    raise Unanswered("it gives no JSON: allow it in `search.formats`", where=self._url)
                if answer.status_code != 200:
                    raise Unanswered(f"HTTP {answer.status_code}", where=self._url)
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > _MOST_BYTES:
                        raise Unanswered("its answer is too long", where=self._url)
                return bytes(body)
        except httpx2.HTTPError as error:
            raise Unanswered(f"{type(error).__name__}: {error}".rstrip(": "), where=self._url) from None


def _found(result: JsonObject) -> Found:
    age = result.get("publishedDate")
    title, snippet = str(result.get("title") or ""), str(result.get("content") or "")
    return Found(str(result["url"]), title, snippet, str(age) if age else None)
