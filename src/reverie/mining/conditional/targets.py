"""What can be asked of a corpus: does this tool's call fail, does this error occur, does a session fail?

Each question is a set of cases (calls or sessions) with what was known before, and a target.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final, Literal

import numpy as np

from reverie.domain.events import Scalar
from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.conditional.arrays import Bools, Ints
from reverie.mining.conditional.axes import NotMined
from reverie.mining.conditional.cases import CHARS, Cases
from reverie.mining.conditional.scores import phi
from reverie.mining.conditional.table import Table
from reverie.mining.evidence import Sighting, failure_sighting, original_calls, plural, use_sighting
from reverie.mining.identity import Names
from reverie.mining.phrasing import code
from reverie.mining.tools import kind_of
from reverie.mining.vocabulary import vocabulary

__all__ = ["NOISE", "Question", "Survey", "question_about", "silences_of", "survey_of"]

NOISE: Final = frozenset({"lint", "compile", "test", "conflict", "exit"})
"""Failures that are the ordinary course of the work, or not the tool's."""
LEAST_FAILING: Final = 6
MOST_QUESTIONS: Final = 20
MOSTLY: Final = 0.9
STEADY: Final = 0.8
REPORTS: Final = frozenset(
    vocabulary(
        """
        status outcome result success succeeded passed failed failure error errors verdict
        resolution resolved exit_code done complete completed ok score grade reward
        """
    )
)
"""Arguments by which an agent says how it went: they follow from the outcome."""
AFTERWARDS: Final = "known only afterwards: it may follow from the outcome"
LATEST: Final = datetime.max.replace(tzinfo=UTC)

Own = Sequence[tuple[Observation, tuple[Call, ...]]]


@dataclass(frozen=True, slots=False)
class Question:
    """``about`` is a tool or "" (sessions), ``error`` the mistake asked for (None: any).

    ``shown`` holds, of each case where it happened, the name of the mistake and its place.
    """

    kind: Literal["call", "session"]
    about: str
    error: str | None
    cases: Cases
    happened: Bools
    shown: Mapping[int, tuple[str, Failure | None, Sighting | None]]
    spared: Sequence[Sighting | None]
    left_out: tuple[NotMined, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.about}:{self.error or 'fails'}"

    @cached_property
    def failing_sessions(self) -> int:
        return len(np.unique(self.cases.places[self.happened]))

    def table(self) -> Table:
        return self.cases.table

    def sightings(self, rows: Ints) -> list[Sighting]:
        """Where cases show: how they failed, else where they are."""
        found = (self.shown[row][2] if row in self.shown else self.spared[row] for row in map(int, rows))
        return [sighting for sighting in found if sighting is not None]

    def usual_mistake(self, rows: Ints) -> str | None:
        """The mistake that most of these failing cases are instances of."""
        seen = [self.shown[row] for row in map(int, rows) if row in self.shown]
        counts = Counter(name for name, failure, _ in seen if failure is not None)
        name = min(counts, key=lambda n: (-counts[n], n), default="")
        return name if 2 * counts[name] > len(seen) else None

    def mistake(self, rows: Ints) -> tuple[str, str] | None:
        """(name, example) of the mistake that nearly all of these failing cases are instances of."""
        seen = [self.shown[row] for row in map(int, rows) if row in self.shown]
        counts = Counter(name for name, failure, _ in seen if failure is not None)
        if not counts:
            return None
        name = min(counts, key=lambda n: (-counts[n], n))
        examples = Counter(f.example for n, f, _ in seen if f is not None and n == name)
        if counts[name] < MOSTLY * len(seen):
            return None
        return name, min(examples, key=lambda e: (-examples[e], len(e), e))


@dataclass(frozen=True, slots=True)
class Survey:
    """``questions`` worth asking, most failures first, and ``unasked``: (what about, why not)."""

    questions: Sequence[Question]
    unasked: Sequence[tuple[str, str]]


def survey_of(observations: Sequence[Observation]) -> Survey:
    """Everything worth asking, at most MOST_QUESTIONS. What to ask is chosen by totals alone."""
    unasked: list[tuple[str, str]] = []
    if not observations:
        return Survey((), ())
    own = original_calls(_originals(observations, unasked))
    every = (*_sessions_fail(own, unasked), *_calls_fail(own, unasked))
    asked = [q for q in every if q.failing_sessions >= LEAST_FAILING and not q.happened.all()]
    asked.sort(key=lambda q: (-q.failing_sessions, q.key))
    for question in asked[MOST_QUESTIONS:]:
        unasked.append((question.key, f"{MOST_QUESTIONS} targets with more failures were asked about"))
    return Survey(asked[:MOST_QUESTIONS], unasked)


