"""A team: what it costs here and at a peer, and what a delegation and an item of a map add.

    python -m benchmarks.teams [--quick] [--rounds 5] [--peers FOLDER]

A lead hands out 20 tasks, 20 specialists work side by side with five calls of a Python function each, the lead
puts together what they found. The models answer at once, so that the rest is the product: every event durable
(SQLite flushes each commit), arguments validated, tokens and cost counted, messages and spans in the log. Every
measurement is a process of its own; ours and the peer's take turns, and a ratio is to the peer's run of the same
round, since the machine may be shared: the median of the ratios counts.

The peer is installed into FOLDER (by default the user's cache) the first time. ``--quick`` leaves it out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.table import Row, print_table

Found: TypeAlias = Mapping[str, float]
HERE: Final = Path(__file__).parent
SPECIALISTS: Final = 20
STEPS: Final = 5
BUILDS: Final = 1_000
PEAK_MB: Final = 150.0
BEGIN_MS: Final = 10.0
ITEM_MS: Final = 10.0
GOAL: Final = 3.0
PEERS: Final[Mapping[str, str]] = {
    "langgraph": "LangGraph, AsyncSqliteSaver",
    "langgraph-threads": "LangGraph, SqliteSaver, no event loop",
}


def ran(command: Callable[[Path], Sequence[str]]) -> Found:
    """What a process tells that has a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command(Path(folder)), check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def ours(what: str, *more: int) -> Found:
    command = [sys.executable, "-m", "benchmarks.teams.ours", what]
    return ran(lambda folder: [*command, str(folder / "reverie.db"), *map(str, more)])


def peer(home: Path, key: str) -> Found:
    python = str(home / "langgraph" / "bin" / "python")
    more = [key, str(SPECIALISTS), str(STEPS)]
    worker = str(HERE / "peer_worker.py")
    return ran(lambda folder: [python, "-W", "ignore", worker, more[0], str(folder), *more[1:]])


def middle(found: Sequence[Found], what: str) -> float:
    return statistics.median(each[what] for each in found)


def alone(rounds: int) -> list[Row]:
    """What a delegation and an item add."""
    begun = [ours("begin", SPECIALISTS) for _ in range(rounds)]
    delay = middle(begun, "median")
    what = "from a lead's answer to the request of the specialist that it asks for"
    rows = [Row(what, f"{delay:.1f} ms", f"< {BEGIN_MS:g} ms", delay < BEGIN_MS)]
    mapped = [ours("map", BUILDS, SPECIALISTS) for _ in range(min(rounds, 3))]
    each = middle(mapped, "wall") / BUILDS * 1e3
    work = middle(mapped, "cpu") / BUILDS * 1e3
    figure = f"{each:.1f} ms ({work:.1f} ms of a processor), {middle(mapped, 'peak_mb'):.0f} MB"
    rows.append(
        Row(f"{BUILDS:,} inputs, {SPECIALISTS} at a time: each", figure, f"< {ITEM_MS:g} ms", each < ITEM_MS)
    )
    return rows


def told(found: Sequence[Found]) -> str:
    wall, cpu = middle(found, "wall"), middle(found, "cpu")
    return f"{wall:.2f} s ({cpu:.2f} s of a processor), {middle(found, 'peak_mb'):.0f} MB"


def beside(home: Path | None, rounds: int) -> list[Row]:
    """Ours and theirs in turns."""
    mine: list[Found] = []
    theirs: dict[str, list[Found]] = {key: [] for key in PEERS} if home is not None else {}
    for _ in range(rounds):
        mine.append(ours("team", SPECIALISTS, STEPS))
        for key, found in theirs.items():
            assert home is not None
            found.append(peer(home, key))
    peak = max(each["peak_mb"] for each in mine)
    rows = [Row("Reverie", told(mine), f"≤ {PEAK_MB:g} MB", peak <= PEAK_MB)]
    return rows + [compared(PEERS[key], mine, found) for key, found in theirs.items()]


def compared(name: str, mine: Sequence[Found], found: Sequence[Found]) -> Row:
    ratio = statistics.median(b["wall"] / a["wall"] for a, b in zip(mine, found, strict=True))
    work = statistics.median(b["cpu"] / a["cpu"] for a, b in zip(mine, found, strict=True))
    figure = f"{told(found)}; ours takes 1/{ratio:.1f} of the time, 1/{work:.1f} of the processor's"
    return Row(name, figure, f"ours ≤ 1/{GOAL:g}", ratio >= GOAL)


def installed(home: Path) -> Path:
    """The peer's environment, made if need be."""
    if not (home / "installed").exists():
        subprocess.run([str(HERE / "install_peers.sh"), str(home)], check=True)
    return home


def versions(home: Path) -> str:
    ask = (
        "from importlib.metadata import version as v; print(v('langgraph'), v('langgraph-checkpoint-sqlite'))"
    )
    command = [str(home / "langgraph" / "bin" / "python"), "-c", ask]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.teams", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the peer, one round")
    parser.add_argument("--rounds", type=int, default=5)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument("--peers", type=Path, default=cache / "reverie-benchmarks" / "teams")
    asked: Any = parser.parse_args()
    rounds = 1 if asked.quick else asked.rounds
    home = None if asked.quick else installed(asked.peers)
    print_table(f"A team ({os.cpu_count()} cores)", alone(rounds))
    names = "" if home is None else f", LangGraph {versions(home)}"
    title = f"{SPECIALISTS} specialists of {STEPS} steps, synchronous=FULL{names}"
    print_table(title, beside(home, rounds))


if __name__ == "__main__":
    main()
