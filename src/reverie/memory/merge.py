"""Comparing and merging texts: the three-way merge that approval rests on, and the diff that people read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Final, Literal

__all__ = [
    "Choice",
    "Chunk",
    "Merge",
    "chunked",
    "composed",
    "conflicting",
    "has_conflict_markers",
    "mergeable",
    "three_way",
    "unified",
]

Choice = Literal["memory", "proposal", "both", "base"]
"""How a conflict is settled: what one side says, both (memory's first), or what stood there before."""

_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_MERGING: Final = 2_000_000  # pairs of equal lines: a merge that would look at more takes too long
_OPEN, _MIDDLE, _CLOSE = "<<<<<<< memory\n", "=======\n", ">>>>>>> proposal\n"


@dataclass(frozen=True, slots=True)
class Merge:
    """``text`` holds both changes when ``clean``; otherwise the overlaps stand between conflict markers,
    first as the memory has them, then as the proposal has them."""

    text: str
    clean: bool


def three_way(base: str, memory: str, proposal: str) -> Merge:
    """Merges what ``memory`` and ``proposal`` each changed since ``base``, line by line: diff3, as in
    Khanna, Kunal and Pierce, "A Formal Investigation of Diff3" (FSTTCS 2007).

    Changes to the same or to adjoining lines conflict, unless they are equal. Whether the last line ends
    in a newline is merged as a fact of its own.
    """
    if memory in (base, proposal):
        return Merge(proposal, clean=True)
    if proposal == base:
        return Merge(memory, clean=True)
    out: list[str] = []
    clean = True
    for was, now, wanted in _chunks(_lines(_end(base)), _lines(_end(memory)), _lines(_end(proposal))):
        if now in (was, wanted):
            out += wanted
        elif wanted == was:
            out += now
        else:
            clean = False
            out.append(conflicting("".join(now), "".join(wanted)))
    text = "".join(out)
    return Merge(text if not clean or _ends(base, memory, proposal) else text.removesuffix("\n"), clean)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of three texts. ``kind``: all are the same, one side or both (alike) changed it, or both
    changed it and not alike."""

    kind: Literal["same", "memory", "proposal", "alike", "conflict"]
    base: str
    memory: str
    proposal: str


def chunked(base: str | None, memory: str | None, proposal: str | None) -> list[Chunk]:
    """The stretches that ``three_way`` merges, for a person to settle. None: there is no such text; where one
    is missing, the whole is one conflict unless the sides agree."""
    if base is None or memory is None or proposal is None:
        texts = (base or "", memory or "", proposal or "")
        return [Chunk("alike" if memory == proposal else "conflict", *map(_end, texts))]
    parts = _chunks(_lines(_end(base)), _lines(_end(memory)), _lines(_end(proposal)))
    return [_chunk(*("".join(side) for side in part)) for part in parts if any(part)]


def _chunk(base: str, memory: str, proposal: str) -> Chunk:
    if memory == proposal:
        return Chunk("same" if memory == base else "alike", base, memory, proposal)
    if memory == base:
        return Chunk("proposal", base, memory, proposal)
    return Chunk("memory" if proposal == base else "conflict", base, memory, proposal)


def composed(chunks: Sequence[Chunk], choices: Sequence[Choice | None]) -> str:
    """The text that the chunks make. ``choices`` settle the conflicts in their order; one without a choice
    stands between markers."""
    asked = iter(choices)
    return "".join(
        _settled(each, next(asked, None)) if each.kind == "conflict" else _taken(each) for each in chunks
    )


def _taken(chunk: Chunk) -> str:
    return chunk.memory if chunk.kind == "memory" else chunk.proposal


def _settled(chunk: Chunk, choice: Choice | None) -> str:
    sides = {
        "memory": chunk.memory,
        "proposal": chunk.proposal,
        "both": chunk.memory + chunk.proposal,
        "base": chunk.base,
    }
    return conflicting(chunk.memory, chunk.proposal) if choice is None else sides[choice]


def mergeable(base: str, ours: str, theirs: str) -> bool:
    """Whether ``three_way`` ends soon: a comparison looks, at worst, at every pair of equal lines."""
    return _pairs(base, ours) + _pairs(base, theirs) <= _MERGING


def _pairs(old: str, new: str) -> int:
    times = Counter(old.split("\n"))
    return sum(times[line] * count for line, count in Counter(new.split("\n")).items())


_Lines = Sequence[str]


def _chunks(base: _Lines, memory: _Lines, proposal: _Lines) -> Iterator[tuple[_Lines, _Lines, _Lines]]:
    """The three texts cut at the stretches that all three share: those, and what stands between them."""
    b = m = p = 0
    for in_base, in_memory, in_proposal, length in _shared(base, memory, proposal):
        yield base[b:in_base], memory[m:in_memory], proposal[p:in_proposal]
        b, m, p = in_base + length, in_memory + length, in_proposal + length
        yield base[in_base:b], memory[in_memory:m], proposal[in_proposal:p]
    yield base[b:], memory[m:], proposal[p:]


def _shared(base: _Lines, memory: _Lines, proposal: _Lines) -> Iterator[tuple[int, int, int, int]]:
    """(start in base, in memory, in proposal, length) of every stretch that both sides left alone."""
    ours, theirs = _kept(base, memory), _kept(base, proposal)
    i = j = 0
    while i < len(ours) and j < len(theirs):
        (b1, m, n1), (b2, p, n2) = ours[i], theirs[j]
        start, end = max(b1, b2), min(b1 + n1, b2 + n2)
        if start < end:
            yield start, m + start - b1, p + start - b2, end - start
        if b1 + n1 < b2 + n2:
            i += 1
        else:
            j += 1


def _kept(base: _Lines, side: _Lines) -> list[tuple[int, int, int]]:
    blocks = SequenceMatcher(None, base, side, autojunk=False).get_matching_blocks()
    return [(block.a, block.b, block.size) for block in blocks]


def conflicting(memory: str, proposal: str) -> str:
    """The two sides of a conflict between markers."""
    return "".join((_OPEN, _end(memory), _MIDDLE, _end(proposal), _CLOSE))


def has_conflict_markers(text: str) -> bool:
    """Whether the markers that ``three_way`` writes are still in a text someone edited."""
    return any(line + "\n" in (_OPEN, _CLOSE) for line in text.replace("\r\n", "\n").split("\n"))


def unified(old: str | None, new: str | None, *, old_name: str, new_name: str) -> str:
    """The unified diff of two texts, as ``diff -u`` writes it; empty when they are equal.

    None stands for "there is no such text" and is shown as ``/dev/null``.
    """
    before, after = _lines(old or ""), _lines(new or "")
    names = ("/dev/null" if old is None else old_name, "/dev/null" if new is None else new_name)
    return "".join(_marked(unified_diff(before, after, *names)))


def _marked(diff: Iterator[str]) -> Iterator[str]:
    for line in diff:
        yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """Lines with their ends, parted at ``\\n`` alone: a form feed or U+2028 does not end a line here."""
    return _LINE.findall(text)


def _end(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _ends(base: str, memory: str, proposal: str) -> bool:
    """Three-way over "ends in a newline": whoever changed it decides."""
    was, now, wanted = (text.endswith("\n") for text in (base, memory, proposal))
    return wanted if now == was else now
