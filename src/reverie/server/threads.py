"""Threads of sessions over HTTP."""

from __future__ import annotations

from typing import Final

from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.wire.threads import SessionThread, ThreadList, thread_body

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/sessions/{session_id}/threads"
_ITEM: Final = f"{_PATH}/{{thread_id}}"


def _list(call: Call[None, ThreadList]) -> Page[SessionThread]:
    query = call.query
    found = call.house.threads.list(
        call.path["session_id"], statuses=query.statuses, after=after(query.page), limit=query.limit + 1
    )
    return page(found, query.limit, lambda seen: (seen.created_at, seen.id), thread_body)


def _retrieve(call: Call[None, None]) -> SessionThread:
    return thread_body(call.house.threads.get(call.path["session_id"], call.path["thread_id"]))


def _archive(call: Call[None, None]) -> SessionThread:
    return thread_body(call.house.threads.archive(call.path["session_id"], call.path["thread_id"]))


ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _list, Page[SessionThread], "sessions:read", query=ThreadList, tag="threads",
             summary="List a session's threads, oldest first"),
    Endpoint("GET", _ITEM, _retrieve, SessionThread, "sessions:read", tag="threads", summary="A thread"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, SessionThread, "sessions:write", tag="threads",
             summary="Archive a child thread that is idle"),
)  # fmt: skip
