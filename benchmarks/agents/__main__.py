"""An agent's step: what one costs here and at our peers, what it leaves on the disk, and how soon work begins.

    python -m benchmarks.agents [--quick] [--rounds 5] [--steps 50] [--peers FOLDER]

One agent of fifty steps, each a model request and a call of a Python function, through ``reverie.Agent``: the
arguments validated, every event durable, tokens and cost counted, spans in the log. The model answers at once, so
that the rest is the product. Every measurement is a process of its own; ours and the peers' take turns, and the
ratio of a round is to the peer's run of that round, since the machine may be shared: the median of the ratios
counts. FULL flushes each commit to the disk (our only setting), NORMAL does not (theirs, where they say).

The peers are installed into FOLDER (by default the user's cache) the first time. ``--quick`` leaves them out.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from benchmarks.table import Row, print_table

Found: TypeAlias = Mapping[str, float]
HERE: Final = Path(__file__).parent
LONG: Final = 499  # with the last answer 500 requests: the most there are without a word from a person
SESSIONS: Final = 1_000
PEAK_MB: Final = 150.0
DISK: Final = 2_048.0
GROWTH: Final = 1.5
READY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Peer:
    """``packages`` whose versions are told; ``goals``: how many of its steps a second ours are to be, by level."""

    name: str
    packages: Sequence[str]
    goals: Mapping[str, float]
    environment: str = "many"


GRAPH: Final = ("langgraph", "langgraph-checkpoint-sqlite")
PEERS: Final[Mapping[str, Peer]] = {
    "langgraph": Peer("LangGraph, AsyncSqliteSaver", GRAPH, {"FULL": 3.0, "NORMAL": 7.0}),
    "langgraph-threads": Peer("LangGraph, SqliteSaver, no event loop", GRAPH, {"FULL": 3.0, "NORMAL": 7.0}),
    "pydantic-ai-dbos": Peer(
        "pydantic-ai + DBOS", ("pydantic-ai-slim", "dbos"), {"FULL": 4.0, "NORMAL": 4.0}
    ),
    "openai-agents": Peer("OpenAI Agents, SQLiteSession", ("openai-agents",), {}),
    "google-adk": Peer("Google ADK, SQLite", ("google-adk",), {}, "google"),
    "langgraph-memory": Peer("LangGraph, nothing kept", ("langgraph",), {}),
}


def ran(command: Callable[[Path], Sequence[str]]) -> Found:
    """What a process tells that has a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return told(command(Path(folder)))


def told(command: Sequence[str]) -> Found:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def ours(what: str, path: Path, *more: object) -> list[str]:
    return [sys.executable, "-m", "benchmarks.agents.ours", what, str(path), *map(str, more)]


def our_steps(count: int, level: str) -> Found:
    return ran(lambda folder: ours("steps", folder / "reverie.db", count, level))


def peer_steps(home: Path, key: str, count: int, level: str) -> Found:
    python = str(home / PEERS[key].environment / "bin" / "python")
    worker = str(HERE / "peer_worker.py")
    return ran(lambda folder: [python, "-W", "ignore", worker, key, str(folder), str(count), level])


# ---------------------------------------------------------------------- ours alone


def middle(found: Sequence[Found], what: str) -> float:
    return statistics.median(each[what] for each in found)


def alone(rounds: int, count: int) -> list[Row]:
    """Speed, growth, disk and memory."""
    short = [our_steps(count, "FULL") for _ in range(rounds)]
    long = [our_steps(LONG, "FULL") for _ in range(rounds)]
    rows = [Row(f"steps a second, {count} steps, FULL", speed(short, count))]
    growth = statistics.median(
        (b["cpu"] / LONG) / (a["cpu"] / count) for a, b in zip(short, long, strict=True)
    )
    what = f"processor time of a step at {LONG} steps, to that at {count}"
    rows.append(Row(what, f"{growth:.2f}×", f"≤ {GROWTH:g}×", growth <= GROWTH))
    grown = middle(long, "bytes") - middle(short, "bytes")
    disk = (grown - middle(long, "payload") + middle(short, "payload")) / (LONG - count)
    rows.append(Row("disk a step beyond the payload", f"{disk:,.0f} B", f"≤ {DISK:,.0f} B", disk <= DISK))
    peak = max(each["peak_mb"] for each in (*short, *long))
    rows.append(Row("peak memory of the process", f"{peak:.0f} MB", f"≤ {PEAK_MB:g} MB", peak <= PEAK_MB))
    return rows


