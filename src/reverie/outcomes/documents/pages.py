"""PDF files: what is drawn on their pages, apart from what is drawn so that nobody sees it."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final, cast

from pypdf import PdfReader
from pypdf.generic import ContentStream, NameObject

from reverie.outcomes.documents.archive import Refused
from reverie.outcomes.documents.contrast import SMALLEST_SEEN_PT
from reverie.outcomes.documents.drawing import Drawing
from reverie.outcomes.documents.reading import Gathering, Reading

__all__ = ["MAX_PAGES", "read_pdf"]

MAX_PAGES: Final = 1_000
_MOST_OPERATIONS: Final = 500_000
_CONTENTS: Final = NameObject("/Contents")


def read_pdf(data: bytes) -> Reading:
    """
    Raises:
        Refused: it is encrypted, or no PDF.
        Exception: anything, of a file that is broken.
    """
    if b"%PDF-" not in data[:1_024]:
        raise Refused("it is no PDF")
    reader = PdfReader(BytesIO(data), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise Refused("it is encrypted: it opens with a password only")
    return _Reader(reader).read()


class _Reader:
    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._gathering = Gathering()
        self._left = _MOST_OPERATIONS

    def read(self) -> Reading:
        facts = self._gathering.facts
        facts.pages = len(self._reader.pages)
        for number, page in enumerate(self._reader.pages, 1):
            if number > MAX_PAGES or self._gathering.full:
                self._gathering.problem(f"it has {facts.pages:,} pages: the rest was not read")
                break
            self._page(page, f"page {number}")
        self._about()
        if not any(line.text.strip() for line in self._gathering.reading.lines):
            self._gathering.problem("no text can be read in it: perhaps its pages are images")
        return self._gathering.reading

    # ------------------------------------------------------------------ pages

    def _page(self, page: Any, place: str) -> None:
        for _ in range(len(page.images)):
            self._gathering.image(place, "")
        self._annotations(page, place)
        seen, unseen = self._sorted(page, place)
        if unseen:
            self._draw(page, seen)
        for line in page.extract_text().splitlines():
            self._gathering.line(place, line)
        for how, operations in unseen.items():
            self._draw(page, operations)
            self._gathering.hide(how, place, page.extract_text())

    def _annotations(self, page: Any, place: str) -> None:
        for reference in page.get("/Annots") or ():
            note = reference.get_object()
            if note.get("/Subtype") not in ("/Link", "/Widget", "/Popup") and note.get("/Contents"):
                self._gathering.comment(place, str(note["/Contents"]))

    def _sorted(self, page: Any, place: str) -> tuple[list[Any], dict[str, list[Any]]]:
        """What a page draws and is seen; and what is not, by what hides it. Both are whole: what moves, and
        what sets fonts, stands in each."""
        operations = self._operations(page)
        box = page.mediabox
        drawing = Drawing((float(box.left), float(box.bottom), float(box.right), float(box.top)))
        fonts = _fonts(page)
        whys: list[str | None] = []
        for operands, operator in operations:
            drawing.follow(operands, operator)
            why = drawing.why_unseen(SMALLEST_SEEN_PT) if drawing.shows(operator) else ""
            whys.append(why)
            if why is None:
                self._gathering.font(fonts.get(drawing.state.font, ""), place)
                self._gathering.size(drawing.points, place, _told(operands) or place)
        seen = [op for op, why in zip(operations, whys, strict=True) if not why]
        return seen, {
            how: [op for op, why in zip(operations, whys, strict=True) if why in ("", how)]
            for how in sorted({why for why in whys if why})[:10]
        }

    def _operations(self, page: Any) -> list[Any]:
        content = page.get_contents()
        operations: list[Any] = [] if content is None else list(content.operations)
        self._left -= len(operations)
        if self._left < 0:
            raise Refused(f"its pages draw more than {_MOST_OPERATIONS:,} things")
        return operations

    def _draw(self, page: Any, operations: list[Any]) -> None:
        stream = ContentStream(None, self._reader)
        stream.operations = operations
        page[_CONTENTS] = stream

    # ------------------------------------------------------------------ the whole

    def _about(self) -> None:
        told: Any = self._reader.metadata or {}
        self._gathering.facts.title = str(told.get("/Title") or "")[:1_000]
        for name in ("/Subject", "/Keywords"):
            self._gathering.hide("document property", name[1:].lower(), str(told.get(name) or ""))
        for name in list(self._reader.attachments)[:20]:
            self._gathering.hide("an attached file", "attachments", str(name))
        self._outline(self._reader.outline, 0)

    def _outline(self, entries: Any, depth: int) -> None:
        for entry in entries if depth < 20 else ():
            if isinstance(entry, list):
                self._outline(entry, depth + 1)
            else:
                self._gathering.heading("outline", str(entry.title))


def _fonts(page: Any) -> dict[str, str]:
    """Names of fonts by the names that the page calls them; a subset's six letters are left out."""
    resources = page.get("/Resources")
    fonts = None if resources is None else resources.get_object().get("/Font")
    if fonts is None:
        return {}
    every = fonts.get_object().items()
    return {str(key): _base(str(font.get_object().get("/BaseFont", ""))) for key, font in every}


def _base(name: str) -> str:
    name = name.removeprefix("/")
    return name[7:] if name[6:7] == "+" else name


def _told(operands: Any) -> str:
    """What text operators show, as far as it is told without the font's encoding."""
    parts: Any = operands[-1] if operands else ""
    if isinstance(parts, str):
        return parts
    return "".join(part for part in _list(parts) if isinstance(part, str))


def _list(parts: Any) -> list[Any]:
    return cast(list[Any], parts) if isinstance(parts, list) else []
