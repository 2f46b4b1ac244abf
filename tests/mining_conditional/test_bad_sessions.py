"""Sessions as they come: nothing breaks, nothing is made up, and what could not be looked at says why."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mining_conditional.desks import START, a_call, desk, observed

from reverie.domain.events import Scalar
from reverie.domain.findings import Finding, Silence
from reverie.domain.observations import Observation
from reverie.mining.conditional.miner import ConditionalPatterns
from reverie.plugins import Corpus


def said(observations: Sequence[Observation]) -> tuple[list[Finding], dict[str, str]]:
    """Findings, and silences by what they are about."""
    every = list(ConditionalPatterns().mine(Corpus(observations)))
    silences = {one.about: one.why for one in every if isinstance(one, Silence)}
    return [one for one in every if isinstance(one, Finding)], silences


def noise(count: int, seed: int, rate: float = 0.15, **arguments: Scalar) -> list[Observation]:
    """Sessions of one call each that fails now and then, whatever it is given."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        at = START + timedelta(hours=number)
        own: dict[str, Scalar] = {"n": number % 11, "mode": dice.choice("abc")} | arguments
        error = "broken" if dice.random() < rate else None
        found.append(
            observed(
                f"s{number:05d}",
                [a_call(f"s{number:05d}", 1, "work", own, at, error)],
                at,
                user=f"u{number % 7}",
            )
        )
    return found


def test_a_constant() -> None:
    found, silences = said(noise(200, 1, always="the same"))
    assert found == []
    (about,) = [about for about, why in silences.items() if why == "the same value in every row"]
    assert about.startswith("`work`: ") and "always" in about


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_sessions(count: int) -> None:
    found, silences = said(noise(count, 2, rate=1.0))
    assert found == []
    assert silences["1 tool"] == "failing in fewer than 6 sessions"


def test_no_outcome_is_no_outcome() -> None:
    assert said(noise(50, 3))[1]["which sessions fail"] == "no session says how it ended"


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        ("failure", "all of 40 sessions with a known outcome failed: there is nothing to compare with"),
        ("success", "none of 40 sessions with a known outcome failed"),
    ],
)
def test_outcomes_that_are_all_alike(outcome: str, why: str) -> None:
    alike = [replace(o, outcome=outcome) for o in noise(40, 4, rate=1.0)]  # type: ignore[arg-type]
    found, silences = said(alike)
    assert found == []
    assert silences["which sessions fail"] == why
    assert silences["`work`"] == "every call of it fails: there is nothing to compare with"


def test_ten_thousand_different_values() -> None:
    dice = random.Random(5)
    observations = []
    for number in range(2_000):
        at = START + timedelta(hours=number)
        calls = [
            a_call(
                f"s{number:05d}",
                1 + i,
                "work",
                {"path": f"p{number * 5 + i}"},
                at,
                "broken" if dice.random() < 0.1 else None,
            )
            for i in range(5)
        ]
        observations.append(observed(f"s{number:05d}", calls, at, user=f"u{number % 7}"))
    found, silences = said(observations)
    assert found == []
    assert silences["`work`: path"].startswith("none of its values occurs in ")


def test_ties_everywhere() -> None:
    same = [
        replace(o, started_at=START, calls=tuple(replace(c, at=START) for c in o.calls))
        for o in noise(300, 6)
    ]
    assert said(same)[0] == []


def test_numbers_that_are_none() -> None:
    dice = random.Random(7)
    odd = [
        replace(
            o,
            calls=tuple(
                replace(c, arguments={**c.arguments, "size": dice.choice([nan, inf, -inf, 1.5, 2.5])})
                for c in o.calls
            ),
        )
        for o in noise(300, 7)
    ]
    found, silences = said(odd)
    assert found == []
    assert any("size" in about and "not finite" in why for about, why in silences.items())


def test_clocks_in_the_future_and_in_the_past() -> None:
    years = [-1900, 0, 0, 0, 7000]
    moved = [
        replace(o, started_at=at, calls=tuple(replace(c, at=at) for c in o.calls))
        for i, o in enumerate(noise(300, 8))
        if (at := (o.started_at or START).replace(year=2026 + years[i % 5])) is not None
    ]
    assert said(moved)[0] == []


def test_one_user_with_nine_sessions_in_ten() -> None:
    """He fails often, and everything that is his alone goes with failing: that is he, and no lesson."""
    for seed in range(5):
        dice = random.Random(seed)
        observations = []
        for number in range(400):
            at = START + timedelta(hours=number)
            user = "max" if dice.random() < 0.9 else f"u{dice.randrange(6)}"
            own: dict[str, Scalar] = {"client": f"client of {user}", "n": dice.randrange(50)}
            error = "broken" if dice.random() < (0.35 if user == "max" else 0.05) else None
            name = f"s{seed}{number:05d}"
            observations.append(observed(name, [a_call(name, 1, "work", own, at, error)], at, user=user))
        assert said(observations)[0] == []


def test_a_session_imported_from_two_places_counts_once() -> None:
    """What is not yet enough does not become enough by being read twice."""
    once = desk(60, seed=1, rate=1.0)
    assert said(once)[0] == []
    twice = [*once, *(replace(o, session_id=f"copy_of_{o.session_id}", format="other") for o in once)]
    found, silences = said(twice)
    assert found == []
    assert silences["60 sessions"] == "a copy of another, from another place: each was counted once"


def test_attributes_known_afterwards_are_named_and_kept_out() -> None:
    """How long it took goes with failing, of course."""
    dice = random.Random(9)
    observations = []
    for o in noise(200, 9, rate=0.3):
        failed = o.calls[0].failure is not None
        after: dict[str, Scalar] = {"duration_s": dice.uniform(50, 60) if failed else dice.uniform(1, 5)}
        observations.append(
            replace(
                o,
                outcome="failure" if failed else "success",
                consequences={"turns": 30 if failed else 3},
                calls=tuple(replace(c, after=after) for c in o.calls),
            )
        )
    found, silences = said(observations)
    assert found == []
    assert silences["sessions: turns"].startswith("known only afterwards")
    assert silences["`work`: duration_s"].startswith("known only afterwards")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.sampled_from(["a", "b", "1", "07", "x" * 200, ""]),
)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(["hour", "x", "x_chars", "status"]), scalars), st.booleans()
        ),
        max_size=24,
    )
)
def test_any_arguments_are_survived(cases: list[tuple[dict[str, Scalar], bool]]) -> None:
    observations = [
        observed(f"s{i:03d}", [a_call(f"s{i:03d}", 1, "work", arguments, START, "broken" if failed else None)], START,
                 outcome="failure" if failed else "success")
        for i, (arguments, failed) in enumerate(cases)
    ]  # fmt: skip
    said(observations)
