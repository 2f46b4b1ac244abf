"""Tables of criteria: | criterion | weight | …"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from markdown_it.tree import SyntaxTreeNode

from reverie.outcomes.rubric_items import text_of
from reverie.outcomes.rubric_marks import Marks, at_line, read_marks, weight

__all__ = ["Columns", "columns_of"]

_TEXT: Final = ("criterion", "criteria", "requirement", "requirements", "acceptance criterion")
_NAMED: Final = ("category", "dimension", "aspect", "area", "component")
"""Columns of criteria in a table that gives them weights."""
_WEIGHT: Final = ("weight", "weights", "points", "pts", "marks", "max points", "max score")
_LEVEL: Final = ("level", "priority", "must/should", "must / should", "required", "required?", "importance")
_ID: Final = ("id", "key")
_NUMBER: Final = ("#", "no", "no.", "nr", "nr.", "")
_MORE: Final = ("description", "details", "what", "meaning")
"""Columns whose titles say nothing that their cells do not."""
_SHOULD: Final = ("no", "should", "should have", "nice to have", "nice-to-have", "optional", "could", "bonus")
_TOTAL: Final = re.compile(r"[*_]*(?:sub)?total[*_]*:?", re.I)
_CELL: Final = re.compile(r"[*_]*([-+]?[0-9]{1,9}(?:[.][0-9]{1,6})?)\s*(?:%|points?|pts?|marks?)?[*_]*", re.I)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a table says what, by its place; ``others`` with their titles."""

    text: int
    weight: int | None
    level: int | None
    id: int | None
    others: Sequence[tuple[int, str]]

    def says_something(self, cells: Sequence[str]) -> bool:
        """False for an empty row, and for the sum at a table's end."""
        return cells[self.text] != "" and not _TOTAL.fullmatch(cells[self.text])

    def read(self, cells: Sequence[str], line: int) -> tuple[Marks, str, list[str]]:
        """A row's marks, its words, and what its other columns say.

        Raises:
            Invalid: a weight that is no number, an id that is none.
        """
        marks, words = read_marks(cells[self.text], line)
        rest = [f"{title}: {cells[at]}" if title else cells[at] for at, title in self.others if cells[at]]
        return self._marks(cells, marks, line), words, rest

    def _marks(self, cells: Sequence[str], told: Marks, line: int) -> Marks:
        many, level, name = (
            cells[at].strip("*_ ") if at is not None else "" for at in (self.weight, self.level, self.id)
        )
        if name:
            told = replace(told, id=read_marks(f"{{#{name}}}", line)[0].id)
        if level:
            told = replace(told, must=level.lower() not in _SHOULD)
        return replace(told, weight=_weight(many, line)) if many.strip("-–—") else told


def columns_of(table: SyntaxTreeNode) -> Columns | None:
    """A table is one of criteria if a column's title says so; else None."""
    titles = [text_of(cell) for cell in table.children[0].children[0].children]
    plain = [title.strip("*_ ").lower() for title in titles]
    text, many, level, name = (_first(plain, among) for among in (_TEXT, _WEIGHT, _LEVEL, _ID))
    text = _first(plain, _NAMED) if text is None and many is not None else text
    if text is None:
        return None
    rest = [
        at for at in range(len(plain)) if at not in (text, many, level, name) and plain[at] not in _NUMBER
    ]
    return Columns(text, many, level, name, [(at, "" if plain[at] in _MORE else titles[at]) for at in rest])


def _first(titles: Sequence[str], among: Sequence[str]) -> int | None:
    return next((at for at, title in enumerate(titles) if title in among), None)


def _weight(told: str, line: int) -> float:
    number = _CELL.fullmatch(told)
    if number is None:
        raise at_line(line, f"the weight {told!r} is no number", "a weight is a number, as in 2 or 20%")
    return weight(number[1], line)
