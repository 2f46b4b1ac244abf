"""What of a session's log shows where: the session's own view is its primary thread, condensed; each child
thread has a view of its own. What a child asks of the client shows in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from reverie.domain.events import PRIMARY_THREAD, Event, QueuedEvent
from reverie.domain.resources import Period
from reverie.sessions.turns import thread_id
from reverie.storage import inbox, timeline
from reverie.storage import threads as thread_rows
from reverie.storage.database import Connection
from reverie.storage.events import Link, read
from reverie.storage.managed import SessionRow
from reverie.storage.timeline import Slice

__all__ = ["HIDDEN", "Asking", "Place", "View", "answered", "page", "thread_view", "view", "visible"]

HIDDEN: Final = ("raw", "session.outcome", "session.thread_updated", "workflow_run.news")
"""Types of ours that clients of the wire do not know: shown when they are asked for by name."""

_CROSS_POSTED: Final = (
    "session.thread_status_running", "session.thread_status_idle", "session.thread_status_rescheduled",
    "session.thread_status_terminated", "user.interrupt", "user.tool_confirmation", "user.tool_result",
    "user.custom_tool_result", "agent.custom_tool_use",
)  # fmt: skip
_ASKING: Final = ("agent.tool_use", "agent.mcp_tool_use")  # cross-posted while they wait for the client
_CHUNK: Final = 256
_CALLS_BEFORE: Final = 256  # calls in front of a page in which its first results' calls are sought


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking at a session's log. ``thread`` is a name in the log; for the primary one it is the
    session's view. ``imported``: the log was written elsewhere. ``whole``: every event of every thread, as the log
    has them (for streams alone)."""

    session_id: str
    thread: str = PRIMARY_THREAD
    self_hosted: bool = False
    imported: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: after event ``seq`` of the log and ``position`` of the inbox (or before them)."""

    seq: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class Asking:
    """What a list of events asks for."""

    types: tuple[str, ...] = ()
    at: Period = Period()  # noqa: RUF009  (frozen)
    newest_first: bool = False


def view(row: SessionRow) -> View:
    """The session's own view."""
    body = row.body or {}
    return View(row.id, self_hosted=bool(body.get("self_hosted")), imported=row.body is None)


def thread_view(conn: Connection, row: SessionRow, thread: str) -> View | None:
    """The view of a thread by its id on the wire; None where the session has none of that id."""
    whole = view(row)
    if thread == thread_id(row.id, PRIMARY_THREAD):
        return whole
    if row.body is not None:
        found = thread_rows.get(conn, row.id, thread)
        return None if found is None else View(row.id, found.id, whole.self_hosted, whole.imported)
    names = timeline.imported_threads(conn, row.id)
    name = next((name for name in names if thread_id(row.id, name) == thread), None)
    return None if name is None else View(row.id, name, imported=True)


def visible(link: Link, seen: View, types: tuple[str, ...] = ()) -> bool:
    """Whether an event shows in a view (and is of ``types``, where any are named)."""
    if seen.whole:
        return True
    if (link.type not in types) if types else (link.type in HIDDEN):
        return False
    if link.thread == seen.thread:
        return True
    if seen.thread != PRIMARY_THREAD:
        return False
    return link.type in _CROSS_POSTED or (link.type in _ASKING and _asks(link, seen))


def _asks(link: Link, seen: View) -> bool:
    permission = msgspec.json.decode(link.payload).get("evaluated_permission")
    return permission == "ask" or (
        seen.self_hosted and link.type == "agent.tool_use" and permission != "deny"
    )


def page(
    conn: Connection, seen: View, asking: Asking, after: Place | None, limit: int
) -> list[Event | QueuedEvent]:
    """The next ``limit`` events of a view: the log and behind it what waits in the inbox, or all of that
    backwards. What moves from the inbox to the log between two pages shows again, with its time."""
    queued = seen.thread == PRIMARY_THREAD and asking.at == Period()
    if not asking.newest_first:
        found = _logged(conn, seen, asking, after, limit)
        rest = limit - len(found)
        start = after.position if after is not None else None
        waits = _waiting(conn, seen, asking, start, rest) if queued and rest else []
        return [*found, *waits]
    start = after.position if after is not None else None
    waits = _waiting(conn, seen, asking, start, limit) if queued and start != 0 else []
    return [*waits, *_logged(conn, seen, asking, after, limit - len(waits))]


def _waiting(
    conn: Connection, seen: View, asking: Asking, place: int | None, limit: int
) -> list[QueuedEvent]:
    return inbox.waiting(
        conn,
        seen.session_id,
        after=None if asking.newest_first else place,
        before=place if asking.newest_first else None,
        newest_first=asking.newest_first,
        types=asking.types,
        limit=limit,
    )


def _logged(conn: Connection, seen: View, asking: Asking, after: Place | None, limit: int) -> list[Event]:
    what = Slice(
        thread=seen.thread,
        besides=(*_CROSS_POSTED, *_ASKING) if seen.thread == PRIMARY_THREAD else (),
        types=asking.types,
        hidden=() if asking.types else HIDDEN,
        at=asking.at,
    )
    found: list[Link] = []
    place = after.seq if after is not None and after.seq else None
    while len(found) < limit:
        chunk = min(_CHUNK, limit - len(found))
        links = timeline.page(
            conn,
            seen.session_id,
            what,
            after=None if asking.newest_first else place,
            before=place if asking.newest_first else None,
            limit=chunk,
            newest_first=asking.newest_first,
        )
        found += [link for link in links if visible(link, seen, asking.types)]
        if len(links) < chunk:
            break
        place = links[-1].seq
    return answered(conn, seen, [read(link) for link in found])


def answered(conn: Connection, seen: View, events: Sequence[Event]) -> list[Event]:
    """The events, results naming their calls as the wire does: by the call's event id. Imported logs name
    them by an id of their own; where its call is nowhere near, that one stays."""
    wanted = {str(e.payload.get("tool_use_id")) for e in events if e.type == "agent.tool_result"}
    if not seen.imported or not wanted:
        return list(events)
    first = min(event.seq for event in events)
    known = {
        str(msgspec.json.decode(payload).get("tool_use_id")): id
        for id, payload in reversed(timeline.calls_before(conn, seen.session_id, first, _CALLS_BEFORE))
    }
    known |= {str(e.payload.get("tool_use_id")): e.id for e in events if e.type == "agent.tool_use"}
    return [_naming(event, known) if event.type == "agent.tool_result" else event for event in events]


def _naming(event: Event, known: dict[str, str]) -> Event:
    call = known.get(str(event.payload.get("tool_use_id")))
    return event if call is None else replace(event, payload={**event.payload, "tool_use_id": call})
