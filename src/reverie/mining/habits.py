"""Habits that no single error names: hidden failures, blind repetition, and errors as such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reverie.domain.findings import Effect
from reverie.domain.observations import Call, Observation
from reverie.mining.evidence import (
    Claim,
    Sighting,
    counted,
    counts_of,
    effect_of,
    failure_sighting,
    plural,
    use_sighting,
)
from reverie.mining.identity import units_of
from reverie.mining.phrasing import code, listed
from reverie.mining.tools import kind_of

__all__ = ["habits"]

MIN_SESSIONS: Final = 3
CHECKS: Final = frozenset({"lint", "test", "compile"})
MOST_REPEATS_THAT_WORK: Final = 0.25

Own = Sequence[tuple[Observation, tuple[Call, ...]]]


def habits(own: Own) -> Iterator[Claim]:
    """The claims about habits that these sessions bear out."""
    yield from _hidden(own)
    yield from _repeated(own)
    yield from _any_error(own)


def _hidden(own: Own) -> Iterator[Claim]:
    """Failures of checks that their own exit status hid, because the output was piped on."""
    hidden: list[Sighting] = []
    shown: list[Sighting] = []
    units: dict[str, set[str]] = {}
    able: set[str] = set()
    for o, calls in own:
        for c in calls:
            if c.arguments.get("masked_status") is True and c.ran:
                able.add(o.session_id)
            if c.failure is None or c.failure.kind not in CHECKS or kind_of(c.tool) != "shell":
                continue
            if c.failure.hidden and c.arguments.get("masked_status") is True:
                hidden.append(failure_sighting(o, c, c.failure))
                units.setdefault(units_of(c)[-1], set()).add(o.session_id)
            else:
                shown.append(failure_sighting(o, c, c.failure))
    counts = counts_of(hidden, len(able))
    if counts.sessions < MIN_SESSIONS:
        return
    programs = [u for u, _ in sorted(units.items(), key=lambda pair: (-len(pair[1]), pair[0]))]
    total = len(hidden) + len(shown)
    yield Claim(
        kind="recurring_mistake",
        idea="habit:hidden-failure",
        nature="behaviour",
        text=f"Checks that fail report success because their output is piped on or another command follows (`… | tail`): {len(hidden)} of "
        f"{plural(total, 'failing check')} had exit status 0 ({counted(counts, ' that pipe or chain commands')})",
        statement={
            "topic": "mistake:habit:hidden-failure",
            "title": "Do not pipe a check into tail or head without pipefail",
            "advice": "Do not pipe tests, lint or builds into `tail`, `head` or `grep` without `set -o pipefail`: the exit "
            "status becomes that of the last command, and a failure looks like success.",
            "when": f"when running {listed([code(p) for p in programs], 3)}",
            "programs": programs[:5],
            "hidden": len(hidden),
            "failures": total,
        },
        sightings=hidden,
        of_sessions=len(able),
        counter=shown,
        effect=effect_of([o for o, _ in own], {s.observation.session_id for s in hidden}),
        origins=("agent", "tool"),
        weight=0.9 * _weight(counts.sessions, counts.users),
    )


def _repeated(own: Own) -> Iterator[Claim]:
    """A call that failed, made again at once and unchanged."""
    again: list[Sighting] = []
    worked: list[Sighting] = []
    failing: set[str] = set()
    for o, calls in own:
        last: dict[str, Call] = {}
        for c in calls:
            before = last.get(c.thread)
            if before is not None and before.failure and before.signature == c.signature and c.ran:
                if c.seq > before.failure.span.seq and c.failure is not None:
                    again.append(failure_sighting(o, c, c.failure))
                elif c.failure is None and c.result_event_id:
                    worked.append(use_sighting(o, c))
            if kind_of(c.tool) != "plan":
                last[c.thread] = c
            if c.failure:
                failing.add(o.session_id)
    counts = counts_of(again, len(failing))
    tried = len(again) + len(worked)
    if counts.sessions < MIN_SESSIONS or len(worked) > MOST_REPEATS_THAT_WORK * tried:
        return
    yield Claim(
        kind="recurring_mistake",
        idea="habit:blind-repetition",
        nature="behaviour",
        text=f"A call that failed is sent again unchanged: {len(again)} of {tried} such repetitions failed again "
        f"({counted(counts, ' with a failed call')})",
        statement={
            "topic": "mistake:habit:blind-repetition",
            "title": "Do not repeat a failed call unchanged",
            "advice": "Do not send a failed call again unchanged: read the error, and change what it names before the next attempt.",
            "when": "after a tool call has failed",
            "repeated": tried,
            "worked": len(worked),
        },
        sightings=again,
        of_sessions=len(failing),
        counter=worked,
        effect=effect_of([o for o, _ in own], {s.observation.session_id for s in again}),
        origins=("agent", "tool"),
        weight=0.9 * _weight(counts.sessions, counts.users),
    )


def _any_error(own: Own) -> Iterator[Claim]:
    """Whether errors as such go with bad outcomes: said only to say that it is not so."""
    sightings = [failure_sighting(o, c, c.failure) for o, calls in own for c in calls if c.failure]
    observations = [o for o, _ in own]
    effect = effect_of(observations, {s.observation.session_id for s in sightings})
    if not _explained(effect):
        return
    assert effect.raw is not None and effect.within is not None
    counts = counts_of(sightings, len(observations))
    yield Claim(
        kind="recurring_mistake",
        idea="habit:any-error",
        nature="explained",
        text=f"Sessions with any tool error fail more often, but not within the same {effect.stratified_by}: "
        f"{100 * effect.raw.difference:+.0f} points overall, {100 * effect.within.difference:+.0f} within "
        f"{plural(effect.within.strata, 'comparable ' + str(effect.stratified_by))} ({counted(counts)})",
        statement={
            "topic": "mistake:habit:any-error",
            "title": "Tool errors as such do not make sessions fail",
        },
        sightings=sightings,
        of_sessions=len(observations),
        counter=[],
        effect=effect,
        origins=("agent", "tool"),
        weight=0.1,
    )


def _explained(effect: Effect) -> bool:
    """A clear raw association that is gone, or reversed, within comparable sessions."""
    raw, within = effect.raw, effect.within
    return raw is not None and within is not None and raw.high < 0 <= within.difference


def _weight(sessions: int, users: int) -> float:
    return (1 + sessions).bit_length() * (1 + 0.25 * min(max(users - 1, 0), 4))
