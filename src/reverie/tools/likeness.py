"""Why a text was not found, and what comes nearest to it: so that the next try succeeds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from rapidfuzz import fuzz, process

__all__ = ["likeness"]

_ALIKE: Final = 70.0  # of 100: below, the nearest line is a stranger
_MOST_LINES: Final = 8
_MOST_CHARS: Final = 300
_NUMBERS: Final = re.compile(r"^ *\d+\t", re.MULTILINE)


def likeness(text: str, wanted: str) -> str:
    """One or two sentences for a model whose ``wanted`` is not in ``text``."""
    if _NUMBERS.sub("", wanted) != wanted and _NUMBERS.sub("", wanted) in text:
        return "It is, without the line numbers: they are not part of the file."
    if _unix(wanted) in _unix(text):
        return "It is, but for line ends: " + (
            "the file has \\r\\n." if "\r\n" in text else "the file has \\n alone."
        )
    lines, sought = text.splitlines(), wanted.splitlines()
    at = _but_for_blanks(lines, sought)
    if at is not None:
        return f"But for blanks, it is at line {at + 1:,}:\n{_quoted(lines[at : at + len(sought)])}"
    at = _nearest(lines, sought)
    if at is not None:
        return f"The nearest is at line {at + 1:,}:\n{_quoted(lines[at : at + len(sought)])}"
    return "Nothing in it is alike: read it again."


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _but_for_blanks(lines: Sequence[str], sought: Sequence[str]) -> int | None:
    plain = [" ".join(line.split()) for line in lines]
    goal = [" ".join(line.split()) for line in sought]
    if not any(goal):
        return None
    window = range(len(plain) - len(goal) + 1)
    return next((at for at in window if plain[at : at + len(goal)] == goal), None)


def _nearest(lines: Sequence[str], sought: Sequence[str]) -> int | None:
    """Where a line stands that is most like the first telling line of what was sought, if it is at all."""
    telling = next(((number, line) for number, line in enumerate(sought) if len(line.strip()) > 3), None)
    if telling is None:
        return None
    found = process.extractOne(telling[1][:_MOST_CHARS], lines, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    return None if found is None else max(found[2] - telling[0], 0)


def _quoted(lines: Sequence[str]) -> str:
    told = [line if len(line) <= _MOST_CHARS else f"{line[:_MOST_CHARS]} …" for line in lines[:_MOST_LINES]]
    return "\n".join([*told, "…"] if len(lines) > _MOST_LINES else told)
