"""Our miner on planted and empty worlds: what it finds, what it makes up, how long it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, fields
from itertools import product
from statistics import median
from typing import Any, TypeAlias

import numpy as np
from benchmarks.mining.truth import Oracle, covers, is_exact
from benchmarks.mining.worlds import NullKind, World, null_world, planted_world

from reverie.mining.conditional import Clause, Result, Rule, mine_rules

__all__ = ["NullScore", "Score", "empty", "machine_seconds", "mine", "planted"]

Seeds: TypeAlias = range


@dataclass
class Times:
    """Seconds of each run: on the wall and of the processor, both of mining alone; of a fixed piece of work."""

    wall: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    yardstick: list[float] = field(default_factory=list[float])

    def mined(self, world: World, guarded: bool) -> Result:
        self.yardstick.append(machine_seconds())
        wall, cpu = time.perf_counter(), time.process_time()
        result = mine(world, guarded)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        return result


@dataclass
class Score(Times):
    """Sums over planted worlds.

    ``exact``, ``named`` (exactly, but as a condition listed in another's place) and ``loose`` (thresholds within
    10 % of the rows) count claimable causes only; ``beyond`` are exact findings of causes that were not
    claimable (a fitted threshold may be luckier than the true one).
    """

    worlds: int = 0
    causes: int = 0
    claimable: int = 0
    exact: int = 0
    named: int = 0
    loose: int = 0
    beyond: int = 0
    told: int = 0
    findings: int = 0
    stray: int = 0
    pointed_at: int = 0

    @property
    def share(self) -> float:
        """Causes found exactly, of those a perfect test at the true thresholds could claim."""
        return self.exact / max(1, self.claimable)

    @property
    def ceiling(self) -> float:
        """The same for an estimator that is told everything but the thresholds."""
        return self.told / max(1, self.claimable)

    @property
    def per_cause(self) -> float:
        """Findings per planted cause that a finding points at (half of its rows lie in the cause)."""
        return self.findings / max(1, self.pointed_at)

    def add(self, world: World, result: Result, guarded: bool) -> None:
        oracle = Oracle.of(world, guarded)
        claimable = oracle.claimable()
        exact, loose = (_found(world, result, tolerance) for tolerance in (0.02, 0.1))
        named = _found(world, result, 0.02, instead=True)
        pointed = [covers(world, rule.clauses) for rule in result.rules]
        self.worlds += 1
        self.causes += len(world.causes)
        self.claimable += len(claimable)
        self.exact += len(exact & claimable)
        self.named += len(named & claimable)
        self.beyond += len(exact - claimable)
        self.loose += len(loose & claimable)
        self.told += sum(oracle.told(i) for i in claimable)
        self.findings += len(result.rules)
        self.stray += pointed.count(None)
        self.pointed_at += len(set(pointed) - {None})


def _found(world: World, result: Result, tolerance: float, instead: bool = False) -> set[int]:
    """Numbers of the causes that some rule names; ``instead``: or lists as what the data cannot tell from it."""
    told = [ways(rule) if instead else [rule.clauses] for rule in result.rules]
    return {
        i
        for i, cause in enumerate(world.causes)
        if any(is_exact(world, cause, clauses, tolerance) for rule in told for clauses in rule)
    }


def ways(rule: Rule) -> list[tuple[Clause, ...]]:
    """The rule, and the same with conditions exchanged for those that it lists in their place."""
    return list(product(*((clause, *clause.instead) for clause in rule.clauses)))


@dataclass
class NullScore(Times):
    """Sums over worlds in which nothing is to be found."""

    worlds: int = 0
    with_claims: int = 0
    claims: int = 0


def mine(world: World, guarded: bool) -> Result:
    if guarded:
        return mine_rules(world.table, world.target, users=world.users, times=world.times)
    return mine_rules(world.table, world.target)


def planted(rows: int, seeds: Seeds, guarded: bool = True) -> Score:
    score = Score()
    for seed in seeds:
        world = planted_world(rows, seed)
        score.add(world, score.mined(world, guarded), guarded)
    return score


def empty(rows: int, seeds: Seeds, kind: NullKind, guarded: bool = True) -> NullScore:
    score = NullScore()
    for seed in seeds:
        result = score.mined(null_world(rows, seed, kind), guarded)
        score.worlds += 1
        score.with_claims += bool(result.rules)
        score.claims += len(result.rules)
    return score


def machine_seconds() -> float:
    """Wall seconds of a fixed piece of work of the miner's kind (sorting, counting, logarithms) on one core.

    About 0.04 on an idle core of 2023; more where the machine is slow or shared. It is measured next to every
    run, so that a time may be read as a multiple of it.
    """
    dice = np.random.default_rng(0)
    values, cells = dice.random(100_000), dice.integers(0, 64, 100_000)
    start = time.perf_counter()
    for _ in range(4):
        np.argsort(values)
        for _ in range(10):
            np.bincount(cells, values, 64)
            np.log(values)
    return time.perf_counter() - start


def as_data(score: Score | NullScore) -> dict[str, Any]:
    return {f.name: getattr(score, f.name) for f in fields(score)}


def middle(values: list[float]) -> float:
    return median(values) if values else 0.0
