"""Plans as they are asked for: what can be carried out is, and what cannot is refused with the path named."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.domain.plans import Phase, Plan, Task
from reverie.orchestration.checking import MAX_EDGES, MAX_PROMPT, checked_plan
from reverie.orchestration.notation import plan_json, plan_of

AGENTS = ("clerk", "poet")


def task(id: str, *needs: str, **says: Any) -> dict[str, Any]:
    return {"id": id, "agent": "clerk", "prompt": f"do {id}", "depends_on": list(needs), **says}


def mapped(*inputs: Any, prompt: str = "{input}", **says: Any) -> dict[str, Any]:
    return {"map": {"agent": "clerk", "inputs": list(inputs), "prompt": prompt, **says}}


def refused(told: Any, agents: tuple[str, ...] = AGENTS) -> tuple[str, str]:
    with pytest.raises(Invalid) as raised:
        checked_plan(told, agents)
    return raised.value.field, str(raised.value)


def test_a_plan_with_everything_said() -> None:
    told = {
        "name": "report",
        "description": "the weekly one",
        "tasks": [
            task("read", retries=2, timeout_s=60, max_tokens=1000, phase="one", optional=True),
            task("write", "read", "read", depends_on=["read", "read"], agent="poet"),
        ],
        "at_once": 25,
        "phases": ["one", {"id": "two", "name": "Two", "description": "the second"}],
        "on_failure": "stop",
        "max_tokens": 5000,
        "timeout_s": 600,
        "reduce": "Put it together.",
    }
    plan = checked_plan(told, AGENTS)
    assert plan == Plan(
        "report",
        (
            Task("read", "clerk", "do read", (), 2, 60.0, 1000, "one", True),
            Task("write", "poet", "do write", ("read",)),
        ),
        "the weekly one",
        25,
        (Phase("one", "one"), Phase("two", "Two", "the second")),
        "stop",
        5000,
        600.0,
        "Put it together.",
    )
    assert plan_of(plan_json(plan)) == plan


def test_what_is_left_out_or_null_is_as_always() -> None:
    told = {"tasks": [{**task("a"), "retries": None, "depends_on": None, "phase": "x"}], "at_once": None}
    plan = checked_plan(told, AGENTS)
    assert (plan.name, plan.at_once, plan.on_failure) == ("plan", 20, "skip")
    assert plan.phases == (Phase("x", "x"),), "phases that tasks name are phases"
    assert plan_json(plan)["tasks"] == [{"id": "a", "agent": "clerk", "prompt": "do a", "phase": "x"}]


@pytest.mark.parametrize(
    ("told", "field", "words"),
    [
        ([], "plan", "an object"),
        ({}, "plan", "tasks or map"),
        ({"tasks": [task("a")], **mapped("a")}, "plan", "one of the two"),
        ({"tasks": []}, "plan.tasks", "from 1 to 1000"),
        ({"tasks": [task("a")] * 1001}, "plan.tasks", "this has 1001"),
        ({"tasks": [task("a")], "at_once": 0}, "plan.at_once", ">= 1"),
        ({"tasks": [task("a")], "at_once": 26}, "plan.at_once", "from 1 to 25, this has 26"),
        ({"tasks": [task("a")], "at_once": True}, "plan.at_once", "int, got bool"),
        ({"tasks": [task("a")], "cap": 3}, "plan", "next: the fields are name, description, tasks"),
        ({"tasks": [task("a"), 3]}, "plan.tasks[1]", "an object"),
        ({"tasks": [task("a b")]}, "plan.tasks[0].id", "letters, digits"),
        ({"tasks": [task("a"), task("a")]}, "plan.tasks", "ids that differ, not 'a (2 times)'"),
        ({"tasks": [{"id": "a", "agent": "clerk"}]}, "plan.tasks[0]", "missing required field prompt"),
        ({"tasks": [task("a", retries=11)]}, "plan.tasks[0].retries", "<= 10"),
        ({"tasks": [task("a", timeout_s=0)]}, "plan.tasks[0].timeout_s", "> 0"),
        ({"tasks": [task("a", prompt="")]}, "plan.tasks[0].prompt", "length >= 1"),
        ({"tasks": [task("a", prompt="x" * (MAX_PROMPT + 1))]}, "plan.tasks[0].prompt", "<= 100000"),
        ({"tasks": [task("a"), task("b", "a", "c")]}, "plan.tasks[1].depends_on[1]", "for 'b'"),
        ({"tasks": [task("read"), task("b", "reed")]}, "plan.tasks[1].depends_on[0]", "is 'read' meant?"),
        ({"tasks": [task("a", "a")]}, "plan.tasks[0].depends_on[0]", "than 'a' itself"),
        ({"tasks": [task("a", agent="clrk")]}, "plan.tasks[0].agent", "one of clerk, poet, not 'clrk'"),
        ({"tasks": [task("a", agent="clrk")]}, "plan.tasks[0].agent", "task 'a'"),
        ({"tasks": [task("a", phase="z")], "phases": ["y"]}, "plan.tasks[0].phase", "one of: y, not 'z'"),
        ({"tasks": [task("a")], "phases": ["y", "y"]}, "plan.phases", "ids that differ"),
        ({"tasks": [task("a")], "on_failure": "go"}, "plan.on_failure", "'go'"),
        (mapped("a", agent="x"), "plan.map.agent", "one of clerk, poet"),
        (mapped(), "plan.map.inputs", "from 1 to 1000"),
        (mapped(*["a"] * 1001), "plan.map.inputs", "this has 1001"),
        (mapped(3), "plan.map.inputs[0]", "str | object, got int"),
        (mapped("a", prompt="all the same"), "plan.map.prompt", "{input}"),
        (mapped("a", prompt="{input"), "plan.map.prompt", "{{ and }}"),
        (mapped("a", prompt="{input.__class__}"), "plan.map.prompt", "plain names"),
        (mapped("a", prompt="{input!r}"), "plan.map.prompt", "plain names"),
        (mapped("a", prompt="{input:>{index}}"), "plan.map.prompt", "plain names"),
        (mapped("a", prompt="{}"), "plan.map.prompt", "plain names"),
        (mapped({"b": 1}, {"c": 1}, prompt="{b}"), "plan.map.inputs[1]", "it has: input, index, c"),
        (mapped({"b": object()}, prompt="{b}"), "plan.map.inputs[0].b", "a JSON value"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_with_the_path(
    told: Any, field: str, words: str
) -> None:
    found, message = refused(told)
    assert found == field
    assert words in message


def test_tasks_that_wait_for_each_other_are_named_in_their_order() -> None:
    told = {"tasks": [task("z"), task("a", "z", "b"), task("b", "c"), task("c", "a"), task("d", "a")]}
    field, message = refused(told)
    assert field == "plan.tasks"
    assert "a → b → c → a" in message
    ring = {"tasks": [task(f"t{n}", f"t{(n + 1) % 1000}") for n in range(1000)]}
    assert "t0 → t1 → t2" in refused(ring)[1]
    assert "(989 more) → t999 → t0" in refused(ring)[1]


def test_the_known_are_told_of_a_team_of_nobody_too() -> None:
    assert "one of none" in refused({"tasks": [task("a")]}, ())[1]


def test_absurd_sizes_are_refused() -> None:
    long = {"tasks": [task(f"t{n}", prompt="x" * MAX_PROMPT) for n in range(81)]}
    assert "8000000 characters" in refused(long)[1]
    ids = [f"t{n}" for n in range(1000)]
    dense = {"tasks": [task(name, *ids[max(0, n - 60) : n]) for n, name in enumerate(ids)]}
    assert f"at most {MAX_EDGES} dependencies" in refused(dense)[1]


def test_other_limits_may_be_set() -> None:
    told = {"tasks": [task(f"t{n}") for n in range(1500)], "at_once": 60}
    plan = checked_plan(told, AGENTS, most_tasks=2000, most_at_once=64)
    assert (len(plan.tasks), plan.at_once) == (1500, 60)
    with pytest.raises(Invalid, match=r"`run\.tasks`"):
        checked_plan(told, AGENTS, where="run", most_at_once=64)


def test_a_map_makes_a_task_of_each_input() -> None:
    told = mapped(
        "the {index} one",
        {"input": "x", "name": "Ana", "age": 3},
        prompt="{index}: {{{input}}}",
        retries=1,
        timeout_s=5,
        max_tokens=10,
    )
    first, second = checked_plan(told, AGENTS).tasks
    assert first == Task("item-1", "clerk", "1: {the {index} one}", (), 1, 5.0, 10)
    assert second.prompt == '2: {{"input":"x","name":"Ana","age":3}}'
    named = mapped({"name": "Ana", "age": 3}, prompt="{name} is {age}")
    assert checked_plan(named, AGENTS).tasks[0].prompt == "Ana is 3"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tasks", "map", "id", "agent", "prompt", "inputs", "depends_on", "phases"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(told=json_values)
def test_whatever_is_asked_for_is_a_plan_or_is_refused_as_invalid(told: Any) -> None:
    try:
        assert isinstance(checked_plan(told, AGENTS), Plan)
    except Invalid as error:
        assert error.field.startswith("plan")


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 11), max_size=3), min_size=1, max_size=12))
def test_a_plan_is_refused_exactly_where_tasks_wait_for_each_other(needs: list[list[int]]) -> None:
    size = len(needs)
    edges = {n: {m % size for m in each if m % size != n} for n, each in enumerate(needs)}
    told = {"tasks": [task(f"t{n}", *(f"t{m}" for m in each)) for n, each in edges.items()]}
    try:
        checked_plan(told, AGENTS)
    except Invalid as error:
        names = error.limit.partition(": ")[2].split(" → ")
        assert names[0] == names[-1]
        for one, other in pairwise(names):
            assert int(other[1:]) in edges[int(one[1:])]
    else:
        assert _can_be_ordered(edges)


def _can_be_ordered(edges: Mapping[int, set[int]]) -> bool:
    done: set[int] = set()
    while ready := [n for n in edges if n not in done and edges[n] <= done]:
        done.update(ready)
    return len(done) == len(edges)
