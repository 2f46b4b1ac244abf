"""Word documents and presentations, from what an agent says should be in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from docx import Document
from docx.oxml.ns import qn
from docx.shared import Pt
from pptx import Presentation
from pptx.enum.text import PP_ALIGN
from pptx.util import Emu
from pptx.util import Pt as SlidePt
from typing_extensions import TypedDict

__all__ = ["Section", "Slide", "save_deck", "save_report"]


class Section(TypedDict):
    """A section of a report: its heading, its paragraphs, and the rows of its table (none: no table)."""

    heading: str
    paragraphs: list[str]
    table: list[list[str]]


class Slide(TypedDict):
    """A slide: its title, and its points, one line each."""

    title: str
    points: list[str]


def save_report(
    path: Path,
    title: str,
    sections: Sequence[Section],
    note: str,
    *,
    font: str,
    body_pt: float,
    note_pt: float,
) -> None:
    """A .docx. ``note`` is printed small at the end; all else in ``font``."""
    document = Document()
    document.core_properties.title = title
    document.core_properties.author = ""
    for style in ("Normal", "Heading 1", "Title"):
        _use(document.styles[style], font, body_pt if style == "Normal" else None)
    if title:
        document.add_heading(title, 0)
    for section in sections:
        document.add_heading(section["heading"], 1)
        for text in section["paragraphs"]:
            document.add_paragraph(text)
        if section["table"]:
            _table(document, section["table"])
    if note:
        document.add_paragraph().add_run(note).font.size = Pt(note_pt)
    document.save(str(path))


def _use(style: Any, font: str, points: float | None) -> None:
    style.font.name = font
    fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
    for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
        fonts.attrib.pop(qn(f"w:{theme}"), None)
    fonts.set(qn("w:hAnsi"), font)
    if points is not None:
        style.font.size = Pt(points)


def _table(document: Any, rows: Sequence[Sequence[str]]) -> None:
    table = document.add_table(rows=0, cols=len(rows[0]), style="Table Grid")
    for row in rows:
        for cell, text in zip(table.add_row().cells, row, strict=False):
            cell.text = text
    for run in (run for cell in table.rows[0].cells for run in cell.paragraphs[0].runs):
        run.bold = True
    document.add_paragraph()


def save_deck(path: Path, title: str, slides: Sequence[Slide], *, font: str, body_pt: float) -> None:
    """A .pptx: a slide for each, with its points below its title."""
    deck = Presentation()
    deck.slide_width, deck.slide_height = Emu(12_192_000), Emu(6_858_000)
    deck.core_properties.title = title
    deck.core_properties.author = ""
    for each in slides:
        slide = deck.slides.add_slide(deck.slide_layouts[5])
        heading = slide.shapes.title
        assert heading is not None
        heading.left, heading.top, heading.width, heading.height = map(
            Emu, (609_600, 304_800, 10_972_800, 990_600)
        )
        _write(heading.text_frame, [each["title"]], font, 32)
        box = slide.shapes.add_textbox(*map(Emu, (609_600, 1_600_200, 10_972_800, 4_525_963)))
        box.text_frame.word_wrap = True
        _write(box.text_frame, each["points"], font, body_pt)
    deck.save(str(path))


def _write(frame: Any, lines: Sequence[str], font: str, points: float) -> None:
    for number, line in enumerate(lines):
        paragraph = frame.paragraphs[0] if number == 0 else frame.add_paragraph()
        paragraph.space_after, paragraph.alignment = SlidePt(10), PP_ALIGN.LEFT
        run = paragraph.add_run()
        run.text, run.font.name, run.font.size = line, font, SlidePt(points)
