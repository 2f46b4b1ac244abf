"""The packed sequences against the plain definition."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mining_workflows.sessions import call, session

from reverie.mining.workflows.search import order_of, search, sign_test
from reverie.mining.workflows.sequences import REACH, encode, indices, matched, steps_of

actions = st.sampled_from("abcde")
corpora = st.lists(st.lists(actions, min_size=1, max_size=30), min_size=1, max_size=12)
patterns = st.lists(actions, min_size=1, max_size=4, unique=True)


def contains(steps: list[str], pattern: list[str]) -> bool:
    """``pattern`` in order, each step at most ``REACH`` steps after the one before: by the definition."""
    ends = [i for i, s in enumerate(steps) if s == pattern[0]]
    for action in pattern[1:]:
        ends = [i for i, s in enumerate(steps) if s == action and any(0 < i - j <= REACH for j in ends)]
    return bool(ends)


def collapsed(acts: list[str]) -> list[str]:
    return [a for i, a in enumerate(acts) if i == 0 or acts[i - 1] != a]


@given(corpora, patterns)
@settings(max_examples=60, deadline=None)
def test_members_are_the_sessions_that_contain_the_pattern(
    corpus: list[list[str]], pattern: list[str]
) -> None:
    sequences = encode([session(i, acts) for i, acts in enumerate(corpus)], least=1)
    if not set(pattern) <= set(sequences.actions):
        return
    members = sequences.members([sequences.actions.index(a) for a in pattern])
    assert members.tolist() == [i for i, acts in enumerate(corpus) if contains(collapsed(acts), pattern)]


def test_a_session_longer_than_a_word_is_searched_as_a_whole() -> None:
    filler = ["x", "y"] * 200
    far = [*filler[:150], "a", "x", "b", "y", "c", *filler[150:]]
    apart = ["a", *filler[:40], "b"]
    sequences = encode([session(0, far), session(1, apart), session(2, filler)], least=1)
    a, b, c = (sequences.actions.index(x) for x in "abc")
    assert not sequences.single
    assert sequences.members([a, b, c]).tolist() == [0]
    assert sequences.members([a, b]).tolist() == [0], "40 steps apart is out of reach"


def test_a_step_is_in_reach_up_to_its_last_place() -> None:
    def apart(distance: int) -> list[str]:
        return ["a", *["x", "y"] * ((distance - 1) // 2), *["z"] * ((distance - 1) % 2), "b"]

    sequences = encode([session(0, apart(REACH)), session(1, apart(REACH + 1))], least=1)
    assert sequences.members([sequences.actions.index(x) for x in "ab"]).tolist() == [0]


@given(corpora)
@settings(max_examples=40, deadline=None)
def test_pairs_are_counted_once_a_session_in_each_direction(corpus: list[list[str]]) -> None:
    sequences = encode([session(i, acts) for i, acts in enumerate(corpus)], least=1)
    order = order_of(sequences)
    steps = [collapsed(acts) for acts in corpus]
    for a, first in enumerate(sequences.actions):
        for b, second in enumerate(sequences.actions):
            if a != b:
                there = [contains(s, [first, second]) for s in steps]
                back = [contains(s, [second, first]) for s in steps]
                assert order.after[a, b] == sum(there)
                assert order.both[a, b] == sum(x and y for x, y in zip(there, back, strict=True))


@given(corpora)
@settings(max_examples=40, deadline=None)
def test_the_search_without_outcomes_keeps_what_has_support_and_order(corpus: list[list[str]]) -> None:
    sequences = encode([session(i, acts) for i, acts in enumerate(corpus)], least=2)
    for candidate in search(sequences, 2, None).candidates:
        assert candidate.sessions.tolist() == sequences.members(candidate.pattern).tolist()
        assert len(candidate.sessions) >= 2
        assert len(set(candidate.pattern)) == len(candidate.pattern) > 2


@given(st.lists(actions, min_size=1, max_size=40), patterns)
@settings(max_examples=80, deadline=None)
def test_a_match_is_where_it_says(acts: list[str], pattern: list[str]) -> None:
    steps = steps_of(session(0, acts).calls)
    places = matched(steps, pattern)
    assert bool(places) == contains([s.action for s in steps], pattern)
    assert [steps[i].action for i in places] == (pattern if places else [])
    assert all(0 < b - a <= REACH for a, b in pairwise(places))


def test_steps_are_of_the_main_thread_and_ran() -> None:
    told = [
        call("e1", 1, "open", None),
        call("e2", 2, "open", None),
        call("e3", 3, "look", None, thread="helper"),
        call("e4", 4, "send", None, ran=False),
        call("e5", 5, "close", None),
        call("e6", 6, "open", None),
    ]
    assert [s.event_id for s in steps_of(told)] == ["e1", "e5", "e6"]


def test_where_the_main_thread_is_empty_the_busiest_counts() -> None:
    told = [call(f"e{i}", i, f"step {i}", None, thread="b" if i else "a") for i in range(4)]
    assert [s.action for s in steps_of(told)] == ["step 1", "step 2", "step 3"]


def test_the_sign_test_is_exact() -> None:
    assert sign_test(0, 0) == 1.0
    assert np.isclose(sign_test(5, 0), 1 / 32)
    assert np.isclose(sign_test(8, 2), (1 + 10 + 45) / 1024)
    assert sign_test(1_100, 1_000) < 0.02 < sign_test(1_050, 1_000) < 0.5
    assert sign_test(1_000, 1_100) > 0.9


def test_rare_actions_leave_the_vocabulary_and_keep_their_place() -> None:
    sequences = encode([session(i, ["a", f"once {i}", "b"]) for i in range(5)], least=5)
    assert sequences.actions == ("a", "b")
    assert indices(sequences.places == np.uint64(4)) == [1, 3, 5, 7, 9]
