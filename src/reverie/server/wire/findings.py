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
    "Exclude",
    "Exclusion",
    "Finding",
    "FindingList",
    "Include",
    "MinerRef",
    "Rate",
    "Recount",
    "Source",
    "Stratum",
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


class Stratum(Wire):
    """Comparable sessions, with and without what is claimed."""

    name: str
    with_: Rate = field(name="with")
    without: Rate


class Effect(Wire):
    """What the outcomes say, over all sessions and within comparable ones; ``strata`` are those that can be
    compared, then the largest others (empty where the miner keeps none)."""

    note: str | None
    raw: Comparison | None
    strata: list[Stratum]
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


class Exclusion(Wire):
    """A session, or one event of it, that is not evidence for an idea, and who says so."""

    at: Timestamp
    by: str
    event_id: str | None
    id: str
    reason: str
    session_id: str
    type: Literal["exclusion"] = "exclusion"


class Recount(Wire):
    """A finding as it counts without what was marked: its miner still makes the claim (``stands``, with its
    numbers), no longer does (``fallen``), or cannot be asked (``unknown``). ``standing`` is null where nothing
    is marked."""

    counts: Counts | None
    effect: Effect | None
    exclusions: list[Exclusion]
    finding_id: str
    p_adjusted: float | None
    standing: Literal["stands", "fallen", "unknown"] | None
    why: str | None
    type: Literal["recount"] = "recount"


class Exclude(Ask):
    """Say that a session, or one event of it, is not evidence. ``reviewer`` names the person a program
    decides for."""

    session_id: str
    event_id: str | None = None
    reason: Annotated[str, Meta(max_length=1_000)] = ""
    reviewer: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class Include(Ask):
    """Let a mark count no longer."""

    reviewer: Annotated[str, Meta(min_length=1, max_length=100)] | None = None


class FindingList(Ask):
    """A page of a dream's findings, the weightiest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
