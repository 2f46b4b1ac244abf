"""The e-processes, against their definition: whatever the constant rate, their mean is at most one."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.mining.staleness.change import change_in, excess_over

RATES = (0.01, 0.2, 0.5, 0.8, 0.99)


@pytest.mark.parametrize("direction", ["drop", "rise"])
@pytest.mark.parametrize("rate", RATES)
def test_under_any_constant_rate_the_mean_is_at_most_one(direction: str, rate: float) -> None:
    mean = 0.0
    for seen in product((False, True), repeat=10):
        change = change_in(seen, direction)  # type: ignore[arg-type]
        assert change is not None
        mean += math.exp(change.log_e) * rate ** sum(seen) * (1 - rate) ** (10 - sum(seen))
    assert mean <= 1 + 1e-9


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.1])
def test_an_excess_has_a_mean_of_at_most_one_below_its_limit(rate: float) -> None:
    n = 25
    mean = sum(
        math.comb(n, k) * rate**k * (1 - rate) ** (n - k) * math.exp(excess_over(0.1, k, n))
        for k in range(n + 1)
    )
    assert mean <= 1 + 1e-9


def test_an_excess_shows_above_its_limit() -> None:
    assert excess_over(0.1, 30, 100) > math.log(20) > excess_over(0.1, 10, 100)


@given(st.integers(8, 60), st.integers(8, 60))
@settings(max_examples=30, deadline=None)
def test_a_clear_change_is_dated_to_the_step(before: int, after: int) -> None:
    dropped = change_in([True] * before + [False] * after, "drop")
    rose = change_in([False] * before + [True] * after, "rise")
    for change in (dropped, rose):
        assert change is not None and change.at == before
        assert change.low <= change.at <= change.high
        assert change.log_e > math.log(20)


def test_a_change_the_other_way_says_nothing() -> None:
    rose = change_in([False] * 30 + [True] * 30, "drop")
    assert rose is not None and rose.log_e < math.log(20)


def test_one_observation_says_nothing() -> None:
    assert change_in([], "drop") is None and change_in([True], "drop") is None
