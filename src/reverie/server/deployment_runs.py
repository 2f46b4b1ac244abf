"""Runs of deployments over HTTP."""

from __future__ import annotations

from typing import Final

from reverie.domain.resources import Resource
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place, since
from reverie.server.wire.deployments import DeploymentRun, DeploymentRunList

__all__ = ["ENDPOINTS", "answered_run"]

_PATH: Final = "/v1/deployment_runs"


def answered_run(resource: Resource) -> DeploymentRun:
    """A run in the wire's shape."""
    found: DeploymentRun = answered(resource, DeploymentRun, deployment_id=resource.parent)
    return found


def _retrieve(call: Call[None, None]) -> DeploymentRun:
    return answered_run(call.house.deployment_runs.get(call.path["deployment_run_id"]))


def _list(call: Call[None, DeploymentRunList]) -> Page[DeploymentRun]:
    query = call.query
    found = call.house.deployment_runs.list(
        deployment_id=query.deployment_id,
        has_error=query.has_error,
        trigger=query.trigger_type,
        created=since(query),
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, place, answered_run)


ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _list, Page[DeploymentRun], "deployments:read", query=DeploymentRunList,
             tag="deployment runs", summary="List runs of deployments, newest first"),
    Endpoint("GET", f"{_PATH}/{{deployment_run_id}}", _retrieve, DeploymentRun, "deployments:read",
             tag="deployment runs", summary="A run of a deployment"),
)  # fmt: skip
