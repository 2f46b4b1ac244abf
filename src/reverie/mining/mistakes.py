"""Recurring mistakes: the same error in sessions, by users and on days that have nothing to do with each other.

A claim here is a count, not a test: "in n sessions of m that could have shown it, by k users". What makes
it worth a place is that it comes back across independent sessions and could have been avoided; the
ordinary red and green of development (a failing test, a compile error) is no lesson however often it
happens, and one mistake is one finding whatever its wordings.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reverie.domain.events import Json
from reverie.domain.findings import Effect, Finding
from reverie.domain.intervals import wilson
from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.advising import Advising, advising
from reverie.mining.evidence import (
    Claim,
    Sighting,
    counted,
    counts_of,
    effect_of,
    failure_sighting,
    original_calls,
    use_sighting,
)
from reverie.mining.habits import habits
from reverie.mining.identity import Identity, Names, failing_unit, units_of
from reverie.mining.phrasing import code, listed, quoted
from reverie.mining.precondition import Precondition, missing_steps
from reverie.mining.responses import RETRY, UNTOLD, Trial, responses_to
from reverie.mining.trend import Trend, trends
from reverie.plugins import Corpus

__all__ = ["Mistake", "RecurringMistakes", "collect"]

MIN_SESSIONS: Final = 3
MIN_SESSIONS_OF_SEVERAL: Final = 2  # when they are of at least as many different users
MOSTLY: Final = 0.8
SLIGHT: Final = 0.6
FADING: Final = 0.6  # of the weight, where it comes up less and less
NOISE: Final = frozenset({"compile", "test"})
IGNORED: Final = frozenset({"conflict", "exit"})

_PARAMETERS: Final[Mapping[str, Json]] = {
    "min_sessions": MIN_SESSIONS,
    "min_sessions_of_several_users": MIN_SESSIONS_OF_SEVERAL,
}

Own = Sequence[tuple[Observation, tuple[Call, ...]]]


@dataclass(slots=True)
class Mistake:
    """Everything seen of one mistake."""

    identity: Identity
    places: list[tuple[Observation, Call, Failure]] = field(
        default_factory=list[tuple[Observation, Call, Failure]]
    )

    @property
    def sessions(self) -> set[str]:
        return {o.session_id for o, _, _ in self.places}

    @property
    def units(self) -> list[str]:
        """What was called (tools, programs), most frequent first, by sessions."""
        seen = Counter(
            unit for _, unit in sorted({(o.session_id, failing_unit(c, f)) for o, c, f in self.places})
        )
        return [unit for unit, _ in sorted(seen.items(), key=lambda pair: (-pair[1], pair[0]))]

    def recurs(self) -> bool:
        """Whether it comes back across independent sessions; of one task repeated, it is that task's own."""
        if self.identity.kind in IGNORED:
            return False
        users = len({o.user for o, _, _ in self.places if o.user is not None})
        tasks = {o.task for o, _, _ in self.places}
        if len(tasks) == 1 and None not in tasks:
            return False
        if self.identity.kind in NOISE:
            return len(self.sessions) >= MIN_SESSIONS and users >= MIN_SESSIONS_OF_SEVERAL
        several = min(len(self.sessions), users) >= MIN_SESSIONS_OF_SEVERAL and self._worth_telling
        return several or len(self.sessions) >= MIN_SESSIONS

    @property
    def _worth_telling(self) -> bool:
        """Whether two sessions are enough: what has no sure remedy must come back more often."""
        family = self.identity.family
        return family is None or family.worth > SLIGHT

    def sightings(self) -> list[Sighting]:
        return [failure_sighting(o, c, f) for o, c, f in self.places]


class RecurringMistakes:
    """Errors that come back (``plugins.Miner``)."""

    @property
    def name(self) -> str:
        return "recurring-mistakes"

    @property
    def version(self) -> str:
        return "2"

    def mine(self, corpus: Corpus) -> Iterable[Finding]:
        """Findings in order of weight. Linear in the number of calls."""
        own = original_calls(corpus.observations)
        mistakes = [m for m in collect(own) if m.recurs()]
        steps = missing_steps(own, {m.identity.key: _refusals(m) for m in mistakes})
        usage = _Usage(own)
        lately = trends(
            {m.identity.key: usage.able(m.units) for m in mistakes},
            {m.identity.key: m.sessions for m in mistakes},
        )
        claims = [
            _claim(m, usage, steps.get(m.identity.key), _next(m, usage), lately.get(m.identity.key))
            for m in mistakes
        ]
        claims.extend(habits(own))
        findings = [c.finding(self.name, self.version, _PARAMETERS) for c in claims]
        return sorted(findings, key=lambda f: (-f.weight, f.key))


def collect(own: Own) -> list[Mistake]:
    """Every failure under the mistake it is an instance of, in order of key."""
    failed = [
        (o, c, f) for o, calls in own for c in calls if c.failure for f in (c.failure, *c.also) if f.template
    ]
    names = Names(own)
    mistakes: dict[str, Mistake] = {}
    for o, c, f in failed:
        identity = names.of(f)
        mistakes.setdefault(identity.key, Mistake(identity)).places.append((o, c, f))
    return [mistakes[key] for key in sorted(mistakes)]


def _refusals(mistake: Mistake) -> tuple[str, set[str]]:
    tool = mistake.places[0][1].tool
    return tool, {c.event_id for _, c, _ in mistake.places if c.tool == tool}


