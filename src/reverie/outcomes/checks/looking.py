"""What checks have before them: the files of a work, each read once, and what they find wrong with it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Final

from reverie.domain.outcomes import Proof
from reverie.outcomes.checks.patterns import fits
from reverie.outcomes.documents.plain import read_plain
from reverie.outcomes.documents.readers import MAX_FILE, Readers
from reverie.outcomes.documents.reading import Line, Reading
from reverie.outcomes.files import Files

__all__ = ["Fault", "Found", "Looking", "Subject", "Unchecked", "shortened"]

_MOST_FILES: Final = 200
_QUOTE: Final = 300
_NO_WORD: Final = re.compile(r"(?<!\S)[^\w\s]+(?!\S)")


class Unchecked(Exception):
    """A check could not be made; the message says why. ``change`` is what the worker could do about it."""

    def __init__(self, reason: str, change: str = "") -> None:
        super().__init__(reason)
        self.change = change


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was asked for: what must change, and where."""

    change: str
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found: nothing wrong where ``faults`` is empty; ``proof`` shows what is right then."""

    faults: Sequence[Fault] = ()
    proof: Proof | None = None


@dataclass(frozen=True)
class Subject:
    """A file, or the agent's last message where ``file`` is None, as it was read."""

    file: str | None
    reading: Reading
    text: str = field(init=False)
    _starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", self.reading.text)
        lengths = (len(line.text) + 1 for line in self.reading.lines)
        object.__setattr__(self, "_starts", list(accumulate(lengths, initial=0)))

    @cached_property
    def words(self) -> int:
        """Words with a letter or a digit."""
        return len(self.text.split()) - len(_NO_WORD.findall(self.text))

    @property
    def name(self) -> str:
        return "the last message" if self.file is None else f"`{self.file}`"

    def at(self, offset: int) -> Proof | None:
        """The line in which a character of the text stands."""
        number = bisect_right(self._starts, offset) - 1
        lines = self.reading.lines
        return self.of(lines[number]) if 0 <= number < len(lines) else self.of(None)

    def of(self, line: Line | None) -> Proof:
        if line is None:
            return Proof(self.file)
        return Proof(self.file, line.text.strip()[:_QUOTE] or None, line.place)

    def near(self, quote: str, place: str) -> Proof:
        return Proof(self.file, quote.strip()[:_QUOTE] or None, place)


@dataclass(slots=True)
class Looking:
    """The work. Files are read before any command of a check runs, and once."""

    files: Files
    message: str
    readers: Readers
    _paths: Sequence[str] | None = None
    _read: dict[str, Subject] = field(default_factory=dict[str, Subject])

    def paths(self) -> Sequence[str]:
        if self._paths is None:
            self._paths = self.files.paths()
        return self._paths

    def matching(self, pattern: str) -> list[str]:
        return [path for path in self.paths() if fits(path, pattern)]

    def some(self, pattern: str) -> list[str] | Fault:
        """The files that fit, at most so many; a fault where there is none."""
        found = self.matching(pattern)[:_MOST_FILES]
        if found:
            return found
        there = ", ".join(f"`{path}`" for path in self.paths()[:5])
        return Fault(
            f"deliver `{pattern}`: there is no such file" + (f" (there is {there})" if there else "")
        )

    def data(self, path: str) -> bytes:
        """
        Raises:
            Unchecked: it cannot be read, or has too many bytes.
        """
        try:
            with self.files.open(path) as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise Unchecked(f"`{path}` cannot be opened: {error.strerror or error}") from None
        if len(data) > MAX_FILE:
            told = f"`{path}` has more than {MAX_FILE:,} bytes"
            raise Unchecked(f"{told}: it was not read", f"make {told.replace('more than', 'at most')}")
        return data

    def subject(self, path: str) -> Subject:
        """A file as it was read.

        Raises:
            Unchecked: it could not be read, or not wholly.
        """
        if path not in self._read:
            self._read[path] = Subject(path, self.readers.read(self.data(path), path))
        return _readable(self._read[path])

    def said(self) -> Subject:
        """The last message.

        Raises:
            Unchecked: there is none.
        """
        return _readable(Subject(None, read_plain(self.message.encode("utf-8", "replace"), ".md")))


def _readable(subject: Subject) -> Subject:
    problem = subject.reading.problem
    if problem is None:
        return subject
    ours = "pip install" in problem
    change = "" if ours else f"mend {subject.name}, which cannot be checked: {problem}"
    raise Unchecked(f"{subject.name} could not be checked: {problem}", change)


def shortened(text: str, most: int = 120) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"
