"""Workarounds: are planted ones found, and is nothing claimed where nothing helps?

    python -m benchmarks.workarounds            20 worlds of each kind and size, some minutes
    python -m benchmarks.workarounds --quick    only those of 1,000 sessions

A world has twelve tools that fail with an error of their own, 24 users and eight kinds of task. After an error
people try again, call something first, change an argument, or take another tool. For six of the errors one
answer works better than plain retry (by 35 to 60 points); for the other six an answer is just as popular, works
often, and no more often than retry. Beside the miner stands a naive list: whatever was done next and went well
in at least 80 % of at least three sessions.
"""

from __future__ import annotations

import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from benchmarks.table import Row, print_table
from reverie.domain.findings import Finding
from reverie.domain.observations import Call, Failure, Observation, Span
from reverie.mining.responses import RETRY
from reverie.mining.statistics import Table, exact_p
from reverie.mining.templates import mask
from reverie.mining.workarounds import Workarounds
from reverie.plugins import Corpus

__all__ = ["NULLS", "World", "main", "null_world", "planted_world"]

USERS, TASKS, ERRORS, PLANTED = 24, 8, 12, 6
FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)
TEXTS = (
    "gateway {n} rejects the parcel {id}", "the dock {id} is shut", "means of payment refused for order {n}", "quota of {n} calls exceeded",
    "the record {id} is locked by another user", "no route from {id} to the depot", "signature of {path} is missing", "room {n} is taken until {time}",
    "the ledger {id} does not accept entries", "printer {id} is out of paper", "the label {path} cannot be read", "exchange rate of {time} is unknown",
)  # fmt: skip
HOWS = ("instead", "first", "changed")


@dataclass(frozen=True)
class Answer:
    """What is done after an error: ``label`` is what the miner calls it. ``chance`` is that it works."""

    how: str
    label: str
    chance: float
    share: float


@dataclass
class World:
    """Sessions, and what was planted in them: (tool, label of the answer)."""

    observations: list[Observation]
    planted: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class _Event:
    """One error and what was done about it."""

    tool: int
    answer: Answer
    worked: bool
    user: int
    task: int
    number: int


Chance = Callable[[Answer, int, int, float], float]
"""(answer, user, task, progress from 0 to 1) → the chance that it works."""
Share = Callable[[Answer, int, int, float], float]


def planted_world(sessions: int, seed: int) -> World:
    """Six workarounds that help, six answers that are as popular and do not."""
    dice = random.Random(seed)
    answers = _answers(dice, PLANTED)
    luck = [dice.gauss(0, 0.08) for _ in range(USERS)]
    events = _events(
        dice, sessions, answers, lambda a, user, task, progress: a.chance + luck[user], lambda a, *_: a.share
    )
    return World(
        _sessions(events, sessions), {(f"tool_{i}", _best(answers[i]).label) for i in range(PLANTED)}
    )


def _best(answers: Sequence[Answer]) -> Answer:
    return max(answers, key=lambda a: a.chance)


def _answers(dice: random.Random, helpful: int) -> list[list[Answer]]:
    """For each error its answers: plain retry and three others, one of which helps for the first ``helpful``."""
    found: list[list[Answer]] = []
    for tool in range(ERRORS):
        retry = dice.uniform(0.1, 0.45) if tool < helpful else dice.uniform(0.3, 0.9)
        better = min(0.97, retry + dice.uniform(0.35, 0.6)) if tool < helpful else retry
        which = dice.randrange(3)
        others = [
            Answer(how, _label(how, tool), better if i == which else retry, 0.25 if i == which else 0.12)
            for i, how in enumerate(HOWS)
        ]
        found.append([Answer("retry", RETRY, retry, 0.51), *others])
    return found


def _label(how: str, tool: int) -> str:
    return {
        "instead": f"instead:other_{tool}",
        "first": f"first:prepare_{tool}",
        "changed": "changed:mode:plain→careful",
    }[how]


def _events(
    dice: random.Random, sessions: int, answers: Sequence[Sequence[Answer]], chance: Chance, share: Share
) -> list[_Event]:
    events: list[_Event] = []
    for number in range(sessions):
        user, task, progress = dice.randrange(USERS), dice.randrange(TASKS), number / sessions
        for tool in dice.sample(range(ERRORS), dice.choice((0, 1, 1, 2))):
            weights = [share(a, user, task, progress) for a in answers[tool]]
            (answer,) = dice.choices(answers[tool], weights)
            worked = dice.random() < chance(answer, user, task, progress)
            events.append(_Event(tool, answer, worked, user, task, number))
    return events


# ---------------------------------------------------------------------- worlds in which nothing helps


