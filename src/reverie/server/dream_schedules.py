"""Schedules of dreams over HTTP, and their runs."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from reverie.domain.errors import Forbidden, Invalid
from reverie.domain.resources import Cursor, Resource
from reverie.dreaming.schedules import DreamScheduleView
from reverie.server.auth import Principal
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place, since
from reverie.server.wire.dream_schedules import (
    DreamSchedule,
    DreamScheduleCreate,
    DreamScheduleList,
    DreamScheduleRun,
    DreamScheduleRunList,
    DreamScheduleUpdate,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/dream_schedules"
_ITEM: Final = f"{_PATH}/{{dream_schedule_id}}"
_WRITES: Final = "memory_stores:write"


def _create(call: Call[DreamScheduleCreate, None]) -> DreamSchedule:
    store_id = call.body.memory_store_id
    asked = _asked(call.principal, msgspec.to_builtins(call.body), store_id)
    return _schedule(call.house.dream_schedules.create(asked))


def _retrieve(call: Call[None, None]) -> DreamSchedule:
    return _schedule(call.house.dream_schedules.get(call.path["dream_schedule_id"]))


def _update(call: Call[DreamScheduleUpdate, None]) -> DreamSchedule:
    schedules, schedule_id = call.house.dream_schedules, call.path["dream_schedule_id"]
    store_id: str = schedules.get(schedule_id).resource.body["memory_store_id"]
    asked = _asked(call.principal, msgspec.to_builtins(call.body), store_id)
    version: int | None = asked.pop("version", None)
    return _schedule(schedules.update(schedule_id, asked, version=version))


def _list(call: Call[None, DreamScheduleList]) -> Page[DreamSchedule]:
    query = call.query
    found = call.house.dream_schedules.list(
        store_id=query.memory_store_id,
        status=query.status,
        created=since(query),
        archived=None if query.include_archived else False,
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, _place, _schedule)


def _archive(call: Call[None, None]) -> DreamSchedule:
    return _schedule(call.house.dream_schedules.archive(call.path["dream_schedule_id"]))


def _pause(call: Call[None, None]) -> DreamSchedule:
    return _schedule(call.house.dream_schedules.pause(call.path["dream_schedule_id"]))


def _unpause(call: Call[None, None]) -> DreamSchedule:
    return _schedule(call.house.dream_schedules.unpause(call.path["dream_schedule_id"]))


def _run(call: Call[None, None]) -> DreamScheduleRun:
    return _answered_run(call.house.dream_schedule_runs.run(call.path["dream_schedule_id"]))


def _runs(call: Call[None, DreamScheduleRunList]) -> Page[DreamScheduleRun]:
    query = call.query
    found = call.house.dream_schedule_runs.list(
        call.path["dream_schedule_id"],
        outcome=query.outcome,
        created=since(query),
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, place, _answered_run)


def _asked(principal: Principal, said: dict[str, Any], store_id: str) -> dict[str, Any]:
    """What is asked for, in the service's words.

    Raises:
        Forbidden: what writes into a store without a person wants a key that may.
        Invalid: it writes into another store than it reads.
    """
    if "budget" in said:
        budget: dict[str, Any] | None = said.pop("budget")
        said = {**said, "max_tokens": None if budget is None else budget["max_tokens"]}
    output: dict[str, Any] | None = said.pop("output_behavior", None)
    if output is None:
        return said
    if output["type"] == "update_existing":
        if not principal.may(_WRITES):
            raise Forbidden(f"this key may not do that: it lacks the scope {_WRITES}")
        if output["memory_store_id"] != store_id:
            named = output["memory_store_id"]
            raise Invalid("output_behavior.memory_store_id", "the memory store of the schedule", named)
    return {**said, "output": output["type"]}


def _schedule(view: DreamScheduleView) -> DreamSchedule:
    body = view.resource.body
    trigger = body["trigger"]
    if trigger["type"] == "cron":
        trigger = {**trigger, "upcoming_runs_at": view.upcoming}
    found: DreamSchedule = answered(
        view.resource,
        DreamSchedule,
        status=view.resource.status,
        version=view.resource.version,
        trigger=trigger,
        budget=None if body.get("max_tokens") is None else {"max_tokens": body["max_tokens"]},
        output_behavior={"type": body["output"], "memory_store_id": body["memory_store_id"]},
        last_run=None if view.last_run is None else _answered_run(view.last_run),
    )
    return found


def _answered_run(run: Resource) -> DreamScheduleRun:
    found: DreamScheduleRun = answered(run, DreamScheduleRun, dream_schedule_id=run.parent)
    return found


def _place(view: DreamScheduleView) -> Cursor:
    return place(view.resource)


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, DreamSchedule, "dreams:write", body=DreamScheduleCreate,
             tag="dream schedules", summary="Make a schedule of dreams"),
    Endpoint("GET", _PATH, _list, Page[DreamSchedule], "dreams:read", query=DreamScheduleList,
             tag="dream schedules", summary="List schedules of dreams, newest first"),
    Endpoint("GET", _ITEM, _retrieve, DreamSchedule, "dreams:read", tag="dream schedules",
             summary="A schedule of dreams"),
    Endpoint("POST", _ITEM, _update, DreamSchedule, "dreams:write", body=DreamScheduleUpdate,
             tag="dream schedules", summary="Change a schedule of dreams"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, DreamSchedule, "dreams:write", tag="dream schedules",
             summary="Archive a schedule of dreams, for good"),
    Endpoint("POST", f"{_ITEM}/pause", _pause, DreamSchedule, "dreams:write", tag="dream schedules",
             summary="Let it start nothing by itself"),
    Endpoint("POST", f"{_ITEM}/unpause", _unpause, DreamSchedule, "dreams:write", tag="dream schedules",
             summary="Let it start dreams by itself again"),
    Endpoint("POST", f"{_ITEM}/run", _run, DreamScheduleRun, "dreams:write", tag="dream schedules",
             summary="Dream now, if there is enough that is new"),
    Endpoint("GET", f"{_ITEM}/runs", _runs, Page[DreamScheduleRun], "dreams:read",
             query=DreamScheduleRunList, tag="dream schedules", summary="List runs of a schedule, newest first"),
)  # fmt: skip