def _originals(observations: Sequence[Observation], unasked: list[tuple[str, str]]) -> list[Observation]:
    """Without sessions that are another's copy under a second name: the same beginning, end and calls."""
    seen: set[object] = set()
    kept: list[Observation] = []
    for o in sorted(observations, key=lambda o: o.session_id):
        mark = (o.started_at, o.ended_at, o.user, o.task, tuple(c.signature for c in o.calls))
        if o.started_at is None or not o.calls or mark not in seen:
            kept.append(o)
        seen.add(mark)
    copies = len(observations) - len(kept)
    if copies:
        unasked.append(
            (plural(copies, "session"), "a copy of another, from another place: each was counted once")
        )
    return kept


def question_about(
    observations: Sequence[Observation], kind: str, tool: str | None, error: str | None
) -> Question | None:
    """One question asked of any corpus, however few its failures: to look at a finding again elsewhere.

    None where there is no such call, or no session that says how it ended.
    """
    own = original_calls(_originals(observations, []))
    if kind == "session":
        return next(_sessions_fail(own, [], least=0), None)
    tried = _by_tool(own).get(tool or "")
    return _Tool(tool or "", [o for o, _ in own], tried).asked(error) if tried else None


def silences_of(observations: Sequence[Observation]) -> list[Question]:
    """For each tool: of sessions in which it worked and nothing failed aloud, which failed all the same?

    The case of a session is the last call of the tool that worked. Nobody was told then that anything was wrong.
    """
    if all(o.outcome == "unknown" for o in observations):
        return []
    own = original_calls(_originals(observations, []))
    sessions = [o for o, _ in own]
    quiet = [o.outcome != "unknown" and not _failed_aloud(calls) for o, calls in own]
    found: list[Question] = []
    for name, tried in _by_tool(own).items():
        last = {
            one.place: one for tries in tried for one in tries if quiet[one.place] and not one.call.failure
        }
        if kind_of(name) != "other" or len(last) < 2 * LEAST_FAILING:
            continue
        chosen = [last[place] for place in sorted(last)]
        cases = _cases(sessions, chosen)
        failed = np.array([sessions[one.place].outcome == "failure" for one in chosen], dtype=bool)
        spared = [use_sighting(cases.session(row), one.call) for row, one in enumerate(chosen)]
        shown = {row: ("", None, spared[row]) for row in map(int, np.flatnonzero(failed))}
        if LEAST_FAILING <= int(failed.sum()) < len(chosen):
            found.append(Question("session", name, None, cases, failed, shown, spared))
    return found


def _failed_aloud(calls: Sequence[Call]) -> bool:
    """Whether a call failed and the same tool never worked after: that is asked of the calls."""
    last = {call.tool: call.failure is not None for call in calls if call.ran}
    return any(last.values())


# ---------------------------------------------------------------------- sessions


def _sessions_fail(
    own: Own, unasked: list[tuple[str, str]], least: int = LEAST_FAILING
) -> Iterator[Question]:
    known = [(o, calls) for o, calls in own if o.outcome != "unknown"]
    failed = np.array([o.outcome == "failure" for o, _ in known], dtype=bool)
    doubt = _undecided(len(known), int(failed.sum()), least)
    if doubt is not None:
        unasked.append(("which sessions fail", doubt))
        return
    sessions = [o for o, _ in known]
    given, left_out = _given_throughout(known, failed)
    begun = [calls[0].tool if calls else "" for _, calls in known]
    at = [o.started_at for o in sessions]
    own_ideas = [{name for call in calls for name in call.own} for _, calls in known]
    places = np.arange(len(known))
    cases = Cases(sessions, places, given, at, given_before=None, work=begun, own=own_ideas)
    ends = [_end_of(o) for o in sessions]
    shown = {row: ("", None, ends[row]) for row in map(int, np.flatnonzero(failed))}
    after = sorted({name for o in sessions for name in o.consequences})
    left_out += [NotMined(name, AFTERWARDS) for name in after]
    yield Question("session", "", None, cases, failed, shown, ends, tuple(left_out))


