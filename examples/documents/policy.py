"""The models of the example that are programs: ``drafter``, competent and careless, and ``grader``.

The drafter knows what stands in its context: the brief (by its number, since a program cannot read), and what it was told
afterwards. Which gaps it leaves, which demands it answers badly and what it breaks is drawn from the brief's number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from examples.documents.briefs import make
from examples.documents.drafts import OFTEN, Draft, make_draft
from examples.documents.reader import judge as grader
from reverie.domain.messages import ModelRequest, Text, ToolCall, ToolResult, UserTurn

__all__ = ["SATISFIED", "Gaps", "drafter", "gaps_after", "grader", "planted"]

SATISFIED: Final = "I am satisfied with it."
"""What the drafter says of its own work where it finds nothing (more) to mend."""

_SEES: Final = 0.5  # of its own gaps it finds so many, when it looks for them
_STUBBORN: Final = 0.2  # of the demands it answers badly at first
_BREAKS: Final = 0.25  # of the times that it mends something, it breaks something else
_BRIEF: Final = re.compile(r"\bbrief (\d+)\b", re.IGNORECASE)
_SELF: Final = re.compile(r"\Alook over what you handed over", re.IGNORECASE)
_DEMAND: Final = re.compile(r"^- .*? \((?:partially met|not met)\): (.*)$", re.MULTILINE)
_UNDERSTANDS: Final = {
    "order": r"heading|section",
    "missing": r"Assumptions",
    "unresolved": r"\[9\]",
    "uncited": r"\[7\]",
    "font": r"in place of Comic",
    "small": r"at least 9 pt",
    "long": r"at most 4,000 words",
    "number": r"“Saving a year” in `?report",
    "untitled": r"give slide \d+ of .* a title",
    "wordy": r"at most 60 words",
    "deck-number": r"in `?deck\.pptx`? is",
    "untold": r"which option is recommended",
    "costless": r"first year",
    "unreasoned": r"why .* is rejected",
    "unowned": r"owns R\d",
    "unowned-vaguely": r"owns R\d",
    "undated": r"when S\d",
    "unsourced": r"Cite the source of",
    "misattributed": r"bears? out",
    "contradiction": r"deck's conclusion",
    "term": r"stands? for",
    "title": r"title in the properties",
    "manifest": r"MANIFEST",
}
_BROKEN_BY: Final = {
    "order": "missing", "missing": "order", "unresolved": "unsourced", "uncited": "misattributed", "long": "costless",
    "number": "deck-number", "untitled": "wordy", "wordy": "untitled", "deck-number": "contradiction",
    "untold": "costless", "costless": "untold", "unreasoned": "long", "unowned": "undated", "undated": "unowned",
    "unsourced": "misattributed", "misattributed": "unsourced", "contradiction": "untitled",
}  # fmt: skip
_MANIFEST: Final = (
    "cd /mnt/session/outputs && sha256sum report.docx deck.pptx figures.xlsx sources.md > MANIFEST.txt"
)


@dataclass(frozen=True, slots=True)
class Gaps:
    """What is wrong with a draft, and what its writer did about it so far."""

    open: frozenset[str]
    tried: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()


def planted(number: int) -> Gaps:
    """The gaps of the first draft: four to seven."""
    dice = random.Random(f"gaps {number}")  # noqa: S311
    return Gaps(frozenset(dice.sample(OFTEN, dice.randint(4, 7))))


def gaps_after(number: int, told: Sequence[str]) -> Gaps:
    """The gaps after the drafter was told these things, one after the other."""
    gaps = planted(number)
    for text in told:
        gaps = _mended(number, gaps, _noticed(number, gaps.open, text))
    return gaps


def _noticed(number: int, open_: frozenset[str], text: str) -> list[str]:
    """What is to be mended: what is demanded and understood; where it looks by itself, what it is not blind to."""
    if _SELF.match(text):
        return [kind for kind in sorted(open_) if _chance(number, "sees", kind) < _SEES]
    demands = "\n".join(_DEMAND.findall(text))
    return [kind for kind in sorted(open_) if re.search(_UNDERSTANDS[kind], demands)]


def _mended(number: int, gaps: Gaps, kinds: Sequence[str]) -> Gaps:
    open_, tried, broken = set(gaps.open), set(gaps.tried), set(gaps.broken)
    for kind in kinds:
        if kind not in tried and _chance(number, "stubborn", kind) < _STUBBORN:
            tried.add(kind)
            if kind == "unowned":
                open_ = open_ - {kind} | {"unowned-vaguely"}
            continue
        open_.discard(kind)
        other = _BROKEN_BY.get(kind)
        if other and other not in broken | gaps.open and _chance(number, "breaks", kind) < _BREAKS:
            broken.add(other)
            open_.add(other)
    return Gaps(frozenset(open_), frozenset(tried), frozenset(broken))


def _chance(number: int, *what: str) -> float:
    return random.Random(f"{number} {what}").random()  # noqa: S311


def drafter(request: ModelRequest) -> Any:
    """The writer: reads the brief, writes both files, hands them over; later mends what it is told to."""
    told, results = _context(request)
    number = int((_BRIEF.search(told[0]) or ["", "0"])[1])
    now = gaps_after(number, told[1:]).open
    before = gaps_after(number, told[1:-1]).open if len(told) > 1 else None
    steps = list(_first(number, now) if before is None else _later(number, before, now))
    if results < len(steps):
        name, arguments = steps[results]
        return ToolCall(f"call-{len(request.messages)}", name, arguments)
    if before is None:
        return "Report and deck are handed over."
    return "What was asked for is mended." if steps or not _SELF.match(told[-1]) else SATISFIED


def _context(request: ModelRequest) -> tuple[list[str], int]:
    """What was said to it; how many of its calls were answered since it was last told something."""
    told: list[str] = []
    results = 0
    for message in request.messages:
        for part in message.parts if isinstance(message, UserTurn) else ():
            if isinstance(part, Text):
                told.append(part.text)
                results = 0
            elif isinstance(part, ToolResult):
                results += 1
    return told, results


_Step = tuple[str, dict[str, Any]]


def _first(number: int, open_: frozenset[str]) -> Iterator[_Step]:
    draft = make_draft(make(number), open_)
    yield "read_brief", {}
    yield _report(draft)
    yield _deck(draft)
    yield "hand_over", {}
    yield "bash", {"command": _MANIFEST}
    if "manifest" in open_:
        yield _deck(draft)  # saved once more, after the manifest


def _later(number: int, before: frozenset[str], now: frozenset[str]) -> Iterator[_Step]:
    """Writes what has changed, and only that."""
    old, new = (make_draft(make(number), gaps) for gaps in (before, now))
    if _report(old) != _report(new):
        yield _report(new)
    if _deck(old) != _deck(new):
        yield _deck(new)
    if before != now and "manifest" not in now:
        yield "bash", {"command": _MANIFEST}


def _report(draft: Draft) -> _Step:
    return "write_report", {
        "title": draft.title,
        "sections": draft.sections,
        "note": draft.note,
        "font": draft.font,
        "note_pt": draft.note_pt,
    }


def _deck(draft: Draft) -> _Step:
    return "write_deck", {"title": draft.slides[0]["title"], "slides": draft.slides}
