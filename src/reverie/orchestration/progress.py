"""Where a plan stands: a fold over what happened.

Fold all news of a run and you have its state; nothing else is kept. News that does not fit (a thread that
was given up reports after all, a task that has ended is begun) changes nothing, so that reading some of it
twice, or late, does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import reduce
from typing import Any, Final, TypeAlias

import msgspec

from reverie.domain.plans import OPEN, Plan, RunResult, TaskState

__all__ = [
    "MAX_RESULT",
    "Ended",
    "Failed",
    "Finished",
    "Halted",
    "News",
    "PhaseBegan",
    "PhaseOver",
    "PlanState",
    "Skipped",
    "Spent",
    "Started",
    "StopAsked",
    "begin",
    "fold",
    "news_json",
    "news_of",
    "step",
]

MAX_RESULT: Final = 8_000
"""Characters of a result that are kept at hand; the whole is in the log."""
MAX_WHY: Final = 2_000
"""Characters of a reason that are kept."""


class _News(msgspec.Struct, frozen=True, tag_field="news", omit_defaults=True):
    """``at`` is an aware UTC datetime: when it happened, by the clock of whoever wrote it."""

    at: datetime


class Started(_News, frozen=True, tag="started"):
    """An attempt of a task began, in a thread."""

    task: str
    thread: str


class Spent(_News, frozen=True, tag="spent"):
    """What one request of a task's thread used: tokens of all kinds, and US cents where they are known."""

    task: str
    tokens: int
    cost: Decimal | None = None


class Finished(_News, frozen=True, tag="finished"):
    """A thread has done its task. ``whole`` says where the whole result can be read, where not in the thread."""

    task: str
    thread: str
    text: str
    whole: str | None = None


class Failed(_News, frozen=True, tag="failed"):
    """An attempt failed; without a thread: it could not even begin. Where it is not ``retryable``, that is
    the end of the task, whatever its retries."""

    task: str
    why: str
    thread: str | None = None
    retryable: bool = True


class Halted(_News, frozen=True, tag="halted"):
    """Somebody stopped this task: its end, and no failure."""

    task: str
    why: str


class Skipped(_News, frozen=True, tag="skipped"):
    """A task will never start, since what it needs will never be there."""

    task: str
    why: str


class StopAsked(_News, frozen=True, tag="stop_asked"):
    """Somebody wants the run to stop."""

    why: str


class PhaseBegan(_News, frozen=True, tag="phase_began"):
    """The first task of a phase is about to start."""

    phase: str


class PhaseOver(_News, frozen=True, tag="phase_over"):
    """All tasks of a phase have ended."""

    phase: str


class Ended(_News, frozen=True, tag="ended"):
    """The run is over. ``error`` is a type (``budget_reached``, ``timeout``, ``task_failed``) where ``result``
    is ``error``."""

    result: RunResult
    why: str = ""
    error: str | None = None


News: TypeAlias = (
    Started | Spent | Finished | Failed | Halted | Skipped | StopAsked | PhaseBegan | PhaseOver | Ended
)


@dataclass(frozen=True, slots=True)
class PlanState:
    """A run of a plan. ``tasks`` are by id, in the plan's order; ``stop`` is why it shall stop, as soon as
    somebody asked; ``begun`` and ``over`` are ids of phases."""

    plan: Plan
    tasks: Mapping[str, TaskState]
    began_at: datetime
    stop: str | None = None
    begun: frozenset[str] = field(default_factory=frozenset[str])
    over: frozenset[str] = field(default_factory=frozenset[str])
    ended: Ended | None = None

    @property
    def tokens(self) -> int:
        """Of all tasks together."""
        return sum(task.tokens for task in self.tasks.values())

    @property
    def cost(self) -> Decimal | None:
        """Of all tasks together, in US cents; None until one was told."""
        told = [task.cost for task in self.tasks.values() if task.cost is not None]
        return sum(told, Decimal(0)) if told else None


def begin(plan: Plan, at: datetime) -> PlanState:
    """A run of which nothing is done yet."""
    return PlanState(plan, {task.id: TaskState() for task in plan.tasks}, at)


def fold(plan: Plan, began_at: datetime, news: Iterable[News]) -> PlanState:
    """A run after everything that happened to it, in order."""
    return reduce(step, news, begin(plan, began_at))


