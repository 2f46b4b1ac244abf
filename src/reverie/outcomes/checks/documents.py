"""Checks of the form of documents: fonts, tables, images, slides, pages, cells."""

from __future__ import annotations

import math
from collections.abc import Iterator

from reverie.domain.outcomes import Proof
from reverie.outcomes.checks.looking import Fault, Found, Looking, Subject, Unchecked, shortened
from reverie.outcomes.checks.patterns import compiled
from reverie.outcomes.checks.specs import DocumentWants, DocxWants, PdfWants, PptxWants, TextWants, XlsxWants
from reverie.outcomes.checks.text import subjects, text_faults
from reverie.outcomes.documents.reading import Cell

__all__ = ["check_document"]

_MOST_TOLD = 10


def check_document(wants: TextWants, looking: Looking) -> Found:
    """A check of kind ``docx``, ``pptx``, ``xlsx`` or ``pdf``.

    Raises:
        Unchecked: a file could not be read, or is of another kind.
    """
    found = subjects(wants, looking)
    if isinstance(found, Fault):
        return Found([found])
    faults = [fault for subject in found for fault in _faults(subject, wants, looking)]
    return Found(faults, Proof(found[0].file))


def _faults(subject: Subject, wants: TextWants, looking: Looking) -> Iterator[Fault]:
    suffix = f".{wants.kind}"
    if subject.file is None or not subject.file.lower().endswith(suffix):
        raise Unchecked(f"{subject.name} is no {suffix}", f"deliver a {suffix} in place of {subject.name}")
    yield from text_faults(subject, wants, looking)
    if isinstance(wants, DocumentWants | PdfWants | XlsxWants):
        yield from _about(subject, wants)
    if isinstance(wants, DocumentWants | PdfWants):
        yield from _fonts(subject, wants)
    if isinstance(wants, DocumentWants):
        yield from _tables(subject, wants)
    if isinstance(wants, DocxWants):
        yield from _changes(subject, wants)
    if isinstance(wants, PptxWants):
        yield from _slides(subject, wants)
    if isinstance(wants, XlsxWants):
        yield from _sheets(subject, wants)
    if isinstance(wants, PdfWants):
        yield from _pages(subject, wants)


def _between(
    subject: Subject, what: str, there: int, least: int | None, most: int | None = None
) -> Iterator[Fault]:
    if least is not None and there < least:
        yield Fault(f"{subject.name} must have at least {least} {what}: it has {there}", Proof(subject.file))
    if most is not None and there > most:
        yield Fault(f"{subject.name} must have at most {most} {what}: it has {there}", Proof(subject.file))


def _about(subject: Subject, wants: DocumentWants | PdfWants | XlsxWants) -> Iterator[Fault]:
    facts = subject.reading.facts
    if wants.title is not None and compiled(wants.title).search(facts.title) is None:
        told = f"it is “{shortened(facts.title)}”" if facts.title else "it has none"
        yield Fault(f"the title in the properties of {subject.name} must match `{wants.title}`: {told}")
    if wants.no_comments:
        for note in facts.comments[:_MOST_TOLD]:
            told = f"take the comment “{shortened(note.text)}” out of {subject.name}"
            yield Fault(told, subject.near(note.text, note.place))


def _fonts(subject: Subject, wants: DocumentWants | PdfWants) -> Iterator[Fault]:
    facts = subject.reading.facts
    yield from _between(subject, "images", len(facts.images), wants.min_images)
    if wants.fonts:
        allowed = {_family(name) for name in wants.fonts}
        for font in facts.fonts:
            if _family(font.text) not in allowed:
                told = f"use {', '.join(wants.fonts)} in place of {font.text} in {subject.name}, {font.place}"
                yield Fault(told, Proof(subject.file, None, font.place))
    if wants.min_font_pt is not None:
        small = sorted(
            (size for size in facts.sizes if size.points < wants.min_font_pt - 0.01), key=lambda s: s.points
        )
        for size in small[:_MOST_TOLD]:
            told = f"text of {subject.name} must have at least {wants.min_font_pt:g} pt; {size.points:g} pt"
            told = f"{told} in {size.place}: “{shortened(size.text)}”"
            yield Fault(told, subject.near(size.text, size.place))


def _family(name: str) -> str:
    """``Arial-BoldMT`` of a PDF and ``Arial`` are one family."""
    family = name.split("-", maxsplit=1)[0].split(",", maxsplit=1)[0].replace(" ", "").casefold()
    return family.removesuffix("mt").removesuffix("ps")


def _tables(subject: Subject, wants: DocumentWants) -> Iterator[Fault]:
    facts = subject.reading.facts
    yield from _between(subject, "tables", facts.tables, wants.min_tables)
    if wants.alt_text:
        for image in facts.images:
            if not image.alt:
                told = f"give the image in {image.place} of {subject.name} an alternative text"
                yield Fault(told, Proof(subject.file, None, image.place))


