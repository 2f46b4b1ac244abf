"""Who works in a session beside its first agent, as a terminal shows it: specialists, graders, and plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from reverie.cli.output import esc, many
from reverie.domain.events import Event, JsonObject
from reverie.domain.outcomes import GRADER
from reverie.orchestration.runs import Run, Runs
from reverie.orchestration.showing import MAX_ROWS, render

__all__ = ["Crew", "Member"]

_STATES: Final = {
    "end_turn": "has reported",
    "requires_action": "waits for you",
    "budget_reached": "budget spent",
    "retries_exhausted": "gave up",
    "refusal": "refused",
}
_TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_SIGNS: Final = {
    "finished": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[yellow]–[/]",
    "stopped": "[yellow]–[/]",
}
_WIDE: Final = 100


@dataclass(slots=True)
class Member:
    """One thread beside the primary one. ``cost`` is in US cents; None until one was told."""

    name: str
    state: str = "waits"
    began: datetime | None = None
    ended: datetime | None = None
    tokens: int = 0
    cost: Decimal | None = None

    def row(self, now: datetime) -> tuple[str, ...]:
        """Name, state, time, tokens, cost."""
        seconds = 0 if self.began is None else int(((self.ended or now) - self.began).total_seconds())
        cost = "" if self.cost is None else f"${self.cost / 100:.4f}"
        return self.name, self.state, f"{seconds} s", f"{self.tokens:,}", cost


class Crew:
    """A fold over a session's events, in their order."""

    columns: Final = ("agent", "state", "time", "tokens", "cost")

    def __init__(self) -> None:
        self._runs = Runs()
        self._members: dict[str, Member] = {}
        self._statuses: dict[tuple[str, str], str] = {}

    @property
    def runs(self) -> list[Run]:
        """Of plans, in the order in which they began."""
        return list(self._runs.runs.values())

    def members(self) -> list[Member]:
        """Those that work on no plan."""
        return [each for thread, each in self._members.items() if self._runs.task_of(thread) is None]

    def name(self, thread: str) -> str:
        """What the agent at a thread is called, with its task where it has one; nothing for the primary one. Whose
        beginning was not seen is called by its thread's id."""
        found = self._members.get(thread)
        if found is None:
            return thread[:13]
        task = self._runs.task_of(thread)
        return found.name if task is None else f"{found.name} ({task[1]})"

    def absorb(self, event: Event) -> None:
        """One more event."""
        self._runs.absorb(event)
        told = event.payload
        if event.type == "session.thread_created":
            name = str(told["agent_name"])
            self._members[str(told["session_thread_id"])] = Member("grader" if name == GRADER else name)
        elif (found := self._members.get(event.thread)) is not None:
            _step(found, event)

    def lines(self, event: Event) -> Iterator[str]:
        """What an event that was absorbed changed, as Rich markup lines: plans, and their tasks."""
        run = self._runs.runs.get(str(event.payload.get("workflow_run_id")))
        if run is None:
            return
        if event.type == "workflow_run.created":
            plan = run.state.plan
            yield f"[bold]plan[/] {esc(plan.name)}: {many(len(plan.tasks), 'task')}, {plan.at_once} at a time"
        for task, state in run.state.tasks.items():
            before = self._statuses.get((run.id, task))
            self._statuses[run.id, task] = state.status
            if before not in (None, state.status):
                yield _changed(task, state.status, state.why)

    def tables(self, now: datetime, rows: int = MAX_ROWS) -> list[str]:
        """Each run of a plan, as plain text."""
        return [render(run.state, now, rows=rows) for run in self.runs]


def _step(member: Member, event: Event) -> None:
    told = event.payload
    if event.type == "session.thread_status_running":
        member.state, member.ended = "works", None
        member.began = member.began or event.at
    elif event.type == "session.thread_status_idle":
        reason: JsonObject = told.get("stop_reason") or {}
        member.state, member.ended = _STATES.get(str(reason.get("type")), "rests"), event.at
    elif event.type == "session.thread_status_terminated":
        member.state = "ended" if member.state in ("works", "waits") else member.state
        member.ended = member.ended or event.at
    elif event.type == "span.model_request_end":
        usage: JsonObject = told.get("model_usage") or {}
        member.tokens += sum(int(usage.get(name) or 0) for name in _TOKENS)
        member.cost = _plus(member.cost, told.get("list_cost"))


def _plus(cost: Decimal | None, told: Any) -> Decimal | None:
    return cost if told is None else (cost or Decimal(0)) + Decimal(str(told))


def _changed(task: str, status: str, why: str | None) -> str:
    told = " ".join((why or "").split())
    shown = told if len(told) <= _WIDE else told[: _WIDE - 1] + "…"
    return f"{_SIGNS.get(status, '[dim]·[/]')} {esc(task)} {status}{f': {esc(shown)}' if shown else ''}"
