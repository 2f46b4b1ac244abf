"""Plans of teams: tasks that depend on one another, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

__all__ = [
    "AT_ONCE",
    "MAX_AT_ONCE",
    "MAX_TASKS",
    "OPEN",
    "RUN_SECONDS",
    "Map",
    "OnFailure",
    "Phase",
    "Plan",
    "RunResult",
    "Task",
    "TaskState",
    "TaskStatus",
]

MAX_TASKS: Final = 1_000
"""Tasks of one plan: as many as agents of one workflow run on the wire."""
MAX_AT_ONCE: Final = 25
"""Tasks that run at once: as many as threads that a session has beside its primary one."""
AT_ONCE: Final = 20
"""As many as run at once where nobody says."""
RUN_SECONDS: Final = 86_400.0
"""How long a run may take where nobody says: a day."""

OnFailure: TypeAlias = Literal["skip", "stop"]
"""What the failure of a task means for the others: those that need it are skipped, or everything is stopped."""
TaskStatus: TypeAlias = Literal["waiting", "running", "finished", "failed", "skipped", "stopped"]
RunResult: TypeAlias = Literal["completed", "stopped", "error"]
"""How a run ended, in the words of the wire. Completed: every task has ended, well or not."""

OPEN: Final[frozenset[TaskStatus]] = frozenset(("waiting", "running"))
"""The statuses that are not the last."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a plan, for those who watch: it begins with its first task and is over with its last."""

    id: str
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do, by one specialist, in a thread of its own.

    ``depends_on`` are ids of tasks whose results it is given; it starts when they have finished. An
    ``optional`` task may fail without harm: what depends on it runs all the same, and is told.
    ``retries`` are attempts after the first; ``timeout_s`` holds for each attempt, ``max_tokens`` for all
    of them together. ``phase`` is the id of a phase.
    """

    id: str
    agent: str
    prompt: str
    depends_on: tuple[str, ...] = ()
    retries: int = 0
    timeout_s: float | None = None
    max_tokens: int | None = None
    phase: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """Tasks in an order that their dependencies give; where several are ready, in the order told.

    ``at_once`` is the most that run at a time, ``max_tokens`` what all of them may use together,
    ``timeout_s`` how long the whole may take, ``reduce`` what the lead is asked to make of the results.
    A plan is sound: ``orchestration.checking`` makes it.
    """

    name: str
    tasks: tuple[Task, ...]
    description: str = ""
    at_once: int = AT_ONCE
    phases: tuple[Phase, ...] = ()
    on_failure: OnFailure = "skip"
    max_tokens: int | None = None
    timeout_s: float = RUN_SECONDS
    reduce: str | None = None


@dataclass(frozen=True, slots=True)
class Map:
    """One specialist over many inputs: a task for each, named ``item-1`` and so on.

    ``prompt`` is a template: ``{input}`` is the input (as JSON, where it is no text), ``{index}`` its number
    from 1, ``{name}`` a field of an input that is an object; ``{{`` and ``}}`` are braces. The rest holds for
    each of the tasks.
    """

    agent: str
    inputs: Sequence[str | Mapping[str, Any]]
    prompt: str
    retries: int = 0
    timeout_s: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    """What became of a task so far.

    ``attempts`` counts those that were begun, or could not be; ``thread`` is that of the last one,
    ``started_at`` and ``ended_at`` are its times. ``result`` is the beginning of what it gave,
    ``result_chars`` the length of the whole, ``whole`` says where that is. ``why`` tells of the last
    failure, or why it was skipped or stopped. ``tokens`` and ``cost`` (in US cents; None until one was
    told) are of all attempts.
    """

    status: TaskStatus = "waiting"
    attempts: int = 0
    thread: str | None = None
    result: str = ""
    result_chars: int = 0
    whole: str | None = None
    why: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    tokens: int = 0
    cost: Decimal | None = None
