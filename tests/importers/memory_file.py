"""A transcript file without a disk: bytes under a path, with other files around it."""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from reverie.domain.events import NewEvent
from reverie.domain.imports import Quarantined, Skipped, Used
from reverie.domain.sessions import Transcript
from reverie.plugins import Importer, TranscriptFile


class MemoryFile:
    """A ``plugins.TranscriptFile``; ``around`` maps paths to the bytes of every file there is."""

    def __init__(self, path: str, data: bytes, around: Mapping[str, bytes] | None = None) -> None:
        self.uri = path
        self.name = posixpath.basename(path)
        self.data = data
        self.size = len(data)
        self._around = {**(around or {}), path: data}

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        lines = self.data.split(b"\n")
        yield from enumerate(lines[:-1] if lines[-1] == b"" else lines, 1)

    def neighbour(self, relative: str) -> MemoryFile | None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self.uri), relative))
        data = self._around.get(path)
        return None if data is None else MemoryFile(path, data, self._around)

    def neighbours(self, pattern: str) -> list[MemoryFile]:
        whole = posixpath.join(posixpath.dirname(self.uri), pattern)
        parts = [re.escape(p).replace(r"\*", "[^/]*") for p in whole.split("**/")]
        matches = re.compile("(?:.*/)?".join(parts)).fullmatch
        return [MemoryFile(p, d, self._around) for p, d in sorted(self._around.items()) if matches(p)]


class Account:
    """What a reader made of a file: its transcripts, and the sum of what it said about the records."""

    def __init__(self, importer: Importer, file: TranscriptFile) -> None:
        self.transcripts: list[Transcript] = []
        self.used = 0
        self.skipped: list[str] = []
        self.quarantined: list[Quarantined] = []
        for item in importer.read(file):
            match item:
                case Transcript():
                    self.transcripts.append(item)
                case Used(records):
                    self.used += records
                case Skipped(reason, records):
                    self.skipped += [reason] * records
                case Quarantined():
                    self.quarantined.append(item)

    @property
    def records(self) -> int:
        return self.used + len(self.skipped) + len(self.quarantined)

    @property
    def events(self) -> list[NewEvent]:
        (transcript,) = self.transcripts
        return list(transcript.events)

    def of(self, *types: str) -> list[NewEvent]:
        return [event for event in self.events if event.type in types]

    def typed(self) -> list[str]:
        return [said(event) for event in self.of("user.message")]


def said(event: NewEvent) -> str:
    blocks: Iterable[Mapping[str, Any]] = event.payload.get("content") or []
    return "\n".join(str(block["text"]) for block in blocks if "text" in block)
