"""What stands behind a claim: where it was seen, by whom, how often, and what became of the sessions.

Counts are of independent evidence. A session that was resumed or forked carries a copy of another's
history; a copied event is one event, and counts for the session it first stood in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from reverie.domain.events import Json
from reverie.domain.findings import (
    Citation,
    Comparison,
    Counts,
    Effect,
    Finding,
    FindingKind,
    Nature,
    OriginClass,
    Rate,
    Stratum,
)
from reverie.domain.ids import derived_id
from reverie.domain.observations import Call, Failure, Observation, Remark, Span
from reverie.mining.statistics import Table, compare, compare_within

__all__ = [
    "MAX_COUNTER_EVIDENCE",
    "MAX_EVIDENCE",
    "Claim",
    "Sighting",
    "chosen",
    "counted",
    "counts_of",
    "days_of",
    "effect_of",
    "failure_sighting",
    "original_calls",
    "original_remarks",
    "plural",
    "strata_of",
    "use_sighting",
]

MAX_EVIDENCE: Final = 5
MAX_COUNTER_EVIDENCE: Final = 3
MAX_STRATA: Final = 40
FEW_STRATA: Final = 10

_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One place where something was seen."""

    observation: Observation
    at: datetime | None
    span: Span

    @property
    def day(self) -> str | None:
        """The day it was seen (of the event where it has a time, else of the session), UTC."""
        return self.at.astimezone(UTC).date().isoformat() if self.at else self.observation.day

    @property
    def order(self) -> tuple[datetime, str, int, str, int]:
        return (
            self.at or _LATEST,
            self.observation.session_id,
            self.span.seq,
            self.span.path,
            self.span.start,
        )


def original_calls(observations: Iterable[Observation]) -> list[tuple[Observation, tuple[Call, ...]]]:
    """Every session with those of its calls that are its own, not copied from an earlier session."""
    copies = _Copies()
    return [
        (o, tuple(c for c in o.calls if copies.is_first(o, c.at, c.signature)))
        for o in _by_start(observations)
    ]


def original_remarks(observations: Iterable[Observation]) -> list[tuple[Observation, tuple[Remark, ...]]]:
    """Every session with those of its remarks that are its own."""
    copies = _Copies()
    return [
        (o, tuple(r for r in o.remarks if copies.is_first(o, r.at, r.text))) for o in _by_start(observations)
    ]


class _Copies:
    """Which session had an event first. A copy is told by its time, to the fraction of a second, and its
    content; a clock that only counts seconds tells nothing, and two people never share an event."""

    def __init__(self) -> None:
        self._owners: dict[tuple[datetime, str, str | None], str] = {}

    def is_first(self, observation: Observation, at: datetime | None, content: str) -> bool:
        if at is None or not at.microsecond:
            return True
        owner = self._owners.setdefault((at, content, observation.user), observation.session_id)
        return owner == observation.session_id


def _by_start(observations: Iterable[Observation]) -> list[Observation]:
    return sorted(observations, key=lambda o: (o.started_at or _LATEST, o.session_id))


def counts_of(sightings: Sequence[Sighting], of_sessions: int) -> Counts:
    """Sessions, and the distinct users, agents and days behind them (0 where the source names none)."""
    seen = {s.observation.session_id: s.observation for s in sightings}.values()
    return Counts(
        sessions=len(seen),
        of_sessions=max(of_sessions, len(seen)),
        occurrences=len(sightings),
        users=len({o.user for o in seen if o.user is not None}),
        agents=len({o.agent for o in seen if o.agent is not None}),
        days=days_of(sightings),
    )


def days_of(sightings: Iterable[Sighting]) -> int:
    return len({s.day for s in sightings if s.day is not None})


def chosen(sightings: Iterable[Sighting], most: int) -> tuple[Citation, ...]:
    """The places to show: one a session, users in turn, in order of time; without empty places."""
    first: dict[str, Sighting] = {}
    for s in sorted(sightings, key=lambda s: s.order):
        if s.span.end > s.span.start:
            first.setdefault(s.observation.session_id, s)
    by_user: dict[str | None, list[Sighting]] = defaultdict(list)
    for s in first.values():
        by_user[s.observation.user].append(s)
    turns = [(i, s.order, s) for group in by_user.values() for i, s in enumerate(group)]
    picked = [s for _, _, s in sorted(turns, key=lambda t: t[:2])[:most]]
    return tuple(Citation(s.observation.session_id, s.span) for s in sorted(picked, key=lambda s: s.order))


def strata_of(observations: Sequence[Observation]) -> tuple[str | None, Callable[[Observation], str | None]]:
    """What makes sessions comparable here: the task, else the cluster of the request, else the repository."""
    for name in ("task", "cluster", "repository"):
        values = [getattr(o, name) for o in observations if getattr(o, name) is not None]
        if len(set(values)) < len(values):  # at least one stratum holds two sessions
            return name, lambda o, name=name: getattr(o, name)
    return None, lambda _: None