def _changes(subject: Subject, wants: DocxWants) -> Iterator[Fault]:
    for change in subject.reading.facts.changes[:_MOST_TOLD] if wants.no_changes else ():
        told = f"accept or reject the tracked change in {change.place} of {subject.name} ({shortened(change.text)})"
        yield Fault(told, Proof(subject.file, None, change.place))


def _slides(subject: Subject, wants: PptxWants) -> Iterator[Fault]:
    slides = subject.reading.facts.slides
    yield from _between(subject, "slides", len(slides), wants.min_slides, wants.max_slides)
    for slide in slides:
        proof = Proof(subject.file, None, slide.place)
        if wants.slide_titles and not slide.title:
            yield Fault(f"give {slide.place} of {subject.name} a title", proof)
        if wants.max_words_per_slide is not None and slide.words > wants.max_words_per_slide:
            most = wants.max_words_per_slide
            yield Fault(
                f"{slide.place} of {subject.name} must have at most {most} words: it has {slide.words}", proof
            )


def _pages(subject: Subject, wants: PdfWants) -> Iterator[Fault]:
    yield from _between(subject, "pages", subject.reading.facts.pages, wants.min_pages, wants.max_pages)


def _sheets(subject: Subject, wants: XlsxWants) -> Iterator[Fault]:
    facts = subject.reading.facts
    for sheet in wants.sheets:
        if sheet not in facts.sheets:
            yield Fault(f"{subject.name} must have a sheet “{sheet}”", Proof(subject.file))
    for reference, value in (wants.cells or {}).items():
        yield from _valued(subject, reference, value)
    for reference, formula in (wants.formulas or {}).items():
        yield from _calculated(subject, reference, formula)
    if wants.no_errors:
        yield from _errors(subject)


def _cell(subject: Subject, reference: str) -> Cell:
    sheet, _, cell = reference.rpartition("!")
    return subject.reading.facts.cells.get(f"{sheet.strip(chr(39))}!{cell}", Cell(None))


def _valued(subject: Subject, reference: str, value: str | float) -> Iterator[Fault]:
    there = _cell(subject, reference)
    if there.value is None and there.formula:
        told = f"`{reference}` of {subject.name} holds a formula that was saved without its value"
        raise Unchecked(told, f"{told}: save the workbook with its values")
    if not _same(there.value, value):
        held = "it is empty" if there.value is None else f"it holds {there.value!r}"
        quote = None if there.value is None else str(there.value)
        told = f"`{reference}` of {subject.name} must hold {value!r}: {held}"
        yield Fault(told, Proof(subject.file, quote, reference))


def _same(there: str | float | None, value: str | float) -> bool:
    if isinstance(there, bool) or isinstance(value, bool) or isinstance(there, str) or isinstance(value, str):
        return type(there) is type(value) and there == value
    return there is not None and math.isclose(there, value, rel_tol=1e-9, abs_tol=1e-12)


def _calculated(subject: Subject, reference: str, formula: str | bool) -> Iterator[Fault]:
    there = _cell(subject, reference).formula
    if not there:
        wanted = "a formula" if isinstance(formula, bool) else f"the formula {formula}"
        yield Fault(
            f"`{reference}` of {subject.name} must hold {wanted}", Proof(subject.file, None, reference)
        )
    elif isinstance(formula, str) and _squeezed(there) != _squeezed(formula):
        told = f"`{reference}` of {subject.name} must hold the formula {formula}, not {there}"
        yield Fault(told, Proof(subject.file, None, reference))


def _squeezed(formula: str) -> str:
    return "".join(formula.split()).removeprefix("=").replace("$", "").upper()


def _errors(subject: Subject) -> Iterator[Fault]:
    """Errors among the saved values, and formulas whose value nobody has calculated yet."""
    cells = subject.reading.facts.cells
    wrong = [
        (place, cell)
        for place, cell in cells.items()
        if isinstance(cell.value, str) and _is_error(cell.value)
    ]
    for place, cell in wrong[:_MOST_TOLD]:
        told = f"mend `{place}` of {subject.name}: it holds the error {cell.value}"
        yield Fault(told, Proof(subject.file, str(cell.value), place))
    unknown = [place for place, cell in cells.items() if cell.value is None and cell.formula]
    if unknown and not wrong:
        told = f"{subject.name} was saved without the values of its formulas (`{unknown[0]}` …)"
        raise Unchecked(f"{told}: errors cannot be told", f"{told}: save it with them")


def _is_error(value: str) -> bool:
    errors = ("#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#N/A", "#NUM!", "#NULL!", "#SPILL!", "#CALC!")
    return value in errors
