"""Threads of sessions over HTTP."""

from __future__ import annotations

from typing import Final

from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.wire.threads import SessionThread, ThreadList, ThreadUpdate, thread_body

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


def _update(call: Call[ThreadUpdate, None]) -> SessionThread:
    session_id, thread = call.path["session_id"], call.path["thread_id"]
    return thread_body(call.house.threads.limit(session_id, thread, call.body.max_tokens))


def _archive(call: Call[None, None]) -> SessionThread:
    return thread_body(call.house.threads.archive(call.path["session_id"], call.path["thread_id"]))


ENDPOINTS: Final = (
    Endpoint("GET", _PATH, _list, Page[SessionThread], "sessions:read", query=ThreadList, tag="threads",
             summary="List a session's threads, oldest first"),
    Endpoint("GET", _ITEM, _retrieve, SessionThread, "sessions:read", tag="threads", summary="A thread"),
    Endpoint("POST", _ITEM, _update, SessionThread, "sessions:write", body=ThreadUpdate, tag="threads",
             summary="Say how many tokens a thread alone may use"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, SessionThread, "sessions:write", tag="threads",
             summary="Archive a child thread that is idle"),
)  # fmt: skip
