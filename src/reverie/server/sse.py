"""Server-sent events: streams of a session's log that resume where they were cut.

Every frame's ``id`` is its event's place in the log; a ping's and a preview's is that of the last event.
One task per stream, woken by its channel; one sweeper for all of them sends pings where it is quiet, and
cuts off readers that take nothing any more.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import replace
from typing import Final, Literal

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from reverie.app import Workspace
from reverie.domain.errors import Invalid, RateLimited
from reverie.domain.events import JsonObject
from reverie.server.auth import Principal
from reverie.server.channels import Channel
from reverie.server.connections import TRANSPORT, narrow
from reverie.server.running import Running
from reverie.server.wire.rendering import frame
from reverie.sessions.views import View

__all__ = ["EventStreamResponse", "Hub", "open_stream"]

PING_EVERY: Final = 15.0  # seconds of silence
STALLED: Final = 15.0  # seconds in which a reader takes nothing
_SWEEP: Final = 1.0
_PREVIEWS: Final = 256  # that wait for one reader; more are dropped: they are best effort
_RETRY: Final = b"retry: 1000\n"
_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Hub:
    """The streams of one server. Lives on its event loop."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._channels: dict[View, Channel] = {}
        self._opening: dict[View, asyncio.Task[Channel]] = {}
        self._streams: set[EventStreamResponse] = set()
        self._held: Counter[str] = Counter()
        self._sweeper: asyncio.Task[None] | None = None
        self.closing = False
        running.on_close(self.close)

    def admit(self, principal: Principal) -> None:
        """Whether this caller may open one more stream.

        Raises:
            RateLimited: it holds as many as it may.
        """
        most = self._running.settings.streams_per_key
        if self._held[_holder(principal)] >= most:
            raise RateLimited(f"{most} streams are open with this key", retry_after=5.0)

    async def channel(self, house: Workspace, seen: View) -> Channel:
        """The channel of a view; made, and brought to the log's end, for the first who asks. Join it before
        anything is awaited: one that nobody reads is let go."""
        while (found := self._channels.get(seen)) is None:
            if seen not in self._opening:
                self._opening[seen] = asyncio.ensure_future(self._open(house, seen))
            await asyncio.shield(self._opening[seen])
        return found

    async def _open(self, house: Workspace, seen: View) -> Channel:
        try:
            row = await anyio.to_thread.run_sync(house.live.row, seen.session_id)
            otherwise = row.started_at or row.created_at
            channel = Channel(house.feed, house.live, seen, otherwise)
            try:
                row = await anyio.to_thread.run_sync(house.live.row, seen.session_id)
            except BaseException:
                channel.close()
                raise
            channel.begin(row.events)
            self._channels[seen] = channel
            return channel
        finally:
            del self._opening[seen]

    def join(self, stream: EventStreamResponse) -> None:
        """A stream begins.

        Raises:
            RateLimited: the caller holds as many as it may.
        """
        self.admit(stream.principal)
        self._streams.add(stream)
        self._held[_holder(stream.principal)] += 1
        stream.channel.readers.add(stream)
        if self._sweeper is None:
            self._sweeper = asyncio.ensure_future(self._sweep())

    def leave(self, stream: EventStreamResponse) -> None:
        """A stream ends; with its last one goes its channel."""
        self._streams.discard(stream)
        self._held[_holder(stream.principal)] -= 1
        channel = stream.channel
        channel.readers.discard(stream)
        if not channel.readers:
            self._forget(channel)

    def _forget(self, channel: Channel) -> None:
        channel.close()
        if self._channels.get(channel.seen) is channel:
            del self._channels[channel.seen]

    def close(self) -> None:
        """The server stops: every stream ends, as if its reader were at the end."""
        self.closing = True
        for stream in tuple(self._streams):
            stream.wake()
        if self._sweeper is not None:
            self._sweeper.cancel()

    async def _sweep(self) -> None:
        try:
            while self._streams:
                await asyncio.sleep(_SWEEP)
                now = asyncio.get_running_loop().time()
                for stream in tuple(self._streams):
                    stream.look(now)
                for channel in [c for c in self._channels.values() if not c.readers]:
                    self._forget(channel)  # whoever asked for it went away before it was there
        finally:
            self._sweeper = None


def _holder(principal: Principal) -> str:
    return principal.key_id or "local"


