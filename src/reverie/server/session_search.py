"""Words in sessions, over HTTP (ours)."""

from __future__ import annotations

from typing import Final

from reverie.server.endpoint import Call, Endpoint
from reverie.server.paging import after, text
from reverie.server.shaping import facets
from reverie.server.wire.session_search import SessionHit, SessionHits, SessionSearchAsk
from reverie.storage.managed import Filters
from reverie.workspaces.session_search import Hit

__all__ = ["ENDPOINTS"]


def _search(call: Call[None, SessionSearchAsk]) -> SessionHits:
    query = call.query
    filters = Filters(archived=query.include_archived, **facets(query))
    found = call.house.session_search.across(query.q, filters, after=after(query.page))
    return SessionHits(
        data=[_hit(hit) for hit in found.hits],
        next_page=None if found.after is None else text(found.after),
        searched=found.searched,
    )


def _hit(hit: Hit) -> SessionHit:
    body = hit.session.body
    return SessionHit(
        event_id=hit.event.id,
        event_type=hit.event.type,
        excerpt=hit.excerpt,
        seq=hit.event.seq,
        session_id=hit.session.id,
        title=hit.session.goal if body is None else body.get("title"),
    )


ENDPOINTS: Final = (
    Endpoint("GET", "/v1/session_search", _search, SessionHits, "sessions:read", query=SessionSearchAsk,
             tag="sessions", summary="Sessions in which words are said, the newest first"),
)  # fmt: skip
