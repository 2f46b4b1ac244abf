"""Sessions in which nothing helps: what all miners of choices, steps and remedies claim there is false.

    python -m benchmarks.mining.sessions [--worlds N] [--first SEED]

Agents of six users work on four kinds of tasks with five tools. They choose arguments, leave steps out, try this and
that after an error; calls fail aloud, sessions fail in silence, and none of it depends on anything that they did. What
differs from kind to kind of world is what else it depends on. Printed: worlds with any claim, beside what is promised:
5 % for circumstances and choices together, over all that was asked; of workarounds and workflows 5 % of what they claim,
which is as much where nothing is true. A session's failure after an error is an outcome like any other.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import comb
from typing import Final

from benchmarks.table import Row, print_table

from reverie.domain.events import Scalar
from reverie.domain.findings import Finding
from reverie.domain.memories import Memory, content_sha256
from reverie.domain.observations import Call, Failure, Observation, Span
from reverie.mining.conditional.miner import ConditionalPatterns
from reverie.mining.workarounds import Workarounds
from reverie.mining.workflows import ConvergingWorkflows
from reverie.plugins import Corpus, Miner

__all__ = ["KINDS", "claims_in", "null_sessions"]

START: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)
SESSIONS: Final = 300
USERS: Final = 6
TASKS: Final = ("deed", "brief", "notice", "opinion")
STEPS: Final = ("look_up", "draft", "check", "convert", "file")
CHOICES: Final[dict[str, tuple[str, tuple[Scalar, ...]]]] = {
    "look_up": ("depth", (1, 2, 3, 5, 8)),
    "draft": ("style", ("plain", "formal", "brief")),
    "convert": ("keep_tables", (True, False)),
    "file": ("route", ("portal", "courier", "desk")),
}
LIMIT: Final = 0.05


@dataclass(frozen=True)
class Facts:
    """What one session is like, before anything happened in it. ``late`` is 0 to 1 through the world."""

    user: int
    task: int
    late: float
    remembers: bool
    seed: int


@dataclass(frozen=True)
class Kind:
    """``fails``: the chance that a session fails (a call fails aloud at a third of it). ``habit``: whose habits decide
    between values and steps: the sessions' own (None), or those with the same number."""

    words: str
    fails: Callable[[Facts], float]
    habit: Callable[[Facts], int | None]
    memory: bool = False


KINDS: Final[dict[str, Kind]] = {
    "independent": Kind("sessions independent", lambda _: 0.4, lambda _: None),
    "users": Kind(
        "users fail at rates of their own, and have habits of their own",
        lambda f: 0.15 + 0.12 * f.user,
        lambda f: f.user,
    ),
    "tasks": Kind(
        "tasks are unequally hard, and done differently", lambda f: 0.1 + 0.22 * f.task, lambda f: 10 + f.task
    ),
    "drift": Kind(
        "rate, agent versions and habits drift together",
        lambda f: 0.7 - 0.5 * f.late,
        lambda f: 20 + int(4 * f.late),
    ),
    "memory": Kind(
        "memory comes, helps, brings a new agent version and other habits",
        lambda f: 0.2 if f.remembers else 0.75,
        lambda f: 30 + f.remembers,
        memory=True,
    ),
}


