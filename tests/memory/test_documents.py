"""Front matter: read tolerantly, written always the same."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.memory.documents import Document, lead, parse, render, title

FULL = """---
kind: note
description: before uploading files
scope:
  repository: acme/desk
evidence:
  sessions: 12
  users: 3
  last_seen: '2026-11-20'
source:
  dream: drm_a
  proposal: prop_b
revalidate_after: 2027-02-01
idea: upload-size
---

# Uploads

Split files over 50 MB before uploading.

What it looks like:

> 413 Payload Too Large
"""


def test_every_field_is_read() -> None:
    document = parse(FULL)
    assert document.kind == "note"
    assert document.description == "before uploading files"
    assert document.scope == {"repository": "acme/desk"}
    assert document.evidence == {"sessions": 12, "users": 3, "last_seen": "2026-11-20"}
    assert (document.dream, document.proposal) == ("drm_a", "prop_b")
    assert document.revalidate_after == date(2027, 2, 1)
    assert document.extra == {"idea": "upload-size"}
    assert document.body.startswith("# Uploads") and document.body.endswith("Too Large")
    assert title(document) == "Uploads"
    assert lead(document) == "Split files over 50 MB before uploading."


def test_rendering_what_was_read_gives_the_same_bytes() -> None:
    assert render(parse(FULL)) == FULL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just a line",
        "---\n",
        "---\nno end of it",
        "---\n- a\n- list\n---\nbody",
        "---\nkey: [unclosed\n---\nbody",
        "---\n{a: b}: c\n---\nbody",
        "---\nwhen: 2026-13-45\n---\nbody",
        "---\n!!python/object/apply:os.system ['true']\n---\nbody",
        "---\na: !!binary 'not base64 at all!'\n---\nbody",
        "\x00\x01",
        "- a list\n---\n- with a rule\n---\n",
        "---\n" + "[" * 5000 + "\n---\nbody",
    ],
)
def test_any_text_is_a_document_with_at_least_a_body(text: str) -> None:
    document = parse(text)
    assert document.kind is None
    assert document.body == text.strip()


def test_a_small_text_that_stands_for_a_giant_is_not_front_matter() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    bomb = "---\n" + "\n".join(levels) + "\n---\nbody"
    assert parse(bomb).body == bomb


def test_foreign_front_matter_is_kept_and_odd_values_of_ours_are_dropped() -> None:
    document = parse(
        "---\nkind: {a: 1}\nscope: 3\nevidence: {n: 2, deep: {no: 1}, tags: [a, 2]}\nrevalidate_after: soon\n"
        "author: ana\n---\nbody\n"
    )
    assert document == Document(body="body", evidence={"n": 2, "tags": "a, 2"}, extra={"author": "ana"})


def test_windows_line_ends_and_a_byte_order_mark_do_not_hide_front_matter() -> None:
    assert parse("\ufeff" + FULL.replace("\n", "\r\n")) == parse(FULL)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("# T\n\nOne\nline.\n\nMore.", "One line."),
        ("- first item\n- second", "first item"),
        ("## T\n1. do this\n   and that\n2. then", "do this and that"),
        ("# only a heading", ""),
        ("", ""),
    ],
)
def test_the_lead_is_what_the_text_says_first(body: str, expected: str) -> None:
    assert lead(Document(body=body)) == expected


# Letters of every kind, and what YAML and front matter have their own opinion about.
_TEXT = st.text(st.sampled_from("ab:#-–'\"{}[]&*!|>%@`\\ \t\n0é漢😀\u2028\x85~?,"), max_size=24)
_LINE = _TEXT.filter(bool)
_SCALAR = st.one_of(_LINE, st.integers(-(10**6), 10**6), st.booleans(), st.floats(allow_nan=False, width=32))


@settings(max_examples=150)
@given(
    st.builds(
        Document,
        body=_TEXT.map(str.strip),
        kind=st.none() | _LINE,
        description=st.none() | _LINE,
        scope=st.dictionaries(_LINE, _SCALAR, max_size=2),
        evidence=st.dictionaries(_LINE, _SCALAR, max_size=3),
        dream=st.none() | _LINE,
        revalidate_after=st.none() | st.dates(),
    )
)
def test_what_is_rendered_is_read_back(document: Document) -> None:
    text = render(document)
    assert parse(text) == document
    assert render(parse(text)) == text
