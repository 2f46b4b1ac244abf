"""What of a plan is to be done next: a pure function of where it stands, the time, and the room there is.

Whoever runs a plan asks ``decide``, does what it says, notes each thing done (each decision knows its
``news``), and asks again until nothing is left to do now; ``due`` says when to ask next though nothing
happens. The same state at the same time gives the same decisions, so that after a crash one asks again, and
no more.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from reverie.domain.plans import OPEN, RunResult, Task, TaskState
from reverie.orchestration.briefing import brief
from reverie.orchestration.progress import (
    Ended,
    Failed,
    Halted,
    PhaseBegan,
    PhaseOver,
    PlanState,
    Skipped,
    Started,
)

__all__ = [
    "FIRST_RETRY_SECONDS",
    "LAST_RETRY_SECONDS",
    "BeginPhase",
    "Cut",
    "Decision",
    "End",
    "EndPhase",
    "Skip",
    "Start",
    "backoff",
    "decide",
    "due",
    "retry_wait",
]

FIRST_RETRY_SECONDS: Final = 2.0
LAST_RETRY_SECONDS: Final = 60.0
_LINKS_TOLD: Final = 3


@dataclass(frozen=True, slots=True)
class Start:
    """Start a task: its specialist, in a new thread, with this prompt. ``attempt`` counts from 1."""

    task: str
    agent: str
    prompt: str
    attempt: int

    def news(self, at: datetime, thread: str) -> Started:
        """It was started, in ``thread``."""
        return Started(at=at, task=self.task, thread=thread)


@dataclass(frozen=True, slots=True)
class Cut:
    """Stop the thread of a task that runs. ``failed``: the attempt has failed (else the task was stopped),
    and may be made again where ``retryable``."""

    task: str
    thread: str
    why: str
    failed: bool = False
    retryable: bool = False

    def news(self, at: datetime) -> Failed | Halted:
        """Its thread works no more."""
        if not self.failed:
            return Halted(at=at, task=self.task, why=self.why)
        return Failed(at=at, task=self.task, why=self.why, thread=self.thread, retryable=self.retryable)


@dataclass(frozen=True, slots=True)
class Skip:
    """A task that can never start; ``why`` names the chain of causes."""

    task: str
    why: str

    def news(self, at: datetime) -> Skipped:
        """It was given up."""
        return Skipped(at=at, task=self.task, why=self.why)


@dataclass(frozen=True, slots=True)
class BeginPhase:
    """A phase begins: the next decision starts its first task."""

    phase: str

    def news(self, at: datetime) -> PhaseBegan:
        """It was told."""
        return PhaseBegan(at=at, phase=self.phase)


@dataclass(frozen=True, slots=True)
class EndPhase:
    """A phase is over."""

    phase: str

    def news(self, at: datetime) -> PhaseOver:
        """It was told."""
        return PhaseOver(at=at, phase=self.phase)


@dataclass(frozen=True, slots=True)
class End:
    """The run is over. ``error`` is a type where ``result`` is ``error``: ``budget_reached``, ``timeout``,
    ``task_failed``."""

    result: RunResult
    why: str
    error: str | None = None

    def news(self, at: datetime) -> Ended:
        """It was told."""
        return Ended(at=at, result=self.result, why=self.why, error=self.error)


Decision: TypeAlias = Start | Cut | Skip | BeginPhase | EndPhase | End


def decide(state: PlanState, *, free: int, now: datetime) -> list[Decision]:
    """What is to be done now, in this order; nothing once the run has ended.

    Args:
        state: Where the plan stands.
        free: How many threads more may run at this moment, the plan's own cap apart.
        now: The time, aware, UTC.
    """
    if state.ended is not None:
        return []
    end = _end(state, now)
    if end is None:
        return [*_overdue(state, now), *_skips(state), *_phases_over(state), *_starts(state, free, now)]
    running = [
        Cut(name, task.thread or "", end.why)
        for name, task in state.tasks.items()
        if task.status == "running"
    ]
    return [*running] if running else [*_phases_over(state, all_of_them=True), end]


def due(state: PlanState, now: datetime) -> float | None:
    """Seconds until time alone changes what ``decide`` says; None where it does not."""
    if state.ended is not None:
        return None
    waits = [max(0.0, state.plan.timeout_s - _since(state.began_at, now))]
    for task in state.plan.tasks:
        at = state.tasks[task.id]
        if at.status == "running" and task.timeout_s is not None:
            waits.append(max(0.0, task.timeout_s - _since(at.started_at, now)))
        elif at.status == "waiting" and at.attempts and (wait := retry_wait(at, now)) > 0:
            waits.append(wait)
    return min(waits)


def backoff(failures: int) -> float:
    """Seconds before the next attempt after so many failures (at least one): 2, 4, 8 … 60."""
    return min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 10))


# ---------------------------------------------------------------------- the end


def _end(state: PlanState, now: datetime) -> End | None:
    """How the run ends, where that is settled; tasks that run are to be cut first."""
    statuses = {task.status for task in state.tasks.values()}
    over = statuses.isdisjoint(OPEN)
    if (failure := _failure(state)) is not None:
        return failure
    cut_short = not over or "stopped" in statuses  # else a limit that is reached came too late
    if cut_short and (halt := _halt(state, now)) is not None:
        return halt
    return End("completed", _counted(state)) if over else None


def _halt(state: PlanState, now: datetime) -> End | None:
    plan = state.plan
    if state.stop is not None:
        return End("stopped", state.stop)
    if plan.max_tokens is not None and (used := state.tokens) >= plan.max_tokens:
        return End("error", f"the plan's {plan.max_tokens} tokens are used up ({used})", "budget_reached")
    if _since(state.began_at, now) >= plan.timeout_s:
        return End("error", f"it took longer than {plan.timeout_s:g} s", "timeout")
    return None


def _failure(state: PlanState) -> End | None:
    for task in state.plan.tasks if state.plan.on_failure == "stop" else ():
        at = state.tasks[task.id]
        if at.status == "failed" and not task.optional:
            return End("error", f"task {task.id} failed: {_line(at.why)}", "task_failed")
    return None


def _counted(state: PlanState) -> str:
    statuses = [task.status for task in state.tasks.values()]
    counts = {status: statuses.count(status) for status in ("finished", "failed", "skipped", "stopped")}
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count)


def _phases_over(state: PlanState, *, all_of_them: bool = False) -> Iterator[EndPhase]:
    if not state.begun - state.over:
        return
    going = {task.phase for task in state.plan.tasks if state.tasks[task.id].status in OPEN}
    for phase in state.plan.phases:
        if phase.id in state.begun - state.over and (all_of_them or phase.id not in going):
            yield EndPhase(phase.id)


# ---------------------------------------------------------------------- what runs too long, or never will


def _overdue(state: PlanState, now: datetime) -> Iterator[Cut]:
    for task in state.plan.tasks:
        at = state.tasks[task.id]
        if at.status != "running":
            continue
        if task.max_tokens is not None and at.tokens >= task.max_tokens:
            yield Cut(task.id, at.thread or "", f"its {task.max_tokens} tokens are used up", failed=True)
        elif task.timeout_s is not None and _since(at.started_at, now) >= task.timeout_s:
            why = f"it took longer than {task.timeout_s:g} s"
            yield Cut(task.id, at.thread or "", why, failed=True, retryable=True)


@dataclass(frozen=True, slots=True)
class _Link:
    """A task that will give nothing, ``depth`` steps from the ``root`` that is the cause."""

    task: str
    root: str
    depth: int = 0
    before: _Link | None = None


def _skips(state: PlanState) -> Iterator[Skip]:
    """Every task that cannot start any more, each once, nearest to the cause first. Those that were skipped
    before are gone through again, so that the chains of the others are the same in one go or in two."""
    lost = deque(_Link(name, name) for name, at in state.tasks.items() if at.status in ("failed", "stopped"))
    if not lost:
        return
    optional = {task.id for task in state.plan.tasks if task.optional}
    dependents = _dependents(state)
    seen: set[str] = set()
    while lost:
        link = lost.popleft()
        for name in () if link.task in optional else dependents[link.task]:
            if name not in seen:
                seen.add(name)
                lost.append(_Link(name, link.root, link.depth + 1, link))
                if state.tasks[name].status == "waiting":
                    yield Skip(name, _because(link, state.tasks[link.root]))


def _dependents(state: PlanState) -> Mapping[str, list[str]]:
    """Tasks that never started, by what they need."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for task in state.plan.tasks:
        if state.tasks[task.id].status in ("waiting", "skipped"):
            for need in task.depends_on:
                found[need].append(task.id)
    return found


