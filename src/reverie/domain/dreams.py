"""Dreams: a background job from many sessions and a memory store to findings and proposals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from reverie.domain.findings import Silence

__all__ = ["STAGES", "Dream", "DreamStatus", "Stage", "Withheld"]

Stage = Literal["gather", "observe", "mine", "write", "check", "submit"]
STAGES: Final[tuple[Stage, ...]] = ("gather", "observe", "mine", "write", "check", "submit")
DreamStatus = Literal["running", "completed", "failed"]


@dataclass(frozen=True, slots=True)
class Withheld:
    """Something a dream saw and did not propose, and why (kept, so that silence can be explained)."""

    finding_id: str
    claim: str
    why: str


@dataclass(frozen=True, slots=True)
class Dream:
    """One dream. Its id is derived from its inputs: the same sessions, the same memory and the same
    decisions are the same dream, so two runs at once cannot make two of it."""

    id: str
    store_id: str
    status: DreamStatus
    stage: Stage
    created_at: datetime
    ended_at: datetime | None = None
    sessions: int = 0
    new_sessions: int = 0
    findings: int = 0
    proposals: int = 0
    withheld: tuple[Withheld, ...] = ()
    silences: tuple[Silence, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    error: str | None = None
