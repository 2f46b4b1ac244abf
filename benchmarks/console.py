"""The console's pages in a large house: what the server takes for each, and how large it is.

    python -m benchmarks.console [--quick] [--folder FOLDER] [--asks 30]

10,000 proposals wait, one session has 50,000 events, the store has 1,000,000 of them in 20,000 sessions (``--quick``: a
twentieth of each). The server is the real program in a process of its own; each page is asked ``--asks`` times, one
after another. What counts is the 95th percentile of the processor time that the server takes for an answer (the wall's
clock stands beside it: it counts whatever else a machine does), and the peak of the server's memory. The store is kept in FOLDER for the next run.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import httpx2

from benchmarks.table import Row, print_table
from reverie.app import Reverie
from reverie.domain.clock import system_clock
from reverie.domain.events import NewEvent
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.storage.database import Database
from reverie.testing.desk import DeskClock, file_documents

MOST_MS = 200.0
MOST_BYTES = 300_000
MOST_MEMORY = 400  # MB
PROPOSALS, LONG, EVENTS, EACH = 10_000, 50_000, 1_000_000, 50
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def build(file: Path, part: int) -> None:
    """Fill a database: ``1 / part`` of everything."""
    clock = DeskClock()
    with Reverie(Database.open(file), clock=clock, entropy=Random(5).randbytes) as rv:
        for _ in file_documents(rv.session, clock=clock, sessions=200, seed=5):
            pass
        rv.dream()
        first = rv.review.list(status="pending")[0]
        rv.approve(first.id, by="ana")
        for number in range(40):
            rv.memory.write("default", first.path, f"# Version {number}\n\nCheck in first.\n", actor="ana")
        kept = rv.review.list(status="pending")
        for start in range(0, PROPOSALS // part, 500):
            rv.review.submit(
                [
                    replace(
                        kept[n % len(kept)], id=f"prop_{n:026d}", path=f"/notes/{n % 97}/n{n}.md", idea=f"i{n}",
                        title=f"Lesson {n}: look before you leap", kind="add", base_sha256=None, base_content=None,
                    )
                    for n in range(start, min(start + 500, PROPOSALS // part))
                ]
            )  # fmt: skip
        for number in range(1_500 // part):
            rv.memory.write("default", f"/tree/{number % 40}/m{number}.md", f"# {number}\n", actor="ana")
        rv.log.record(_transcript("long", LONG // part, NOW))
        for number in range(EVENTS // part // EACH):
            rv.log.record(_transcript(f"s{number}", EACH, NOW + timedelta(minutes=number)))


def _transcript(name: str, events: int, began: datetime) -> Transcript:
    info = SessionInfo(
        "bench", name, agent=f"agent-{len(name)}", user="ana", goal=f"File {name}", started_at=began,
        outcome=Outcome("success" if len(name) % 2 else "failure"),
    )  # fmt: skip
    told: list[NewEvent] = []
    for n in range(0, events, 2):
        call = {"tool_use_id": f"c{n}", "name": "upload", "input": {"size_mb": n}}
        told.append(NewEvent("agent.tool_use", call, key=f"u{n}"))
        result = {"tool_use_id": f"c{n}", "content": f"accepted {name} {n}, receipt issued at the desk"}
        told.append(NewEvent("agent.tool_result", result, key=f"r{n}"))
    return Transcript(info, told)


def addresses(http: httpx2.Client, file: Path) -> dict[str, str]:
    """The pages, by name."""
    with Reverie(Database.open(file), clock=system_clock, entropy=Random(1).randbytes) as rv:
        waiting = rv.review.list(status="pending")[0]
        dream = rv.dreams()[0].id
        tried = rv.review.list(status="approved")[0]
        memory = rv.memory.read("default", tried.path)
        version = rv.memories.versions(memory.store_id, memory_id=memory.id)[0].id
        long = next(s for s in rv.log.sessions() if s.info.goal == "File long")
        middle = rv.log.window(long.id, after=long.events // 2, limit=1)[0].id
    finding = f"/findings/{tried.findings[0]}"
    cited = re.search(r'href="(/sessions/[^"]*at=sevt_[^"]*)"', http.get(finding).text)
    assert cited is not None
    return {
        "inbox": "/", "inbox, by file": "/?group=file", "inbox, words": "/?q=lesson+9", "proposal": f"/proposals/{waiting.id}",
        "proposal, split": f"/proposals/{waiting.id}?view=split", "edit": f"/proposals/{waiting.id}/edit",
        "evidence": finding, "a citation": cited[1].replace("&amp;", "&").partition("#")[0],
        "sessions": "/sessions", "sessions, narrowed": "/sessions?agent=agent-3&outcome=success",
        "session of 50,000: its beginning": f"/sessions/{long.id}", "… its middle": f"/sessions/{long.id}?at={middle}",
        "… its end": f"/sessions/{long.id}?end=1", "… words in it": f"/sessions/{long.id}?q=receipt",
        "dreams": "/dreams", "dream": f"/dreams/{dream}", "a new dream": "/dreams/new", "schedules": "/dreams/schedules",
        "stores": "/memory", "store": f"/memory/{memory.store_id}", "store, a level": f"/memory/{memory.store_id}?under=/tree/7/",
        "memory": f"/memory/{memory.store_id}/{memory.id}",
        "memory, a change": f"/memory/{memory.store_id}/{memory.id}?version={version}",
        "audit": "/audit", "audit, one person's": "/audit?actor=ana", "settings": "/settings",
        "policies": "/settings/policies", "keys": "/settings/keys",
    }  # fmt: skip


@contextmanager
def serving(file: Path) -> Iterator[tuple[str, int]]:
    """The real program over the database; its URL, and its process's number."""
    command = [sys.executable, "-m", "reverie", "serve", "--port", "0", "--no-work", "--db", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.terminate()


def used(process: int) -> float:
    """Milliseconds of a processor that a process has taken so far, in all its threads."""
    found = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(each.read_text("ascii").split()[0]) for each in found) / 1e6


