"""Webhooks: how long a notice takes while other endpoints hang, and what its writing costs a transaction.

    python -m benchmarks.webhooks [--notices 200] [--hanging 8]

The courier of a server delivers to one good endpoint on loopback, first alone, then with further endpoints
that take every request and never answer. Time runs from the return of the transaction that makes the notice
to its arrival, so that it holds the courier's waiting between two looks (250 ms).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import reverie
from benchmarks.table import Row, print_table
from reverie.app import Reverie

MOST_DELAY = 1.0  # seconds that one bad endpoint may cost another
_TYPE = "agent.updated"


class Ears:
    """Receivers on loopback, in a thread: one that answers at once, and some that never do."""

    def __init__(self, hanging: int) -> None:
        self.heard: dict[str, float] = {}
        self._ready = threading.Event()
        self._over: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._hanging = hanging
        self.good = ""
        self.bad: list[str] = []
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        servers = [await asyncio.start_server(self._answer, "127.0.0.1", 0)]
        for _ in range(self._hanging):
            servers.append(await asyncio.start_server(self._hang, "127.0.0.1", 0))
        self.good, *self.bad = [
            f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/" for server in servers
        ]
        self._ready.set()
        await self._over.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0])
        body = (await reader.readexactly(length)).decode()
        self.heard[body.partition('"agent_')[2].partition('"')[0]] = time.monotonic()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    async def _hang(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3_600)

    def close(self) -> None:
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)


@contextmanager
def house(endpoints: list[str]) -> Iterator[Reverie]:
    with (
        tempfile.TemporaryDirectory() as folder,
        reverie.open(Path(folder, "reverie.db"), allow=["127.0.0.1"]) as opened,
    ):
        for url in endpoints:
            opened.webhooks.create(url, [_TYPE])
        yield opened


def happen(opened: Reverie, name: str) -> None:
    opened.resources.write(lambda conn: opened.webhooks.emit(conn, _TYPE, f"agent_{name}"))


def delays(notices: int, hanging: int) -> list[float]:
    """Seconds from the notice to its arrival at the good endpoint, in order."""
    ears = Ears(hanging)
    made: dict[str, float] = {}
    with house([*ears.bad, ears.good]) as opened:
        courier = opened.courier()
        courier.start()
        for number in range(notices):
            happen(opened, str(number))
            made[str(number)] = time.monotonic()
            time.sleep(0.02)
        until = time.monotonic() + 60
        while len(ears.heard) < notices and time.monotonic() < until:
            time.sleep(0.02)
        courier.stop()
    ears.close()
    return sorted(ears.heard.get(name, float("inf")) - at for name, at in made.items())


def cost(endpoints: int, rounds: int = 300) -> float:
    """Seconds of a transaction that makes an agent, and tells so many of it."""

    def once(opened: Reverie, number: int) -> float:
        began = time.perf_counter()
        opened.agents.create({"name": f"a{number}", "model": "scripted:x"})
        return time.perf_counter() - began

    with house([]) as opened:
        for port in range(9_000, 9_000 + endpoints):
            opened.webhooks.create(f"http://127.0.0.1:{port}/", ["agent.created"])
        return statistics.median(once(opened, number) for number in range(rounds))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--notices", type=int, default=200)
    parser.add_argument("--hanging", type=int, default=8)
    said: Any = parser.parse_args(arguments)
    os.environ.setdefault("REVERIE_SECRET_KEY", "A" * 43 + "=")
    alone, beside = delays(said.notices, 0), delays(said.notices, said.hanging)
    p99 = [found[int(len(found) * 0.99) - 1] for found in (alone, beside)]
    none, one, all_ = cost(0), cost(1), cost(32)
    print_table(
        "Webhooks",
        [
            Row("p99 to arrival, no other endpoint", f"{p99[0]:.2f} s"),
            Row(
                f"p99 to arrival, beside {said.hanging} endpoints that hang",
                f"{p99[1]:.2f} s",
                f"others delayed by less than {MOST_DELAY:.0f} s",
                p99[1] - p99[0] < MOST_DELAY,
            ),
            Row(
                "making an agent, 1 endpoint told, over none",
                f"{one / none:.2f}×",
            ),
            Row("the same, 32 endpoints told", f"{all_ / none:.2f}×"),
        ],
    )


if __name__ == "__main__":
    main()
