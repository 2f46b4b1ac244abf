"""An attribute that tells which of two groups a row is from stands for whatever parts the groups."""

from __future__ import annotations

import numpy as np
import pytest

from reverie.mining.conditional.standing import stands_for
from reverie.mining.conditional.table import Column

GROUPS = np.repeat([0, 1, 2], 40)


@pytest.mark.parametrize(
    "column",
    [
        Column.category("version", ["1"] * 40 + ["2"] * 80),
        Column.category("given", [None] * 80 + ["yes"] * 40),
        Column.number("matter", [float(n) for n in range(120)]),
        Column.number("left", [float(-n) for n in range(120)]),
        Column.category("nearly", ["1"] * 38 + ["2"] * 82),
    ],
)
def test_one_value_or_threshold_that_parts_them_stands_for_them(column: Column) -> None:
    assert stands_for(column, GROUPS)


@pytest.mark.parametrize(
    "column",
    [
        Column.category("court", ["a", "b"] * 60),
        Column.category("name", [f"file {n}" for n in range(120)]),
        Column.number("size", [float(n % 40) for n in range(120)]),
        Column.category("style", ["plain"] * 40 + ["plain", "formal"] * 40),
    ],
)
def test_what_both_groups_show_does_not(column: Column) -> None:
    assert not stands_for(column, GROUPS)


def test_a_group_of_a_few_rows_is_no_group() -> None:
    column = Column.category("version", ["1"] * 3 + ["2"] * 117)
    assert not stands_for(column, np.repeat([0, 1], [3, 117]))
