"""Words that are looked for in sessions, on the wire (ours)."""

from __future__ import annotations

from typing import Annotated, Literal

from reverie.server.wire.base import Meta, Wire
from reverie.server.wire.sessions import SessionFacets

__all__ = ["SessionHit", "SessionHits", "SessionSearchAsk"]


class SessionSearchAsk(SessionFacets, kw_only=True):
    """Words to look for in sessions, and in which of them."""

    q: Annotated[str, Meta(min_length=1, max_length=200)]
    include_archived: bool = False
    page: str | None = None


class SessionHit(Wire):
    """A session in which it is said: the first event that says it, with a line around the place."""

    event_id: str
    event_type: str
    excerpt: str
    seq: int
    session_id: str
    title: str | None
    type: Literal["session_hit"] = "session_hit"


class SessionHits(Wire):
    """A page of hits, the newest session first. ``searched`` sessions were looked into for it; a page may have no
    hit and still have a next one."""

    data: list[SessionHit]
    next_page: str | None
    searched: int
