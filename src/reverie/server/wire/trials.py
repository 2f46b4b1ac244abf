"""Trials on the wire (ours)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.domain.trials import BUDGET, PATIENCE_DAYS, SHARE
from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = [
    "ApprovalTrial",
    "Trial",
    "TrialAct",
    "TrialCreate",
    "TrialHistory",
    "TrialList",
    "TrialLook",
    "TrialPoint",
    "TrialRound",
    "TrialRuling",
]

Status: TypeAlias = Literal["running", "withdrawn", "ended"]
Verdict: TypeAlias = Literal["helped", "harmful", "no effect worth having", "not enough data"]
Author: TypeAlias = Annotated[str, Meta(min_length=1, max_length=100)]
Id: TypeAlias = Annotated[str, Meta(min_length=1, max_length=64)]
Share: TypeAlias = Annotated[float, Meta(gt=0, lt=1)]
Budget: TypeAlias = Annotated[int, Meta(ge=10, le=100_000)]
Days: TypeAlias = Annotated[int, Meta(ge=1, le=365)]


class TrialRound(Wire):
    """A stretch of a trial in which one text was tried."""

    began_at: Timestamp
    memory_version_id: str
    number: int
    why: str


class TrialPoint(Wire):
    """How a round stood. Counts are [with the memory, without it]; effects are differences of rates, positive where
    the memory helps, with intervals that hold whenever one looks. ``addressed_…`` and ``hits``: by the failure that
    the memory is about, null where that cannot be recognised."""

    addressed_effect: float | None
    addressed_interval: tuple[float, float] | None
    at: Timestamp
    effect: float | None
    failures: tuple[int, int]
    hits: tuple[int, int] | None
    interval: tuple[float, float]
    round: int
    seen: int
    sessions: int


class TrialRuling(TrialPoint):
    """A verdict, the e-values it was given on, and the proposal that came of it."""

    harms: float
    helps: float
    proposal_id: str | None
    verdict: Verdict


class Trial(Wire):
    """A memory on trial. ``standing`` is what was counted so far; lists leave it null. ``verdict`` is the last one
    on the text that is tried."""

    id: str
    began_by: str
    budget: int
    created_at: Timestamp
    ended_at: Timestamp | None
    ended_by: str | None
    finding_id: str | None
    memory_id: str
    memory_store_id: str
    path: str
    patience_days: int
    proposal_id: str | None
    rounds: list[TrialRound]
    rulings: list[TrialRuling]
    share: float
    standing: TrialPoint | None
    status: Status
    verdict: Verdict
    why: str | None
    type: Literal["trial"] = "trial"


class TrialHistory(Wire):
    """The curve of a trial, round by round, and its verdicts."""

    points: list[TrialPoint]
    rulings: list[TrialRuling]
    trial_id: str
    type: Literal["trial_history"] = "trial_history"


class TrialLook(Wire):
    """What a look at all running trials found; ``decided`` names those that it ended or withdrew."""

    data: list[Trial]
    decided: list[str]
    type: Literal["trial_look"] = "trial_look"


class TrialCreate(Ask):
    """Put a memory on trial. ``finding_id``: what it is about, where it is not what it was proposed for. ``author``:
    the person whom the key speaks for."""

    memory_id: Id
    memory_store_id: Id
    author: Author | None = None
    budget: Budget = BUDGET
    finding_id: Id | None = None
    patience_days: Days = PATIENCE_DAYS
    share: Share = SHARE


class ApprovalTrial(Ask):
    """Put what is approved on trial at once, before any session sees it."""

    budget: Budget = BUDGET
    patience_days: Days = PATIENCE_DAYS
    share: Share = SHARE


class TrialAct(Ask):
    """``author`` as in ``TrialCreate``; ``why`` is kept with the trial."""

    author: Author | None = None
    why: Annotated[str, Meta(max_length=1000)] | None = None


class TrialList(Ask):
    """A page of trials, newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    memory_store_id: str | None = None
    page: str | None = None
    status: Status | None = None