def _alike(sessions: int, seed: int) -> World:
    """A planted world whose results are dealt out again among the answers to each error."""
    dice = random.Random(seed)
    events = _events(dice, sessions, _answers(dice, PLANTED), lambda a, *_: a.chance, lambda a, *_: a.share)
    for tool in range(ERRORS):
        mine = [e for e in events if e.tool == tool]
        for event, worked in zip(mine, dice.sample([e.worked for e in mine], len(mine)), strict=True):
            event.worked = worked
    return World(_sessions(events, sessions))


def _lucky_users(sessions: int, seed: int) -> World:
    """Some users fare better whatever they do, and have answers of their own."""
    dice = random.Random(seed)
    luck = [dice.uniform(0.1, 0.9) for _ in range(USERS)]
    habits = [dice.choice(HOWS) if luck[user] > 0.5 else "retry" for user in range(USERS)]
    events = _events(
        dice, sessions, _answers(dice, 0),
        lambda a, user, task, progress: luck[user], lambda a, user, task, progress: 8.0 if a.how == habits[user] else 1.0,
    )  # fmt: skip
    return World(_sessions(events, sessions))


def _easy_tasks(sessions: int, seed: int) -> World:
    """In easy tasks everything works in the end, and there people take the trouble of another answer."""
    dice = random.Random(seed)
    ease = [dice.uniform(0.05, 0.95) for _ in range(TASKS)]
    events = _events(
        dice, sessions, _answers(dice, 0),
        lambda a, user, task, progress: ease[task], lambda a, user, task, progress: a.share * (0.1 + ease[task] * (a.how != "retry")),
    )  # fmt: skip
    return World(_sessions(events, sessions))


def _healing(sessions: int, seed: int) -> World:
    """Everything gets better over the months, and answers other than retry come into fashion."""
    dice = random.Random(seed)
    events = _events(
        dice, sessions, _answers(dice, 0),
        lambda a, user, task, progress: 0.15 + 0.7 * progress, lambda a, user, task, progress: 1 - progress if a.how == "retry" else progress,
    )  # fmt: skip
    return World(_sessions(events, sessions))


NULLS: dict[str, Callable[[int, int], World]] = {
    "results shuffled": _alike,
    "lucky users with answers of their own": _lucky_users,
    "other answers in easy tasks": _easy_tasks,
    "everything heals, fashions change": _healing,
}


def null_world(kind: str, sessions: int, seed: int) -> World:
    """A world of ``NULLS``."""
    return NULLS[kind](sessions, seed)


# ---------------------------------------------------------------------- sessions


def _sessions(events: Iterable[_Event], sessions: int) -> list[Observation]:
    by_number: dict[int, list[_Event]] = defaultdict(list)
    for event in events:
        by_number[event.number].append(event)
    return [_session(number, by_number[number], sessions) for number in sorted(by_number)]


def _session(number: int, events: Sequence[_Event], sessions: int) -> Observation:
    name, at = f"sesn_{number:07d}", FIRST_DAY + timedelta(days=90) * number / sessions
    calls: list[Call] = []

    def call(tool: str, error: str | None, **given: str | int) -> None:
        seq, event = 2 * len(calls) + 1, f"{name}-{len(calls)}"
        failure = None
        if error is not None:
            span = Span(f"{event}r", seq + 1, "/content/0/text", 0, len(error))
            failure = Failure(mask(error), error, span, False, "tool")
        signature = f"{tool} {sorted(given.items())}"
        when = at + timedelta(seconds=seq)
        calls.append(
            Call(seq, event, f"{event}r", "", 1, when, tool, tool, signature, Span(event, seq, "/name", 0, len(tool)), given, failure)
        )  # fmt: skip

    for e in events:
        error = TEXTS[e.tool].format(
            n=number % 97 + 3, id=f"unit_{number % 89}", path=f"/srv/{number % 83}.txt", time="2026-03-01"
        )
        given: dict[str, str | int] = {"order": number, "mode": "plain"}
        call(f"tool_{e.tool}", error, **given)
        again = None if e.worked else error
        if e.answer.how == "instead":
            call(f"other_{e.tool}", again, **given)
        else:
            if e.answer.how == "first":
                call(f"prepare_{e.tool}", None, depot=number % 7)
            call(
                f"tool_{e.tool}",
                again,
                **{**given, "mode": "careful" if e.answer.how == "changed" else "plain"},
            )
        for _ in range(7):  # what comes next is other work
            call("read", None, page=number)
    user, task = (events[0].user, events[0].task) if events else (0, 0)
    return Observation(
        name, name, "bench", "agent", "model", f"user-{user:02d}", None, f"task-{task}", None, at.date().isoformat(), at, None,
        "unknown", None, {}, {}, tuple(calls),
    )  # fmt: skip


