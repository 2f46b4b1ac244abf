"""What of a session's log webhooks are told: in the transaction that writes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reverie.domain.events import Event
from reverie.sessions.ledger import Announce
from reverie.storage.database import Connection
from reverie.workspaces.webhooks import Webhooks

__all__ = ["announcer"]

_TOLD: Final = {
    "session.status_running": ("session.status_run_started", "session.running"),
    "session.status_idle": ("session.status_idled", "session.idled"),
    "session.status_rescheduled": ("session.status_rescheduled",),
    "session.status_terminated": ("session.status_terminated",),
    "session.thread_created": ("session.thread_created",),
    "session.thread_status_idle": ("session.thread_idled",),
    "session.thread_status_terminated": ("session.thread_terminated",),
    "session.updated": ("session.updated",),
    "span.outcome_evaluation_end": ("session.outcome_evaluation_ended",),
}
_REASONS: Final = {"requires_action": "session.requires_action", "budget_reached": "session.budget_reached"}


def announcer(webhooks: Webhooks) -> Announce:
    """Tells ``webhooks`` of the events of a transaction."""

    def announce(conn: Connection, session_id: str, events: Sequence[Event]) -> None:
        for event in events:
            thread = event.payload.get("session_thread_id")
            more = {"session_thread_id": thread} if ".thread_" in event.type and thread else {}
            for type in _types(event):
                webhooks.emit(conn, type, session_id, **more)

    return announce


def _types(event: Event) -> Iterator[str]:
    yield from _TOLD.get(event.type, ())
    if event.type == "session.status_idle":
        reason = _REASONS.get(event.payload["stop_reason"]["type"])
        if reason is not None:
            yield reason
