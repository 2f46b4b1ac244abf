"""Environments over HTTP."""

from __future__ import annotations

from typing import Final

import msgspec

from reverie.domain.errors import Archived, Invalid
from reverie.domain.resources import Resource
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.errors import WireError
from reverie.server.paging import after, page
from reverie.server.shaping import answered, place
from reverie.server.wire.environments import (
    DeletedEnvironment,
    Environment,
    EnvironmentCreate,
    EnvironmentList,
    EnvironmentUpdate,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/environments"
_ITEM: Final = f"{_PATH}/{{environment_id}}"


def _create(call: Call[EnvironmentCreate, None]) -> Environment:
    return _environment(call.house.environments.create(msgspec.to_builtins(call.body)))


def _retrieve(call: Call[None, None]) -> Environment:
    return _environment(call.house.environments.get(call.path["environment_id"]))


def _update(call: Call[EnvironmentUpdate, None]) -> Environment:
    asked = msgspec.to_builtins(call.body)
    try:
        return _environment(call.house.environments.update(call.path["environment_id"], asked))
    except Archived as error:
        raise _coded(error, "environment_archived") from error
    except Invalid as error:
        codes = {"config.type": "invalid_config_type_change", "metadata": "invalid_metadata"}
        if error.field not in codes:
            raise
        raise _coded(error, codes[error.field]) from error


def _list(call: Call[None, EnvironmentList]) -> Page[Environment]:
    query = call.query
    found = call.house.environments.list(
        archived=query.include_archived, after=after(query.page), limit=query.limit + 1
    )
    return page(found, query.limit, place, _environment)


def _archive(call: Call[None, None]) -> Environment:
    return _environment(call.house.environments.archive(call.path["environment_id"]))


def _delete(call: Call[None, None]) -> DeletedEnvironment:
    return DeletedEnvironment(id=call.house.environments.delete(call.path["environment_id"]).id)


def _coded(error: Archived | Invalid, code: str) -> WireError:
    told = f"{error.where}: {error.what}"
    return WireError(told, status=400, type="invalid_request_error", details={"error_code": code})


def _environment(resource: Resource) -> Environment:
    found: Environment = answered(resource, Environment)
    return found


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Environment, "environments:write", body=EnvironmentCreate,
             tag="environments", summary="Make an environment"),
    Endpoint("GET", _PATH, _list, Page[Environment], "environments:read", query=EnvironmentList,
             tag="environments", summary="List environments, newest first"),
    Endpoint("GET", _ITEM, _retrieve, Environment, "environments:read", tag="environments",
             summary="An environment"),
    Endpoint("POST", _ITEM, _update, Environment, "environments:write", body=EnvironmentUpdate,
             tag="environments", summary="Change an environment"),
    Endpoint("DELETE", _ITEM, _delete, DeletedEnvironment, "environments:write", tag="environments",
             summary="Delete an environment that nothing refers to"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, Environment, "environments:write", tag="environments",
             summary="Archive an environment, for good"),
)  # fmt: skip
