"""What comes of reading a file: lines with their places, what is hidden, and facts about its form."""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from reverie.domain.outcomes import Hidden
from reverie.outcomes.documents.invisible import without_invisible

__all__ = [
    "MAX_CELLS",
    "MAX_TEXT",
    "Cell",
    "Facts",
    "Gathering",
    "Image",
    "Line",
    "Reading",
    "Sized",
    "Slide",
]

MAX_TEXT: Final = 400_000
"""Characters that are read of a file."""
MAX_CELLS: Final = 50_000
_MOST_HIDDEN: Final = 500
_LONGEST_HIDDEN: Final = 2_000
_MOST_FACTS: Final = 2_000
_Fact = TypeVar("_Fact", bound=msgspec.Struct)


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A line, a paragraph, a row of a table; ``place`` says where, for a person (``line 12``, ``slide 3``)."""

    place: str
    text: str


class Sized(msgspec.Struct, frozen=True, array_like=True):
    """Text of a size in points: the first of that size."""

    points: float
    place: str
    text: str


class Image(msgspec.Struct, frozen=True, array_like=True):
    """An image; ``alt`` is its alternative text, "" where it has none."""

    place: str
    alt: str


class Slide(msgspec.Struct, frozen=True, array_like=True):
    """A slide that is shown; ``words`` counts what stands on it."""

    place: str
    title: str
    words: int


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """A cell. ``value`` is None where a formula was saved without its value; errors are text (``#REF!``)."""

    value: str | int | float | bool | None
    formula: str = ""


class Facts(msgspec.Struct):
    """What is known of a file beside its text; what its format does not have is empty."""

    title: str = ""
    headings: list[Line] = []
    fonts: list[Line] = []
    sizes: list[Sized] = []
    tables: int = 0
    images: list[Image] = []
    pages: int = 0
    slides: list[Slide] = []
    sheets: list[str] = []
    cells: dict[str, Cell] = {}
    changes: list[Line] = []
    comments: list[Line] = []


class Reading(msgspec.Struct):
    """What a reader of a file sees, as far as it could be read: ``problem`` says what could not."""

    lines: list[Line] = []
    hidden: list[Hidden] = []
    facts: Facts = msgspec.field(default_factory=Facts)
    problem: str | None = None

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)


class Gathering:
    """Gathers a reading within its limits. Characters that cannot be seen are taken out and told of."""

    def __init__(self) -> None:
        self.reading = Reading()
        self.facts = self.reading.facts
        self._left = MAX_TEXT
        self._fonts: set[str] = set()
        self._sizes: set[float] = set()

    @property
    def full(self) -> bool:
        return self._left <= 0

    def line(self, place: str, text: str) -> str:
        """A line as it is seen, which is also returned."""
        text = self.clean(place, text)
        if len(text) > self._left:
            self.problem(f"it has more than {MAX_TEXT:,} characters: the rest was not read")
            text = text[: max(self._left, 0)]
        self._left -= len(text) + 1
        if text or not self.full:
            self.reading.lines.append(Line(place, text))
        return text

    def clean(self, place: str, text: str) -> str:
        if text.isascii() and text.isprintable():
            return text
        seen, found = without_invisible(text)
        for how, what in found:
            self.hide(how, place, what)
        return seen

    def hide(self, how: str, place: str, text: str) -> None:
        told = text.strip()
        if not told:
            return
        if len(self.reading.hidden) == _MOST_HIDDEN:
            self.problem(f"more than {_MOST_HIDDEN} pieces of text are hidden in it: the rest was not read")
            return
        self.reading.hidden.append(Hidden(how, place, told[:_LONGEST_HIDDEN]))

    def heading(self, place: str, text: str) -> None:
        self._add(self.facts.headings, Line(place, self._plain(text)))

    def font(self, name: str, place: str) -> None:
        if name and name not in self._fonts:
            self._fonts.add(name)
            self._add(self.facts.fonts, Line(place, name[:200]))

    def size(self, points: float, place: str, text: str) -> None:
        points = round(points, 2)
        if text.strip() and points not in self._sizes and len(self._sizes) < _MOST_FACTS:
            self._sizes.add(points)
            self.facts.sizes.append(Sized(points, place, text.strip()[:200]))

    def image(self, place: str, alt: str, *, shown: bool = False) -> None:
        """An image. Its alternative text is hidden, unless it is ``shown`` (Markdown is read as it is)."""
        self._add(self.facts.images, Image(place, alt.strip()[:_LONGEST_HIDDEN]))
        if not shown:
            self.hide("alternative text of an image", place, alt)

    def slide(self, place: str, title: str, words: int) -> None:
        self._add(self.facts.slides, Slide(place, self._plain(title), words))

    def comment(self, place: str, text: str) -> None:
        self._add(self.facts.comments, Line(place, text.strip()[:_LONGEST_HIDDEN]))
        self.hide("comment", place, text)

    def change(self, place: str, text: str) -> None:
        self._add(self.facts.changes, Line(place, text.strip()[:200]))

    def problem(self, what: str) -> None:
        """The first problem is the one that is told."""
        if self.reading.problem is None:
            self.reading.problem = what

    @staticmethod
    def _plain(text: str) -> str:
        return " ".join(without_invisible(text)[0].split())[:1_000]

    def _add(self, facts: list[_Fact], fact: _Fact) -> None:
        if len(facts) < _MOST_FACTS:
            facts.append(fact)
        else:
            self.problem(f"it has more than {_MOST_FACTS:,} parts of one kind: the rest was not read")
