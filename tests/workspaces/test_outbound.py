"""Requests to addresses that somebody else chose: no form of a private address gets through."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from typing import Any, cast

import pytest

from reverie.domain.addresses import is_public
from reverie.domain.errors import AddressRefused, Unanswered
from reverie.workspaces.outbound import Outbound, Reply


def words(text: str) -> list[str]:
    return text.split()


PRIVATE = words("""
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255
127.0.0.1 127.0.0.2 127.255.255.254 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255
192.0.0.1 192.0.0.8 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::10.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1
64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::808:808 64:ff9b:1::a00:1 100::1 2001::1 2001:0:7f00:1:: 2001:2::1
2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 2002:808:808:: 3fff::1 5f00::1 fc00::1 fd00::1
fd00:ec2::254 fe80::1 fec0::1 ff00::1 ff02::1 ff05::2 4000::1 2a00:1450::5efe:7f00:1 2a00:1450::200:5efe:7f00:1
""")
PUBLIC = words(
    "8.8.8.8 1.1.1.1 100.63.255.255 172.32.0.1 192.167.255.255 2606:4700::1111 2a00:1450:4001::200e"
)
ODD = words("""
127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0x7f.0x0.0x0.0x1 0177.0.0.1 017700000001 0177.1 0 0x0 00 1 0xa9fea9fe
2852039166 169.254.43518 0251.0376.0251.0376 0xA9.0xFE.0xA9.0xFE 0x0a000001 10.1 3232235521 0xC0A80001
①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1 ⑯⑨.②⑤④.①⑥⑨.②⑤④ localhost LOCALHOST localhost. LocalHost
127.0.0.1. 169.254.169.254. 0x7f000001.
""")
FORMS = [
    *(f"https://{f'[{host}]' if ':' in host else host}/hook" for host in PRIVATE),
    *(f"https://{host}/hook" for host in ODD),
    *("https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:ffff:127.0.0.1]/", "https://[0:0:0:0:0:0:0:1]/"),
    *("https://[fe80::1%25eth0]/", "https://[fe80::1%251]/", "https://[::1%25lo]/"),
    *(
        "http://example.com/",
        "https://example.com:8443/",
        "https://example.com:22/",
        "https://example.com:80/",
    ),
    *("ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:70/_", "unix:///var/run/docker.sock"),
    *("https://user@example.com/", "https://user:secret@example.com/", "https://example.com@127.0.0.1/"),
    *(
        "https://127.0.0.1#@example.com/",
        "https://127.0.0.1?@example.com/",
        "https://127.0.0.1\\@example.com/",
    ),
    *(
        "//example.com/",
        "example.com",
        "https://",
        "https:///x",
        "",
        " ",
        "https://[::1/",
        "https://ex ample.com",
    ),
    *("https://example.com:99999/", "https://example.com\r\nHost: x/", "https://\x00/", "https://\ud800/"),
    "https://example.com/" + "x" * 2_048,
]


async def everything_is_here(host: str, port: int) -> Sequence[str]:
    """A resolver in whose world every name that is no literal is the canary's."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, flags=4)  # AI_NUMERICHOST
    except OSError:
        return ["127.0.0.1"]
    return [str(address[0]) for *_, address in found]


@asynccontextmanager
async def listener(
    answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", hang: bool = False
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port on loopback that keeps the head of each request."""
    heads: list[bytes] = []
    over = asyncio.Event()
    served: list[asyncio.Task[Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(cast("asyncio.Task[Any]", asyncio.current_task()))
        with suppress(OSError, asyncio.IncompleteReadError):
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            if hang:
                await over.wait()
            writer.write(answer)
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heads
        over.set()
        await asyncio.gather(*served)


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        return await work()

    return asyncio.run(main())


def test_the_table_of_addresses() -> None:
    assert [text for text in PRIVATE if is_public(ip_address(text))] == []
    assert [text for text in PUBLIC if not is_public(ip_address(text))] == []


def test_no_form_of_a_private_address_is_connected_to() -> None:
    """Every form goes through the whole client, with a resolver that sends names to loopback too."""
    assert len(FORMS) >= 80

    async def work() -> list[str]:
        through: list[str] = []
        outbound = Outbound(resolve=everything_is_here, timeout=5)
        for url in FORMS:
            try:
                await outbound.send("POST", url, headers={}, content=b"{}")
            except AddressRefused:
                continue
            except Exception as error:  # anything else would be a request that was begun
                through.append(f"{url!r}: {error!r}")
            else:
                through.append(url)
        await outbound.aclose()
        return through

    assert run(work) == []


def test_the_form_is_looked_at_when_a_url_is_registered() -> None:
    outbound = Outbound()
    for url in FORMS:
        if "localhost" in url.lower():
            continue  # a name: what it stands for is looked at when it is used
        with pytest.raises(AddressRefused):
            outbound.check(url)
    outbound.check("https://hooks.example.com/reverie?x=1")
    outbound.check("https://8.8.8.8/hook")


def test_a_name_is_resolved_once_and_the_checked_address_is_connected_to() -> None:
    """A name that means something else when asked again (rebinding) gains nothing."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.215.14"] if len(asked) == 1 else ["127.0.0.1"]

    async def work() -> None:
        async with listener() as (_, heads):
            outbound = Outbound(resolve=rebinding, timeout=0.3)
            with pytest.raises(Unanswered):  # nobody is there, and the canary is not asked instead
                await outbound.send("POST", "https://rebind.example/", headers={})
            assert asked == ["rebind.example"]
            with pytest.raises(AddressRefused):
                await outbound.send("POST", "https://rebind.example/", headers={})
            assert heads == []
            await outbound.aclose()

    run(work)


