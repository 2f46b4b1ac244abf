"""What is truly wrong with a report and a deck. Knows the facts of the brief, and looks at the files by itself: it shares
nothing with the grader, nor with the checks of the rubric."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

from docx import Document
from pptx import Presentation

from examples.documents.briefs import FIGURES, Brief

__all__ = ["SECTIONS", "flaws", "is_good"]

SECTIONS: Final = ("Summary", "Background", "Options", "Findings", "Costs", "Risks", "Recommendation", "Assumptions",
                   "Next steps", "Annex", "References")  # fmt: skip
_SHOULD: Final = ("title", "manifest", "abbreviation")


def is_good(brief: Brief, files: Mapping[str, bytes]) -> bool:
    """Whether all is there that must be."""
    return all(flaw in _SHOULD for flaw in flaws(brief, files))


def flaws(brief: Brief, files: Mapping[str, bytes]) -> set[str]:
    """What is wrong, in single words; those of ``_SHOULD`` are small."""
    if not {"report.docx", "deck.pptx", "figures.xlsx"} <= files.keys():
        return {"missing files"}
    report = _Report(files["report.docx"])
    deck = _Deck(files["deck.pptx"])
    return {*_form(report, deck, brief), *_content(report, deck, brief), *_small(report, brief, files)}


class _Report:
    def __init__(self, data: bytes) -> None:
        self.document = Document(io.BytesIO(data))
        self.parts: dict[str, list[str]] = {}
        self.headings: list[str] = []
        self.paragraphs = [each.text for each in self.document.paragraphs]
        for each in self.document.paragraphs:
            style = str(each.style.name) if each.style is not None else ""
            if style.startswith("Heading"):
                self.headings.append(each.text)
                self.parts[each.text] = []
            elif self.headings:
                self.parts[self.headings[-1]].append(each.text)
        self.rows = {
            row.cells[0].text: [cell.text for cell in row.cells]
            for table in self.document.tables
            for row in table.rows
        }

    @property
    def words(self) -> int:
        return sum(
            len(text.split()) for text in [*self.paragraphs, *(" ".join(row) for row in self.rows.values())]
        )

    @property
    def smallest(self) -> float:
        runs = (run for each in self.document.paragraphs for run in each.runs)
        return min((run.font.size.pt for run in runs if run.font.size is not None), default=11.0)


class _Deck:
    def __init__(self, data: bytes) -> None:
        self.slides: list[tuple[str, list[str]]] = []
        for slide in Presentation(io.BytesIO(data)).slides:
            title: Any = slide.shapes.title
            points = [
                line
                for shape in slide.shapes
                if shape.has_text_frame and (title is None or shape.shape_id != title.shape_id)
                for line in shape.text_frame.text.splitlines()
            ]
            self.slides.append(("" if title is None else title.text_frame.text, points))


def _form(report: _Report, deck: _Deck, brief: Brief) -> Iterator[str]:
    if report.headings != list(SECTIONS):
        yield "sections"
    listed = {text[:3] for text in report.parts.get("References", [])}
    body = " ".join(text for name, texts in report.parts.items() if name != "References" for text in texts)
    if any(mark not in body for mark in listed) or any(
        f"[{n}]" in body and f"[{n}]" not in listed for n in range(1, 20)
    ):
        yield "citations"
    if str(report.document.styles["Normal"].font.name) != "Calibri" or report.smallest < 9:
        yield "type"
    if report.words > 4_000:
        yield "length"
    if any(report.rows.get(label, ["", ""])[1] != f"{value:,}" for label, value in brief.figures.items()):
        yield "figures"
    if any(not title.strip() for title, _ in deck.slides):
        yield "untitled"
    if any(len(" ".join([title, *points]).split()) > 60 for title, points in deck.slides):
        yield "wordy"
    shown = [point for _, points in deck.slides for point in points]
    if any(f"{label}: {brief.figures[label]:,}" not in shown for label in (FIGURES[0], FIGURES[2])):
        yield "deck's figures"


def _content(report: _Report, deck: _Deck, brief: Brief) -> Iterator[str]:
    summary = " ".join(report.parts.get("Summary", []))
    if brief.recommended.name not in summary:
        yield "summary recommends nothing"
    if f"{brief.figures[FIGURES[0]]:,}" not in summary:
        yield "summary without cost"
    options = report.parts.get("Options", [])
    for option in brief.options:
        if option.reason and not any(option.name in text and option.reason in text for text in options):
            yield "no reason"
    if any(report.rows.get(risk.id, [""])[-1] not in brief.people for risk in brief.risks):
        yield "no owner"
    if any(report.rows.get(step.id, [])[2:] != [step.who, step.when] for step in brief.steps):
        yield "no date"
    findings = report.parts.get("Findings", [])
    if any(not any(text.startswith(f"{c.text} [{c.source}]") for text in findings) for c in brief.claims):
        yield "no source"
    if not any(brief.recommended.name in point for point in deck.slides[-1][1]):
        yield "contradiction"
    if not any(brief.recommended.name in text for text in report.parts.get("Recommendation", [])):
        yield "recommends something else"


def _small(report: _Report, brief: Brief, files: Mapping[str, bytes]) -> Iterator[str]:
    if not report.document.core_properties.title:
        yield "title"
    short, long = brief.topic.term
    if short in " ".join(report.parts.get("Summary", [])) and long not in " ".join(report.paragraphs):
        yield "abbreviation"
    told = files.get("MANIFEST.txt", b"").decode("utf-8", "replace")
    names = ("report.docx", "deck.pptx", "figures.xlsx", "sources.md")
    if any(hashlib.sha256(files.get(name, b"")).hexdigest() not in told for name in names):
        yield "manifest"
