"""Readers of files: plain text is read here, everything else in a process with limits; each content once."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from os import PathLike
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from reverie.outcomes.documents.limited import CPU_S, WALL_S, Limited, Unanswered
from reverie.outcomes.documents.plain import read_plain
from reverie.outcomes.documents.reading import Reading
from reverie.outcomes.documents.schemas import plain, problems

__all__ = ["MAX_FILE", "PARSED", "Readers", "read_document"]

MAX_FILE: Final = 32 << 20
"""Bytes of a file that is read."""
PARSED: Final = (".docx", ".pptx", ".xlsx", ".pdf", ".html", ".htm", ".xhtml")
"""What is parsed, in a process of its own."""
_OTHERS: Final = {
    ".doc": ".docx", ".dot": ".docx", ".docm": ".docx", ".dotx": ".docx", ".odt": ".docx", ".rtf": ".docx",
    ".ppt": ".pptx", ".pptm": ".pptx", ".odp": ".pptx", ".xls": ".xlsx", ".xlsm": ".xlsx", ".xlsb": ".xlsx",
    ".ods": ".xlsx",
}  # fmt: skip
_KEPT_CHARACTERS: Final = 16 << 20


class Readers:
    """Reads files. The process for parsing starts when it is first needed, and ends with the ``with`` block."""

    def __init__(self, *, wall_s: float = WALL_S, cpu_s: int = CPU_S) -> None:
        self._limited = Limited(wall_s=wall_s, cpu_s=cpu_s)
        self._given_up: dict[tuple[str, str], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limited.__exit__(kind, error, trace)

    def read(self, data: bytes, name: str, *, sha256: str | None = None) -> Reading:
        """What a reader of the file sees; ``sha256`` of the data is calculated where it is not given. Never
        raises: what could not be read is the reading's ``problem``."""
        suffix = PurePosixPath(name).suffix.lower()
        if len(data) > MAX_FILE:
            return Reading(problem=f"it has {len(data):,} bytes: at most {MAX_FILE:,} are read")
        if suffix in _OTHERS:
            return Reading(problem=f"files of the form {suffix} are not read: save it as {_OTHERS[suffix]}")
        key = (sha256 or hashlib.sha256(data).hexdigest(), suffix)
        if (known := _known.get(key)) is not None:
            return known
        if suffix in PARSED:
            return self._parsed(data, name, key)
        return _known.keep(key, read_plain(data, suffix))

    def _parsed(self, data: bytes, name: str, key: tuple[str, str]) -> Reading:
        """What was given up is not tried again here; another time the machine may be less busy."""
        if key in self._given_up:
            return Reading(problem=self._given_up[key])
        try:
            return _known.keep(key, self._limited.read(data, name))
        except Unanswered as unanswered:
            self._given_up[key] = str(unanswered)
            return Reading(problem=str(unanswered))

    def misfits(self, schema: dict[str, Any], data: bytes) -> list[str]:
        """What of JSON does not fit a schema, in words.

        Raises:
            Unanswered: it could not be found out within the limits.
            msgspec.DecodeError: it is no JSON.
        """
        instance = msgspec.json.decode(data)
        return problems(schema, instance) if plain(schema) else self._limited.misfits(schema, data)


def read_document(source: str | PathLike[str] | bytes, name: str | None = None) -> Reading:
    """One file, by its path or its bytes; the end of ``name`` tells its form. Several: ``Readers``.

    Raises:
        OSError: the path cannot be read.
    """
    if isinstance(source, bytes):
        data, called = source, name or ""
    else:
        path = Path(source)
        with path.open("rb") as file:
            data, called = file.read(MAX_FILE + 1), name or path.name
    with Readers() as readers:
        return readers.read(data, called)


class _Known:
    """Readings by content, the last used ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readings: OrderedDict[tuple[str, str], tuple[Reading, int]] = OrderedDict()
        self._weight = 0

    def get(self, key: tuple[str, str]) -> Reading | None:
        with self._lock:
            if key not in self._readings:
                return None
            self._readings.move_to_end(key)
            return self._readings[key][0]

    def keep(self, key: tuple[str, str], reading: Reading) -> Reading:
        weight = _weight(reading)
        with self._lock:
            if key in self._readings or weight > _KEPT_CHARACTERS:
                return reading
            self._readings[key] = reading, weight
            self._weight += weight
            while self._weight > _KEPT_CHARACTERS:
                self._weight -= self._readings.popitem(last=False)[1][1]
        return reading


def _weight(reading: Reading) -> int:
    """About as many characters as it holds."""
    text = sum(len(line.text) + 64 for line in reading.lines)
    return text + sum(len(it.text) + 64 for it in reading.hidden) + 200 * len(reading.facts.cells) + 1_000


_known: Final = _Known()
