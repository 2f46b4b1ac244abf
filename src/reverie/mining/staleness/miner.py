"""Stale, contradictory and unfollowed memory: what is written, against what sessions show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from reverie.domain.events import Json
from reverie.domain.findings import Counts, Effect, Finding
from reverie.mining.eras import with_eras
from reverie.mining.evidence import (
    Claim,
    Sighting,
    counts_of,
    failure_sighting,
    plural,
    use_sighting,
)
from reverie.mining.phrasing import code, quoted
from reverie.mining.staleness.attempts import Attempt, Records
from reverie.mining.staleness.contradictions import Contradiction, contradictions
from reverie.mining.staleness.lessons import lessons_of, recommended
from reverie.mining.staleness.observance import asked_of_rules
from reverie.mining.staleness.reading import Reading, names_in, read
from reverie.mining.staleness.verdicts import Question, Verdict, What, asked_of, asked_of_advice
from reverie.plugins import Corpus

__all__ = ["StaleMemory"]

ALPHA: Final = 0.05
_FIRST: Final[tuple[What, ...]] = (
    "no_longer_so",
    "never_so",
    "stopped_working",
    "no_help",
    "not_followed",
    "ignored",
)
_CHANGE: Final[dict[What, str]] = {
    "no_longer_so": "retire",
    "never_so": "retire",
    "stopped_working": "update",
    "no_help": "update",
    "not_followed": "make it seen",
    "ignored": "make it seen",
}


class StaleMemory:
    """Memories that sessions speak against (``plugins.Miner``)."""

    @property
    def name(self) -> str:
        return "stale-memory"

    @property
    def version(self) -> str:
        return "3"

    def mine(self, corpus: Corpus) -> Iterable[Finding]:
        """Findings in order of weight: of each memory the best founded verdict, and pairs that contradict.

        Over all the memories and all the nights, the chance of any false verdict is at most ``ALPHA``.
        """
        readings = [read(memory) for memory in sorted(corpus.memories, key=lambda m: m.path)]
        if not readings:
            return []
        records = Records(with_eras(corpus.observations, corpus.memories))
        questions = {r.memory.path: list(_questions(r, records)) for r in readings}
        tests = sum(len(asked) for asked in questions.values())
        clashes = contradictions(readings)
        disputed = {r.memory.path for c in clashes for r in (c.older, c.newer)}  # both cannot be followed
        verdicts = [_best(asked, tests) for asked in questions.values()]
        claims = [
            _verdict_claim(v, tests)
            for v in verdicts
            if v is not None and not (v.what == "ignored" and v.reading.memory.path in disputed)
        ]
        claims.extend(_contradiction_claim(c, records) for c in clashes)
        parameters: dict[str, Json] = {"alpha": ALPHA, "memories": len(readings), "questions": tests}
        findings = [claim.finding(self.name, self.version, parameters) for claim in claims]
        return sorted(findings, key=lambda f: (-f.weight, f.key))


def _questions(reading: Reading, records: Records) -> Iterable[Question]:
    lessons = lessons_of(reading, records)
    failing = {lesson.unit for lesson in lessons}
    for lesson in lessons:
        yield from asked_of(reading, lesson, records)
    yield from asked_of_rules(reading, records, lessons)
    for unit, sentence in recommended(reading, records):
        if unit not in failing:
            yield from asked_of_advice(reading, unit, sentence, records)


def _best(asked: Sequence[Question], tests: int) -> Verdict | None:
    """What is no longer so need not be followed: the first of ``_FIRST`` counts, of equals the best founded."""
    held = [q for q in asked if q.log_e >= math.log(tests / ALPHA)]
    answers = [q.answer for q in held if q.answer is not None]
    return max(answers, key=lambda v: (-_FIRST.index(v.what), v.log_e), default=None)


def _verdict_claim(v: Verdict, tests: int) -> Claim:
    path = v.reading.memory.path
    sightings = [_seen(a) for a in v.shown]
    counts = counts_of(sightings, v.after[1])
    text = _said(v)
    statement: dict[str, Json] = {
        "topic": f"memory:{path}",
        "memories": [path],
        "idea": v.reading.idea,
        "what": v.what,
        "change": _CHANGE[v.what],
        "unit": v.lesson.unit,
        "remedies": sorted(v.lesson.remedies),
        "quotes": [{"path": path, "text": v.lesson.sentence}],
        "since": v.since.isoformat(),
        "window": None if v.window is None else [at.isoformat() for at in v.window],
        "before": None if v.before is None else list(v.before),
        "after": list(v.after),
        "title": _title(v),
        "warning": text,
        "when": f"when you read {path}",
    }
    return Claim(
        kind="stale_memory",
        idea=f"{path}:{v.what}",
        nature="situation",
        text=f"{text} ({_by(counts)})" if counts.users else text,
        statement=statement,
        sightings=sightings,
        of_sessions=v.after[1],
        counter=[_seen(a) for a in v.against],
        effect=Effect(note="compares attempts with attempts, not outcomes of sessions"),
        origins=("agent",),
        weight=math.log2(1 + counts.sessions) * (1 + 0.25 * min(max(counts.users - 1, 0), 4)),
        p_value=min(1.0, math.exp(-v.log_e)),
        p_adjusted=min(1.0, tests * math.exp(-v.log_e)),
    )


def _by(counts: Counts) -> str:
    return f"seen by {plural(counts.users, 'user')} on {plural(counts.days, 'day')}"


def _seen(attempt: Attempt) -> Sighting:
    if attempt.failure is not None:
        return failure_sighting(attempt.observation, attempt.call, attempt.failure)
    return use_sighting(attempt.observation, attempt.call)


def _title(v: Verdict) -> str:
    path = v.reading.memory.path
    return {
        "no_longer_so": f"{path} is out of date",
        "never_so": f"{path} claims what sessions do not show",
        "stopped_working": f"{path} recommends what has stopped working",
        "not_followed": f"{path} is not followed",
        "no_help": f"{path} does not prevent what it should",
        "ignored": f"{path} is not followed",
    }[v.what]


def _said(v: Verdict) -> str:
    path, unit, day = v.reading.memory.path, code(v.lesson.unit), v.since.date().isoformat()
    k, n = v.after
    without = (
        f" without {' or '.join(code(r) for r in sorted(v.lesson.remedies))} before"
        if v.lesson.remedies
        else ""
    )
    says = f"{path} says “{quoted(v.lesson.sentence)}”"
    if v.what == "no_longer_so" and v.before is not None:
        return (
            f"{says}; until {day} {unit}{without} failed so in {v.before[0]} of {plural(v.before[1], 'session')}, since then in "
            f"{k} of {n}: check whether it still holds, and retire it if not"
        )
    if v.what == "never_so":
        return f"{says}; yet {unit}{without} went well in {n - k} of {plural(n, 'session')}: check whether it ever held"
    if v.what == "stopped_working" and v.before is not None:
        return (
            f"{says}; {unit} failed in {v.before[0]} of {plural(v.before[1], 'session')} before {day} and in {k} of {n} since: "
            "update it"
        )
    if v.what == "no_help":
        return f"{says}; {unit} failed all the same in {k} of {plural(n, 'session')} that did it: look for what really prevents it"
    if v.what == "ignored":
        return f"{says}; since {day} {unit} was used{without} in {k} of {plural(n, 'session')}: it is not followed"
    why = "it is not followed" if v.lesson.remedies else "it is not followed, or does not prevent it"
    return f"{says}; since {day} {unit}{without} still failed so in {k} of {plural(n, 'session')}: {why}"


def _contradiction_claim(c: Contradiction, records: Records) -> Claim:
    older, newer = c.older.memory, c.newer.memory
    units = records.units_named(n for d in (c.old, c.new) for n in names_in(d.sentence))
    attempts = [a for unit in units for a in records.attempts(unit, scope=c.newer.scope, mistakes=None)]
    sightings = [_seen(a) for a in attempts if a.at > older.updated_at]
    done = (
        f"; since both stand, {code(units[0])} was used in {plural(_sessions_since(attempts, newer.updated_at), 'session')}"
        if units
        else ""
    )
    later = " (changed later)" if newer.updated_at > older.updated_at else ""
    text = (
        f"{older.path} says “{quoted(c.old.sentence)}”, and {newer.path}{later} says “{quoted(c.new.sentence)}”: both "
        f"cannot be followed{done}"
    )
    return Claim(
        kind="contradiction",
        idea=f"{min(older.path, newer.path)}|{max(older.path, newer.path)}",
        nature="situation",
        text=text,
        statement={
            "topic": f"memory:{older.path}",
            "memories": [older.path, newer.path],
            "what": "contradiction",
            "change": "update",
            "quotes": [
                {"path": older.path, "text": c.old.sentence, "updated_at": older.updated_at.isoformat()},
                {"path": newer.path, "text": c.new.sentence, "updated_at": newer.updated_at.isoformat()},
            ],
            "title": f"{older.path} and {newer.path} contradict each other",
            "warning": f"{text}; keep one of them, or say when each holds",
            "when": f"when you read {older.path} or {newer.path}",
        },
        sightings=sightings,
        of_sessions=len({a.observation.session_id for a in attempts}),
        counter=[],
        effect=Effect(note="two texts are compared, no outcomes"),
        origins=("agent",),
        weight=1.0 + math.log2(1 + len({s.observation.session_id for s in sightings})),
    )


def _sessions_since(attempts: Iterable[Attempt], since: datetime) -> int:
    return len({a.observation.session_id for a in attempts if a.at > since})