def step(state: PlanState, news: News) -> PlanState:
    """A run after one more thing happened. After its end, only what was spent still counts."""
    if state.ended is not None and not isinstance(news, Spent):
        return state
    return _STEPS[type(news)](state, news)


def news_json(news: News) -> dict[str, Any]:
    """As it is kept in the log; ``news_of`` reads it."""
    return msgspec.to_builtins(news)


def news_of(told: Mapping[str, Any]) -> News:
    """What ``news_json`` wrote.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(told, News)


# ---------------------------------------------------------------------- one kind of news each


def _with(state: PlanState, task: str, **changes: Any) -> PlanState:
    changed = replace(state.tasks[task], **changes)
    return replace(state, tasks={**state.tasks, task: changed})


def _status(state: PlanState, task: str) -> str:
    found = state.tasks.get(task)
    return "unknown" if found is None else found.status


def _works(state: PlanState, task: str, thread: str) -> bool:
    """Whether a task runs in just this thread: one that was given up has no say any more."""
    return _status(state, task) == "running" and state.tasks[task].thread == thread


def _started(state: PlanState, news: Started) -> PlanState:
    if _status(state, news.task) != "waiting":
        return state
    attempts = state.tasks[news.task].attempts + 1
    beginning = {"attempts": attempts, "thread": news.thread, "started_at": news.at, "ended_at": None}
    return _with(state, news.task, status="running", **beginning)


def _spent(state: PlanState, news: Spent) -> PlanState:
    before = state.tasks.get(news.task)
    if before is None:
        return state
    cost = before.cost if news.cost is None else (before.cost or Decimal(0)) + news.cost
    return _with(state, news.task, tokens=before.tokens + news.tokens, cost=cost)


def _finished(state: PlanState, news: Finished) -> PlanState:
    if not _works(state, news.task, news.thread):
        return state
    result = {"result": news.text[:MAX_RESULT], "result_chars": len(news.text), "whole": news.whole}
    return _with(state, news.task, status="finished", ended_at=news.at, why=None, **result)


def _failed(state: PlanState, news: Failed) -> PlanState:
    unbegun = news.thread is None and _status(state, news.task) == "waiting"
    if not unbegun and not _works(state, news.task, news.thread or ""):
        return state
    attempts = state.tasks[news.task].attempts + unbegun
    again = news.retryable and attempts <= _retries(state.plan, news.task)
    told = {"why": news.why[:MAX_WHY], "attempts": attempts, "ended_at": news.at}
    return _with(state, news.task, status="waiting" if again else "failed", **told)


def _retries(plan: Plan, task: str) -> int:
    return next(each.retries for each in plan.tasks if each.id == task)


def _halted(state: PlanState, news: Halted) -> PlanState:
    if _status(state, news.task) not in OPEN:
        return state
    return _with(state, news.task, status="stopped", why=news.why[:MAX_WHY], ended_at=news.at)


def _skipped(state: PlanState, news: Skipped) -> PlanState:
    if _status(state, news.task) != "waiting":
        return state
    return _with(state, news.task, status="skipped", why=news.why[:MAX_WHY], ended_at=news.at)


def _stop_asked(state: PlanState, news: StopAsked) -> PlanState:
    return state if state.stop is not None else replace(state, stop=news.why[:MAX_WHY])


def _phase_began(state: PlanState, news: PhaseBegan) -> PlanState:
    return replace(state, begun=state.begun | {news.phase})


def _phase_over(state: PlanState, news: PhaseOver) -> PlanState:
    return replace(state, over=state.over | {news.phase})


def _ended(state: PlanState, news: Ended) -> PlanState:
    """Whatever has not ended by then never will."""
    why = news.why or "the run is over"
    tasks = {
        name: replace(task, status="stopped", why=why, ended_at=news.at) if task.status in OPEN else task
        for name, task in state.tasks.items()
    }
    return replace(state, tasks=tasks, ended=news)


_STEPS: Final[Mapping[type[News], Callable[[PlanState, Any], PlanState]]] = {
    Started: _started,
    Spent: _spent,
    Finished: _finished,
    Failed: _failed,
    Halted: _halted,
    Skipped: _skipped,
    StopAsked: _stop_asked,
    PhaseBegan: _phase_began,
    PhaseOver: _phase_over,
    Ended: _ended,
}