def null_sessions(kind: str, seed: int, sessions: int = SESSIONS) -> Corpus:
    """A world of one kind: no choice, step, remedy or circumstance makes a difference beyond what ``Kind`` says."""
    draw = random.Random(f"{kind} {seed}")
    told = [_session(KINDS[kind], number, sessions, seed, draw) for number in range(sessions)]
    memories = [_memory(told[sessions // 2])] if KINDS[kind].memory else []
    return Corpus(sorted(told, key=lambda o: o.session_id), memories)


def _memory(first: Observation) -> Memory:
    """What came just before the first session that had it."""
    assert first.started_at is not None
    at, text = first.started_at - timedelta(minutes=1), "# Be careful\n\nLook twice."
    return Memory("mem_1", "memstore_1", "/notes/care.md", text, content_sha256(text), "memver_1", 1, at, at)


def _session(kind: Kind, number: int, sessions: int, seed: int, draw: random.Random) -> Observation:
    late = number / sessions
    facts = Facts(draw.randrange(USERS), draw.randrange(len(TASKS)), late, kind.memory and late >= 0.5, seed)
    started = START + timedelta(hours=number, minutes=draw.randrange(50))
    version = "2" if facts.remembers else str(1 + int(3 * late)) if "drift" in kind.words else "1"
    hour, days = started.hour, ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    failed = draw.random() < kind.fails(facts)
    found = Observation(
        session_id=f"sesn_{number:05}", content_sha256=f"{number:064}", format="native", agent=f"agent {facts.user % 2}",
        model="m", user=f"user {facts.user}", repository=None, task=TASKS[facts.task], cluster=None,
        day=started.date().isoformat(), started_at=started, ended_at=started + timedelta(minutes=9),
        outcome="failure" if failed else "success", score=None,
        attributes={"agent_version": version, "hour": hour, "weekday": days[started.weekday()]},
        consequences={}, memory="read" if facts.remembers else None,
    )  # fmt: skip
    return replace(found, calls=tuple(_calls(kind, facts, started, number, draw)))


def _calls(kind: Kind, facts: Facts, started: datetime, number: int, draw: random.Random) -> Iterator[Call]:
    """Some of the steps, mostly in their order; after an error this or that is tried once or twice."""
    whose = kind.habit(facts)
    habits = draw if whose is None else random.Random(f"habit {facts.seed} {whose}")
    usual = {tool: habits.choice(values) for tool, (_, values) in CHOICES.items()}
    likely = {tool: 0.55 + 0.4 * habits.random() for tool in STEPS}
    given: dict[str, Scalar] = {
        "size_mb": round(draw.lognormvariate(3, 1), 1),
        "court": draw.choice(("A", "B", "C")),
    }
    steps = [tool for tool in STEPS if draw.random() < likely[tool]] or ["file"]
    if draw.random() < 0.3:
        draw.shuffle(steps)
    at = 0
    for tool in steps:
        value = usual[tool] if tool in usual and draw.random() < 0.6 else None
        for _ in range(3):
            bad = draw.random() < kind.fails(facts) / 3
            yield _call(tool, value, given, bad, number, at, started, draw)
            at += 1
            if not bad or draw.random() < 0.3:
                break
            value = None if draw.random() < 0.6 else value
            if draw.random() < 0.3:
                yield _call(draw.choice(STEPS), None, given, False, number, at, started, draw)
                at += 1


def _call(
    tool: str, value: Scalar, given: dict[str, Scalar], bad: bool, number: int, at: int, started: datetime,
    draw: random.Random,
) -> Call:  # fmt: skip
    chosen: dict[str, Scalar] = {}
    if tool in CHOICES:
        name, values = CHOICES[tool]
        chosen[name] = draw.choice(values) if value is None else value
    arguments = given | chosen if tool in ("convert", "file") else chosen
    span = Span(f"sevt_{number}_{at}", 2 * at, "/input", 0, 5)
    told = f"busy {tool}" if at % 2 else f"not now {tool}"
    failure = Failure(told, told, replace(span, path="/content/0/text", seq=2 * at + 1), False, "tool")
    signature = repr((tool, sorted((k, str(v)) for k, v in arguments.items())))
    return Call(
        2 * at, span.event_id, f"{span.event_id}r", "main", 1, started + timedelta(seconds=5 * at, microseconds=number + 1),
        tool, tool, signature, span, arguments, failure if bad else None, own=tuple(chosen),
    )  # fmt: skip


MINERS: Final[Sequence[Callable[[], Miner]]] = (ConditionalPatterns, Workarounds, ConvergingWorkflows)


def claims_in(corpus: Corpus) -> dict[str, list[Finding]]:
    """By miner, what is advised or warned of: no explained differences, and no mere error."""
    found: dict[str, list[Finding]] = {}
    for make in MINERS:
        miner = make()
        told = [f for f in miner.mine(corpus) if isinstance(f, Finding)]
        found[miner.name] = [f for f in told if f.nature in ("behaviour", "situation")]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mining.sessions", description=__doc__)
    parser.add_argument("--worlds", type=int, default=40, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    asked = parser.parse_args()
    rows: list[Row] = []
    for kind in asked.kinds:
        fooled, total = Counter[str](), Counter[str]()
        for seed in range(asked.first, asked.first + asked.worlds):
            for miner, told in claims_in(null_sessions(kind, seed)).items():
                fooled[miner] += bool(told)
                total[miner] += len(told)
                for finding in told:
                    print(f"  {kind} {seed}: {finding.claim[:160]}", flush=True)
        rows += [
            _row(KINDS[kind].words, name, fooled[name], asked.worlds) for name in (m().name for m in MINERS)
        ]
    print_table(f"{SESSIONS} sessions in which nothing helps: worlds with any claim", rows)


def _row(words: str, miner: str, fooled: int, worlds: int) -> Row:
    """Held unless so many worlds would be luck of less than one in a hundred at the promised rate."""
    luck = sum(comb(worlds, k) * LIMIT**k * (1 - LIMIT) ** (worlds - k) for k in range(fooled, worlds + 1))
    return Row(f"{miner}: {words}", f"{fooled} of {worlds}", f"≤ {LIMIT:.0%}", luck >= 0.01)


if __name__ == "__main__":
    main()
