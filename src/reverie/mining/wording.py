"""Words of people: splitting into sentences of their own voice, and comparing wordings.

A message may carry a log, a diff, a plan or somebody else's review; only short sentences outside of
such matter are taken for the person's own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from reverie.mining.vocabulary import vocabulary

__all__ = ["Sentence", "is_machine_text", "sentences", "signature", "stem", "words_of"]

MAX_SENTENCE: Final = 300
LONG_MESSAGE: Final = 1_200
MANY_LINES: Final = 16

_MACHINE = re.compile(
    r"\s*(?:<[a-zA-Z][\w-]*[ >]|Operation stopped by hook|Caveat: |\[Request interrupted|This session is being continued"
    r"|# AGENTS\.md|Base directory for this skill|The user wants to clarify these questions|\[Image: |Stop hook feedback"
    r"|Unknown (?:skill|slash command)|API Error|Your task is to create a detailed summary)"
)
_FENCE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)
_LINE = re.compile(r"[^\n]+")
_BULLET = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+")
_NOT_PROSE = re.compile(
    r"\s*(?:>|❯|\$ |\+|-{2,}|={2,}|#{1,6} |\||\d+\s*[+|-]|@@|\t|at \w+[.(]|File \"|//|/\*|</?\w)|.*(?::=|=>|\{$|\};?$|\);$|;$|[├└│])"
)
_STOP = re.compile(
    r"(?<=[.!?…])[\"')]*\s+|\s+[-–—]\s+|;\s+|,\s+(?=(?:can|could|let'?s|please|but|so|then|and then)\s+\w)"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_'’-]*(?:[.:/][A-Za-z0-9_-]+)*|\d+")
_STOPWORDS: Final = vocabulary(
    """
    a an the this that these those it its it's i i'm i'd i'll i've we we're we've you you're
    your my our me us he she they them their can could would will shall may might please pls let
    let's lets to of in on at for from by with as into and or but so if then than is are was
    were be been being am have has had do does did doing done just now also too again some any
    all each more most very really quite what why how when where which who there here about up
    out yes yeah yep ok okay hi hello hey thanks thank sorry oh hmm um umm well sure great good
    right like want wants need needs see look take get got go going make sure way thing things
    something one two
    """
)
_NEGATIONS: Final = vocabulary(
    """
    not no never don't dont don’t doesn't didn't isn't aren't wasn't shouldn't won't can't
    cannot without avoid stop nope
    """
)
_IRREGULAR: Final = {"failure": "fail", "failures": "fail", "broken": "break", "broke": "break", "ran": "run", "using": "use",
                     "used": "use", "uses": "use", "wrote": "write", "written": "write"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sentence:
    """``text`` is ``part[start:end]``: one sentence in the person's own voice."""

    start: int
    end: int
    text: str


def is_machine_text(text: str) -> bool:
    """Whether a "user" text was written by a program (a harness, a hook), whatever its role says."""
    return bool(_MACHINE.match(text))


def sentences(text: str) -> Iterator[Sentence]:
    """The sentences of a message that are its author's own words, in order.

    Of a long message (a pasted plan, log or review) only the first paragraph and the last line count.
    """
    blank = _FENCE.sub(lambda m: " " * len(m.group()), text) if "```" in text or "~~~" in text else text
    lines = [m for m in _LINE.finditer(blank) if m.group().strip()]
    if len(text) > LONG_MESSAGE or len(lines) > MANY_LINES:
        lines = _own(blank, lines)
    for line in lines:
        if not _NOT_PROSE.match(line.group()):
            yield from _split(blank, line.start(), line.end())


def _own(text: str, lines: list[re.Match[str]]) -> list[re.Match[str]]:
    """The frame around pasted matter: what stands before the first blank line, and a short last line."""
    if not lines:
        return []
    gap = text.find("\n\n", lines[0].start())
    head = [m for m in lines[:3] if gap < 0 or m.start() < gap]
    return [m for m in (*head, *lines[-1:]) if len(m.group()) <= MAX_SENTENCE]


def _split(text: str, start: int, end: int) -> Iterator[Sentence]:
    bullet = _BULLET.match(text, start, end)
    at = bullet.end() if bullet else start
    for stop in (*_STOP.finditer(text, at, end), None):
        to = stop.start() if stop else end
        raw = text[at:to]
        lead = len(raw) - len(raw.lstrip())
        clean = raw.strip()
        if clean and len(clean) <= MAX_SENTENCE and any(c.isalpha() for c in clean):
            yield Sentence(at + lead, at + lead + len(clean), clean)
        at = stop.end() if stop else end


def words_of(text: str) -> list[str]:
    """The words of a text, as written."""
    return [m.group() for m in _WORD.finditer(text)]


def signature(text: str) -> str:
    """The wording, normalised: stemmed content words in order, negations as ``not``; for near-duplicates."""
    found: list[str] = []
    for word in words_of(text):
        lower = word.lower().replace("’", "'")
        if lower in _NEGATIONS:
            found.append("not")
        elif lower not in _STOPWORDS:
            found.append(stem(lower))
    return " ".join(found)


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """A light stemmer for comparing wordings (after Porter 1980, step 1 and little more)."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 3 or not word.isalpha():
        return word
    for ending, instead in (
        ("ations", "at"),
        ("ation", "at"),
        ("ies", "y"),
        ("ing", ""),
        ("ed", ""),
        ("es", ""),
        ("s", ""),
        ("e", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) + len(instead) >= 3:
            if ending == "s" and word.endswith(("ss", "us", "is")):
                continue
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word
