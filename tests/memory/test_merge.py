"""Three-way merge: nothing is lost, nothing is invented, and overlaps are said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.memory.merge import Merge, conflicting, has_conflict_markers, three_way, unified

BASE = "one\ntwo\nthree\nfour\nfive\n"


def test_changes_in_different_places_are_both_there() -> None:
    merge = three_way(BASE, BASE.replace("one", "ONE"), BASE.replace("five", "FIVE"))
    assert merge == Merge("ONE\ntwo\nthree\nfour\nFIVE\n", clean=True)


def test_overlapping_changes_are_shown_under_both_names() -> None:
    merge = three_way(BASE, BASE.replace("three", "drei"), BASE.replace("three", "trois"))
    assert not merge.clean
    assert merge.text == ("one\ntwo\n<<<<<<< memory\ndrei\n=======\ntrois\n>>>>>>> proposal\nfour\nfive\n")
    assert has_conflict_markers(merge.text)


def test_the_same_change_on_both_sides_is_no_conflict() -> None:
    both = BASE.replace("three", "drei")
    assert three_way(BASE, both + "six\n", both) == Merge(both + "six\n", clean=True)


def test_text_that_holds_markers_of_its_own_does_not_count_as_a_conflict() -> None:
    base = "<<<<<<< memory\nx\n"
    assert three_way(base + "a\nb\nc\n", base + "A\nb\nc\n", base + "a\nb\nC\n").clean


@pytest.mark.parametrize(
    ("base", "memory", "proposal", "expected"),
    [
        ("a\nb\nc", "A\nb\nc", "a\nb\nC", "A\nb\nC"),  # nobody added the last newline
        ("a\nb\nc", "A\nb\nc\n", "a\nb\nC", "A\nb\nC\n"),  # memory did
        ("a\nb\nc\n", "A\nb\nc\n", "a\nb\nC", "A\nb\nC"),  # the proposal took it away
    ],
)
def test_the_newline_at_the_end_is_merged_as_well(
    base: str, memory: str, proposal: str, expected: str
) -> None:
    assert three_way(base, memory, proposal) == Merge(expected, clean=True)


def test_a_conflict_in_a_last_line_without_newline_keeps_the_markers_on_lines_of_their_own() -> None:
    assert three_way("a", "b", "c").text == conflicting("b", "c")
    assert conflicting("b", "c") == "<<<<<<< memory\nb\n=======\nc\n>>>>>>> proposal\n"


def test_markers_are_seen_after_an_editor_on_windows_too() -> None:
    assert has_conflict_markers(conflicting("a", "b").replace("\n", "\r\n"))
    assert not has_conflict_markers("a heading\n=======\nand >>>>>>> proposal in a line\n")


_text = st.text(st.sampled_from("ab\n\r"), max_size=30)


@settings(max_examples=200)
@given(_text, _text)
def test_a_change_on_one_side_is_that_side(base: str, changed: str) -> None:
    assert three_way(base, changed, base) == Merge(changed, clean=True)
    assert three_way(base, base, changed) == Merge(changed, clean=True)
    assert three_way(base, changed, changed) == Merge(changed, clean=True)


@settings(max_examples=200)
@given(_text, _text, _text)
def test_a_merge_holds_only_lines_of_its_sides_and_clean_is_symmetric(base: str, a: str, b: str) -> None:
    merge = three_way(base, a, b)
    assert merge.clean == three_way(base, b, a).clean
    if merge.clean:
        lines = {line for text in (base, a, b) for line in text.split("\n")}
        assert set(merge.text.split("\n")) <= lines | {""}
    else:
        assert has_conflict_markers(merge.text)


def test_a_diff_says_when_there_was_no_text_and_when_a_newline_is_missing() -> None:
    assert unified(None, "a", old_name="x", new_name="y") == (
        "--- /dev/null\n+++ y\n@@ -0,0 +1 @@\n+a\n\\ No newline at end of file\n"
    )
    assert unified("a\n", None, old_name="x", new_name="y").startswith("--- x\n+++ /dev/null\n")
    assert unified("a\n", "a\n", old_name="x", new_name="y") == ""


def test_a_diff_has_one_line_for_each_line_even_with_strange_separators() -> None:
    diff = unified("a\u2028b\n", "a\u2028c\n", old_name="x", new_name="y")
    assert diff.count("\n") == 5
