"""Findings: what a miner says, with the numbers, the counter-examples and the exact places.

Evidence points, it does not copy: a ``Citation`` is a span of an event, and its quote is read back
from the log when someone looks. After a redaction it reads "redacted" and still says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from reverie.domain.events import Json, Scalar
from reverie.domain.observations import Span

__all__ = [
    "Citation",
    "Comparison",
    "Condition",
    "Counts",
    "Effect",
    "Finding",
    "FindingKind",
    "Nature",
    "OriginClass",
    "Rate",
    "Silence",
    "Stratum",
]

FindingKind = Literal[
    "recurring_mistake",
    "workaround",
    "preference",
    "conditional_pattern",
    "workflow",
    "stale_memory",
    "contradiction",
]

Nature = Literal[
    "behaviour",  # something an agent does and can change: becomes an instruction
    "situation",  # something that happens to an agent: becomes a warning
    "tautology",  # restates the outcome: becomes nothing
    "explained",  # vanishes within comparable tasks ("explained by difficulty"): becomes nothing
]

OriginClass = Literal[
    "user",  # a person typed it
    "agent",  # the agent's own words or choices
    "tool",  # output of tools, web pages, files: untrusted
]


@dataclass(frozen=True, slots=True)
class Citation:
    """An exact place that shows (or speaks against) a claim."""

    session_id: str
    span: Span


@dataclass(frozen=True, slots=True)
class Rate:
    """``successes`` of ``total``; a rate is undefined where ``total`` is 0."""

    successes: int
    total: int

    @property
    def value(self) -> float | None:
        return self.successes / self.total if self.total else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two success rates side by side.

    ``difference`` = with − without, in [−1, 1]; ``low`` and ``high`` its 95 % interval. For a stratified
    comparison it is the Mantel–Haenszel weighted risk difference over the ``strata`` that hold sessions
    of both kinds, with ``odds_ratio`` the Mantel–Haenszel odds ratio. ``method`` names test and interval.
    """

    with_: Rate
    without: Rate
    difference: float
    low: float
    high: float
    p_value: float
    method: str
    strata: int = 0
    odds_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Stratum:
    """Comparable sessions (of one task, request cluster or repository), with and without what is claimed."""

    name: str
    with_: Rate
    without: Rate


@dataclass(frozen=True, slots=True)
class Effect:
    """What the sessions' outcomes say: over all of them, and within comparable ones.

    ``stratified_by`` names the stratum (task, request cluster, repository). Either comparison is None
    where it cannot be made; ``note`` then says why, in words a reader can repeat. ``strata`` are those that
    can be compared (sessions on both sides), then the largest others; empty where the miner keeps none.
    """

    raw: Comparison | None = None
    within: Comparison | None = None
    stratified_by: str | None = None
    note: str | None = None
    strata: tuple[Stratum, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Independent evidence: ``sessions`` of ``of_sessions`` that could have shown it; how many
    ``occurrences`` in them; by how many distinct ``users``, ``agents``, on how many ``days``.
    A count of users or agents is 0 where the source does not name them."""

    sessions: int
    of_sessions: int
    occurrences: int
    users: int
    agents: int
    days: int


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a conditional pattern. ``value`` is a list for ``in``, a scalar otherwise;
    ``low``/``high`` bound a found threshold (95 %)."""

    attribute: str
    op: Literal["==", ">=", "<", "in"]
    value: Scalar | tuple[Scalar, ...]
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim. ``key`` identifies the *idea* across dreams and stores (the same mistake tomorrow has
    the same key), ``id`` this claim with these numbers. ``statement`` is the claim as data."""

    id: str
    key: str
    kind: FindingKind
    nature: Nature
    claim: str
    statement: Mapping[str, Json]
    miner: str
    miner_version: str
    parameters: Mapping[str, Json]
    counts: Counts
    effect: Effect
    p_value: float | None
    p_adjusted: float | None
    first_seen: datetime | None
    last_seen: datetime | None
    evidence: tuple[Citation, ...]
    counter_evidence: tuple[Citation, ...]
    origins: tuple[OriginClass, ...]
    sessions: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    synonyms: tuple[str, ...] = ()
    weight: float = field(default=0.0)


@dataclass(frozen=True, slots=True)
class Silence:
    """Something that ``miner`` could not look at, or cannot say yet, and why: kept with the dream, so that
    "nothing was found" and "nothing could be looked for" never read alike."""

    miner: str
    about: str
    why: str
