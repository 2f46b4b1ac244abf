"""Workflows: are planted ones found, and is nothing claimed where there is nothing?

    python -m benchmarks.workflows            the tables, in a quarter of an hour
    python -m benchmarks.workflows --quick    fewer worlds, none of 10,000 sessions without anything to find

A world has six task types with base rates of their own, 24 users, four agents and sessions of about 20
calls of 40 actions. Four workflows of two to four steps, spread over the session among other calls, raise
success by 35 points; four decoys of the same lengths are inserted just as often and do nothing.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from benchmarks.table import Row, print_table
from reverie.domain.findings import Finding
from reverie.domain.observations import Call, Observation, Span
from reverie.mining.statistics import exact_p
from reverie.mining.workflows import ConvergingWorkflows
from reverie.mining.workflows.outcomes import Outcomes
from reverie.mining.workflows.search import search
from reverie.mining.workflows.sequences import encode
from reverie.plugins import Corpus

__all__ = ["NULLS", "Flow", "World", "main", "null_world", "planted_world"]

ACTIONS = tuple(f"step_{i:02d}" for i in range(40))
TASKS, USERS, AGENTS, CALLS = 6, 24, 4, 20
SHARE, LIFT = 0.08, 0.35
FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)

Flow = tuple[str, ...]


@dataclass
class World:
    """Sessions, and what was planted in them."""

    observations: list[Observation]
    planted: list[Flow] = field(default_factory=list)
    decoys: list[Flow] = field(default_factory=list)

    @property
    def corpus(self) -> Corpus:
        return Corpus(self.observations)


@dataclass
class _Draft:
    """One session in the making."""

    number: int
    task: int
    user: int
    actions: list[str]
    chance: float
    success: bool | None = None


def planted_world(sessions: int, seed: int) -> World:
    """Four workflows that help, four decoys that do not."""
    rng = random.Random(seed)
    flows = _flows(rng, 8)
    drafts = _drafts(rng, sessions)
    for draft in drafts:
        if rng.random() < SHARE * len(flows):
            which = rng.randrange(len(flows))
            _insert(rng, draft, flows[which])
            draft.chance += LIFT * (which < 4)
        draft.success = rng.random() < min(0.97, draft.chance)
    return World([_observation(d, sessions) for d in drafts], flows[:4], flows[4:])


def _flows(rng: random.Random, count: int) -> list[Flow]:
    """Workflows of two to four steps, half of them of three; no two share an ordered pair."""
    flows: list[Flow] = []
    taken: set[tuple[str, str]] = set()
    while len(flows) < count:
        flow = tuple(rng.sample(ACTIONS, rng.choice((2, 3, 3, 4))))
        pairs = {(a, b) for i, a in enumerate(flow) for b in flow[i + 1 :]}
        if not pairs & (taken | {(b, a) for a, b in taken}):
            flows.append(flow)
            taken |= pairs
    return flows


def _drafts(rng: random.Random, sessions: int) -> list[_Draft]:
    rates = [rng.uniform(0.25, 0.65) for _ in range(TASKS)]
    common = [1 / (2 + i) ** 0.5 for i in range(len(ACTIONS))]
    rng.shuffle(common)
    drafts: list[_Draft] = []
    for number in range(sessions):
        task = rng.randrange(TASKS)
        actions = rng.choices(ACTIONS, common, k=rng.randint(CALLS - 6, CALLS))
        drafts.append(_Draft(number, task, rng.randrange(USERS), actions, rates[task]))
    return drafts


def _insert(rng: random.Random, draft: _Draft, flow: Flow) -> None:
    """The steps of ``flow``, in order, each at a random place."""
    for shift, (at, action) in enumerate(
        zip(sorted(rng.choices(range(len(draft.actions) + 1), k=len(flow))), flow, strict=True)
    ):
        draft.actions.insert(at + shift, action)


# ---------------------------------------------------------------------- worlds with nothing to find


def _outcomes_shuffled(sessions: int, seed: int) -> World:
    """A planted world whose outcomes are dealt out again."""
    world = planted_world(sessions, seed)
    labels = [o.outcome for o in world.observations]
    random.Random(seed).shuffle(labels)
    return World([replace(o, outcome=label) for o, label in zip(world.observations, labels, strict=True)])


def _orders_shuffled(sessions: int, seed: int) -> World:
    """A planted world with the calls of every session shuffled: the steps still go with success, no order does."""
    rng, world = random.Random(seed), planted_world(sessions, seed)
    return World([_reordered(o, rng) for o in world.observations])


def _lucky_users(sessions: int, seed: int) -> World:
    """Users differ in success and in their habits (each has two workflows of its own); none of it helps."""
    rng = random.Random(seed)
    drafts = _drafts(rng, sessions)
    luck = [rng.gauss(0, 0.2) for _ in range(USERS)]
    habits = [_flows(rng, 2) for _ in range(USERS)]
    for draft in drafts:
        for flow in habits[draft.user]:
            if rng.random() < 0.7:
                _insert(rng, draft, flow)
        draft.success = rng.random() < draft.chance + luck[draft.user]
    return World([_observation(d, sessions) for d in drafts])


def _drifting(sessions: int, seed: int) -> World:
    """Success rises over time, and so does a workflow's fashion: one has nothing to do with the other."""
    rng = random.Random(seed)
    drafts, flows = _drafts(rng, sessions), _flows(rng, 2)
    for draft in drafts:
        progress = draft.number / sessions
        if rng.random() < 0.6 * progress:
            _insert(rng, draft, flows[0])
        if rng.random() < 0.6 * (1 - progress):
            _insert(rng, draft, flows[1])
        draft.success = rng.random() < draft.chance + 0.5 * (progress - 0.5)
    return World([_observation(d, sessions) for d in drafts])


