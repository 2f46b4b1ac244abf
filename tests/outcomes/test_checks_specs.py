"""What a check block may say: its keys tell its kind, and a fault names field, limit and value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverie.domain.errors import Invalid
from reverie.outcomes.checks.patterns import fits
from reverie.outcomes.checks.specs import KINDS, checked, in_cell


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"command": "true"}, "command"),
        ({"file": "a.docx"}, "file"),
        ({"file": "a.docx", "absent": True}, "file"),
        ({"file": "a.docx", "headings": ["A"]}, "docx"),
        ({"file": "a.PPTX", "slide_titles": True}, "pptx"),
        ({"file": "a.xlsx", "no_errors": True}, "xlsx"),
        ({"file": "a.pdf", "contains": "x"}, "pdf"),
        ({"file": "*.md", "contains": "x"}, "text"),
        ({"message": True, "max_words": 3}, "text"),
        ({"file": "a.json", "schema": {}}, "json"),
        ({"file": "a.json", "schema_file": "s.json"}, "json"),
        ({"kind": "docx", "file": "a.docx"}, "docx"),
    ],
)
def test_the_keys_tell_the_kind(told: dict[str, Any], kind: str) -> None:
    check = checked(told)
    assert check.kind == kind
    assert checked(check.wants) == check


@pytest.mark.parametrize(
    ("told", "field", "said"),
    [
        ({}, "check", "needs `command`, `file` or `message`"),
        ({"kind": "oracle", "file": "x"}, "kind", "one of command, file"),
        ({"kind": 3}, "kind", "one of"),
        ({"command": "x", "exit": 256}, "exit", "<= 255"),
        ({"command": "x", "timeout": 601}, "timeout", "<= 600"),
        ({"command": ""}, "command", "length >= 1"),
        ({"command": 3}, "command", "expected `str`"),
        ({"command": "x", "exits": 1}, "exits", "no key of a check of kind 'command'"),
        ({"command": "x", "output": "(?=a)"}, "output", "RE2"),
        ({"file": "/etc/passwd"}, "file", "relative"),
        ({"file": "a/../../b"}, "file", "without `..`"),
        ({"file": "a", "absent": True, "at_least": 1}, "at_least", "not together with `absent`"),
        ({"file": "a", "min_bytes": 3, "max_bytes": 2}, "min_bytes", "at most `max_bytes`, which is 2"),
        ({"file": "a", "message": True, "contains": "x"}, "file", "either `file` or `message"),
        ({"kind": "text", "contains": "x"}, "file", "either `file` or `message"),
        ({"file": "a.md", "matches": "("}, "matches", "RE2"),
        ({"file": "a.md", "matches": ["a", "x" * 1_001]}, "matches[1]", "length <= 1000"),
        ({"file": "a.md", "contains": "x", "at_most": 0}, "at_most", ">= 1"),
        ({"file": "a.md", "contains": "x", "slide_titles": True}, "slide_titles", "no key"),
        ({"file": "a.json", "schema": {"type": "objec"}}, "schema", "a JSON Schema"),
        ({"file": "a.json", "schema": {"$ref": "http://127.0.0.1:1/x"}}, "schema", "a JSON Schema"),
        ({"file": "a.json", "schema": {}, "schema_file": "x"}, "schema_file", "either"),
        ({"file": "a.docx", "numbers": {"a": "Sheet1!B4"}}, "numbers", "figures.xlsx!Sheet1!B4"),
        ({"file": "a.xlsx", "cells": {"B4": 1}}, "cells", "Sheet1!B4"),
        ({"file": "a.xlsx", "cells": {"S!B4": [1]}}, "cells.S!B4", "text, a number"),
        ({"file": "a.xlsx", "formulas": {"S!B4": False}}, "formulas", "true for any"),
        ({"file": "a.docx", "min_font_pt": 0}, "min_font_pt", "> 0"),
        ({"file": "a.docx", "headings": ["a", 3]}, "headings[1]", "expected `str`"),
    ],
)
def test_a_fault_names_field_limit_and_value(told: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked(told)
    assert caught.value.field == field
    assert said in caught.value.limit


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = sorted({name for form in KINDS.values() for name in form.__struct_fields__})


@given(st.dictionaries(st.sampled_from(_KEYS) | st.text(min_size=1, max_size=6), _VALUES, max_size=5))
def test_whatever_a_block_says_it_is_a_check_or_invalid(told: dict[str, Any]) -> None:
    try:
        check = checked(told)
    except Invalid as invalid:
        assert invalid.field
    else:
        assert checked(check.wants) == check


@pytest.mark.parametrize(
    ("path", "pattern", "fit"),
    [
        ("a.md", "*.md", True),
        ("x/a.md", "*.md", False),
        ("x/a.md", "**/*.md", True),
        ("a.md", "**/*.md", True),
        ("x/y/a.md", "x/**", True),
        ("x/y/a.md", "**/y/**/a.md", True),
        ("x", "x/**", True),
        ("a.md", "A.md", False),
        ("ab", "a?", True),
        ("a/b", "a?b", False),
        ("a" * 200, "*a" * 60 + "b", False),
        ("/".join("a" * 100), "**/a/" * 40 + "b", False),
    ],
)
def test_globs(path: str, pattern: str, fit: bool) -> None:
    assert fits(path, pattern) is fit


def test_references_to_cells() -> None:
    assert in_cell("f.xlsx!Sheet 1!AB12") == ("f.xlsx", "Sheet 1", "AB12")
    assert in_cell("'My sheet'!B4") == ("", "My sheet", "B4")
    assert in_cell("B4") is None
