"""Checks of text: words and patterns, headings, citations, numbers, hidden text; of any file, or the message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from reverie.domain.outcomes import Hidden, Proof
from reverie.outcomes.checks.citations import unresolved
from reverie.outcomes.checks.looking import Fault, Found, Looking, Subject, shortened
from reverie.outcomes.checks.numbers import Cells, disagreeing
from reverie.outcomes.checks.patterns import Expression, compiled
from reverie.outcomes.checks.specs import TextWants

__all__ = ["check_text", "subjects", "text_faults"]

_NOTED = ("alternative text", "speaker notes", "document property", "text that is not read out", "attribute ")
_ASKED_APART = ("comment", "deleted text")  # where `no_comments` and `no_changes` ask for them
_MOST_TOLD = 5


def check_text(wants: TextWants, looking: Looking) -> Found:
    """
    Raises:
        Unchecked: a file, or a workbook that is named, could not be read.
    """
    found = subjects(wants, looking)
    if isinstance(found, Fault):
        return Found([found])
    faults = [fault for subject in found for fault in text_faults(subject, wants, looking)]
    return Found(faults, _shown(found[0], wants))


def subjects(wants: TextWants, looking: Looking) -> list[Subject] | Fault:
    """What a check speaks of; a fault where there is nothing.

    Raises:
        Unchecked: one of it could not be read.
    """
    if wants.file is None:
        return [looking.said()] if looking.message.strip() else Fault("say something in the last message")
    paths = looking.some(wants.file)
    return paths if isinstance(paths, Fault) else [looking.subject(path) for path in paths]


def text_faults(subject: Subject, wants: TextWants, looking: Looking) -> Iterator[Fault]:
    """
    Raises:
        Unchecked: a workbook that ``numbers`` names could not be read.
    """
    for asked in _wanted(wants):
        yield from _occurring(subject, wants, asked)
    for asked in (*map(_pattern, _several(wants.forbids)), *map(_literal, _several(wants.lacks))):
        yield from _forbidden(subject, wants, asked)
    yield from _words(subject, wants)
    yield from _headings(subject, wants)
    if wants.citations:
        yield from unresolved(subject)
    if wants.numbers:
        yield from disagreeing(subject, wants.numbers, Cells(looking))
    if wants.no_hidden_text:
        apart = _ASKED_APART if wants.kind in ("docx", "pptx", "xlsx", "pdf") else ()
        yield from _hidden(subject, (*_NOTED, *apart))


def _wanted(wants: TextWants) -> list[_Asked]:
    return [*map(_pattern, _several(wants.matches)), *map(_literal, _several(wants.contains))]


def _several(told: str | tuple[str, ...]) -> tuple[str, ...]:
    return (told,) if isinstance(told, str) else told


def _literal(words: str) -> _Asked:
    """Words in this order, whatever white space parts them."""
    return _Asked(f"“{words}”", words, literal=True)


def _pattern(pattern: str) -> _Asked:
    return _Asked(f"what matches `{pattern}`", pattern, literal=False)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Something that may occur; ``told`` names it."""

    told: str
    sought: str
    literal: bool

    def places(self, subject: Subject, wants: TextWants) -> Iterator[int]:
        for found in self._expression(wants.ignore_case).finditer(subject.text):
            yield found.start()

    def _expression(self, ignore_case: bool) -> Expression | re.Pattern[str]:
        if not self.literal:
            return compiled(self.sought, ignore_case=ignore_case)
        words = r"\s+".join(map(re.escape, self.sought.split())) or re.escape(self.sought)
        return re.compile(words, re.IGNORECASE if ignore_case else 0)


def _occurring(subject: Subject, wants: TextWants, asked: _Asked) -> Iterator[Fault]:
    """Looks no further than it must: texts are long."""
    most = wants.at_most
    places = list(islice(asked.places(subject, wants), max(wants.at_least, (most or 0) + 1)))
    if len(places) < wants.at_least:
        times = "" if wants.at_least == 1 else f" {wants.at_least} times; it has it {len(places)} times"
        yield Fault(f"{subject.name} must have {asked.told}{times}", Proof(subject.file))
    elif most is not None and len(places) > most:
        number = sum(1 for _ in asked.places(subject, wants))
        counted = f"at most {most} times; it has it {number} times"
        yield Fault(f"{subject.name} must have {asked.told} {counted}", subject.at(places[most]))


def _forbidden(subject: Subject, wants: TextWants, asked: _Asked) -> Iterator[Fault]:
    first = next(asked.places(subject, wants), None)
    if first is not None:
        number = sum(1 for _ in asked.places(subject, wants))
        times = "" if number == 1 else f" ({number} times)"
        yield Fault(f"take {asked.told} out of {subject.name}{times}", subject.at(first))


def _words(subject: Subject, wants: TextWants) -> Iterator[Fault]:
    if wants.min_words is None and wants.max_words is None:
        return
    number = subject.words
    if wants.min_words is not None and number < wants.min_words:
        yield Fault(f"{subject.name} must have at least {wants.min_words:,} words: it has {number:,}")
    if wants.max_words is not None and number > wants.max_words:
        yield Fault(f"{subject.name} must have at most {wants.max_words:,} words: it has {number:,}")


def _headings(subject: Subject, wants: TextWants) -> Iterator[Fault]:
    """Each in its order; there may be others between them. A format that knows no headings has lines."""
    there = [_bare(line.text) for line in subject.reading.facts.headings or subject.reading.lines]
    at = 0
    for heading in wants.headings:
        wanted = _bare(heading)
        if wanted in there[at:]:
            at = there.index(wanted, at) + 1
        elif wanted in there:
            yield Fault(
                f"the heading “{heading}” of {subject.name} must stand later: after the one before it"
            )
        else:
            yield Fault(f"{subject.name} must have the heading “{heading}”", Proof(subject.file))


def _bare(heading: str) -> str:
    """Without its number (``2.1 Method``), in lower case."""
    words = " ".join(heading.split()).casefold()
    return re.sub(r"\A(?:\d{1,3}(?:\.\d{1,3}){0,5}[.)]?|[a-z][.)]|[ivx]{1,5}\.) (?=\S)", "", words).rstrip(
        " :"
    )


def _hidden(subject: Subject, noted: tuple[str, ...]) -> Iterator[Fault]:
    found = [piece for piece in subject.reading.hidden if not piece.how.startswith(noted)]
    for piece in found[:_MOST_TOLD]:
        yield Fault(_told(subject, piece), subject.near(piece.text, piece.place))
    if len(found) > _MOST_TOLD:
        yield Fault(f"{subject.name} has {len(found) - _MOST_TOLD} more pieces of hidden text")


def _told(subject: Subject, piece: Hidden) -> str:
    return (
        f"take the hidden text out of {subject.name}, {piece.place} ({piece.how}): “{shortened(piece.text)}”"
    )


def _shown(subject: Subject, wants: TextWants) -> Proof | None:
    """Where the first of what was wanted stands."""
    asked = _wanted(wants)
    place = next(asked[0].places(subject, wants), None) if asked else None
    return Proof(subject.file) if place is None else subject.at(place)