def test_one_private_address_among_public_ones_is_a_refusal() -> None:
    async def mixed(host: str, port: int) -> Sequence[str]:
        return ["93.184.215.14", "10.0.0.7"]

    with pytest.raises(AddressRefused, match=r"10\.0\.0\.7"):
        run(lambda: Outbound(resolve=mixed).send("POST", "https://mixed.example/", headers={}))


def test_what_is_allowed_by_name_or_network_is_reached_with_its_own_host_header() -> None:
    async def work() -> None:
        async with listener() as (port, heads):
            for allow, host in (("hooks.internal", "hooks.internal"), ("127.0.0.0/8", "127.0.0.1")):
                outbound = Outbound(allow=[allow], resolve=everything_is_here)
                outbound.check(f"http://{host}:{port}/x")
                reply = await outbound.send(
                    "POST", f"http://{host}:{port}/x", headers={"a": "b"}, content=b"{}"
                )
                assert (reply.status, reply.body) == (200, b"ok")
                assert f"host: {host}:{port}\r\n".encode() in heads[-1].lower()
                await outbound.aclose()

    run(work)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def work() -> Reply:
        async with listener() as (inner, heads):
            location = (
                f"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inner}/\r\ncontent-length: 0\r\n\r\n"
            )
            async with listener(location.encode()) as (port, _):
                outbound = Outbound(allow=["127.0.0.1"])
                reply = await outbound.send("POST", f"http://127.0.0.1:{port}/", headers={})
                await outbound.aclose()
                assert heads == []
                return reply

    assert run(work).status == 302


def test_a_server_that_hangs_or_talks_nonsense_or_much_is_bounded() -> None:
    async def work() -> None:
        outbound = Outbound(allow=["127.0.0.1"], timeout=0.3, most=1_000)
        async with listener(hang=True) as (port, _):
            with pytest.raises(Unanswered, match=r"0\.3 s"):
                await outbound.send("POST", f"http://127.0.0.1:{port}/", headers={})
        async with listener(b"SSH-2.0-OpenSSH\r\n\r\n") as (port, _):
            with pytest.raises(Unanswered):
                await outbound.send("POST", f"http://127.0.0.1:{port}/", headers={})
        much = b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n" + b"x" * 5_000_000
        async with listener(much) as (port, _):
            reply = await outbound.send("POST", f"http://127.0.0.1:{port}/", headers={})
            assert reply.body == b"x" * 1_000
        with pytest.raises(Unanswered):  # nobody listens there any more
            await outbound.send("POST", f"http://127.0.0.1:{port}/", headers={})
        await outbound.aclose()

    run(work)


def test_a_certificate_must_be_for_the_name_and_not_for_the_address() -> None:
    """The connection goes to an address; what is verified is the name."""
    greeted: list[str | None] = []

    async def work() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def note(_: Any, name: str | None, __: Any) -> None:
            greeted.append(name)

        context.sni_callback = note
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            outbound = Outbound(allow=["hooks.internal"], resolve=everything_is_here, timeout=5)
            with pytest.raises(Unanswered):
                await outbound.send("POST", f"https://hooks.internal:{port}/", headers={})
            await outbound.aclose()

    run(work)
    assert greeted == ["hooks.internal"]
