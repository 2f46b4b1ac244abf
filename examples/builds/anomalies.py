"""What is wrong in a failed build: the lines that the last passing build has not, that tell of a failure, and
that belong together; the first of them that names a cause is the cause, the rest follow from it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from examples.builds.logs import Change, Line, Log, Rarity, changes
from examples.builds.signs import Sign, continues, frame, level, sign

__all__ = ["Anomaly", "Span", "find", "spans"]

FARTHEST_FRAME: Final = 12
"""A message of an exception has at most so many lines between its first and the first frame of its trace."""

END: Final = 25
"""So many last lines are the end of a log: an error told there is strange if the passing log does not end with it,
even where it has it elsewhere (a build that runs failing builds as its tests does)."""

LONGEST: Final = 4_000
"""Lines of one unit: a trace of a stack that overflowed has more, and says nothing new in them."""


@dataclass(frozen=True, slots=True)
class Span:
    """Lines from ``first`` to ``last``, both counted from 1 and both within."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Lines that belong together and tell of a failure. ``head`` is the line that says most; ``part`` is
    ``cause`` for the one the others follow from."""

    spans: Sequence[Span]
    cause: str
    part: Literal["cause", "effect"]
    score: float
    head: str
    template: str


@dataclass(slots=True)
class _Block:
    lines: list[int]  # indices, rising
    best: int
    sign: Sign


class _Reading:
    """A log, what became of each of its lines, and what each says."""

    def __init__(self, log: Log, passing: Log | None, rarity: Rarity) -> None:
        self.lines = log.lines
        self.compared = passing is not None
        self.changes: list[Change] = (
            changes(log, passing)
            if passing
            else ["moved" if rarity.having(line.template) else "new" for line in log.lines]
        )
        self.rarity = rarity
        self._end = max(0, len(log) - END)
        self._ends_with = {line.template for line in passing.lines[-2 * END :]} if passing else set[str]()

    def says(self, i: int) -> Sign:
        """What a line says by its words. Most lines are never asked."""
        return sign(self.lines[i].text)

    def strange(self, i: int) -> bool:
        """Whether the passing log has no such line; of an error at the very end, not at its end."""
        if self.changes[i] in {"new", "more"}:
            return True
        if i < self._end:
            return False
        line = self.lines[i]
        told = self.says(i).role == "effect" or level(line.text)
        return bool(told) and line.template not in self._ends_with

    def seed(self, i: int) -> bool:
        return self.strange(i) and self.says(i).role in {"root", "effect"}


def find(log: Log, passing: Log | None, rarity: Rarity) -> list[Anomaly]:
    """The anomalies of a failed build, the cause first, then as they follow each other in the log.

    Args:
        log: The failed build's.
        passing: The last passing build's; without one what no passing log has counts as new, and only lines
            that say so themselves belong to the failure.
        rarity: How many passing logs have each template.
    """
    reading = _Reading(log, passing, rarity)
    blocks = [block for stream in _streams(log.lines) for block in _joined(reading, _grown(reading, stream))]
    if not blocks:
        return []
    told = sorted(blocks, key=lambda block: block.lines[0])
    cause = max(told, key=_weight)  # of equals the first: what comes later follows from it
    rest = [block for block in told if block is not cause]
    return [_anomaly(reading, cause, "cause"), *(_anomaly(reading, block, "effect") for block in rest)]


def spans(numbers: Iterable[int]) -> list[Span]:
    """Numbers of lines as stretches."""
    found: list[Span] = []
    for number in sorted(set(numbers)):
        if found and found[-1].last == number - 1:
            found[-1] = Span(found[-1].first, number)
        else:
            found.append(Span(number, number))
    return found


def _streams(lines: Sequence[Line]) -> Iterator[list[int]]:
    """Indices of the lines of each stream, so that what was interleaved stands together."""
    found: dict[str, list[int]] = defaultdict(list)
    for i, line in enumerate(lines):
        found[line.stream].append(i)
    yield from found.values()


# ------------------------------------------------------------------ what belongs together


def _grown(reading: _Reading, stream: Sequence[int]) -> Iterator[_Block]:
    """A block from each seed that is in no block yet."""
    at = 0
    while at < len(stream):
        if not reading.seed(stream[at]):
            at += 1
            continue
        first, last = _back(reading, stream, at), _forth(reading, stream, at)
        lines = [stream[k] for k in range(first, last + 1)]
        while len(lines) > 1 and not re.search(r"\w", reading.lines[lines[-1]].text):
            lines.pop()
        best = max(lines, key=lambda i: (reading.strange(i), reading.says(i).strength, -i))
        yield _Block(lines, _head(reading, lines, best), _said(reading, lines, best))
        at = last + 1


def _said(reading: _Reading, lines: Sequence[int], best: int) -> Sign:
    """What a block says: its best line, with the first particular cause that any line tells if that tells none."""
    said = reading.says(best)
    if said.cause != "failure":
        return said
    causes = (reading.says(i).cause for i in lines if reading.strange(i))
    return replace(said, cause=next((cause for cause in causes if cause != "failure"), "failure"))


def _head(reading: _Reading, lines: Sequence[int], best: int) -> int:
    """The line that stands for a block: the first that tells of a failure and does not go on with another."""
    told = (
        i
        for i in lines
        if reading.strange(i)
        and reading.says(i).role in {"root", "effect"}
        and not continues(reading.lines[i].text)
    )
    return next(told, best)


def _back(reading: _Reading, stream: Sequence[int], at: int) -> int:
    """The first place of a block: before the seed stand lines with the same mark of an error, and such as
    belong to what comes after them (what a test printed, the package that does not compile)."""
    mark = level(reading.lines[stream[at]].text)
    while at:
        i = stream[at - 1]
        text = reading.lines[i].text
        alike = bool(mark) and level(text) == mark and reading.changes[i] != "same"
        leads = reading.changes[i] == "new" and reading.says(i).role in {"root", "none"} and _leads(text)
        if not (alike or leads):
            break
        at -= 1
    return at


def _leads(text: str) -> bool:
    return (text[:1] in " \t" and bool(text.strip())) or text.startswith("# ")


def _forth(reading: _Reading, stream: Sequence[int], at: int) -> int:
    """The last place of a block."""
    mark = level(reading.lines[stream[at]].text)
    last = at
    while last + 1 < len(stream) and last - at < LONGEST:
        reach = _reach(reading, stream, last, mark)
        if reach == last:
            break
        last = reach
    return last


def _reach(reading: _Reading, stream: Sequence[int], last: int, mark: str) -> int:
    """How far the next line that belongs to a block is, or ``last``."""
    following = stream[last + 1 : last + 1 + FARTHEST_FRAME]
    blanks = 0
    for i in following:
        if not reading.lines[i].blank:
            break
        blanks += 1
    if blanks == len(following) or blanks > 1:
        return last
    i = following[blanks]
    text, said = reading.lines[i].text, reading.says(i)
    if (mark and level(text) == mark and not blanks) or frame(text):
        return last + blanks + 1
    if (
        said.role == "summary"
        and not blanks
        and reading.strange(i)
        and not _marked(text)
        and level(reading.lines[stream[last]].text)
    ):
        return last + 1
    if said.role in {"summary", "advice", "noise"} or reading.changes[i] == "same":
        return last
    told = said.role in {"root", "effect"}
    follows = reading.compared and not (blanks or _marked(text))
    if continues(text) or (reading.strange(i) and (told or follows)):
        return last + blanks + 1
    frames = [k for k, j in enumerate(following) if frame(reading.lines[j].text)]
    return last + frames[0] + 1 if frames else last


def _marked(text: str) -> bool:
    """Whether a line says of itself that it is no error."""
    return text.lstrip().startswith(("[INFO]", "[DEBUG]", "INFO", "[main] INFO", "##[", "> Task", "+ ", "$ "))


def _joined(reading: _Reading, blocks: Iterable[_Block]) -> list[_Block]:
    """Blocks with nothing but a blank line between them are one."""
    found: list[_Block] = []
    for block in blocks:
        if found and _near(reading, found[-1].lines[-1], block.lines[0]):
            before = found[-1]
            before.lines += [*range(before.lines[-1] + 1, block.lines[0]), *block.lines]
            if block.sign.strength > before.sign.strength:
                before.best, before.sign = block.best, block.sign
        else:
            found.append(block)
    return found


def _near(reading: _Reading, last: int, first: int) -> bool:
    return first - last <= 2 and all(reading.lines[i].blank for i in range(last + 1, first))


# ------------------------------------------------------------------ what matters


def _weight(block: _Block) -> float:
    return {"root": 2.0, "effect": 1.0}.get(block.sign.role, 0.0) + block.sign.strength


def _anomaly(reading: _Reading, block: _Block, part: Literal["cause", "effect"]) -> Anomaly:
    head = reading.lines[block.best]
    return Anomaly(
        spans(reading.lines[i].number for i in block.lines),
        block.sign.cause,
        part,
        _weight(block) + reading.rarity.of(head.template),
        head.text.strip(),
        head.template,
    )