def _because(link: _Link, root: TaskState) -> str:
    """``it needs c → b → a; a failed: no such host``: the next links and the root, however long the chain."""
    chain: list[str] = []
    here: _Link | None = link
    while here is not None and len(chain) < _LINKS_TOLD:
        chain.append(here.task)
        here = here.before
    if here is not None:
        chain += [f"({here.depth} more)"] * (here.depth > 0) + [link.root]
    return f"it needs {' → '.join(chain)}; {link.root} {_ended(root)}"


def _ended(at: TaskState) -> str:
    return f"{'was ' if at.status != 'failed' else ''}{at.status}: {_line(at.why)}"


# ---------------------------------------------------------------------- what starts


def _starts(state: PlanState, free: int, now: datetime) -> Iterator[BeginPhase | Start]:
    running = sum(task.status == "running" for task in state.tasks.values())
    room = min(free, state.plan.at_once - running)
    if room <= 0:
        return
    begun = set(state.begun)
    for task in _ready(state, now):
        if task.phase is not None and task.phase not in begun:
            begun.add(task.phase)
            yield BeginPhase(task.phase)
        yield Start(task.id, task.agent, brief(state, task), state.tasks[task.id].attempts + 1)
        room -= 1
        if room == 0:
            return


def _ready(state: PlanState, now: datetime) -> Iterable[Task]:
    """Tasks that may start, in the plan's order."""
    given = {name for name, at in state.tasks.items() if at.status == "finished"}
    given |= {
        task.id for task in state.plan.tasks if task.optional and state.tasks[task.id].status not in OPEN
    }
    for task in state.plan.tasks:
        at = state.tasks[task.id]
        if at.status == "waiting" and given.issuperset(task.depends_on) and retry_wait(at, now) <= 0:
            yield task


# ---------------------------------------------------------------------- time


def retry_wait(at: TaskState, now: datetime) -> float:
    """Seconds before a task may be tried again. A clock that was set back does not make it wait longer."""
    if at.ended_at is None or now < at.ended_at:
        return 0.0
    return backoff(max(1, at.attempts)) - _since(at.ended_at, now)


def _since(then: datetime | None, now: datetime) -> float:
    """Seconds gone by: never fewer than none, whatever became of the clock."""
    return 0.0 if then is None else max(0.0, (now - then).total_seconds())


def _line(why: str | None) -> str:
    text = " ".join((why or "for no reason told").split())
    return text if len(text) <= 300 else f"{text[:300]}…"
