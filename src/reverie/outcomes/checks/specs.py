"""What a ``check`` block of a rubric may say, by kind of check.

The keys tell the kind: ``command`` a command, ``schema`` JSON, a ``file`` that ends in ``.docx`` and properties
of such a document that document, and so on; ``kind = "…"`` says it outright.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec

from reverie.domain.errors import Invalid
from reverie.domain.outcomes import Check
from reverie.outcomes.checks.patterns import MAX_PATTERN, compiled

__all__ = [
    "KINDS",
    "CommandWants",
    "DocumentWants",
    "DocxWants",
    "FileWants",
    "JsonWants",
    "PdfWants",
    "PptxWants",
    "TextWants",
    "Wants",
    "XlsxWants",
    "checked",
    "in_cell",
    "wanted",
]

_Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
_Times: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_Names: TypeAlias = Annotated[tuple[_Name, ...], msgspec.Meta(max_length=200)]
_OneOrMore: TypeAlias = _Name | _Names
_Cells: TypeAlias = Annotated[dict[_Name, Any], msgspec.Meta(min_length=1, max_length=200)]


class Wants(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every check may say."""

    kind: str = ""


class CommandWants(Wants, frozen=True):
    """A command, run by ``/bin/sh`` in a throw-away copy of the work. ``output`` is a regular expression over
    what it writes on both streams, ``timeout`` is in seconds."""

    command: Annotated[str, msgspec.Meta(min_length=1, max_length=4_000)]
    exit: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    output: _Name | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60.0


class FileWants(Wants, frozen=True):
    """Files that are there (``at_least`` of them, ``at_most``), or not (``absent``). Sizes hold for each."""

    file: _Name
    absent: bool = False
    at_least: _Count | None = None
    at_most: _Count | None = None
    min_bytes: _Count | None = None
    max_bytes: _Count | None = None


class TextWants(Wants, frozen=True):
    """Text of every file that fits, or of the agent's last message. ``matches`` and ``forbids`` are regular
    expressions, ``contains`` and ``lacks`` literal text; ``at_least`` and ``at_most`` count the occurrences of
    each of ``matches`` and ``contains``. ``numbers`` says in which cell of a sheet the number behind a label
    stands: ``{"Revenue 2025" = "figures.xlsx!Sheet1!B4"}``."""

    file: _Name | None = None
    message: bool = False
    matches: _OneOrMore = ()
    forbids: _OneOrMore = ()
    contains: _OneOrMore = ()
    lacks: _OneOrMore = ()
    ignore_case: bool = False
    at_least: _Times = 1
    at_most: _Times | None = None
    min_words: _Count | None = None
    max_words: _Count | None = None
    headings: _Names = ()
    citations: bool = False
    numbers: Annotated[dict[_Name, _Name], msgspec.Meta(max_length=200)] = {}
    no_hidden_text: bool = False


class JsonWants(Wants, frozen=True):
    """JSON files that fit a JSON Schema, given here or in a file of the work (which the worker could change)."""

    file: _Name
    schema: dict[str, Any] | None = None
    schema_file: _Name | None = None


class DocumentWants(TextWants, frozen=True):
    """What may be asked of every document. ``title`` is a regular expression over its metadata's title."""

    title: _Name | None = None
    fonts: _Names = ()
    min_font_pt: Annotated[float, msgspec.Meta(gt=0, le=400)] | None = None
    min_tables: _Count | None = None
    min_images: _Count | None = None
    alt_text: bool = False
    no_comments: bool = False


class DocxWants(DocumentWants, frozen=True):
    """A Word document. ``no_changes``: no tracked changes are left in it."""

    no_changes: bool = False


class PptxWants(DocumentWants, frozen=True):
    """Slides. ``headings`` are their titles."""

    min_slides: _Count | None = None
    max_slides: _Count | None = None
    slide_titles: bool = False
    max_words_per_slide: _Count | None = None


