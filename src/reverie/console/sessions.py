"""Sessions: all of them, narrowed by what is known of them, and those in which something is said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from reverie.console.rendering import link
from reverie.console.visits import Page, Shown, Visit
from reverie.domain.errors import Invalid
from reverie.domain.resources import Cursor, Period
from reverie.storage.managed import FACETS, Filters

__all__ = ["PAGES", "cursor", "narrowed", "place"]

_LISTED: Final = 50
_DAYS: Final = {"began_at[gte]": 0, "began_at[lt]": 1}


def _list(visit: Visit) -> Shown:
    house, query = visit.house, visit.query
    filters, words = narrowed(query), query.get("q", "").strip()
    kept = visit.asked(*FACETS, *_DAYS, "q")
    after = cursor(query.get("after"))
    facts = {
        "title": "Sessions",
        "q": words,
        "kept": kept,
        "facets": house.session_search.facets(filters),
        "narrowed": len(kept) > bool(words),
        "later": after is not None,
    }
    if words:
        return Shown("session_hits.html", {**facts, **_hits(visit, filters, words, after)})
    found = house.sessions.list(filters, after=after, limit=_LISTED + 1)
    rows = [each.row for each in found[:_LISTED]]
    more = place((rows[-1].created_at, rows[-1].id)) if len(found) > _LISTED else None
    return Shown("sessions.html", {**facts, "rows": rows, "more": more})


def _hits(visit: Visit, filters: Filters, words: str, after: Cursor | None) -> Mapping[str, object]:
    found = visit.house.session_search.across(words, filters, after=after)
    hits = [
        (each, link(f"/sessions/{each.session.id}", at=each.event.id, q=words) + f"#{each.event.id}")
        for each in found.hits
    ]
    return {"hits": hits, "searched": found.searched, "more": place(found.after)}


def narrowed(query: Mapping[str, str]) -> Filters:
    """What the query of a page narrows sessions to; its words are those of the API.

    Raises:
        Invalid: a day that is none.
    """
    facets = {name: query.get(name) or None for name in FACETS}
    gte, lt = (_day(query.get(name), name, later) for name, later in _DAYS.items())
    return Filters(
        agent=facets["agent"],
        model=facets["model"],
        outcome=facets["outcome"],
        source=facets["source"],
        began=Period(gte=gte, lt=lt),
    )


def _day(said: str | None, name: str, later: int) -> datetime | None:
    """The beginning of a day in UTC; of the one after it, for the end of a stretch that holds it."""
    if not said:
        return None
    try:
        return datetime.fromisoformat(said[:10]).replace(tzinfo=UTC) + timedelta(days=later)
    except (ValueError, OverflowError):
        raise Invalid(name, "a day, like 2026-11-23", said[:64]) from None


def cursor(said: str | None) -> Cursor | None:
    """The place that ``place`` has written.

    Raises:
        Invalid: it is none.
    """
    if not said:
        return None
    at, _, id = said.partition("~")
    try:
        return datetime.fromisoformat(at), id
    except ValueError:
        raise Invalid("after", "a place that this list gave", said[:64]) from None


def place(at: Cursor | None) -> str | None:
    """A place in a list by time, for an address."""
    return None if at is None else f"{at[0].isoformat()}~{at[1]}"


PAGES: Final = (Page("GET", "/sessions", _list, "sessions:read", "/v1/sessions"),)
