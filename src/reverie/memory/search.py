"""From what a person types to words to look for, and from a found text to the stretch worth showing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["SearchHit", "snippet", "words"]

_WORD: Final = re.compile(r"[^\W_]+")
_MAX_WORDS: Final = 32


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One memory that was found. ``rank`` counts from 1, the best."""

    path: str
    snippet: str
    rank: int
    memory_id: str


def words(query: str) -> list[str]:
    """The runs of letters and digits in ``query``, at most 32, each once: never anybody's query syntax."""
    return list(dict.fromkeys(_WORD.findall(query)))[:_MAX_WORDS]


def snippet(content: str, wanted: Sequence[str], width: int = 160) -> str:
    """About ``width`` characters of ``content`` around the first wanted word, as one line, cut at words."""
    found = re.search("|".join(map(re.escape, wanted)), content, re.I) if wanted else None
    at = found.start() if found else 0
    start = max(0, at - width // 3)
    end = min(len(content), start + width)
    if start:
        start = content.find(" ", start, at) + 1 or start
    if end < len(content):
        cut = content.rfind(" ", at + 1, end)
        end = cut if cut > at else end
    shown = " ".join(content[start:end].split())
    return f"{'… ' if start else ''}{shown}{' …' if end < len(content) else ''}"
