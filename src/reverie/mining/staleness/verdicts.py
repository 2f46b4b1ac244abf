"""A lesson against the sessions since: is it still so, does it help, and does anybody follow it?

Each question has its own e-process, so that it can be asked every night; what is asked of one corpus shares
one error rate. An answer needs more than luck of one user: with several known, several must have shown it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from reverie.mining.staleness.attempts import Attempt, Records
from reverie.mining.staleness.change import Change, change_in, excess_over
from reverie.mining.staleness.lessons import Lesson
from reverie.mining.staleness.reading import Reading
from reverie.mining.statistics import Table, exact_p

__all__ = ["LATELY", "STILL", "Question", "Verdict", "What", "asked_of", "asked_of_advice", "several"]

ALWAYS: Final = 0.8
"""A thing that "fails" did so in at least this share of attempts; less, and avoiding the bad cases looks the same
as the bad cases being gone."""

HARDLY: Final = 0.1
BROKEN: Final = 0.5
WORKING: Final = 0.25
STILL: Final = 0.1
HELPLESS: Final = 0.2
LEAST: Final = 3
LATELY: Final = 10
SAME_PEOPLE: Final = 0.05

_ANSWER: Final = re.compile(
    r"(?:(?:when|whenever|if|once|after)\b[^.;]*\b(?:fails?|failed|refused|rejected|expect)\b|after [“\"]|instead:)",
    re.I,
)

What = Literal["no_longer_so", "never_so", "stopped_working", "not_followed", "no_help", "ignored"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What sessions say of a memory since ``since``.

    ``shown``: the attempts that speak against it, ``against``: some that speak for it. ``after``: (failures,
    sessions) since, ``before``: until then; ``window``: the earliest and latest likely moment of the change.
    """

    reading: Reading
    lesson: Lesson
    what: What
    since: datetime
    after: tuple[int, int]
    shown: tuple[Attempt, ...]
    against: tuple[Attempt, ...]
    log_e: float
    before: tuple[int, int] | None = None
    window: tuple[datetime, datetime] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One e-process. ``answer`` is what it says once its value is high enough; None: nothing, whatever it is."""

    log_e: float
    answer: Verdict | None = None


def asked_of(reading: Reading, lesson: Lesson, records: Records) -> list[Question]:
    """The questions a lesson raises; each counts as one test."""
    bare = _attempts(reading, lesson, records)
    if not lesson.remedies and (not lesson.forbids or _answers(reading)):
        # Nothing in the calls shows whether it was followed: a failure that is gone may be its merit. And a
        # warning of how things are asks for nothing that could be left undone; what is to be done when it has
        # failed, or in circumstances that calls do not show, does not keep it from failing.
        rule = lesson.mistakes and reading.demands and reading.kind != "warning" and not _answers(reading)
        return [_not_followed(reading, lesson, bare, ())] if rule else []
    followed = _attempts(reading, lesson, records, remedied=True) if lesson.remedies else ()
    questions = [_no_longer_so(reading, lesson, bare), _not_followed(reading, lesson, bare, followed)]
    if lesson.mistakes is None:
        questions.append(_never_so(reading, lesson, bare))
    elif lesson.remedies:
        questions.append(_no_help(reading, lesson, followed))
    return questions


def _answers(reading: Reading) -> bool:
    """Whether a memory tells what to do when it has failed, or when to expect that: neither keeps it from failing."""
    return any(_ANSWER.match(sentence) for sentence in reading.sentences)


def asked_of_advice(reading: Reading, unit: str, sentence: str, records: Records) -> list[Question]:
    """Does what a memory recommends still work?"""
    lesson = Lesson(unit, None, frozenset(), False, sentence)
    attempts = _attempts(reading, lesson, records)
    change = change_in([a.failed for a in attempts], "rise")
    if change is None:
        return []
    settled = _rate(change.after) >= BROKEN and _rate(change.before) <= WORKING
    wrong = [a for a in attempts[change.at :] if a.failed]
    if (
        not settled
        or not several(wrong, attempts[change.at :])
        or not _same_people(attempts, change, rise=True)
    ):
        return [Question(change.log_e)]
    return [Question(change.log_e, _dated(reading, "stopped_working", lesson, attempts, change))]


# ---------------------------------------------------------------------- questions


def _attempts(reading: Reading, lesson: Lesson, records: Records, *, remedied: bool = False) -> list[Attempt]:
    return records.attempts(
        lesson.unit,
        scope=reading.scope,
        mistakes=lesson.mistakes,
        remedies=lesson.remedies,
        remedied=remedied,
    )


def _no_longer_so(reading: Reading, lesson: Lesson, bare: Sequence[Attempt]) -> Question:
    """It failed without the remedy, and since some day it does not."""
    change = change_in([a.failed for a in bare], "drop")
    if change is None:
        return Question(0.0)
    settled = _rate(change.before) >= ALWAYS and _rate(change.after) <= HARDLY
    well = [a for a in bare[change.at :] if not a.failed]
    if not settled or not several(well, bare[change.at :]) or not _same_people(bare, change, rise=False):
        return Question(change.log_e)
    return Question(change.log_e, _dated(reading, "no_longer_so", lesson, bare, change))


def _never_so(reading: Reading, lesson: Lesson, bare: Sequence[Attempt]) -> Question:
    """It is said to fail without the remedy, and hardly a session shows it."""
    well, wrong = _parted(bare)
    log_e = excess_over(BROKEN, len(well), len(bare))
    if not several(well, bare) or len(wrong) > HARDLY * len(bare):
        return Question(log_e)
    counts = len(wrong), len(bare)
    return Question(log_e, Verdict(reading, lesson, "never_so", bare[0].at, counts, well, wrong, log_e))


def _not_followed(
    reading: Reading, lesson: Lesson, bare: Sequence[Attempt], followed: Sequence[Attempt]
) -> Question:
    """The failure it should prevent goes on after it was written, to this day."""
    since = reading.memory.updated_at
    bare, followed = [a for a in bare if a.at > since], [a for a in followed if a.at > since]
    well, wrong = _parted(bare)
    sessions = _by_session((*bare, *followed))
    lately = sessions[-max(LATELY, len(sessions) // 3) :]
    log_e = excess_over(STILL, sum(sessions), len(sessions))
    if not several(wrong, bare) or sum(lately) < STILL * len(lately):
        return Question(log_e)
    counts = sum(sessions), len(sessions)
    return Question(
        log_e, Verdict(reading, lesson, "not_followed", since, counts, wrong, (*followed, *well), log_e)
    )


def _no_help(reading: Reading, lesson: Lesson, followed: Sequence[Attempt]) -> Question:
    """It is followed, and what it should prevent happens all the same."""
    well, wrong = _parted(followed)
    log_e = excess_over(HELPLESS, len(wrong), len(followed))
    if not several(wrong, followed):
        return Question(log_e)
    counts = len(wrong), len(followed)
    return Question(log_e, Verdict(reading, lesson, "no_help", followed[0].at, counts, wrong, well, log_e))


def _dated(
    reading: Reading, what: What, lesson: Lesson, attempts: Sequence[Attempt], change: Change
) -> Verdict:
    since = attempts[change.at :]
    well, wrong = _parted(since)
    shown, against = (wrong, well) if what == "stopped_working" else (well, wrong)
    return Verdict(
        reading,
        lesson,
        what,
        since[0].at,
        change.after,
        shown,
        against or tuple(attempts[: change.at]),
        change.log_e,
        before=change.before,
        window=(attempts[change.low].at, attempts[change.high].at),
    )


def _parted(attempts: Iterable[Attempt]) -> tuple[tuple[Attempt, ...], tuple[Attempt, ...]]:
    """(those that went well, those that failed)."""
    attempts = tuple(attempts)
    return tuple(a for a in attempts if not a.failed), tuple(a for a in attempts if a.failed)


def _by_session(attempts: Iterable[Attempt]) -> list[bool]:
    """Did it fail, for each session in order of time."""
    failed: dict[str, bool] = {}
    for a in sorted(attempts, key=lambda a: (a.at, a.observation.session_id)):
        failed[a.observation.session_id] = failed.get(a.observation.session_id, False) or a.failed
    return list(failed.values())


# ---------------------------------------------------------------------- guards


def _rate(counts: tuple[int, int]) -> float:
    return counts[0] / counts[1] if counts[1] else 0.0


def several(shown: Sequence[Attempt], all_of_them: Sequence[Attempt]) -> bool:
    """Enough sessions, and of more than one user where more than one is known."""
    users = {a.observation.user for a in shown} - {None}
    known = {a.observation.user for a in all_of_them} - {None}
    return len(shown) >= LEAST and len(users) >= min(2, len(known))


def _same_people(attempts: Sequence[Attempt], change: Change, *, rise: bool) -> bool:
    """The change is seen within users who tried before and after, with the same memory: another crowd is no change of
    the world, nor is what memory made them do.

    Where neither is known there is nothing to part; where none tried on both sides nothing is claimed.
    """
    sides: dict[tuple[str | None, str | None], tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
    for i, a in enumerate(attempts):
        sides[a.observation.user, a.observation.memory][i >= change.at].append(a.failed)
    if len(sides) == 1 and next(iter(sides))[0] is None:
        return True
    nobody = all(user is None for user, _ in sides)
    tables: list[Table] = []
    for (user, _), (before, after) in sides.items():
        more, less = (after, before) if rise else (before, after)
        if user is not None or nobody:
            tables.append(Table(sum(more), len(more), sum(less), len(less)))
    return exact_p(tables, alternative="greater") <= SAME_PEOPLE
