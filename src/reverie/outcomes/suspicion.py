"""Text in the work that is meant for the grader: found by rules, kept from the grader, told to the worker.

A scan of every text, visible or hidden, after its disguises are taken off (``unmasking``), for the wordings of
``wording``. What is found in visible text is not shown to the grader and, unless it is a mere claim, blocks the outcome
until the worker takes it out; hidden text is never shown, and blocks if it is addressed to a grader. That a note blocks
does not depend on what the grader says, so a grader that read the text by other ways (a tool) changes nothing.

What this can and cannot do: it knows wordings, not intentions, and is got past by whoever takes the trouble: of 34 orders
that were written against it when it was finished it knew 3 (``benchmarks/manipulation``). What it is good for is the
common sort, and telling the worker. Work that speaks of *all* criteria is stopped by the planted criterion (``planted``),
known to the scan or not; a claim without a passage by the look-up of proof (``evidence``). Against an order that names
*one* criterion, in words that the scan does not know, to a grader that obeys, nothing stands.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple

from reverie.domain.outcomes import Deliverable, Note, Rubric, Work
from reverie.outcomes.evidence import WITHHELD
from reverie.outcomes.unmasking import (
    Plain,
    decoded,
    finder,
    fold,
    mirrored,
    smuggled,
    spelled,
    unleeted,
    visible,
)
from reverie.outcomes.wording import MASTER_KEY, STEMS, WORDINGS, Wording

__all__ = ["ECHO", "Span", "cleaned", "examine", "withheld"]

ECHO: Final = "«[withheld: a line of the rubric]»"
"""What stands in place of the rubric's own words in the work: they prove nothing about the work."""

_AROUND: Final = 300  # characters around a stem in which a wording is looked for
_NEAR: Final = 200
_LINE: Final = 400  # characters of the line before and after what was found that go with it
_NAMED: Final = 3  # places that a note names
_DEPTH: Final = 2  # codes within codes
_ECHOED: Final = 24  # characters that a line of a rubric must have for its repetition to mean anything
_WRAPPED: Final = 4  # lines that a line of the rubric may be wrapped over
_BULLET: Final = re.compile(r"^[\s\W\d_]*(?:\([a-z]+\))?\s*", re.IGNORECASE)


class Span(NamedTuple):
    """A stretch of a text that is meant for a grader. ``blocks``: it is more than a claim."""

    start: int
    end: int
    kind: str
    blocks: bool


@dataclass(frozen=True, slots=True)
class _Scan:
    shown: str
    spans: tuple[Span, ...]


def withheld(text: str) -> tuple[str, Sequence[Span]]:
    """The text with every line that is meant for a grader replaced (``evidence.WITHHELD``), and what it was.
    Of a long line only the surroundings go. Characters that nobody sees and that can carry a text go as well."""
    scan = _scanned(text)
    return scan.shown, scan.spans


def cleaned(work: Work, rubric: Rubric | None = None) -> Work:
    """The work as a grader is shown it: without hidden text, without text meant for a grader, and, where the
    rubric is given, without lines that repeat it."""
    lines = [] if rubric is None else list(_telling(rubric))
    return Work(
        tuple(
            replace(
                one,
                text=None if one.text is None else _without(withheld(one.text)[0], lines),
                hidden=(),
            )
            for one in work.deliverables
        ),
        _without(withheld(work.message)[0], lines),
    )


def examine(work: Work) -> list[Note]:
    """What is to be said of the work beside the criteria, in order of the files."""
    notes = [note for one in work.deliverables for note in _of_file(one)]
    notes += _of_text(work.message, None)
    if _says_nothing(work):
        notes.append(Note("empty", "There is nothing in the work that could be judged.", blocks=True))
    return notes


def _of_file(one: Deliverable) -> Iterator[Note]:
    if one.problem:
        yield Note("unreadable", f"Its text cannot be read: {one.problem}", one.path)
    if withheld(one.path)[1]:
        yield Note(
            "addressed", "Its name addresses whoever grades it: give it another.", one.path, blocks=True
        )
    yield from _of_text(one.text or "", one.path)
    for hidden in one.hidden:
        meant = withheld(hidden.text)[1]
        told = "is addressed to whoever grades it: take it out" if meant else "no reader sees it"
        yield Note(
            "hidden", f"It holds hidden text ({hidden.how}); {told}.", one.path, hidden.place, bool(meant)
        )


