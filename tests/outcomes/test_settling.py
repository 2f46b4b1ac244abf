"""From verdicts to the verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.outcomes.works import BUDGET, RISKS, RUBRIC, STYLE, judged

from reverie.domain.outcomes import Criterion, CriterionVerdict, Note, Rubric
from reverie.outcomes.settling import MOST_FEEDBACK, failed, settle, would_satisfy

MET = [judged("c_budget"), judged("c_risks"), judged("c_style"), judged("c_opens")]


def ruled(criteria: list[CriterionVerdict], notes: tuple[Note, ...] = (), iteration: int = 0, **more: object):
    return settle(RUBRIC, criteria, notes, iteration=iteration, max_iterations=3, **more)  # type: ignore[arg-type]


def test_satisfied_is_what_meets_every_must() -> None:
    verdict = ruled(MET)
    assert (verdict.result, verdict.score, verdict.feedback) == ("satisfied", 1.0, "")
    assert "4 of 4 criteria are met" in verdict.explanation


def test_a_should_lowers_the_score_and_is_told() -> None:
    verdict = ruled([*MET[:2], judged("c_style", "not_satisfied"), MET[3]])
    assert verdict.result == "satisfied"
    assert verdict.score == pytest.approx(3 / 5)
    assert "Mentions no competitors by name (not met)" in verdict.explanation


@pytest.mark.parametrize(
    "worse", [judged("c_risks", "not_satisfied"), judged("c_risks", "partially_satisfied"), None]
)
def test_one_must_that_is_not_met_needs_revision(worse: CriterionVerdict | None) -> None:
    verdict = ruled([MET[0], MET[2], MET[3], *([worse] if worse else [])])
    assert verdict.result == "needs_revision"
    assert "Names at least one risk" in verdict.feedback
    assert "budget" not in verdict.feedback.split("Names at least")[0]


def test_the_last_iteration_ends() -> None:
    worse = [*MET[:1], judged("c_risks", "not_satisfied"), *MET[2:]]
    assert [ruled(worse, iteration=n).result for n in range(4)] == [
        "needs_revision", "needs_revision", "max_iterations_reached", "max_iterations_reached",
    ]  # fmt: skip
    assert ruled(MET, iteration=2).result == "satisfied"


def test_a_note_that_blocks_keeps_it_from_being_satisfied() -> None:
    mild, hard = Note("claim", "Not shown."), Note("addressed", "Take it out.", "a.md", "line 3", blocks=True)
    assert ruled(MET, (mild,)).result == "satisfied"
    verdict = ruled(MET, (mild, hard))
    assert verdict.result == "needs_revision"
    assert "Take it out. (a.md, line 3)" in verdict.feedback
    assert "Not shown" not in verdict.feedback


def test_what_applies_to_nothing_is_failed_and_never_satisfied() -> None:
    nothing = [replace(v, status="not_applicable") for v in MET]
    assert ruled(nothing).result == "failed"
    assert ruled(MET, inapplicable="It is about cooking.").result == "failed"
    assert settle(Rubric("", ()), (), (), iteration=0, max_iterations=3).result == "failed"
    assert failed(1, "The grader gave no verdict.").explanation == "The grader gave no verdict."


def test_where_nothing_is_a_must_everything_is() -> None:
    rubric = Rubric("", [replace(BUDGET, must=False), replace(RISKS, must=False)])
    half = [judged("c_budget"), judged("c_risks", "not_satisfied")]
    assert settle(rubric, half, (), iteration=0, max_iterations=3).result == "needs_revision"


def test_feedback_holds_what_must_change_and_no_reasoning() -> None:
    told = replace(
        judged("c_risks", "partially_satisfied"), reason="SECRET THOUGHT", change="Name the risk\nof delay."
    )
    verdict = ruled([MET[0], told, *MET[2:]])
    assert "SECRET THOUGHT" not in verdict.feedback
    assert "Name the risk of delay." in verdict.feedback
    assert "(report.md: “The budget is 40,000 euro.”)" in verdict.feedback


def test_explanation_and_feedback_are_bounded() -> None:
    many = [Criterion(f"c{n}", "A very long criterion. " * 30) for n in range(200)]
    verdicts = [replace(judged(c.id, "not_satisfied"), change="Change it. " * 300) for c in many]
    verdict = settle(Rubric("", many), verdicts, (), iteration=0, max_iterations=3)
    assert len(verdict.feedback) <= MOST_FEEDBACK
    assert len(verdict.explanation) <= MOST_FEEDBACK
    assert "more lines are left out" in verdict.feedback
    assert verdict.feedback.endswith("leave it so.")


STATUS = st.sampled_from(["satisfied", "partially_satisfied", "not_satisfied", "not_applicable"])


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from([BUDGET, RISKS, STYLE]), STATUS), max_size=5),
    st.booleans(),
    st.integers(0, 4),
)
def test_satisfied_only_if_every_must_is_met_and_nothing_blocks(
    given_: list[tuple[Criterion, str]], blocks: bool, iteration: int
) -> None:
    rubric = Rubric("", [BUDGET, RISKS, STYLE])
    verdicts = [judged(c.id, s) for c, s in given_]  # type: ignore[arg-type]
    notes = [Note("n", "x", blocks=blocks)]
    verdict = settle(rubric, verdicts, notes, iteration=iteration, max_iterations=3)
    last = {v.criterion: v for v in verdicts}
    musts = [last.get("c_budget"), last.get("c_risks")]
    if verdict.result == "satisfied":
        assert would_satisfy(rubric, verdicts, notes)
        assert all(v is not None and v.met for v in musts)
        assert not blocks
    assert verdict.score is None or 0 <= verdict.score <= 1
