"""The error budget: what the language's conditions are allowed adds up to no more than there is."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.mining.conditional import Column
from reverie.mining.conditional.axes import encode
from reverie.mining.conditional.language import arity_cost, language_sizes

values = st.lists(st.sampled_from([0.0, 1.0, 2.0, 2.5, 7.0, 7.5, 19.0, 23.5]), min_size=20, max_size=80)


@settings(max_examples=60, deadline=None)
@given(values, st.booleans())
def test_the_conditions_of_an_axis_share_one_budget(column: list[float], hours: bool) -> None:
    made = Column.hour("x", column) if hours else Column.number("x", column)
    axis, _ = encode(made, 4, np.arange(len(column)))
    if axis is not None:
        assert sum(exp(-cost) for cost in axis.language.cost) == pytest.approx(1.0)
        pairs = list(zip(axis.language.starts.tolist(), axis.language.ends.tolist(), strict=True))
        assert len(set(pairs)) == len(pairs)


def test_long_columns_and_labels_share_theirs_too() -> None:
    dice = np.random.default_rng(1)
    columns = (
        Column.number("n", dice.normal(size=5_000).tolist()),
        Column.hour("h", (dice.random(5_000) * 24).tolist()),
        Column.category("c", [f"v{i}" for i in dice.integers(0, 9, 5_000)]),
    )
    for column in columns:
        axis, _ = encode(column, 5, np.arange(5_000))
        assert axis is not None
        assert axis.cells <= 250
        assert sum(exp(-cost) for cost in axis.language.cost) == pytest.approx(1.0)


@pytest.mark.parametrize("axes", [1, 2, 3, 7, 40])
def test_all_choices_of_attributes_share_the_budget(axes: int) -> None:
    counts = language_sizes([1] * axes)
    spent = sum(n * exp(-arity_cost(axes, arity)) for arity, n in enumerate(counts, start=1) if n)
    assert spent == pytest.approx(1.0)


def test_a_condition_holds_just_its_run_of_cells() -> None:
    axis, _ = encode(Column.hour("h", [float(i % 24) for i in range(480)]), 4, np.arange(480))
    assert axis is not None
    codes = axis.codes(np.array([0.0, 5.0, 22.0, 23.0, np.nan]))
    assert axis.holds(codes, 22, 3).tolist() == [True, False, True, True, False]
    assert axis.holds(codes, 5, 24).tolist() == [False, True, True, True, False]


@settings(max_examples=40, deadline=None)
@given(values, st.booleans(), st.data())
def test_the_nearest_members_are_of_the_same_shape(
    column: list[float], hours: bool, data: st.DataObject
) -> None:
    """A witness without one of a rule's bounds could not tell whether that bound is needed."""
    made = Column.hour("x", column) if hours else Column.number("x", column)
    axis, _ = encode(made, 4, np.arange(len(column)))
    if axis is None:
        return
    language = axis.language
    low = data.draw(st.integers(0, axis.cells - 1))
    high = data.draw(st.integers(low + 1, axis.cells))
    near = language.near(low, high, 6)
    alike = ((language.starts == 0) == (low == 0)) & ((language.ends == axis.cells) == (high == axis.cells))
    assert len(near) >= 1
    assert not alike.any() or alike[near].all()
