"""Schedules of dreams: made, changed, paused, archived, listed. ``schedule_runs`` dreams by them."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from reverie.domain.clock import Clock, iso
from reverie.domain.dream_requests import NO_MODEL
from reverie.domain.errors import Archived, Invalid
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.memory.catalog import Catalog
from reverie.memory.stores import writable
from reverie.storage.database import Connection
from reverie.workspaces.metadata import patched
from reverie.workspaces.resources import Resources
from reverie.workspaces.schedule import checked, upcoming

__all__ = [
    "ACTIVE",
    "DUE_FROM",
    "KIND",
    "MAX_SCHEDULES",
    "RUN",
    "DreamScheduleView",
    "DreamSchedules",
    "State",
    "paused",
]

KIND: Final = "dream_schedule"
RUN: Final = "dream_schedule_run"
ACTIVE: Final = "active"
DUE_FROM: Final = "due_from"
"""Of a body: since when its times count. What was due before is not caught up on."""
MAX_SCHEDULES: Final = 1_000
_UPCOMING: Final = 5
_MIN_SESSIONS: Final = 5

Said: TypeAlias = Mapping[str, Any]
State: TypeAlias = Literal["active", "paused"]


@dataclass(frozen=True, slots=True)
class DreamScheduleView:
    """A schedule, with what is computed of it: when it is due next (cron only), and its last run."""

    resource: Resource
    upcoming: tuple[datetime, ...]
    last_run: Resource | None


class DreamSchedules:
    """The schedules of one workspace. All methods raise ``NotFound`` for an id that is not one of them.

    A body has ``name``, ``memory_store_id``, ``trigger`` (``{"type": "cron", "expression", "timezone"}``,
    ``{"type": "sessions", "every"}``, ``{"type": "failed_outcome"}``, ``{"type": "manual"}``), ``min_sessions``,
    ``output`` ("propose", "update_existing"), ``model`` ("none": the templates write), ``instructions``, ``max_tokens``, ``metadata`` and ``paused_reason``.
    """

    def __init__(self, resources: Resources, stores: Catalog, *, clock: Clock) -> None:
        self._resources = resources
        self._stores = stores
        self._clock = clock

    def create(self, asked: Said) -> DreamScheduleView:
        """A new schedule, active.

        Raises:
            NotFound: the store.
            Archived: the store was.
            Invalid: a cron schedule that is none; the 1,001st schedule.
        """

        def work(conn: Connection) -> Resource:
            writable(self._stores.get(asked["memory_store_id"], lock=True, conn=conn))
            if (count := self._resources.count(KIND, conn=conn)) >= MAX_SCHEDULES:
                raise Invalid("dream_schedules", f"at most {MAX_SCHEDULES:,}", count + 1)
            store_id = asked["memory_store_id"]
            body = {**self._body(asked, {}), "memory_store_id": store_id}
            return self._resources.create(
                KIND, body, prefix="dsched", parent=store_id, status=ACTIVE, conn=conn
            )

        return self._view(self._resources.write(work))

    def get(self, schedule_id: str) -> DreamScheduleView:
        """A schedule."""
        return self._view(self._resources.get(KIND, schedule_id))

    def update(self, schedule_id: str, asked: Said, *, version: int | None = None) -> DreamScheduleView:
        """Change a schedule; what ``asked`` leaves out stays. ``version`` is the one that was looked at.

        Raises:
            Archived: it is archived.
            Conflict: its version is another one.
            Invalid: as for ``create``.
        """

        def change(found: Resource) -> Resource:
            _open(found)
            return replace(found, body={**found.body, **self._body(asked, found.body)})

        return self._view(self._resources.change(KIND, schedule_id, change, expected_version=version))

    def archive(self, schedule_id: str) -> DreamScheduleView:
        """Archive a schedule for good. Again is harmless."""
        now = self._clock()

        def change(found: Resource) -> Resource:
            return replace(found, archived_at=found.archived_at or now)

        return self._view(self._resources.change(KIND, schedule_id, change))

    def pause(self, schedule_id: str) -> DreamScheduleView:
        """Let it start nothing by itself; people still can. Again is harmless.

        Raises:
            Archived: it is archived.
        """

        def change(found: Resource) -> Resource:
            _open(found)
            return found if found.status != ACTIVE else paused(found, {"type": "manual"})

        return self._view(self._resources.change(KIND, schedule_id, change))

    def unpause(self, schedule_id: str) -> DreamScheduleView:
        """Let it start dreams again, from now on: no time is caught up on. Again is harmless.

        Raises:
            Archived: it is archived.
        """
        since = {"paused_reason": None, DUE_FROM: iso(self._clock())}

        def change(found: Resource) -> Resource:
            _open(found)
            if found.status == ACTIVE:
                return found
            return replace(found, status=ACTIVE, body={**found.body, **since})

        return self._view(self._resources.change(KIND, schedule_id, change))

    def list(
        self,
        *,
        store_id: str | None = None,
        status: State | None = None,
        created: Period = ALWAYS,
        archived: bool | None = False,
        after: Cursor | None = None,
        limit: int | None = None,
    ) -> builtins.list[DreamScheduleView]:
        """Schedules, newest first; ``archived`` as ``Resources.list``."""
        found = self._resources.list(
            KIND,
            parent=store_id,
            statuses=None if status is None else (status,),
            created=created,
            archived=archived,
            after=after,
            limit=limit,
        )
        return [self._view(each) for each in found]

    def preview(self, expression: str, timezone: str) -> tuple[datetime, ...]:
        """When a schedule by this cron expression would be due next.

        Raises:
            Invalid: it is none.
        """
        checked(expression, timezone)
        return tuple(upcoming(expression, timezone, self._clock(), _UPCOMING))

    # ------------------------------------------------------------------ inside

    def _body(self, asked: Said, stored: Said) -> dict[str, Any]:
        told = partial(_told, asked, stored)
        trigger: Said = told("trigger")
        if trigger["type"] == "cron" and trigger != stored.get("trigger"):
            checked(trigger["expression"], trigger["timezone"])
        same = trigger == stored.get("trigger")
        return {
            "name": told("name"),
            "trigger": dict(trigger),
            "min_sessions": told("min_sessions", _MIN_SESSIONS),
            "output": told("output", "propose"),
            "model": told("model", NO_MODEL),
            "max_tokens": asked.get("max_tokens", stored.get("max_tokens")),
            "instructions": asked.get("instructions", stored.get("instructions")),
            "metadata": patched(stored.get("metadata", {}), asked.get("metadata")),
            "paused_reason": stored.get("paused_reason"),
            DUE_FROM: stored[DUE_FROM] if same else iso(self._clock()),
        }

    def _view(self, schedule: Resource) -> DreamScheduleView:
        trigger: Said = schedule.body["trigger"]
        due: builtins.list[datetime] = []
        if trigger["type"] == "cron" and schedule.archived_at is None:
            due = upcoming(trigger["expression"], trigger["timezone"], self._clock(), _UPCOMING)
        last = self._resources.list(RUN, parent=schedule.id, limit=1)
        return DreamScheduleView(schedule, tuple(due), last[0] if last else None)


def paused(schedule: Resource, reason: Said) -> Resource:
    """The schedule, paused for a reason."""
    return replace(schedule, status="paused", body={**schedule.body, "paused_reason": dict(reason)})


def _open(schedule: Resource) -> None:
    if schedule.archived_at is not None:
        raise Archived("the schedule is archived and cannot be changed", where=schedule.id)


def _told(asked: Said, stored: Said, key: str, default: Any = None) -> Any:
    """What is asked for, else what is stored, else the default; null asks for the default."""
    value = asked.get(key, stored.get(key))
    return default if value is None else value
