from __future__ import annotations

import random
import re

import pytest
from benchmarks.logs import labelled_log
from benchmarks.templates import grouping, ours, telling_lines
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.mining.templates import MASKS, count, mask, merge


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
        ("HTTP 503 for https://a.example.com/x", "HTTP 503 for <url>"),
        ("exit status 3 after 12 retries", "exit status <n> after <n> retries"),
        ("无法打开文件「/a/b.txt」:没有权限", "无法打开文件<q>:没有权限"),
        ("3番目の引数 config.yaml が不正です", "<n>番目の引数 <path> が不正です"),
        ("Datei »C:\\x\\y« fehlt", "Datei <q> fehlt"),
        ("no route to 10.0.3.7:8080 or localhost:80", "no route to <host>"),
        ("2026-03-01 10:00:01,123 slow query (30 ms)", "<time> slow query (<duration>)"),
    ],
)  # fmt: skip
def test_what_varies_is_masked_and_the_words_stay(line: str, template: str) -> None:
    assert mask(line) == template


def test_names_may_be_kept_where_the_name_is_the_message() -> None:
    assert mask("undefined: `Foo1`", keep=frozenset({"q", "id"})) == "undefined: `Foo1`"


def test_what_differs_only_in_a_value_is_one_and_contrary_things_are_two() -> None:
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


NAMES = ("ana", "bo", "cy", "dee", "eli", "fay", "gus", "hal", "ida", "jo")


def test_values_are_words_that_hardly_come_back() -> None:
    people = {f"mailbox of {name} is over quota": 2 for name in NAMES}
    twins = {"failed to open the file": 40, "failed to close the file": 25, "failed to lock the file": 12}
    groups = merge(people | twins)
    assert groups["mailbox of ana is over quota"] == {*people}
    assert all(groups[t] == {t} for t in twins)


def test_two_values_at_once() -> None:
    pairs = {f"{a} may not approve a request of {b}": 1 for a, b in zip(NAMES, reversed(NAMES), strict=True)}
    groups = merge(pairs | {"this person is not known here": 1})
    assert groups[next(iter(pairs))] == {*pairs}


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_merging_does_not_depend_on_order(dice: random.Random) -> None:
    words = ["upload", "failed", "for", "<q>", "busy", "<n>", "now", "again", "the", "service"]
    unique = sorted({" ".join(dice.choices(words, k=dice.randint(2, 7))) for _ in range(60)})
    shuffled = dice.sample(unique, len(unique))
    assert merge(unique) == merge(shuffled) == merge([*shuffled, *unique])
    seen = {t: dice.randint(1, 20) for t in unique}
    assert merge(seen) == merge({t: seen[t] for t in shuffled})


@given(st.integers(1, 50), st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_counts_of_parts_add_up_to_those_of_the_whole(size: int, dice: random.Random) -> None:
    messages, _ = labelled_log(200, 3)
    lines = telling_lines(messages)
    whole = count(lines)
    shuffled = dice.sample(lines, len(lines))
    parts = [count(shuffled[i : i + size]) for i in range(0, len(lines), size)]
    added = sum(parts, start=type(whole)())
    assert added == whole
    assert merge(added) == merge(whole)


@pytest.mark.parametrize(("messages", "least"), [(300, 0.8), (2_000, 0.9)])
def test_labelled_logs_are_grouped_as_they_were_made(messages: int, least: float) -> None:
    texts, labels = labelled_log(messages, 11)
    accuracy, of_groups = grouping(ours(telling_lines(texts)), labels)
    assert accuracy >= least
    assert of_groups >= least


def test_word_by_word_is_the_same_as_the_whole_line_at_once() -> None:
    every = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in MASKS))
    for text in telling_lines(labelled_log(1_500, 5)[0]):
        at_once = " ".join(every.sub(lambda found: f"<{found.lastgroup}>", text).split())
        at_once = re.sub(r"(<\w+>)(?: ?(?:,|and|or|;) ?\1)+|(<time>) <time>", lambda f: f[1] or f[2], at_once)
        assert mask(text) == at_once[:240].strip()


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_line_has_a_bounded_template(line: str) -> None:
    assert len(mask(line)) <= 240
