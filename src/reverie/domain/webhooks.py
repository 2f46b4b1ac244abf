"""Webhooks: what can be told, to whom, and what became of the telling.

A notice is thin: it names what happened and to which resource, and its receiver fetches the rest. The
same notice keeps its id over every attempt and every redelivery, so that a receiver can tell repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

__all__ = [
    "EVENT_TYPES",
    "LEASE",
    "SCHEDULE",
    "Attempt",
    "Delivery",
    "DeliveryStatus",
]

EVENT_TYPES: Final = frozenset(
    {
        *(
            f"session.{what}"
            for what in (
                *("created", "pending", "running", "idled", "requires_action", "archived", "deleted"),
                *("status_run_started", "status_idled", "status_rescheduled", "status_terminated"),
                *("thread_created", "thread_idled", "thread_terminated"),
                *("outcome_evaluation_ended", "updated", "budget_reached"),
            )
        ),
        *(f"agent.{what}" for what in ("created", "updated", "archived", "deleted")),
        *(
            f"deployment.{what}"
            for what in ("created", "updated", "paused", "unpaused", "archived", "deleted")
        ),
        *(f"deployment_run.{what}" for what in ("started", "succeeded", "failed")),
        *(f"environment.{what}" for what in ("created", "updated", "archived", "deleted")),
        *(f"memory_store.{what}" for what in ("created", "archived", "deleted")),
        *(f"vault.{what}" for what in ("created", "archived", "deleted")),
        *(f"vault_credential.{what}" for what in ("created", "archived", "deleted", "refresh_failed")),
        # Accepted, because clients may ask for them; nothing here gives cause to send one.
        *("external_key.failed", "external_key.recovered"),
        *(
            f"user_profile.{what}"
            for what in (
                "enforcement_action_opened",
                "enforcement_action_resolved",
                "program_status_updated",
            )
        ),
        # Ours.
        *(f"dream.{what}" for what in ("created", "started", "completed", "failed", "canceled")),
        *(f"proposal.{what}" for what in ("created", "approved", "modified", "rejected", "reverted")),
        *(f"trial.{what}" for what in ("began", "verdict", "withdrawn", "resumed", "ended")),
    }
)
"""Every type an endpoint can subscribe to: the wire's, and those of dreams, proposals and trials."""

SCHEDULE: Final = (
    *(timedelta(0), timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30)),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""How long before each attempt, from the one before it: ten attempts over some 76 hours (the schedule
that Standard Webhooks recommends)."""

LEASE: Final = timedelta(seconds=30)
"""How long a delivery belongs to the process that attempts it (an attempt takes half of that at most). If
that dies, it is due again then."""

DeliveryStatus = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. ``status`` is the HTTP status, None where no answer came; ``error`` says why it failed, and
    is None where it did not. ``refused``: the address is none that requests are sent to."""

    at: datetime
    status: int | None
    error: str | None
    duration_ms: int
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice on its way to one endpoint.

    ``payload`` is the body, character for character as it is signed and sent. ``attempts`` counts those
    since it was made or last redelivered; ``log`` holds the last ones. ``due_at`` is None once settled.
    """

    id: str
    workspace: str
    webhook_id: str
    event_id: str
    type: str
    subject: str
    payload: str
    status: DeliveryStatus
    attempts: int
    due_at: datetime | None
    created_at: datetime
    settled_at: datetime | None
    log: tuple[Attempt, ...] = ()
