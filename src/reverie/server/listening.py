"""Sockets and uvicorn: the application on a port, and a stop that lets streams end and writes finish."""

from __future__ import annotations

import errno
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import uvicorn

from reverie.domain.errors import ConfigError
from reverie.server.app import App
from reverie.server.connections import Connection

__all__ = ["listen", "run"]

_BACKLOG: Final = 2048
_KEEP_ALIVE: Final = 75  # seconds; longer than clients keep an idle connection, so that they are who closes


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 is any free one.

    Raises:
        ConfigError: the port is taken or not allowed, or the host is not an address of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise ConfigError(
            f"no such host: {host}", hint="--host 127.0.0.1, or an address of this machine"
        ) from None
    except OverflowError:
        raise ConfigError(f"{port} is no port", hint="--port 0 to 65535") from None
    family, kind, protocol, _, address = found[0]
    server = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there the option would let two servers share the port
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(_BACKLOG)
        server.setblocking(False)
    except OSError as error:
        server.close()
        raise _refused(host, port, error) from None
    return server


def _refused(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"port {port} on {host} is taken",
            hint="stop what listens there, or choose another: --port 0 for any",
        )
    if error.errno == errno.EACCES:
        return ConfigError(f"port {port} is not for everybody", hint="choose one above 1023: --port 8787")
    return ConfigError(f"cannot listen on {host} port {port}: {error.strerror}", hint="--host 127.0.0.1")


def run(app: App, sockets: list[socket.socket], *, started: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM, then stop gracefully: no new connections, streams are told to end,
    requests in work have ``settings.grace`` seconds. A second Ctrl-C does not wait."""
    config = uvicorn.Config(
        app,
        http=Connection,
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        proxy_headers=False,  # who calls is said by a key, never by a header of an address
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=round(app.running.settings.grace),
    )
    before = {number: signal.signal(number, _absorb) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _Server(config, app, started).run(sockets)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _absorb(number: int, frame: FrameType | None) -> None:
    """uvicorn raises the signal again once it has stopped; by then it has been obeyed."""


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, app: App, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._started = started

    async def startup(self, sockets: list[Any] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._started()

    async def shutdown(self, sockets: list[Any] | None = None) -> None:
        self._app.running.close()  # before it waits for connections: open streams would never end
        await super().shutdown(sockets=sockets)
