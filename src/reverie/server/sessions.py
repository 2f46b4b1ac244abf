"""Sessions over HTTP."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from reverie.domain.errors import Invalid
from reverie.domain.resources import Cursor
from reverie.domain.sessions import PERSON, Outcome
from reverie.server.endpoint import Call, Endpoint, TwoWayPage
from reverie.server.paging import after, text
from reverie.server.shaping import facets, since
from reverie.server.wire.sessions import (
    DeletedSession,
    LabelAsk,
    Session,
    SessionCreate,
    SessionList,
    SessionUpdate,
    session_body,
)
from reverie.storage.managed import Filters
from reverie.workspaces.sessions import SessionView

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/sessions"
_ITEM: Final = f"{_PATH}/{{session_id}}"
_BACK: Final = "prev_"


def _create(call: Call[SessionCreate, None]) -> Session:
    return session_body(call.house.sessions.create(msgspec.to_builtins(call.body)))


def _retrieve(call: Call[None, None]) -> Session:
    return session_body(call.house.sessions.get(call.path["session_id"]))


def _update(call: Call[SessionUpdate, None]) -> Session:
    asked = msgspec.to_builtins(call.body)
    return session_body(call.house.sessions.update(call.path["session_id"], asked))


def _label(call: Call[LabelAsk, None]) -> Session:
    said = Outcome(call.body.label, call.body.score, PERSON)
    return session_body(call.house.sessions.label(call.path["session_id"], said, call.body.explanation))


def _archive(call: Call[None, None]) -> Session:
    return session_body(call.house.sessions.archive(call.path["session_id"]))


def _delete(call: Call[None, None]) -> DeletedSession:
    call.house.sessions.delete(call.path["session_id"], actor=call.principal.actor)
    return DeletedSession(id=call.path["session_id"])


def _list(call: Call[None, SessionList]) -> TwoWayPage[Session]:
    """A page and its neighbours. Backwards is the same list the other way round, from the first of the page."""
    query = call.query
    back, place = _place(query.page)
    newest_first = (query.order == "desc") != back
    found = call.house.sessions.list(
        _filters(query), after=place, limit=query.limit + 1, newest_first=newest_first
    )
    more, shown = len(found) > query.limit, found[: query.limit]
    if back:
        shown.reverse()
    further = bool(shown) and (back or more)
    before = bool(shown) and (place is not None and (not back or more))
    return TwoWayPage(
        data=[session_body(seen) for seen in shown],
        next_page=_cursor(shown[-1], "") if further else None,
        prev_page=_cursor(shown[0], _BACK) if before else None,
    )


def _filters(query: SessionList) -> Filters:
    if query.agent_version is not None and query.agent_id is None:
        raise Invalid("agent_version", "only together with agent_id")
    refers = [query.memory_store_id] if query.memory_store_id is not None else []
    if query.agent_id is not None:
        version = "" if query.agent_version is None else f"@{query.agent_version}"
        refers.append(f"{query.agent_id}{version}")
    return Filters(
        refers=refers,
        deployment=query.deployment_id,
        statuses=query.statuses,
        archived=query.include_archived,
        created=since(query),
        **facets(query),
    )


def _place(page: str | None) -> tuple[bool, Cursor | None]:
    if page is None or not page.startswith(_BACK):
        return False, after(page)
    return True, after(page.removeprefix(_BACK))


def _cursor(seen: SessionView, way: Literal["", "prev_"]) -> str:
    return way + text((seen.row.created_at, seen.row.id))


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, Session, "sessions:write", body=SessionCreate, tag="sessions",
             summary="Make a session; with initial events it begins to work"),
    Endpoint("GET", _PATH, _list, TwoWayPage[Session], "sessions:read", query=SessionList, tag="sessions",
             summary="List sessions, imported ones among them"),
    Endpoint("GET", _ITEM, _retrieve, Session, "sessions:read", tag="sessions", summary="A session"),
    Endpoint("POST", _ITEM, _update, Session, "sessions:write", body=SessionUpdate, tag="sessions",
             summary="Change title, metadata, budget or tools"),
    Endpoint("DELETE", _ITEM, _delete, DeletedSession, "sessions:write", tag="sessions",
             summary="Delete a session and its events"),
    Endpoint("POST", f"{_ITEM}/archive", _archive, Session, "sessions:write", tag="sessions",
             summary="End a session for good, and keep it"),
    Endpoint("POST", f"{_ITEM}/outcome", _label, Session, "sessions:write", body=LabelAsk, tag="sessions",
             summary="Say how a session ended, for dreams to learn from"),
)  # fmt: skip
