"""Workbooks: the values of their cells as they were saved, and their formulas. Nothing is calculated."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from io import BytesIO
from itertools import groupby
from typing import Any, Final, cast

from openpyxl import load_workbook  # pyright: ignore[reportMissingModuleSource, reportUnknownVariableType]

from reverie.outcomes.documents.archive import Refused
from reverie.outcomes.documents.contrast import SMALLEST_SEEN_PT, unseen
from reverie.outcomes.documents.reading import MAX_CELLS, Cell, Gathering, Reading

__all__ = ["MAX_MARKUP", "read_xlsx"]

MAX_MARKUP: Final = 16 << 20
"""Bytes of XML of all sheets: a cell takes some fifty bytes of it, and a hundred times that when it is read."""
_LONGEST: Final = 500  # characters of a cell that is compared
_load = cast(Any, load_workbook)


def read_xlsx(data: bytes, sizes: dict[str, int]) -> Reading:
    """``sizes`` are those of the archive's parts.

    Raises:
        Refused: it is too large.
        Exception: anything, of a file that is broken.
    """
    markup = sum(size for name, size in sizes.items() if name.startswith("xl/worksheets/"))
    if markup > MAX_MARKUP:
        raise Refused(f"its sheets take {markup:,} bytes: at most {MAX_MARKUP:,} are read")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what openpyxl does not keep when it writes
        return _Reader(_load(BytesIO(data)), _load(BytesIO(data), data_only=True)).read()


class _Reader:
    def __init__(self, formulas: Any, values: Any) -> None:
        self._formulas = formulas
        self._values = values
        self._gathering = Gathering()

    def read(self) -> Reading:
        facts = self._gathering.facts
        facts.title = str(self._formulas.properties.title or "")[:1_000]
        for name in ("description", "keywords", "subject", "category"):
            self._gathering.hide(
                "document property", name, str(getattr(self._formulas.properties, name) or "")
            )
        facts.sheets = [str(name)[:200] for name in self._formulas.sheetnames][:1_000]
        for sheet in self._formulas.worksheets:
            self._sheet(sheet, self._values[sheet.title])
        return self._gathering.reading

    def _sheet(self, sheet: Any, values: Any) -> None:
        shown = sheet.sheet_state == "visible"
        columns = _hidden_columns(sheet)
        for number, row in groupby(_cells(sheet), lambda cell: cell.row):
            if self._gathering.full:
                return
            hidden = sheet.row_dimensions[number].hidden
            seen: list[str] = []
            first = ""
            for cell in row:
                place = f"{sheet.title}!{cell.coordinate}"
                text = self._cell(cell, values[cell.coordinate].value, place)
                why = _why_unseen(cell, shown=shown, row_hidden=hidden, columns=columns)
                if why:
                    self._gathering.hide(why, place, text)
                elif text:
                    first = first or place
                    seen.append(text)
            if seen:
                self._gathering.line(first, "\t".join(seen))

    def _cell(self, cell: Any, value: Any, place: str) -> str:
        facts = self._gathering.facts
        formula = _formula(cell)
        if len(facts.cells) >= MAX_CELLS:
            self._gathering.problem(f"it has more than {MAX_CELLS:,} cells: the rest was not read")
        else:
            facts.cells[place] = Cell(_plain(value), formula)
        if cell.comment is not None:
            self._gathering.comment(place, str(cell.comment.text))
        return _shown(value) or formula


def _cells(sheet: Any) -> Iterator[Any]:
    """The cells that are there, row by row: a sheet may claim a billion others."""
    for _, cell in sorted(sheet._cells.items()):
        if cell.value is not None or cell.comment is not None:
            yield cell


def _hidden_columns(sheet: Any) -> list[range]:
    every = sheet.column_dimensions.values()
    return [range(column.min or 0, (column.max or 0) + 1) for column in every if column.hidden]


def _why_unseen(cell: Any, *, shown: bool, row_hidden: bool, columns: list[range]) -> str | None:
    if not shown:
        return "a hidden sheet"
    if row_hidden or any(cell.column in column for column in columns):
        return "a hidden row" if row_hidden else "a hidden column"
    if not cell.has_style:
        return None
    if cell.number_format.replace(" ", "") == ";;;":
        return "a number format that shows nothing"
    if (cell.font.sz or 11) <= SMALLEST_SEEN_PT:
        return f"text of {cell.font.sz:g} pt"
    return "text in the colour of its background" if _camouflaged(cell) else None


def _camouflaged(cell: Any) -> bool:
    front = _colour(cell.font.color)
    if cell.fill.fill_type is None:
        return bool(front) and unseen(front, "FFFFFF")
    behind = _colour(cell.fill.fgColor) if cell.fill.fill_type == "solid" else ""
    return bool(front and behind) and unseen(front, behind)


def _colour(told: Any) -> str:
    """Six hexadecimal digits; "" of what a theme or palette says, but for the theme's first: the background."""
    if told is None:
        return ""
    if told.type == "theme":
        return "FFFFFF" if told.theme == 0 and not told.tint else ""
    return str(told.rgb)[-6:] if told.type == "rgb" else ""


def _formula(cell: Any) -> str:
    """A formula as it is typed; of an array's or a data table's, its text."""
    if cell.data_type != "f":
        return ""
    told = getattr(cell.value, "text", None) or getattr(cell.value, "ref", None) or cell.value
    return str(told)[:8_192]


def _plain(value: Any) -> str | int | float | bool | None:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return float(value) if abs(value) < 1 << 1_000 else "a number without end"
    return value if value is None or isinstance(value, bool | int | float) else _shown(value)[:_LONGEST]


def _shown(value: Any) -> str:
    return "" if value is None else str(value).strip()[:32_767]