def _undecided(known: int, failed: int, least: int) -> str | None:
    """Why the outcomes tell nothing, if so."""
    if not known:
        return "no session says how it ended"
    if failed == 0:
        return f"none of {known} sessions with a known outcome failed"
    if failed == known:
        return f"all of {known} sessions with a known outcome failed: there is nothing to compare with"
    if failed < least:
        return f"only {failed} of {known} sessions failed: too few to tell circumstances from chance"
    return None


def _given_throughout(own: Own, failed: Bools) -> tuple[list[dict[str, Scalar]], list[NotMined]]:
    """Arguments that stay the same in a session: what its job was about, not one of many calls.

    Left out are those that change from call to call, those by which an agent reports how it went, and
    those that are given (nearly) only when it goes well or badly.
    """
    firsts: list[dict[str, Scalar]] = []
    steady, seen = Counter[str](), Counter[str]()
    for _, calls in own:
        values: dict[str, set[Scalar]] = defaultdict(set)
        first: dict[str, Scalar] = {}
        for call in _until_it_went_wrong(calls):
            for name, value in call.arguments.items():
                values[name].add(value)
                first.setdefault(name, value)
        firsts.append(first)
        seen.update(values.keys())
        steady.update(name for name, of_name in values.items() if len(of_name) == 1)
    reasons: dict[str, str] = {}
    for name in sorted(seen):
        if seen[name] >= LEAST_FAILING:
            reason = _unfit(name, steady[name] / seen[name], np.array([name in f for f in firsts]), failed)
            if reason is not None:
                reasons[name] = reason
        else:
            reasons[name] = f"given in fewer than {LEAST_FAILING} sessions"
    kept = [{name: value for name, value in first.items() if name not in reasons} for first in firsts]
    return kept, [NotMined(name, reason) for name, reason in reasons.items()]


def _until_it_went_wrong(calls: Sequence[Call]) -> Iterator[Call]:
    """What was called until something failed: what comes after is an answer to that, or a report of it."""
    for call in calls:
        yield call
        if call.failure is not None:
            return


def _unfit(name: str, steady: float, given: Bools, failed: Bools) -> str | None:
    if name.rpartition(".")[2].lower() in REPORTS:
        return "by its name it reports how it went"
    if name.endswith(CHARS):
        return "how much was written may follow from how it went"
    if steady < STEADY:
        return "it changes from call to call: ask of the calls"
    if abs(_correlation(given, failed)) >= MOST_TELLING:
        return "whether it is given at all goes with the outcome: it may follow from it"
    return None


MOST_TELLING: Final = 0.3


def _correlation(one: Bools, failed: Bools) -> float:
    n, k = (np.array([rows.sum()], dtype=np.float64) for rows in (one, one & failed))
    return float(phi(k, n, float(failed.sum()), float(len(failed)))[0])


def _end_of(observation: Observation) -> Sighting | None:
    """A place that stands for how a session went: its last failure, else its last call, else a remark."""
    for call in reversed(observation.calls):
        if call.failure is not None:
            return failure_sighting(observation, call, call.failure)
    if observation.calls:
        return use_sighting(observation, observation.calls[-1])
    remark = observation.remarks[0] if observation.remarks else None
    return None if remark is None else Sighting(observation, remark.at, remark.span)


# ---------------------------------------------------------------------- calls


@dataclass(frozen=True, slots=True)
class _Try:
    """One call: ``before`` are the tools that had worked by then in its session, and how often any had; ``tried`` those
    that had been called.

    ``made`` are the mistakes it shows, by name, in their order.
    """

    place: int
    call: Call
    before: tuple[frozenset[str], int]
    tried: frozenset[str]
    made: dict[str, Failure]


def _calls_fail(own: Own, unasked: list[tuple[str, str]]) -> Iterator[Question]:
    sessions = [o for o, _ in own]
    seldom = 0
    for name, tried in _by_tool(own).items():
        if kind_of(name) == "agent":
            continue  # what another agent failed at is asked of its own calls
        tool = _Tool(name, sessions, tried)
        if len({first.place for first, *_ in tried if first.made}) < LEAST_FAILING and not tool.errors:
            seldom += 1
        elif all(first.made for first, *_ in tried):
            unasked.append((code(name), "every call of it fails: there is nothing to compare with"))
        else:
            yield from tool.questions()
    if seldom:
        unasked.append((plural(seldom, "tool"), f"failing in fewer than {LEAST_FAILING} sessions"))


