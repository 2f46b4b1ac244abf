"""What is mounted in a session, over HTTP."""

from __future__ import annotations

from typing import Final

import msgspec

from reverie.domain.errors import Invalid
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.wire.session_resources import (
    DeletedResource,
    FileResource,
    FileResourceAsk,
    ResourceList,
    ResourceUpdate,
    SessionResource,
    resource_body,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/sessions/{session_id}/resources"
_ITEM: Final = f"{_PATH}/{{resource_id}}"


def _add(call: Call[FileResourceAsk, None]) -> FileResource:
    added = call.house.sessions.add_resource(call.path["session_id"], msgspec.to_builtins(call.body))
    return msgspec.convert(resource_body(added), FileResource)


def _list(call: Call[None, ResourceList]) -> Page[SessionResource]:
    query, found = call.query, call.house.sessions.resources(call.path["session_id"])
    start = _behind([resource["id"] for resource in found], query.page)
    end = len(found) if query.limit is None else min(len(found), start + query.limit)
    shown = [_resource(resource) for resource in found[start:end]]
    return Page(data=shown, next_page=f"page_{found[end - 1]['id']}" if end < len(found) else None)


def _behind(ids: list[str], page: str | None) -> int:
    if page is None:
        return 0
    if page.removeprefix("page_") not in ids:
        raise Invalid("page", "a cursor that a list gave as next_page", page[:64])
    return ids.index(page.removeprefix("page_")) + 1


def _retrieve(call: Call[None, None]) -> SessionResource:
    return _resource(call.house.sessions.resource(call.path["session_id"], call.path["resource_id"]))


def _update(call: Call[ResourceUpdate, None]) -> SessionResource:
    token = call.body.authorization_token
    fresh = call.house.sessions.rotate_token(call.path["session_id"], call.path["resource_id"], token)
    return _resource(fresh)


def _delete(call: Call[None, None]) -> DeletedResource:
    call.house.sessions.delete_resource(call.path["session_id"], call.path["resource_id"])
    return DeletedResource(id=call.path["resource_id"])


def _resource(resource: dict[str, object]) -> SessionResource:
    found: SessionResource = msgspec.convert(resource_body(resource), SessionResource)  # type: ignore[arg-type]
    return found


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _add, FileResource, "sessions:write", body=FileResourceAsk,
             tag="session resources", summary="Mount one more file"),
    Endpoint("GET", _PATH, _list, Page[SessionResource], "sessions:read", query=ResourceList,
             tag="session resources", summary="What is mounted in a session"),
    Endpoint("GET", _ITEM, _retrieve, SessionResource, "sessions:read", tag="session resources",
             summary="One of them"),
    Endpoint("POST", _ITEM, _update, SessionResource, "sessions:write", body=ResourceUpdate,
             tag="session resources", summary="Rotate a repository's token"),
    Endpoint("DELETE", _ITEM, _delete, DeletedResource, "sessions:write", tag="session resources",
             summary="Unmount a file or a repository"),
)  # fmt: skip
