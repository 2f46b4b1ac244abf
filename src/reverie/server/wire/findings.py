"""Findings on the wire: a claim with its numbers, and the exact places that show it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import field

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = [
    "Citation",
    "Comparison",
    "Condition",
    "Counts",
    "Effect",
    "Finding",
    "FindingList",
    "MinerRef",
    "Rate",
    "Source",
]


class Rate(Wire):
    """``successes`` of ``total``; ``rate`` is null where the total is 0."""

    rate: float | None
    successes: int
    total: int


class Comparison(Wire):
    """Two success rates side by side: their difference with its 95 % interval, and the test."""

    difference: float
    interval: list[float]
    method: str
    odds_ratio: float | None
    p_value: float
    strata: int
    with_: Rate = field(name="with")
    without: Rate


class Effect(Wire):
    """What the outcomes say, over all sessions and within comparable ones."""

    note: str | None
    raw: Comparison | None
    stratified_by: str | None
    within_task: Comparison | None


class Counts(Wire):
    """How much independent evidence there is."""

    agents: int
    days: int
    occurrences: int
    of_sessions: int
    sessions: int
    users: int


class Condition(Wire):
    """One condition of a pattern; ``interval`` bounds a found threshold (95 %)."""

    attribute: str
    interval: list[float | None] | None
    op: str
    value: Any


class Source(Wire):
    """Where an imported event was read."""

    format: str
    line: int | None
    pointer: str | None
    uri: str


class Citation(Wire):
    """An exact place: a stretch of a text of an event. ``quote`` is null where the event is gone.
    ``session_url`` and ``event_url`` lead there."""

    at: Timestamp | None
    end: int
    event_id: str
    event_type: str | None
    event_url: str
    path: str
    quote: str | None
    seq: int
    session_id: str
    session_url: str
    source: Source | None
    start: int
    type: Literal["citation"] = "citation"


class MinerRef(Wire):
    """Who found it, with what settings."""

    name: str
    parameters: dict[str, Any]
    version: str


class Finding(Wire):
    """A claim. ``key`` is the idea across dreams, ``id`` this claim with these numbers."""

    id: str
    claim: str
    conditions: list[Condition]
    counter_evidence: list[Citation]
    counts: Counts
    effect: Effect
    evidence: list[Citation]
    first_seen: Timestamp | None
    key: str
    kind: str
    last_seen: Timestamp | None
    miner: MinerRef
    nature: str
    origins: list[str]
    p_adjusted: float | None
    p_value: float | None
    sessions: list[str]
    statement: dict[str, Any]
    synonyms: list[str]
    weight: float
    type: Literal["finding"] = "finding"


class FindingList(Ask):
    """A page of a dream's findings, the weightiest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
