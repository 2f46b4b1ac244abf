"""Events in and out over HTTP: durable sends a second, and what a thousand open streams cost.

    python -m benchmarks.streams [--seconds N] [--streams N]

The server is a process of its own, as `reverie serve` runs it (uvicorn, SQLite with synchronous=FULL); the
clients are another, with plain sockets, so that what is measured is the server. Delivery counts from the
moment before the append begins to the moment the frame is read, both by the same clock; the flush of the
disk is in it. On a machine that is busy otherwise, everything here only gets worse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.table import Row, print_table

SESSIONS = 50
WRITERS = 10
LEAST_SENDS = 1_500
RATE = 700
MOST_P99 = 0.050
MOST_KB = 50
MOST_STALLED = 30.0
STALLED = 100


# ---------------------------------------------------------------------- the server's side


def serve(database: str) -> None:
    """Serve, and do what is said on stdin: a line of JSON, answered by one."""
    import reverie
    from reverie.server.app import build
    from reverie.server.listening import listen, run
    from reverie.server.settings import Settings

    with reverie.open(database, waker=lambda workspace, session_id: None) as house:
        app = build(house, Settings(streams_per_key=100_000))
        server = listen("127.0.0.1", 0)
        told = {"port": server.getsockname()[1], "sessions": _sessions(house)}
        control = threading.Thread(target=_control, args=(house, app, told["sessions"]), daemon=True)
        run(app, [server], started=lambda: (print(json.dumps(told), flush=True), control.start()))  # type: ignore[func-returns-value]


def _sessions(house: Any) -> list[str]:
    agent = house.agents.create({"name": "bench", "model": "scripted:none"})
    place = house.environments.create({"name": "bench"})
    asked = {"agent": agent.id, "environment_id": place.id}
    return [house.sessions.create(asked).row.id for _ in range(SESSIONS)]


def _control(house: Any, app: Any, sessions: list[str]) -> None:
    from reverie.server.sse import Hub

    for line in sys.stdin:
        asked = json.loads(line)
        answer: dict[str, Any] = {}
        if asked["do"] == "append":
            answer["appended"] = _append(house, sessions, asked["rate"], asked["seconds"], asked["size"])
        hub = app.running._parts.get(Hub)
        answer["streams"] = 0 if hub is None else len(hub._streams)
        answer |= {"rss": _rss(), "cpu": _cpu()}
        print(json.dumps(answer), flush=True)


def _append(house: Any, sessions: list[str], rate: int, seconds: float, size: int) -> int:
    """Events at an even rate, one transaction each, by several writers round their sessions."""
    counts = [0] * WRITERS
    began = time.perf_counter()

    def write(writer: int) -> None:
        counts[writer] = _write(house, sessions[writer::WRITERS], rate / WRITERS, began, seconds, size)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    return sum(counts)


def _write(house: Any, sessions: list[str], rate: float, began: float, seconds: float, size: int) -> int:
    from reverie.domain.events import NewEvent

    count, filler = 0, "x" * size
    while (now := time.perf_counter() - began) < seconds:
        if (early := count / rate - now) > 0:
            time.sleep(early)
            continue
        content = [{"type": "text", "text": f"{time.perf_counter_ns()} {filler}"}]
        key = f"{began} {count}"
        house.live.emit(
            sessions[count % len(sessions)], [NewEvent("agent.message", {"content": content}, key=key)]
        )
        count += 1
    return count


def _cpu() -> float:
    """Seconds of processor time this process has had."""
    times = os.times()
    return times.user + times.system


def _rss() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


# ---------------------------------------------------------------------- the clients' side


class Server:
    """The served process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        told = self.answer()
        self.port: int = told["port"]
        self.sessions: list[str] = told["sessions"]

    def say(self, **asked: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, **asked: Any) -> dict[str, Any]:
        self.say(**asked)
        return self.answer()


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server on a fresh database."""
    database = folder / f"{time.monotonic_ns()}.db"
    command = [sys.executable, "-m", "benchmarks.streams", "--serve", str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.terminate()


class Sent(NamedTuple):
    """Events a second that were acknowledged, and the processor's seconds that each cost the server."""

    rate: float
    cost: float


async def sends(server: Server, seconds: float, batch: int) -> Sent:
    """One client per session, each sending as fast as it is answered."""
    message = {"type": "user.message", "content": [{"type": "text", "text": "x" * 200}]}
    body = json.dumps({"events": [message] * batch}).encode()
    until, before = time.perf_counter() + seconds, server.ask(do="look")["cpu"]
    done = await asyncio.gather(*(_sender(server.port, found, body, until) for found in server.sessions))
    events = sum(done) * batch
    return Sent(events / seconds, (server.ask(do="look")["cpu"] - before) / events)


async def _sender(port: int, session_id: str, body: bytes, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/sessions/{session_id}/events HTTP/1.1\r\nhost: localhost:{port}\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    request, count = head.encode() + body, 0
    while time.perf_counter() < until:
        writer.write(request)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"refused: {answer.decode()}")
        length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        count += 1
    writer.close()
    return count


