"""One session's news, rendered once and kept for a while, for all the streams that show it.

A stream holds no queue of its own, only a place in the log: who falls behind what is kept here reads the
log. So a reader that stalls costs nothing but its socket.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import anyio.to_thread

from reverie.domain.clock import Clock
from reverie.domain.errors import NotFound
from reverie.domain.events import JsonObject
from reverie.domain.ids import derived_id
from reverie.server.wire.rendering import frame, rendered
from reverie.sessions.feed import Feed
from reverie.sessions.views import View, visible
from reverie.storage.events import Link, read

__all__ = ["Channel", "Reader", "Source"]

_KEPT: Final = 256  # frames
_KEPT_BYTES: Final = 1 << 20
_PAGE: Final = 256  # events read from the log at a time
_AT_ONCE: Final = 64  # frames in one write


class Reader(Protocol):
    """A stream that shows a channel."""

    def wake(self) -> None: ...

    def preview(self, type: str, body: JsonObject, after: int) -> None: ...


class Source(Protocol):
    """Where a channel reads the log, and the time."""

    @property
    def clock(self) -> Clock: ...

    def log_after(self, session_id: str, seq: int, limit: int) -> list[Link]: ...


class Channel:
    """The frames of one view of one session. Lives on the event loop; ``Listener`` from any thread."""

    def __init__(self, feed: Feed, source: Source, seen: View, otherwise: datetime) -> None:
        self.seen = seen
        self.tail = 0
        """The log is rendered up to here."""
        self.readers: set[Reader] = set()
        self.ended = False
        """The session was deleted: the last frame says so."""
        self._source = source
        self._otherwise = otherwise
        self._floor = 0  # frames behind this are kept
        self._seqs: list[int] = []
        self._frames: list[bytes] = []
        self._size = 0
        self._loop = asyncio.get_running_loop()
        self._looking = False
        self._again = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._early: list[Callable[[], None]] | None = []  # told before the channel knew where it begins
        self._unsubscribe: Callable[[], None] = feed.subscribe(seen.session_id, self)

    def begin(self, tail: int) -> None:
        """Start from the log's end, as it was read after the channel began to listen."""
        self.tail = self._floor = tail
        early, self._early = self._early or [], None
        for work in early:
            work()

    def close(self) -> None:
        """Nobody reads any more."""
        self._unsubscribe()

    # ------------------------------------------------------------------ told, from any thread

    def appended(self, links: Sequence[Link]) -> None:
        self._soon(lambda: self._take(links))

    def changed(self) -> None:
        self._soon(self._look)

    def previewed(self, thread: str, preview: JsonObject) -> None:
        if thread == self.seen.thread:
            self._soon(lambda: self._preview(preview))

    def deleted(self) -> None:
        self._soon(self._end)

    def _soon(self, work: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._do, work)

    def _do(self, work: Callable[[], None]) -> None:
        if self._early is not None:
            self._early.append(work)
        else:
            work()

    # ------------------------------------------------------------------ read, on the loop

    async def after(self, seq: int) -> tuple[list[bytes], int]:
        """The frames behind ``seq``, some of them, and the place in the log after them."""
        if seq < self._floor:
            return await self._from_log(seq)
        start = bisect_right(self._seqs, seq)
        frames = self._frames[start : start + _AT_ONCE]
        if start + len(frames) == len(self._frames):
            return frames, max(seq, self.tail)
        return frames, self._seqs[start + len(frames) - 1]

    async def _from_log(self, seq: int) -> tuple[list[bytes], int]:
        links = await self._read(seq)
        if not links:
            return [], self._floor
        return [f for link in links if (f := self._frame(link)) is not None], links[-1].seq

    async def _read(self, seq: int) -> list[Link]:
        try:
            return await anyio.to_thread.run_sync(self._source.log_after, self.seen.session_id, seq, _PAGE)
        except NotFound:
            self._end()
            return []

    # ------------------------------------------------------------------ inside, on the loop

    def _take(self, links: Sequence[Link]) -> None:
        if links[0].seq > self.tail + 1:  # told out of turn: the log knows what is in between
            self._look()
            return
        for link in links:
            if link.seq == self.tail + 1:
                self._push(link)
        self._wake()

    def _push(self, link: Link) -> None:
        self.tail = link.seq
        frame = self._frame(link)
        if frame is None:
            return
        self._seqs.append(link.seq)
        self._frames.append(frame)
        self._size += len(frame)
        if len(self._frames) > 2 * _KEPT or self._size > 2 * _KEPT_BYTES:
            self._trim()

    def _trim(self) -> None:
        drop = max(0, len(self._frames) - _KEPT)
        size = self._size - sum(map(len, self._frames[:drop]))
        while size > _KEPT_BYTES and drop < len(self._frames):
            size -= len(self._frames[drop])
            drop += 1
        if drop:
            self._floor, self._size = self._seqs[drop - 1], size
            del self._seqs[:drop], self._frames[:drop]

    def _frame(self, link: Link) -> bytes | None:
        if not visible(link, self.seen):
            return None
        return frame(link.seq, link.type, rendered(read(link), self.seen, self._otherwise))

    def _look(self) -> None:
        """Read what is behind the tail, once at a time."""
        if self._looking:
            self._again = True
            return
        self._looking = True
        task = self._loop.create_task(self._catch_up())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _catch_up(self) -> None:
        try:
            while True:
                self._again = False
                links = await self._read(self.tail)
                for link in links:
                    if link.seq == self.tail + 1:  # what was handed over meanwhile is there already
                        self._push(link)
                self._wake()
                if len(links) < _PAGE and not self._again:
                    return
        finally:
            self._looking = False

    def _wake(self) -> None:
        for reader in self.readers:
            reader.wake()

    def _preview(self, preview: JsonObject) -> None:
        for reader in self.readers:
            reader.preview(_previewed(preview), preview, self.tail)

    def _end(self) -> None:
        if self.ended:
            return
        self.ended = True
        session_id = self.seen.session_id
        body = {
            "id": derived_id("sevt", session_id, "session.deleted"),
            "type": "session.deleted",
            "processed_at": self._source.clock(),
        }
        self.tail += 1
        self._seqs.append(self.tail)
        self._frames.append(frame(self.tail, "session.deleted", body))
        self._wake()


def _previewed(preview: JsonObject) -> str:
    """The type of the event that a preview is of; of a delta it is always a message's."""
    event: JsonObject = preview.get("event") or {}
    return str(event.get("type", "agent.message"))
