"""The guard: unlucky users, hard tasks and bad weeks are expected to fail and prove nothing."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.mining.worlds import NULL_KINDS, NullKind, null_world
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mining_conditional.tables import named, noise, table_of

from reverie.mining.conditional import mine_rules
from reverie.mining.conditional.offsets import guard_of


@pytest.mark.parametrize("kind", NULL_KINDS)
def test_worlds_with_nothing_to_find(kind: NullKind) -> None:
    for seed in range(4):
        world = null_world(1_500, seed, kind)
        result = mine_rules(world.table, world.target, users=world.users, times=world.times)
        assert result.rules == (), [str(rule) for rule in result.rules]


def test_without_the_guard_an_unlucky_user_becomes_a_lesson() -> None:
    """That is, the test above can fail."""
    fooled = 0
    for seed in range(4):
        world = null_world(3_000, seed, "clustered")
        fooled += bool(mine_rules(world.table, world.target).rules)
    assert fooled >= 3


def test_what_vanishes_within_tasks_is_explained_by_difficulty() -> None:
    """Hard tasks are given to one model; within any task the models do equally well."""
    dice = np.random.default_rng(2)
    rows = 2_000
    task = dice.integers(0, 40, rows)
    hard = task < 12
    columns = noise(dice, rows)
    columns["model"] = np.where(dice.random(rows) < np.where(hard, 0.9, 0.1), "large", "small").tolist()
    failed = dice.random(rows) < np.where(hard, 0.7, 0.1)
    strata = [f"task-{t}" for t in task]
    assert ("model",) in named(mine_rules(table_of(columns), failed))
    assert mine_rules(table_of(columns), failed, strata=strata).rules == ()


def test_a_cause_within_tasks_is_found_and_its_effect_within_them_told() -> None:
    dice = np.random.default_rng(3)
    rows = 2_000
    task = dice.integers(0, 40, rows)
    columns = noise(dice, rows)
    cause = np.array(columns["kind_2"]) == "k1"
    failed = dice.random(rows) < np.where(cause, 0.7, np.where(task < 12, 0.35, 0.05))
    (rule,) = mine_rules(table_of(columns), failed, strata=[f"task-{t}" for t in task]).rules
    assert [c.attribute for c in rule.clauses] == ["kind_2"]
    assert rule.within is not None
    assert rule.within.strata == 40
    assert rule.within.high < -0.3  # success falls by more than thirty points within tasks


def test_one_user_with_nine_of_ten_sessions_hides_no_cause_and_makes_none() -> None:
    dice = np.random.default_rng(4)
    rows = 2_000
    heavy = dice.random(rows) < 0.9
    users = np.where(heavy, 0, dice.integers(1, 30, rows))
    columns = noise(dice, rows) | {"home": np.where(heavy, "north", "south").tolist()}
    cause = np.array(columns["kind_3"]) == "k2"
    by_user = np.where(heavy, 0.2, 0.03)
    quiet = dice.random(rows) < by_user
    assert mine_rules(table_of(columns), quiet, users=users, times=np.arange(rows)).rules == ()
    failed = dice.random(rows) < np.where(cause, 0.8, by_user)
    assert named(mine_rules(table_of(columns), failed, users=users, times=np.arange(rows))) == [("kind_3",)]


def test_sessions_that_fail_as_a_whole_are_no_cause() -> None:
    """Forty calls a session; bad sessions fail half of theirs, and each has an attribute value of its own."""
    dice = np.random.default_rng(5)
    sessions, each = 50, 40
    session = np.repeat(np.arange(sessions), each)
    bad = dice.random(sessions) < 0.2
    columns = noise(dice, sessions * each)
    columns["branch"] = [f"b{v}" for v in dice.integers(0, 12, sessions)[session]]
    failed = dice.random(len(session)) < np.where(bad, 0.5, 0.04)[session]
    loose = mine_rules(table_of(columns), failed, times=np.arange(len(session)))
    guarded = mine_rules(table_of(columns), failed, sessions=session, times=np.arange(len(session)))
    assert "branch" in {name for rule in named(loose) for name in rule}
    assert guarded.rules == ()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_what_is_expected_of_a_row_does_not_depend_on_what_comes_later(seed: int, people: int) -> None:
    """Outcomes of later rows may be exchanged within a user, and what was expected before hardly moves.

    It moves at all only by the one constant that tells how much users differ; with one user, not at all.
    """
    dice = np.random.default_rng(seed)
    rows = 300
    users = dice.integers(0, people, rows)
    failed = dice.random(rows) < 0.3
    active = np.ones(rows, dtype=bool)
    guard = guard_of(rows, (users,), np.arange(rows, dtype=float))
    later = failed.copy()
    for user in range(people):
        mine = np.flatnonzero((users == user) & (np.arange(rows) >= 150))
        later[mine] = later[mine][::-1]
    before, after = guard.expected(failed, active)[:151], guard.expected(later, active)[:151]
    assert np.abs(np.log(before / after)).max() <= (0.0 if people == 1 else 0.1)
    assert ((before > 0) & (before < 1)).all()
    assert (before * (1 << 26) == np.round(before * (1 << 26))).all()