def effect_of(observations: Sequence[Observation], having: set[str]) -> Effect:
    """What the outcomes say of the sessions ``having`` something, against all others whose outcome is known."""
    known = [o for o in observations if o.outcome != "unknown"]
    if not known:
        return Effect(note="no session says how it ended")
    raw = compare(_table(known, having))
    if raw is None:
        return Effect(note="no outcome is known on one of the two sides")
    name, stratum = strata_of(known)
    groups: dict[str, list[Observation]] = defaultdict(list)
    for o in known:
        key = stratum(o)
        if key is not None:
            groups[key].append(o)
    tables = {key: _table(groups[key], having) for key in sorted(groups)}
    within = compare_within(list(tables.values()))
    return Effect(raw, within, name if within else None, _note(raw, within, name), _strata(tables))


def _strata(tables: Mapping[str, Table]) -> tuple[Stratum, ...]:
    """The strata to show: those with sessions of both kinds first, the largest first."""
    shown = [Stratum(name, Rate(t.a, t.n), Rate(t.b, t.m)) for name, t in tables.items()]
    shown.sort(
        key=lambda s: (not (s.with_.total and s.without.total), -s.with_.total - s.without.total, s.name)
    )
    return tuple(shown[:MAX_STRATA])


def _table(observations: Iterable[Observation], having: set[str]) -> Table:
    a = n = b = m = 0
    for o in observations:
        success = o.outcome == "success"
        if o.session_id in having:
            n += 1
            a += success
        else:
            m += 1
            b += success
    return Table(a, n, b, m)


def _note(raw: Comparison, within: Comparison | None, name: str | None) -> str | None:
    if name is None:
        return "no two sessions are comparable (no task, no like request): the raw figure may be difficulty alone"
    if within is None:
        return f"no {name} has sessions of both kinds: the raw figure may be difficulty alone"
    strata = plural(within.strata, f"comparable {name}")
    if within.with_.successes + within.without.successes in (0, within.with_.total + within.without.total):
        return f"{strata}, all with the same outcome: nothing can be said within them"
    if raw.high < 0 <= within.difference:
        return f"{_points(raw)} overall, {_points(within)} within {strata}: explained by difficulty"
    return f"only {strata}: weak" if within.strata < FEW_STRATA else None


def _points(comparison: Comparison) -> str:
    return f"{round(100 * comparison.difference):+d} points"


def plural(number: int, noun: str) -> str:
    """``3 sessions``, ``1 session``, ``2 comparable repositories``."""
    if number == 1:
        return f"1 {noun}"
    return (
        f"{number} {noun[:-1]}ies"
        if noun.endswith("y") and noun[-2:-1] not in "aeiou"
        else f"{number} {noun}s"
    )


def counted(counts: Counts, doing: str = "") -> str:
    """``in 4 of 61 sessions that run it, by 3 users, on 4 days``; what is unknown is not said."""
    text = f"in {counts.sessions} of {plural(counts.of_sessions, 'session')}{doing}"
    if counts.users:
        text += f", by {plural(counts.users, 'user')}"
    if counts.days:
        text += f", on {plural(counts.days, 'day')}"
    return text


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding before it has an id."""

    kind: FindingKind
    idea: str
    nature: Nature
    text: str
    statement: Mapping[str, Json]
    sightings: Sequence[Sighting]
    of_sessions: int
    counter: Sequence[Sighting]
    effect: Effect
    origins: tuple[OriginClass, ...]
    weight: float
    p_value: float | None = None
    p_adjusted: float | None = None

    def finding(self, miner: str, version: str, parameters: Mapping[str, Json]) -> Finding:
        """The finding: its key names the idea, its id this claim with these numbers."""
        counts = counts_of(self.sightings, self.of_sessions)
        evidence = chosen(self.sightings, MAX_EVIDENCE)
        counter = chosen(self.counter, MAX_COUNTER_EVIDENCE)
        times = sorted(s.at for s in self.sightings if s.at is not None)
        key = f"{miner}:{self.idea}"
        numbers = (self.text, counts, self.effect, self.p_value, self.p_adjusted, evidence, counter)
        return Finding(
            id=derived_id("find", key, version, repr(numbers)),
            key=key,
            kind=self.kind,
            nature=self.nature,
            claim=self.text,
            statement=self.statement,
            miner=miner,
            miner_version=version,
            parameters=parameters,
            counts=counts,
            effect=self.effect,
            p_value=self.p_value,
            p_adjusted=self.p_adjusted,
            first_seen=times[0] if times else None,
            last_seen=times[-1] if times else None,
            evidence=evidence,
            counter_evidence=counter,
            origins=self.origins,
            sessions=tuple(sorted({s.observation.session_id for s in self.sightings})),
            weight=round(self.weight, 4),
        )


def failure_sighting(observation: Observation, call: Call, failure: Failure) -> Sighting:
    """Where a call failed."""
    return Sighting(observation, call.at, failure.span)


def use_sighting(observation: Observation, call: Call) -> Sighting:
    """Where a call was made."""
    return Sighting(observation, call.at, call.use)
