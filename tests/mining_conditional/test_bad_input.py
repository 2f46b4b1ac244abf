"""Input as it comes: no crash, no false claim, a reason for what was not mined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mining_conditional.tables import named, noise, table_of

from reverie.domain.errors import UsageError
from reverie.mining.conditional import Column, Result, Table, mine_rules


def reasons(result: Result) -> dict[str, str]:
    return {left.attribute: left.reason for left in result.not_mined}


def test_each_useless_column_has_its_reason() -> None:
    dice = np.random.default_rng(1)
    rows = 1_000
    columns: dict[str, list[Any]] = {
        "constant": ["a"] * rows,
        "one_number": [3.5] * rows,
        "ids": [f"id-{i}" for i in range(rows)],
        "nothing": [None] * rows,
        "endless": [float("inf") if i % 2 else float("nan") for i in range(rows)],
        "fine": [f"k{v}" for v in dice.integers(0, 4, rows)],
    }
    result = mine_rules(table_of(columns), dice.random(rows) < 0.1)
    assert result.rules == ()
    told = reasons(result)
    assert told["constant"] == told["one_number"] == "the same value in every row"
    assert told["ids"].startswith("none of its 1000 values")
    assert told["nothing"] == "no value in any row"
    assert "endless" in told
    assert "fine" not in told


def test_ten_thousand_values_and_one_cause_among_them() -> None:
    dice = np.random.default_rng(2)
    rows = 12_000
    value = np.where(dice.random(rows) < 0.9, dice.integers(0, 10_000, rows), 10_001)
    columns = noise(dice, rows, kinds=2, numbers=1) | {"path": [f"p{v}" for v in value]}
    failed = dice.random(rows) < np.where(value == 10_001, 0.5, 0.05)
    result = mine_rules(table_of(columns), failed)
    (rule,) = result.rules
    assert rule.clauses[0].label == "p10001"
    assert "rarer values" in reasons(result)["path"]


@pytest.mark.parametrize(("happened", "note"), [(False, "it never happens"), (True, "it always happens")])
def test_an_outcome_that_never_varies(happened: bool, note: str) -> None:
    result = mine_rules(table_of({"x": [1.0, 2.0, 3.0] * 20}), [happened] * 60)
    assert result.note == note


def test_no_rows_no_columns_no_outcomes() -> None:
    assert mine_rules(Table((), 0), []).note is not None
    assert mine_rules(Table((), 5), [True, False, True, False, False]).note is not None
    assert mine_rules(table_of({"x": [1.0, 2.0]}), [None, None]).note is not None


def test_ties_everywhere() -> None:
    dice = np.random.default_rng(3)
    rows = 800
    columns = {f"tied_{i}": dice.choice([0.0, 0.0, 0.0, 1.0, 5.0], rows).tolist() for i in range(6)}
    assert mine_rules(table_of(columns), dice.random(rows) < 0.1, times=np.zeros(rows)).rules == ()


def test_clocks_in_the_future_unknown_times_and_users() -> None:
    dice = np.random.default_rng(4)
    rows = 1_000
    columns = noise(dice, rows)
    cause = np.array(columns["kind_1"]) == "k1"
    failed = dice.random(rows) < np.where(cause, 0.6, 0.05)
    times = [None if i % 7 == 0 else 4e12 if i % 11 == 0 else float(i) for i in range(rows)]
    users = [None if i % 5 == 0 else f"u{i % 9}" for i in range(rows)]
    assert named(mine_rules(table_of(columns), failed, users=users, times=times)) == [("kind_1",)]


def test_hundreds_of_attributes_are_searched_within_bounds_and_it_says_so() -> None:
    dice = np.random.default_rng(5)
    rows = 600
    columns = noise(dice, rows, kinds=125, numbers=5)
    cause = np.array(columns["kind_7"]) == "k1"
    failed = dice.random(rows) < np.where(cause, 0.7, 0.05)
    result = mine_rules(table_of(columns), failed)
    assert named(result) == [("kind_7",)]
    assert "130 attributes are many" in reasons(result)["(all)"]


def test_mixed_kinds_in_one_column_are_labels() -> None:
    table = Table.from_values({"x": [1, "1", True, None, 2.5] * 10})
    assert table.columns[0].kind == "category"
    assert table.columns[0].labels == (True, "1", "2.5")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from("ab"),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(scalars, min_size=12, max_size=12), min_size=1, max_size=4), st.integers(0, 2**12 - 1)
)
def test_any_small_table_is_mined_without_a_claim(columns: list[list[Any]], outcomes: int) -> None:
    table = Table.from_values({f"c{i}": column for i, column in enumerate(columns)}, hours=["c0"])
    assert mine_rules(table, [bool(outcomes >> i & 1) for i in range(12)]).rules == ()


def test_parameters_out_of_range_are_refused() -> None:
    table = table_of({"x": [1.0, 2.0]})
    for wrong in ({"alpha": 0.0}, {"alpha": 1.0}, {"min_users": 0}, {"partition_rows": 0}):
        with pytest.raises(UsageError):
            mine_rules(table, [True, False], **wrong)  # type: ignore[arg-type]
    for wrong in ({"users": ["a"]}, {"times": [1.0]}, {"strata": ["a"] * 3}, {"sessions": []}):
        with pytest.raises(UsageError):
            mine_rules(table, [True, False], **wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        Table.of([Column.number("x", [1.0]), Column.number("x", [2.0])])


def test_enormous_and_minute_numbers() -> None:
    dice = np.random.default_rng(6)
    rows = 600
    cause = dice.random(rows) < 0.15
    columns = noise(dice, rows, kinds=2, numbers=1)
    columns["enormous"] = np.where(cause, 1.5e308, -1.5e308).tolist()
    columns["minute"] = dice.choice([0.0, 5e-324, 1e-310], rows).tolist()
    failed = dice.random(rows) < np.where(cause, 0.8, 0.05)
    assert named(mine_rules(table_of(columns), failed)) == [("enormous",)]
