"""Sessions, and the transcript of one: a stretch of its log at a time, calls with their results, threads as lanes,
what a finding cites marked."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final

from reverie.app import Workspace
from reverie.console.rendering import link
from reverie.console.transcripts import Lane, arranged, lanes, snippet
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import Invalid, NotFound
from reverie.domain.events import Event, event_text
from reverie.domain.findings import Citation, Finding
from reverie.domain.resources import Cursor
from reverie.storage.managed import Filters

__all__ = ["PAGES"]

_LISTED: Final = 50
_STRETCH: Final = 60  # events, at most; fewer where they are long
_BEFORE: Final = 5  # events shown before the one that a link points at
_HITS: Final = 50
_NUMBER: Final = re.compile(r"\d{1,15}")


def _list(visit: Visit) -> Shown:
    found = visit.house.sessions.list(Filters(), after=_cursor(visit.query.get("after")), limit=_LISTED + 1)
    rows = [each.row for each in found[:_LISTED]]
    more = f"{rows[-1].created_at.isoformat()}~{rows[-1].id}" if len(found) > _LISTED else None
    facts = {"title": "Sessions", "rows": rows, "more": more, "later": bool(visit.query.get("after"))}
    return Shown("sessions.html", facts)


def _cursor(said: str | None) -> Cursor | None:
    if not said:
        return None
    at, _, id = said.partition("~")
    try:
        return datetime.fromisoformat(at), id
    except ValueError:
        raise Invalid("after", "a place that this list gave", said[:64]) from None


def _show(visit: Visit) -> Shown:
    house, wanted = visit.house, visit.path["session_id"]
    session = house.log.session(wanted)
    if session.id != wanted:
        raise NotFound(f"there is no session {wanted!r}")
    finding = house.finding(visit.query["finding"]) if visit.query.get("finding") else None
    threads = lanes(house, wanted)
    lane = next((each for each in threads if each.name == visit.query.get("thread")), None)
    target = _target(house, wanted, visit.query.get("at"))
    after = _number(visit.query.get("after")) if target is None else max(0, target.seq - _BEFORE - 1)
    events = house.log.window(wanted, after=after, limit=_STRETCH, thread=None if lane is None else lane.name)
    cited = _cited(finding, wanted)
    cards, shown = arranged(events, threads, cited, at=visit.query.get("at"), full=visit.query.get("full"))
    address = f"/sessions/{wanted}"
    kept = visit.asked("finding", "thread")
    last = shown[-1].seq if shown else after
    facts = {
        "title": session.info.goal or session.id,
        "session": session,
        "cards": cards,
        "lanes": threads,
        "lane": lane,
        "address": address,
        "kept": kept,
        "first": shown[0].seq if shown else None,
        "last": last,
        "earlier": link(address, kept, after=max(0, after - _STRETCH) or "0") if after else None,
        "later": link(address, kept, after=last) if _is_more(house, wanted, last, lane) else None,
        "q": visit.query.get("q", ""),
        "hits": list(_search(house, wanted, visit.query.get("q", ""))),
        "most": _HITS,
        "finding": finding,
        "walk": None if finding is None else _walk(finding, visit.query.get("at")),
    }
    return Shown("session.html", facts)


def _target(house: Workspace, session_id: str, event_id: str | None) -> Event | None:
    """The event that the page is to show.

    Raises:
        NotFound: it is not in this session.
    """
    if not event_id:
        return None
    found = house.log.event(event_id)
    if found.session_id != session_id or found.id != event_id:
        raise NotFound(f"there is no event {event_id!r} in this session", hint="see its first events instead")
    return found


def _number(said: str | None) -> int:
    if not said:
        return 0
    if not _NUMBER.fullmatch(said):
        raise Invalid("after", "the number of an event", said[:64])
    return int(said)


def _is_more(house: Workspace, session_id: str, after: int, lane: Lane | None) -> bool:
    return bool(
        house.log.window(session_id, after=after, limit=1, thread=None if lane is None else lane.name)
    )


def _search(house: Workspace, session_id: str, words: str) -> Iterator[tuple[Event, str]]:
    """The first events whose text holds ``words``, each with the place."""
    if not words.strip():
        return
    wanted, found = words.strip().casefold(), 0
    with closing(_stream(house, session_id)) as events:
        for event in events:
            text = event_text(event.type, event.payload)
            at = text.casefold().find(wanted)
            if at >= 0:
                yield event, snippet(text, at, len(wanted))
                found += 1
                if found == _HITS:
                    return


def _stream(house: Workspace, session_id: str) -> Generator[Event]:
    yield from house.log.stream(session_id)


def _cited(finding: Finding | None, session_id: str) -> Sequence[Citation]:
    if finding is None:
        return ()
    every = (*finding.evidence, *finding.counter_evidence)
    return [each for each in every if each.session_id == session_id]


def _walk(finding: Finding, at: str | None) -> dict[str, Any]:
    """The citations of a finding one after the other, through all its sessions."""
    every = list(dict.fromkeys(
        (each.session_id, each.span.event_id) for each in (*finding.evidence, *finding.counter_evidence)
    ))  # fmt: skip
    place = next((i for i, (_, event) in enumerate(every) if event == at), None)

    def to(index: int) -> str | None:
        if not 0 <= index < len(every):
            return None
        session, event = every[index]
        return link(f"/sessions/{session}", at=event, finding=finding.id) + f"#{event}"

    return {
        "number": None if place is None else place + 1,
        "total": len(every),
        "previous": None if place is None else to(place - 1),
        "next": to(0 if place is None else place + 1),
    }


def _event(visit: Visit) -> Answer:
    """An event's own address leads to its place in the transcript."""
    event = visit.path["event_id"]
    return Moved(link(f"/sessions/{visit.path['session_id']}", at=event) + f"#{event}")


PAGES: Final = (
    Page("GET", "/sessions", _list, "sessions:read", "/v1/sessions"),
    Page("GET", "/sessions/{session_id}", _show, "sessions:read", "/v1/sessions/{session_id}/events"),
    Page("GET", "/sessions/{session_id}/events/{event_id}", _event, "sessions:read",
         "/v1/sessions/{session_id}/events/{event_id}"),
)  # fmt: skip
