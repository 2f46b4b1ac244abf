"""From the evidence of all memories on trial to one word for each.

Each memory is asked four things: whether it helps or harms, by the failure it addresses and by the outcome as a
whole. All questions of all memories on trial are answered together by the e-Benjamini–Hochberg procedure (Wang &
Ramdas, "False discovery rate control with e-values", JRSS-B 2022): of the answers given, at most ``alpha`` are false
on average, however the e-values depend on each other, and whenever one looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reverie.dreaming.trials.betting import Account

__all__ = ["Evidence", "Judgement", "Rules", "Verdict", "discoveries", "judge"]


class Verdict(StrEnum):
    """What a trial has shown so far."""

    HELPED = "helped"
    HARMFUL = "harmful"
    NO_EFFECT = "no effect worth having"
    UNDECIDED = "not enough data"


@dataclass(frozen=True, slots=True)
class Rules:
    """``alpha``: the share of false answers allowed. ``margin``: an effect that is not worth its place in memory."""

    alpha: float = 0.05
    margin: float = 0.02


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two accounts of one memory: by "the failure it addresses did not happen" and by "the session ended well"."""

    addressed: Account
    overall: Account


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict; the e-values for benefit and harm (the greater of both outcomes, not corrected for how many were
    asked); and for each outcome the interval of its average effect, which hold together at 1 − alpha."""

    verdict: Verdict
    helps: float
    harms: float
    addressed: tuple[float, float]
    overall: tuple[float, float]


def judge(trials: Mapping[str, Evidence], rules: Rules = Rules()) -> dict[str, Judgement]:
    """A judgement for each memory on trial. Pass all that run at the time, not only those that look decided.

    Harm by either outcome outweighs a benefit by the other. "No effect worth having" needs both intervals within
    ± ``margin``.
    """
    asked = [value for one in trials.values() for value in _answers(one)]
    found = discoveries(asked, rules.alpha)
    return {
        name: _judged(one, found[4 * i : 4 * i + 4], rules) for i, (name, one) in enumerate(trials.items())
    }


def discoveries(e_values: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses e-BH rejects, in the order given: the k largest, k as great as k·e ≥ count/alpha allows."""
    count = len(e_values)
    ranked = sorted(e_values, reverse=True)
    bars = [value for k, value in enumerate(ranked, 1) if k * value >= count / alpha]
    return [bool(bars) and value >= bars[-1] for value in e_values]


def _answers(one: Evidence) -> tuple[float, float, float, float]:
    return one.addressed.helps(), one.overall.helps(), one.addressed.harms(), one.overall.harms()


def _judged(one: Evidence, found: Sequence[bool], rules: Rules) -> Judgement:
    addressed, overall = one.addressed.interval(rules.alpha / 2), one.overall.interval(rules.alpha / 2)
    within = all(-rules.margin <= low and high <= rules.margin for low, high in (addressed, overall))
    a_helps, o_helps, a_harms, o_harms = _answers(one)
    verdict = Verdict.UNDECIDED
    if any(found[2:]):
        verdict = Verdict.HARMFUL
    elif any(found[:2]):
        verdict = Verdict.HELPED
    elif within:
        verdict = Verdict.NO_EFFECT
    return Judgement(verdict, max(a_helps, o_helps), max(a_harms, o_harms), addressed, overall)
