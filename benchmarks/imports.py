"""Import with masking and durable storage, beside the standard library's json only parsing the same bytes.

    python -m benchmarks.imports [FOLDER]

Each round is a process of its own (so that its peak of memory is its own): json parses every line, several
times, so that it is at work about as long as the import (a short job on a busy machine is over before its
turn is); then the folder is imported into a fresh database, then once more. The median round counts.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import Row, print_table

DATA = Path(__file__).parents[2] / "shared" / "data" / "claude-code"
ROUNDS = 5
PARSES = 6
TIMES_JSON = 8.0
MEGABYTES = 400
SHARE_AGAIN = 0.1


class Round(NamedTuple):
    """Seconds of json alone, of the import and of the import again; bytes read; the peak in MB."""

    alone: float
    first: float
    again: float
    size: int
    peak: float


def one(folder: Path) -> Round:
    """One round, in this process."""
    lines = [line for path in sorted(folder.rglob("*.json*")) for line in path.read_bytes().splitlines()]
    size = sum(map(len, lines))
    began = time.perf_counter()
    for _ in range(PARSES):
        parse(lines)
    alone = (time.perf_counter() - began) / PARSES
    del lines
    import reverie  # after json: neither pays for the other's start

    with tempfile.TemporaryDirectory() as home, reverie.open(Path(home) / "reverie.db") as rv:
        service = rv.importer()
        began = time.perf_counter()
        report = service.run([folder])
        first = time.perf_counter() - began
        began = time.perf_counter()
        service.run([folder])
        again = time.perf_counter() - began
    if report.records != report.used + sum(report.skipped.values()) + report.quarantined:
        raise SystemExit("the report does not add up")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform != "darwin" else 1 << 20
    )
    return Round(alone, first, again, size, peak)


def parse(lines: list[bytes]) -> None:
    for line in lines:
        try:
            json.loads(line)
        except ValueError:
            continue  # two objects on one line: real files have them


def rounds(folder: Path) -> list[Round]:
    """Several rounds, each in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.imports", "--one", str(folder)]
    here = Path(__file__).parents[1]
    outputs = [
        subprocess.run(command, cwd=here, check=True, capture_output=True, text=True).stdout
        for _ in range(ROUNDS)
    ]
    return [Round(*json.loads(output)) for output in outputs]


def table(folder: Path) -> list[Row]:
    found = rounds(folder)
    times = statistics.median(r.first / r.alone for r in found)
    share = statistics.median(r.again / r.first for r in found)
    alone, first = (statistics.median(column) for column in list(zip(*found, strict=True))[:2])
    peak = max(r.peak for r in found)
    return [
        Row("json.loads over the same bytes", f"{alone:.2f} s, {found[0].size / 1e6:.0f} MB"),
        Row("import, masked and durable", f"{first:.2f} s"),
        Row("import, of json's time", f"{times:.1f}×", f"≤ {TIMES_JSON:.0f}×", times <= TIMES_JSON),
        Row("peak memory, json's lines included", f"{peak:.0f} MB", f"< {MEGABYTES} MB", peak < MEGABYTES),
        Row(
            "the same import again, of the first", f"{share:.3f}×", f"≤ {SHARE_AGAIN}×", share <= SHARE_AGAIN
        ),
    ]


def main(folder: Path = DATA) -> None:
    if folder.is_dir():
        print_table("Import", table(folder))
    else:
        print_table(
            "Import", [Row("import of real sessions", f"no {DATA} here", f"≤ {TIMES_JSON:.0f}× json")]
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(Path(sys.argv[2]))))
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
