"""The only way out of a sandbox: a proxy of ours on its loopback, which connects to what the spec allows.

Programs in the sandbox find it by the usual variables (``HTTPS_PROXY`` …); a program that does not look at
them reaches nothing, since its network has nothing else in it. It speaks HTTP: CONNECT for TLS, requests
with a whole URL for plain HTTP. Every refusal is an answer that says what to do, and is told to
``SandboxSpec.refused``.

A TLS connection passes unread, except to hosts that one of the spec's secrets is for: there the proxy stands in
for the host, with a certificate of an authority that only this sandbox trusts, puts the value in the
placeholder's place, and speaks TLS to the real host. What is not seen: which virtual host of a shared
server is asked for inside TLS that passes unread. Who allows a host of a large content network allows, to a
program that sets out to do it, the other sites that the same network serves.

How a sandbox uses it::

    egress = Egress(spec)
    spec = egress.spec                      # with the variables and the mount that the way out needs
    ... start the command, stopped; then, where egress.wanted:
    async with egress.at(listen_inside(pid)):
        ... let the command run to its end
    await egress.aclose()
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import h11

from reverie.domain.addresses import Own
from reverie.domain.clock import Clock, system_clock
from reverie.environments.destinations import Destination, Gate, Refused, Resolve, system_resolve
from reverie.environments.doorway import PORT
from reverie.environments.exchange import Peer, Traffic, absolute, exchange, refuse, tunnel
from reverie.environments.interception import Authority
from reverie.environments.placeholders import Placeholders
from reverie.plugins import SandboxSpec

__all__ = ["OWN_VARIABLE", "Allowance", "Counts", "Egress"]

_BY_RULE: Final = frozenset({400, 403, 413, 429, 503})
"""Answers that say what is not allowed here; the others say what went wrong out there."""
_MOST_TOLD: Final = 100
_TOO_MANY: Final = "too many connections at a time"
OWN_VARIABLE: Final = "REVERIE_ALLOW_ADDRESSES"
_INSIDE: Final = "/run/reverie"
_PROXY: Final = f"http://127.0.0.1:{PORT}"
_VARIABLES: Final = {
    **{name: _PROXY for word in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for name in (word, word.lower())},
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,::1"),
    "NODE_USE_ENV_PROXY": "1",  # Node's own fetch looks at the others only then
}
_TRUST_VARIABLES: Final = (
    "SSL_CERT_FILE",  # OpenSSL, Python, Ruby, Go
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "npm_config_cafile",
)
_Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Allowance:
    """The most that may go through the door of one sandbox. ``bytes`` counts both directions over the
    sandbox's life; ``idle_s`` is how long a connection may say nothing."""

    connections: int = 64
    bytes: int = 16 << 30
    idle_s: float = 300.0
    head_s: float = 15.0
    connect_s: float = 15.0


@dataclass(slots=True)
class Counts:
    """What went through so far."""

    connections: int = 0
    refused: int = 0
    bytes: int = 0