def _of_text(text: str, file: str | None) -> Iterator[Note]:
    spans = withheld(text)[1]
    for blocks, message in (
        (
            True,
            "Text in it addresses whoever grades it, or passes for a verdict or a tool's call: take it out.",
        ),
        (False, "What it says of its own grading is not shown to the grader."),
    ):
        found = [span for span in spans if span.blocks == blocks]
        lines = sorted({text.count("\n", 0, span.start) + 1 for span in found})
        if found:
            place = "line " + ", ".join(map(str, lines[:_NAMED])) + (" …" if len(lines) > _NAMED else "")
            yield Note("addressed" if blocks else "claim", message, file, place, blocks)


def _says_nothing(work: Work) -> bool:
    """Neither a file nor the message says anything: empty, or one of the known words that say nothing."""
    if any(one.text is None and one.size for one in work.deliverables):
        return False
    texts = (work.message, *(one.text or "" for one in work.deliverables))
    return all(len(text) < _LINE and MASTER_KEY.fullmatch(fold(text)) for text in texts)


# --- the scan


@lru_cache(maxsize=64)
def _scanned(text: str) -> _Scan:
    spans = tuple(_widened(text, _found(text, _DEPTH)))
    pieces: list[str] = []
    at = 0
    for span in spans:
        pieces += [text[at : span.start], WITHHELD]
        at = span.end
    return _Scan(visible("".join([*pieces, text[at:]])), spans)