class EventStreamResponse(Response):
    """One stream. ``at`` is the place in the log after which it goes on."""

    def __init__(
        self, hub: Hub, channel: Channel, at: int, principal: Principal, previews: frozenset[str]
    ) -> None:
        self.channel = channel
        self.principal = principal
        self.status_code = 200
        self.background = None
        self._hub = hub
        self._at = at
        self._wanted = previews
        self._previews: deque[tuple[int, bytes]] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._sending_since: float | None = None
        self._quiet_since = asyncio.get_running_loop().time()
        self._first = True
        self._ping = True  # the first frame: it carries the place to resume from
        self._gone = False
        self._transport: asyncio.WriteTransport | None = None
        self._task: asyncio.Task[object] | None = None
        hub.join(self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._transport = scope.get("state", {}).get(TRANSPORT)
        if self._transport is not None:
            narrow(self._transport)
        self._task = asyncio.current_task()
        watch = asyncio.ensure_future(self._watch(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
            await self._tell(send)
            if not self._gone:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not self._gone:
                raise
            await asyncio.sleep(0)  # let the connection hear that it was cut, before we return
        finally:
            watch.cancel()
            self._hub.leave(self)

    # ------------------------------------------------------------------ told by the channel and the sweeper

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def preview(self, type: str, body: JsonObject, after: int) -> None:
        if type in self._wanted and len(self._previews) < _PREVIEWS:
            self._previews.append((after, frame(after, str(body["type"]), body)))
            self.wake()

    def look(self, now: float) -> None:
        """Cut off a reader that takes nothing; show one that hears nothing that the line is alive."""
        if self._sending_since is not None:
            if now - self._sending_since > STALLED:
                self._drop()
        elif now - self._quiet_since > PING_EVERY:
            self._ping = True
            self.wake()

    def _drop(self) -> None:
        self._gone = True
        if self._transport is not None:
            self._transport.abort()  # to close it would be to wait for the reader to take what is written
        if self._task is not None:
            self._task.cancel()

    # ------------------------------------------------------------------ the stream itself

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self.wake()

    async def _tell(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while not self._gone:
            chunk = await self._next()
            if chunk:
                self._sending_since = self._quiet_since = loop.time()
                message: Message = {"type": "http.response.body", "body": chunk, "more_body": True}
                await send(message)
                self._sending_since = None
            elif self._hub.closing or (self.channel.ended and self._at >= self.channel.tail):
                return
            else:
                self._waiter = loop.create_future()
                await self._waiter

    async def _next(self) -> bytes:
        """What there is to send: a ping where one is due, events, and previews in their place among them."""
        if self._ping:
            head = _RETRY if self._first else b""
            self._ping = self._first = False
            return head + b'id: %d\nevent: ping\ndata: {"type": "ping"}\n\n' % self._at
        told: list[bytes] = []
        while self._previews and self._previews[0][0] <= self._at:
            told.append(self._previews.popleft()[1])
        if told:
            return b"".join(told)
        if self._at >= self.channel.tail:
            return b""
        frames, self._at = await self.channel.after(self._at)
        return b"".join(frames) if len(frames) != 1 else frames[0]


async def open_stream(
    running: Running,
    house: Workspace,
    principal: Principal,
    request: Request,
    thread: str | None,
    after: int | None,
    previews: frozenset[str],
    *,
    whole: bool = False,
) -> EventStreamResponse:
    """A stream of a session, or of one of its threads, ready to be sent; ``whole``: of all its threads.

    Raises:
        NotFound: no such session or thread.
        Invalid: a place to resume from that is none.
        RateLimited: the caller holds as many streams as it may.
    """
    hub = running.shared(Hub)
    hub.admit(principal)
    session_id = request.path_params["session_id"]
    seen, row = await anyio.to_thread.run_sync(house.sessions.view, session_id, thread)
    if whole:
        seen = replace(seen, whole=True)
    channel = await hub.channel(house, seen)
    newest = max(
        channel.tail, row.events
    )  # another process may have told the client of more than was heard here
    at = _resumed(request.headers.get("last-event-id"), after, newest)
    return EventStreamResponse(hub, channel, at, principal, previews)


def _resumed(header: str | None, after: int | None, newest: int) -> int:
    """The place to go on from: the header's, the query's, else the end."""
    if header is not None and header.strip():
        name: Literal["Last-Event-ID", "after"] = "Last-Event-ID"
        if not header.strip().isdecimal() or len(header) > 18:
            raise Invalid(name, "the id of a frame of this stream", header[:64])
        at = int(header)
    elif after is not None:
        name, at = "after", after
    else:
        return newest
    if at > newest:
        raise Invalid(name, f"at most {newest}, the last event of the session", at)
    return at
