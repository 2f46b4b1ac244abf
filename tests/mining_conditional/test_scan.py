"""The search counts what counting one by one would."""

from __future__ import annotations

import numpy as np
from tests.mining_conditional.tables import noise, table_of

from reverie.mining.conditional.counting import Rows
from reverie.mining.conditional.scan import View
from reverie.mining.conditional.scout import Scout
from reverie.mining.conditional.sheet import Sheet, encoded


def sheet(seed: int, rows: int) -> Sheet:
    dice = np.random.default_rng(seed)
    columns = noise(dice, rows, kinds=4, numbers=3) | {"hour": (dice.random(rows) * 24).tolist()}
    columns["kind_1"][::7] = [None] * len(columns["kind_1"][::7])
    columns["number_0"][::5] = [None] * len(columns["number_0"][::5])
    return encoded(table_of(columns), Rows(dice.random(rows) < 0.2, rows), 4)[0]


def test_two_axes_crossed_in_bundles_are_two_axes_crossed() -> None:
    for rows in (300, 9_000):  # few rows: bundles of few axes
        made = sheet(1, rows)
        scout = Scout(made)
        weights = np.random.default_rng(2).integers(0, 100, rows).astype(float)
        active = np.arange(0, rows, 2)
        axes = [i for i in range(len(made.axes)) if i != 2]
        crossing = scout.crossing(axes, active, weights[active])
        for axis in range(len(made.axes) - 1):
            sums = scout.by_condition(scout.crossed(crossing, axis), since=axis + 1)
            mine = [c for c in scout.conds if c.axis == axis]
            later = [c for c in scout.conds if c.axis > axis]
            for i, j in ((0, 0), (len(mine) - 1, len(later) - 1), (len(mine) // 2, len(later) // 2)):
                both = scout.holds([mine[i], later[j]])
                both[1::2] = False
                assert sums[i, j] == (0 if later[j].axis == 2 else weights[both].sum())


def test_what_a_search_finds_is_scored_as_counted() -> None:
    made = sheet(3, 2_000)
    scout = Scout(made)
    expected = np.full(2_000, 0.2)
    view = View(scout, np.ones(2_000, dtype=bool), expected)
    for found in view.search(100, 60):
        rows = np.flatnonzero(scout.holds(found.conds))
        surprise = float(view.surprises(rows, np.zeros(len(rows), dtype=np.intp), 1)[0])
        assert abs(surprise - found.cost - found.score) < 1e-3
