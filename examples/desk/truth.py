"""What is truly wrong with a matter when it is over, from what arrived: for the scorer, and for the outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from examples.desk.office import Document
from examples.desk.tools import Tools

__all__ = ["HOPELESS", "PLANTED", "failures"]

PLANTED: Final = (
    "evening-upload",  # .docx over 50 MB from 17:00 on: convert it to PDF, or split it
    "lost-tables",  # conversion drops tables, without a word, unless keep_tables is set
    "stale-index",  # the search gives overruled cases unless the index was refreshed before, in the session
    "lindau-dates",  # one court reads dates as DD.MM.YYYY, and names a field by its number only
    "sign-first",  # a signature that comes after the stamp is void
    "cite-paragraphs",  # several users want paragraphs cited, and say so when it is too late
    "harbour-mornings",  # one portal is closed before noon, and blames the address: a courier goes
    "held-record",  # a record held by nobody is free under another name
    "past-z",  # letters begin again after 26 exhibits
)
"""What can be learned."""
HOPELESS: Final = "hopeless"
"""Fails whatever one does."""


def failures(tools: Tools, *, late: bool = False) -> tuple[str, ...]:
    """What went wrong; nothing where the matter is a success. ``late``: it was mended after it had to go out."""
    found = list(dict.fromkeys((*_arrived(tools), *_registered(tools))))
    if late:
        found.append("cite-paragraphs")
    if tools.matter.hopeless:
        found.append(HOPELESS)
    return tuple(found)


def _arrived(tools: Tools) -> Iterator[str]:
    if tools.matter.kind == "registration":
        return
    if not tools.office.sent:
        yield "evening-upload"
    if (document := tools.office.latest(tools.matter.file)) is not None:
        yield from _within(tools, document)


def _within(tools: Tools, document: Document) -> Iterator[str]:
    """What is wrong with a document that arrived, or would have."""
    matter, lines = tools.matter, document.lines
    tables = sum(line.startswith("|") for line in lines)
    if matter.kind in ("bundle", "opinion") and tables < matter.tables:
        yield "lost-tables"
    if any("(2019)" in line for line in lines):
        yield "stale-index"
    if matter.kind == "deed" and not _executed(lines):
        yield "sign-first"
    labels = [line for line in lines if line.startswith("EXHIBIT ")]
    if matter.kind == "bundle" and len(set(labels)) < matter.exhibits:
        yield "past-z"


def _executed(lines: tuple[str, ...]) -> bool:
    """Signed, and stamped after that."""
    marks = [line.partition(" ")[0] for line in lines if line.startswith(("SIGNED", "STAMPED"))]
    return "SIGNED" in marks and "STAMPED" in marks[marks.index("SIGNED") :] and marks[0] == "SIGNED"


def _registered(tools: Tools) -> Iterator[str]:
    matter, office = tools.matter, tools.office
    if matter.kind in ("bundle", "registration") and not office.records:
        yield "held-record"
    if matter.kind in ("registration", "deed") and not office.forms:
        yield "lindau-dates"
    if matter.kind == "registration" and not office.notices:
        yield "harbour-mornings"
