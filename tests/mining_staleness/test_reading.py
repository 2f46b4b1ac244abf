"""What is read out of a memory, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mining_staleness.desk import CHECK_IN, memory

from reverie.mining.staleness.reading import read


def test_front_matter_sentences_and_quotes_are_told_apart() -> None:
    reading = read(memory("/a.md", CHECK_IN))
    assert reading.idea == "mistake:error:409 Conflict: document is not checked in to the register"
    assert reading.kind == "note" and reading.scope == {"repository": "desk"}
    assert reading.sentences[:2] == ("Call `check_in` before `upload`", "Call `check_in` before `upload`.")
    assert reading.quotes == ("409 Conflict: document is not checked in to the register",)


def test_code_blocks_and_quotations_are_shown_not_said() -> None:
    reading = read(memory("/a.md", "Never use tabs.\n\n```\nAlways use tabs.\n```\n\n> Use tabs, please.\n"))
    assert [d.positive for d in reading.demands] == [False]
    assert reading.quotes == ("Always use tabs.", "Use tabs, please.")


@pytest.mark.parametrize(
    "sentence, positive",
    [
        ("Use tabs.", [True]),
        ("Always run the linter first.", [True]),
        ("- Do not push to main", [False]),
        ("When you release, never skip the tests.", [False]),
        ("Prefer `rg` over `grep`.", [True, False]),
        ("Instead of Word, use PDF.", [True, False]),
        ("Don't use Word, use PDF.", [True, False]),
        ("The agent must ask first.", [True]),
        ("The portal was slow on Monday.", []),
        ("Should we use tabs?", []),
        ("", []),
    ],
)
def test_what_a_sentence_demands(sentence: str, positive: list[bool]) -> None:
    assert [d.positive for d in read(memory("/a.md", sentence)).demands] == positive


@given(st.text(max_size=400))
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_read(text: str) -> None:
    read(memory("/a.md", text.encode("utf-8", "replace").decode()))


@pytest.mark.parametrize(
    "text",
    [
        "---\nkind: [1, 2\n---\nUse tabs.",
        "---\nUse tabs.",
        "\ufeff---\r\nkind: note\r\n---\r\nUse tabs.",
    ],
)
def test_broken_front_matter_hides_no_rule(text: str) -> None:
    assert [d.positive for d in read(memory("/a.md", text)).demands] == [True]
