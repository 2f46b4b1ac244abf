"""Our miner on planted and empty worlds: what it finds, what it makes up, how long it takes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.mining.truth import Oracle, covers, is_exact
from benchmarks.mining.worlds import NullKind, World, null_world, planted_world

from reverie.mining.conditional import Result, mine_rules

__all__ = ["NullScore", "Score", "empty", "mine", "planted"]


@dataclass
class Score:
    """Sums over worlds."""

    worlds: int = 0
    causes: int = 0
    claimable: int = 0
    exact: int = 0
    loose: int = 0
    told: int = 0
    findings: int = 0
    stray: int = 0
    pointed_at: int = 0
    seconds: float = 0.0

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


def mine(world: World, guarded: bool) -> tuple[Result, float]:
    """The result and the seconds it took."""
    start = time.perf_counter()
    if guarded:
        result = mine_rules(world.table, world.target, users=world.users, times=world.times)
    else:
        result = mine_rules(world.table, world.target)
    return result, time.perf_counter() - start


def planted(rows: int, seeds: range, guarded: bool = True) -> Score:
    score = Score()
    for seed in seeds:
        world = planted_world(rows, seed)
        result, seconds = mine(world, guarded)
        oracle = Oracle.of(world, guarded)
        claimable = oracle.claimable()
        score.worlds += 1
        score.causes += len(world.causes)
        score.claimable += len(claimable)
        score.told += sum(oracle.told(i) for i in claimable)
        score.exact += sum(
            any(is_exact(world, c, rule.clauses) for rule in result.rules) for c in world.causes
        )
        score.loose += sum(
            any(is_exact(world, c, rule.clauses, 0.1) for rule in result.rules) for c in world.causes
        )
        score.findings += len(result.rules)
        pointed = [covers(world, rule.clauses) for rule in result.rules]
        score.stray += pointed.count(None)
        score.pointed_at += len(set(pointed) - {None})
        score.seconds += seconds
    return score


@dataclass
class NullScore:
    worlds: int = 0
    with_claims: int = 0
    claims: int = 0
    seconds: float = 0.0


def empty(rows: int, seeds: range, kind: NullKind, guarded: bool = True) -> NullScore:
    score = NullScore()
    for seed in seeds:
        result, seconds = mine(null_world(rows, seed, kind), guarded)
        score.worlds += 1
        score.with_claims += bool(result.rules)
        score.claims += len(result.rules)
        score.seconds += seconds
    return score