def _given_up(sessions: int, seed: int) -> World:
    """Sessions that fail end early, so whatever takes many steps goes with success, and causes none."""
    rng = random.Random(seed)
    drafts, flows = _drafts(rng, sessions), _flows(rng, 4)
    for draft in drafts:
        if rng.random() < 0.3:
            _insert(rng, draft, rng.choice(flows))
        draft.success = rng.random() < draft.chance
        if not draft.success:
            del draft.actions[rng.randint(3, len(draft.actions)) :]
    return World([_observation(d, sessions) for d in drafts])


def _ungraded_shuffled(sessions: int, seed: int) -> World:
    """No outcomes, and no order."""
    world = _orders_shuffled(sessions, seed)
    return World([replace(o, outcome="unknown") for o in world.observations])


def _ungraded_habits(sessions: int, seed: int) -> World:
    """No outcomes; each user takes the same steps in an order of its own: nobody converged on anything."""
    rng = random.Random(seed)
    drafts = _drafts(rng, sessions)
    steps = [rng.sample(ACTIONS, 4) for _ in range(3)]
    habits = [[tuple(rng.sample(s, len(s))) for s in steps] for _ in range(USERS)]
    for draft in drafts:
        _insert(rng, draft, rng.choice(habits[draft.user]))
    return World([_observation(d, sessions) for d in drafts])


NULLS: dict[str, Callable[[int, int], World]] = {
    "outcomes shuffled": _outcomes_shuffled,
    "orders shuffled": _orders_shuffled,
    "lucky users with habits": _lucky_users,
    "success and fashion drift": _drifting,
    "failures given up early": _given_up,
    "ungraded, orders shuffled": _ungraded_shuffled,
    "ungraded, private habits": _ungraded_habits,
}


def null_world(kind: str, sessions: int, seed: int) -> World:
    """A world of ``NULLS``."""
    return NULLS[kind](sessions, seed)


