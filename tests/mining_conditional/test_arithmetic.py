"""Tests, bounds and thresholds against scipy and brute force."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from reverie.mining.conditional.scores import chernoff, effect, fisher, gain, surprise
from reverie.mining.conditional.thresholds import roundest


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 400), st.data())
def test_fisher_is_the_hypergeometric_tail(total: int, data: st.DataObject) -> None:
    all_k, n = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    k = data.draw(st.integers(max(0, n + all_k - total), min(n, all_k)))
    if k * total > n * all_k:
        assert fisher(k, n, all_k, total) == pytest.approx(
            stats.hypergeom.logsf(k - 1, total, all_k, n), abs=1e-6
        )
    else:
        assert fisher(k, n, all_k, total) == 0.0


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 300), st.floats(0.001, 0.95), st.data())
def test_chernoff_bounds_the_binomial_tail(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    exact = float(stats.binom.logsf(k - 1, n, p))
    assume(exact > -700)  # beyond that scipy computes with denormal numbers
    assert chernoff(k, n, n * p) >= exact - 1e-9 * max(1.0, -exact)  # equal at k = n, but for rounding
    assert chernoff(k, n, n * p) == pytest.approx(
        -float(surprise(np.array([float(k)]), np.array([float(n)]), np.array([n * p]))[0]), abs=1e-9
    )


def test_gain_is_half_of_g() -> None:
    table = [[30, 20], [100, 850]]
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    k, n, e = np.array([30.0]), np.array([50.0]), np.array([50.0 * 130 / 1000])
    assert float(gain(k, n, e, 130, 1000, 130)[0]) == pytest.approx(g / 2)


def test_effect_is_cohens_h() -> None:
    assert effect(0.5, 0.5) == 0
    assert effect(0.15, 0.08) == pytest.approx(0.222, abs=0.005)
    assert effect(0.1, 0.2) < 0


@settings(max_examples=200, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e4))
def test_the_roundest_number_lies_in_the_gap(above: float, width: float) -> None:
    upto = above + width
    if above < upto:
        assert above < roundest(above, upto) <= upto


@pytest.mark.parametrize(
    ("above", "upto", "round_"),
    [(49.7, 50.4, 50), (16, 17, 17), (-3, 4, 0), (0.12, 0.14, 0.14), (990, 1020, 1000)],
)
def test_people_like_round_numbers(above: float, upto: float, round_: float) -> None:
    assert roundest(above, upto) == round_


def test_ten_failing_sessions_can_prove_what_one_cannot() -> None:
    """Against fifty million conjunctions, a base rate of 8 % and one error in twenty allowed."""
    limit = log(0.05 / 5e7)
    assert chernoff(10, 10, 0.8) < limit < chernoff(7, 7, 0.56)


@pytest.mark.parametrize(("above", "upto"), [(-1.7e308, 1.7e308), (0.0, 5e-324), (1e308, 1.7e308)])
def test_numbers_at_the_ends_of_what_a_float_can_hold(above: float, upto: float) -> None:
    assert above < roundest(above, upto) <= upto
