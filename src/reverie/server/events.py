"""Events of sessions and of their threads over HTTP: list, send, stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.responses import Response

from reverie.domain.errors import Invalid
from reverie.domain.events import Event, QueuedEvent
from reverie.server.endpoint import Call, Endpoint, Page, Stream
from reverie.server.shaping import since
from reverie.server.sse import open_stream
from reverie.server.wire.event_lists import EventList, EventStream, SessionStream, ThreadEventList
from reverie.server.wire.events import SendSessionEvents, SessionEvent
from reverie.server.wire.rendering import rendered
from reverie.server.wire.sending import SendAsk
from reverie.sessions.views import Asking, Place, View

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/sessions/{session_id}"
_THREAD: Final = f"{_PATH}/threads/{{thread_id}}"
_PLACE: Final = re.compile(r"page_(0|[1-9]\d{0,17})_(0|[1-9]\d{0,17})")


def _send(call: Call[SendAsk, None]) -> Response:
    session_id = call.path["session_id"]
    asked: list[dict[str, Any]] = msgspec.to_builtins(call.body)["events"]
    accepted = call.house.sessions.send(session_id, asked)
    seen = View(session_id)
    told = [rendered(event, seen, call.house.live.clock()) for event in accepted]
    return _json({"data": told})


def _list(call: Call[None, EventList]) -> Response:
    query = call.query
    asking = Asking(tuple(query.types), since(query), query.order == "desc")
    return _page(call, asking, None)


def _list_of_thread(call: Call[None, ThreadEventList]) -> Response:
    return _page(call, Asking(), call.path["thread_id"])


def _page(call: Call[None, Any], asking: Asking, thread: str | None) -> Response:
    limit: int = call.query.limit
    seen, row, found = call.house.sessions.events(
        call.path["session_id"], asking, thread=thread, after=_place(call.query.page), limit=limit + 1
    )
    otherwise = row.started_at or row.created_at
    shown = found[:limit]
    more = _cursor(shown, _place(call.query.page), asking) if len(found) > limit else None
    return _json({"data": [rendered(event, seen, otherwise) for event in shown], "next_page": more})


def _retrieve(call: Call[None, None]) -> Response:
    seen, row, event = call.house.sessions.event(call.path["session_id"], call.path["event_id"])
    return _json(rendered(event, seen, row.started_at or row.created_at))


async def _stream(call: Call[None, SessionStream]) -> Response:
    return await _open(call, None, whole=call.query.all_threads)


async def _stream_of_thread(call: Call[None, EventStream]) -> Response:
    return await _open(call, call.path["thread_id"])


async def _open(call: Call[None, Any], thread: str | None, *, whole: bool = False) -> Response:
    query: EventStream = call.query
    return await open_stream(
        call.server,
        call.house,
        call.principal,
        call.request,
        thread,
        query.after,
        frozenset(query.event_deltas),
        whole=whole,
    )


def _json(body: Any) -> Response:
    """Events are plain data already: what imported logs say of them beyond the wire's shapes is kept."""
    return Response(msgspec.json.encode(body), media_type="application/json")


def _place(page: str | None) -> Place | None:
    """Where a page begins: behind that event of the log, and that of the inbox."""
    if page is None:
        return None
    found = _PLACE.fullmatch(page)
    if found is None:
        raise Invalid("page", "a cursor that a list gave as next_page", page[:64])
    return Place(int(found[1]), int(found[2]))


def _cursor(shown: Sequence[Event | QueuedEvent], before: Place | None, asking: Asking) -> str:
    """The place behind the last one shown."""
    seq, position = (before.seq, before.position) if before is not None else (0, 0)
    for event in shown:
        if isinstance(event, QueuedEvent):
            position = event.position
        else:
            seq = event.seq
            position = 0 if asking.newest_first else position
    return f"page_{seq}_{position}"


ENDPOINTS: Final = (
    Endpoint("POST", f"{_PATH}/events", _send, SendSessionEvents, "sessions:write", body=SendAsk,
             tag="events", summary="Send events, all or none"),
    Endpoint("GET", f"{_PATH}/events", _list, Page[SessionEvent], "sessions:read", query=EventList,
             tag="events", summary="List a session's events; behind them those that wait"),
    Endpoint("GET", f"{_PATH}/events/stream", _stream, Stream, "sessions:read", query=SessionStream,
             tag="events", summary="Stream a session's events"),
    Endpoint("GET", f"{_PATH}/events/{{event_id}}", _retrieve, SessionEvent, "sessions:read",
             tag="events", summary="One event, of whichever thread: what evidence points at"),
    Endpoint("GET", f"{_THREAD}/events", _list_of_thread, Page[SessionEvent], "sessions:read",
             query=ThreadEventList, tag="events", summary="List a thread's events"),
    Endpoint("GET", f"{_THREAD}/stream", _stream_of_thread, Stream, "sessions:read", query=EventStream,
             tag="events", summary="Stream a thread's events"),
)  # fmt: skip