class Watcher:
    """Open streams, what they were told and how long it took."""

    def __init__(self, server: Server, count: int) -> None:
        self._server = server
        self._count = count
        self.seen: list[list[int]] = [[] for _ in range(count)]
        self.took: list[float] = []
        self.open = 0

    async def run(self, until: asyncio.Event) -> None:
        """Read them all until told to end."""
        tasks = [asyncio.create_task(self._read(number)) for number in range(self._count)]
        await until.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, number: int) -> None:
        reader, writer = await connected(self._server, number)
        left = b""
        try:
            while chunk := await reader.read(65_536):
                now = time.perf_counter_ns()
                *frames, left = (left + chunk).split(b"\n\n")
                for frame in frames:
                    self._frame(number, frame, now)
        finally:
            writer.close()

    def _frame(self, number: int, frame: bytes, now: int) -> None:
        if b"event: ping" in frame:
            self.open += 1
            return
        place = frame.find(b"id: ")
        self.seen[number].append(int(frame[place + 4 : frame.index(b"\n", place)]))
        start = frame.index(b'"text":"') + 8
        self.took.append((now - int(frame[start : frame.index(b" ", start)])) / 1e9)

    def gaps(self) -> int:
        """Streams whose events are not a run."""
        return sum(seen != list(range(seen[0], seen[0] + len(seen))) for seen in self.seen if seen)


async def connected(server: Server, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream of one of the sessions, asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    session_id = server.sessions[number % SESSIONS]
    ask = f"GET /v1/sessions/{session_id}/events/stream HTTP/1.1\r\nhost: localhost:{server.port}\r\n\r\n"
    writer.write(ask.encode())
    return reader, writer


async def watch(server: Server, count: int, rate: int, seconds: float) -> tuple[Watcher, dict[str, Any], int]:
    """Streams while it is appended: the watcher, the server's account, its memory before they came."""
    before = (await asyncio.to_thread(server.ask, do="look"))["rss"]
    watcher, done = Watcher(server, count), asyncio.Event()
    running = asyncio.create_task(watcher.run(done))
    while watcher.open < count:
        await asyncio.sleep(0.05)
    told = await asyncio.to_thread(server.ask, do="append", rate=rate, seconds=seconds, size=200)
    await asyncio.sleep(0.5)
    told |= {"rss": (await asyncio.to_thread(server.ask, do="look"))["rss"]}
    done.set()
    await running
    return watcher, told, before


async def stall(server: Server) -> tuple[float, int]:
    """Seconds until readers that never read are gone, and whether those that read are still there."""
    lazy = [await connected(server, number) for number in range(STALLED)]
    watcher, done = Watcher(server, SESSIONS), asyncio.Event()
    running = asyncio.create_task(watcher.run(done))
    while watcher.open < SESSIONS:
        await asyncio.sleep(0.05)
    for _, writer in lazy:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
    began = time.perf_counter()
    left = STALLED + SESSIONS
    while left > SESSIONS and time.perf_counter() - began < 2 * MOST_STALLED:
        told = await asyncio.to_thread(server.ask, do="append", rate=500, seconds=1.0, size=8_000)
        left = told["streams"]
    took = time.perf_counter() - began
    done.set()
    await running
    for _, writer in lazy:
        writer.close()
    return took, watcher.gaps()


# ---------------------------------------------------------------------- the table


def main(seconds: float, streams: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        with served(Path(folder)) as server:
            asyncio.run(sends(server, 1.0, 1))
            one, ten = (asyncio.run(sends(server, seconds, batch)) for batch in (1, 10))
        with served(Path(folder)) as server:
            asyncio.run(watch(server, SESSIONS, RATE, 1.0))
            watcher, told, before = asyncio.run(watch(server, streams, RATE, seconds))
        with served(Path(folder)) as server:
            took, gaps = asyncio.run(stall(server))
    delays = sorted(watcher.took)
    median, late = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    rate = told["appended"] / seconds
    each = (told["rss"] - before) / streams / 1024
    missed = told["appended"] * streams // SESSIONS - len(delays)
    print_table(
        f"Events over HTTP, one process, {SESSIONS} sessions, SQLite synchronous=FULL",
        [
            Row("durable events sent, one a request", f"{one.rate:,.0f} /s", f"≥ {LEAST_SENDS:,} /s", one.rate >= LEAST_SENDS),
            Row("… processor time of the server, each", f"{one.cost * 1e3:.2f} ms", f"≤ {1e3 / LEAST_SENDS:.2f} ms", one.cost <= 1 / LEAST_SENDS),
            Row("durable events sent, ten a request", f"{ten.rate:,.0f} /s", f"≥ {LEAST_SENDS:,} /s", ten.rate >= LEAST_SENDS),
            Row("… processor time of the server, each", f"{ten.cost * 1e3:.2f} ms"),
            Row(f"appends while {streams:,} streams are open", f"{rate:,.0f} /s", f"{RATE} /s", rate >= 0.95 * RATE),
            Row("… deliveries", f"{len(delays) / seconds:,.0f} /s"),
            Row("… from append to reader, median", f"{median * 1e3:.1f} ms"),
            Row("… p99", f"{late * 1e3:.1f} ms", f"≤ {MOST_P99 * 1e3:.0f} ms", late <= MOST_P99),
            Row("… streams with a gap, events missed", f"{watcher.gaps()}, {missed}", "0, 0", not watcher.gaps() and not missed),
            Row("… resident memory, per stream", f"{each:.1f} KB", f"≤ {MOST_KB} KB", each <= MOST_KB),
            Row(f"{STALLED} readers that never read are gone after", f"{took:.0f} s", f"≤ {MOST_STALLED:.0f} s", took <= MOST_STALLED),
            Row("… gaps in the streams of the others", f"{gaps}", "0", not gaps),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--streams", type=int, default=1_000)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    else:
        main(options.seconds, options.streams)
