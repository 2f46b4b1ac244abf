"""The work queues of self-hosted environments: who serves which session. The states are in ``domain.work``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from reverie.domain.clock import Clock, iso_or_none
from reverie.domain.errors import Conflict, NotFound
from reverie.domain.ids import new_id
from reverie.domain.keys import ApiKey
from reverie.domain.resources import Cursor
from reverie.domain.work import Lease, QueueStats, WorkItem
from reverie.storage import work as rows
from reverie.storage.database import Connection, Database
from reverie.workspaces.keys import Keys
from reverie.workspaces.metadata import Patch, patched
from reverie.workspaces.resources import Resources

__all__ = ["ENVIRONMENT", "NO_HEARTBEAT", "RECLAIM", "TTL", "WorkQueue", "last_heartbeat"]

T = TypeVar("T")

ENVIRONMENT: Final = "environment"
NO_HEARTBEAT: Final = "NO_HEARTBEAT"
"""What a worker says it expects before its first heartbeat."""
TTL: Final = 300
"""Seconds that a lease lasts when nobody asks for another length."""
RECLAIM: Final = timedelta(seconds=5)
"""After this long an item that was handed out and not acknowledged is handed out again."""
_POLLING: Final = timedelta(seconds=30)
_NOTED: Final = timedelta(seconds=10)  # a worker's polls are written down at most this often
_DAY: Final = timedelta(days=1)
_SERVING: Final = (  # what serving a session takes
    *("work:write", "sessions:read", "sessions:write", "memory_stores:read", "memory_stores:write"),
    "files:read",
)
_TICK: Final = timedelta(microseconds=1)
_KEY_NAME: Final = "work item "


class WorkQueue:
    """The queues of one workspace. Safe to share between threads, and between processes on one database:
    an item is never handed to two workers at once.

    All methods raise ``NotFound`` for an environment, or an item, that is not of the workspace.
    """

    def __init__(
        self, db: Database, resources: Resources, keys: Keys, *, clock: Clock, entropy: Callable[[int], bytes]
    ) -> None:
        self._db = db
        self._resources = resources
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._noted: dict[tuple[str, str], datetime] = {}
        self._door = threading.Lock()

    def enqueue(self, environment_id: str, session_id: str, *, conn: Connection | None = None) -> WorkItem:
        """Queue a session of a self-hosted environment; the item that it has already, if it has one."""
        item = WorkItem(
            id=new_id("work", self._entropy),
            environment_id=environment_id,
            session_id=session_id,
            state="queued",
            created_at=self._clock(),
            ttl_seconds=TTL,
            metadata={},
        )

        def work(conn: Connection) -> WorkItem:
            if rows.add(conn, item):
                return item
            return rows.open_of_session(conn, session_id) or item

        return self._db.write(work) if conn is None else work(conn)

    # ------------------------------------------------------------------ workers

    def waiting(self, environment_id: str, reclaim: timedelta = RECLAIM) -> bool:
        """Whether ``poll`` would give an item: a read, for those who wait."""
        with self._db.read() as conn:
            return rows.waiting(conn, environment_id, self._clock(), reclaim)

    def note(self, environment_id: str, worker: str | None) -> None:
        """Note that a worker asks, for the statistics."""
        self._resources.get(ENVIRONMENT, environment_id)
        now = self._clock()
        if worker is None or not self._is_news((environment_id, worker), now):
            return
        self._db.write(lambda conn: rows.polled(conn, environment_id, worker, now))

    def poll(self, environment_id: str, reclaim: timedelta = RECLAIM) -> WorkItem | None:
        """Claim the oldest item that nobody has, or that was handed out ``reclaim`` ago and never
        acknowledged. Items whose lease ran out are queued again first."""
        now = self._clock()

        def work(conn: Connection) -> WorkItem | None:
            rows.expire(conn, environment_id, now)
            return rows.claim(conn, environment_id, now, reclaim)

        return self._db.write(work)

    def token(self, environment_id: str, work_id: str, may: Callable[[str], bool], *, by: str) -> str:
        """A key for whoever was handed the item, to serve its session with. It may do what that takes and
        ``may`` allows, until the item is stopped, handed to another, or a day is over."""
        scopes = [scope for scope in _SERVING if may(scope)]
        made = self._keys.create(
            f"{_KEY_NAME}{work_id}",
            by=by,
            workspace=self._db.workspace,
            scopes=scopes,
            expires_at=self._clock() + _DAY,
        )

        def work(conn: Connection) -> str | None:
            item = self._locked(conn, environment_id, work_id)
            rows.put(conn, replace(item, key_id=made.key.id))
            return item.key_id

        self._revoke(self._db.write(work), by)
        return made.token

    def session_of(self, key: ApiKey) -> str | None:
        """The session that a key was made to serve; None where it is any other key, whatever its name."""
        work_id = key.name.removeprefix(_KEY_NAME)
        if work_id == key.name:
            return None
        with self._db.read() as conn:
            item = rows.by_id(conn, work_id)
        return None if item is None or item.key_id != key.id else item.session_id

    def acknowledge(self, environment_id: str, work_id: str) -> WorkItem:
        """Take a claimed item on. Again is harmless: which of two workers holds it, heartbeats tell.

        Raises:
            Conflict: it was stopped.
        """
        now = self._clock()

        def change(item: WorkItem) -> WorkItem:
            if item.state in ("stopping", "stopped"):
                raise Conflict(f"the item is {item.state}", where=item.id)
            if item.state != "queued":
                return item
            until = now + timedelta(seconds=item.ttl_seconds)
            return replace(item, state="starting", acknowledged_at=now, lease_until=until)

        return self._change(environment_id, work_id, change)

    def heartbeat(
        self, environment_id: str, work_id: str, *, expected: str | None = None, ttl: int | None = None
    ) -> Lease:
        """Extend the lease, if ``expected`` is the heartbeat before this one (``NO_HEARTBEAT``: the first).

        ``ttl`` seconds from now it ends. An item that is being stopped is told so, whatever was expected.
        """

        def work(conn: Connection) -> Lease:
            item = self._locked(conn, environment_id, work_id)
            if item.state in ("stopping", "stopped"):
                return Lease(item, held=True, extended=False)
            if item.state == "queued" or expected not in (None, last_heartbeat(item) or NO_HEARTBEAT):
                return Lease(item, held=False, extended=False)
            beaten = self._beaten(item, ttl or item.ttl_seconds)
            rows.put(conn, beaten)
            return Lease(beaten, held=True, extended=True)

        return self._db.write(work)

    def stop(
        self, environment_id: str, work_id: str, *, force: bool = False, by: str = "reverie"
    ) -> WorkItem:
        """Ask for an item to be stopped; with ``force``, or while no worker has it, it is at once.

        Raises:
            Conflict: it is stopped.
        """
        now = self._clock()

        def change(item: WorkItem) -> WorkItem:
            if item.state == "stopped":
                raise Conflict("the item is stopped", where=item.id)
            if force or item.state == "queued":
                return _stopped(item, now)
            return replace(item, state="stopping", stop_requested_at=item.stop_requested_at or now)

        try:
            item = self._change(environment_id, work_id, change)
        except Conflict:  # whoever was told of the end is through with it now, and so is its key
            self._revoke(self.get(environment_id, work_id).key_id, by)
            raise
        if item.state == "stopped":
            self._revoke(item.key_id, by)
        return item

    def end(self, session_id: str, *, conn: Connection | None = None) -> None:
        """Stop the item of a session that has ended; a worker that has it hears so at its next heartbeat."""
        now = self._clock()

        def work(conn: Connection) -> None:
            if (item := rows.open_of_session(conn, session_id)) is not None:
                rows.put(conn, _stopped(item, now))

        if conn is None:
            self._db.write(work)
        else:
            work(conn)

    # ------------------------------------------------------------------ people

    def get(self, environment_id: str, work_id: str) -> WorkItem:
        """An item."""
        with self._db.read() as conn:
            found = rows.find(conn, environment_id, work_id)
        return self._there(found, environment_id, work_id)

    def update(self, environment_id: str, work_id: str, metadata: Patch | None) -> WorkItem:
        """Patch the metadata.

        Raises:
            Invalid: more than 16 pairs.
        """

        def change(item: WorkItem) -> WorkItem:
            return replace(item, metadata=patched(item.metadata, metadata))

        return self._change(environment_id, work_id, change)

    def list(self, environment_id: str, *, after: Cursor | None = None, limit: int = 20) -> list[WorkItem]:
        """Items, newest first."""
        self._resources.get(ENVIRONMENT, environment_id)
        with self._db.read() as conn:
            return rows.listed(conn, environment_id, after, limit)

    def stats(self, environment_id: str) -> QueueStats:
        """How the queue stands."""
        self._resources.get(ENVIRONMENT, environment_id)
        now = self._clock()
        with self._db.read() as conn:
            return rows.stats(conn, environment_id, since=now - _POLLING, stale=now - RECLAIM)

    # ------------------------------------------------------------------ ways

    def _change(self, environment_id: str, work_id: str, change: Callable[[WorkItem], WorkItem]) -> WorkItem:
        def work(conn: Connection) -> WorkItem:
            changed = change(self._locked(conn, environment_id, work_id))
            rows.put(conn, changed)
            return changed

        return self._db.write(work)

    def _revoke(self, key_id: str | None, by: str) -> None:
        if key_id is not None:
            with suppress(NotFound):
                self._keys.revoke(key_id, by=by)

    def _locked(self, conn: Connection, environment_id: str, work_id: str) -> WorkItem:
        found = rows.find(conn, environment_id, work_id, lock=True)
        return self._there(found, environment_id, work_id)

    def _there(self, found: WorkItem | None, environment_id: str, work_id: str) -> WorkItem:
        if found is None:
            raise NotFound(f"no such work item: {work_id}", where=environment_id)
        return found

    def _beaten(self, item: WorkItem, ttl: int) -> WorkItem:
        now = self._clock()
        if item.heartbeat_at is not None:  # each has its own name, even if the clock stands still
            now = max(now, item.heartbeat_at + _TICK)
        return replace(
            item,
            state="active",
            started_at=item.started_at or now,
            heartbeat_at=now,
            ttl_seconds=ttl,
            lease_until=now + timedelta(seconds=ttl),
        )

    def _is_news(self, who: tuple[str, str], now: datetime) -> bool:
        with self._door:
            last = self._noted.get(who)
            if last is not None and timedelta() <= now - last < _NOTED:
                return False
            self._noted = {key: at for key, at in self._noted.items() if now - at < _NOTED}
            self._noted[who] = now
            return True


def last_heartbeat(item: WorkItem) -> str | None:
    """The last heartbeat as workers must repeat it; None before the first."""
    return iso_or_none(item.heartbeat_at)


def _stopped(item: WorkItem, now: datetime) -> WorkItem:
    asked = item.stop_requested_at or now
    return replace(item, state="stopped", stop_requested_at=asked, stopped_at=now, lease_until=None)
