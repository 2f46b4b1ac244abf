"""Where a sandbox may connect to: a host is read once, resolved once, and pinned to addresses that were
looked at.

Whoever checks a name and hands the name on has checked nothing: the next resolver may read it otherwise
(a NUL, ``0x7f000001``, a full-width dot) or answer otherwise (rebinding). So a host has one spelling here or
none, and what is connected to is an address.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, TypeAlias

from reverie.domain.addresses import Address, Own, is_public
from reverie.plugins import Network

__all__ = ["Destination", "Gate", "Refused", "Resolve", "matches", "system_resolve"]

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Tests pass their own."""

_PORTS: Final = frozenset({80, 443})
_AT_ONCE: Final = 16
_LONGEST_NAME: Final = 253
_AUTHORITY: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what a resolver may read as a part of an address


class Refused(Exception):
    """A connection that is not made. ``status`` and ``reason`` are for the client; ``host`` as it was read."""

    def __init__(self, status: int, host: str, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.host = host
        self.reason = reason
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Destination:
    """A host in its only spelling (lower case, no dot at its end, no brackets), and a port."""

    host: str
    port: int

    @classmethod
    def read(cls, authority: str, default_port: int | None = None) -> Destination:
        """``host:port``, as in a CONNECT or behind ``http://``.

        Raises:
            Refused: 400 for anything with a second meaning: a user, a zone, an odd spelling of an address.
        """
        found = _AUTHORITY.fullmatch(authority)
        port = default_port if found is None or found["port"] is None else int(found["port"])
        if found is None or port is None or not 0 < port < 65_536:
            raise Refused(400, _shown(authority), "not a host and a port")
        host = _spelled(found["host"])
        if host is None:
            raise Refused(400, _shown(authority), "not a host name, and not an address in its plain form")
        return cls(host, port)

    @property
    def authority(self) -> str:
        """``host:port``, with brackets where they are needed."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Gate:
    """What one sandbox may reach.

    Args:
        network: What its spec allows.
        own: What the one who runs this allows besides: names and networks that are not public, on any port.
            The spec must allow them too.
        resolve: How a host becomes addresses.
    """

    def __init__(self, network: Network, own: Own, resolve: Resolve) -> None:
        self._network = network
        self._own = own
        self._resolve = resolve

    async def addresses(self, to: Destination) -> Sequence[Address]:
        """The addresses that may be connected to, at least one.

        Raises:
            Refused: 403 where it is not allowed, 502 where it has no address.
        """
        self._permit(to)
        try:
            found = [ipaddress.ip_address(text) for text in await self._resolve(to.host, to.port)]
        except (OSError, ValueError):  # UnicodeError is a ValueError
            found = []
        if not found:
            raise Refused(502, to.host, "the name cannot be resolved")
        # One bad answer among good ones is a trick.
        if not all(is_public(each) or self._is_own(to.host, each) for each in found):
            raise Refused(403, to.host, "its address is not a public one")
        if to.port not in _PORTS and not all(self._is_own(to.host, each) for each in found):
            raise Refused(403, to.host, f"port {to.port} is not 80 or 443")
        return list(dict.fromkeys(found))

    def _permit(self, to: Destination) -> None:
        if not (self._network.everything or matches(to.host, self._network.hosts)):
            raise Refused(
                403,
                to.host,
                "not in networking.allowed_hosts",
                f"Add {to.host} to networking.allowed_hosts of the environment to let this sandbox reach it.",
            )

    def _is_own(self, host: str, address: Address) -> bool:
        return self._own.names(host) or self._own.holds([address])


def matches(host: str, patterns: Sequence[str]) -> bool:
    """Whether a host is named: by itself, or by ``*.example.org``, which is every name below that one."""
    for pattern in patterns:
        wanted = pattern.lower().removesuffix(".")
        if host == wanted or (wanted.startswith("*.") and host.endswith(wanted[1:]) and len(wanted) > 2):
            return True
    return False


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says, asked in threads of our own: a sandbox that asks for names which are
    slow to resolve keeps nobody else waiting but sandboxes."""
    loop = asyncio.get_running_loop()
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await loop.run_in_executor(_resolvers(), ask)
    return [str(sockaddr[0]) for *_, sockaddr in found]


@cache
def _resolvers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reverie-resolve")


def _spelled(host: str) -> str | None:
    """The only spelling of a host, None for what has none."""
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return None
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        return None
    if _NUMBER.fullmatch(labels[-1]):  # an address or nothing: no name ends in a number
        try:
            return name if str(ipaddress.IPv4Address(name)) == name else None
        except ValueError:
            return None
    return name


def _shown(text: str) -> str:
    """Text of a stranger, fit for a log and an answer."""
    return ascii(text[:100])[1:-1]
