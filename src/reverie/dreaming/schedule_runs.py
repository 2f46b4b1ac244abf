"""Runs of schedules of dreams: each is one attempt to start a dream, recorded for good in the transaction that
starts it, or with the reason why none was started. What becomes of the dream is the dream's own story.

Everything is decided under a lock on the schedule and its store. So of any number of processes one starts the
dream, a time is used once, and a store has one dream at a time.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.clock import iso
from reverie.domain.errors import Archived, NotFound
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.dreaming.authors import DREAMER
from reverie.dreaming.requests import KIND as DREAM
from reverie.dreaming.requests import MAX_SESSIONS, Asked, DreamRequests
from reverie.dreaming.schedules import ACTIVE, DUE_FROM, KIND, RUN, paused
from reverie.memory.catalog import Catalog
from reverie.memory.stores import writable
from reverie.storage import dreams as rows
from reverie.storage import workspaces
from reverie.storage.database import Connection
from reverie.workspaces.resources import Resources
from reverie.workspaces.schedule import due, next_due

__all__ = ["DreamScheduleRuns", "Outcome"]

Said: TypeAlias = Mapping[str, Any]
Outcome: TypeAlias = Literal["dream", "skipped", "error"]

_POLL: Final = timedelta(seconds=15)
"""Between looks at what happens by itself: new sessions, failed ones."""


@dataclass(frozen=True, slots=True)
class _New:
    """What a store's dreams have not seen: sessions, and how many of them failed."""

    sessions: int
    failed: int