class Egress:
    """The way out of one sandbox. Use it within one event loop.

    Args:
        spec: Of the sandbox; its ``network``, ``secrets`` and ``refused`` count here.
        own: Names and networks that are not public and may be reached all the same, if the spec allows
            them (a mirror of packages, say); see ``domain.addresses.Own``. Where None, what
            ``$REVERIE_ALLOW_ADDRESSES`` lists, with commas between.
        resolve: How a host becomes addresses.
        allowance: How much may go through.
        clock: For the dates of certificates.
        trust: How real hosts' certificates are examined; the system's authorities where it is None.
    """

    def __init__(
        self,
        spec: SandboxSpec,
        *,
        own: Sequence[str] | None = None,
        resolve: Resolve = system_resolve,
        allowance: Allowance | None = None,
        clock: Clock = system_clock,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.wanted = spec.network.everything or bool(spec.network.hosts)
        """Whether there is a way out at all. Where there is not, no listener is needed."""
        self.counts = Counts()
        self._gate = Gate(spec.network, Own(_listed() if own is None else own), resolve)
        self._refused = spec.refused
        self._allowance = allowance or Allowance()
        self._placeholders = Placeholders(spec.id, spec.secrets)
        self._authority = Authority(clock) if self.wanted and spec.secrets else None
        self._trust = trust
        self._live: set[asyncio.Task[None]] = set()
        self._told: set[tuple[str, str]] = set()
        """A program that tries again and again is told of once for each command, and counted each time."""
        self.spec = self._dressed(spec)
        """The spec with the variables and mounts of the way out."""

    def _dressed(self, spec: SandboxSpec) -> SandboxSpec:
        variables = dict(_VARIABLES) if self.wanted else {}
        mounts = list(spec.mounts)
        if self._authority is not None:
            mounts.append(self._authority.mount(_INSIDE))
            variables |= dict.fromkeys(_TRUST_VARIABLES, f"{_INSIDE}/{self._authority.file_name}")
        variables |= {**self._placeholders.variables, **spec.variables}
        return replace(spec, mounts=tuple(mounts), variables=variables)

    @asynccontextmanager
    async def at(self, listener: socket.socket) -> AsyncGenerator[None]:
        """Answer a listening socket, which is closed at the end, together with every connection made of it."""
        made: set[asyncio.Task[None]] = set()

        self._told.clear()

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if (
                len(self._live) >= 2 * self._allowance.connections
            ):  # an answer would cost a descriptor of ours
                self._count_refused("", _TOO_MANY)
                writer.transport.abort()
                return
            task = asyncio.create_task(self._serve(reader, writer))
            for tasks in (made, self._live):
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        listener.setblocking(False)
        server = await asyncio.start_server(begin, sock=listener, backlog=1024)
        try:
            yield
        finally:
            server.close()
            await _end(made)

    async def aclose(self) -> None:
        """Cut what is open and remove what was mounted. Idempotent."""
        await _end(self._live)
        if self._authority is not None:
            self._authority.remove()

    # ------------------------------------------------------------------ one connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counts.connections += 1
        client = Peer(reader, writer, h11.SERVER)
        try:
            if len(self._live) > self._allowance.connections:
                raise Refused(503, "", _TOO_MANY)
            self._check_bytes("")
            await self._answer(client)
        except Refused as refused:
            await self._tell(client, refused)
        except (OSError, EOFError, h11.ProtocolError) as error:
            # Either side is gone, or says what has no answer. Who was given up on is not waited for again.
            if isinstance(error, TimeoutError):
                client.abort()
        except asyncio.CancelledError:
            client.abort()
            raise
        finally:
            await client.close()

    def _count_refused(self, host: str, reason: str) -> None:
        self.counts.refused += 1
        if (host, reason) not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add((host, reason))
            self._refused(host, reason)

    async def _tell(self, client: Peer, refused: Refused) -> None:
        if refused.status in _BY_RULE:
            self._count_refused(refused.host, refused.reason)
        with suppress(OSError, TimeoutError, h11.ProtocolError):
            async with asyncio.timeout(self._allowance.head_s):
                await refuse(client, refused)
            await client.linger()

    async def _answer(self, client: Peer) -> None:
        request = await self._request(client)
        if request.method != b"CONNECT":
            to, path = absolute(request)
            await self._exchange(client, request, path, to, None)
            return
        to = Destination.read(request.target.decode("ascii"))
        # A tunnel to port 80 is no TLS.
        if self._authority is not None and to.port != 80 and self._placeholders.concern(to.host):
            await self._stand_in(client, to, self._authority)
        else:
            await self._tunnel(client, to)

    async def _request(self, client: Peer) -> h11.Request:
        try:
            async with asyncio.timeout(self._allowance.head_s):
                event = await client.event()
        except TimeoutError:
            raise Refused(408, "", f"no whole request within {self._allowance.head_s:g} s") from None
        except h11.RemoteProtocolError as error:
            raise Refused(400, "", f"not a request of HTTP: {error}") from None
        if not isinstance(event, h11.Request):
            raise EOFError
        return event

    async def _tunnel(self, client: Peer, to: Destination) -> None:
        async with self._connected(to, None) as server:
            early = await client.switch()
            async with asyncio.timeout(self._allowance.idle_s) as timeout:
                await tunnel(client, server, early, self._traffic(to, timeout))

    async def _stand_in(self, client: Peer, to: Destination, authority: Authority) -> None:
        """Speak for the host, with its name on our certificate."""
        await self._gate.addresses(to)  # no tunnel for what would be refused in it
        if await client.switch():
            raise Refused(400, to.host, "TLS began before the proxy had agreed")
        try:
            async with asyncio.timeout(self._allowance.head_s):
                await client.secure(authority.speaking_for(to.host))
        except (ssl.SSLError, ConnectionError):
            self._count_refused(to.host, "TLS failed: the program may not trust this sandbox's authority")
            return
        request = await self._request(client)
        if not request.target.startswith(b"/"):
            raise Refused(400, to.host, "not a request for a path")
        await self._exchange(client, request, request.target, to, self._trust or _system_trust())

    async def _exchange(
        self, client: Peer, request: h11.Request, path: bytes, to: Destination, tls: ssl.SSLContext | None
    ) -> None:
        host = to.authority.removesuffix(f":{80 if tls is None else 443}")
        asked = _asked(request, path, host)
        try:
            async with self._connected(to, tls) as server, asyncio.timeout(self._allowance.idle_s) as timeout:
                await exchange(client, server, asked, to.host, self._placeholders, self._traffic(to, timeout))
        except TimeoutError:
            raise Refused(504, to.host, f"nothing was said for {self._allowance.idle_s:g} s") from None

    @asynccontextmanager
    async def _connected(self, to: Destination, tls: ssl.SSLContext | None) -> AsyncGenerator[Peer]:
        """A connection to the first address that takes one, of those that were looked at."""
        try:
            async with asyncio.timeout(self._allowance.connect_s):
                reader, writer = await self._connect(to, tls)
        except TimeoutError:
            raise Refused(504, to.host, f"no connection within {self._allowance.connect_s:g} s") from None
        server = Peer(reader, writer, h11.CLIENT)
        try:
            yield server
        except BaseException:
            server.abort()
            raise
        await server.close()

    async def _connect(self, to: Destination, tls: ssl.SSLContext | None) -> _Streams:
        name = to.host if tls is not None else None
        problem = "no connection can be made"
        for address in await self._gate.addresses(to):
            try:
                return await asyncio.open_connection(str(address), to.port, ssl=tls, server_hostname=name)
            except ssl.SSLError as error:
                problem = f"TLS failed: {error.reason}"
            except OSError:
                continue
        raise Refused(502, to.host, problem)

    def _traffic(self, to: Destination, timeout: asyncio.Timeout) -> Traffic:
        def count(size: int) -> None:
            self.counts.bytes += size
            self._check_bytes(to.host)

        return Traffic(count, self._allowance.idle_s, timeout)

    def _check_bytes(self, host: str) -> None:
        if self.counts.bytes > self._allowance.bytes:
            raise Refused(
                429, host, f"this sandbox has used up its {self._allowance.bytes:,} bytes of traffic"
            )


def _asked(request: h11.Request, path: bytes, host: str) -> h11.Request:
    """A client's request as it is made of the host itself: the host that was looked at, and no other that
    is served at the same address."""
    headers = [(b"host", host.encode("ascii")), *(each for each in request.headers if each[0] != b"host")]
    return h11.Request(method=request.method, target=path, headers=headers)


def _listed() -> list[str]:
    listed = os.environ.get(OWN_VARIABLE, "").split(",")
    return [entry.strip() for entry in listed if entry.strip()]


def _system_trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _end(tasks: set[asyncio.Task[None]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
