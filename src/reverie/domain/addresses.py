"""Addresses of machines: which of them anybody on the internet could reach, and which are one's own.

The table is ours: ``ipaddress.is_global`` lets NAT64, 6to4, v4-compatible and multicast addresses pass.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final, TypeAlias

__all__ = ["Address", "Own", "is_public"]

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_DENIED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # "this network": Linux connects 0.0.0.0 to loopback
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; some clouds keep metadata there
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local, and most clouds' metadata
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.0.2.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")  # nothing else is routed on the internet
_DENIED_V6: Final = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking
            "2001:db8::/32",
            "2002::/16",  # 6to4: an IPv4 address in disguise
            "3fff::/20",
        ),
    )
)
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})  # bits 64 to 96: an IPv4 address follows


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody on the internet could reach, and nothing in disguise."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return False
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _DENIED_V6)


class Own:
    """What belongs to whoever runs this: host names (``hooks.internal``) and networks (``10.0.0.0/8``,
    ``127.0.0.1``) that may be reached though they are not public."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        self._names: set[str] = set()
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry, strict=False))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))

    def names(self, host: str) -> bool:
        """Whether a host (lower case, no dot at its end) is named."""
        return host in self._names

    def holds(self, addresses: Sequence[Address]) -> bool:
        """Whether there are addresses, and each is in one of the networks."""
        return bool(addresses) and all(
            any(address in network for network in self._networks if network.version == address.version)
            for address in addresses
        )