def _by_tool(own: Own) -> dict[str, list[list[_Try]]]:
    """For each tool its calls that ran and have a result, those of a session with the same arguments together."""
    names = Names(own)
    found: dict[str, list[list[_Try]]] = defaultdict(list)
    for place, (_, calls) in enumerate(own):
        same: dict[str, list[_Try]] = {}
        tools, tried, worked = frozenset[str](), frozenset[str](), 0
        for call in calls:
            if not call.ran or call.result_event_id is None:
                continue
            if call.signature not in same:
                same[call.signature] = []
                found[call.tool].append(same[call.signature])
            same[call.signature].append(_Try(place, call, (tools, worked), tried, _made(call, names)))
            tried = tried if call.tool in tried else tried | {call.tool}
            if call.failure is None:
                worked += 1
                tools = tools if call.tool in tools else tools | {call.tool}
    return dict(sorted(found.items()))


def _made(call: Call, names: Names) -> dict[str, Failure]:
    """What went wrong, by the mistake's name, but for the ordinary course of the work."""
    if call.failure is None:
        return {}
    told = [f for f in (call.failure, *call.also) if f.kind not in NOISE and f.template]
    return {names.of(f).key: f for f in reversed(told)}


@dataclass(frozen=True, slots=False)
class _Tool:
    """One tool. Doing the very same again is no independent evidence: of equal calls of a session one counts,
    the first; for a single error the first that shows it or goes well, past calls that failed otherwise."""

    name: str
    sessions: Sequence[Observation]
    tried: Sequence[Sequence[_Try]]

    @cached_property
    def errors(self) -> dict[str, int]:
        """Errors that occur in enough sessions, with the number of cases."""
        rows: dict[str, list[int]] = defaultdict(list)
        for tries in self.tried:
            for error in {error for one in tries for error in one.made}:
                rows[error].append(tries[0].place)
        return {error: len(rows[error]) for error in sorted(rows) if len(set(rows[error])) >= LEAST_FAILING}

    @cached_property
    def firsts(self) -> Cases:
        return _cases(self.sessions, [tries[0] for tries in self.tried])

    def questions(self) -> Iterator[Question]:
        """Does it fail, and for each error that is not nearly all of its failures: does that occur?"""
        yield self.asked(None)
        failing = sum(any(one.made for one in tries) for tries in self.tried)
        for error, cases in self.errors.items():
            if cases < MOSTLY * failing:
                yield self.asked(error)

    def asked(self, error: str | None) -> Question:
        chosen = [tries[0] for tries in self.tried] if error is None else self._decisive(error)
        again = any(one is not tries[0] for one, tries in zip(chosen, self.tried, strict=True))
        cases = _cases(self.sessions, chosen) if again else self.firsts
        happened = np.array([bool(one.made if error is None else error in one.made) for one in chosen])
        spared = [use_sighting(cases.session(row), one.call) for row, one in enumerate(chosen)]
        shown: dict[int, tuple[str, Failure | None, Sighting | None]] = {}
        for row in map(int, np.flatnonzero(happened)):
            made = chosen[row].made
            name = error or next(reversed(made))
            shown[row] = name, made[name], Sighting(cases.session(row), spared[row].at, made[name].span)
        after = sorted({told for one in chosen for told in one.call.after})
        left_out = tuple(NotMined(told, AFTERWARDS) for told in after)
        return Question("call", self.name, error, cases, happened, shown, spared, left_out)

    def _decisive(self, error: str) -> list[_Try]:
        return [next((o for o in tries if error in o.made or not o.made), tries[0]) for tries in self.tried]


def _cases(sessions: Sequence[Observation], chosen: Sequence[_Try]) -> Cases:
    used = sorted({one.place for one in chosen})
    index = {place: i for i, place in enumerate(used)}
    own = [sessions[place] for place in used]
    places = np.array([index[one.place] for one in chosen], dtype=np.int64)
    calls = [one.call for one in chosen]
    at = [call.at or own[place].started_at for call, place in zip(calls, map(int, places), strict=True)]
    given, before = [call.arguments for call in calls], [one.before for one in chosen]
    tried = [one.tried for one in chosen]
    return Cases(own, places, given, at, before=before, tried=tried, own=[call.own for call in calls])
