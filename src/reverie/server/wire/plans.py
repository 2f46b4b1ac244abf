"""Ours: plans that are carried out in a session, and how each stands."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from reverie.domain.plans import OnFailure, Task, TaskState, TaskStatus
from reverie.server.wire.base import Ask, Meta, Timestamp, Wire
from reverie.server.wire.money import Money
from reverie.workspaces.plans import PlanView, Status

__all__ = [
    "MapAsk",
    "PhaseAsk",
    "PhaseStatus",
    "PlanAsk",
    "PlanList",
    "PlanPhase",
    "PlanRun",
    "PlanStart",
    "PlanStop",
    "PlanTask",
    "TaskAsk",
    "plan_body",
]

PhaseStatus: TypeAlias = Literal["waiting", "running", "over"]


class TaskAsk(Ask, forbid_unknown_fields=True):
    """One thing to do, by one of the agents that the session's may call."""

    id: str
    agent: str
    prompt: str
    depends_on: list[str] | None = None
    retries: int | None = None
    timeout_s: float | None = None
    max_tokens: int | None = None
    phase: str | None = None
    optional: bool | None = None


class MapAsk(Ask, forbid_unknown_fields=True):
    """One agent over many inputs: a task for each. ``{input}`` in the prompt is the input, ``{index}`` its number
    from 1, ``{name}`` a field of an input that is an object."""

    agent: str
    inputs: list[str | dict[str, Any]]
    prompt: str
    retries: int | None = None
    timeout_s: float | None = None
    max_tokens: int | None = None


class PhaseAsk(Ask, forbid_unknown_fields=True):
    """A part of a plan, for those who watch."""

    id: str
    name: str | None = None
    description: str | None = None


class PlanAsk(Ask, forbid_unknown_fields=True):
    """Tasks that may depend on one another; or one agent over many inputs (``map``) in their place."""

    name: str | None = None
    description: str | None = None
    tasks: list[TaskAsk] | None = None
    map: MapAsk | None = None
    at_once: int | None = None
    phases: list[str | PhaseAsk] | None = None
    on_failure: OnFailure | None = None
    max_tokens: int | None = None
    timeout_s: float | None = None
    reduce: str | None = None


class PlanStart(Ask):
    """A plan to carry out."""

    plan: PlanAsk


class PlanStop(Ask):
    """Why it shall stop."""

    why: Annotated[str, Meta(max_length=2_000)] | None = None


class PlanList(Ask):
    """A page of runs."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None


class PlanPhase(Wire):
    """A part of a plan, and how far it is."""

    id: str
    name: str
    description: str | None
    status: PhaseStatus


class PlanTask(Wire):
    """A task, and what became of it. ``result`` is the beginning of what it gave, ``result_chars`` the length of
    the whole, which is in its thread; ``list_cost`` and ``tokens`` are of all its attempts."""

    id: str
    agent: str
    prompt: str
    depends_on: list[str]
    phase: str | None
    optional: bool
    retries: int
    timeout_s: float | None
    max_tokens: int | None
    status: TaskStatus
    attempts: int
    thread_id: str | None
    result: str
    result_chars: int
    why: str | None
    started_at: Timestamp | None
    ended_at: Timestamp | None
    tokens: int
    list_cost: Money | None


class PlanRun(Wire):
    """A run of a plan; its id is that of its ``workflow_run`` events. ``counts`` are tasks by what became of them;
    ``tasks`` is null in lists. ``error`` is its type where the run ended with one."""

    id: str
    session_id: str
    name: str
    description: str
    status: Status
    why: str | None
    error: str | None
    at_once: int
    on_failure: OnFailure
    max_tokens: int | None
    timeout_s: float
    reduce: str | None
    phases: list[PlanPhase]
    counts: dict[str, int]
    tasks: list[PlanTask] | None
    tokens: int
    list_cost: Money | None
    created_at: Timestamp
    ended_at: Timestamp | None
    type: Literal["plan_run"] = "plan_run"


def plan_body(seen: PlanView, *, whole: bool = True) -> PlanRun:
    """A run in the wire's shape; without its tasks, where it is not shown ``whole``."""
    state = seen.run.state
    plan, ended = state.plan, state.ended
    statuses = [task.status for task in state.tasks.values()]
    return PlanRun(
        id=seen.id,
        session_id=seen.session_id,
        name=plan.name,
        description=plan.description,
        status=seen.status,
        why=state.stop if ended is None else ended.why,
        error=None if ended is None else ended.error,
        at_once=plan.at_once,
        on_failure=plan.on_failure,
        max_tokens=plan.max_tokens,
        timeout_s=plan.timeout_s,
        reduce=plan.reduce,
        phases=_phases(seen),
        counts={status: statuses.count(status) for status in TaskStatus.__args__},  # type: ignore[attr-defined]
        tasks=[_task(task, state.tasks[task.id]) for task in plan.tasks] if whole else None,
        tokens=state.tokens,
        list_cost=_money(state.cost),
        created_at=state.began_at,
        ended_at=None if ended is None else ended.at,
    )


def _phases(seen: PlanView) -> list[PlanPhase]:
    state = seen.run.state
    told: dict[bool, PhaseStatus] = {True: "running", False: "waiting"}
    return [
        PlanPhase(
            id=phase.id,
            name=phase.name,
            description=phase.description,
            status="over" if phase.id in state.over else told[phase.id in state.begun],
        )
        for phase in state.plan.phases
    ]


def _task(task: Task, at: TaskState) -> PlanTask:
    more = {"depends_on": list(task.depends_on), "thread_id": at.thread, "list_cost": _money(at.cost)}
    return msgspec.convert({**_fields(task), **_fields(at), **more}, PlanTask)


def _fields(part: Task | TaskState) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _money(cents: Decimal | None) -> Money | None:
    return None if cents is None else Money(amount=f"{round(cents)}", currency="USD")
