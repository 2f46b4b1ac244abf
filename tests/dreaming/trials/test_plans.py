"""Plans of paired replays: every error summed over all that can happen, and the rule held against its own figures."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.dreaming.trials.design import figures_of, plan_for
from reverie.dreaming.trials.pairs import Decision, Pair, Standing, stand
from reverie.dreaming.trials.plans import Aims, Plan

WON, LOST, ALIKE = Pair("t", True, False), Pair("t", False, True), Pair("t", True, True)
LOOSE = Aims(alpha=0.2, harm_alpha=0.05)
"""Limits that a handful of pairs can reach."""


def adopted(plan: Plan, pairs: tuple[Pair, ...]) -> float:
    """The chance that the coin lets it be adopted."""
    if stand(plan, pairs).decision is Decision.ADOPT:
        return 1.0
    if stand(plan, pairs, 0.0).decision is Decision.ADOPT:
        standing = stand(plan, pairs)
        return plan.coin[standing.wins + standing.losses]
    return 0.0


@lru_cache
def over_all(pairs: int, aims: Aims, win: float) -> list[float]:
    """The share adopted for each pattern of pairs that differ, a differing pair being won with probability ``win``."""
    plan = plan_for(pairs, aims)
    out: list[float] = []
    for pattern in itertools.product([False, True], repeat=pairs):
        total = 0.0
        for results in itertools.product([WON, LOST], repeat=sum(pattern)):
            turn = iter(results)
            played = tuple(next(turn) if differs else ALIKE for differs in pattern)
            wins = results.count(WON)
            total += win**wins * (1 - win) ** (len(results) - wins) * adopted(plan, played)
        out.append(total)
    return out


@pytest.mark.parametrize("aims", [LOOSE, Aims(alpha=0.15, harm_alpha=0.10), Aims(alpha=0.3, yielded=0.2)])
def test_an_edit_that_does_nothing_is_adopted_as_seldom_as_promised_however_the_pairs_differ(
    aims: Aims,
) -> None:
    assert max(over_all(7, aims, 0.5)) <= aims.alpha + 1e-12


def test_what_may_be_spent_is_spent() -> None:
    assert max(over_all(7, Aims(alpha=0.2, harm_alpha=0.5), 0.5)) == pytest.approx(0.2)


@pytest.mark.parametrize("aims", [LOOSE, Aims(alpha=0.3, harm_alpha=0.02)])
def test_an_edit_that_harms_is_adopted_as_seldom_as_promised_however_the_pairs_differ(aims: Aims) -> None:
    worst = (1 - aims.harm / aims.liveliest) / 2
    for win in (worst, worst / 2, 0.0):
        assert max(over_all(7, aims, win)) <= aims.harm_alpha + 1e-12


def test_chances_that_change_and_look_back_do_not_break_the_limit_on_harm() -> None:
    """An adversary that may choose each chance up to the worst, seeing all before it, gains nothing."""
    plan = plan_for(6, LOOSE)
    worst = (1 - LOOSE.harm / LOOSE.liveliest) / 2

    def best(played: tuple[Pair, ...]) -> float:
        if len(played) == 6:
            return adopted(plan, played)
        alike = best((*played, ALIKE))
        won, lost = best((*played, WON)), best((*played, LOST))
        return max(alike, lost, worst * won + (1 - worst) * lost)

    assert best(()) <= LOOSE.harm_alpha + 1e-12


@pytest.mark.parametrize("effect", [-0.1, 0.0, 0.1, 0.3])
def test_the_figures_are_those_of_the_rule_itself(effect: float) -> None:
    plan, differ = plan_for(7, LOOSE), 0.5
    chances = {WON: (differ + effect) / 2, LOST: (differ - effect) / 2, ALIKE: 1 - differ}
    share = sure = used = 0.0
    for played in itertools.product([WON, LOST, ALIKE], repeat=7):
        p = math.prod(chances[pair] for pair in played)
        share += p * adopted(plan, played)
        sure += p * (stand(plan, played).decision is Decision.ADOPT)
        used += p * stand(plan, played).pairs
    figures = figures_of(plan, effect, differ)
    assert (figures.adopted, figures.pairs) == pytest.approx((share, used))
    assert figures_of(plan, effect, differ, coin=False).adopted == pytest.approx(sure)


@pytest.mark.parametrize("pairs", [20, 60, 150])
def test_the_promises_hold_whatever_the_share_of_pairs_that_differ(pairs: int) -> None:
    plan = plan_for(pairs)
    for differ in (0.11, 0.2, 0.3, 0.45, 0.6):
        assert figures_of(plan, 0.0, differ).adopted <= 0.05 + 1e-9
        assert figures_of(plan, -0.10, differ).adopted <= 0.01 + 1e-9
    for differ in (0.8, 1.0):
        assert figures_of(plan, 0.0, differ).adopted <= 0.05 + 1e-9


def test_stopping_early_gives_up_no_more_power_than_allowed_and_saves_pairs() -> None:
    patient, usual, thrifty = (plan_for(120, Aims(yielded=y)) for y in (0.0, 0.02, 0.15))
    powers = [figures_of(plan, 0.1, 0.45).adopted for plan in (patient, usual, thrifty)]
    assert powers[0] - 0.02 <= powers[1] <= powers[0]
    assert powers[0] - 0.15 <= powers[2] < powers[1]
    for effect in (-0.1, 0.0, 0.1):
        used = [figures_of(plan, effect, 0.45).pairs for plan in (patient, usual, thrifty)]
        assert used[0] > used[1] > used[2]
        assert used[1] < 90


def most_powerful(pairs: int, effect: float, differ: float) -> float:
    """The power of McNemar's test with Tocher's coin at 5 %, the uniformly most powerful unbiased one of fixed size."""
    from scipy.stats import binom

    total = 0.0
    for n in range(pairs + 1):
        left = 0.05
        for wins in range(n, -1, -1):
            fair = float(binom.pmf(wins, n, 0.5))
            part = min(1.0, left / fair)
            left -= part * fair
            total += float(binom.pmf(n, pairs, differ) * binom.pmf(wins, n, (1 + effect / differ) / 2)) * part
            if part < 1:
                break
    return total


@pytest.mark.parametrize("differ", [0.35, 0.45])
def test_a_patient_plan_is_as_powerful_as_the_most_powerful_test(differ: float) -> None:
    power = figures_of(plan_for(70, Aims(yielded=0.0)), 0.1, differ).adopted
    assert power == pytest.approx(most_powerful(70, 0.1, differ), abs=0.004)


def test_more_pairs_find_more() -> None:
    powers = [figures_of(plan_for(n), 0.1, 0.45).adopted for n in (20, 50, 120)]
    assert powers == sorted(powers) and powers[-1] > 0.4


@given(st.integers(1, 40), st.sampled_from([0.01, 0.05, 0.2]), st.sampled_from([0.15, 0.3, 0.5, 1.0]))
@settings(max_examples=10, deadline=None)
def test_a_plan_is_well_formed(pairs: int, alpha: float, differ: float) -> None:
    plan = plan_for(pairs, Aims(alpha=alpha, differ=differ))
    assert 1 <= plan.last <= pairs
    for n in range(plan.last + 1):
        assert -1 <= plan.drop[n] < plan.adopt[n] <= max(n + 1, plan.last + 1)
        assert 0 <= plan.coin[n] < 1
        assert n // 2 <= plan.edge[n] <= n
    assert plan == plan_for.__wrapped__(
        pairs, Aims(alpha=alpha, differ=differ)
    )  # made once more, not remembered


@given(st.lists(st.sampled_from([WON, LOST, ALIKE]), max_size=70), st.floats(0, 1))
@settings(max_examples=80, deadline=None)
def test_a_decision_is_not_taken_back(played: list[Pair], coin: float) -> None:
    plan = plan_for(40)
    standings = [stand(plan, played[:n], coin) for n in range(len(played) + 1)]
    decided = [s for s in standings if s.decision is not Decision.GO_ON]
    assert all(s == decided[0] for s in decided)
    for n, standing in enumerate(standings[:-1] if decided else standings):
        if standing.decision is Decision.GO_ON:
            assert standing.pairs == n < plan.pairs
    if len(played) >= plan.pairs:
        assert decided


def test_clear_edits_are_decided_early() -> None:
    plan = plan_for(100)
    assert stand(plan, []) == Standing(Decision.GO_ON, 0, 0, 0)
    won, lost = stand(plan, [WON] * 100), stand(plan, [LOST] * 100)
    assert (won.decision, lost.decision) == (Decision.ADOPT, Decision.GIVE_UP)
    assert won.pairs < 20 and lost.pairs < 20
    for coin in (0.0, 1.0):
        assert stand(plan, [ALIKE] * 100, coin) == Standing(Decision.GIVE_UP, 100, 0, 0)


@pytest.mark.parametrize(
    ("pairs", "aims"),
    [
        (0, Aims()),
        (2001, Aims()),
        (50, Aims(alpha=0)),
        (50, Aims(harm_alpha=1)),
        (50, Aims(help=0.5)),
        (50, Aims(harm=0.7)),
        (50, Aims(yielded=-0.1)),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(pairs: int, aims: Aims) -> None:
    with pytest.raises(Invalid):
        plan_for(pairs, aims)
