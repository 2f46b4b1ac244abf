"""What of a memory can be held against sessions: the thing that fails, how, and what is said to prevent it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reverie.mining.staleness.attempts import Records
from reverie.mining.staleness.reading import Reading, names_in

__all__ = ["Lesson", "lessons_of", "orders", "recommended"]

_TOPIC: Final = "mistake:"
_NEEDS: Final = tuple(  # which of two units must come first, by the words between and before them
    re.compile(pattern, re.I)
    for pattern in (
        r"\bbefore\b.*?(?P<late>\0\d+\0).*?(?P<early>\0\d+\0)",
        r"(?P<early>\0\d+\0).*?\bbefore\b.*?(?P<late>\0\d+\0)",
        r"(?P<late>\0\d+\0).*?\b(?:without|unless|until|needs?|requires?|only after|depends on)\b.*?(?P<early>\0\d+\0)",
        r"\bwithout\b.*?(?P<early>\0\d+\0).*?(?P<late>\0\d+\0)",
    )
)


_CLAIMS: Final = re.compile(  # "upload fails without check_in", not "lint before you commit"
    r"(?P<late>\0\d+\0)(?![^\0]{0,40}\bsessions?\b)[^\0]{0,40}\b(?:fails?|is (?:refused|rejected|denied)|errors?|does not work|will not work|breaks|needs?|requires?)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Lesson:
    """``unit`` fails with one of ``mistakes`` (None: in a way no session has shown) unless one of ``remedies``
    was used before. No remedies: the lesson forbids the unit itself (``forbids``), or says what cannot be seen
    in calls. ``sentence`` is verbatim."""

    unit: str
    mistakes: frozenset[str] | None
    remedies: frozenset[str]
    forbids: bool
    sentence: str


def lessons_of(reading: Reading, records: Records) -> list[Lesson]:
    """The lessons of a memory, in its order; none where it names nothing that sessions did."""
    mistakes = records.quoted(reading.quotes)
    if reading.idea is not None and reading.idea.startswith(_TOPIC):
        mistakes |= {reading.idea.removeprefix(_TOPIC)} & records.mistakes
    failing = records.failing_unit(mistakes)
    found: dict[tuple[str, frozenset[str]], Lesson] = {}
    for early, late, sentence, claims in orders(reading, records):
        if failing == late or claims:
            known = mistakes if failing == late else None
            found.setdefault(
                (late, frozenset({early})), Lesson(late, known, frozenset({early}), False, sentence)
            )
    if failing is not None and not any(unit == failing for unit, _ in found):
        forbids = next((s for s in _forbidding(reading, records, failing)), None)
        lead = forbids or next((s for s in reading.sentences if s), "")
        found[failing, frozenset()] = Lesson(failing, mistakes, frozenset(), forbids is not None, lead)
    return list(found.values())


def recommended(reading: Reading, records: Records) -> Iterator[tuple[str, str]]:
    """(unit, sentence) of everything the memory tells its reader to use."""
    seen: set[str] = set()
    for demand in reading.demands:
        for unit in records.units_named(names_in(demand.sentence)):
            told = demand.positive and any(unit in word for word in demand.what)
            if told and unit not in seen:
                seen.add(unit)
                yield unit, demand.sentence


def orders(reading: Reading, records: Records) -> Iterator[tuple[str, str, str, bool]]:
    """(what comes first, what comes later, sentence, whether it says that the later fails otherwise), wherever
    a sentence says so of two units."""
    for sentence in reading.sentences:
        names = [n for n in names_in(sentence) if records.units_named([n])]
        units = {n: records.units_named([n])[0] for n in names}
        if len(set(units.values())) < 2:
            continue
        numbered = list(dict.fromkeys(units.values()))
        marked = sentence
        for name in sorted(names, key=len, reverse=True):
            marked = re.sub(
                rf"(?<![\w\0])`?{re.escape(name)}`?(?![\w\0])", f"\0{numbered.index(units[name])}\0", marked
            )
        for pattern in _NEEDS:
            order = pattern.search(marked)
            if order is not None and order["early"] != order["late"]:
                early, late = (int(order[side].strip("\0")) for side in ("early", "late"))
                claims = any(claim["late"] == order["late"] for claim in _CLAIMS.finditer(marked))
                yield numbered[early], numbered[late], sentence, claims
                break


def _forbidding(reading: Reading, records: Records, unit: str) -> Iterator[str]:
    for demand in reading.demands:
        if not demand.positive and unit in records.units_named(names_in(demand.sentence)):
            yield demand.sentence
