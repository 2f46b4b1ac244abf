"""What all requests to one server share: the opened database, the settings, the signal that it is closing."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import anyio

from reverie.app import Reverie, Workspace
from reverie.server.limits import RateLimits
from reverie.server.settings import Settings

__all__ = ["Running"]

_MOST_HOUSES: Final = 1_000  # workspaces kept ready


class Running:
    """One running server. Streams watch ``closing`` and end when it is set."""

    def __init__(self, reverie: Reverie, settings: Settings, *, now: Callable[[], float]) -> None:
        self.reverie = reverie
        self.settings = settings
        self.now = now
        self.rates = RateLimits(settings, now)
        self.threads = anyio.CapacityLimiter(settings.threads)
        """Bounds the pool that sync handlers run in."""
        self._houses: OrderedDict[str, Workspace] = OrderedDict()
        self._closing: asyncio.Event | None = None
        self._farewells: list[Callable[[], None]] = []
        self._closed = False

    def house(self, workspace: str) -> Workspace:
        """The services of a workspace; made once, for they hold prepared things (patterns, statements)."""
        found = self._houses.pop(workspace, None) or self.reverie.workspace(workspace)
        self._houses[workspace] = found
        if len(self._houses) > _MOST_HOUSES:
            self._houses.popitem(last=False)
        return found

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
