"""Rules that fail nothing when they are broken: "use `rg`, not `grep`", "run `make lint` before `make build`".

Whether they are followed shows in the calls. Only rules that say no more than this are held against sessions:
one with a condition, or about a flag or an argument, cannot be judged by what was called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.mining.staleness.attempts import Attempt, Records
from reverie.mining.staleness.change import excess_over
from reverie.mining.staleness.lessons import Lesson, orders
from reverie.mining.staleness.reading import Demand, Reading, names_in
from reverie.mining.staleness.verdicts import LATELY, STILL, Question, Verdict, several

__all__ = ["asked_of_rules"]

_PLAIN: Final = frozenset(
    [
        "always",
        "please",
        "call",
        "run",
        "use",
        "do",
        "you",
        "we",
        "must",
        "should",
        "and",
        "then",
        "to",
        "it",
        "the",
        "a",
        "an",
        "first",
        "make",
        "sure",
        "only",
    ]
)
_CODE: Final = re.compile(r"`[^`]*`")
_WORD: Final = re.compile(r"[A-Za-z][\w'’:-]*")


@dataclass(frozen=True, slots=True)
class _Rule:
    """``unit`` is not to be used at all, or not without ``first`` before it; ``instead`` may be used."""

    unit: str
    first: str | None
    instead: frozenset[str]
    sentence: str


def asked_of_rules(reading: Reading, records: Records, lessons: Sequence[Lesson]) -> Iterator[Question]:
    """One question a rule: is it broken in more than a tenth of the sessions that could break it, to this day?

    Units that a lesson is about are left to it.
    """
    known = {lesson.unit for lesson in lessons}
    if reading.kind == "warning":
        return
    for rule in dict.fromkeys((*_forbidden(reading, records), *_ordered(reading, records))):
        if rule.unit not in known:
            yield _asked(reading, rule, records)


def _asked(reading: Reading, rule: _Rule, records: Records) -> Question:
    since = reading.memory.updated_at
    firsts = frozenset({rule.first}) if rule.first else frozenset[str]()

    def uses(unit: str, *, remedied: bool = False) -> list[Attempt]:
        found = records.attempts(
            unit, scope=reading.scope, mistakes=frozenset(), remedies=firsts, remedied=remedied
        )
        return [a for a in found if a.at > since]

    broken = uses(rule.unit)
    kept = (
        uses(rule.unit, remedied=True) if rule.first else [a for u in sorted(rule.instead) for a in uses(u)]
    )
    breaking = {a.observation.session_id for a in broken}
    kept = [a for a in kept if a.observation.session_id not in breaking]
    sessions = {a.observation.session_id: False for a in sorted((*kept, *broken), key=_when)}
    if not rule.first and not rule.instead:  # any session could have used it
        sessions = {o.session_id: False for o in records.since(since, reading.scope)}
    sessions |= dict.fromkeys((s for s in sessions if s in breaking), True)
    told = list(sessions.values())
    lately = told[-max(LATELY, len(told) // 3) :]
    log_e = excess_over(STILL, sum(told), len(told)) if told else 0.0
    if not several(broken, broken) or sum(lately) < STILL * len(lately):
        return Question(log_e)
    lesson = Lesson(rule.unit, None, firsts, rule.first is None, rule.sentence)
    counts = sum(told), len(told)
    return Question(
        log_e, Verdict(reading, lesson, "ignored", since, counts, tuple(broken), tuple(kept), log_e)
    )


def _when(attempt: Attempt) -> tuple[object, str]:
    return attempt.at, attempt.observation.session_id


def _forbidden(reading: Reading, records: Records) -> Iterator[_Rule]:
    """What a memory says not to use, whole and without a condition."""
    for demand in reading.demands:
        if demand.positive or demand.condition:
            continue
        units = records.units_named(names_in(demand.sentence))
        unit = next((u for u in units if _is_about(demand, u)), None)
        if unit is not None:
            same = [d for d in reading.demands if d.sentence == demand.sentence and d.positive]
            instead = frozenset(u for u in units if u != unit and any(_is_about(d, u) for d in same))
            yield _Rule(unit, None, instead, demand.sentence)


def _is_about(demand: Demand, unit: str) -> bool:
    """The demand is to use this, or not to, and says nothing else."""
    return demand.what - {"use"} in (frozenset({unit}), frozenset(unit.split()))


def _ordered(reading: Reading, records: Records) -> Iterator[_Rule]:
    """What a memory says to do before something else."""
    demanding = {d.sentence for d in reading.demands if d.positive}
    for early, late, sentence, _ in orders(reading, records):
        words = {w.lower() for w in _WORD.findall(_CODE.sub(" ", sentence))}
        said = _PLAIN | {"before"} | {w.lower() for unit in (early, late) for w in (unit, *unit.split())}
        if sentence in demanding and "before" in words and words <= said:
            yield _Rule(late, early, frozenset(), sentence)
