"""The transcript of a session: a stretch of its log at a time, calls with their results, threads as lanes, what a
finding cites marked; and while the session may go on, what is new in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reverie.app import Workspace
from reverie.console.rendering import link
from reverie.console.transcripts import Card, Lane, Strip, arranged, lanes, marked
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import Invalid, NotFound
from reverie.domain.events import EVENT_TYPES, Event
from reverie.domain.findings import Citation, Finding
from reverie.sessions.status import SessionState, session_status
from reverie.storage.managed import SessionRow

__all__ = ["PAGES", "standing"]

_STRETCH: Final = 60  # events, at most; fewer where they are long
_BEFORE: Final = 5  # events shown before the one that a link points at
_NUMBER: Final = re.compile(r"\d{1,15}")
_HEARD: Final = " ".join(sorted({*EVENT_TYPES, "session.deleted", "ping"}))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What of a log is on a page. ``earlier`` and ``later``: whether there is more on either side."""

    cards: Sequence[Card | Strip]
    first: int
    last: int
    earlier: bool
    later: bool


def _show(visit: Visit) -> Shown:
    house, wanted = visit.house, visit.path["session_id"]
    seen = house.sessions.get(wanted)
    threads = lanes(house, wanted, imported=seen.row.body is None)
    lane = next((each for each in threads if each.key == visit.query.get("thread")), None)
    finding = house.finding(visit.query["finding"]) if visit.query.get("finding") else None
    kept, address = visit.asked("finding", "thread"), f"/sessions/{wanted}"
    shown = _stretch(visit, threads, lane, finding)
    newest = link(address, kept, end="1") if shown.later else None
    q = visit.query.get("q", "").strip()
    hits = house.session_search.within(wanted, q, after=_number(visit.query, "from")) if q else None
    facts = {
        **standing(visit, seen.row, seen.state),
        "title": seen.row.goal or (seen.row.body or {}).get("title") or seen.row.id,
        "cards": shown.cards,
        "lanes": threads,
        "lane": lane,
        "address": address,
        "kept": kept,
        "first": shown.first,
        "last": shown.last,
        "earlier": link(address, kept, before=shown.first) if shown.earlier else None,
        "later": link(address, kept, after=shown.last) if shown.later else None,
        "newest": newest,
        "q": q,
        "hits": hits,
        "finding": finding,
        "walk": None if finding is None else _walk(finding, visit.query.get("at")),
        "heard": _HEARD,
        "team": len(threads) > 1,
    }
    return Shown("session.html", facts)


def _since(visit: Visit) -> Shown:
    """What came after an event, for a page that shows everything up to it; and how the session stands now."""
    house, wanted = visit.house, visit.path["session_id"]
    seen = house.sessions.get(wanted)
    threads = lanes(house, wanted, imported=seen.row.body is None)
    lane = next((each for each in threads if each.key == visit.query.get("thread")), None)
    shown = _stretch(visit, threads, lane, None)
    facts = {
        **standing(visit, seen.row, seen.state),
        "title": "News",
        "cards": shown.cards,
        "lanes": threads,
        "address": f"/sessions/{wanted}",
        "kept": visit.asked("thread"),
        "last": max(shown.last, _number(visit.query, "after")),
        "more": shown.later,
        "count": sum(len(each.cards) if isinstance(each, Strip) else 1 for each in shown.cards),
    }
    return Shown("session_news.html", facts)


def standing(visit: Visit, row: SessionRow, state: SessionState | None) -> dict[str, Any]:
    """How a session stands, and what can be done about it by whoever looks."""
    alive = row.body is not None and row.archived_at is None and row.status != "terminated"
    pending = {} if state is None else state.pending
    calls = [(visit.house.log.event(event_id), asked) for event_id, (_, asked) in list(pending.items())[:20]]
    outcome = None if state is None or not state.outcomes else state.outcomes[-1]
    return {
        "row": row,
        "live": alive,
        "status": row.status if state is None else session_status(state),
        "may_send": alive and visit.visitor.may("sessions:write"),
        "calls": calls if alive else [],
        "outcome": outcome,
        "usage": None if state is None else state.usage,
    }


