"""Citations in brackets, ``[3]`` or ``[1, 4-6]``: each has its entry in the list of references, and is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from reverie.domain.outcomes import Proof
from reverie.outcomes.checks.looking import Fault, Subject
from reverie.outcomes.documents.reading import Line

__all__ = ["unresolved"]

_LIST: Final = re.compile(
    r"(?i)\A[\s#*_]*(?:\d{1,3}(?:\.\d{1,3}){0,5}\.?\s+)?(?:references|bibliography|sources|works cited|literature)[\s:*_#]*\Z"
)
_CITED: Final = re.compile(r"\[(\d{1,3}(?:\s*[,;\-–]\s*\d{1,3})*)\](?!\()")
_ENTRY: Final = re.compile(r"\A[\s>*-]*(?:\[(\d{1,3})\]|\(?(\d{1,3})[.)](?=\s))")
_LONGEST_RANGE: Final = 100
_LONGEST_HEADING: Final = 80


def unresolved(subject: Subject) -> Iterator[Fault]:
    """Citations without an entry, entries that nothing cites, two entries of one number; no citation at all."""
    body, entries = _parted(subject)
    cited = _cited(body)
    if not cited:
        yield Fault(
            f"{subject.name} must cite its sources as [1], [2] …: it has no citation", Proof(subject.file)
        )
        return
    if not entries:
        yield Fault(f"{subject.name} must have a list of references with an entry for each [n]")
        return
    listed, doubled = _listed(entries)
    for number, line in cited.items():
        if number not in listed:
            yield Fault(f"give [{number}] an entry in the references of {subject.name}", subject.of(line))
    for number, line in listed.items():
        if number not in cited:
            told = f"cite [{number}] in the text of {subject.name}, or take it out of the references"
            yield Fault(told, subject.of(line))
    for number, line in doubled:
        yield Fault(f"two references of {subject.name} have the number {number}", subject.of(line))


def _parted(subject: Subject) -> tuple[list[Line], list[Line]]:
    """(the text, the entries): the list goes from its heading to the next one."""
    headings = {(line.place, line.text.casefold()) for line in subject.reading.facts.headings}
    body: list[Line] = []
    entries: list[Line] = []
    listing = False
    for line in subject.reading.lines:
        if len(line.text) <= _LONGEST_HEADING and _LIST.match(line.text):
            listing = True
        elif listing and (line.place, " ".join(line.text.split()).strip("# ").casefold()) in headings:
            listing = False
            body.append(line)
        elif line.text.strip():
            (entries if listing else body).append(line)
    return body, entries


def _cited(body: list[Line]) -> dict[int, Line]:
    groups: dict[str, Line] = {}
    for line in body:
        if "[" in line.text:
            for group in _CITED.findall(line.text):
                groups.setdefault(group, line)
    found: dict[int, Line] = {}
    for group, line in groups.items():
        for number in _numbers(group):
            found.setdefault(number, line)
    return dict(sorted(found.items()))


def _numbers(told: str) -> Iterator[int]:
    for part in re.split(r"[,;]", told):
        ends = [int(number) for number in re.findall(r"\d{1,3}", part)]
        yield from ends if len(ends) != 2 else range(ends[0], min(ends[1], ends[0] + _LONGEST_RANGE) + 1)


def _listed(entries: list[Line]) -> tuple[dict[int, Line], list[tuple[int, Line]]]:
    """Entries by number. Where none is numbered in the text, a list's numbers are drawn: they count from 1."""
    found: dict[int, Line] = {}
    doubled: list[tuple[int, Line]] = []
    told = [(match, line) for line in entries if (match := _ENTRY.match(line.text))]
    if not told:
        return dict(enumerate(entries, 1)), []
    for match, line in told:
        number = int(match[1] or match[2])
        if number in found:
            doubled.append((number, line))
        found.setdefault(number, line)
    return found, doubled