class DreamScheduleRuns:
    """The runs of one workspace's schedules. Methods raise ``NotFound`` for an id that is not of it."""

    def __init__(self, resources: Resources, stores: Catalog, requests: DreamRequests) -> None:
        self._resources = resources
        self._stores = stores
        self._requests = requests

    def run(self, schedule_id: str) -> Resource:
        """Dream now, paused or not. Where no dream is started, the run says why.

        Raises:
            Archived: the schedule is archived.
        """

        def work(conn: Connection) -> Resource:
            schedule = self._resources.get(KIND, schedule_id, lock=True, conn=conn)
            if schedule.archived_at is not None:
                raise Archived("the schedule is archived and starts nothing", where=schedule_id)
            return self._run(schedule, {"type": "manual"}, None, self._new(schedule, conn), conn)

        return self._resources.write(work)

    def attend(self, schedule_id: str, now: datetime) -> datetime | None:
        """Start the dream that is due at ``now``, if one is. When to look again; None: not before the schedule
        is changed."""
        schedule = self._resources.get(KIND, schedule_id)
        trigger: Said = schedule.body["trigger"]
        if schedule.status != ACTIVE or schedule.archived_at is not None or trigger["type"] == "manual":
            return None
        if trigger["type"] == "cron":
            return self._by_time(schedule, trigger, now)
        self._resources.write(partial(self._by_news, schedule_id))
        return now + _POLL

    def list(
        self,
        schedule_id: str,
        *,
        outcome: Outcome | None = None,
        created: Period = ALWAYS,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> builtins.list[Resource]:
        """The runs of a schedule, newest first."""
        self._resources.get(KIND, schedule_id)
        statuses = None if outcome is None else (outcome,)
        return self._resources.list(
            RUN, parent=schedule_id, statuses=statuses, created=created, after=after, limit=limit
        )

    # ------------------------------------------------------------------ when

    def _by_time(self, schedule: Resource, trigger: Said, now: datetime) -> datetime | None:
        cron: tuple[str, str] = trigger["expression"], trigger["timezone"]
        slot = due(*cron, datetime.fromisoformat(schedule.body[DUE_FROM]), now)
        if slot is not None and not self._resources.taken(RUN, _key(schedule.id, slot)):
            self._resources.write(partial(self._at, schedule.id, slot))
        return next_due(*cron, now)

    def _at(self, schedule_id: str, slot: datetime, conn: Connection) -> None:
        schedule, key = self._locked(schedule_id, conn), _key(schedule_id, slot)
        if schedule is None or self._resources.taken(RUN, key, conn=conn):
            return  # paused just now, or another process was faster
        context = {"type": "cron", "scheduled_at": iso(slot)}
        self._run(schedule, context, key, self._new(schedule, conn), conn)

    def _by_news(self, schedule_id: str, conn: Connection) -> None:
        """Dream if enough has happened that no dream was started for. While another dream is under way, that
        waits; a failure with too few sessions around it is told once."""
        schedule = self._locked(schedule_id, conn)
        if schedule is None or self._requests.open_on(schedule.body["memory_store_id"], conn):
            return
        new, last = self._new(schedule, conn), self._last_dream(schedule, conn)
        if not _wanted(schedule.body, new, self._used(last, new, conn)):
            return
        key = f"{schedule_id}>{last.id if last else 'first'}:{new.failed}"
        enough = new.sessions >= schedule.body["min_sessions"]
        if enough or not self._resources.taken(RUN, key, conn=conn):
            context = {"type": schedule.body["trigger"]["type"]}
            self._run(schedule, context, None if enough else key, new, conn)

    def _locked(self, schedule_id: str, conn: Connection) -> Resource | None:
        """The schedule, held until the transaction ends; None: it starts nothing by itself any more."""
        found = self._resources.get(KIND, schedule_id, lock=True, conn=conn)
        return found if found.status == ACTIVE and found.archived_at is None else None

    def _new(self, schedule: Resource, conn: Connection) -> _New:
        return _New(*rows.unseen(conn, schedule.body["memory_store_id"], besides=DREAMER))

    def _last_dream(self, schedule: Resource, conn: Connection) -> Resource | None:
        found = self._resources.list(RUN, parent=schedule.id, statuses=("dream",), limit=1, conn=conn)
        return found[0] if found else None

    def _used(self, last: Resource | None, new: _New, conn: Connection) -> _New:
        """What of the news was the occasion of a dream already. Of one that was completed nothing is left; one
        that failed is not begun again for the same."""
        if last is None or self._resources.get(DREAM, last.body["dream_id"], conn=conn).status == "completed":
            return _New(0, 0)
        was = _New(last.body["new_sessions"], last.body["failed_sessions"])
        return was if was.sessions <= new.sessions else _New(0, 0)  # another dream has seen them

    # ------------------------------------------------------------------ what

    def _run(
        self, schedule: Resource, context: Said, key: str | None, new: _New, conn: Connection
    ) -> Resource:
        outcome, told = self._outcome(schedule, new, conn)
        body: dict[str, Any] = {
            "trigger_context": dict(context),
            "new_sessions": new.sessions,
            "failed_sessions": new.failed,
            "dream_id": None,
            "skipped": None,
            "error": None,
            **told,
        }
        run = self._resources.create(
            RUN, body, prefix="dsrun", parent=schedule.id, status=outcome, key=key, conn=conn
        )
        if outcome == "error" and context["type"] != "manual":
            reason = {"type": "error", "error": {"type": body["error"]["type"]}}
            self._resources.change(KIND, schedule.id, lambda now: paused(now, reason), conn=conn)
        return run

    def _outcome(self, schedule: Resource, new: _New, conn: Connection) -> tuple[Outcome, Said]:
        body = schedule.body
        if error := self._in_the_way(body["memory_store_id"], conn):
            return "error", {"error": error}
        if others := self._requests.open_on(body["memory_store_id"], conn):
            told = f"the dream {others[0].id} about this memory store has not ended"
            return "skipped", {"skipped": {"type": "memory_store_busy", "message": told}}
        if new.sessions < body["min_sessions"]:
            told = f"{new.sessions} new sessions since the last dream, and it takes {body['min_sessions']}"
            return "skipped", {"skipped": {"type": "too_few_sessions", "message": told}}
        return "dream", {"dream_id": self._requests.begin(_asked(body, self._sessions(conn)), conn).id}

    def _in_the_way(self, store_id: str, conn: Connection) -> Said | None:
        """What the next run would meet too."""
        home = workspaces.find(conn, self._resources.workspace)
        if home is not None and home.archived_at is not None:
            return _error("workspace_archived_error", f"the workspace {home.id} is archived")
        try:
            writable(self._stores.get(store_id, lock=True, conn=conn))
        except NotFound:
            return _error("memory_store_not_found_error", f"there is no memory store {store_id}")
        except Archived:
            return _error("memory_store_archived_error", f"the memory store {store_id} is archived")
        return None

    def _sessions(self, conn: Connection) -> Sequence[str]:
        """All of them, not the new ones alone: numbers come from many; what was read before is read from a
        cache."""
        return rows.at_rest(conn, MAX_SESSIONS, besides=DREAMER)


def _wanted(body: Said, new: _New, used: _New) -> bool:
    trigger: Said = body["trigger"]
    if trigger["type"] == "failed_outcome":
        return new.failed > used.failed
    return new.sessions - used.sessions >= trigger["every"] and new.sessions >= body["min_sessions"]


def _asked(body: Said, sessions: Sequence[str]) -> Asked:
    store_id = body["memory_store_id"]
    return Asked(
        store_id,
        sessions,
        body["model"],
        body["instructions"],
        body["output"],
        into=store_id,
        max_tokens=body.get("max_tokens"),
    )


def _error(type: str, message: str) -> Said:
    return {"type": type, "message": message}


def _key(schedule_id: str, slot: datetime) -> str:
    """What no two runs share."""
    return f"{schedule_id}@{iso(slot)}"
