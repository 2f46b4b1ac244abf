"""Agreement with people, and the reading of their labels."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.domain.outcomes import CriterionStatus
from reverie.outcomes.agreement import Label, Pair, measure, read_labels
from reverie.outcomes.verdicts import STATUSES


def pairs(human: CriterionStatus, grader: CriterionStatus, count: int, criterion: str = "c") -> list[Pair]:
    return [Pair(criterion, human, grader)] * count


def test_kappa_and_its_interval_are_those_of_a_published_example() -> None:
    """The example of R's statpsych::ci.kappa(.05, 31, 12, 4, 58): 0.6757, from 0.5317 to 0.8196."""
    found = measure([
        *pairs("not_satisfied", "not_satisfied", 31), *pairs("not_satisfied", "satisfied", 12),
        *pairs("satisfied", "not_satisfied", 4), *pairs("satisfied", "satisfied", 58),
    ])  # fmt: skip
    assert found.kappa == pytest.approx(0.6756757, abs=1e-7)
    assert (found.low, found.high) == (pytest.approx(0.5317210, abs=1e-6), pytest.approx(0.8196303, abs=1e-6))
    assert found.accuracy == pytest.approx(89 / 105)


def test_partly_met_is_not_met_where_only_that_is_asked() -> None:
    found = measure([*pairs("partially_satisfied", "not_satisfied", 5), *pairs("satisfied", "satisfied", 5)])
    assert (found.accuracy, found.met_accuracy, found.met_kappa) == (0.5, 1.0, 1.0)


def test_confusions_are_told_by_criterion() -> None:
    found = measure([*pairs("satisfied", "not_satisfied", 2, "b"), *pairs("satisfied", "satisfied", 1, "a")])
    assert list(found.confusions) == ["a", "b"]
    assert found.confusions["b"] == {("satisfied", "not_satisfied"): 2}


def test_where_nothing_differs_there_is_no_kappa() -> None:
    assert measure([]).accuracy is None
    found = measure(pairs("satisfied", "satisfied", 9))
    assert (found.accuracy, found.kappa, found.low) == (1.0, None, None)


@settings(max_examples=100)
@given(
    st.lists(
        st.builds(Pair, st.sampled_from("ab"), st.sampled_from(STATUSES), st.sampled_from(STATUSES)),
        max_size=30,
    )
)
def test_every_figure_lies_in_its_range(given_: list[Pair]) -> None:
    found = measure(given_)
    assert sum(n for c in found.confusions.values() for n in c.values()) == found.count == len(given_)
    if found.kappa is not None:
        assert found.low is not None
        assert found.high is not None
        assert -1 <= found.low <= found.kappa + 1e-12
        assert found.kappa - 1e-12 <= found.high <= 1
    assert found.accuracy is None or (found.accuracy == 1.0) == all(p.human == p.grader for p in given_)


WANTED = [Label("a.md", "c1", "satisfied"), Label("b.md", "c1", "not_satisfied")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.jsonl", '{"file": "a.md", "criterion": "c1", "status": "met"}\n\n{"id": "b.md", "criterion": "c1", "status": "Not met"}\n'),
        ("l.csv", "\ufefffile,criterion,status\na.md,c1,satisfied\nb.md,c1,no\n"),
        ("l.toml", '[[labels]]\nfile="a.md"\ncriterion="c1"\nstatus="pass"\n[[labels]]\nfile="b.md"\ncriterion="c1"\nstatus=false\n'),
    ],
)  # fmt: skip
def test_labels_are_read_from_three_kinds_of_file(name: str, text: str) -> None:
    assert read_labels(text, name) == WANTED


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("l.xlsx", "", "ends in"),
        ("l.jsonl", "", "at least one"),
        ("l.jsonl", "{", "line 1"),
        ("l.jsonl", "[" * 100_000, "line 1"),
        ("l.jsonl", "[]", "a label has"),
        ("l.jsonl", '{"file": "a", "criterion": "c"}', "status"),
        ("l.jsonl", '{"file": "a", "criterion": "c", "status": "great"}', "status is one of"),
        ("l.csv", "file,status\na,met\n", "criterion"),
        ("l.toml", "labels = 3", "a list of tables"),
        ("l.toml", "labels = [", "no TOML"),
    ],
)
def test_what_is_wrong_with_labels_is_told(name: str, text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        read_labels(text, name)


@settings(max_examples=80)
@given(st.text(max_size=100), st.sampled_from(["l.jsonl", "l.csv", "l.toml"]))
def test_no_file_of_labels_does_harm(text: str, name: str) -> None:
    with suppress(Invalid):
        assert read_labels(text, name)
