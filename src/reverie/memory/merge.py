"""Comparing and merging texts: the three-way merge that approval rests on, and the diff that people read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Final

from merge3 import Merge3

__all__ = ["Merge", "conflicting", "has_conflict_markers", "three_way", "unified"]

_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_OPEN, _MIDDLE, _CLOSE = "<<<<<<< memory\n", "=======\n", ">>>>>>> proposal\n"


@dataclass(frozen=True, slots=True)
class Merge:
    """``text`` holds both changes when ``clean``; otherwise the overlaps stand between conflict markers,
    first as the memory has them, then as the proposal has them."""

    text: str
    clean: bool


def three_way(base: str, memory: str, proposal: str) -> Merge:
    """Merges what ``memory`` and ``proposal`` each changed since ``base``, line by line (diff3).

    Changes to the same or to adjoining lines conflict, unless they are equal. Whether the last line ends
    in a newline is merged as a fact of its own.
    """
    if memory in (base, proposal):
        return Merge(proposal, clean=True)
    if proposal == base:
        return Merge(memory, clean=True)
    out: list[str] = []
    clean = True
    for group in Merge3(_lines(_end(base)), _lines(_end(memory)), _lines(_end(proposal))).merge_groups():
        if group[0] == "conflict":
            clean = False
            out.append(conflicting("".join(group[2]), "".join(group[3])))
        else:
            out += group[1]
    text = "".join(out)
    return Merge(text if not clean or _ends(base, memory, proposal) else text.removesuffix("\n"), clean)


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