class XlsxWants(TextWants, frozen=True):
    """A workbook. ``cells`` gives values, ``formulas`` formulas (``true``: any) by ``Sheet!A1``."""

    title: _Name | None = None
    sheets: _Names = ()
    cells: _Cells | None = None
    formulas: Annotated[dict[_Name, _Name | bool], msgspec.Meta(min_length=1, max_length=200)] | None = None
    no_errors: bool = False
    no_comments: bool = False


class PdfWants(TextWants, frozen=True):
    """A PDF. ``headings`` are those of its outline or, without one, lines of its text."""

    title: _Name | None = None
    fonts: _Names = ()
    min_font_pt: Annotated[float, msgspec.Meta(gt=0, le=400)] | None = None
    min_images: _Count | None = None
    min_pages: _Count | None = None
    max_pages: _Count | None = None
    no_comments: bool = False


KINDS: Final[Mapping[str, type[Wants]]] = {
    "command": CommandWants,
    "file": FileWants,
    "text": TextWants,
    "json": JsonWants,
    "docx": DocxWants,
    "pptx": PptxWants,
    "xlsx": XlsxWants,
    "pdf": PdfWants,
}
_OF_FILES: Final = frozenset(FileWants.__struct_fields__)
_LIMITS: Final = (
    ("at_least", "at_most"),
    ("min_bytes", "max_bytes"),
    ("min_words", "max_words"),
    (
        "min_slides",
        "max_slides",
    ),
    ("min_pages", "max_pages"),
)
_CELL: Final = re.compile(r"\A(?:(?P<file>[^!]+)!)?(?P<sheet>[^!]+)!(?P<cell>[A-Z]{1,3}[1-9][0-9]{0,6})\Z")
_W = TypeVar("_W", bound=Wants)


def checked(told: Mapping[str, Any]) -> Check:
    """The check that a ``check`` block describes.

    Raises:
        Invalid: an unknown kind or key, a value out of its limits, a pattern or schema that is none; it names
            the field, the limit and the value.
    """
    kind = _kind(told)
    _Rules(wanted(Check(kind, told), KINDS[kind])).hold()
    return Check(kind, {"kind": kind, **told})


def wanted(check: Check, form: type[_W]) -> _W:
    """What a check wants, typed.

    Raises:
        Invalid: it is not of that form.
    """
    try:
        return msgspec.convert({**check.wants, "kind": check.kind}, form)
    except msgspec.ValidationError as error:
        raise _told(error, check) from None


def in_cell(reference: str) -> tuple[str, str, str] | None:
    """(file, sheet, cell) of ``figures.xlsx!Sheet1!B4``; the file is "" where none is named. None: it is no
    such reference."""
    found = _CELL.match(reference)
    return None if found is None else (found["file"] or "", found["sheet"].strip("'"), found["cell"])


def _kind(told: Mapping[str, Any]) -> str:
    if "kind" in told:
        kind = told["kind"]
        if not isinstance(kind, str) or kind not in KINDS:
            raise Invalid("kind", f"one of {', '.join(KINDS)}", str(kind))
        return kind
    if "command" in told:
        return "command"
    if "schema" in told or "schema_file" in told:
        return "json"
    return _by_file(told)


def _by_file(told: Mapping[str, Any]) -> str:
    file = told.get("file")
    if file is None and "message" not in told:
        raise Invalid("check", "needs `command`, `file` or `message`", ", ".join(map(str, told)) or "{}")
    if set(told) <= _OF_FILES:
        return "file"
    suffix = PurePosixPath(file).suffix[1:].lower() if isinstance(file, str) else ""
    return suffix if suffix in ("docx", "pptx", "xlsx", "pdf") else "text"


def _told(error: msgspec.ValidationError, check: Check) -> Invalid:
    """msgspec says ``Expected `int` >= 1 - at `$.exit```, or names the field that is too many or missing."""
    said, _, place = str(error).partition(" - at `$")
    if unknown := re.match(r"Object contains unknown field `(.*)`", said):
        known = ", ".join(f"`{name}`" for name in KINDS[check.kind].__struct_fields__)
        return Invalid(unknown[1], f"no key of a check of kind {check.kind!r}, which has {known}")
    if missing := re.match(r"Object missing required field `(.*)`", said):
        return Invalid(missing[1], f"must be given for a check of kind {check.kind!r}")
    field = place.rstrip("`").removeprefix(".") or "check"
    value = check.wants.get(re.split(r"[.\[]", field)[0])
    return Invalid(field, said[:1].lower() + said[1:], repr(value)[:200])


