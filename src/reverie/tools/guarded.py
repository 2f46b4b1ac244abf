"""The way out for tools: HTTP to addresses that models and agents' authors chose, and to none of our own network.

A name is resolved once, every address it has is looked at, and the connection goes to an address that was
looked at, never to the name again, which could mean something else by then. The name stays in ``Host``, in
the TLS greeting, and in what the certificate must say. It is a transport, so that whoever speaks HTTP through
it (``web_fetch``, the MCP client) can neither forget the check nor go round it, redirects included.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeAlias

import httpx2

from reverie.domain.addresses import Address, Own, is_public
from reverie.domain.errors import AddressRefused, Unanswered

__all__ = ["Guarded", "Resolve", "TooMuch", "host_of", "system_resolve"]

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host (name or literal), as text. Tests pass their own."""

_MAX_URL: Final = 2_048
_PORTS: Final = {"http": 80, "https": 443}
# A name (IDNA by now) or an address; no zone of an interface.
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?|[0-9a-f:.]{2,45}")


class TooMuch(httpx2.ReadError):
    """An answer has more bytes than are taken."""


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says, literals in every odd form included (``127.1``, ``0x7f000001``)."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def host_of(url: str) -> str:
    """The host that a URL names, in lower case and IDNA, without a dot at its end.

    Raises:
        AddressRefused: it is not a URL of the web, or holds a password.
    """
    return _host(_parsed(url))


class Guarded(httpx2.AsyncBaseTransport):
    """Connects to public addresses on the ports of the web, and to what ``allow`` names besides.

    Args:
        allow: Host names and networks (``10.0.0.0/8``, ``127.0.0.1``) that may be reached though they are not
            public, on any port.
        resolve: How a host becomes addresses.
        most: Bytes of one answer's body; what is more raises ``TooMuch`` where it is read.
        keep: Connections that outlive their request. More than 0 only where one host is spoken to: a
            connection made for a name must never serve another name that has the same address.

    Raises, besides what transports do: AddressRefused, and Unanswered for a name that has no address.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        resolve: Resolve = system_resolve,
        most: int = 32 << 20,
        keep: int = 0,
    ) -> None:
        self._own = Own(allow)
        self._resolve = resolve
        self._most = most
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=keep)
        self._inner = httpx2.AsyncHTTPTransport(limits=limits, trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host, port = self._checked(request.url)
        addresses = await self._addresses(host, port, request)
        for address in addresses[:-1]:
            try:
                return await self._to(address, host, request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._to(addresses[-1], host, request)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _checked(self, parsed: httpx2.URL) -> tuple[str, int]:
        host = _host(_parsed(str(parsed)))
        port = parsed.port or _PORTS[parsed.scheme]
        if (
            port != _PORTS[parsed.scheme]
            and not self._own.names(host)
            and not self._own.holds(_literal(host))
        ):
            raise AddressRefused(f"only port {_PORTS[parsed.scheme]} is connected to, not {port}", where=host)
        return host, port

    async def _addresses(self, host: str, port: int, request: httpx2.Request) -> Sequence[Address]:
        """The addresses of a host, if every one may be connected to: one bad among good ones is a trick."""
        timeout: dict[str, float | None] = request.extensions.get("timeout", {})
        try:
            async with asyncio.timeout(timeout.get("connect")):
                found = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except TimeoutError:
            raise Unanswered("the name is not resolved in time", where=host) from None
        except (OSError, UnicodeError, ValueError):
            raise Unanswered("the name cannot be resolved", where=host) from None
        if not found:
            raise Unanswered("the name has no address", where=host)
        for address in found:
            if not (is_public(address) or self._own.holds([address]) or self._own.names(host)):
                raise AddressRefused(f"{address} is not a public address", where=host)
        return list(dict.fromkeys(found))

    async def _to(self, address: Address, host: str, request: httpx2.Request) -> httpx2.Response:
        headers = request.headers.copy()
        headers["accept-encoding"] = "identity"  # nothing is unpacked, so nothing can swell
        pinned = httpx2.Request(
            request.method,
            request.url.copy_with(host=str(address)),
            headers=headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        answer = await self._inner.handle_async_request(pinned)
        if answer.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
            await answer.aclose()
            raise httpx2.DecodingError("the server packs its answer though it was asked not to")
        return httpx2.Response(
            answer.status_code,
            headers=answer.headers,
            stream=_Counted(answer, self._most),
            extensions=answer.extensions,
        )


class _Counted(httpx2.AsyncByteStream):
    """A body that ends with an error when it is longer than it may be."""

    def __init__(self, answer: httpx2.Response, most: int) -> None:
        self._answer = answer
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for chunk in self._answer.aiter_raw():
            left -= len(chunk)
            if left < 0:
                raise TooMuch(f"the answer has more than {self._most:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()


def _parsed(url: str) -> httpx2.URL:
    if len(url) > _MAX_URL:
        raise AddressRefused(f"a URL has at most {_MAX_URL:,} characters, this has {len(url):,}")
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, UnicodeError, ValueError):
        raise AddressRefused("this is not a URL") from None
    if parsed.scheme not in _PORTS or not _HOST.fullmatch(_host(parsed)):
        raise AddressRefused("a URL begins with https:// or http:// and names a host")
    if parsed.userinfo:
        raise AddressRefused("a URL must not hold a user or a password")
    return parsed


def _host(parsed: httpx2.URL) -> str:
    return parsed.raw_host.decode("ascii").rstrip(".").lower()


def _literal(host: str) -> Sequence[Address]:
    """The address that ``host`` spells out in whatever form the system takes; none where it is a name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return ()
    return [ipaddress.ip_address(str(sockaddr[0])) for *_, sockaddr in found]