def ungraded_world(sessions: int, seed: int) -> World:
    """No outcomes; one workflow of four steps that all users came to, and one that is a single user's."""
    rng = random.Random(seed)
    drafts, flows = _drafts(rng, sessions), [tuple(rng.sample(ACTIONS, 4)) for _ in range(2)]
    for draft in drafts:
        if rng.random() < 0.25:
            _insert(rng, draft, flows[0])
        elif draft.user == 0:
            _insert(rng, draft, flows[1])
    return World([_observation(d, sessions) for d in drafts], flows[:1], flows[1:])


# ---------------------------------------------------------------------- sessions


def _observation(draft: _Draft, sessions: int) -> Observation:
    at = FIRST_DAY + timedelta(days=90) * draft.number / sessions
    session_id = f"sesn_{draft.number:07d}"
    return Observation(
        session_id=session_id,
        content_sha256=session_id,
        format="bench",
        agent=f"agent-{draft.number % AGENTS}",
        model="model-1",
        user=f"user-{draft.user:02d}",
        repository=None,
        task=f"task-{draft.task}",
        cluster=None,
        day=at.date().isoformat(),
        started_at=at,
        ended_at=None,
        outcome="unknown" if draft.success is None else "success" if draft.success else "failure",
        score=None,
        attributes={},
        consequences={},
        calls=tuple(_call(session_id, i, action, at) for i, action in enumerate(draft.actions)),
    )


def _call(session_id: str, i: int, action: str, at: datetime) -> Call:
    event = f"{session_id}-{i}"
    return Call(
        seq=i + 1,
        event_id=event,
        result_event_id=f"{event}r",
        thread="",
        turn=1,
        at=at + timedelta(seconds=i),
        tool=action,
        action=action,
        signature=event,
        use=Span(event, i + 1, "/name", 0, len(action)),
        arguments={},
        failure=None,
    )


def _reordered(o: Observation, rng: random.Random) -> Observation:
    actions = [c.action for c in o.calls]
    rng.shuffle(actions)
    assert o.started_at is not None
    return replace(o, calls=tuple(_call(o.session_id, i, a, o.started_at) for i, a in enumerate(actions)))


# ---------------------------------------------------------------------- figures


@dataclass
class Figures:
    """What came of planted worlds."""

    planted: int = 0
    exact: int = 0
    loose: int = 0
    possible: int = 0
    exact_possible: int = 0
    found: int = 0
    decoys: int = 0
    foreign: int = 0
    seconds: list[float] = field(default_factory=list)

    def add(
        self, world: World, findings: Sequence[Finding], seconds: float, possible: Iterable[Flow] = ()
    ) -> None:
        said = [tuple(f.statement["steps"]) for f in findings]
        self.possible += len(could := set(possible))
        self.exact_possible += len(could & {*said})
        self.planted += len(world.planted)
        self.exact += sum(flow in said for flow in world.planted)
        self.loose += sum(any(_part_of(s, flow) for s in said) for flow in world.planted)
        self.found += len(said)
        self.decoys += sum(any(_part_of(s, flow) for flow in world.decoys) for s in said)
        self.foreign += sum(not any(_part_of(s, flow) for flow in world.planted) for s in said)
        self.seconds.append(seconds)


def _part_of(said: Flow, flow: Flow) -> bool:
    """At least two steps of ``flow``, in its order, and nothing else."""
    rest = iter(flow)
    return len(said) >= 2 and all(step in rest for step in said)


def mined(world: World) -> tuple[list[Finding], float]:
    began = time.perf_counter()
    findings = list(ConvergingWorkflows().mine(world.corpus))
    return findings, time.perf_counter() - began


def measured(worlds: Iterable[World], possible: Callable[[World], Iterable[Flow]] | None = None) -> Figures:
    figures = Figures()
    for world in worlds:
        figures.add(world, *mined(world), () if possible is None else possible(world))
    return figures


