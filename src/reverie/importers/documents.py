"""JSON documents opened level by level, so that one bad record costs one record.

A document may be hundreds of megabytes, cut off in the middle, or damaged in one place. Nothing here
decodes it whole: a ``Node`` is a stretch of bytes with its JSON pointer, its members and elements are
nodes again, and only what a reader calls a record is decoded (by ``jsonl.decode``, under its limits).
Where the syntax breaks, the stretch that cannot be understood becomes a node of its own, which fails to
decode and is quarantined with its pointer and byte offset; its siblings before and after it are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from reverie.domain.events import Json, Origin, record_sha256
from reverie.domain.imports import Quarantined
from reverie.importers.jsonl import BadJson, decode, rows
from reverie.plugins import TranscriptFile

__all__ = ["MAX_DOCUMENT", "Node", "beginning", "is_line_based", "roots", "step"]

MAX_DOCUMENT: Final = 256 * 2**20
_SAMPLED_LINES: Final = 20
_REPAIRS: Final = 16 * 2**20  # bytes that may be searched, in one container, for a place to go on from
_RESYNC_TRIES: Final = 32

_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_KEY: Final = re.compile(rb'"((?:[^"\\]++|\\.)*+)"[ \t\r\n]*+:[ \t\r\n]*+', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^\s,\]}\[{\"]++")
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)|[\[\]{},]', re.DOTALL)
_FIRST_KEY: Final = re.compile(rb'\{\s*+("[^"\\]*+")')
_raw_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_raw_dict: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_raw_any: Final = msgspec.json.Decoder(msgspec.Raw)
_plain: Final = msgspec.json.Decoder()


def step(key: str | int) -> str:
    """One step of an RFC 6901 pointer: ``/`` and the escaped key."""
    return f"/{str(key).replace('~', '~0').replace('/', '~1')}"


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value in a file that has not been decoded: ``buffer[start:end]``.

    ``pointer`` is its place in the document (or in the line, for a document that is one line of a
    file); ``whole`` is False where the bytes end, or stop being JSON, before the value does.
    """

    buffer: bytes
    start: int
    end: int
    pointer: str = ""
    line: int | None = None
    whole: bool = True

    @property
    def raw(self) -> bytes:
        return self.buffer[self.start : self.end]

    @property
    def is_object(self) -> bool:
        return self.buffer[self.start : self.start + 1] == b"{"

    @property
    def is_array(self) -> bool:
        return self.buffer[self.start : self.start + 1] == b"["

    def decode(self) -> Json:
        """The value.

        Raises:
            BadJson: the bytes are not one, or not one we take.
        """
        return decode(self.raw)

    def origin(self, format: str, uri: str) -> Origin:
        """Where the value comes from."""
        place = self.pointer if self.pointer or self.line is None else None  # a whole line needs no pointer
        return Origin(format, uri, self.line, place, None, record_sha256(self.raw))

    def refuse(self, why: str) -> Quarantined:
        """This record, quarantined; a record of a document is named by its byte, too."""
        if not self.whole and self.end == len(self.buffer):
            why = "the document ends before this is complete"
        where = "" if self.line is not None else f" (at byte {self.start:,})"
        return Quarantined(self.line, f"{why}{where}", self.pointer)

    def members(self) -> list[tuple[str, Node]]:
        """The members of an object in order; none of anything else. A key that stands twice comes twice."""
        if not self.is_object:
            return []
        found = _quick_members(self) if self.whole else None
        return [(key, self.child(key, *place)) for key, place in found or _pieces(self)]

    def elements(self) -> list[Node]:
        """The elements of an array in order; none of anything else."""
        if not self.is_array:
            return []
        found = _quick_elements(self) if self.whole else None
        return [self.child(n, *place) for n, (_, place) in enumerate(found or _pieces(self))]

    def child(self, key: str | int, start: int, end: int, whole: bool) -> Node:
        """The value at ``buffer[start:end]``, as a member or an element of this one."""
        return Node(self.buffer, start, end, self.pointer + step(key), self.line, whole)


def beginning(head: bytes) -> Node:
    """The document that ``head`` is the beginning of, for sniffing: what is whole of it can be read."""
    return Node(head, _after_space(head, len(_BOM) if head.startswith(_BOM) else 0), len(head), whole=False)


