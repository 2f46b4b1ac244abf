"""The numbers of a round: accounts, points of its curve, and what a ruling says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Final

from reverie.domain.trials import Exposed, Point, Ruling, Trial
from reverie.dreaming.trials.betting import Account, Seen, open_account
from reverie.dreaming.trials.verdicts import Evidence, Judgement, Rules

__all__ = ["POINTS", "counted", "evidence_of", "point_of", "points_of", "ruling_of"]

_RULES: Final = Rules()
POINTS: Final = 40
"""Of a curve, at most."""


def counted(exposed: Sequence[Exposed]) -> list[Exposed]:
    """The sessions that count: those from the first one on, as far as all have ended."""
    return list(takewhile(lambda each: each.settled_at is not None, exposed))


def evidence_of(trial: Trial, settled: Sequence[Exposed]) -> Evidence:
    """Both accounts. Where the failure that the memory addresses cannot be recognised, the outcome stands for it."""
    overall = _account(trial, settled, lambda each: bool(each.good))
    return Evidence(_addressed(trial, settled) or overall, overall)


def point_of(trial: Trial, settled: Sequence[Exposed], at: datetime, rules: Rules = _RULES) -> Point:
    """How the trial stands after these sessions. Its intervals hold together at 1 − alpha."""
    seen = [each for each in settled if each.seen]
    unseen = [each for each in settled if not each.seen]
    overall = _account(trial, settled, lambda each: bool(each.good))
    addressed = _addressed(trial, settled)
    alpha = rules.alpha / (2 if addressed else 1)
    return Point(
        at=at,
        round=trial.round.number,
        sessions=len(settled),
        seen=len(seen),
        failures=(sum(not each.good for each in seen), sum(not each.good for each in unseen)),
        hits=(sum(bool(e.hit) for e in seen), sum(bool(e.hit) for e in unseen)) if trial.marks else None,
        effect=overall.effect,
        overall=overall.interval(alpha),
        addressed_effect=addressed.effect if addressed else None,
        addressed=addressed.interval(alpha) if addressed else None,
    )


def points_of(trial: Trial, settled: Sequence[Exposed]) -> list[Point]:
    """The curve of a round: how it stood after its sessions, at ``POINTS`` of them at most, the last among them."""
    total = len(settled)
    steps = sorted({round(total * part / POINTS) for part in range(1, POINTS + 1)} - {0})
    return [point_of(trial, settled[:step], settled[step - 1].at) for step in steps]


def ruling_of(judgement: Judgement, point: Point) -> Ruling:
    """A verdict with its numbers."""
    return Ruling(
        at=point.at,
        round=point.round,
        word=judgement.verdict.value,
        sessions=point.sessions,
        seen=point.seen,
        failures=point.failures,
        hits=point.hits,
        helps=judgement.helps,
        harms=judgement.harms,
        effect=point.effect,
        overall=point.overall,
        addressed_effect=point.addressed_effect,
        addressed=point.addressed,
    )


def _addressed(trial: Trial, settled: Sequence[Exposed]) -> Account | None:
    return _account(trial, settled, lambda each: not each.hit) if trial.marks else None


def _account(trial: Trial, settled: Sequence[Exposed], good: Callable[[Exposed], bool]) -> Account:
    return open_account([Seen(each.seen, good(each), each.stratum) for each in settled], trial.share)