def claimable(world: World) -> set[Flow]:
    """The planted workflows a test that is told them could claim, at the level of all that is searched."""
    least = max(5, math.ceil(0.01 * len(world.observations)))
    sequences = encode(world.observations, least)
    outcomes = Outcomes(sequences.sessions, np.array([len(s) for s in sequences.steps]))
    tested = search(sequences, least, outcomes).tested
    claims: set[Flow] = set()
    for flow in world.planted:
        having = np.zeros(len(sequences.sessions), dtype=bool)
        having[sequences.members([sequences.actions.index(step) for step in flow])] = True
        p = exact_p(outcomes.tables(having, outcomes.known), alternative="greater")
        if p * 8 * tested.get((True, len(flow)), 1) <= 0.05:
            claims.add(flow)
    return claims


def _planted_rows(sessions: int, worlds: int) -> tuple[list[Row], float]:
    f = measured((planted_world(sessions, seed) for seed in range(worlds)), claimable)
    name = f"{sessions:,} sessions, {worlds} worlds of 4 planted and 4 decoys"
    exact, loose, each = f.exact / f.planted, f.loose / f.planted, f.found / max(1, f.loose)
    large = sessions >= 10_000
    return [
        Row(
            f"{name}: found exactly",
            f"{exact:.2f}",
            "≥ 0.90" if large else "",
            exact >= 0.9 if large else None,
        ),
        Row(
            f"found exactly, of the {f.possible} that a test could claim that is told the planted ones",
            f"{f.exact_possible / max(1, f.possible):.2f}",
            "≥ 0.90",
            f.exact_possible >= 0.9 * f.possible,
        ),
        Row(
            "found exactly or in part",
            f"{loose:.2f}",
            "≥ 0.90" if large else "",
            loose >= 0.9 if large else None,
        ),
        Row("findings a workflow found", f"{each:.2f}", "≤ 1.1", each <= 1.1),
        Row("decoys reported", str(f.decoys), "0", f.decoys == 0),
        Row("findings that are no part of a planted one", str(f.foreign)),
        Row("time, the median", f"{sorted(f.seconds)[worlds // 2]:.2f} s"),
    ], sorted(f.seconds)[worlds // 2]


def planted_rows(quick: bool) -> list[Row]:
    """How much of what was planted is found, and how the time grows."""
    small, short = _planted_rows(1_000, 8 if quick else 20)
    large, long = _planted_rows(10_000, 1 if quick else 4)
    growth = math.log10(long / short)
    f = measured(ungraded_world(600, seed) for seed in range(5 if quick else 20))
    return [
        *small,
        *large,
        Row("growth from 1,000 to 10,000: n to the power of", f"{growth:.2f}"),
        Row("600 sessions nobody graded: the converged one found exactly", f"{f.exact / f.planted:.2f}"),
        Row("found exactly or in part", f"{f.loose / f.planted:.2f}", "≥ 0.90", f.loose >= 0.9 * f.planted),
        Row("one user's own order, or anything else, told as converged", str(f.foreign), "0", f.foreign == 0),
    ]


def null_rows(quick: bool) -> list[Row]:
    """Worlds with any claim, of worlds with nothing to find."""
    rows: list[Row] = []
    for kind in NULLS:
        for sessions, worlds in ((1_000, 20), *(() if quick else ((10_000, 5),))):
            claims = sum(bool(mined(null_world(kind, sessions, seed))[0]) for seed in range(worlds))
            rows.append(
                Row(
                    f"{kind}, {sessions:,} sessions",
                    f"{claims} of {worlds}",
                    "≤ 5 %",
                    claims <= 0.05 * worlds,
                )
            )
    return rows


def main(arguments: Sequence[str] = ()) -> None:
    quick = "--quick" in arguments
    print_table("Converging workflows: planted", planted_rows(quick))
    print_table("Converging workflows: worlds with nothing to find, with any claim", null_rows(quick))


if __name__ == "__main__":
    main(sys.argv[1:])
