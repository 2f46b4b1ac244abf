"""Spans and workflow runs on the wire."""

from __future__ import annotations

from typing import Any, TypeAlias

from reverie.server.wire.base import UNSET, UnsetType, Wire
from reverie.server.wire.grading import Judged, Remark
from reverie.server.wire.logged import Logged
from reverie.server.wire.money import SpanUsage

__all__ = [
    "ModelRequestEnd",
    "ModelRequestStart",
    "OutcomeEvaluationEnd",
    "OutcomeEvaluationOngoing",
    "OutcomeEvaluationStart",
    "Phase",
    "RunCompleted",
    "RunCreated",
    "RunEnded",
    "RunError",
    "RunErrored",
    "RunEvent",
    "RunFailed",
    "RunIdle",
    "RunNews",
    "RunPhaseEnded",
    "RunPhaseStarted",
    "RunRunning",
    "RunStopped",
    "SpanEvent",
]


class ModelRequestStart(Logged, tag="span.model_request_start"):
    """The model is asked."""


class ModelRequestEnd(Logged, tag="span.model_request_end"):
    """The model has answered."""

    model_request_start_id: str
    model_usage: SpanUsage
    is_error: bool | None = None


class _Evaluation(Logged):
    iteration: int
    outcome_id: str


class OutcomeEvaluationStart(_Evaluation, tag="span.outcome_evaluation_start"):
    """An evaluation begins."""


class OutcomeEvaluationOngoing(_Evaluation, tag="span.outcome_evaluation_ongoing"):
    """An evaluation goes on."""


class OutcomeEvaluationEnd(_Evaluation, tag="span.outcome_evaluation_end"):
    """A verdict. Ours are what became of each criterion, the weighted share of those that are met, and remarks
    on the work; an outcome that ends without an evaluation has none."""

    explanation: str
    outcome_evaluation_start_id: str
    result: str
    usage: SpanUsage
    criteria: list[Judged] | UnsetType = UNSET
    score: float | UnsetType | None = UNSET
    notes: list[Remark] | UnsetType = UNSET


class Phase(Wire):
    """A phase of a workflow run's plan."""

    id: str
    name: str
    description: str | None = None


class RunError(Wire):
    """Why a run did not finish."""

    message: str
    type: str


class RunCompleted(Wire, tag_field="type", tag="completed"):
    """Its plan came to its end."""


class RunStopped(Wire, tag_field="type", tag="stopped"):
    """The agent stopped it."""


class RunFailed(Wire, tag_field="type", tag="error"):
    """It failed."""

    error: RunError


class _OfRun(Logged):
    workflow_run_id: str


class RunCreated(_OfRun, tag="workflow_run.created"):
    """A run was made."""

    name: str
    phases: list[Phase]
    description: str | None = None


class RunRunning(_OfRun, tag="workflow_run.status_running"):
    """A run works."""


class RunIdle(_OfRun, tag="workflow_run.status_idle"):
    """A run rests."""


class RunEnded(_OfRun, tag="workflow_run.status_ended"):
    """A run has ended."""

    result: RunCompleted | RunStopped | RunFailed


class RunErrored(Logged, tag="workflow_run.error"):
    """A run met an error, or could not be made."""

    error: RunError
    workflow_run_id: str | None = None


class RunPhaseStarted(_OfRun, tag="workflow_run.phase_started"):
    """A phase began."""

    workflow_run_phase_id: str


class RunPhaseEnded(_OfRun, tag="workflow_run.phase_ended"):
    """A phase is over."""

    phase_started_id: str
    workflow_run_phase_id: str


class RunNews(_OfRun, tag="workflow_run.news"):
    """What became of a task of the run's plan, or is asked of the run. Shown when asked for by its type."""

    news: dict[str, Any]


SpanEvent: TypeAlias = (
    ModelRequestStart
    | ModelRequestEnd
    | OutcomeEvaluationStart
    | OutcomeEvaluationOngoing
    | OutcomeEvaluationEnd
)
RunEvent: TypeAlias = (
    RunCreated | RunRunning | RunIdle | RunEnded | RunErrored | RunPhaseStarted | RunPhaseEnded | RunNews
)
