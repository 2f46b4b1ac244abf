"""What all requests to one server share: the opened database, the settings, the signal that it is closing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

import anyio

from reverie.app import Reverie
from reverie.server.limits import RateLimits
from reverie.server.settings import Settings

__all__ = ["Running"]

T = TypeVar("T")


class Running:
    """One running server. Streams watch ``closing`` and end when it is set."""

    def __init__(self, reverie: Reverie, settings: Settings, *, now: Callable[[], float]) -> None:
        self.reverie = reverie
        self.settings = settings
        self.now = now
        self.rates = RateLimits(settings, now)
        self.threads = anyio.CapacityLimiter(settings.threads)
        """Bounds the pool that sync handlers run in."""
        self._closing: asyncio.Event | None = None
        self._farewells: list[Callable[[], None]] = []
        self._parts: dict[object, object] = {}
        self._closed = False

    @property
    def closing(self) -> asyncio.Event:
        """Set when the server begins to shut down. Ask for it on the event loop."""
        if self._closing is None:
            self._closing = asyncio.Event()
            if self._closed:
                self._closing.set()
        return self._closing

    @property
    def closed(self) -> bool:
        """Whether it has begun to shut down; to be asked from any thread."""
        return self._closed

    def shared(self, make: Callable[[Running], T]) -> T:
        """What ``make`` made for this server, the first time it was asked for. Call it on the event loop."""
        if make not in self._parts:
            self._parts[make] = make(self)
        return cast(T, self._parts[make])

    def on_close(self, farewell: Callable[[], None]) -> None:
        """Have ``farewell()`` called, on the loop, when the server begins to shut down."""
        self._farewells.append(farewell)

    def close(self) -> None:
        """Tell streams and background work to end. Again is harmless. Call it on the event loop."""
        if self._closed:
            return
        self._closed = True
        if self._closing is not None:
            self._closing.set()
        for farewell in self._farewells:
            farewell()
