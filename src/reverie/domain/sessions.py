"""Sessions: one run of work by an agent, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from reverie.domain.events import Json, NewEvent

__all__ = ["PERSON", "Outcome", "OutcomeLabel", "Session", "SessionInfo", "Transcript"]

OutcomeLabel = Literal["success", "failure", "unknown"]
PERSON: Final = "person"
"""The source of an outcome that a person told us: it stands, whatever else says otherwise later."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended. ``source`` says who says so: reward, score, exit status, a person, a verdict."""

    label: OutcomeLabel = "unknown"
    score: float | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is known about a session besides its events. Everything may be missing but the identity.

    ``native_id`` identifies the session within its ``format``; the two together give the session id.
    ``user`` is whoever the evidence should be counted under (independence), ``task`` the unit within
    which sessions are comparable (the stratum), ``timezone`` an IANA name for hours and weekdays.
    """

    format: str
    native_id: str
    agent: str | None = None
    agent_version: str | None = None
    user: str | None = None
    model: str | None = None
    repository: str | None = None
    branch: str | None = None
    cwd: str | None = None
    task: str | None = None
    goal: str | None = None
    timezone: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: Outcome = Outcome()
    extra: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True)
class Session:
    """A session in the log. ``content_sha256`` is the head of its hash chain: it names its contents."""

    id: str
    info: SessionInfo
    events: int
    content_sha256: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a reader makes of one session: who and what, and its events in order."""

    info: SessionInfo
    events: Sequence[NewEvent]
