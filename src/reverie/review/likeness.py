"""Memories that say something like what a proposal says: perhaps one of them is to be changed instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz

from reverie.domain.proposals import Proposal
from reverie.memory.documents import body
from reverie.memory.stores import MemoryService

__all__ = ["Alike", "similar"]

_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_WORDS: Final = 5  # the longest of the title: the ones that tell most
_HITS: Final = 6  # memories looked at for each
_COMPARED: Final = 4_000  # characters of each
_LEAST: Final = 50.0  # rapidfuzz's ratio of sets of words, 0 to 100
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Alike:
    """A memory, and how much of its words a proposal shares: from 0 to 1, word order aside."""

    memory_id: str
    path: str
    share: float


def similar(memory: MemoryService, proposal: Proposal) -> list[Alike]:
    """The memories of the store, but for the one at the proposal's path, that are most like it; at most three.

    Only memories that hold one of the telling words of its title are compared, so that it takes as long in a
    large store as in a small one.
    """
    telling = sorted(set(_WORD.findall(proposal.title)), key=lambda word: (-len(word), word))[:_WORDS]
    paths = {hit.path for word in telling for hit in memory.search(proposal.store_id, word, _HITS)}
    mine = _compared(proposal.content)
    found: list[Alike] = []
    for path in sorted(paths - {proposal.path}):
        kept = memory.find(proposal.store_id, path)
        share = 0.0 if kept is None else fuzz.token_sort_ratio(mine, _compared(kept.content))
        if kept is not None and share >= _LEAST:
            found.append(Alike(kept.id, path, share / 100))
    return sorted(found, key=lambda each: (-each.share, each.path))[:_SHOWN]


def _compared(text: str) -> str:
    return body(text)[:_COMPARED].casefold()
