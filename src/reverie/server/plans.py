"""Plans of sessions over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Final

import msgspec

from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.wire.plans import PlanList, PlanRun, PlanStart, PlanStop, plan_body

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/sessions/{session_id}/plans"
_ITEM: Final = f"{_PATH}/{{plan_id}}"


def _start(call: Call[PlanStart, None]) -> PlanRun:
    asked = msgspec.to_builtins(call.body.plan)
    return plan_body(call.house.plans.start(call.path["session_id"], asked))


def _list(call: Call[None, PlanList]) -> Page[PlanRun]:
    query = call.query
    found = call.house.plans.list(call.path["session_id"], after=after(query.page), limit=query.limit + 1)
    return page(found, query.limit, lambda seen: (seen.created_at, seen.id), partial(plan_body, whole=False))


def _retrieve(call: Call[None, None]) -> PlanRun:
    return plan_body(call.house.plans.get(call.path["session_id"], call.path["plan_id"]))


def _stop(call: Call[PlanStop, None]) -> PlanRun:
    path = call.path
    return plan_body(call.house.plans.stop(path["session_id"], path["plan_id"], call.body.why))


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _start, PlanRun, "sessions:write", body=PlanStart, tag="plans",
             summary="Have a plan carried out by the agents that the session's may call"),
    Endpoint("GET", _PATH, _list, Page[PlanRun], "sessions:read", query=PlanList, tag="plans",
             summary="List a session's runs of plans, oldest first"),
    Endpoint("GET", _ITEM, _retrieve, PlanRun, "sessions:read", tag="plans",
             summary="A run of a plan, and what became of each task"),
    Endpoint("POST", f"{_ITEM}/stop", _stop, PlanRun, "sessions:write", body=PlanStop, tag="plans",
             summary="Stop a run of a plan"),
)  # fmt: skip
