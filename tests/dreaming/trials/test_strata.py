"""What is expected of a session: from those before it, in its stratum, else in the one above."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.dreaming.trials.strata import Expectations

places = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)


def test_nothing_is_known_at_first() -> None:
    assert Expectations().of(("repo", "task")) == 0.5


def test_a_stratum_comes_to_its_own_rate_and_leaves_the_others_theirs() -> None:
    known = Expectations()
    for i in range(400):
        known.learn(("repo", "hard"), i % 10 == 0)
        known.learn(("repo", "easy"), i % 10 != 0)
    assert abs(known.of(("repo", "hard")) - 0.1) < 0.02
    assert abs(known.of(("repo", "easy")) - 0.9) < 0.02
    assert abs(known.of(("repo",)) - 0.5) < 0.01


def test_an_unknown_stratum_has_its_parents_rate() -> None:
    known = Expectations()
    for _ in range(50):
        known.learn(("repo",), True)
    assert known.of(("repo", "new", "task")) == known.of(("repo",)) > known.of(("other",)) > 0.5


@given(st.lists(st.tuples(places, st.booleans()), max_size=40), places)
@settings(max_examples=50, deadline=None)
def test_an_expectation_is_a_rate_and_never_certain(
    sessions: list[tuple[tuple[str, ...], bool]], place: tuple[str, ...]
) -> None:
    known = Expectations()
    for where, good in sessions:
        known.learn(where, good)
    assert 0 < known.of(place) < 1
