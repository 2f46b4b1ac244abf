"""Decoding foreign JSON under limits: what is kept, what is refused, and that nothing is ever raised."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.imports import Quarantined
from reverie.importers.jsonl import BadJson, Row, decode, head_rows, rows
from reverie.importers.values import blocks, headline, instant, repository_of, user_of


class Lines:
    """Just enough of a file for ``rows``."""

    uri = "/f.jsonl"
    name = "f.jsonl"

    def __init__(self, data: bytes, *, capped: frozenset[int] = frozenset()) -> None:
        self.data = data
        self.size = len(data)
        self.capped = capped

    def open(self) -> BinaryIO:
        raise NotImplementedError

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        lines = self.data.split(b"\n")
        for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
            yield number, None if number in self.capped else line

    def neighbour(self, relative: str) -> None:
        return None

    def neighbours(self, pattern: str) -> list[Lines]:
        return []


def read(data: bytes, **options: frozenset[int]) -> list[Row | Quarantined]:
    return list(rows(Lines(data, **options)))


def only_why(data: bytes) -> str:
    (item,) = read(data)
    assert isinstance(item, Quarantined)
    return item.why


def test_objects_come_with_their_line_and_their_bytes() -> None:
    first, second = read(b'{"a":1}\n\n  \n{"b": 2}\r\n')
    assert isinstance(first, Row)
    assert (first.line, first.value, first.raw) == (1, {"a": 1}, b'{"a":1}')
    assert isinstance(second, Row)
    assert (second.line, second.value) == (4, {"b": 2})


def test_two_objects_on_one_line_are_two_rows() -> None:
    items = read('{"a":"é"}{"b":2} {"c":3}\n{"d":4}\n'.encode())
    assert [(i.line, i.value) for i in items if isinstance(i, Row)] == [
        (1, {"a": "é"}),
        (1, {"b": 2}),
        (1, {"c": 3}),
        (2, {"d": 4}),
    ]
    assert next(i.raw for i in items if isinstance(i, Row)) == '{"a":"é"}'.encode()


def test_what_follows_a_whole_object_is_quarantined_by_itself() -> None:
    kept, bad = read(b'{"a":1}oops\n')
    assert isinstance(kept, Row)
    assert isinstance(bad, Quarantined)
    assert bad.line == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"a":NaN}', "NaN is not JSON"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (b'{"a":1e999}', "a number out of range"),
        (b'{"a":' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"a":1,"a":2}', "the key 'a' stands twice in one object"),
        (b'{"a":{"b":1,"b":1}}', "the key 'b' stands twice in one object"),
        (b"[" * 100_000, "nested deeper than 128 levels"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "nested deeper than 128 levels"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'{"a":"\x00"}', "not JSON: Invalid control character"),
        (b"\x00\x00\x00", "not JSON: Expecting value"),
        (b"42", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"hello", "not JSON"),
    ],
)
def test_refused_with_a_reason(line: bytes, why: str) -> None:
    assert why in only_why(line + b"\n")


def test_a_line_over_the_cap_is_named() -> None:
    items = read(b'{"a":1}\n{"b":2}\n', capped=frozenset({2}))
    assert items[1:] == [Quarantined(2, "the line is longer than a record may be")]


@pytest.mark.parametrize("cut", [b'{"a":"text', b'{"a":1', b'{"a":', b"{"])
def test_a_cut_last_line_will_be_read_later_and_elsewhere_it_is_broken(cut: bytes) -> None:
    assert only_why(cut) == "incomplete last line, will be read when it is finished"
    broken, whole = read(cut + b'\n{"b":2}\n')
    assert broken == Quarantined(1, "the line ends in the middle of a record")
    assert isinstance(whole, Row)


def test_a_lone_surrogate_is_repaired_and_the_rest_kept() -> None:
    (row,) = read(b'{"a":"cut \\ud83d","ok":"\\ud83d\\ude00"}\n')
    assert isinstance(row, Row)
    assert row.value == {"a": "cut \ufffd", "ok": "😀"}
    json.dumps(row.value).encode()


def test_a_byte_order_mark_is_no_obstacle() -> None:
    (row,) = read(b'\xef\xbb\xbf{"a":1}\n')
    assert isinstance(row, Row)


def test_decode_raises_one_kind_of_error() -> None:
    assert decode(b'[1, {"a": "b"}]') == [1, {"a": "b"}]
    with pytest.raises(BadJson):
        decode(b"")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=4), st.booleans())
def test_every_json_object_survives(value: dict[str, object], ascii_only: bool) -> None:
    line = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    (row,) = read(line + b"\n")
    assert isinstance(row, Row)
    assert json.dumps(row.value, sort_keys=True) == json.dumps(value, sort_keys=True)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 40))
def test_any_bytes_give_a_result(junk: bytes, at: int) -> None:
    line = b'{"type":"user","text":"\\u00e9 hello","n":[1,2]}'
    for item in read(line[:at] + junk + line[at:]):
        assert isinstance(item, Row | Quarantined)


def test_sniffing_sees_whole_lines_only() -> None:
    assert head_rows(b'{"a":1}\nnoise\n[1]\n{"b":2}\n{"c":') == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("cwd", "user", "repository"),
    [
        ("/Users/alex/workspace/cli", "alex", "cli"),
        ("/Users/alex/workspace/cli/.worktrees/1", "alex", "cli"),
        ("/home/kim/api/.claude/worktrees/fix-login", "kim", "api"),
        ("/home/kim/worktrees/api", "kim", "api"),
        ("C:\\Users\\Ann\\src\\shop", "Ann", "shop"),
        ("/srv/build/app/", None, "app"),
        ("/Users/Shared/x", None, "x"),
        ("/", None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_who_and_where_from_a_working_directory(
    cwd: object, user: str | None, repository: str | None
) -> None:
    assert (user_of(cwd), repository_of(cwd)) == (user, repository)


def test_times_are_utc_or_nothing() -> None:
    expected = "2026-01-02T03:04:05+00:00"
    for value in ("2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", 1767323045, 1767323045000):
        at = instant(value)
        assert at is not None
        assert at.isoformat() == expected
    for value in ("yesterday", "", None, True, -5, 10**30, "0001-01-01T00:00:00+23:00", [], float("inf")):
        assert instant(value) is None


def test_content_has_one_shape() -> None:
    assert blocks("hi") == [{"type": "text", "text": "hi"}]
    assert blocks(["hi", {"type": "image"}, 3, None, ""]) == [
        {"type": "text", "text": "hi"},
        {"type": "image"},
        {},
    ]
    assert blocks(None) == blocks("") == []


def test_a_headline_is_one_short_line() -> None:
    assert headline("  fix\n\n the\ttests ") == "fix the tests"
    long = headline("word " * 200)
    assert long is not None
    assert len(long) <= 303
    assert long.endswith("word …")
    assert headline(" \n") is None
