"""What can be set about the server; every limit that is not part of a wire shape."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

__all__ = ["MAX_BODY", "Settings", "is_loopback"]

MAX_BODY: Final = 32 * 1024 * 1024
"""Bytes of a request's body, where an endpoint sets no other limit."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's settings; the defaults are those of ``reverie serve``."""

    host: str = "127.0.0.1"
    """The address it listens on; decides whether it may run without keys."""
    hosts: frozenset[str] = frozenset()
    """Further names it may be called by (the ``Host`` header). On loopback only these and ``localhost``,
    ``127.0.0.1``, ``[::1]`` are answered; elsewhere any name, unless there are some here."""
    threads: int = 16
    """Handlers that run at once; more requests wait their turn."""
    creates_per_minute: int = 300
    """Requests a key may make by POST and DELETE in a minute; 0 is no limit."""
    reads_per_minute: int = 1200
    """Requests a key may make by GET in a minute; 0 is no limit."""
    streams_per_key: int = 1000
    """Open streams a key may have at once."""
    grace: float = 10.0
    """Seconds that requests in work have to finish when the server is stopped."""

    @property
    def keyless(self) -> bool:
        """Whether it may be used without a key as long as there is none: by this machine alone."""
        return is_loopback(self.host) and not self.hosts


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
