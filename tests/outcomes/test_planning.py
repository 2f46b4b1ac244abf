"""Which criteria are judged, in which pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.outcomes.works import BUDGET, OPENS, REPORT, RISKS, RUBRIC, STYLE, judged, work

from reverie.domain.outcomes import Criterion, CriterionVerdict
from reverie.outcomes.evidence import MESSAGE, changed, digest, find, marks
from reverie.outcomes.planning import (
    TOGETHER,
    judged_works,
    left_for_full_pass,
    merged,
    next_pass,
    oldest,
    to_judge,
)


def ids(criteria: object) -> list[str]:
    return [c.id for c in criteria]  # type: ignore[attr-defined]


def test_the_first_pass_judges_all_that_no_check_decides() -> None:
    assert to_judge(RUBRIC, (), set(), "new") == [BUDGET, RISKS, STYLE]


def test_a_later_pass_judges_what_failed_and_what_was_touched() -> None:
    previous = [judged("c_budget"), judged("c_risks", "not_satisfied"), judged("c_style", file="notes.md")]
    assert to_judge(RUBRIC, previous, {"other.md"}, "new") == [RISKS]
    assert to_judge(RUBRIC, previous, {"report.md"}, "new") == [BUDGET, RISKS]
    assert to_judge(RUBRIC, previous, {"notes.md"}, "new") == [RISKS, STYLE]
    assert to_judge(RUBRIC, previous, set(), "new", full=True) == [BUDGET, RISKS, STYLE]


def test_what_rests_on_the_message_is_touched_by_another_message() -> None:
    previous = [judged("c_budget", file=None), judged("c_risks"), judged("c_style")]
    assert to_judge(RUBRIC, previous, {MESSAGE}, "new") == [BUDGET]


def test_what_was_judged_by_a_place_alone_is_touched_by_any_change() -> None:
    previous = [judged("c_budget"), judged("c_risks"), judged("c_style", quote=None)]
    assert to_judge(RUBRIC, previous, {"new.md"}, "new") == [STYLE]
    assert to_judge(RUBRIC, previous, set(), "new") == []


def test_what_rests_on_nothing_is_judged_again() -> None:
    bare = replace(judged("c_budget", "not_applicable"), proof=None)
    assert BUDGET in to_judge(RUBRIC, [bare, judged("c_risks"), judged("c_style")], set(), "new")


def test_nothing_is_judged_twice_on_the_same_work() -> None:
    previous = [judged("c_budget", "not_satisfied", seen="new"), judged("c_risks", seen="new")]
    assert to_judge(RUBRIC, previous, {"report.md"}, "new") == [STYLE]


def test_the_full_pass_is_over_what_was_not_judged_on_this_work() -> None:
    current = [judged("c_budget", seen="new"), judged("c_risks"), judged("c_style", seen="new")]
    assert left_for_full_pass(RUBRIC, current, "new") == [RISKS]
    assert left_for_full_pass(RUBRIC, [replace(v, seen="new") for v in current], "new") == []
    assert OPENS not in left_for_full_pass(RUBRIC, (), "new")


def test_the_newest_verdict_on_each_criterion_counts() -> None:
    old, new = judged("c_budget", "not_satisfied"), judged("c_budget")
    assert merged(RUBRIC, [judged("c_risks"), old], [new, judged("unknown")]) == [new, judged("c_risks")]


# --- what checks say of the next pass

OLD, NOW = work(), work({"report.md": REPORT + "One more line.", "notes.md": "x"})
HERE = digest(NOW)
BEFORE = [
    judged("c_budget"),
    judged("c_risks", "not_satisfied"),
    judged("c_style", quote="This stood there once."),
]


def asked(*checked: CriterionVerdict, **more: object) -> list[str]:
    return ids(next_pass(RUBRIC, BEFORE, checked, {"report.md"}, NOW, **more))  # type: ignore[arg-type]


def check(status: str) -> CriterionVerdict:
    return replace(judged("c_opens", status, seen=HERE), by="check")  # type: ignore[arg-type]


def test_where_a_check_fails_what_still_stands_word_for_word_holds_for_now() -> None:
    assert asked(check("not_satisfied")) == ["c_risks", "c_style"]


def test_where_all_checks_are_met_the_full_pass_is_made_along() -> None:
    kept = [replace(BEFORE[0], proof=replace(BEFORE[0].proof, file="kept.md")), *BEFORE[1:]]  # type: ignore[type-var]
    assert ids(next_pass(RUBRIC, kept, [check("satisfied")], {"report.md"}, NOW)) == [
        "c_budget",
        "c_risks",
        "c_style",
    ]
    assert ids(next_pass(RUBRIC, kept, [], {"report.md"}, NOW)) == [
        "c_risks",
        "c_style",
    ]  # nothing says that the end is near


def test_a_full_pass_that_is_long_waits_until_it_is_wanted() -> None:
    many = [Criterion(f"c{n}", f"Part {n} is there.") for n in range(TOGETHER + 2)]
    rubric = replace(RUBRIC, criteria=(*many, OPENS))
    previous = [judged(c.id, "not_satisfied" if c is many[0] else "satisfied", file="kept.md") for c in many]
    asked = next_pass(rubric, previous, [check("satisfied")], {"report.md"}, NOW)
    assert ids(asked) == ["c0"]
    assert len(next_pass(rubric, previous[:-1], [check("satisfied")], {"report.md"}, NOW)) == len(many)


def test_everything_is_everything_whatever_checks_say() -> None:
    assert asked(check("not_satisfied"), full=True) == ["c_budget", "c_risks", "c_style"]


def test_what_changed_is_told_since_the_oldest_of_the_verdicts() -> None:
    verdicts = [judged("c_budget", seen="a"), judged("c_risks", seen="b", iteration=1)]
    works = {"a": OLD, "b": NOW}
    assert oldest([BUDGET, RISKS], verdicts, works) is OLD
    assert oldest([RISKS], verdicts, works) is NOW
    assert oldest([BUDGET, RISKS], verdicts, {"b": NOW}) is None
    assert oldest([BUDGET, STYLE], verdicts, works) is None
    assert oldest([], verdicts, works) is None
    assert judged_works(verdicts[1:], works) == {"b": NOW}


VERDICTS = st.lists(
    st.builds(
        judged,
        st.sampled_from(["c_budget", "c_risks", "c_style"]),
        st.sampled_from(["satisfied", "partially_satisfied", "not_satisfied", "not_applicable"]),
        file=st.sampled_from(["report.md", "notes.md", None]),
        seen=st.sampled_from(["old", "new"]),
    ),
    max_size=6,
)


@settings(max_examples=80)
@given(VERDICTS, st.sets(st.sampled_from(["report.md", "notes.md", MESSAGE])))
def test_what_is_not_judged_again_was_met_or_judged_here(
    previous: list[CriterionVerdict], touched: set[str]
) -> None:
    due = ids(to_judge(RUBRIC, previous, touched, "new"))
    last = {v.criterion: v for v in previous}
    for criterion in (BUDGET, RISKS, STYLE):
        if criterion.id not in due:
            verdict = last[criterion.id]
            assert verdict.seen == "new" or verdict.met
    assert set(ids(left_for_full_pass(RUBRIC, merged(RUBRIC, previous), "new"))) == {
        c.id for c in (BUDGET, RISKS, STYLE) if c.id not in last or last[c.id].seen != "new"
    }


# --- evidence


def test_a_digest_is_of_every_file_and_the_message() -> None:
    base = work({"a.md": "x", "b.md": "y"})
    others = [work({"a.md": "x", "b.md": "z"}), work({"a.md": "x", "c.md": "y"}), work({"a.md": "x"}),
              work({"a.md": "x", "b.md": "y"}, "else"), work({})]  # fmt: skip
    assert len({digest(w) for w in [base, *others]}) == 6
    assert digest(base) == digest(work({"b.md": "y", "a.md": "x"}))


def test_what_changed_is_known_from_the_work_or_its_marks() -> None:
    before, after = work({"a.md": "x", "b.md": "y"}), work({"b.md": "z", "c.md": "w"}, "else")
    assert changed(before, after) == changed(marks(before), after) == {"a.md", "b.md", "c.md", MESSAGE}
    assert changed(before, before) == set()


@pytest.mark.parametrize(
    ("quote", "file", "found"),
    [
        ("The budget is 40,000 euro.", None, "report.md"),
        ("the budget is 40,000 euro.", None, None),  # letters are compared as they are
        ("The  budget\nis 40,000 euro.", None, "report.md"),
        ("The budget is 40,000 euro.", "wrong.md", "report.md"),
        ("The budget is 50,000 euro.", None, None),
        ("budget", None, None),  # too short
        ("7", None, "report.md"),  # a whole cell
        ("euro", None, None),
        ("# Report", None, "report.md"),  # a whole line
        ("---------------", None, None),
        ("«[withheld: text addressed to the grader]»", None, None),
    ],
)
def test_a_quote_stands_in_the_work_or_it_does_not(quote: str, file: str | None, found: str | None) -> None:
    one = work({"report.md": REPORT_WITH_RULE, "other.md": "nothing"})
    proof = find(quote, one, file)
    assert (None if proof is None else proof.file) == found


REPORT_WITH_RULE = "# Report\n\nThe budget is 40,000 euro.\n---------------\n| part | 7 |\n«[withheld: text addressed to the grader]»\n"


def test_typographic_signs_and_widths_make_no_difference() -> None:
    one = work({"a.md": "He said “wait – it’s\u00a0fine”, then\u200b left the ﬁle."})
    assert find('He said "wait - it\'s fine", then left the file.', one) is not None


def test_a_quote_of_the_message_names_no_file() -> None:
    proof = find("all the numbers were taken", work(message="So all the numbers were taken from the sheet."))
    assert proof is not None
    assert proof.file is None
    assert proof.place == "line 1"


def test_a_place_needs_a_file_that_is_there() -> None:
    assert find(None, work(), "report.md", "line 3") is not None
    assert find(None, work(), "gone.md", "line 3") is None
    assert find(None, work(), None, None) is None
    assert find(None, work(), None, "the whole message") is not None


@settings(max_examples=60)
@given(st.text(min_size=0, max_size=80), st.text(max_size=40))
def test_whatever_stands_there_is_found_whatever_is_asked_does_no_harm(text: str, other: str) -> None:
    one = work({"a.md": f"before {text} after"})
    find(other, one)
    if sum(map(str.isalnum, text)) >= 12 and "[withheld" not in text:
        assert find(text, one) is not None