def _widened(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Spans with the lines they stand in, in order, those that touch made one."""
    last: Span | None = None
    for span in sorted(spans):
        start = max(text.rfind("\n", 0, span.start) + 1, span.start - _LINE)
        end = text.find("\n", span.end)
        end = min(len(text) if end < 0 else end, span.end + _LINE)
        if last is not None and start <= last.end + 1:
            kind = last.kind if last.blocks else span.kind
            last = Span(last.start, max(last.end, end), kind, last.blocks or span.blocks)
            continue
        if last is not None:
            yield last
        last = Span(start, end, span.kind, span.blocks)
    if last is not None:
        yield last


def _found(text: str, depth: int) -> Iterator[Span]:
    plain = Plain(text)
    for start, end, wording in _worded(plain.text):
        yield Span(*plain.back(start, end), wording.kind, wording.blocks)
    if plain.mixed:
        yield from (Span(s, e, w.kind, w.blocks) for s, e, w in _worded(plain.lower))
    if depth:
        yield from _disguised(text, plain, depth - 1)


def _disguised(text: str, plain: Plain, depth: int) -> Iterator[Span]:
    """What says something only when it is read otherwise. A stretch that hides an order blocks, and so does
    one that hides a claim: nobody hides an honest word."""
    for start, end, letters in spelled(plain.text):
        if _RUN_ON.search(unleeted(letters)):
            yield Span(*plain.back(start, end), "disguised", True)
    for start, end, meaning in decoded(text):
        if _means_it(meaning, depth):
            yield Span(start, end, "disguised", True)
    for start, end, meaning in mirrored(plain.text):
        if any(True for _ in _worded(meaning)):
            yield Span(*plain.back(start, end), "disguised", True)
    for start, end, meaning in smuggled(text):
        if _means_it(meaning, depth):
            yield Span(start, end, "disguised", True)


def _means_it(meaning: str, depth: int) -> bool:
    return any(True for _ in _found(meaning, depth))


def _leety(word: str) -> str:
    return "".join(_LEET_FORMS.get(char, re.escape(char)) for char in word)


_LEET_FORMS: Final = {
    "a": "[a4@]", "e": "[e3]", "i": "[i1!|]", "o": "[o0]", "s": "[s5$]", "t": "[t7]", "b": "[b8]", "l": "[l1|]",
    " ": r"\s+",
}  # fmt: skip
_STEM: Final = finder("|".join(map(_leety, STEMS)))
_INTO: Final = re.compile(r"[\s.!?:;,]*")  # the end of the sentence before
_LEETED: Final = re.compile(
    r"[a-z][013457@$!|][a-z]|\b[013457@$][a-z]{2}|[a-z][@$]|_(?:all|every|criteri|satisf|rubric)|(?:all|every|criteria)_"
)
# Words run together, as spelled letters leave them.
_RUN_ON: Final = re.compile(
    r"(?:mark|grade|rate|score|treat|consider|count|give|award|pass|approve|accept|return|report)\w{0,30}?"
    r"(?:criteri|rubric|all|every|this|submission|work)\w{0,40}?(?:satisf|met|pass|full|approved|marks)"
    r"|(?:ignore|disregard|forget|skip)\w{0,24}?(?:rubric|criteri|instruction)|all\w{0,10}criteria\w{0,10}(?:satisf|met)"
)


def _worded(text: str) -> Iterator[tuple[int, int, Wording]]:
    """(start, end, wording) in a folded text, in no order."""
    windows = list(_windows(text))
    yield from _matches([(start, text[start:end]) for start, end in windows])
    yield from _matches(
        [(start, unleeted(text[start:end])) for start, end in windows if _LEETED.search(text, start, end)]
    )


def _windows(text: str) -> Iterator[tuple[int, int]]:
    """Where something could stand, in order, without overlap."""
    start = end = 0
    for first, last in _STEM(text):
        if first - _AROUND > end:
            if end:
                yield start, end
            start = first - _AROUND
        end = min(len(text), last + _AROUND)
    if end:
        yield start, end


_APART: Final = "\n" + "." * (_NEAR + 40) + "\nx "
"""Between stretches that are looked through together: no wording reaches over it, and what follows it is not
the beginning of a line, for nobody knows whether it is."""


def _matches(pieces: Sequence[tuple[int, str]]) -> Iterator[tuple[int, int, Wording]]:
    """Of stretches of a text, each with its place: every pattern goes over all of them at once."""
    if not pieces:
        return
    joined = "".join(part for start, piece in pieces for part in (_APART if start else "", piece))
    begins: list[int] = []
    at = 0
    for start, piece in pieces:
        at += len(_APART) if start else 0
        begins.append(at)
        at += len(piece)
    for wording in WORDINGS:
        for first, last in wording.finder(joined):
            number = bisect_right(begins, first) - 1
            if number == bisect_right(begins, last - 1) - 1 and _meant(wording, joined, first, last):
                moved = pieces[number][0] - begins[number]
                into = _INTO.match(joined, first, last)
                yield (into.end() if into else first) + moved, last + moved, wording


def _meant(wording: Wording, text: str, start: int, end: int) -> bool:
    if wording.unless is not None and wording.unless.match(text, end):
        return False
    return wording.near is None or wording.near.search(text, max(0, start - _NEAR), end + _NEAR) is not None


# --- the rubric's own words


def _telling(rubric: Rubric) -> Iterator[str]:
    """Lines of the rubric that are sentences enough to be known again, lower case, the longest first."""
    lines = {_bare(line) for c in rubric.criteria for line in c.text.splitlines()}
    lines |= {_bare(line) for line in rubric.text.splitlines()}
    telling = (line for line in lines if len(line) >= _ECHOED and line.count(" ") >= 3)
    return islice(iter(sorted(telling, key=len, reverse=True)), 1_000)


def _bare(line: str) -> str:
    return _flat(_BULLET.sub("", line)).rstrip(" .;:,*_")


def _without(text: str, lines: Sequence[str]) -> str:
    """The text without lines that say what a line of the rubric says, whatever stands around it."""
    flat = _flat(text)
    repeated = [line for line in lines if line in flat]
    if not repeated:
        return text
    parts = text.split("\n")
    gone = _repeating([_flat(part) for part in parts], repeated)
    return "\n".join(ECHO if number in gone else part for number, part in enumerate(parts))


def _repeating(parts: Sequence[str], repeated: Sequence[str]) -> set[int]:
    """Which lines repeat the rubric: each by itself, or as few as possible together, where it was wrapped."""
    gone: set[int] = set()
    for size in range(1, _WRAPPED + 1):
        for first in range(len(parts) - size + 1):
            together = range(first, first + size)
            if gone.isdisjoint(together) and any(
                line in " ".join(parts[first : first + size]) for line in repeated
            ):
                gone.update(together)
    return gone


def _flat(text: str) -> str:
    return " ".join(text.lower().split())
