"""One connection through the proxy: a tunnel that passes unread, or one request and its answer.

A request is passed on by itself and its connection closed: what a client sends behind it is never taken for
another request to the same, already checked, host. Messages are read and written by h11, so that both sides
of the proxy agree on where each ends.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, Final, TypeAlias

import h11

from reverie.environments.destinations import Destination, Refused
from reverie.environments.placeholders import Header, Mask, Placeholders

__all__ = ["Event", "Peer", "Traffic", "absolute", "exchange", "refuse", "tunnel"]

Event: TypeAlias = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]

_CHUNK: Final = 65_536
_LINGER_S: Final = 2.0
_MOST_HEAD: Final = 65_536
_MOST_CHANGED_BODY: Final = 4 << 20
_HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te upgrade".split()
)


class Traffic:
    """Counts what goes through one connection, and puts off its end as long as something does."""

    def __init__(self, count: Callable[[int], None], idle_s: float, timeout: asyncio.Timeout) -> None:
        self._count = count
        self._idle_s = idle_s
        self._timeout = timeout

    def passed(self, size: int) -> None:
        """
        Raises:
            Refused: the sandbox has used up what it may send and receive.
        """
        if not self._timeout.expired():
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._idle_s)
        self._count(size)


class Peer:
    """One side of a connection that speaks HTTP/1.1. ``role`` is ours."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: type[h11.SERVER | h11.CLIENT]
    ) -> None:
        self.reader = reader
        self.writer = writer
        self._http = h11.Connection(role, max_incomplete_event_size=_MOST_HEAD)
        self._below: asyncio.StreamWriter | None = None
        """What carries TLS, where we speak it: it closes its transport when it is forgotten."""

    async def event(self) -> Event:
        """What the other side says next."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.reader.read(_CHUNK))
        return event

    async def send(self, event: h11.Event) -> None:
        """Say something, and wait until the other side takes it."""
        data = self._http.send(event)
        if data:
            self.writer.write(data)
            await self.writer.drain()

    async def switch(self) -> bytes:
        """Agree to a CONNECT. What was sent ahead of our answer is returned."""
        await self.send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
        return self._http.trailing_data[0]

    async def secure(self, context: ssl.SSLContext) -> None:
        """Go on in TLS, as its server, with a new request.

        Raises:
            OSError: the other side does not; the connection is closed.
        """
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        self._below = self.writer
        transport = await loop.start_tls(self.writer.transport, protocol, context, server_side=True)
        if transport is None:
            raise ConnectionResetError
        protocol.connection_made(transport)
        self.reader, self.writer = reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEAD)

    async def go_on(self) -> None:
        """Tell a client that asks before it sends a body to send it."""
        if self._http.they_are_waiting_for_100_continue:
            await self.send(h11.InformationalResponse(status_code=100, headers=[]))

    async def linger(self) -> None:
        """Read on until the other side closes, for a moment: who is cut off while it speaks never sees the
        answer."""
        if not self.writer.can_write_eof():  # TLS, whose ends end together
            return
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LINGER_S):
                self.writer.write_eof()
                while await self.reader.read(_CHUNK):
                    pass

    async def close(self) -> None:
        """Close, when the other side has taken what was said; at once, where it does not within a moment."""
        if self.writer is not self._below:  # else TLS failed, and nobody will say that it is closed
            self.writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_LINGER_S):
                    await self.writer.wait_closed()
        self.abort()

    def abort(self) -> None:
        """Close at once. Idempotent."""
        self.writer.transport.abort()


_IDENTITY: Final[Header] = (b"accept-encoding", b"identity")
_CLOSE: Final[Header] = (b"connection", b"close")

# ------------------------------------------------------------------ a tunnel


async def tunnel(client: Peer, server: Peer, early: bytes, traffic: Traffic) -> None:
    """Carry bytes both ways until both sides have ended, or one breaks off."""
    if early:
        traffic.passed(len(early))
        server.writer.write(early)
    await _together(
        _pump(client.reader, server.writer, traffic), _pump(server.reader, client.writer, traffic)
    )


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, traffic: Traffic) -> None:
    while data := await reader.read(_CHUNK):
        traffic.passed(len(data))
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """All of them, until one fails."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# ------------------------------------------------------------------ a request


def absolute(request: h11.Request) -> tuple[Destination, bytes]:
    """Where a plain request goes, and what it asks for there.

    Raises:
        Refused: it is not a request of a client to its proxy.
    """
    url = request.target.decode("ascii")
    scheme, separator, rest = url.partition("://")
    if scheme.lower() != "http" or not separator:
        raise Refused(400, "", "not a request to a proxy: https:// goes through CONNECT")
    end = next((i for i, letter in enumerate(rest) if letter in "/?#"), len(rest))
    path = rest[end:].partition("#")[0]
    to = Destination.read(rest[:end], 80)
    return to, (path if path.startswith("/") else f"/{path}").encode("ascii")


