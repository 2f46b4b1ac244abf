"""What a drafter has: functions that show the brief and write the files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

import reverie
from examples.documents.office import Section, Slide, save_deck, save_report

__all__ = ["Desk"]


class Desk:
    """The tools of one drafter. Files go into the outputs of the session that calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def tools(self) -> list[Callable[..., Any]]:
        return [self.read_brief, self.write_report, self.write_deck, self.hand_over]

    def read_brief(self) -> str:
        """The brief, the figures that count, and the sources that may be cited."""
        sheet = load_workbook(self._folder / "figures.xlsx")["Figures"]
        figures = [
            f"{label}: {value}" for label, value in sheet.iter_rows(min_row=2, max_col=2, values_only=True)
        ]
        parts = (self._folder / "brief.md").read_text("utf-8"), "Figures:", *figures
        return "\n".join([*parts, "", (self._folder / "sources.md").read_text("utf-8")])

    def write_report(
        self,
        title: str,
        sections: list[Section],
        note: str = "",
        font: str = "Calibri",
        body_pt: float = 11,
        note_pt: float = 9,
    ) -> str:
        """Write report.docx, in the place of what is there.

        Args:
            title: Of the document, in its properties too.
            sections: In their order; a section's table stands below its paragraphs.
            note: Printed small at the end.
            font: Of all text.
            body_pt: Its size.
            note_pt: The note's.
        """
        path = reverie.outputs() / "report.docx"
        save_report(path, title, sections, note, font=font, body_pt=body_pt, note_pt=note_pt)
        return f"report.docx: {len(sections)} sections"

    def write_deck(self, title: str, slides: list[Slide], font: str = "Calibri", body_pt: float = 20) -> str:
        """Write deck.pptx, in the place of what is there.

        Args:
            title: Of the presentation, in its properties.
            slides: In their order.
            font: Of all text.
            body_pt: The size of the points.
        """
        save_deck(reverie.outputs() / "deck.pptx", title, slides, font=font, body_pt=body_pt)
        return f"deck.pptx: {len(slides)} slides"

    def hand_over(self) -> str:
        """Put figures.xlsx and sources.md of the brief beside report and deck."""
        for name in ("figures.xlsx", "sources.md"):
            shutil.copyfile(self._folder / name, reverie.outputs() / name)
        return "figures.xlsx and sources.md are beside them"
