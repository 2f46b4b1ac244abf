"""The HTTP API: from ``reverie serve`` to the first answer, and a page of a list in a large store.

    python -m benchmarks.server [--folder FOLDER] [--events 1000000] [--rounds 9]

Start-up is the real program on a fresh database, from its start to the first answered request, beside a
process that only imports the libraries it stands on. The page is 100 events out of the middle of a session,
asked over a socket; its peer is the same rows by hand-written SQL behind the barest Starlette application
on the same server program, which neither authenticates, nor validates, nor renders anybody's shapes. Both
are asked in turns; the median of the rounds' ratios counts. The store is kept in FOLDER for the next run.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2

from benchmarks.table import Row, print_table
from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.sessions.log import SessionLog
from reverie.storage.database import Database

MOST_START = 1.5  # seconds
MOST_OF_RAW = 2.0
EACH = 1_000  # events of a session
PAGE = 100
ASKS = 60  # requests a round
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIBRARIES = "import alembic, anyio, msgspec, sqlalchemy, starlette.requests, typer, uvicorn"

PEER = """
import sqlite3, sys, msgspec, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
db = sqlite3.connect(sys.argv[1], check_same_thread=False)
def page(request):
    rows = db.execute(sys.argv[3], (request.path_params["id"], int(request.query_params["after"]))).fetchall()
    data = [dict(zip(("id", "seq", "at", "type", "payload"), row)) for row in rows]
    return Response(msgspec.json.encode({"data": data}), media_type="application/json")
print("ready", flush=True)
uvicorn.run(Starlette(routes=[Route("/{id}", page)]), port=int(sys.argv[2]), log_level="error")
"""
SQL = "SELECT id, seq, at, type, payload FROM events WHERE session_id = ? AND seq > ? ORDER BY seq LIMIT 100"


def start_up(home: Path) -> tuple[float, float]:
    """Seconds from the start of the program to its first answer of the API: on the wall, and of a processor."""
    before, began = _children(), time.perf_counter()
    with serving(home) as url:
        assert httpx2.get(f"{url}/v1/agents").status_code == 200
        took = time.perf_counter() - began
    return took, _children() - before


def _children() -> float:
    """Processor time of the processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The real program; its URL."""
    command = [sys.executable, "-m", "reverie", "serve", "--port", "0", "--db", str(home / "reverie.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def libraries() -> float:
    """Seconds of a process that imports the libraries and nothing of ours."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True)
    return time.perf_counter() - began


def fill(path: Path, events: int) -> list[str]:
    """A store of that many events; the ids of its sessions. One that is there already is taken as it is."""
    if path.exists():
        with sqlite3.connect(path) as raw:
            if raw.execute("SELECT count(*) FROM events").fetchone()[0] >= events:
                return [row[0] for row in raw.execute("SELECT id FROM sessions ORDER BY id")]
    with Database.open(path) as database:
        log = SessionLog(database)
        ids: list[str] = []
        for number in range(events // EACH):
            info = SessionInfo("bench", f"session {number}")
            new = [
                NewEvent(
                    "agent.message" if place % 2 else "user.message",
                    {"content": [{"type": "text", "text": f"event {place} of session {number} " * 4}]},
                    key=str(place),
                    at=NOW + timedelta(seconds=place),
                )
                for place in range(EACH)
            ]
            ids.append(log.record(Transcript(info, tuple(new))).session_id)
        return ids


@contextmanager
def peer(path: Path, port: int) -> Iterator[str]:
    """Hand-written SQL behind bare Starlette; its URL."""
    command = [sys.executable, "-c", PEER, str(path), str(port), SQL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def asked(http: httpx2.Client, urls: list[str]) -> float:
    """The median of the seconds that a request takes."""
    times: list[float] = []
    for url in urls:
        began = time.perf_counter()
        answer = http.get(url)
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["data"]) == PAGE
    return statistics.median(times)


def pages(path: Path, sessions: list[str], rounds: int) -> tuple[float, float, float]:
    """(raw SQL in process, raw SQL behind HTTP, ours): medians in seconds of a page of 100."""
    some = [sessions[place * 7919 % len(sessions)] for place in range(ASKS)]
    raw = sqlite3.connect(path)
    with serving(path.parent) as url, peer(path, 18_787) as other, httpx2.Client() as http:
        _wait(http, f"{other}/{some[0]}?after=0")
        cursors = [_middle(http, url, session) for session in some]
        ours = [
            f"{url}/v1/sessions/{session}/events?limit={PAGE}&page={cursor}"
            for session, cursor in zip(some, cursors, strict=True)
        ]
        theirs = [f"{other}/{session}?after=500" for session in some]
        times: list[tuple[float, float, float]] = []
        for _ in range(rounds):
            began = time.perf_counter()
            for session in some:
                assert len(raw.execute(SQL, (session, 500)).fetchall()) == PAGE
            plain = (time.perf_counter() - began) / len(some)
            times.append((plain, asked(http, theirs), asked(http, ours)))
    raw.close()
    return sorted(times, key=lambda it: it[2] / it[1])[len(times) // 2]


def _middle(http: httpx2.Client, url: str, session: str) -> str:
    """The cursor of the middle of a session."""
    answer = http.get(f"{url}/v1/sessions/{session}/events?limit={EACH // 2}").json()
    return str(answer["next_page"])


def _wait(http: httpx2.Client, url: str) -> None:
    for _ in range(200):
        try:
            http.get(url)
            return
        except httpx2.ConnectError:
            time.sleep(0.05)


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "reverie-bench-server")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    said = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as fresh:
        starts = [(libraries(), start_up(Path(fresh) / str(number))) for number in range(said.rounds)]
    start = statistics.median(wall for _, (wall, _) in starts)
    worked = statistics.median(processor for _, (_, processor) in starts)
    ratio = statistics.median(wall / before for before, (wall, _) in starts)
    what = f"at most {MOST_START} s"
    told = f"{start:.2f} s ({worked:.2f} s of a processor; {ratio:.1f}× of importing the libraries alone)"
    rows.append(Row("from `reverie serve` to the first answered request", told, what, start <= MOST_START))
    said.folder.mkdir(exist_ok=True)
    path = said.folder / "reverie.db"
    sessions = fill(path, said.events)
    plain, bare, ours = pages(path, sessions, said.rounds)
    told = f"{ours * 1e3:.2f} ms ({ours / bare:.2f}×; behind bare Starlette {bare * 1e3:.2f} ms, SQL alone {plain * 1e3:.2f} ms)"
    name = f"a page of {PAGE} events out of {said.events:,}"
    rows.append(Row(name, told, f"at most {MOST_OF_RAW:g}× of raw SQL over HTTP", ours / bare <= MOST_OF_RAW))
    print_table(f"The server ({os.cpu_count()} cores)", rows)


if __name__ == "__main__":
    main()
