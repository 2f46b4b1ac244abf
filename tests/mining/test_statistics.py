"""Every number against scipy, a published example, or brute force."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.intervals import newcombe, wilson
from reverie.mining.statistics import (
    EXACT_UP_TO,
    Table,
    benjamini_hochberg,
    compare,
    compare_within,
    exact_p,
    odds_ratio,
    risk_difference,
)


@st.composite
def tables(draw: st.DrawFn, most: int = 25) -> Table:
    n, m = draw(st.integers(0, most)), draw(st.integers(0, most))
    return Table(draw(st.integers(0, n)), n, draw(st.integers(0, m)), m)


@given(tables())
@settings(max_examples=60, deadline=None)
def test_one_stratum_is_fishers_exact_test(t: Table) -> None:
    from scipy.stats import fisher_exact

    rows = [[t.a, t.n - t.a], [t.b, t.m - t.b]]
    if t.informative:
        assert exact_p([t]) == pytest.approx(fisher_exact(rows)[1], abs=1e-9)
        assert exact_p([t], alternative="greater") == pytest.approx(
            fisher_exact(rows, alternative="greater")[1], abs=1e-9
        )
    else:
        assert exact_p([t]) == 1.0


@given(st.lists(tables(most=4), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_several_strata_by_enumerating_every_outcome(strata: list[Table]) -> None:
    def weight(t: Table, k: int) -> float:
        return math.comb(t.n, k) * math.comb(t.m, t.a + t.b - k) / math.comb(t.n + t.m, t.a + t.b)

    used = [t for t in strata if t.informative]
    ranges = [range(max(0, t.a + t.b - t.m), min(t.n, t.a + t.b) + 1) for t in used]
    total: dict[int, float] = {}
    for outcome in itertools.product(*ranges):
        chance = math.prod(weight(t, k) for t, k in zip(used, outcome, strict=True))
        total[sum(outcome)] = total.get(sum(outcome), 0.0) + chance
    seen = sum(t.a for t in used)
    expected = sum(p for p in total.values() if p <= total[seen] * (1 + 1e-7)) if used else 1.0
    assert exact_p(strata) == pytest.approx(expected, abs=1e-9)


def test_beyond_the_exact_range_the_chi_square_agrees_with_it() -> None:
    big = Table(620, 1_000, 560, 1_000)
    assert min(big.n, big.a + big.b) > EXACT_UP_TO
    from scipy.stats import chi2, fisher_exact

    rows = [[big.a, big.n - big.a], [big.b, big.m - big.b]]
    assert exact_p([big]) == pytest.approx(fisher_exact(rows)[1], rel=0.1)
    excess = big.a - big.n * (big.a + big.b) / (big.n + big.m)
    variance = big.n * big.m * (big.a + big.b) * (820) / (2_000**2 * 1_999)
    assert exact_p([big]) == pytest.approx(chi2.sf((abs(excess) - 0.5) ** 2 / variance, 1), rel=1e-6)
    assert exact_p([big], alternative="greater") == pytest.approx(exact_p([big]) / 2, rel=1e-6)


def test_newcombes_published_example() -> None:
    """Newcombe (1998), table II (a): 56/70 − 48/80, method 10."""
    low, high = newcombe(56, 70, 48, 80)
    assert (low, high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=40, deadline=None)
def test_wilson_is_scipys(pair: tuple[int, int]) -> None:
    from scipy.stats import binomtest

    interval = binomtest(*pair).proportion_ci(method="wilson")
    assert wilson(*pair) == (pytest.approx(interval.low, abs=1e-9), pytest.approx(interval.high, abs=1e-9))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_false_discovery_rate_is_scipys(ps: list[float]) -> None:
    from scipy.stats import false_discovery_control

    assert benjamini_hochberg(ps) == pytest.approx(list(false_discovery_control(ps)), abs=1e-12)


@given(st.lists(tables(), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_difference_within_strata_is_a_weighted_mean_and_lies_in_its_interval(
    strata: list[Table],
) -> None:
    found = risk_difference(strata)
    used = [t for t in strata if t.informative]
    if not used:
        assert found is None
        return
    assert found is not None
    weights = [t.n * t.m / (t.n + t.m) for t in used]
    mean = sum(w * (t.a / t.n - t.b / t.m) for w, t in zip(weights, used, strict=True)) / sum(weights)
    assert found[0] == pytest.approx(mean, abs=1e-9)
    assert -1 <= found[1] <= found[0] + 1e-9
    assert found[0] - 1e-9 <= found[2] <= 1
    assert found[1] < found[2]  # an interval without width would claim to be certain


def test_satos_interval_covers_the_truth_over_many_small_strata() -> None:
    dice = random.Random(5)
    covered = 0
    for _ in range(300):
        strata = []
        for _ in range(15):
            base = dice.uniform(0.2, 0.7)
            n, m = dice.randint(1, 4), dice.randint(1, 6)
            hits = [sum(dice.random() < p for _ in range(k)) for p, k in ((base + 0.2, n), (base, m))]
            strata.append(Table(hits[0], n, hits[1], m))
        found = risk_difference(strata)
        assert found is not None
        covered += found[1] <= 0.2 <= found[2]
    assert 0.90 <= covered / 300 <= 0.99


def test_the_odds_ratio_pools_strata() -> None:
    """Mantel–Haenszel by its formula; the strata here point the other way than their sum does."""
    strata = [Table(18, 20, 70, 80), Table(24, 80, 5, 20)]
    expected = (18 * 10 / 100 + 24 * 15 / 100) / (2 * 70 / 100 + 56 * 5 / 100)
    assert odds_ratio(strata) == pytest.approx(expected)
    assert odds_ratio([Table(3, 3, 0, 0)]) is None
    raw, within = compare(Table(42, 100, 75, 100)), compare_within(strata)
    assert raw is not None and within is not None
    assert raw.difference < 0 < within.difference  # difficulty, not effect
    assert within.strata == 2


def test_nothing_to_compare_gives_nothing() -> None:
    assert compare(Table(0, 0, 1, 2)) is None
    assert compare_within([Table(1, 2, 0, 0), Table(0, 0, 1, 1)]) is None
    assert exact_p([]) == 1.0
    assert 0 < exact_p([Table(700, 700, 0, 700)]) < 1e-100  # tiny, never impossible
