"""Dreams: a background job from many sessions and a memory store to findings and proposals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from reverie.domain.findings import Silence
from reverie.domain.messages import Usage

__all__ = ["STAGES", "Dream", "DreamStatus", "Estimate", "Stage", "Wish", "Withheld", "Writing"]

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
class Wish:
    """How a dream is to be written. ``model``: by an agent with this model; None: by the templates, which need none.

    ``instructions`` steer that agent (what to read closely, merge, drop, how to lay out). ``max_tokens``: the most
    tokens it may use in all, input and output, cached or not; None: as its estimate says.
    """

    model: str | None = None
    instructions: str | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model is expected to use for writing a dream, said before it begins; tokens.

    ``everything`` is what reading every transcript of the dream once would take, for comparison.
    """

    input: int
    output: int
    everything: int


@dataclass(frozen=True, slots=True)
class Writing:
    """How a dream was written, as far as a model had a hand in it.

    ``session_id`` is the session of the writing agent, whose events show all it read and did. ``fell_back``: why
    the templates wrote (a part of) it after all. ``ended``: the session was ended before the dream was; whoever
    begins the dream again needs another one.
    """

    model: str
    session_id: str | None = None
    usage: Usage = field(default_factory=Usage)
    estimate: Estimate | None = None
    fell_back: str | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Dream:
    """One dream. Its id is derived from its inputs: the same sessions, the same memory and the same
    decisions are the same dream, so two runs at once cannot make two of it.

    ``writing`` is None where no model was to have a hand in it; ``written_by`` names the writers of its desks.
    """

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
    writing: Writing | None = None
    written_by: tuple[str, ...] = ()
    error: str | None = None
