"""How long a dream takes: beside the import of the same sessions, as their number grows, stage by stage, and on
several cores.

    python -m benchmarks.dreams                 all of it, in some minutes
    python -m benchmarks.dreams --scale         only transcripts to findings, and workers
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import reverie
from benchmarks.desks import fill
from benchmarks.table import Row, print_table
from benchmarks.transcripts import write_transcripts
from reverie.dreaming.observing import Observing
from reverie.mining.observe import SessionObserver

SESSIONS, MOST_SECONDS = 10_000, 60.0
DATA = Path(__file__).parents[2] / "shared" / "data" / "claude-code" / "sessions"


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def beside_import() -> list[Row]:
    if not DATA.is_dir():
        return [
            Row("dream over real transcripts", "no ../shared/data/claude-code here", "≤ 1/2 of the import")
        ]
    with tempfile.TemporaryDirectory() as folder, reverie.open(Path(folder) / "a.db") as rv:
        reading = seconds(lambda: rv.import_paths(DATA))
        dreaming = seconds(rv.dream)
        again = seconds(rv.dream)
    share = dreaming / reading
    return [
        Row(
            "dream over 109 Claude Code sessions, of their import's time",
            f"{share:.2f}×",
            "≤ 0.50×",
            share <= 0.5,
        ),
        Row("the same dream again, of the first", f"{again / dreaming:.2f}×"),
    ]


def growth() -> list[Row]:
    times = {sessions: dreaming(sessions) for sessions in (1_000, 10_000)}
    exponent = math.log10(times[10_000] / times[1_000])
    return [
        Row("dream over 1,000 and 10,000 small sessions", " and ".join(f"{t:.2f} s" for t in times.values())),
        Row("growth from 1,000 to 10,000: n to the power of", f"{exponent:.2f}", "≤ 1.10", exponent <= 1.1),
    ]


def dreaming(sessions: int, runs: int = 3) -> float:
    """The shortest of some dreams over the same sessions, each in a copy of the database and a process of
    its own: the heap of one must not slow the next."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.db"
        with reverie.open(made) as rv:
            fill(rv, sessions)
        return min(_one_dream(Path(shutil.copy(made, Path(folder) / f"{run}.db"))) for run in range(runs))


_DREAM = """
import sys, time, reverie
with reverie.open(sys.argv[1]) as rv:
    some = [session.id for session in rv.log.sessions()[:20]]
    rv.dream(sessions=some, dry_run=True)  # what is loaded and compiled once is no part of growth
    began = time.perf_counter()
    rv.dream()
    print(time.perf_counter() - began)
"""


def _one_dream(db: Path) -> float:
    command = [sys.executable, "-c", _DREAM, str(db)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def start() -> list[Row]:
    env = {**os.environ, "REVERIE_HOME": tempfile.mkdtemp(), "REVERIE_DB": ""}

    def best(*code: str) -> float:
        command = [sys.executable, *code]
        return min(
            seconds(lambda: subprocess.run(command, env=env, capture_output=True, check=False))
            for _ in range(7)
        )

    bare = best("-c", "pass")
    package = best("-c", "import reverie") - bare
    face = best("-c", "import reverie; reverie.open") - bare
    version = best("-m", "reverie", "--version")
    command = best("-m", "reverie", "proposals", "list")
    return [
        Row("import reverie, beyond bare Python", f"{package * 1000:.0f} ms", "≤ 150 ms", package <= 0.15),
        Row("… and its first use", f"{face * 1000:.0f} ms"),
        Row("reverie --version, whole process", f"{version * 1000:.0f} ms", "≤ 500 ms", version <= 0.5),
        Row("a small command, whole process", f"{command * 1000:.0f} ms", "≤ 500 ms", command <= 0.5),
    ]


def transcripts_to_findings() -> list[Row]:
    """The whole way, from files to proposals, with the time of each stage."""
    with tempfile.TemporaryDirectory() as home:
        folder, db = Path(home) / "files", Path(home) / "a.db"
        size = write_transcripts(folder, SESSIONS)
        busy = sum(os.times()[:4])
        with reverie.open(db) as rv:
            reading = seconds(lambda: rv.import_paths(folder))
        unread = Path(shutil.copy(db, Path(home) / "unread.db"))
        marks: list[tuple[str, float]] = []
        with reverie.open(db) as rv:
            began = time.perf_counter()
            result = rv.dream(progress=lambda stage, done, total: marks.append((stage, time.perf_counter())))
            dreaming = time.perf_counter() - began
        total, busy = reading + dreaming, sum(os.times()[:4]) - busy
        rows = [
            Row(
                f"{SESSIONS:,} transcripts of 20 events ({size / 1e6:.0f} MB) to findings, {os.cpu_count()} cores",
                f"{total:.0f} s",
                f"≤ {MOST_SECONDS:.0f} s",
                total <= MOST_SECONDS,
            ),
            Row("… processor time, all processes", f"{busy:.0f} s"),
            Row("… findings", f"{len(result.findings)}"),
            Row("… peak memory", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"),
            Row("… import, of the whole", f"{reading / total:.2f}"),
            *(
                Row(f"… {stage}, of the whole", f"{spent / total:.2f}")
                for stage, spent in _stages(began, marks)
            ),
        ]
        return [*rows, *workers(unread)]


def _stages(began: float, marks: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """(stage, seconds): from the last word of the stage before to its own last word."""
    last = dict(marks)
    ends = [began, *last.values()]
    return [(stage, at - before) for (stage, at), before in zip(last.items(), ends, strict=False)]


def workers(unread: Path) -> list[Row]:
    """Observation by one process and by two: the shortest of three each, in turns. On a busy machine two can
    hardly be faster than one; what the parent itself still has to do bounds what many can win."""
    times: dict[int, list[tuple[float, float]]] = {1: [], 2: []}
    for run in range(6):
        number = 1 + run % 2
        db = Path(shutil.copy(unread, unread.parent / f"{run}.db"))
        times[number].append(_observing(db, number))
        db.unlink()
    (one, _), (two, _) = min(times[1]), min(times[2])
    alone, parent = (min(busy for _, busy in times[number]) for number in (1, 2))
    return [
        Row(
            f"observing {SESSIONS:,} sessions in one process", f"{one:.2f} s, {SESSIONS / one:,.0f} a second"
        ),
        Row("… by two workers, of that time", f"{two / one:.2f}×", "< 1×", two < one),
        Row(
            "processor time left to the parent, of one process's",
            f"{parent / alone:.2f}×",
        ),
    ]


def _observing(db: Path, number: int) -> tuple[float, float]:
    """(seconds, seconds of processor time in this process)."""
    with reverie.open(db) as rv:
        stage, sessions = Observing(rv._db, SessionObserver(), workers=number), rv.log.sessions()
        busy = time.process_time()
        took = seconds(lambda: stage.observe(sessions, lambda done, total: None))
        return took, time.process_time() - busy


def main(arguments: Sequence[str] = ()) -> None:
    print_table("Transcripts to findings", transcripts_to_findings())
    if "--scale" not in arguments:
        print_table("Dreams", [*beside_import(), *growth(), *start()])


if __name__ == "__main__":
    main(sys.argv[1:])
