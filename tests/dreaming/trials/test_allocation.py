"""Which task is replayed next: it looks at how often a task succeeds, never at who won."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.dreaming.trials.allocation import next_task
from reverie.dreaming.trials.pairs import Pair

TASKS = ["a", "b", "c"]
pairs = st.lists(st.builds(Pair, st.sampled_from(TASKS), st.booleans(), st.booleans()), max_size=30)


@given(pairs)
@settings(max_examples=80, deadline=None)
def test_it_is_blind_to_which_side_won(done: list[Pair]) -> None:
    turned = [Pair(p.task, p.without, p.with_edit) for p in done]
    assert next_task(TASKS, done) == next_task(TASKS, turned)


def test_every_task_is_asked_before_any_is_asked_twice() -> None:
    done: list[Pair] = []
    for expected in TASKS:
        assert next_task(TASKS, done) == expected
        done.append(Pair(expected, False, True))


def test_a_task_that_always_ends_alike_is_asked_seldom_but_not_never() -> None:
    rng = random.Random(1)
    rates = {"sure": 1.0, "hopeless": 0.0, "lively": 0.5, "likely": 0.8}
    done: list[Pair] = []
    for _ in range(200):
        task = next_task(list(rates), done)
        done.append(Pair(task, rng.random() < rates[task], rng.random() < rates[task]))
    asked = {task: sum(p.task == task for p in done) for task in rates}
    assert asked["lively"] > asked["likely"] > 3 * asked["sure"] > 0
    assert asked["sure"] == pytest.approx(asked["hopeless"], abs=1)


def test_pairs_of_tasks_that_are_not_held_out_are_passed_over() -> None:
    assert next_task(["a"], [Pair("gone", True, False)]) == "a"


def test_there_must_be_a_task() -> None:
    with pytest.raises(Invalid, match="tasks"):
        next_task([], [])
