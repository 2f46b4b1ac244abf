"""Deployments over HTTP."""

from __future__ import annotations

from typing import Final

import msgspec

from reverie.domain.errors import Invalid
from reverie.domain.resources import Cursor
from reverie.server.deployment_runs import answered_run
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place, since
from reverie.server.wire.deployments import (
    Deployment,
    DeploymentCreate,
    DeploymentList,
    DeploymentRun,
    DeploymentUpdate,
)
from reverie.workspaces.deployments import DeploymentView

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/deployments"
_ITEM: Final = f"{_PATH}/{{deployment_id}}"


def _create(call: Call[DeploymentCreate, None]) -> Deployment:
    return _deployment(call.house.deployments.create(msgspec.to_builtins(call.body)))


def _retrieve(call: Call[None, None]) -> Deployment:
    return _deployment(call.house.deployments.get(call.path["deployment_id"]))


def _update(call: Call[DeploymentUpdate, None]) -> Deployment:
    asked = msgspec.to_builtins(call.body)
    return _deployment(call.house.deployments.update(call.path["deployment_id"], asked))


def _list(call: Call[None, DeploymentList]) -> Page[Deployment]:
    query = call.query
    if query.status is not None and query.include_archived:
        raise Invalid("status", "not together with include_archived", query.status)
    found = call.house.deployments.list(
        agent_id=query.agent_id,
        status=query.status,
        created=since(query),
        archived=query.include_archived,
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, _place, _deployment)


def _archive(call: Call[None, None]) -> Deployment:
    return _deployment(call.house.deployments.archive(call.path["deployment_id"]))


def _pause(call: Call[None, None]) -> Deployment:
    return _deployment(call.house.deployments.pause(call.path["deployment_id"]))


def _unpause(call: Call[None, None]) -> Deployment:
    return _deployment(call.house.deployments.unpause(call.path["deployment_id"]))


def _run(call: Call[None, None]) -> DeploymentRun:
    return answered_run(call.house.deployment_runs.run(call.path["deployment_id"]))


def _place(view: DeploymentView) -> Cursor:
    return place(view.resource)


def _deployment(view: DeploymentView) -> Deployment:
    schedule = view.resource.body["schedule"]
    if schedule is not None:
        schedule = {**schedule, "last_run_at": view.last_run_at, "upcoming_runs_at": view.upcoming}
    paused = view.resource.archived_at is None and view.resource.body["paused_reason"] is not None
    found: Deployment = answered(
        view.resource,
        Deployment,
        schedule=schedule,
        status="paused" if paused else "active",
        paused_reason=view.resource.body["paused_reason"] if paused else None,
    )
    return found


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Deployment, "deployments:write", body=DeploymentCreate,
             tag="deployments", summary="Make a deployment"),
    Endpoint("GET", _PATH, _list, Page[Deployment], "deployments:read", query=DeploymentList,
             tag="deployments", summary="List deployments, newest first"),
    Endpoint("GET", _ITEM, _retrieve, Deployment, "deployments:read", tag="deployments",
             summary="A deployment"),
    Endpoint("POST", _ITEM, _update, Deployment, "deployments:write", body=DeploymentUpdate,
             tag="deployments", summary="Change a deployment"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, Deployment, "deployments:write", tag="deployments",
             summary="Archive a deployment, for good"),
    Endpoint("POST", f"{_ITEM}/pause", _pause, Deployment, "deployments:write", tag="deployments",
             summary="Let no schedule start it"),
    Endpoint("POST", f"{_ITEM}/unpause", _unpause, Deployment, "deployments:write", tag="deployments",
             summary="Let the schedule start it again"),
    Endpoint("POST", f"{_ITEM}/run", _run, DeploymentRun, "deployments:write", tag="deployments",
             summary="Start a session now"),
)  # fmt: skip
