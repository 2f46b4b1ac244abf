"""Whether a document states the numbers that a sheet has: next to their labels, as exactly as they are given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reverie.domain.outcomes import Proof
from reverie.outcomes.checks.looking import Fault, Looking, Subject, Unchecked
from reverie.outcomes.checks.specs import in_cell
from reverie.outcomes.documents.reading import Cell

__all__ = ["Cells", "disagreeing"]

_NUMBER: Final = re.compile(
    r"(?<![\w.,])(?P<open>\()?(?P<sign>[-−–+])?\s?(?P<money>[$€£¥]|USD |EUR |GBP )?\s?(?P<minus>[-−])?"
    r"(?P<digits>\d{1,3}(?:[,\u00a0\u202f' ]\d{3})+(?:\.\d+)?|\d{1,15}(?:\.\d{1,12})?)(?![\d])"
    r"\s?(?P<scale>%|percent\b|thousand\b|million\b|billion\b|trillion\b|[kK]\b|[mM]n?\b|bn\b|[bB]\b)?(?P<close>\))?"
)
_SCALES: Final = {
    "thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "mn": 1e6, "billion": 1e9, "bn": 1e9, "b": 1e9,
    "trillion": 1e12,
}  # fmt: skip
_MOST_ROUNDED: Final = 0.05
"""Of a value: so much may rounding change it at most ("1 million" does not state 1,234,567)."""
_WINDOW: Final = 200


@dataclass(frozen=True, slots=True)
class _Stated:
    """A number in text; ``half`` is half of its last digit, ``percent`` whether it is told in hundredths."""

    text: str
    value: float
    half: float
    percent: bool

    def states(self, value: float) -> bool:
        return self._near(value) or (self.percent and self._near(value * 100))

    def _near(self, value: float) -> bool:
        tiny = abs(value) * 1e-9
        return abs(self.value - value) <= min(self.half * 1.0001, abs(value) * _MOST_ROUNDED) + tiny


class Cells:
    """Numbers in the sheets of a work."""

    def __init__(self, looking: Looking) -> None:
        self._looking = looking

    def number(self, reference: str) -> float:
        """The number in a cell, ``figures.xlsx!Sheet1!B4``.

        Raises:
            Unchecked: there is no such file or cell, or no number in it.
        """
        file, sheet, cell = in_cell(reference) or ("", "", "")
        if file not in self._looking.paths():
            raise Unchecked(f"there is no `{file}` to take numbers from", f"deliver `{file}`")
        cells = self._looking.subject(file).reading.facts.cells
        value = cells.get(f"{sheet}!{cell}", Cell(None)).value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if value is None and cells.get(f"{sheet}!{cell}", Cell(None)).formula:
            told = "holds a formula that was saved without its value"
        else:
            told = "holds no number"
        raise Unchecked(f"`{reference}` {told}", f"put the number into `{reference}`, which {told}")


def disagreeing(subject: Subject, numbers: Mapping[str, str], cells: Cells) -> Iterator[Fault]:
    """Labels that are missing, or have another number beside them than their cell. A number is beside a label
    where it is the next one behind it in its line, else the next before it, else the first in the line below.

    Raises:
        Unchecked: a cell's number cannot be had.
    """
    for label, reference in numbers.items():
        value = cells.number(reference)
        stated = list(_beside(subject, label))
        if not stated:
            told = f"{subject.name} must state “{label}” with its number, {value:,} (`{reference}`)"
            yield Fault(told, Proof(subject.file))
        for number, proof in stated:
            if not number.states(value):
                told = f"“{label}” in {subject.name} is {value:,} (`{reference}`), not {number.text}"
                yield Fault(told, proof)


def _beside(subject: Subject, label: str) -> Iterator[tuple[_Stated, Proof]]:
    expression = re.compile(r"(?i)(?<!\w)" + r"\s+".join(map(re.escape, label.split())) + r"(?!\w)")
    lines = subject.reading.lines
    for number, line in enumerate(lines):
        for found in expression.finditer(line.text):
            below = lines[number + 1].text if number + 1 < len(lines) else ""
            before, behind = line.text[: found.start()], line.text[found.end() :]
            stated = _first(behind) or _last(before) or _first(below if not behind.strip(" :\t|") else "")
            if stated is not None:
                yield stated, subject.of(line)


def _first(text: str) -> _Stated | None:
    found = _NUMBER.search(text[:_WINDOW])
    return None if found is None else _stated(found)


def _last(text: str) -> _Stated | None:
    every = list(_NUMBER.finditer(text[-_WINDOW:]))
    return _stated(every[-1]) if every else None


def _stated(found: re.Match[str]) -> _Stated:
    digits = re.sub(r"[,\u00a0\u202f' ]", "", found["digits"])
    scale = (found["scale"] or "").lower()
    times = _SCALES.get(scale, 1.0)
    half = 0.5 * 10.0 ** -len(digits.partition(".")[2]) * times
    bracketed = found["open"] is not None and found["close"] is not None and scale not in ("%", "percent")
    negative = (
        ((found["sign"] or "") in "-−–" and found["sign"]) or found["minus"] or (bracketed and found["money"])
    )
    value = float(digits) * times * (-1 if negative else 1)
    return _Stated(found[0].strip(), value, half, scale in ("%", "percent"))
