"""The bets are fair: every expectation is summed over all tosses of the coin, none is simulated."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.dreaming.trials.betting import Account, Seen, open_account, paths, scores, stakes
from reverie.dreaming.trials.strata import Stratum

Potential = tuple[bool, bool]
"""How a session would end without the memory, and with it."""
PLACES: list[Stratum] = [("a",), ("b", "x"), ("a", "y"), (), ("b", "x")]
ALL: list[Potential] = [(False, False), (False, True), (True, False), (True, True)]


def lived(world: Sequence[Potential], coins: Sequence[bool]) -> list[Seen]:
    made = zip(world, coins, PLACES, strict=False)
    return [Seen(coin, ends[coin], place) for ends, coin, place in made]


def chance(coins: Sequence[bool], share: float) -> float:
    return math.prod(share if coin else 1 - share for coin in coins)


def wealth(account: Account, effect: float) -> tuple[float, float]:
    return account.helps(effect), account.harms(effect)


@pytest.mark.parametrize("share", [0.8, 0.5, 0.3])
def test_without_an_effect_the_e_value_is_a_martingale(share: float) -> None:
    for ends in itertools.product([False, True], repeat=4):
        world = [(end, end) for end in ends]
        for before in itertools.product([False, True], repeat=3):
            now = wealth(open_account(lived(world[:3], before), share), 0.0)
            after = np.zeros(2)
            for last in (False, True):
                account = open_account(lived(world, (*before, last)), share)
                after += chance([last], share) * np.array(wealth(account, 0.0))
            assert after == pytest.approx(now, rel=1e-12)


@pytest.mark.parametrize("share", [0.8, 0.5])
def test_whatever_the_effects_are_the_bet_on_their_average_is_a_supermartingale(share: float) -> None:
    for world in itertools.product(ALL, repeat=3):
        effects = [int(b) - int(a) for a, b in world]
        for before in itertools.product([False, True], repeat=2):
            now = wealth(open_account(lived(world[:2], before), share), float(np.mean(effects[:2])))
            after = np.zeros(2)
            for last in (False, True):
                account = open_account(lived(world, (*before, last)), share)
                after += chance([last], share) * np.array(wealth(account, float(np.mean(effects))))
            assert (after <= np.array(now) * (1 + 1e-12)).all()


def test_the_e_value_against_a_benefit_is_at_most_one_on_average_where_there_is_harm() -> None:
    for world in itertools.product([(False, False), (True, False), (True, True)], repeat=4):
        total = sum(
            chance(coins, 0.8) * open_account(lived(world, coins), 0.8).helps()
            for coins in itertools.product([False, True], repeat=4)
        )
        assert total <= 1 + 1e-12


def test_a_score_is_the_effect_on_average_whatever_the_session_and_what_went_before() -> None:
    for world in itertools.product(ALL, repeat=3):
        for before in itertools.product([False, True], repeat=2):
            z = {last: scores(lived(world, (*before, last)), 0.8)[-1] for last in (True, False)}
            assert 0.8 * z[True] + 0.2 * z[False] == pytest.approx(int(world[2][1]) - int(world[2][0]))


seens = st.lists(
    st.builds(Seen, st.booleans(), st.booleans(), st.sampled_from(PLACES)), min_size=1, max_size=60
)


@given(seens, st.sampled_from([0.2, 0.5, 0.8, 0.95]))
@settings(max_examples=60, deadline=None)
def test_a_path_is_the_account_after_every_session(sessions: list[Seen], share: float) -> None:
    up, down = paths(np.array([scores(sessions, share)]), share)
    for n in (1, len(sessions) // 2 + 1, len(sessions)):
        account = open_account(sessions[:n], share)
        assert math.log(account.helps()) == pytest.approx(up[0, n - 1], abs=1e-9)
        assert math.log(account.harms()) == pytest.approx(down[0, n - 1], abs=1e-9)


@given(seens, st.floats(0.001, 0.5))
@settings(max_examples=60, deadline=None)
def test_the_interval_is_what_the_bets_do_not_refute(sessions: list[Seen], alpha: float) -> None:
    account = open_account(sessions, 0.8)
    low, high = account.interval(alpha)
    assert -1 <= low <= high <= 1
    assert account.effect is not None
    assert low <= min(1.0, max(-1.0, account.effect)) <= high
    if low > -1:
        assert account.helps(low) == pytest.approx(2 / alpha, rel=1e-6)
    if high < 1:
        assert account.harms(high) == pytest.approx(2 / alpha, rel=1e-6)
    wider = account.interval(alpha / 2)
    assert wider[0] <= low and high <= wider[1]


@given(seens)
@settings(max_examples=40, deadline=None)
def test_good_and_bad_are_mirror_images_but_for_the_prior(sessions: list[Seen]) -> None:
    turned = [Seen(s.seen, not s.good, s.stratum) for s in sessions]
    a, b = open_account(sessions, 0.8), open_account(turned, 0.8)
    assert a.helps() == pytest.approx(b.harms(), rel=1e-9)
    assert a.total == pytest.approx(-b.total, abs=1e-9)


def test_no_bet_can_lose_everything() -> None:
    for share in (0.05, 0.5, 0.8, 0.99):
        worst = 1 / min(share, 1 - share)
        assert (stakes(share) * worst < 1).all()
        assert (stakes(share) > 0).all()


def test_nothing_is_known_before_the_first_session() -> None:
    empty = open_account([], 0.8)
    assert empty.effect is None
    assert (empty.helps(), empty.harms()) == pytest.approx((1.0, 1.0))
    assert empty.interval() == (-1.0, 1.0)


def test_an_effect_is_found_and_its_size_told() -> None:
    rng = np.random.default_rng(5)
    seen = rng.random(1500) < 0.8
    good = rng.random(1500) < np.where(seen, 0.5, 0.75)
    account = open_account([Seen(bool(a), bool(b)) for a, b in zip(seen, good, strict=True)], 0.8)
    low, high = account.interval()
    assert account.harms() > 1000 and account.helps() < 1
    assert -0.4 < low < -0.25 < high < 0


def test_a_long_trial_does_not_overflow() -> None:
    sessions = [Seen(i % 5 != 0, i % 5 != 0) for i in range(20_000)]
    account = open_account(sessions, 0.8)
    assert math.isfinite(account.helps()) and account.helps() > 1e200
    assert account.harms() < 1e-60


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
def test_a_bad_share_is_refused(share: float) -> None:
    with pytest.raises(Invalid, match="share"):
        open_account([], share)