def is_line_based(file: TranscriptFile) -> bool:
    """Whether the file holds one document a line: by its name, or because most of its lines are objects."""
    if file.name.lower().endswith((".jsonl", ".ndjson")):
        return True
    filled = (line for _, line in file.lines() if line is not None and line.strip())
    sample = [_is_object(line) for line in islice(filled, _SAMPLED_LINES)]
    return sum(sample) > max(1, len(sample) // 2)


def roots(file: TranscriptFile) -> Iterator[Node | Quarantined]:
    """The documents in a file: one, or one for each line of a line-based file."""
    if is_line_based(file):
        for row in rows(file):
            yield row if isinstance(row, Quarantined) else Node(row.raw, 0, len(row.raw), "", row.line)
        return
    if file.size > MAX_DOCUMENT:
        limit = MAX_DOCUMENT // 2**20
        yield Quarantined(None, f"{file.size:,} bytes; one JSON document is read up to {limit} MiB")
        return
    with file.open() as stream:
        data = stream.read()
    yield from _root(data)


def _root(data: bytes) -> Iterator[Node | Quarantined]:
    start = _after_space(data, len(_BOM) if data.startswith(_BOM) else 0)
    if start == len(data):
        return
    end = _end_of_root(data, start)
    yield Node(data, start, len(data) if end is None else end, whole=end is not None)
    if end is not None and _after_space(data, end) < len(data):
        yield Quarantined(None, f"something follows the document (at byte {end:,})", "")


def _end_of_root(data: bytes, start: int) -> int | None:
    try:
        return start + memoryview(_raw_any.decode(memoryview(data)[start:])).nbytes
    except (ValueError, RecursionError):
        return _end_of_value(data, start, len(data))


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(_plain.decode(line), dict)
    except (ValueError, RecursionError):
        return False


# Two ways to take a container apart: by the C parser when all is well, by tokens when it is not. Both
# give (key, (start, end, whole)) for each child; the keys of an array are "".

_Piece: TypeAlias = tuple[str, tuple[int, int, bool]]


def _quick_elements(node: Node) -> list[_Piece] | None:
    try:
        parts = _raw_list.decode(memoryview(node.buffer)[node.start : node.end])
    except (ValueError, RecursionError):
        return None
    found: list[_Piece] = []
    at = node.start
    for part in parts:
        start = _after_space(node.buffer, at + 1)  # past the bracket or the comma
        end = start + memoryview(part).nbytes
        found.append(("", (start, end, True)))
        at = _after_space(node.buffer, end)
    return found


def _quick_members(node: Node) -> list[_Piece] | None:
    """None where a key stands twice: the parser's dict has one of the two, so the walk does not add up."""
    try:
        parts = _raw_dict.decode(memoryview(node.buffer)[node.start : node.end])
    except (ValueError, RecursionError):
        return None
    found: list[_Piece] = []
    at = node.start
    for key, part in parts.items():
        name = _KEY.match(node.buffer, _after_space(node.buffer, at + 1), node.end)
        value = memoryview(part)
        if name is None or memoryview(node.buffer)[name.end() : name.end() + value.nbytes] != value:
            return None
        end = name.end() + value.nbytes
        found.append((key, (name.end(), end, True)))
        at = _after_space(node.buffer, end)
        if node.buffer[at : at + 1] not in (b",", b"}"):
            return None
    return found if not found or node.buffer[at : at + 1] == b"}" else None


def _pieces(node: Node) -> Iterator[_Piece]:
    """The children, and between them every stretch that is none."""
    buffer, end = node.buffer, node.end
    keyed = node.is_object
    close = ord("}") if keyed else ord("]")
    left = _REPAIRS
    whole = True
    at = _after_space(buffer, node.start + 1)
    while at < end and buffer[at] != close:
        name = _KEY.match(buffer, at, end) if keyed else None
        value = at if name is None else name.end()
        stop = None if keyed and name is None else _end_of_value(buffer, value, end)
        after = end if stop is None else _after_space(buffer, stop)
        whole = stop is not None and (after >= end or buffer[after] in (ord(","), close))
        if stop is None or not whole:
            stop, cost = _resume(buffer, value, end, keyed) if left > 0 else (end, 0)
            after, left = stop, left - cost
        yield _name(name), (value, stop, whole)
        at = _after_space(buffer, after + 1) if buffer[after : after + 1] == b"," else after
    if at >= end and whole:
        yield "", (end, end, False)  # cut off right after a child


def _name(match: re.Match[bytes] | None) -> str:
    if match is None:
        return ""
    try:
        return str(_plain.decode(b'"%s"' % match[1]))
    except ValueError:
        return match[1].decode("utf-8", "replace")


def _end_of_value(buffer: bytes, start: int, end: int) -> int | None:
    """Where the value at ``start`` ends, by its brackets and quotes alone; None where it does not."""
    first = buffer[start : start + 1]
    if first not in (b"{", b"["):
        found = (_STRING if first == b'"' else _SCALAR).match(buffer, start, end)
        return None if found is None else found.end()
    opened = bytearray()
    for token in _TOKEN.finditer(buffer, start, end):
        closes = _nested(opened, token[0])
        if closes and not opened:
            return token.end()
    return None


def _nested(opened: bytearray, token: bytes) -> bool:
    """Keep count of the open brackets; whether ``token`` closed one. A bracket that fits none is ignored."""
    if token in (b"{", b"["):
        opened += token
    elif token in (b"}", b"]") and opened.endswith(b"{" if token == b"}" else b"["):
        opened.pop()
        return True
    return False


def _resume(buffer: bytes, start: int, end: int, keyed: bool) -> tuple[int, int]:
    """(where reading can go on after a broken child at ``start``, how many bytes it took to see that).

    It goes on at a comma or bracket of the parent. When a quote or bracket is missing, the parent's comma
    cannot be told from one inside the child; then the next sibling is known by its first key, and must
    decode. (A text cannot fake one: its quotes are escaped.)
    """
    opened = bytearray()
    close = b"}" if keyed else b"]"
    for token in _TOKEN.finditer(buffer, start, end):
        if not opened and token[0] in (b",", close):
            return token.start(), token.end() - start
        _nested(opened, token[0])
    first = None if keyed else _FIRST_KEY.match(buffer, start, end)
    if first is None:
        return end, end - start
    sibling = re.compile(rb",\s*+(\{\s*+" + re.escape(first[1]) + rb"\s*+:)")
    for match in islice(sibling.finditer(buffer, start + 1, end), _RESYNC_TRIES):
        stop = _end_of_value(buffer, match.start(1), end)
        if stop is not None and _decodes(buffer[match.start(1) : stop]):
            return match.start(), end - start
    return end, end - start


def _decodes(data: bytes) -> bool:
    try:
        decode(data)
    except BadJson:
        return False
    return True


def _after_space(buffer: bytes, start: int) -> int:
    found = _SPACE.match(buffer, start)
    return start if found is None else found.end()