async def exchange(
    client: Peer, server: Peer, request: h11.Request, name: str, secrets: Placeholders, traffic: Traffic
) -> None:
    """Pass on one request, which is written as to a server itself, and its answer. ``name`` is that host's.

    Raises:
        Refused: a secret cannot be put in, or there is no answer.
    """
    headers = [*_end_to_end(request.headers), _CLOSE]
    body: bytes | None = None
    if secrets.concern(name):
        headers = [*secrets.in_headers(name, _without(headers, b"accept-encoding")), _IDENTITY]
        if secrets.change_body(name):
            body = secrets.in_body(name, await _whole_body(client, name))
            headers = _sized(headers, len(body))
    try:
        asked = h11.Request(method=request.method, target=request.target, headers=headers)
    except h11.LocalProtocolError:
        raise Refused(400, name, "the value of a secret cannot stand in a header") from None
    await server.send(asked)
    sending = asyncio.create_task(_send_body(client, server, body, traffic))
    try:
        await _answer(client, server, name, secrets.mask(name), traffic)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _send_body(client: Peer, server: Peer, body: bytes | None, traffic: Traffic) -> None:
    """The client's body, or the one in its place, to the server. Without it, there will be no answer."""
    try:
        if body is not None:
            traffic.passed(len(body))
            await server.send(h11.Data(data=body))
        else:
            while isinstance(event := await client.event(), h11.Data):
                traffic.passed(len(event.data))
                await server.send(h11.Data(data=bytes(event.data)))
        await server.send(h11.EndOfMessage())
    except (OSError, h11.ProtocolError, Refused):
        server.abort()
        raise


async def _whole_body(client: Peer, host: str) -> bytes:
    await client.go_on()
    body = b""
    while isinstance(event := await client.event(), h11.Data):
        body += event.data
        if len(body) > _MOST_CHANGED_BODY:
            raise Refused(
                413, host, f"a body that a secret goes into has at most {_MOST_CHANGED_BODY:,} bytes"
            )
    return body


async def _answer(client: Peer, server: Peer, name: str, mask: Mask, traffic: Traffic) -> None:
    """What the server says, to the client."""
    while True:
        try:
            event = await server.event()
        except (ConnectionError, h11.RemoteProtocolError) as error:
            raise Refused(502, name, "the host broke off, or said what is not HTTP") from error
        if isinstance(event, h11.InformationalResponse):
            if event.status_code != 101:  # nothing was to be switched to
                await client.send(event)
        elif isinstance(event, h11.Response):
            headers = _end_to_end(event.headers)
            if mask.hides:
                headers = mask.headers(_without(headers, b"content-length"))
            await client.send(
                h11.Response(status_code=event.status_code, reason=event.reason, headers=[*headers, _CLOSE])
            )
        elif isinstance(event, h11.Data):
            traffic.passed(len(event.data))
            await _say(client, mask.feed(bytes(event.data)))
        elif isinstance(event, h11.EndOfMessage):
            await _say(client, mask.end())
            await client.send(h11.EndOfMessage())
            return
        else:
            raise EOFError


async def _say(client: Peer, data: bytes) -> None:
    if data:
        await client.send(h11.Data(data=data))


async def refuse(client: Peer, refused: Refused) -> None:
    """Answer a request that is not passed on. The reason is in the status line too: most programs show a
    proxy's answer to CONNECT no further than that."""
    text = f"Reverie: {refused.host or 'this request'}: {refused.reason}.\n{refused.advice}".strip() + "\n"
    body = text.encode("ascii", "replace")
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode()), _CLOSE]
    reason = refused.reason.encode("ascii", "replace")
    await client.send(h11.Response(status_code=refused.status, reason=reason, headers=headers))
    await client.send(h11.Data(data=body))
    await client.send(h11.EndOfMessage())


# ------------------------------------------------------------------ headers


def _end_to_end(headers: Iterable[Header]) -> list[Header]:
    """Headers without those that are between two neighbours only."""
    all_of_them = list(headers)
    named = {
        word.strip().lower()
        for name, value in all_of_them
        if name == b"connection"
        for word in value.split(b",")
    }
    return [(name, value) for name, value in all_of_them if name not in _HOP_BY_HOP | named]


def _without(headers: Iterable[Header], *names: bytes) -> list[Header]:
    return [(name, value) for name, value in headers if name not in names]


def _sized(headers: Iterable[Header], size: int) -> list[Header]:
    """Headers that announce a body of a size that is known by now."""
    rest = _without(headers, b"transfer-encoding", b"content-length", b"expect")
    return [*rest, (b"content-length", str(size).encode())]
