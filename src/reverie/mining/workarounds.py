"""Workarounds: after this error, that works, and better than what else was tried.

A naive list of "what was done next and went well" is mostly noise. Here a response to an error must have
worked more often than plain retry (or, where nobody retried, than all other responses), one vote a session.
The exact test is made three times, within users, within comparable tasks and within periods, and the worst
of the three counts: luck of a user, easy cases, or a world that heals while habits change are no workaround.
The false-discovery rate is controlled over every pair of error and response that was tried at all.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeAlias

from reverie.domain.events import Json
from reverie.domain.findings import Finding, Rate
from reverie.domain.intervals import newcombe
from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.evidence import Claim, Sighting, counted, counts_of, effect_of, original_calls, strata_of
from reverie.mining.identity import Identity, Names, failing_unit
from reverie.mining.phrasing import code, quoted
from reverie.mining.responses import RETRY, UNTOLD, Response, Trial, responses_to
from reverie.mining.statistics import Table, benjamini_hochberg, exact_p
from reverie.plugins import Corpus

__all__ = ["Workarounds"]

MIN_SESSIONS: Final = 3
FALSE_DISCOVERIES: Final = 0.05
LEAST_GAIN: Final = 0.2
LEAST_RATE: Final = 0.5
MOST_PERIODS: Final = 20
LEAST_OF_A_PERIOD: Final = 25
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
NOISE: Final = frozenset({"lint", "compile", "test", "conflict", "exit"})

_PARAMETERS: Final[Mapping[str, Json]] = {
    "min_sessions": MIN_SESSIONS,
    "false_discovery_rate": FALSE_DISCOVERIES,
    "least_gain": LEAST_GAIN,
    "least_rate": LEAST_RATE,
}


@dataclass(frozen=True, slots=True)
class _Pair:
    """An error and a response to it, compared with what else was tried."""

    identity: Identity
    response: Response
    trials: Sequence[Trial]
    others: Sequence[Trial]
    against_retry: bool
    p_value: float

    @property
    def worked(self) -> Rate:
        return _rate(self.trials)

    @property
    def other(self) -> Rate:
        return _rate(self.others)

    @property
    def gain(self) -> float:
        return (self.worked.value or 0.0) - (self.other.value or 0.0)


class Workarounds:
    """Responses to errors that work (``plugins.Miner``)."""

    @property
    def name(self) -> str:
        return "workarounds"

    @property
    def version(self) -> str:
        return "2"

    def mine(self, corpus: Corpus) -> Iterable[Finding]:
        """Findings in order of weight: the best response to each error that has a proven one."""
        own = original_calls(corpus.observations)
        comparable = strata_of(corpus.observations)[1]
        pairs = [pair for trials in _by_error(own).values() for pair in _pairs(trials, comparable)]
        adjusted = benjamini_hochberg([pair.p_value for pair in pairs])
        best: dict[str, tuple[_Pair, float]] = {}
        for pair, p in zip(pairs, adjusted, strict=True):
            if p > FALSE_DISCOVERIES or pair.gain < LEAST_GAIN or (pair.worked.value or 0) < LEAST_RATE:
                continue
            key = pair.identity.key
            if key not in best or _rank(pair) < _rank(best[key][0]):
                best[key] = pair, p
        claims = [_claim(pair, p, corpus.observations, len(pairs)) for pair, p in best.values()]
        findings = [c.finding(self.name, self.version, _PARAMETERS) for c in claims]
        return sorted(findings, key=lambda f: (-f.weight, f.key))


Own = Sequence[tuple[Observation, tuple[Call, ...]]]


def _by_error(own: Own) -> dict[str, list[tuple[Identity, Trial]]]:
    """Every trial under the mistake it answers."""
    names = Names(own)
    found: dict[str, list[tuple[Identity, Trial]]] = defaultdict(list)
    for o, calls in own:
        for call, failure in _failures(calls):
            for trial in responses_to(o, calls, call, failure):
                identity = names.of(failure)
                found[identity.key].append((identity, trial))
    return dict(sorted(found.items()))


def _failures(calls: Iterable[Call]) -> Iterator[tuple[Call, Failure]]:
    for call in calls:
        if call.failure is not None and call.failure.template and call.failure.kind not in NOISE:
            yield call, call.failure


def _pairs(answers: Sequence[tuple[Identity, Trial]], comparable: _Stratum) -> Iterator[_Pair]:
    """The responses to one error that were tried in enough sessions, each against the rest."""
    by_label: dict[str, dict[str, Trial]] = defaultdict(dict)
    for _, trial in answers:  # one vote a session and response: its first
        by_label[trial.response.label].setdefault(trial.observation.session_id, trial)
    retries = list(by_label.get(RETRY, {}).values())
    for label, votes in sorted(by_label.items()):
        if label == RETRY or label.startswith(UNTOLD) or len(votes) < MIN_SESSIONS:
            continue
        trials = list(votes.values())
        rest = [t for other, v in sorted(by_label.items()) if other not in (label, RETRY) for t in v.values()]
        others = retries if len(retries) >= MIN_SESSIONS else [*retries, *rest]
        if others:
            p = _p_value(trials, others, comparable)
            yield _Pair(answers[0][0], trials[0].response, trials, others, others is retries, p)


_Stratum: TypeAlias = Callable[[Observation], str | None]


def _p_value(trials: Sequence[Trial], others: Sequence[Trial], comparable: _Stratum) -> float:
    """The largest of the p-values within users, within comparable sessions and within periods."""
    periods = _periods([*trials, *others])
    ways: tuple[_Stratum, ...] = (lambda o: o.user, comparable, lambda o: periods.get(o.session_id))
    return max(exact_p(_tables(trials, others, way), alternative="greater") for way in ways)


def _periods(trials: Sequence[Trial]) -> Mapping[str, str]:
    """Session → stretch of time: each holds as many trials, at least ``LEAST_OF_A_PERIOD``."""
    times = sorted(
        {(t.answer.at or t.observation.started_at or _NEVER, t.observation.session_id) for t in trials}
    )
    number = max(1, min(MOST_PERIODS, len(times) // LEAST_OF_A_PERIOD))
    return {session: str(i * number // len(times)) for i, (_, session) in enumerate(times)}


def _tables(trials: Sequence[Trial], others: Sequence[Trial], stratum: _Stratum) -> list[Table]:
    strata: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for offset, group in ((0, trials), (2, others)):
        for t in group:
            row = strata[stratum(t.observation) or ""]
            row[offset] += t.worked
            row[offset + 1] += 1
    return [Table(*strata[key]) for key in sorted(strata)]


def _rate(trials: Sequence[Trial]) -> Rate:
    return Rate(sum(t.worked for t in trials), len(trials))


def _rank(pair: _Pair) -> tuple[float, float, str]:
    return (pair.p_value, -pair.gain, pair.response.label)


def _claim(pair: _Pair, p_adjusted: float, observations: Sequence[Observation], searched: int) -> Claim:
    sightings = [Sighting(t.observation, t.answer.at, t.answer.use) for t in pair.trials if t.worked]
    failures = [t.failure.example for t in pair.trials]
    example = min(Counter(failures).items(), key=lambda item: (-item[1], len(item[0]), item[0]))[0]
    unit = code(failing_unit(pair.trials[0].failed, pair.trials[0].failure))
    words = pair.response.words
    of_sessions = len({t.observation.session_id for t in (*pair.trials, *pair.others)})
    other = "the same again, unchanged," if pair.against_retry else "whatever else was tried"
    counts = counts_of(sightings, of_sessions)
    low, high = newcombe(pair.worked.successes, pair.worked.total, pair.other.successes, pair.other.total)
    return Claim(
        kind="workaround",
        idea=f"{pair.identity.key}→{pair.response.label}",
        nature="behaviour",
        text=f"After {unit} fails with “{quoted(example)}”, {words} worked in {pair.worked.successes} of "
        f"{pair.worked.total} sessions; {other} worked in {pair.other.successes} of {pair.other.total} "
        f"({counted(counts, ' that tried one or the other')})",
        statement={
            "topic": f"mistake:{pair.identity.key}",
            "mistake": pair.identity.key,
            "response": pair.response.label,
            "worked": [pair.worked.successes, pair.worked.total],
            "otherwise": [pair.other.successes, pair.other.total],
            "against": "retry" if pair.against_retry else "others",
            "gain": [pair.gain, low, high],
            "pairs_searched": searched,
            "title": f"After “{quoted(example)}”: {words}",
            "advice": _advice(pair, unit, example),
            "details": f"What works after it: {words}",
            "instead": _instead(pair, unit),
            "when": f"when {unit} fails",
            "example": example,
        },
        sightings=sightings,
        of_sessions=of_sessions,
        counter=[
            Sighting(t.observation, t.answer.at, t.answer.use)
            for t in (*pair.trials, *pair.others)
            if not t.worked
        ],
        effect=effect_of(observations, {s.observation.session_id for s in sightings}),
        origins=("agent", "tool"),
        weight=(1 + pair.gain)
        * math.log2(1 + counts.sessions)
        * (1 + 0.25 * min(max(counts.users - 1, 0), 4)),
        p_value=pair.p_value,
        p_adjusted=p_adjusted,
    )


def _again_is_vain(pair: _Pair) -> bool:
    return pair.against_retry and (pair.other.value or 0) < LEAST_RATE


def _instead(pair: _Pair, unit: str) -> str:
    """``use `upload_in_parts`; the same call again does not help``."""
    words = f"use {pair.response.words.removesuffix(f' instead of {unit}')}"
    return f"{words}; the same call again does not help" if _again_is_vain(pair) else words


def _advice(pair: _Pair, unit: str, example: str) -> str:
    not_again = "do not send the same call again; " if _again_is_vain(pair) else ""
    return f"When {unit} fails with “{quoted(example)}”, {not_again}use {pair.response.words}."
