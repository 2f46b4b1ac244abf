"""A conformance suite for readers of transcripts: ours, and those of plug-in authors.

    from reverie.testing.importers import Sample, conforms, endures, mutations, survives

    sample = Sample("session.jsonl", Path("session.jsonl").read_bytes(), line_based=True)
    conforms(MyReader(), sample)
    endures(MyReader(), sample)
    for damaged in mutations(sample.data, seed=1, count=200):
        survives(MyReader(), sample, damaged)

A failed check raises ``NotConformant``, an ``AssertionError`` whose message says what a reader must do.
"""

from __future__ import annotations

import io
import json
import posixpath
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from fnmatch import fnmatchcase
from typing import BinaryIO, Final, cast

import msgspec

from reverie.domain.events import EVENT_TYPES, Json, NewEvent
from reverie.domain.imports import Guess, Quarantined, Skipped, Used
from reverie.domain.sessions import Transcript
from reverie.plugins import SNIFFED_BYTES, Importer, Read, TranscriptFile

__all__ = [
    "NASTY",
    "MemoryFile",
    "NotConformant",
    "Sample",
    "conforms",
    "endures",
    "mutations",
    "survives",
]

_LINE_CAP: Final = 32 * 2**20
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_FOLDER: Final = "/conformance/folder"

NASTY: Final[tuple[bytes, ...]] = (
    b"",
    b"\n\n  \n",
    b"\x00" * 64,
    b"\xef\xbb\xbf",
    b"\xff\xfe{\x00}\x00",
    b"not json",
    b"[",
    b"{",
    b'"',
    b"[]",
    b"{}",
    b"null",
    b"[[[[1]]]]",
    b'[null, 1, "text", {}]',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b'{"a": NaN}',
    b'{"a": 1, "a": 2}',
    b'{"a": "\\ud800"}',
    b'{"a": "\xff"}',
    b'{"a": 1' + b"0" * 5000 + b"}",
    b'{"a": 1e999}',
    b'{"a": "' + b"x" * 1_000_000 + b'"}',
)
"""Whole files that no reader may stumble over."""


