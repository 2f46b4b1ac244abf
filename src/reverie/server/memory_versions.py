"""Versions of memories over HTTP."""

from __future__ import annotations

from typing import Final

from reverie.domain.errors import Invalid
from reverie.domain.memories import MemoryVersion as Kept
from reverie.domain.resources import Cursor
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.memories import FULL_PAGE, shown
from reverie.server.paging import after, page
from reverie.server.shaping import since
from reverie.server.wire.memories import Memory, MemoryWrite, View
from reverie.server.wire.memory_versions import (
    Actor,
    ApiActor,
    MemoryVersion,
    MemoryVersionDiff,
    MemoryVersionDiffQuery,
    MemoryVersionGet,
    MemoryVersionList,
    ServiceAccountActor,
    SessionActor,
    UserActor,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/memory_stores/{memory_store_id}/memory_versions"
_ITEM: Final = f"{_PATH}/{{memory_version_id}}"
_HOUSE: Final = ("reverie", "dream:")  # how the house itself signs what it writes


def _list(call: Call[None, MemoryVersionList]) -> Page[MemoryVersion]:
    query = call.query
    limit = min(query.limit, FULL_PAGE) if query.view == "full" else query.limit
    found = call.house.memories.versions(
        call.path["memory_store_id"],
        memory_id=query.memory_id,
        operation=query.operation,
        actor=_asked_actor(query),
        created=since(query),
        after=after(query.page),
        limit=limit + 1,
    )
    return page(found, limit, _place, lambda version: _version(version, query.view))


def _retrieve(call: Call[None, MemoryVersionGet]) -> MemoryVersion:
    found = call.house.memories.version(call.path["memory_store_id"], call.path["memory_version_id"])
    return _version(found, call.query.view)


def _redact(call: Call[None, None]) -> MemoryVersion:
    wiped = call.house.memories.redact(
        call.path["memory_store_id"], call.path["memory_version_id"], actor=call.principal.actor
    )
    return _version(wiped, "basic")


def _restore(call: Call[None, MemoryWrite]) -> Memory:
    restored = call.house.memories.restore(
        call.path["memory_store_id"], call.path["memory_version_id"], actor=call.principal.actor
    )
    return shown(restored, call.query.view)


def _diff(call: Call[None, MemoryVersionDiffQuery]) -> MemoryVersionDiff:
    older, newer = call.query.against, call.path["memory_version_id"]
    diff = call.house.memories.diff(call.path["memory_store_id"], older, newer)
    return MemoryVersionDiff(diff=diff, from_version_id=older, to_version_id=newer)


def _asked_actor(query: MemoryVersionList) -> str | None:
    """The one writer that a query asks for, as the history names writers."""
    asked = [
        name
        for name in (
            query.api_key_id and f"api:{query.api_key_id}",
            query.session_id and f"session:{query.session_id}",
            query.service_account_id,
        )
        if name
    ]
    if len(asked) > 1:
        raise Invalid("session_id", "one of api_key_id, session_id and service_account_id", len(asked))
    return asked[0] if asked else None


def _version(version: Kept, view: View) -> MemoryVersion:
    redacted = version.redacted_at is not None
    content = version.content
    return MemoryVersion(
        id=version.id,
        content=content if view == "full" else None,
        content_sha256=version.content_sha256,
        content_size_bytes=None if content is None else len(content.encode("utf-8")),
        created_at=version.created_at,
        created_by=_actor(version.actor),
        memory_id=version.memory_id,
        memory_store_id=version.store_id,
        operation=version.operation,
        path=None if redacted else version.path,
        redacted_at=version.redacted_at,
        redacted_by=None if version.redacted_by is None else _actor(version.redacted_by),
        version=version.version,
        reason=version.reason,
        proposal_id=version.proposal_id,
    )


def _actor(name: str) -> Actor:
    kind, colon, id = name.partition(":")
    if colon and kind == "api":
        return ApiActor(api_key_id=id)
    if colon and kind == "session":
        return SessionActor(session_id=id)
    if name.startswith(_HOUSE):
        return ServiceAccountActor(service_account_id=name)
    return UserActor(user_id=name)


def _place(version: Kept) -> Cursor:
    return version.created_at, version.id


ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _list, Page[MemoryVersion], "memory_stores:read", query=MemoryVersionList,
             tag="memory_versions", summary="List versions, newest first, of deleted memories too"),
    Endpoint("GET", _ITEM, _retrieve, MemoryVersion, "memory_stores:read", query=MemoryVersionGet,
             tag="memory_versions", summary="A version of a memory"),
    Endpoint("POST", f"{_ITEM}/redact", _redact, MemoryVersion, "memory_stores:write",
             tag="memory_versions", summary="Take a version's text and path, for good; who and when stay"),
    Endpoint("POST", f"{_ITEM}/restore", _restore, Memory, "memory_stores:write", query=MemoryWrite,
             tag="memory_versions", summary="Write a version's text back, as a new version"),
    Endpoint("GET", f"{_ITEM}/diff", _diff, MemoryVersionDiff, "memory_stores:read",
             query=MemoryVersionDiffQuery, tag="memory_versions", summary="A version against another one"),
)  # fmt: skip
