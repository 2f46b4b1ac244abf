"""What can be asked of a corpus: does this tool's call fail, does this error occur, does a session fail?

Each question is a table of rows (calls or sessions) with what was known before, and a target.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from reverie.domain.events import Scalar
from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.conditional.table import Table
from reverie.mining.evidence import Sighting, failure_sighting, original_calls, strata_of, use_sighting
from reverie.mining.identity import Names

__all__ = ["Question", "questions"]

NOISE: Final = frozenset({"lint", "compile", "test", "conflict", "exit"})
"""Failures that are the ordinary course of the work, or not the tool's."""
LEAST_FAILING: Final = 6
MOST_QUESTIONS: Final = 20
MOSTLY: Final = 0.9
LATEST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Row:
    """One call or one session: what was known before, whether it happened, and where that shows."""

    observation: Observation
    known: Mapping[str, Scalar]
    at: datetime | None
    happened: bool
    sighting: Sighting | None


@dataclass(frozen=True, slots=True)
class Question:
    """``about`` is a tool or "" (sessions), ``error`` the mistake asked for (None: any), with an ``example``."""

    kind: Literal["call", "session"]
    about: str
    error: str | None
    example: str
    rows: Sequence[_Row]

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.about}:{self.error or 'fails'}"

    @property
    def happened(self) -> list[bool]:
        return [row.happened for row in self.rows]

    @property
    def failing_sessions(self) -> int:
        return len({row.observation.session_id for row in self.rows if row.happened})

    def table(self) -> Table:
        names = list(dict.fromkeys(name for row in self.rows for name in row.known))
        values = {name: [row.known.get(name) for row in self.rows] for name in sorted(names)}
        return Table.from_values(values, hours=[name for name in values if _is_hours(name, values[name])])

    def users(self) -> list[str | None]:
        return [row.observation.user for row in self.rows]

    def sessions(self) -> list[str] | None:
        """None where every row is a session of its own."""
        return None if self.kind == "session" else [row.observation.session_id for row in self.rows]

    def times(self) -> list[float | None]:
        return [None if row.at is None else row.at.timestamp() for row in self.rows]

    def strata(self) -> tuple[str | None, list[str | None] | None]:
        """The name of what makes sessions comparable, and each row's stratum (a row without: one of its own)."""
        name, stratum = strata_of([row.observation for row in self.rows])
        if name is None:
            return None, None
        return name, [stratum(row.observation) or row.observation.session_id for row in self.rows]


def questions(observations: Sequence[Observation]) -> list[Question]:
    """Everything worth asking, most failures first, at most MOST_QUESTIONS. What to ask is chosen by totals alone."""
    own = original_calls(observations)
    names = Names(own)
    found = [_outcome(observations)]
    by_tool: dict[str, list[_Attempts]] = defaultdict(list)
    for observation, calls in own:
        for attempts in _attempts(observation, calls):
            by_tool[attempts.calls[0].tool].append(attempts)
    for tool in sorted(by_tool):
        found += _of_tool(tool, by_tool[tool], names)
    worth = [q for q in found if q.failing_sessions >= LEAST_FAILING and not all(q.happened)]
    return sorted(worth, key=lambda q: (-q.failing_sessions, q.key))[:MOST_QUESTIONS]


def _outcome(observations: Sequence[Observation]) -> Question:
    """Which sessions fail?"""
    rows = [
        _Row(o, o.attributes, o.started_at, o.outcome == "failure", _end_of(o))
        for o in sorted(observations, key=lambda o: (o.started_at or LATEST, o.session_id))
        if o.outcome != "unknown"
    ]
    return Question("session", "", None, "", rows)


def _end_of(observation: Observation) -> Sighting | None:
    """A place that stands for how a session went: its last failure, else its last call, else a remark."""
    for call in reversed(observation.calls):
        if call.failure is not None:
            return failure_sighting(observation, call, call.failure)
    if observation.calls:
        return use_sighting(observation, observation.calls[-1])
    remark = observation.remarks[0] if observation.remarks else None
    return None if remark is None else Sighting(observation, remark.at, remark.span)


@dataclass(frozen=True, slots=True)
class _Attempts:
    """The same call made once or more in a session: one row, for retries are no independent evidence."""

    observation: Observation
    calls: Sequence[Call]

    def failures(self) -> list[tuple[Call, Failure]]:
        """What went wrong in any of them, but for the ordinary course of the work."""
        found = [(c, f) for c in self.calls if c.failure is not None for f in (c.failure, *c.also)]
        return [(c, f) for c, f in found if f.kind not in NOISE and f.template]

    def row(self, known: Mapping[str, Scalar], shown: tuple[Call, Failure] | None) -> _Row:
        call = self.calls[0] if shown is None else shown[0]
        seen = (
            use_sighting(self.observation, call)
            if shown is None
            else failure_sighting(self.observation, *shown)
        )
        return _Row(self.observation, known, call.at or self.observation.started_at, shown is not None, seen)


def _attempts(observation: Observation, calls: Sequence[Call]) -> list[_Attempts]:
    """Calls that ran and have a result, those with the same arguments together."""
    groups: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.ran and call.result_event_id is not None:
            groups[call.signature].append(call)
    return [_Attempts(observation, group) for group in groups.values()]


def _of_tool(tool: str, tried: Sequence[_Attempts], names: Names) -> Iterator[Question]:
    """Does it fail, and for each error that is not nearly all of its failures: does that occur?"""
    failures = [attempts.failures() for attempts in tried]
    by_error = [{names.of(f).key: (c, f) for c, f in reversed(found)} for found in failures]
    totals = Counter(key for found in by_error for key in found)
    failing = sum(bool(found) for found in failures)
    known = [_known_before(attempts.observation, attempts.calls[0]) for attempts in tried]

    def asked(error: str | None) -> Question:
        shown = [
            (found[0] if found else None) if error is None else mine.get(error)
            for found, mine in zip(failures, by_error, strict=True)
        ]
        example = next((seen[1].example for seen in shown if seen is not None), "")
        rows = [attempts.row(k, seen) for attempts, k, seen in zip(tried, known, shown, strict=True)]
        return Question("call", tool, error, example, rows)

    yield asked(None)
    for key in sorted(totals):
        if LEAST_FAILING <= totals[key] < MOSTLY * failing:
            yield asked(key)


def _known_before(observation: Observation, call: Call) -> Mapping[str, Scalar]:
    """A call's arguments under their own names, and what was known of its session (with the call's own hour)."""
    session = dict(observation.attributes)
    hour = _hour_of(observation, call.at)
    if hour is not None:
        session["hour"] = hour
    renamed = {
        f"session.{name}" if name in call.arguments else name: value for name, value in session.items()
    }
    return renamed | dict(call.arguments)


def _hour_of(observation: Observation, at: datetime | None) -> int | None:
    """The hour of a call in the zone in which the session's own hour was told."""
    told, started = observation.attributes.get("hour"), observation.started_at
    if at is None or started is None or not isinstance(told, int):
        return None
    return (at.astimezone(UTC).hour + told - started.astimezone(UTC).hour) % 24


def _is_hours(name: str, values: Sequence[Scalar]) -> bool:
    """Whether an attribute's name and values say hours of the day."""
    if name.rpartition(".")[2] not in ("hour", "hour_of_day"):
        return False
    return all(
        isinstance(v, int | float) and not isinstance(v, bool) and 0 <= v < 24
        for v in values
        if v is not None
    )