# ---------------------------------------------------------------------- figures


def mined(world: World) -> tuple[list[Finding], float]:
    began = time.perf_counter()
    findings = list(Workarounds().mine(Corpus(world.observations)))
    return findings, time.perf_counter() - began


def _said(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """(tool, label of the answer) of each finding, the tool by its error."""
    tools = {
        mask(text.format(n=7, id="unit_7", path="/srv/7.txt", time="2026-03-01")): i
        for i, text in enumerate(TEXTS)
    }
    return [(f"tool_{tools[mask(f.statement['example'])]}", str(f.statement["response"])) for f in findings]


def claimable(world: World) -> set[tuple[str, str]]:
    """The planted ones that a test could claim that knows them: against plain retry, within users, at the level of
    all pairs there are (each error's three answers)."""
    counts: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for o in world.observations:
        for tool, label, worked in _trials(o):
            cell = counts[tool, label][o.user or ""]
            cell[0] += worked
            cell[1] += 1
    return {
        (tool, label)
        for tool, label in world.planted
        if exact_p(_tables(counts[tool, label], counts[tool, RETRY]), alternative="greater") * 3 * ERRORS
        <= 0.05
    }


def _trials(o: Observation) -> Iterable[tuple[str, str, bool]]:
    for i, call in enumerate(o.calls):
        if (
            call.failure is None
            or (i and o.calls[i - 1].failure is not None)
            or not call.tool.startswith("tool_")
        ):
            continue
        number, after = call.tool.removeprefix("tool_"), o.calls[i + 1]
        if after.tool.startswith("prepare_"):
            yield call.tool, f"first:prepare_{number}", o.calls[i + 2].failure is None
        elif after.tool.startswith("other_"):
            yield call.tool, f"instead:other_{number}", after.failure is None
        elif after.tool == call.tool:
            changed = after.arguments["mode"] != call.arguments["mode"]
            yield call.tool, "changed:mode:plain→careful" if changed else RETRY, after.failure is None


def _tables(one: dict[str, list[int]], other: dict[str, list[int]]) -> list[Table]:
    return [Table(*one.get(user, [0, 0]), *other.get(user, [0, 0])) for user in sorted({*one, *other})]


def naive(world: World) -> set[tuple[str, str]]:
    """What a list of answers that mostly went well would hold."""
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for o in world.observations:
        for tool, label, worked in _trials(o):
            counts[tool, label][0] += worked
            counts[tool, label][1] += 1
    return {pair for pair, (k, n) in counts.items() if pair[1] != RETRY and n >= 3 and k >= 0.8 * n}


def planted_rows(sessions: int, worlds: int) -> list[Row]:
    found = possible = planted = false = said_naively = right_naively = 0
    seconds: list[float] = []
    for seed in range(worlds):
        world = planted_world(sessions, seed)
        findings, took = mined(world)
        said, could, guessed = set(_said(findings)), claimable(world), naive(world)
        planted += len(world.planted)
        possible += len(could)
        found += len(said & could)
        false += len(said - world.planted)
        said_naively += len(guessed)
        right_naively += len(guessed & world.planted)
        seconds.append(took)
    return [
        Row(f"{sessions:,} sessions, {worlds} worlds: planted ones that a test could claim that knows them", f"{possible} of {planted}"),
        Row("found, of those", f"{found / max(1, possible):.2f}", "≥ 0.90", found >= 0.9 * possible),
        Row("findings that are none of the planted", str(false), "≤ 5 % of planted", false <= 0.05 * planted),
        Row("a naive list: right, of what it says", f"{right_naively} of {said_naively}"),
        Row("time, the median", f"{sorted(seconds)[worlds // 2]:.2f} s"),
    ]  # fmt: skip


def null_rows(sessions: int, worlds: int) -> list[Row]:
    rows: list[Row] = []
    for kind in NULLS:
        made = [null_world(kind, sessions, seed) for seed in range(worlds)]
        claims = sum(bool(mined(world)[0]) for world in made)
        naively = sum(bool(naive(world)) for world in made)
        rows.append(
            Row(
                f"{kind}, {sessions:,} sessions",
                f"{claims} of {worlds} (a naive list: {naively})",
                "≤ 5 %",
                claims <= 0.05 * worlds,
            )
        )
    return rows


def main(arguments: Sequence[str] = ()) -> None:
    sizes = (1_000,) if "--quick" in arguments else (1_000, 4_000)
    print_table("Workarounds: planted", [row for n in sizes for row in planted_rows(n, 20)])
    print_table(
        "Workarounds: worlds in which nothing helps, with any claim",
        [row for n in sizes for row in null_rows(n, 20)],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
