"""How long a dream takes: beside the import of the same sessions, and as their number grows."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import reverie
from benchmarks.desks import fill
from benchmarks.table import Row, print_table

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
    command = best("-m", "reverie", "proposals", "list")
    return [
        Row("import reverie, beyond bare Python", f"{package * 1000:.0f} ms", "≤ 150 ms", package <= 0.15),
        Row("… and its first use", f"{face * 1000:.0f} ms"),
        Row("a small command, whole process", f"{command * 1000:.0f} ms", "≤ 500 ms", command <= 0.5),
    ]


def main() -> None:
    print_table("Dreams", [*beside_import(), *growth(), *start()])


if __name__ == "__main__":
    main()