def _stretch(visit: Visit, threads: Sequence[Lane], lane: Lane | None, finding: Finding | None) -> _Stretch:
    house, wanted, query = visit.house, visit.path["session_id"], visit.query
    name = None if lane is None else lane.name
    target = _target(house, wanted, query.get("at"))
    before = _number(query, "before")
    newest = bool(before or query.get("end")) and target is None
    if newest:
        events = house.log.window(wanted, before=before or 10**15, limit=_STRETCH + 1, thread=name)
        more, events = len(events) > _STRETCH, events[-_STRETCH:]
    else:
        after = _number(query, "after") if target is None else max(0, target.seq - _BEFORE - 1)
        events = house.log.window(wanted, after=after, limit=_STRETCH + 1, thread=name)
        more, events = len(events) > _STRETCH, events[:_STRETCH]
    cited = _cited(finding, wanted, target, query.get("mark") or query.get("q") or "")
    cards, shown = arranged(events, threads, cited, at=query.get("at"), full=query.get("full"), newest=newest)
    first, last = (shown[0].seq, shown[-1].seq) if shown else (0, _number(query, "after"))
    left_out = len(shown) < len(events)
    if newest:
        later = bool(before) and bool(house.log.window(wanted, after=last, limit=1, thread=name))
        return _Stretch(cards, first, last, more or left_out, later)
    earlier = first > 1 and bool(house.log.window(wanted, before=first, limit=1, thread=name))
    return _Stretch(cards, first, last, earlier, more or left_out)


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


def _number(query: Mapping[str, str], name: str) -> int:
    said = query.get(name)
    if not said:
        return 0
    if not _NUMBER.fullmatch(said):
        raise Invalid(name, "the number of an event", said[:64])
    return int(said)


def _cited(finding: Finding | None, session_id: str, target: Event | None, words: str) -> Sequence[Citation]:
    """What is marked: what a finding cites, and the words that led to an event."""
    sought = [] if target is None else list(marked(target, words))
    if finding is None:
        return sought
    every = (*finding.evidence, *finding.counter_evidence)
    return [*sought, *(each for each in every if each.session_id == session_id)]


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
        "shows_it": next((each for each in finding.evidence if each.span.event_id == at), None),
        "number": None if place is None else place + 1,
        "total": len(every),
        "previous": None if place is None else to(place - 1),
        "next": to(0 if place is None else place + 1),
    }


def _event(visit: Visit) -> Answer:
    """An event's own address leads to its place in the transcript."""
    event = visit.path["event_id"]
    return Moved(link(f"/sessions/{visit.path['session_id']}", at=event) + f"#{event}")


def _quote(visit: Visit) -> Answer:
    """To the last event in front of a place that says a quote; else to the place itself."""
    session_id, at = visit.path["session_id"], visit.path["event_id"]
    place = _target(visit.house, session_id, at)
    quote = visit.query.get("q", "")
    found = visit.house.session_search.quoted(session_id, quote, before=0 if place is None else place.seq)
    event = at if found is None else found.id
    return Moved(link(f"/sessions/{session_id}", at=event, mark=quote[:200]) + f"#{event}")


PAGES: Final = (
    Page("GET", "/sessions/{session_id}", _show, "sessions:read", "/v1/sessions/{session_id}/events",
         live="/v1/sessions/{session_id}/events/stream"),
    Page("GET", "/sessions/{session_id}/since", _since, "sessions:read"),
    Page("GET", "/sessions/{session_id}/events/{event_id}", _event, "sessions:read",
         "/v1/sessions/{session_id}/events/{event_id}"),
    Page("GET", "/sessions/{session_id}/events/{event_id}/quote", _quote, "sessions:read"),
)  # fmt: skip
