"""A team at work: who was called by whom, how they stand, what they used; and plans with what became of each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from reverie.console.graphs import MOST, Drawing, Node, drawn
from reverie.console.rendering import duration, link, money
from reverie.console.transcripts import MAIN
from reverie.console.visits import Page, Shown, Visit
from reverie.domain.outcomes import GRADER
from reverie.domain.plans import Task, TaskState
from reverie.workspaces.plans import PlanView
from reverie.workspaces.threads import ThreadView

__all__ = ["PAGES"]

_LISTED: Final = 300
_PLANS: Final = 20


@dataclass(frozen=True, slots=True)
class _Member:
    """A thread as a row of the table."""

    view: ThreadView
    label: str
    agent: str
    href: str
    seconds: float | None
    tokens: int | None
    cost: str | None
    judges: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """A task of a plan as a row of the table."""

    task: Task
    at: TaskState
    href: str | None
    seconds: float | None


def _team(visit: Visit) -> Shown:
    house, wanted = visit.house, visit.path["session_id"]
    seen = house.sessions.get(wanted)
    members = [_member(view, wanted) for view in house.threads.list(wanted, limit=_LISTED)]
    plans = [] if seen.row.body is None else house.plans.list(wanted, limit=_PLANS)
    facts = {
        "title": "Team",
        "row": seen.row,
        "address": f"/sessions/{wanted}",
        "members": members,
        "drawing": drawn([_node(each) for each in members]),
        "most": MOST,
        "plans": [_plan(each, seen.now) for each in plans],
        "poll": seen.row.status in ("running", "rescheduling"),
    }
    return Shown("team.html", facts)


def _member(view: ThreadView, session_id: str) -> _Member:
    agent = str((view.agent or {}).get("name") or "")
    main = view.parent is None
    state = view.state
    seconds = None
    if state is not None and state.started:
        since = state.running_since
        seconds = state.active_seconds + (
            0.0 if since is None else max(0.0, (view.now - since).total_seconds())
        )
    label = MAIN if main else view.name or agent or view.id[:14]
    key = MAIN if main else view.id
    used = None if state is None else state.usage
    return _Member(
        view,
        label,
        agent,
        link(f"/sessions/{session_id}", thread=key),
        seconds,
        None if used is None else used.tokens,
        None if used is None else used.list_cost,
        agent == GRADER,
    )


def _node(each: _Member) -> Node:
    words = " · ".join(
        filter(None, (each.view.status, "" if each.seconds is None else duration(each.seconds)))
    )
    needs = () if each.view.parent is None else (each.view.parent,)
    return Node(each.view.id, each.label, each.view.status, words, each.href, needs)


def _plan(seen: PlanView, now: datetime) -> dict[str, Any]:
    state = seen.run.state
    rows = [_row(seen.session_id, task, state.tasks[task.id], now) for task in state.plan.tasks]
    names = {phase.id: phase.name for phase in state.plan.phases}
    return {
        "seen": seen,
        "plan": state.plan,
        "why": state.stop if state.ended is None else state.ended.why,
        "error": None if state.ended is None else state.ended.error,
        "tokens": state.tokens,
        "cost": state.cost,
        "counts": Counter(row.at.status for row in rows),
        "rows": rows,
        "phases": names,
        "drawing": _drawing(rows),
    }


def _row(session_id: str, task: Task, at: TaskState, now: datetime) -> _Row:
    seconds = None
    if at.started_at is not None:
        seconds = ((at.ended_at or now) - at.started_at).total_seconds()
    href = None if at.thread is None else link(f"/sessions/{session_id}", thread=at.thread)
    return _Row(task, at, href, seconds)


def _drawing(rows: Sequence[_Row]) -> Drawing | None:
    return drawn([
        Node(row.task.id, row.task.id, row.at.status, _words(row.at, row.seconds), f"#task-{row.task.id}", row.task.depends_on)
        for row in rows
    ])  # fmt: skip


def _words(at: TaskState, seconds: float | None) -> str:
    cost: Decimal | None = at.cost
    told = (at.status, "" if seconds is None else duration(seconds), "" if cost is None else money(cost))
    return " · ".join(filter(None, told))


def _run(visit: Visit) -> Shown:
    house, wanted = visit.house, visit.path["session_id"]
    seen = house.plans.get(wanted, visit.path["plan_id"])
    row = house.sessions.get(wanted)
    facts = {
        "title": f"Plan {seen.run.state.plan.name}",
        "row": row.row,
        "address": f"/sessions/{wanted}",
        "each": _plan(seen, row.now),
        "most": MOST,
        "poll": seen.status in ("running", "stopping"),
    }
    return Shown("plan.html", facts)


PAGES: Final = (
    Page("GET", "/sessions/{session_id}/team", _team, "sessions:read", "/v1/sessions/{session_id}/threads"),
    Page("GET", "/sessions/{session_id}/plans/{plan_id}", _run, "sessions:read",
         "/v1/sessions/{session_id}/plans/{plan_id}"),
)  # fmt: skip
