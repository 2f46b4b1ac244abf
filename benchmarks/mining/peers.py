"""The peers on the same tables: each in a process of its own, with a limit of processor time."""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from benchmarks.mining.truth import covers, is_exact
from benchmarks.mining.worlds import World, null_world, planted_world

from reverie.mining.conditional import Bound, Clause, mine_rules

__all__ = ["NAMES", "PeerScore", "measured", "ours"]

Rule: TypeAlias = tuple[Clause, ...]
NAMES = (
    "sklearn tree",
    "random-forest rules",
    "imodels skope-rules",
    "imodels RuleFit",
    "wittgenstein RIPPER",
    "pysubgroup beam",
    "mlxtend fpgrowth",
    "sliceline",
)
STOPPED = (signal.SIGXCPU, signal.SIGKILL)
"""What ends a process at its limit of processor time."""
WORKER = Path(__file__).with_name("peer_worker.py")


@dataclass
class PeerScore:
    """Sums over planted and empty worlds; ``gave_up`` counts runs over the time limit or failed."""

    planted_worlds: int = 0
    causes: int = 0
    exact: int = 0
    findings: int = 0
    stray: int = 0
    empty_worlds: int = 0
    fooled: int = 0
    seconds: float = 0.0
    runs: int = 0
    gave_up: int = 0
    why: str = ""


def measured(python: str, name: str, rows: int, seeds: range, limit: int) -> PeerScore:
    """One peer on planted worlds and on empty ones (users who differ)."""
    return _scored(rows, seeds, lambda world, score: _run(python, name, world, limit, score))


def ours(rows: int, seeds: range) -> PeerScore:
    """Our own miner on the same tables, with what it knows of users and times."""

    def run(world: World, score: PeerScore) -> list[Rule]:
        start = time.process_time()
        result = mine_rules(world.table, world.target, users=world.users, times=world.times)
        score.runs += 1
        score.seconds += time.process_time() - start
        return [rule.clauses for rule in result.rules]

    return _scored(rows, seeds, run)


def _scored(rows: int, seeds: range, run: Callable[[World, PeerScore], list[Rule] | None]) -> PeerScore:
    score = PeerScore()
    for seed in seeds:
        world = planted_world(rows, seed)
        rules = run(world, score)
        if rules is not None:
            score.planted_worlds += 1
            score.causes += len(world.causes)
            score.exact += sum(any(is_exact(world, c, rule) for rule in rules) for c in world.causes)
            score.findings += len(rules)
            score.stray += sum(covers(world, rule) is None for rule in rules)
        rules = run(null_world(rows, seed, "clustered"), score)
        if rules is not None:
            score.empty_worlds += 1
            score.fooled += bool(rules)
    return score


def _run(python: str, name: str, world: World, limit: int, score: PeerScore) -> list[Rule] | None:
    score.runs += 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.npz"
        np.savez(path, __target__=world.target, **_arrays(world))
        command = [python, str(WORKER), name, str(path), str(limit)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        score.gave_up += 1
        score.why = f"over {limit} s" if -done.returncode in STOPPED else _last_line(done.stderr)
        return None
    found = json.loads(done.stdout.splitlines()[-1])
    score.seconds += float(found["seconds"])
    return [_clauses(world, rule) for rule in found["rules"]]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["killed"])[-1][:80]


def _arrays(world: World) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for column in world.table.columns:
        if column.kind == "category":
            arrays[column.name] = np.array([*map(str, column.labels), ""])[column.values]
        else:
            arrays[column.name] = column.values
    return arrays


def _clauses(world: World, rule: list[list[Any]]) -> tuple[Clause, ...]:
    kinds = {column.name: column.kind for column in world.table.columns}
    return tuple(
        Clause(name, kinds[name], label, _bound(low), _bound(high))
        for name, label, low, high in rule
        if name in kinds
    )


def _bound(value: float | None) -> Bound | None:
    return None if value is None else Bound(value, value, value)
