"""The workflow runs of a session: a fold of its log, run by run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from reverie.domain.events import Event, JsonObject
from reverie.orchestration.notation import plan_of
from reverie.orchestration.progress import PlanState, Spent, StopAsked, begin, news_of, step

__all__ = ["MAX_OPEN", "Run", "Runs", "runs_of"]

MAX_OPEN: Final = 10
"""Runs of a session that have not ended."""
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``lead`` is the thread that made it, by its name in the log; ``call`` the call that waits for its
    results, if one does; ``asked``: whether the lead asked for it, and not a client. ``invented`` are agents that
    it defined for this run, by name."""

    id: str
    lead: str
    state: PlanState
    call: str | None = None
    asked: bool = False
    invented: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])

    @property
    def open(self) -> bool:
        return self.state.ended is None


class Runs:
    """The runs of one session, as far as its log was folded. In the order in which they began."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self._tasks: dict[str, tuple[str, str]] = {}

    @property
    def open(self) -> list[Run]:
        """Those that have not ended."""
        return [run for run in self.runs.values() if run.open]

    def task_of(self, thread: str) -> tuple[str, str] | None:
        """The run and the task that a thread works on, or worked on last."""
        return self._tasks.get(thread)

    def absorb(self, event: Event) -> None:
        """One more event, in the order of the log."""
        if event.type == "workflow_run.created":
            self._created(event)
        elif event.type == "workflow_run.news":
            self._heard(event)
        elif event.type == "span.model_request_end":
            self._spent(event)
        elif event.type == "user.interrupt" and event.payload.get("session_thread_id") is None:
            for run in self.open:
                self._step(run.id, StopAsked(_at(event), "interrupted by the user"))

    def _created(self, event: Event) -> None:
        told = event.payload
        run_id = str(told["workflow_run_id"])
        if "plan" not in told:
            return  # a log from elsewhere
        private: JsonObject = told.get("private") or {}
        self.runs[run_id] = Run(
            run_id,
            event.thread,
            begin(plan_of(told["plan"]), _at(event)),
            private.get("call"),
            bool(private.get("asked")),
            private.get("agents") or {},
        )

    def _heard(self, event: Event) -> None:
        run_id = str(event.payload["workflow_run_id"])
        told: Mapping[str, Any] = event.payload["news"]
        if told.get("news") == "started":
            self._tasks[str(told["thread"])] = (run_id, str(told["task"]))
        self._step(run_id, news_of(told))

    def _spent(self, event: Event) -> None:
        found = self._tasks.get(event.thread)
        if found is None:
            return
        usage: JsonObject = event.payload.get("model_usage") or {}
        tokens = sum(int(usage.get(name) or 0) for name in _TOKENS)
        self._step(found[0], Spent(_at(event), found[1], tokens, _cents(event.payload.get("list_cost"))))

    def _step(self, run_id: str, news: Any) -> None:
        run = self.runs.get(run_id)
        if run is not None:
            self.runs[run_id] = replace(run, state=step(run.state, news))


def runs_of(events: Iterable[Event]) -> Runs:
    """The runs that a session's events tell of."""
    runs = Runs()
    for event in events:
        runs.absorb(event)
    return runs


def _at(event: Event) -> datetime:
    return event.at or _LONG_AGO


def _cents(told: object) -> Decimal | None:
    try:
        return None if told is None else Decimal(str(told))
    except InvalidOperation:
        return None
