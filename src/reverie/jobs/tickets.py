"""Tickets: the workflows of DBOS, one for each session that wants work, as whoever hands them out sees them."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, NamedTuple

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from dbos import error as dbos_errors

from reverie.domain.clock import iso
from reverie.jobs.bench import Key

__all__ = ["APPLICATION", "QUEUE", "RUN", "SCHEMA", "VERSION", "Ticket", "Tickets"]

APPLICATION: Final = "reverie"
SCHEMA: Final = "reverie_jobs"
QUEUE: Final = "sessions"
RUN: Final = "reverie.run"
VERSION: Final = "1"
"""Of what a ticket says, not of the program: workers of several versions may share a queue."""

_OPEN: Final = ["ENQUEUED", "PENDING"]
_CLOSED: Final = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_BATCH: Final = 1_000


class Ticket(NamedTuple):
    """A ticket that waits, or (then ``worker`` is said) that a worker has taken."""

    id: str
    session_id: str
    worker: str | None


class Tickets:
    """The tickets of one database. All methods block, and raise whatever DBOS and its driver raise."""

    def __init__(self, url: str) -> None:
        _quieten()
        self._client = DBOSClient(
            system_database_url=url,
            dbos_system_schema=SCHEMA,
            serializer=DBOSPortableJSONSerializer(),
            system_database_pool_size=1,
            application_name=APPLICATION,
            lazy=True,
            retry_connection_errors=False,
        )

    def put(self, key: Key) -> bool:
        """Queue a session. False: it has a ticket already."""
        options: EnqueueOptions = {
            "workflow_name": RUN,
            "queue_name": QUEUE,
            "deduplication_id": key[1],
            "app_version": VERSION,
        }
        try:
            self._client.enqueue(options, *key)
        except dbos_errors.DBOSQueueDeduplicatedError:
            return False
        return True

    def open(self) -> list[Ticket]:
        """Those that wait or are worked off."""
        found = self._client.list_workflows(
            queue_name=QUEUE, status=_OPEN, load_input=False, load_output=False
        )
        return [
            Ticket(
                each.workflow_id,
                each.deduplication_id or "",
                (each.executor_id or "") if each.status == "PENDING" else None,
            )
            for each in found
        ]

    def withdraw(self, tickets: list[Ticket]) -> None:
        """Take tickets back, worked off or not."""
        if tickets:
            self._client.cancel_workflows([ticket.id for ticket in tickets])

    def purge(self, before: datetime) -> int:
        """Forget tickets that were through before then, a batch of the oldest; gives how many."""
        found = self._client.list_workflows(
            name=RUN,
            status=_CLOSED,
            completed_before=iso(before),
            limit=_BATCH,
            load_input=False,
            load_output=False,
        )
        if found:
            self._client.delete_workflows([each.workflow_id for each in found])
        return len(found)

    def close(self) -> None:
        """Let the connection go."""
        self._client.destroy()


def _quieten() -> None:
    """Have DBOS log where everybody logs: by itself it writes to stderr. And errors alone: when the database is
    away, it warns of that twenty times a second."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.ERROR)
