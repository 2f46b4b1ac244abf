"""The scheduler: attends whatever starts by itself, in every workspace, while a server or a worker runs.

It decides nothing and keeps nothing: what is due, and whether that was done, is said by the service of each kind,
in the transaction that does it. So any number of schedulers may attend one database, a clock may jump, and one
that is killed at any point has lost nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from reverie.domain.clock import Clock
from reverie.domain.errors import ReverieError
from reverie.domain.workspaces import EVERYWHERE
from reverie.storage import resources as rows
from reverie.storage.database import Database
from reverie.workspaces.registry import Workspaces

__all__ = ["Attend", "Attended", "Scheduler"]

_log: Final = logging.getLogger("reverie.schedules")
_LOOK: Final = 1.0  # seconds between looks
_PATIENCE: Final = 5.0
_REST: Final = timedelta(minutes=1)
"""Until one that failed is looked at again."""

Attend: TypeAlias = Callable[[str, datetime], datetime | None]
"""``attend(id, now)``: do what is due and was not done; gives when to look again, None: not before it is changed."""


@dataclass(frozen=True, slots=True)
class Attended:
    """One kind of resources with schedules: the status of those that start by themselves, and what attends those
    of a workspace."""

    status: str
    attend: Callable[[str], Attend]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is known since the last look at one resource: nothing is to be done until ``again``, unless its
    version changes, or the clock goes back behind ``at``."""

    version: int
    at: datetime
    again: datetime | None

    def rests(self, version: int, now: datetime) -> bool:
        return self.version == version and self.at <= now and (self.again is None or now < self.again)


class Scheduler:
    """Attends the schedules of every workspace, in a thread.

    Args:
        kinds: What is attended, by kind of resource.
        clock: Gives the present, in UTC.
    """

    def __init__(
        self, db: Database, workspaces: Workspaces, kinds: Mapping[str, Attended], *, clock: Clock
    ) -> None:
        self._everywhere = db.scoped(EVERYWHERE)
        self._workspaces = workspaces
        self._kinds = kinds
        self._clock = clock
        self._known: dict[tuple[str, str], _Looked] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Attend in a thread until ``stop``."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._go_on, name="reverie-schedules", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Start nothing more. Idempotent."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_PATIENCE)

    def look(self) -> None:
        """Do everything that is due now, once.

        Raises:
            StorageError: the database does not answer.
        """
        now = self._clock()
        known: dict[tuple[str, str], _Looked] = {}
        for workspace, kind, id, version in self._standing():
            before = self._known.get((workspace, id))
            if before is not None and before.rests(version, now):
                known[workspace, id] = before
            elif not self._stopping.is_set():
                known[workspace, id] = _Looked(version, now, self._attended(workspace, kind, id, now))
        self._known = known

    def _standing(self) -> list[tuple[str, str, str, int]]:
        workspaces = [each.id for each in self._workspaces.list(archived=True)]
        statuses = {kind: attended.status for kind, attended in self._kinds.items()}
        with self._everywhere.read() as conn:
            return rows.standing(conn, workspaces, statuses)

    def _attended(self, workspace: str, kind: str, id: str, now: datetime) -> datetime | None:
        try:
            return self._kinds[kind].attend(workspace)(id, now)
        except ReverieError as error:
            _log.warning("%s could not be attended: %s", id, error.what)
        except Exception:  # noqa: BLE001  (a fault of one keeps no other waiting)
            _log.exception("%s could not be attended", id)
        return now + _REST

    def _go_on(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except ReverieError as error:  # a database that is away comes back
                _log.warning("schedules wait: %s", error.what)
            self._stopping.wait(_LOOK)