class _Rules:
    """What the form of the fields does not say."""

    def __init__(self, wants: Wants) -> None:
        self._wants = wants

    def hold(self) -> None:
        self._selects()
        self._limits()
        for field, pattern in self._patterns():
            self._compiles(field, pattern)
        self._cells()
        if isinstance(self._wants, JsonWants):
            self._schema(self._wants)

    def _selects(self) -> None:
        wants = self._wants
        file = getattr(wants, "file", None)
        if isinstance(wants, TextWants) and (file is None) != wants.message:
            raise Invalid("file", "either `file` or `message = true`", file)
        if isinstance(wants, TextWants) and wants.message and type(wants) is not TextWants:
            raise Invalid("message", "only for checks of kind 'text'", "message")
        if file is not None and (file.startswith("/") or ".." in file.split("/") or "\0" in file):
            raise Invalid("file", "a path or glob relative to the outputs, without `..`", file)
        if isinstance(wants, FileWants) and wants.absent:
            self._absent(wants)

    def _absent(self, wants: FileWants) -> None:
        for name in ("at_least", "at_most", "min_bytes", "max_bytes"):
            if getattr(wants, name) is not None:
                raise Invalid(name, "not together with `absent`", getattr(wants, name))

    def _limits(self) -> None:
        for low, high in _LIMITS:
            least, most = getattr(self._wants, low, None), getattr(self._wants, high, None)
            if least is not None and most is not None and least > most:
                raise Invalid(low, f"at most `{high}`, which is {most}", least)

    def _patterns(self) -> Iterator[tuple[str, str]]:
        for field in ("matches", "forbids", "output", "title"):
            told: str | tuple[str, ...] | None = getattr(self._wants, field, None)
            for pattern in (told,) if isinstance(told, str) else told or ():
                yield field, pattern

    @staticmethod
    def _compiles(field: str, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN:
            raise Invalid(field, f"at most {MAX_PATTERN:,} characters", len(pattern))
        try:
            compiled(pattern)
        except ValueError as error:
            limit = f"a regular expression of RE2, without look-around and \\1 ({error})"
            raise Invalid(field, limit, pattern) from None

    def _cells(self) -> None:
        numbers: Mapping[str, str] = getattr(self._wants, "numbers", {})
        for reference in numbers.values():
            place = in_cell(reference)
            if place is None or not place[0].lower().endswith(".xlsx"):
                raise Invalid("numbers", 'a cell such as "figures.xlsx!Sheet1!B4"', reference)
        if isinstance(self._wants, XlsxWants):
            self._own_cells(self._wants)

    @staticmethod
    def _own_cells(wants: XlsxWants) -> None:
        for field, told in (("cells", wants.cells), ("formulas", wants.formulas)):
            for reference in told or ():
                place = in_cell(reference)
                if place is None or place[0]:
                    raise Invalid(field, 'a cell such as "Sheet1!B4"', reference)
        for reference, value in (wants.cells or {}).items():
            if not isinstance(value, str | int | float | bool):
                raise Invalid(f"cells.{reference}", "text, a number or a truth value", repr(value))
        if wants.formulas and False in wants.formulas.values():
            raise Invalid("formulas", "a formula, or true for any")

    @staticmethod
    def _schema(wants: JsonWants) -> None:
        if wants.schema is not None and wants.schema_file is not None:
            raise Invalid("schema_file", "either `schema` or `schema_file`", wants.schema_file)
        if wants.schema is not None:
            from reverie.outcomes.documents.schemas import why_not_a_schema

            if fault := why_not_a_schema(wants.schema):
                raise Invalid("schema", f"a JSON Schema ({fault})")
