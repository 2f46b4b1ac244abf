"""What a rule says: thresholds, intervals, synonyms, halves, users; and what is said of what is no rule."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.mining.worlds import planted_world
from tests.mining_conditional.tables import named, noise, table_of

from reverie.mining.conditional import Column, Table, mine_rules


def test_a_cut_lies_between_the_rows_it_parts_and_its_interval_holds_the_truth() -> None:
    dice = np.random.default_rng(3)
    rows = 1_500
    columns = noise(dice, rows) | {"size": dice.lognormal(3, 1, rows).tolist()}
    size = np.array(columns["size"])
    failed = dice.random(rows) < np.where(size >= 47.3, 0.8, 0.06)
    (rule,) = mine_rules(table_of(columns), failed).rules
    (clause,) = rule.clauses
    assert clause.low is not None
    assert clause.high is None
    assert clause.low.low <= 47.3 <= clause.low.high
    assert np.mean((size >= min(47.3, clause.low.value)) & (size < max(47.3, clause.low.value))) < 0.02
    assert rule.rows.tolist() == np.flatnonzero(size >= clause.low.value).tolist()
    assert set(rule.failed_rows.tolist()) == set(np.flatnonzero(failed & (size >= clause.low.value)).tolist())


def test_hours_may_pass_midnight() -> None:
    dice = np.random.default_rng(4)
    rows = 2_000
    columns = noise(dice, rows) | {"hour": dice.integers(0, 24, rows).astype(float).tolist()}
    hour = np.array(columns["hour"])
    failed = dice.random(rows) < np.where((hour >= 22) | (hour < 3), 0.7, 0.06)
    (rule,) = mine_rules(table_of(columns), failed).rules
    (clause,) = rule.clauses
    assert clause.low is not None
    assert clause.high is not None
    assert (clause.low.value, clause.high.value) == (22.0, 3.0)
    assert str(clause) == "hour from 22 past midnight to 3"


def test_two_causes_give_two_rules_and_no_echo() -> None:
    dice = np.random.default_rng(5)
    rows = 3_000
    columns = noise(dice, rows, kinds=8)
    one = (np.array(columns["kind_3"]) == "k1") & (np.array(columns["number_0"]) > 8)
    two = (np.array(columns["kind_5"]) == "k2") & (np.array(columns["kind_1"]) == "k0")
    failed = dice.random(rows) < np.where(one, 0.8, np.where(two, 0.7, 0.05))
    found = named(mine_rules(table_of(columns), failed))
    assert sorted(map(sorted, found)) == [["kind_1", "kind_5"], ["kind_3", "number_0"]]


def test_an_attribute_that_says_the_same_is_listed_not_reported() -> None:
    dice = np.random.default_rng(6)
    rows = 1_200
    columns = noise(dice, rows)
    ext = dice.choice([".docx", ".pdf", ".png", ".txt"], rows)
    columns["ext"] = ext.tolist()
    columns["mime"] = [f"application/{e[1:]}" for e in ext]
    failed = dice.random(rows) < np.where(ext == ".docx", 0.5, 0.05)
    (rule,) = mine_rules(table_of(columns), failed).rules
    (clause,) = rule.clauses
    assert {clause.attribute, *clause.same_here} == {"ext", "mime"}
    (other,) = clause.instead
    assert {str(clause), str(other)} == {"ext is .docx", "mime is application/docx"}


def test_a_weak_cause_is_a_candidate_and_says_how_much_more_it_needs() -> None:
    dice = np.random.default_rng(7)
    rows = 400
    columns = noise(dice, rows)
    columns["kind_0"][:9] = ["rare"] * 9
    failed = dice.random(rows) < 0.12
    failed[:9] = [True, True, False] * 3
    result = mine_rules(table_of(columns), failed)
    assert result.rules == ()
    candidate = next(c for c in result.candidates if c.rule.clauses[0].label == "rare")
    assert candidate.reason == "cannot yet be told from chance"
    assert candidate.needs is not None

    more = candidate.needs + 2  # like the rest in everything but the cause
    like = dice.integers(0, rows, more).tolist()
    grown = {name: [*values, *(values[i] for i in like)] for name, values in columns.items()}
    grown["kind_0"][rows:] = ["rare"] * more
    target = [*failed.tolist(), *([True, True, False] * more)[:more]]
    assert ("kind_0",) in named(mine_rules(table_of(grown), target))


def test_true_and_useless_is_no_rule() -> None:
    """8 % against 10 % in many rows: certain, and not worth a word."""
    dice = np.random.default_rng(8)
    rows = 60_000
    columns = noise(dice, rows, kinds=3, numbers=1)
    failed = dice.random(rows) < np.where(np.array(columns["kind_0"]) == "k0", 0.105, 0.08)
    result = mine_rules(table_of(columns), failed)
    assert result.rules == ()
    assert any(c.reason.startswith("more often than elsewhere") for c in result.candidates)


def test_a_missing_value_fulfils_no_condition() -> None:
    """Failing runs often end before they record what they were about."""
    dice = np.random.default_rng(9)
    rows = 1_000
    columns = noise(dice, rows)
    failed = dice.random(rows) < 0.1
    gone = failed & (dice.random(rows) < 0.8)
    columns["kind_0"] = [None if g else v for g, v in zip(gone, columns["kind_0"], strict=True)]
    columns["number_0"] = [None if g else v for g, v in zip(gone, columns["number_0"], strict=True)]
    assert mine_rules(table_of(columns), failed).rules == ()


def test_what_may_be_a_consequence_is_kept_out_and_named() -> None:
    dice = np.random.default_rng(10)
    rows = 600
    failed = dice.random(rows) < 0.2
    columns = [
        Column.number("retries", (failed * 3 + dice.integers(0, 2, rows)).tolist(), known_before=False),
        Column.category("status", np.where(failed, "error", "ok").tolist(), known_before=None),
        Column.number("exit_code", failed.astype(float).tolist(), known_before=None),
        Column.category("kind", [f"k{v}" for v in dice.integers(0, 4, rows)], known_before=None),
    ]
    result = mine_rules(Table.of(columns), failed)
    assert result.rules == ()
    reasons = {left.attribute: left.reason for left in result.not_mined}
    assert "consequence" in reasons["retries"]
    assert reasons["status"] == reasons["exit_code"] == "restates the outcome"
    assert "kind" not in reasons


def test_rows_of_unknown_outcome_are_left_out_and_rows_keep_their_numbers() -> None:
    dice = np.random.default_rng(11)
    rows = 1_200
    columns = noise(dice, rows)
    cause = np.array(columns["kind_2"]) == "k1"
    target = [
        None if dice.random() < 0.3 else bool(dice.random() < (0.7 if c else 0.05)) for c in cause.tolist()
    ]
    result = mine_rules(table_of(columns), target)
    (rule,) = result.rules
    assert result.rows == sum(t is not None for t in target)
    assert all(cause[i] and target[i] is not None for i in rule.rows.tolist())


def test_the_halves_of_time_and_the_users_behind_a_rule_are_told() -> None:
    dice = np.random.default_rng(12)
    rows = 1_000
    columns = noise(dice, rows)
    cause = np.array(columns["kind_1"]) == "k2"
    failed = dice.random(rows) < np.where(cause, 0.6, 0.05)
    users = [f"u{v}" for v in dice.integers(0, 7, rows)]
    times = dice.permutation(rows).astype(float)
    (rule,) = mine_rules(table_of(columns), failed, users=users, times=times).rules
    assert rule.users == 7
    early = cause & (times < rows // 2)
    assert (rule.earlier.rows, rule.earlier.failed) == (int(early.sum()), int((early & failed).sum()))
    assert rule.earlier.rows + rule.later.rows == rule.here.rows
    assert rule.expected == pytest.approx(rule.examined.rows * failed.mean(), rel=0.35)


def test_a_cause_beside_a_wider_one_keeps_both_its_bounds() -> None:
    """One cause is share_2 below 0.249, another lies from 0.301 to 0.492: the gap between belongs to neither."""
    world = planted_world(10_000, 16)
    result = mine_rules(world.table, world.target, users=world.users, times=world.times)
    (clauses,) = (
        rule.clauses
        for rule, names in zip(result.rules, named(result), strict=True)
        if set(names) == {"share_2", "count_3"}
    )
    (clause,) = (c for c in clauses if c.attribute == "share_2")
    assert clause.low is not None
    assert clause.high is not None
    assert (clause.low.value, clause.high.value) == pytest.approx((0.3005, 0.4924), abs=0.01)
