"""What a command writes, as the event loop reads it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

__all__ = ["Output"]

_CHUNK: Final = 1 << 16


class Output:
    """What a command writes: read as it comes, kept up to a limit, counted behind it."""

    def __init__(self, most: int, on_output: Callable[[bytes], None] | None) -> None:
        self._most = most
        self._kept = bytearray()
        self._on_output = on_output
        self.dropped = 0

    @property
    def kept(self) -> bytes:
        """At most as much as was asked for."""
        return bytes(self._kept)

    def take(self, chunk: bytes) -> None:
        """Keep what there is room for; whoever listens hears all of it, for the end of an output tells most."""
        kept = chunk[: self._most - len(self._kept)]
        self._kept += kept
        self.dropped += len(chunk) - len(kept)
        if chunk and self._on_output is not None:
            self._on_output(chunk)

    @contextmanager
    def read_from(self, pipe: int) -> Generator[asyncio.Future[None]]:
        """Meanwhile the pipe is read; the future is done at its end, or has the error of ``on_output``."""
        loop = asyncio.get_running_loop()
        end = loop.create_future()

        def more() -> None:
            try:
                chunk = os.read(pipe, _CHUNK)
                self.take(chunk)
            except BlockingIOError:
                return
            except Exception as error:  # noqa: BLE001  (whoever waits for the end raises it)
                _settle(loop, pipe, end, error)
                return
            if not chunk:
                _settle(loop, pipe, end, None)

        os.set_blocking(pipe, False)
        loop.add_reader(pipe, more)
        try:
            yield end
        finally:
            loop.remove_reader(pipe)
            end.cancel()


def _settle(
    loop: asyncio.AbstractEventLoop, pipe: int, end: asyncio.Future[None], error: Exception | None
) -> None:
    loop.remove_reader(pipe)
    if end.done():
        return
    if error is None:
        end.set_result(None)
    else:
        end.set_exception(error)
