"""What the way out of a sandbox costs, and what sandboxes by Landlock do.

    python -m benchmarks.egress [--requests N]

Requests go to a server on this machine, straight and through the proxy, in turns; the same for bytes through
a tunnel, and for the door that is made in a sandbox's network. Landlock's sandboxes stand beside bubblewrap's
and a bare subprocess.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from benchmarks.sandbox import bare, timed
from benchmarks.table import Row, print_table
from reverie.environments.bubblewrap import Bubblewrap
from reverie.environments.egress import Egress
from reverie.environments.landlock import Landlocked
from reverie.plugins import Environment, Injected, Mount, Network, SandboxSpec

ROUNDS = 5
CHUNK = bytes(1 << 16)
TUNNELLED = 256 << 20
MOST_OVER_STRAIGHT_MS = 2.0
MOST_FOR_A_DOOR_MS = 10.0


async def here(host: str, port: int) -> Sequence[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


@asynccontextmanager
async def server() -> AsyncIterator[int]:
    """Answers ``GET`` shortly, and anything that begins with ``p`` with many bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if (await reader.readexactly(1)) == b"p":
                for _ in range(TUNNELLED // len(CHUNK)):
                    writer.write(CHUNK)
                    await writer.drain()
            else:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    async with listening:
        yield listening.sockets[0].getsockname()[1]


@asynccontextmanager
async def proxy(port: int, secrets: Sequence[Injected] = ()) -> AsyncIterator[int]:
    """Where our proxy listens, outside of any sandbox."""
    spec = SandboxSpec("bench", (), network=Network(["a.example"]), secrets=secrets)
    egress = Egress(spec, own=["a.example"], resolve=here)
    listener = socket.create_server(("127.0.0.1", 0))
    async with egress.at(listener):
        yield listener.getsockname()[1]
    await egress.aclose()


async def get(at: int, url: str) -> None:
    """One request, to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", at)
    writer.write(f"GET {url} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
    assert b"ok" in await reader.read()
    writer.close()


async def requests(count: int) -> list[Row]:
    """A request straight, through the proxy, and with a secret in it."""
    async with server() as port, proxy(port) as out, proxy(port, [Injected("K", "value-of-it")]) as secret:
        url = f"http://a.example:{port}/"
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "straight": lambda: get(port, "/"),
            "through the proxy": lambda: get(out, url),
            "with a secret to put in": lambda: get(secret, url),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(count):
            for name, way in ways.items():
                times[name].append(await timed(way))
    medians = {name: statistics.median(found) for name, found in times.items()}
    over = medians["through the proxy"] - medians["straight"]
    rows = [Row(f"one request {name}, p50", f"{median:.2f} ms") for name, median in medians.items()]
    limit = f"≤ {MOST_OVER_STRAIGHT_MS:g} ms"
    return [*rows, Row("the proxy over straight", f"{over:.2f} ms", limit, over <= MOST_OVER_STRAIGHT_MS)]


async def pull(at: int, head: bytes) -> float:
    """Megabytes a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", at, limit=1 << 20)
    writer.write(head)
    if head.startswith(b"CONNECT"):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"p")
    began, size = time.perf_counter(), 0
    while data := await reader.read(1 << 20):
        size += len(data)
    writer.close()
    assert size == TUNNELLED
    return size / (time.perf_counter() - began) / 1e6


async def tunnels() -> list[Row]:
    """Bytes straight and through a tunnel; server, proxy and client share one thread."""
    async with server() as port, proxy(port) as out:
        head = f"CONNECT a.example:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        pairs = [(await pull(port, b"p"), await pull(out, head)) for _ in range(ROUNDS)]
    straight, through = (statistics.median(each) for each in zip(*pairs, strict=True))
    return [
        Row("bytes straight", f"{straight:,.0f} MB/s"),
        Row("bytes through a tunnel", f"{through:,.0f} MB/s ({through / straight:.2f} of straight)"),
    ]


async def sandboxes(count: int) -> list[Row]:
    """``true`` in each kind, with and without a door, in turns."""
    kinds: dict[str, Environment] = {
        "bubblewrap": Bubblewrap(),
        "Landlock, in rooms": Landlocked(rooms=True),
        "Landlock, bare": Landlocked(rooms=False),
    }
    usable = {name: environment for name, environment in kinds.items() if environment.obstacle() is None}
    commands: dict[str, Callable[[], Awaitable[object]]] = {"bare subprocess": bare}
    with tempfile.TemporaryDirectory(prefix="reverie-bench-") as folder:
        Path(folder).chmod(0o755)
        spec = SandboxSpec("bench", [Mount(Path(folder), "/workspace")])
        with_door = SandboxSpec("door", spec.mounts, network=Network(["a.example"]))
        for name, environment in usable.items():
            commands[name] = runs(environment, spec)
            if name != "Landlock, bare":
                commands[f"{name}, with a way out"] = runs(environment, with_door)
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(count):
            for name, command in commands.items():
                times[name].append(await timed(command))
    medians = {name: statistics.median(found) for name, found in times.items()}
    rows = [Row(f"`true`, {name}, p50", f"{median:.1f} ms") for name, median in medians.items()]
    for name in usable:
        if f"{name}, with a way out" in medians:
            door = medians[f"{name}, with a way out"] - medians[name]
            rows.append(
                Row(
                    f"a door, {name}",
                    f"{door:.1f} ms",
                    f"≤ {MOST_FOR_A_DOOR_MS:g} ms",
                    door <= MOST_FOR_A_DOOR_MS,
                )
            )
    return rows


def runs(environment: Environment, spec: SandboxSpec) -> Callable[[], Awaitable[object]]:
    """A command of a sandbox of its own."""
    sandbox = environment.open(spec)

    async def run() -> object:
        return await sandbox.run(["true"])

    return run


async def measure(count: int) -> None:
    """All three tables."""
    print_table("The way out of a sandbox", [*await requests(count), *await tunnels()])
    print_table("Sandboxes by Landlock", await sandboxes(count // 3))


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--requests", type=int, default=300)
    print(f"{os.cpu_count()} cores")
    asyncio.run(measure(options.parse_args().requests))


if __name__ == "__main__":
    main()