def ask(http: httpx2.Client, process: int, address: str, asks: int) -> tuple[float, float, int]:
    """Milliseconds of a page (95th percentile of processor time, median on the wall) and its largest answer."""
    took: list[float] = []
    wall: list[float] = []
    size = 0
    for _ in range(asks):
        before, began = used(process), time.perf_counter()
        answer = http.get(address)
        wall.append((time.perf_counter() - began) * 1000)
        took.append(used(process) - before)
        assert answer.status_code == 200, (address, answer.text[:400])
        size = max(size, len(answer.content))
        time.sleep(0.06)  # fewer than a key may ask in a minute
    return statistics.quantiles(took, n=20, method="inclusive")[-1], statistics.median(wall), size


def peak(process: int) -> int:
    """The most memory that a process ever had, in MB."""
    status = Path(f"/proc/{process}/status").read_text("ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) // 1024 if found else 0


def main() -> int:
    """Build, ask, print."""
    told = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    told.add_argument("--quick", action="store_true")
    told.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "reverie-bench-console")
    told.add_argument("--asks", type=int, default=30)
    asked = told.parse_args()
    part = 20 if asked.quick else 1
    asked.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file: Path = asked.folder / f"console-{part}.db"
    if not file.exists():
        half = file.with_suffix(".half")
        half.unlink(missing_ok=True)
        build(half, part)
        half.rename(file)
    rows: list[Row] = []
    with serving(file) as (url, process), httpx2.Client(base_url=url, timeout=60) as http:
        for name, address in addresses(http, file).items():
            ask(http, process, address, 2)
            slow, usual, size = ask(http, process, address, asked.asks)
            figure = f"{slow:.0f} ms (wall, median: {usual:.0f}), {size / 1000:.0f} kB"
            rows.append(
                Row(
                    name,
                    figure,
                    f"{MOST_MS:.0f} ms, {MOST_BYTES // 1000} kB",
                    slow <= MOST_MS and size <= MOST_BYTES,
                )
            )
        most = peak(process)
    rows.append(Row("the server's memory, at most", f"{most} MB", f"{MOST_MEMORY} MB", most <= MOST_MEMORY))
    print_table("the console in a large house", rows)
    return 0 if all(row.holds is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