class _Usage:
    """Who used what: the denominators, and the calls that went well."""

    def __init__(self, own: Own) -> None:
        self.observations = [o for o, _ in own]
        self.own: Mapping[str, tuple[Call, ...]] = {o.session_id: calls for o, calls in own}
        self._calls: dict[str, list[tuple[Observation, Call]]] = defaultdict(list)
        for o, calls in own:
            for call in calls:
                if call.ran:
                    for unit in {call.tool, *units_of(call)}:
                        self._calls[unit].append((o, call))

    def able(self, units: Iterable[str]) -> list[Observation]:
        """The sessions that used any of the units."""
        return list({o.session_id: o for unit in units for o, _ in self._calls[unit]}.values())

    def successes(self, units: Sequence[str], without: set[str]) -> list[Sighting]:
        """Calls of the first of the units that went well, in sessions without the mistake."""
        return [
            use_sighting(o, c)
            for o, c in self._calls[units[0]]
            if c.failure is None and c.result_event_id and o.session_id not in without
        ]


@dataclass(frozen=True, slots=True)
class _Next:
    """What was most often done next, and in how many sessions it worked: told, not claimed."""

    words: str
    worked: int
    sessions: int


def _next(mistake: Mistake, usage: _Usage) -> _Next | None:
    """The most frequent answer to the mistake, where it mostly worked and is no plain retry."""
    if mistake.identity.kind in {"lint", *NOISE}:
        return None  # what follows there is the work itself
    votes: dict[str, dict[str, Trial]] = defaultdict(dict)
    for o, c, f in mistake.places:
        for trial in responses_to(o, usage.own[o.session_id], c, f):
            votes[trial.response.label].setdefault(o.session_id, trial)
    if not votes:
        return None
    label = min(votes, key=lambda name: (-len(votes[name]), name))
    trials = list(votes[label].values())
    worked = sum(t.worked for t in trials)
    if (
        label == RETRY
        or label.startswith(UNTOLD)
        or len(trials) < MIN_SESSIONS
        or worked < MOSTLY * len(trials)
    ):
        return None
    return _Next(trials[0].response.words, worked, len(trials))


def _claim(
    mistake: Mistake, usage: _Usage, step: Precondition | None, after: _Next | None, trend: Trend | None
) -> Claim:
    units = mistake.units
    sightings = mistake.sightings()
    of_sessions = len(usage.able(units))
    counts = counts_of(sightings, of_sessions)
    example = _example(mistake)
    words = advising(mistake.identity, example, units, step)
    verb = "call" if mistake.places[0][1].tool in units else "run"
    tool = listed([code(u) for u in units], 2)
    effect = effect_of(usage.observations, mistake.sessions)
    return Claim(
        kind="recurring_mistake",
        idea=mistake.identity.key,
        nature=words.nature,
        text=f"{words.what}: “{quoted(example)}” ({counted(counts, f' that {verb} {tool}')})"
        + (f"; {trend.words}" if trend is not None and trend.words else ""),
        statement=_statement(mistake, words, example, step, after)
        | ({} if trend is None else {"trend": trend.statement}),
        sightings=sightings,
        of_sessions=of_sessions,
        counter=usage.successes(units, mistake.sessions),
        effect=effect,
        origins=("agent", "tool"),
        weight=words.worth
        * _evidence_weight(counts.sessions, counts.of_sessions, counts.users)
        * _harm(effect)
        * (FADING if trend is not None and trend.direction == "falling" else 1.0),
    )


def _example(mistake: Mistake) -> str:
    """The most frequent wording, by sessions; of equals the shortest."""
    seen = Counter(text for _, text in sorted({(o.session_id, f.example) for o, _, f in mistake.places}))
    return min(seen, key=lambda text: (-seen[text], len(text), text))


def _statement(
    mistake: Mistake, words: Advising, example: str, step: Precondition | None, after: _Next | None
) -> dict[str, Json]:
    found: dict[str, Json] = {
        "topic": f"mistake:{mistake.identity.key}",
        "mistake": mistake.identity.key,
        "template": mistake.places[0][2].template,
        "error_kind": mistake.identity.kind,
        "tools": mistake.units[:5],
        "example": example,
        "when": words.when,
        "hidden": len({c.event_id for _, c, f in mistake.places if f.hidden}),
    }
    said = {"title": words.title, "advice": words.advice, "warning": words.warning}
    found |= {name: text for name, text in said.items() if text}
    if step is not None:
        found["missing_step"] = {
            "tool": step.tool,
            "step": step.step,
            "refused_after": [step.after.successes, step.after.total],
            "refused_without": [step.without.successes, step.without.total],
            "p_adjusted": step.p_adjusted,
        }
    if after is not None and step is None:
        found["details"] = f"What mostly worked next: {after.words}."
        found["next"] = {"words": after.words, "worked": after.worked, "sessions": after.sessions}
    repositories = {o.repository for o, _, _ in mistake.places}
    if len(repositories) == 1 and None not in repositories:
        found["scope"] = {"repository": next(iter(repositories))}
    return found


def _evidence_weight(sessions: int, of_sessions: int, users: int) -> float:
    """More sessions, more users, and a larger share of those that could have shown it."""
    low, _ = wilson(sessions, of_sessions)
    return math.log2(1 + sessions) * (1 + 0.25 * min(max(users - 1, 0), 4)) * (0.7 + 0.6 * low)


def _harm(effect: Effect) -> float:
    """Half to one and a half: how the sessions with it ended, within comparable ones where that is known."""
    seen = effect.within or effect.raw
    return 1.0 if seen is None else min(1.5, max(0.5, 1.0 - seen.difference))
