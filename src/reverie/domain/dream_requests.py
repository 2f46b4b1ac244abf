"""Dreams that somebody asked for: what was asked, and how far it is.

A request is not the dream: two requests for the same thing are two requests, and one dream (whose id is
derived from what it is a function of).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from reverie.domain.dreams import Estimate, Writing

__all__ = [
    "ENDED",
    "NO_MODEL",
    "DreamError",
    "DreamErrorType",
    "DreamForecast",
    "DreamRequest",
    "OutputBehavior",
    "RequestStatus",
]

RequestStatus = Literal["pending", "running", "completed", "failed", "canceled"]
ENDED: Final[tuple[RequestStatus, ...]] = ("completed", "failed", "canceled")

NO_MODEL: Final = "none"
"""What a request says for its model where none is to write."""

OutputBehavior = Literal[
    "create_new",  # into a copy of the store, which nobody reads until somebody takes it up
    "update_existing",  # into the store itself, but for what untrusted text had a hand in: that waits for review
    "propose",  # nothing is written; everything waits for review
]

DreamErrorType = Literal[
    "internal_error", "timeout", "input_memory_store_unavailable", "input_session_unavailable"
]


@dataclass(frozen=True, slots=True)
class DreamError:
    """Why a request failed."""

    type: DreamErrorType
    message: str


@dataclass(frozen=True, slots=True)
class DreamForecast:
    """What a dream would take that is not asked for yet: ``estimate`` of the ``model`` (its whole name), or None for
    both where the templates would write it, which use no tokens; ``fell_back`` says why, where a model was named.
    ``sessions``: how many it would be over; ``max_tokens``: the most that the model may use."""

    sessions: int
    model: str | None = None
    estimate: Estimate | None = None
    max_tokens: int | None = None
    fell_back: str | None = None


@dataclass(frozen=True, slots=True)
class DreamRequest:
    """One request as it is now.

    ``model``, ``instructions`` and ``max_tokens`` (of the model, in all) are what the client said; ``writing`` is how a
    model wrote, or is writing, ``written_by`` who wrote in the end, and ``fell_back`` why the templates did, where a
    model was asked for. ``output_store_id`` is where the result is
    written, once that is known; ``dream_id`` the dream that answers it; ``applied`` counts its proposals that
    were written (``by_policy`` of them by review policies), ``left`` those that wait for review. For a dream that was started here, and not asked for
    over the API, ``model`` is None.
    """

    id: str
    status: RequestStatus
    store_id: str
    session_ids: tuple[str, ...]
    output: OutputBehavior
    created_at: datetime
    model: str | None = None
    instructions: str | None = None
    max_tokens: int | None = None
    output_store_id: str | None = None
    dream_id: str | None = None
    error: DreamError | None = None
    stage: str | None = None
    applied: int = 0
    left: int = 0
    by_policy: int = 0
    writing: Writing | None = None
    written_by: tuple[str, ...] = ()
    fell_back: str | None = None
    ended_at: datetime | None = None
    archived_at: datetime | None = None
