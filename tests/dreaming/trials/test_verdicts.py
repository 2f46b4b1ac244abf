"""One word for each memory; what may be said of many at once."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.dreaming.trials.betting import Account, Seen, open_account
from reverie.dreaming.trials.verdicts import Evidence, Rules, Verdict, discoveries, judge


def account(effect: float, sessions: int, seed: int, base: float = 0.5) -> Account:
    rng = np.random.default_rng(seed)
    seen = rng.random(sessions) < 0.8
    good = rng.random(sessions) < np.where(seen, base + effect, base)
    return open_account([Seen(bool(a), bool(b)) for a, b in zip(seen, good, strict=True)], 0.8)


def always_good(sessions: int) -> Account:
    return open_account([Seen(i % 5 != 0, True) for i in range(sessions)], 0.8)


def test_each_verdict_is_given_where_it_is_true() -> None:
    nothing = account(0.0, 60, 1)
    trials = {
        "good": Evidence(account(0.35, 1200, 2), nothing),
        "bad": Evidence(nothing, account(-0.35, 1200, 3)),
        "mixed": Evidence(account(0.35, 1200, 4), account(-0.35, 1200, 5)),
        "idle": Evidence(always_good(3000), always_good(3000)),
        "young": Evidence(nothing, nothing),
    }
    found = {name: judgement.verdict for name, judgement in judge(trials).items()}
    assert found == {
        "good": Verdict.HELPED,
        "bad": Verdict.HARMFUL,
        "mixed": Verdict.HARMFUL,
        "idle": Verdict.NO_EFFECT,
        "young": Verdict.UNDECIDED,
    }


def test_no_effect_needs_both_outcomes_and_the_margin() -> None:
    idle, young = always_good(3000), account(0.0, 60, 1)
    assert judge({"m": Evidence(idle, young)})["m"].verdict is Verdict.UNDECIDED
    strict = Rules(margin=0.0001)
    assert judge({"m": Evidence(idle, idle)}, strict)["m"].verdict is Verdict.UNDECIDED


def test_a_memory_answers_for_itself_when_several_are_on_trial() -> None:
    rng = np.random.default_rng(9)
    seen = rng.random((3, 2500)) < 0.8
    good = rng.random(2500) < 0.7 - 0.3 * seen[1]

    def evidence(row: int) -> Evidence:
        rows = [Seen(bool(a), bool(b)) for a, b in zip(seen[row], good, strict=True)]
        return Evidence(open_account(rows, 0.8), open_account(rows, 0.8))

    found = judge({str(i): evidence(i) for i in range(3)})
    assert [found[str(i)].verdict for i in range(3)] == [
        Verdict.UNDECIDED,
        Verdict.HARMFUL,
        Verdict.UNDECIDED,
    ]
    low, high = found["1"].overall
    assert low < -0.3 < high < 0 and found["1"].harms > 80 > found["0"].harms


def test_nothing_on_trial_nothing_judged() -> None:
    assert judge({}) == {}
    assert discoveries([], 0.05) == []


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=9), st.sampled_from([0.05, 0.2]))
@settings(max_examples=120, deadline=None)
def test_discoveries_are_the_largest_set_that_supports_itself(values: list[float], alpha: float) -> None:
    found = discoveries(values, alpha)
    sizes = [
        len(chosen)
        for count in range(len(values) + 1)
        for chosen in itertools.combinations(values, count)
        if all(count * value >= len(values) / alpha for value in chosen)
    ]
    assert sum(found) == max(sizes)
    assert all(
        not f or v >= min(x for x, g in zip(values, found, strict=True) if g)
        for v, f in zip(values, found, strict=True)
    )


def test_the_false_discovery_rate_is_kept_by_the_worst_e_values() -> None:
    """Two-point e-values (0, or 1/p with probability p): the false discoveries' expected share, by summing."""
    alpha, count = 0.1, 3
    for p in (0.02, alpha / count, alpha, 0.3):
        rate = 0.0
        for hits in itertools.product([False, True], repeat=count):
            found = discoveries([1 / p if hit else 0.0 for hit in hits], alpha)
            rate += any(found) * math.prod(p if hit else 1 - p for hit in hits)
        assert rate <= alpha + 1e-12


def test_the_same_evidence_gets_the_same_judgement() -> None:
    trials = {"m": Evidence(account(0.1, 500, 3), account(0.0, 500, 4))}
    assert judge(trials) == judge(trials)
    assert judge(trials)["m"].helps == pytest.approx(
        max(trials["m"].addressed.helps(), trials["m"].overall.helps())
    )