def speed(found: Sequence[Found], count: int) -> str:
    wall, cpu = (count / middle(found, "wall")), middle(found, "cpu") / count * 1e6
    return f"{wall:,.0f} ({cpu:,.0f} µs of a processor each)"


def beginnings() -> list[Row]:
    """From a word to the model, and from a restart to work."""
    found = ran(lambda folder: ours("wake", folder / "reverie.db"))
    delay = f"{found['median']:.1f} ms (p95 {found['p95']:.1f} ms)"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "reverie.db")
        subprocess.run(ours("leave", path, SESSIONS), check=True)
        again = told(ours("restart", path))
    ready, settled = again["ready"], again["settled"]
    what = f"{SESSIONS:,} open sessions after a kill: all can be used"
    late = f"the {again['worked']:.0f} of them that were left at work, or with input, have settled"
    return [
        Row("from a word to the model's request, session at rest", delay),
        Row(what, f"{ready:.2f} s", f"≤ {READY_S:g} s", ready <= READY_S),
        Row(late, f"{settled:.2f} s", f"≤ {READY_S:g} s", settled <= READY_S),
    ]


# ---------------------------------------------------------------------- beside the peers


def installed(home: Path) -> Path:
    """The peers' environments, made if need be."""
    if not (home / "installed").exists():
        subprocess.run([str(HERE / "install_peers.sh"), str(home)], check=True)
    return home


def versions(home: Path, peer: Peer) -> str:
    """The versions of its packages."""
    ask = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    command = [str(home / peer.environment / "bin" / "python"), "-c", ask, *peer.packages]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def beside(home: Path, level: str, rounds: int, count: int) -> list[Row]:
    """Ours and theirs in turns."""
    mine: list[Found] = []
    theirs: dict[str, list[Found]] = {key: [] for key in PEERS}
    for _ in range(rounds):
        mine.append(our_steps(count, level))
        for key, found in theirs.items():
            found.append(peer_steps(home, key, count, level))
    rows = [Row(f"Reverie, {level}", f"{speed(mine, count)}, {middle(mine, 'peak_mb'):.0f} MB")]
    return rows + [compared(home, PEERS[key], level, mine, found, count) for key, found in theirs.items()]


def compared(
    home: Path, peer: Peer, level: str, mine: Sequence[Found], found: Sequence[Found], count: int
) -> Row:
    ratio = statistics.median(b["wall"] / a["wall"] for a, b in zip(mine, found, strict=True))
    work = statistics.median(b["cpu"] / a["cpu"] for a, b in zip(mine, found, strict=True))
    goal = peer.goals.get(level)
    figure = (
        f"{speed(found, count)}, {middle(found, 'peak_mb'):.0f} MB; "
        f"ours are {ratio:.1f}× as many a second, for 1/{work:.1f} of the processor time"
    )
    limit, holds = ("", None) if goal is None else (f"ours ≥ {goal:g}×", ratio >= goal)
    return Row(f"{peer.name} ({versions(home, peer)}), {level}", figure, limit, holds)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agents", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without peers, one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument("--peers", type=Path, default=cache / "reverie-benchmarks" / "agents")
    asked: Any = parser.parse_args()
    rounds = 1 if asked.quick else asked.rounds
    print_table(f"An agent ({os.cpu_count()} cores)", [*alone(rounds, asked.steps), *beginnings()])
    if not asked.quick:
        home = installed(asked.peers)
        for level in ("FULL", "NORMAL"):
            title = f"{asked.steps} steps, beside peers, synchronous={level}: steps a second"
            print_table(title, beside(home, level, rounds, asked.steps))


if __name__ == "__main__":
    main()