class NotConformant(AssertionError):
    """A reader does not keep the contract of ``plugins.Importer``."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A well-formed file of a reader's format.

    ``beside`` holds other files by their paths relative to its folder. ``records`` is how many records
    the file has, in the reader's counting (None: for a line-based file, its lines that are not blank).
    """

    name: str
    data: bytes
    line_based: bool = False
    records: int | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    def file(self, data: bytes | None = None) -> MemoryFile:
        """The sample as a file, with other content if ``data`` is given."""
        path = f"{_FOLDER}/{self.name}"
        others = {posixpath.normpath(f"{_FOLDER}/{place}"): held for place, held in self.beside.items()}
        return MemoryFile(path, {**others, path: self.data if data is None else data})


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A ``TranscriptFile`` that stands in no file system: ``files`` are all there are, by absolute path."""

    uri: str
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        return posixpath.basename(self.uri)

    @property
    def size(self) -> int:
        return len(self.files[self.uri])

    def open(self) -> BinaryIO:
        return io.BytesIO(self.files[self.uri])

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        data = self.files[self.uri]
        lines = data.split(b"\n")
        for number, line in enumerate(lines[:-1] if not lines[-1] else lines, 1):
            yield number, line if len(line) <= _LINE_CAP else None

    def neighbour(self, relative: str) -> TranscriptFile | None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.uri), relative))
        return MemoryFile(path, self.files) if path in self.files else None

    def neighbours(self, pattern: str) -> Sequence[TranscriptFile]:
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(self.uri), pattern)).split("/")
        return [MemoryFile(path, self.files) for path in sorted(self.files) if _fits(path.split("/"), wanted)]


def conforms(importer: Importer, sample: Sample) -> None:
    """Check everything a reader promises about a well-formed file.

    The account adds up, keys are unique, origins lead back to the file, reading twice gives the same, and
    a line-based file cut at any line gives a prefix of its events.

    Raises:
        NotConformant: it does not.
    """
    items = _read(importer, sample.file())
    _check_sniff(importer, sample)
    _check_items(importer, items)
    _check_account(sample, items)
    for transcript in _transcripts(items):
        for event in transcript.events:
            _check_origin(sample, event)
    if _read(importer, sample.file()) != items:
        raise NotConformant("reading the same file twice must give the same")
    if sample.line_based:
        _check_prefixes(importer, sample)


def endures(importer: Importer, sample: Sample) -> None:
    """Check that no nasty file in the place of the sample makes a reader stumble. Once for each reader.

    Raises:
        NotConformant: one does.
    """
    for data in NASTY:
        survives(importer, sample, data)


def survives(importer: Importer, sample: Sample, data: bytes) -> None:
    """Check that a reader gives a sound result for ``data`` in the place of the sample's content.

    Raises:
        NotConformant: it raises, or what it gives is not sound.
    """
    file = sample.file(data)
    try:
        guess = importer.sniff(data[:SNIFFED_BYTES], file)
    except Exception as error:
        raise NotConformant(f"sniff must not raise on content, but: {error!r}") from error
    if not 0.0 <= guess.confidence <= 1.0:
        raise NotConformant(f"a confidence is between 0 and 1, not {guess.confidence}")
    _check_items(importer, _read(importer, file))


def mutations(data: bytes, *, seed: int, count: int) -> Iterator[bytes]:
    """``count`` damaged versions of ``data``: bytes and lines changed, removed, repeated, moved, cut off."""
    source = random.Random(seed)  # noqa: S311 - damage to order, not a secret
    for _ in range(count):
        damaged = data
        for _ in range(source.choice((1, 1, 1, 2, 5))):
            damaged = source.choice(_DAMAGES)(damaged, source)
        yield damaged


# What is checked.


def _read(importer: Importer, file: TranscriptFile) -> list[Read]:
    try:
        return list(importer.read(file))
    except Exception as error:
        raise NotConformant(f"read must not raise on content, but: {error!r}") from error


def _check_sniff(importer: Importer, sample: Sample) -> None:
    guess: Guess = importer.sniff(sample.data[:SNIFFED_BYTES], sample.file())
    if guess.confidence <= 0 or not guess.why:
        raise NotConformant(f"sniff must know its own format and say why, not {guess}")


def _check_items(importer: Importer, items: Iterable[Read]) -> None:
    given: set[str] = set()
    for item in items:
        if isinstance(item, Used | Skipped) and item.records < 1:
            raise NotConformant(f"a statement counts at least one record: {item}")
        if isinstance(item, Quarantined) and not item.why:
            raise NotConformant("a quarantined record has a reason")
        if isinstance(item, Transcript):
            if item.info.native_id in given:
                raise NotConformant(f"one transcript for each session, but two for {item.info.native_id!r}")
            given.add(item.info.native_id)
            _check_transcript(importer, item)


def _check_transcript(importer: Importer, transcript: Transcript) -> None:
    info = transcript.info
    if info.format != importer.name or not info.native_id:
        raise NotConformant(f"a session has its reader's format and a native id: {info}")
    if not transcript.events:
        raise NotConformant(f"a session without events is none: {info.native_id!r}")
    msgspec.json.encode(info)
    keys: set[str] = set()
    for event in transcript.events:
        if event.key in keys or not event.key:
            raise NotConformant(f"keys are unique within a session, but {event.key!r} is not")
        keys.add(event.key)
        _check_event(importer, event)


def _check_event(importer: Importer, event: NewEvent) -> None:
    if event.type not in EVENT_TYPES:
        raise NotConformant(f"no such event type: {event.type}")
    if event.at is not None and event.at.utcoffset() != UTC.utcoffset(None):
        raise NotConformant(f"times are aware and UTC, not {event.at!r}")
    msgspec.json.encode(event.payload)
    content: Json = event.payload.get("content", [])
    if not isinstance(content, list) or not all(_is_block(block) for block in cast(list[Json], content)):
        raise NotConformant(f"content is a list of blocks with a type: {event.payload}")
    origin = event.origin
    if origin is None or origin.format != importer.name or not _HEX.fullmatch(origin.sha256):
        raise NotConformant(f"an event says where it comes from: {event}")


def _is_block(block: Json) -> bool:
    return isinstance(block, dict) and isinstance(cast(dict[str, Json], block).get("type"), str)


def _check_account(sample: Sample, items: Sequence[Read]) -> None:
    counted = sum(i.records for i in items if isinstance(i, Used | Skipped))
    counted += sum(isinstance(i, Quarantined) for i in items)
    wanted = sample.records
    if wanted is None and sample.line_based:
        wanted = sum(bool(line.strip()) for line in sample.data.split(b"\n"))
    if wanted is not None and counted != wanted:
        raise NotConformant(f"{wanted} records in the file, {counted} in the account")
    used = sum(i.records for i in items if isinstance(i, Used))
    if not used and any(isinstance(i, Transcript) for i in items):
        raise NotConformant("events come from records that were used, but none was")


def _check_origin(sample: Sample, event: NewEvent) -> None:
    """Line and pointer lead to something in the file they name."""
    origin = event.origin
    file = None if origin is None else sample.file().files.get(origin.uri)
    if origin is None or file is None:
        raise NotConformant(f"the origin names no file there is: {origin}")
    text = file
    if origin.line is not None:
        lines = file.split(b"\n")
        if not 1 <= origin.line <= len(lines):
            raise NotConformant(f"there is no line {origin.line} in {origin.uri}")
        text = lines[origin.line - 1]
    if origin.pointer:
        _resolve(json.loads(text), origin.pointer)


def _resolve(value: Json, pointer: str) -> None:
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            value = cast(list[Json], value)[int(name)] if isinstance(value, list) else value[name]
        except (KeyError, IndexError, TypeError, ValueError):
            raise NotConformant(f"the pointer {pointer!r} leads nowhere (at {name!r})") from None


def _check_prefixes(importer: Importer, sample: Sample) -> None:
    whole = _events(_read(importer, sample.file()))
    lines = sample.data.splitlines(keepends=True)
    for cut in range(len(lines)):
        part = _events(_read(importer, sample.file(b"".join(lines[:cut]))))
        for native_id, events in part.items():
            if events != whole.get(native_id, [])[: len(events)]:
                raise NotConformant(f"cut after line {cut}, {native_id!r} is not a prefix of what it becomes")


def _events(items: Iterable[Read]) -> dict[str, Sequence[NewEvent]]:
    return {t.info.native_id: list(t.events) for t in _transcripts(items)}


def _transcripts(items: Iterable[Read]) -> Iterator[Transcript]:
    return (item for item in items if isinstance(item, Transcript))


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not path:
        return not pattern and not path
    if pattern[0] == "**":
        return _fits(path, pattern[1:]) or _fits(path[1:], pattern)
    return fnmatchcase(path[0], pattern[0]) and _fits(path[1:], pattern[1:])


# Damages: each makes one change at a place that the source of randomness chooses.

_BYTES: Final = b'"\\{}[],: \n\r\t0e-x\x00\x80\xff'
_WORDS: Final = (b"NaN", b"null", b"-1e999", b'"\\ud800"', b"[[[", b"}}", b'{"a":1,"a":2}', b'"id"', b"true")


def _byte(data: bytes, source: random.Random) -> bytes:
    at = source.randrange(len(data) + 1)
    return data[:at] + bytes([source.choice(_BYTES)]) + data[at + 1 :]


def _word(data: bytes, source: random.Random) -> bytes:
    at = source.randrange(len(data) + 1)
    return data[:at] + source.choice(_WORDS) + data[at + source.randrange(3) :]


def _value(data: bytes, source: random.Random) -> bytes:
    """Put another value in the place of a whole string or number."""
    found = list(re.finditer(rb'(?<=: )[^{\[,\s][^,\n}]*|(?<=":)"[^"]*"', data))
    if not found:
        return data
    match = source.choice(found)
    return data[: match.start()] + source.choice(_WORDS) + data[match.end() :]


def _cut(data: bytes, source: random.Random) -> bytes:
    return data[: source.randrange(len(data) + 1)]


def _removed(data: bytes, source: random.Random) -> bytes:
    start = source.randrange(len(data) + 1)
    return data[:start] + data[start + source.randrange(1, 40) :]


def _lines(data: bytes, source: random.Random) -> bytes:
    """Remove, repeat or move a line."""
    lines = data.splitlines(keepends=True)
    if not lines:
        return data
    line = lines.pop(source.randrange(len(lines)))
    for _ in range(source.choice((0, 1, 2))):
        lines.insert(source.randrange(len(lines) + 1), line)
    return b"".join(lines)


_DAMAGES: Final = (_byte, _word, _value, _cut, _removed, _lines)
