"""The one client for requests to addresses that somebody else chose.

A URL is a way to make this process knock on doors inside its own network. So: a name is resolved once,
*every* address it has is looked at, and the connection goes to an address that was looked at, never to
the name again (which could mean something else by then). Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from reverie.domain.addresses import Address, Own, is_public
from reverie.domain.errors import AddressRefused, Unanswered

if TYPE_CHECKING:
    import httpx2

__all__ = ["Outbound", "Reply", "Resolve", "system_resolve"]

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host (name or literal), as text. Tests pass their own."""

_MAX_URL: Final = 2_048
_PUBLIC_PORT: Final = 443
# A name (IDNA by now) or an address; no zone of an interface.
_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?|[0-9a-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status and the first bytes of the body, undecoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says, literals in every odd form included (``127.1``, ``0x7f000001``)."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class Outbound:
    """Sends requests to public HTTPS addresses on port 443, and to what ``allow`` names besides.

    Args:
        allow: For those who run this themselves: host names (``hooks.internal``) and networks
            (``10.0.0.0/8``, ``127.0.0.1``) that may be reached though they are not public, over plain HTTP
            and on any port too.
        resolve: How a host becomes addresses.
        timeout: Seconds for one request from beginning to end.
        most: Bytes of an answer's body that are read; the rest is left.

    Use it within one event loop, and ``aclose`` it there.
    """

    def __init__(
        self,
        *,
        allow: Sequence[str] = (),
        resolve: Resolve = system_resolve,
        timeout: float = 15.0,
        most: int = 4_096,
    ) -> None:
        self._own = Own(allow)
        self._resolve = resolve
        self._timeout = timeout
        self._most = most
        self._client: httpx2.AsyncClient | None = None

    # ------------------------------------------------------------------ may it be reached

    def check(self, url: str) -> None:
        """Refuse a URL for its form, or because it spells out an address that is not allowed. Asks no
        resolver: what a name stands for is looked at each time it is used.

        Raises:
            AddressRefused: it is not one to connect to; the message says why.
        """
        host, port = self._parts(url)
        literal = _literal(host, port)
        if literal is not None:
            self._permit(host, literal)

    def _parts(self, url: str) -> tuple[str, int]:
        """(host, port) of a URL whose form is in order."""
        import httpx2

        if len(url) > _MAX_URL:
            raise AddressRefused(f"a URL has at most {_MAX_URL:,} characters, this has {len(url):,}")
        try:
            parsed = httpx2.URL(url)
        except (httpx2.InvalidURL, UnicodeError, ValueError):
            raise AddressRefused("this is not a URL", where=url) from None
        host = parsed.raw_host.decode("ascii").rstrip(".").lower()
        if parsed.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            raise AddressRefused("a URL begins with https:// and names a host", where=url)
        if parsed.userinfo:
            raise AddressRefused("a URL must not hold a user or a password")
        port = parsed.port or (443 if parsed.scheme == "https" else 80)
        if not self._own.names(host) and not self._own.holds(_literal(host, port) or ()):
            self._public_form(parsed.scheme, port, url)
        return host, port

    @staticmethod
    def _public_form(scheme: str, port: int, url: str) -> None:
        if scheme != "https":
            raise AddressRefused("only https:// URLs are sent to", where=url)
        if port != _PUBLIC_PORT:
            raise AddressRefused(f"only port {_PUBLIC_PORT} is connected to, not {port}", where=url)

    def _permit(self, host: str, addresses: Sequence[Address]) -> None:
        """Refuse unless every address may be connected to: one bad answer among good ones is a trick."""
        for address in addresses:
            if not (is_public(address) or self._own.holds([address]) or self._own.names(host)):
                raise AddressRefused(
                    f"{address} is not a public address",
                    where=host,
                    hint="if it is one of your own, name it in the server's list of allowed addresses",
                )

    # ------------------------------------------------------------------ the request

    async def send(self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b"") -> Reply:
        """One request, to an address that was looked at. A redirect is an answer like any other.

        Raises:
            AddressRefused: the URL, or an address behind it, is not one to connect to.
            Unanswered: no whole answer came in time.
        """
        import httpx2

        host, port = self._parts(url)
        try:
            async with asyncio.timeout(self._timeout):
                addresses = await self._addresses(host, port)
                return await self._exchange(method, url, host, addresses, headers, content)
        except TimeoutError:
            raise Unanswered(f"no answer within {self._timeout:g} s", where=host) from None
        except httpx2.HTTPError as error:
            raise Unanswered(f"{type(error).__name__}: {error}".rstrip(": "), where=host) from None

    async def aclose(self) -> None:
        """Let go of what is open. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _addresses(self, host: str, port: int) -> Sequence[Address]:
        try:
            found = [_address(text) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError):
            raise Unanswered("the name cannot be resolved", where=host) from None
        if not found:
            raise Unanswered("the name has no address", where=host)
        self._permit(host, found)
        return list(dict.fromkeys(found))

    async def _exchange(
        self,
        method: str,
        url: str,
        host: str,
        addresses: Sequence[Address],
        headers: Mapping[str, str],
        content: bytes,
    ) -> Reply:
        """Try the addresses in turn until one takes the connection."""
        import httpx2

        for address in addresses[:-1]:
            try:
                return await self._to(address, method, url, host, headers, content)
            except httpx2.ConnectError:
                continue
        return await self._to(addresses[-1], method, url, host, headers, content)

    async def _to(
        self, address: Address, method: str, url: str, host: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        """The address takes the name's place in the URL; the name stays in ``Host``, in the TLS greeting,
        and in what the certificate must say."""
        import httpx2

        pinned = httpx2.URL(url).copy_with(host=str(address))
        named = httpx2.URL(url).netloc.decode("ascii")
        async with self._open().stream(
            method,
            pinned,
            headers={"accept-encoding": "identity", **headers, "host": named},
            content=content,
            extensions={"sni_hostname": host},
        ) as answer:
            return Reply(answer.status_code, dict(answer.headers), await self._begin_of(answer))

    async def _begin_of(self, answer: httpx2.Response) -> bytes:
        body = b""
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) >= self._most:
                break
        return body[: self._most]

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2

            # No connection outlives its request: one made for a name must never serve another name that
            # has the same address, whose certificate nobody looked at.
            limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
            self._client = httpx2.AsyncClient(
                limits=limits, timeout=self._timeout, follow_redirects=False, trust_env=False
            )
        return self._client


def _literal(host: str, port: int) -> Sequence[Address] | None:
    """The address that ``host`` spells out in whatever form the system takes; None where it is a name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return [_address(str(sockaddr[0])) for *_, sockaddr in found]


def _address(text: str) -> Address:
    return ipaddress.ip_address(text)
