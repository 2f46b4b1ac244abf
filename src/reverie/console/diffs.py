"""What a change does to a text, line by line, for people: removed, added, kept, and the words that differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from reverie.console.text import cost

__all__ = ["Line", "Pair", "Piece", "compared", "paired"]

_CONTEXT = 3
_WORDY = 1_000  # characters: longer lines are not compared word by word
_MOST: Final = 120_000  # bytes of a change on a page
_FRAME: Final = 130  # bytes around a line


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line, and whether the other side has it differently."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number before and after the change, as far as it has one. ``skip``: lines left out that
    nobody changed; ``cut``: what no longer fits on a page."""

    kind: Literal["same", "removed", "added", "skip", "cut"]
    old: int | None
    new: int | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two lines side by side."""

    left: Line | None
    right: Line | None


def compared(before: str | None, after: str | None, most: int = _MOST) -> list[Line]:
    """The lines of a unified diff, three lines around each change; nothing where nothing changes. As many of
    them as take at most ``most`` bytes on a page."""
    lines = [line for block in _blocks(before, after) for line in block]
    shown = _fitting([(line,) for line in lines], most)
    return lines if shown == len(lines) else [*lines[:shown], _cut(len(lines) - shown)]


def paired(before: str | None, after: str | None, most: int = _MOST) -> list[Pair]:
    """The same lines, side by side."""
    found: list[Pair] = []
    for block in _blocks(before, after):
        removed = [line for line in block if line.kind == "removed"]
        added = [line for line in block if line.kind == "added"]
        if not removed and not added:
            found += [Pair(line, line) for line in block]
            continue
        for at in range(max(len(removed), len(added))):
            found.append(Pair(*(side[at] if at < len(side) else None for side in (removed, added))))
    shown = _fitting([(each.left, each.right) for each in found], most)
    if shown < len(found):
        cut = _cut(len(found) - shown)
        found[shown:] = [Pair(cut, cut)]
    return found


def _fitting(rows: Sequence[tuple[Line | None, ...]], most: int) -> int:
    """How many rows take at most ``most`` bytes on a page."""
    used = 0
    for at, row in enumerate(rows):
        used += sum(_FRAME + sum(cost(piece.text) for piece in line.pieces) for line in row if line)
        if used > most:
            return at
    return len(rows)


def _cut(lines: int) -> Line:
    return Line("cut", None, None, (Piece(f"{lines:,} more lines do not fit on this page"),))


def _blocks(before: str | None, after: str | None) -> Iterator[list[Line]]:
    """Runs of lines that stay, and of lines that change."""
    old, new = (before or "").splitlines(), (after or "").splitlines()
    ended = 0
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(_CONTEXT):
        if group[0][1] > ended:
            yield [Line("skip", None, None, (Piece(f"{group[0][1] - ended} lines as they were"),))]
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield [Line("same", i + 1, j1 + i - i1 + 1, (Piece(old[i]),)) for i in range(i1, i2)]
            else:
                yield _changed(old[i1:i2], new[j1:j2], i1, j1)
        ended = group[-1][2]


def _changed(old: Sequence[str], new: Sequence[str], first_old: int, first_new: int) -> list[Line]:
    left: list[tuple[Piece, ...]] = [(Piece(line),) for line in old]
    right: list[tuple[Piece, ...]] = [(Piece(line),) for line in new]
    for at in range(min(len(old), len(new))):
        left[at], right[at] = _words(old[at], new[at])
    return [
        *(Line("removed", first_old + i + 1, None, pieces) for i, pieces in enumerate(left)),
        *(Line("added", None, first_new + j + 1, pieces) for j, pieces in enumerate(right)),
    ]


def _words(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    if max(len(old), len(new)) > _WORDY:
        return (Piece(old),), (Piece(new),)
    here, there = re.findall(r"\w+|\W", old), re.findall(r"\w+|\W", new)
    matcher = SequenceMatcher(None, here, there, autojunk=False)
    if matcher.ratio() < 0.4:  # another sentence, and not the same with other words
        return (Piece(old),), (Piece(new),)
    left: list[Piece] = []
    right: list[Piece] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        changed = tag != "equal"
        left.append(Piece("".join(here[i1:i2]), changed))
        right.append(Piece("".join(there[j1:j2]), changed))
    return tuple(p for p in left if p.text), tuple(p for p in right if p.text)
