"""A hold on the connection behind a request, for streams: to cut it off, and to keep its buffers small.

A reader that stops reading is found out when nothing more fits between us and it. The less fits, the
sooner that is; and what it has not taken by then, it reads from the log when it comes again.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["TRANSPORT", "Connection", "narrow"]

TRANSPORT: Final = "reverie.transport"
"""Where the transport is in a request's ``scope["state"]``."""
_BUFFER: Final = 32 * 1024


class Connection(HttpToolsProtocol):
    """uvicorn's protocol; each request can find its transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}


def narrow(transport: asyncio.WriteTransport) -> None:
    """Keep at most some 64 KiB under way to the reader."""
    transport.set_write_buffer_limits(high=_BUFFER)
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
