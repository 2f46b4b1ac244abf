"""What a reader says about a file, beside the transcripts in it: a report that adds up.

For every file: ``records == used + sum(skipped) + len(quarantined)``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["FileReport", "Guess", "Quarantined", "Skipped", "Used"]


@dataclass(frozen=True, slots=True)
class Guess:
    """How sure a reader is that a file is its own, and why (shown by ``import --explain``).

    ``confidence`` runs from 0 (no) to 1 (a field only this format has); the surest reader wins.
    """

    confidence: float
    why: str


@dataclass(frozen=True, slots=True)
class Used:
    """``records`` records became events (or session facts)."""

    records: int = 1


@dataclass(frozen=True, slots=True)
class Skipped:
    """A record left out on purpose, e.g. a progress tick that mirrors a later result."""

    reason: str
    records: int = 1


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that could not be read. ``line`` counts from 1; ``why`` is one short clause."""

    line: int | None
    why: str
    pointer: str | None = None


@dataclass(slots=True)
class FileReport:
    """The account of one imported file."""

    uri: str
    format: str | None = None
    status: Literal["imported", "unchanged", "grown", "copy", "not_a_transcript", "failed"] = "imported"
    sessions: int = 0
    new_sessions: int = 0
    new_events: int = 0
    events: int = 0
    records: int = 0
    used: int = 0
    skipped: Counter[str] = field(default_factory=Counter[str])
    quarantined: list[Quarantined] = field(default_factory=list[Quarantined])
    raw: Counter[str] = field(default_factory=Counter[str])
    redactions: Counter[str] = field(default_factory=Counter[str])
    message: str | None = None
