"""JSON as strangers write it: decoded under limits, one line at a time, never raising on content.

What is refused (and why): NaN and numbers out of range (not JSON), a key twice in one object (two
parsers would read two different records), nesting beyond ``MAX_DEPTH`` (whoever handles the value
later may recurse), bytes that are not UTF-8. A lone surrogate, which tools leave behind when they cut
a text in the middle of an emoji, is repaired to U+FFFD: the rest of the record is worth keeping.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, cast

import msgspec

from reverie.domain.events import Json, Origin, record_sha256
from reverie.domain.imports import Quarantined
from reverie.plugins import TranscriptFile

__all__ = ["MAX_DEPTH", "BadJson", "Row", "decode", "head_rows", "rows"]

MAX_DEPTH: Final = 128
HEAD_ROWS: Final = 64
INCOMPLETE: Final = "incomplete last line, will be read when it is finished"

_LONG: Final = 16_384
_BOM: Final = b"\xef\xbb\xbf"
_fast: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode


class BadJson(ValueError):
    """Bytes that are not the JSON we take; the message is one short clause. ``cut``: they end too early."""

    def __init__(self, why: str, *, cut: bool = False) -> None:
        super().__init__(why)
        self.cut = cut


@dataclass(slots=True)  # not frozen: there are millions of them, and freezing costs more than the rest
class Row:
    """One JSON object of a line-based file. ``raw`` is its bytes as they stand in the file."""

    line: int
    value: dict[str, Json]
    raw: bytes

    def origin(self, format: str, uri: str, native_id: str | None, pointer: str | None = None) -> Origin:
        return Origin(format, uri, self.line, pointer, native_id, record_sha256(self.raw))


def rows(file: TranscriptFile) -> Iterator[Row | Quarantined]:
    """The objects of a line-based file in order, each bad record in its place as ``Quarantined``.

    Blank lines are no records. Several objects on one line (two writers, one file) are each a row.
    """
    held: Quarantined | None = None
    for number, data in file.lines():
        if held is not None:  # not the last line after all
            yield Quarantined(held.line, "the line ends in the middle of a record")
            held = None
        if data is None:
            yield Quarantined(number, "the line is longer than a record may be")
            continue
        if not data or data.isspace():
            continue
        try:
            value = decode(data)
        except BadJson:
            for item in _several(number, data):
                if isinstance(item, Quarantined) and item.why == INCOMPLETE:
                    held = item
                else:
                    yield item
        else:
            yield _row(number, value, data)
    if held is not None:
        yield held


@lru_cache(maxsize=4)  # every reader asks about the same head
def head_rows(head: bytes) -> list[dict[str, Json]]:
    """The objects among the first whole lines of ``head``, for sniffing: to be looked at, not changed.

    Lines that do not parse are left out.
    """
    found: list[dict[str, Json]] = []
    lines = head.removeprefix(_BOM).split(b"\n")
    for line in lines[:HEAD_ROWS]:  # the last one may be cut: then it does not parse, which is fine
        try:
            value: Json = _fast.decode(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(cast(dict[str, Json], value))
    return found


def decode(data: bytes) -> Json:
    """The JSON value that ``data`` is.

    Raises:
        BadJson: it is none, or not one we take.
    """
    try:
        value: Json = _fast.decode(data)
        # Equal bytes after a round trip prove that no key came twice; compact writers always pass.
        if _encode(value) != data:
            value = _slowly(data)
    except (ValueError, RecursionError):
        value = _slowly(data)
    if _may_be_deep(data) and _too_deep(value):
        raise BadJson(f"nested deeper than {MAX_DEPTH} levels")
    return value


def _row(line: int, value: Json, raw: bytes) -> Row | Quarantined:
    if isinstance(value, dict):
        return Row(line, cast(dict[str, Json], value), raw)
    return Quarantined(line, "not a JSON object")


def _several(line: int, data: bytes) -> Iterator[Row | Quarantined]:
    """A line that is not one value: its leading values, then what stopped the reading."""
    try:
        text = _text(data)
        start = 0
        while start < len(text):
            value, end = _strictly(text, start)
            raw = text[start:end].encode("utf-8", "surrogatepass")
            if _may_be_deep(raw) and _too_deep(value):
                yield Quarantined(line, f"nested deeper than {MAX_DEPTH} levels")
            else:
                yield _row(line, value, raw)
            start = _skip_space(text, end)
    except BadJson as error:
        yield Quarantined(line, INCOMPLETE if error.cut else str(error))


def _slowly(data: bytes) -> Json:
    text = _text(data)
    value, end = _strictly(text, 0)
    if _skip_space(text, end) < len(text):
        raise BadJson(f"not JSON: something follows the value at column {end + 1}")
    return value


def _text(data: bytes) -> str:
    try:
        return data.removeprefix(_BOM).decode("utf-8").lstrip(" \t\r\n")
    except UnicodeDecodeError as error:
        raise BadJson(f"not UTF-8 at byte {error.start}") from None


def _strictly(text: str, start: int) -> tuple[Json, int]:
    """(the value that begins at ``start``, where it ends), by the parser that can say what is wrong."""
    try:
        value, end = _explain.raw_decode(text, start)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        raise BadJson(f"not JSON: {error.msg} at column {error.pos + 1}", cut=cut) from None
    except RecursionError:
        raise BadJson(f"nested deeper than {MAX_DEPTH} levels") from None
    except BadJson:
        raise
    except ValueError as error:  # e.g. an integer of more than 4,300 digits
        raise BadJson(f"not JSON we take: {str(error).split(';', 1)[0]}") from None
    return (_repaired(value) if "\\u" in text else value), end


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadJson(f"the key {twice[:40]!r} stands twice in one object")
    return found


def _refuse_constant(name: str) -> Json:
    raise BadJson(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise BadJson("a number out of range")
    return value


_explain: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
)


def _repaired(value: Json) -> Json:
    """``value`` with U+FFFD for every lone surrogate. Called on values of bounded depth only."""
    if isinstance(value, str):
        return (
            value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    if _too_deep(value):
        raise BadJson(f"nested deeper than {MAX_DEPTH} levels")
    return _repaired_below(value)


def _repaired_below(value: Json) -> Json:
    if isinstance(value, str):
        return (
            value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    if isinstance(value, list):
        return [_repaired_below(v) for v in cast(list[Json], value)]
    if isinstance(value, dict):
        return {_repaired_below(k): _repaired_below(v) for k, v in cast(dict[str, Json], value).items()}
    return value


def _may_be_deep(data: bytes) -> bool:
    """False where there are too few brackets. A long line is long strings: looking at its value is quicker."""
    return len(data) > _LONG or data.count(b"{") + data.count(b"[") > MAX_DEPTH


def _too_deep(value: Json) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: Json) -> list[Json]:
    if isinstance(node, dict):
        return list(cast(dict[str, Json], node).values())
    return cast(list[Json], node) if isinstance(node, list) else []


def _skip_space(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start
