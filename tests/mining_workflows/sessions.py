"""Sessions of our own making: who did what, in which order, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from reverie.domain.observations import Call, Observation, Remark, Span

FIRST_DAY = datetime(2026, 2, 2, 8, tzinfo=UTC)


def call(event: str, seq: int, action: str, at: datetime | None, **changes: Any) -> Call:
    tool = action.partition(": ")[0]
    values: dict[str, Any] = {
        "seq": seq,
        "event_id": event,
        "result_event_id": f"{event}r",
        "thread": "",
        "turn": 1,
        "at": at,
        "tool": tool,
        "action": action,
        "signature": event,
        "use": Span(event, seq, "/name", 0, len(tool)),
        "arguments": {},
        "failure": None,
    }
    return Call(**(values | changes))


def session(
    number: int,
    actions: Sequence[str],
    *,
    success: bool | None = None,
    user: str | None = None,
    dated: bool = True,
    request: str | None = None,
    **changes: Any,
) -> Observation:
    """Session ``number``, an hour after the one before."""
    name = f"sesn_{number:06d}"
    at = FIRST_DAY + timedelta(hours=number) if dated else None
    remarks = ()
    if request is not None:
        remarks = (
            Remark("request", Span(f"{name}-0", 1, "/content", 0, len(request)), request, request, at),
        )
    values: dict[str, Any] = {
        "session_id": name,
        "content_sha256": name,
        "format": "test",
        "agent": "agent",
        "model": "model",
        "user": user,
        "repository": None,
        "task": None,
        "cluster": None,
        "day": at.date().isoformat() if at else None,
        "started_at": at,
        "ended_at": None,
        "outcome": "unknown" if success is None else "success" if success else "failure",
        "score": None,
        "attributes": {},
        "consequences": {},
        "calls": tuple(call(f"{name}-{i}", i + 2, action, at) for i, action in enumerate(actions)),
        "remarks": remarks,
    }
    return Observation(**(values | changes))
