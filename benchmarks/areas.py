"""What a specialist's own copy of a workspace costs: to make it, to merge it, to bring news into it.

    python -m benchmarks.areas

The peer is ``cp -r`` of the same folder, which keeps no record of what it copied and merges nothing.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.mounts import Bench
from benchmarks.table import Row, print_table

EMPTY_MS = 1.0
ROUNDS = {0: 50, 100: 15, 5_000: 3}
CHANGED = 20
TIMES = 4.0
"""A fork, in copies by ``cp -r``."""


def main() -> None:
    with tempfile.TemporaryDirectory() as where:
        bench = Bench(Path(where))
        for files in ROUNDS:
            _measure(bench, files)
        bench.house.close()


def _measure(bench: Bench, files: int) -> None:
    session, body = bench.session(None)
    mounted, folder = bench.open(session, body), bench.folder(session)
    for number in range(files):
        path = folder / "workspace" / f"d{number % 50}" / f"{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"a line of number {number}\n" * 50)
    took: dict[str, list[float]] = {"cp": [], "fork": [], "merge": [], "refresh": []}
    for number in range(ROUNDS[files]):
        name = f"specialist{number}"
        area = mounted.fork(name)
        copied = ["cp", "-r", str(folder / "workspace"), str(folder / f"peer{number}")]
        took["cp"].append(_ms(lambda words=copied: subprocess.run(words, check=True)))
        took["fork"].append(_ms(area.pull))
        for changed in range(min(files, CHANGED)):
            path = folder / "areas" / name / "workspace" / f"d{changed % 50}" / f"{changed}.py"
            path.write_text(f"a line of {name}\n" * 50)
        took["merge"].append(_ms(lambda name=name: mounted.merge(name)))
        took["refresh"].append(_ms(area.pull))
    _print(files, {what: statistics.median(each) for what, each in took.items()})


def _print(files: int, ms: dict[str, float]) -> None:
    peer = ms["cp"]
    fork = (f"under {EMPTY_MS:.0f} ms", ms["fork"] < EMPTY_MS) if not files else (
        f"at most {TIMES:.0f} × cp -r", ms["fork"] <= TIMES * peer
    )  # fmt: skip
    rows = [
        Row("cp -r (the peer)", f"{peer:.1f} ms"),
        Row("fork", f"{ms['fork']:.2f} ms ({ms['fork'] / peer:.2f} ×)", *fork),
        Row(
            f"merge, {min(files, CHANGED)} files changed",
            f"{ms['merge']:.2f} ms ({ms['merge'] / peer:.2f} ×)",
        ),
        Row("the next turn's refresh", f"{ms['refresh']:.2f} ms ({ms['refresh'] / peer:.2f} ×)"),
    ]
    print_table(f"An area of {files:,} files (median of {ROUNDS[files]})", rows)


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


if __name__ == "__main__":
    main()
