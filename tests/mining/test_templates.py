from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.mining.templates import mask, merge


@pytest.mark.parametrize(
    ("line", "template"),
    [
        ("payment amount does not add up, total price is 1286, but paid 1,200", "payment amount does not add up, total price is <n>, but paid <n>"),
        ("flight HAT069 not available on date 2024-05-21", "flight <id> not available on date <time>"),
        ("fatal: unable to read e53647ba1f1e5203bedff558b482f178db045555", "fatal: unable to read <hex>"),
        ("ls: /Users/alex/cli/.git/gc.log: No such file or directory", "ls: <path>: No such file or directory"),
        ("fatal: 'main' is already used by worktree at '/home/a/cli'", "fatal: <q> is already used by worktree at <q>"),
        ("connection to db-7.example.com timed out after 30s", "connection to <host> timed out after <duration>"),
        ("upload of report.docx (61 MB) failed: HTTP 413 too large", "upload of <path> (<size>) failed: HTTP 413 too large"),
        ("cannot read https://example.com/a?b=1 for bo@example.com", "cannot read <url> for <email>"),
        ("unknown flag: --stat", "unknown flag: --stat"),
        ("job 550e8400-e29b-41d4-a716-446655440000 failed", "job <uuid> failed"),
        ("Command doesn't exist and isn't there", "Command doesn't exist and isn't there"),
    ],
)  # fmt: skip
def test_what_varies_is_masked_and_the_words_stay(line: str, template: str) -> None:
    assert mask(line) == template


def test_names_may_be_kept_where_the_name_is_the_message() -> None:
    assert mask("undefined: `Foo1`", keep=frozenset({"q", "id"})) == "undefined: `Foo1`"


def test_near_identical_templates_merge_and_contrary_ones_do_not() -> None:
    groups = merge(
        [
            "payment method not found",
            "payment method <id> not found",
            "the file was found in the index of it",
            "the file was not found in the index of it",
            "disk is full",
        ]
    )
    assert groups["payment method not found"] == groups["payment method <id> not found"]
    assert (
        groups["the file was found in the index of it"] != groups["the file was not found in the index of it"]
    )
    assert groups["disk is full"] == {"disk is full"}


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_merging_does_not_depend_on_order(dice: random.Random) -> None:
    words = ["upload", "failed", "for", "<q>", "busy", "<n>", "now", "again", "the", "service"]
    unique = sorted({" ".join(dice.choices(words, k=dice.randint(2, 7))) for _ in range(60)})
    shuffled = dice.sample(unique, len(unique))
    assert merge(unique) == merge(shuffled) == merge([*shuffled, *unique])


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_line_has_a_bounded_template(line: str) -> None:
    assert len(mask(line)) <= 240
