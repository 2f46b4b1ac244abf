"""Codex rollouts: ``~/.codex/sessions/YYYY/MM/DD/rollout-<time>-<id>.jsonl``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from reverie.domain.events import Json
from reverie.domain.imports import Guess, Quarantined
from reverie.importers.codex_records import FORMAT, Fold
from reverie.importers.jsonl import head_rows, rows
from reverie.importers.values import fact
from reverie.plugins import Read, TranscriptFile

__all__ = ["Codex"]

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
_WRAPPED: Final = frozenset({"session_meta", "response_item", "event_msg", "turn_context", "compacted"})
_BARE: Final = frozenset({"message", "function_call", "function_call_output", "reasoning"})


class Codex:
    """The reader of Codex rollouts, wrapped (``{timestamp, type, payload}``) or bare as in early versions.

    A sub-agent's rollout is a thread of the session it was spawned from. The history that a forked
    session's rollout repeats is its parent's, and left out.
    """

    name = FORMAT
    version = "1"

    def default_places(self) -> Sequence[str]:
        return ("$CODEX_HOME/sessions", "~/.codex/sessions", "~/.codex/archived_sessions")

    def sniff(self, head: bytes, file: TranscriptFile) -> Guess:
        found = head_rows(head)
        if any(fact(row.get("type")) in _WRAPPED and isinstance(row.get("payload"), dict) for row in found):
            return Guess(1.0, "lines of a rollout: timestamp, type and payload")
        if not found and head.lstrip().startswith(b'{"timestamp"') and b'"type":"session_meta"' in head[:200]:
            return Guess(0.9, "a first line of a rollout that is longer than the part looked at")
        if file.name.startswith("rollout-") and any(_is_bare(row) for row in found):
            return Guess(0.8, "a rollout of an early version: its name, and bare response items")
        return Guess(0.0, "no line has a type and a payload as Codex writes them")

    def read(self, file: TranscriptFile) -> Iterator[Read]:
        stem = file.name.removesuffix(".jsonl")
        named = _UUID.search(stem)
        fold = Fold(named[0].lower() if named else fact(stem) or "?")
        for item in rows(file):
            yield item if isinstance(item, Quarantined) else fold.take(item, file.uri)
        yield from fold.transcripts()


def _is_bare(row: dict[str, Json]) -> bool:
    return fact(row.get("type")) in _BARE or "record_type" in row
