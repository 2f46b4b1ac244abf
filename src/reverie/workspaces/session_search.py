"""Sessions found by what is known of them, and by what is said in them.

There is no index of words: a search reads a bounded stretch of the log, says how far it came, and goes on from
there when it is asked to. So it costs the same in a log of a thousand events and of a million.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.errors import Invalid
from reverie.domain.events import Event, event_text
from reverie.domain.resources import Cursor
from reverie.storage import managed, searching
from reverie.storage.database import Connection, Database
from reverie.storage.events import Link, read
from reverie.storage.managed import Facet, Filters, SessionRow

__all__ = ["MAX_WORDS", "Found", "Hit", "SessionSearch", "Stretch"]

MAX_WORDS: Final = 200
"""Characters that are searched for."""
_REACH: Final = 20_000  # events that one search reads
_SESSIONS: Final = 500  # that one search looks into
_HITS: Final = 50
_ROWS: Final = 400  # that may hold the words, and are looked at
_CHUNK: Final = 64
_BACK: Final = 5_000  # events that a quote is looked for in


@dataclass(frozen=True, slots=True)
class Hit:
    """A session that says it: the first event that does, and a line around the place."""

    session: SessionRow
    event: Event
    excerpt: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a search across sessions found, newest first. ``searched`` sessions were looked into; ``after`` is where
    to go on, None at the end."""

    hits: Sequence[Hit]
    searched: int
    after: Cursor | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a search in one session found, each event with a line around the place. ``upto`` is the last event that
    was looked at; None: all were."""

    events: Sequence[tuple[Event, str]]
    upto: int | None


class SessionSearch:
    """Searches in one workspace's sessions."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def facets(self, filters: Filters) -> Mapping[Facet, Sequence[tuple[str, int]]]:
        """The agents, models, outcomes and sources that there are, each with how many sessions fit."""
        with self._db.read() as conn:
            return managed.facets(conn, filters)

    def ids(self, filters: Filters, limit: int) -> Sequence[str]:
        """The ids of the newest sessions that fit."""
        with self._db.read() as conn:
            return managed.ids(conn, filters, limit)

    def across(self, words: str, filters: Filters, *, after: Cursor | None = None) -> Found:
        """Sessions that fit and in which ``words`` are said, from behind ``after``.

        Raises:
            Invalid: no words, or too many.
        """
        wanted = _wanted(words)
        with self._db.read() as conn:
            rows = managed.listed(conn, filters, after=after, limit=_SESSIONS + 1)
            searched: list[SessionRow] = []
            hits: list[Hit] = []
            for row in _batch(rows[:_SESSIONS]):
                searched.append(row)
                hits += [Hit(row, *said) for said in _first(conn, row.id, wanted)]
                if len(hits) == _HITS:
                    break
        at = searched[-1] if len(searched) < len(rows) else None
        return Found(hits, len(searched), None if at is None else (at.created_at, at.id))

    def within(self, session_id: str, words: str, *, after: int = 0) -> Stretch:
        """The first events of a session behind number ``after`` in which ``words`` are said.

        Raises:
            NotFound: there is no such session.
            Invalid: no words, or too many.
        """
        wanted = _wanted(words)
        with self._db.read() as conn:
            row = managed.row(conn, session_id)
            links = searching.stretch(conn, session_id, wanted, after=after, reach=_REACH, limit=_ROWS)
        found = list(_said(links, wanted))
        upto = min(row.events, after + _REACH) if len(links) < _ROWS else links[-1].seq
        if len(found) > _HITS:
            found = found[:_HITS]
            upto = found[-1][0].seq
        return Stretch(found, None if upto >= row.events else upto)

    def quoted(self, session_id: str, quote: str, *, before: int) -> Event | None:
        """The last event in front of number ``before`` that says ``quote``; None where none nearby does."""
        wanted = " ".join(quote.split())[:MAX_WORDS]
        if not wanted:
            return None
        with self._db.read() as conn:
            links = searching.last(conn, session_id, wanted, before=before, reach=_BACK, limit=_HITS)
        return next((event for event, _ in _said(links, wanted)), None)


def _wanted(words: str) -> str:
    wanted = words.strip()
    if not wanted or len(wanted) > MAX_WORDS:
        raise Invalid("q", f"1 to {MAX_WORDS} characters", words[:64])
    return wanted


def _batch(rows: Sequence[SessionRow]) -> Iterator[SessionRow]:
    """As many sessions as one search reads; one at least, however long."""
    left = _REACH
    for number, row in enumerate(rows):
        left -= row.events
        if left < 0 and number:
            return
        yield row


def _first(conn: Connection, session_id: str, wanted: str) -> Iterator[tuple[Event, str]]:
    """The first event of a session that says it, if one does, with the place."""
    after, looked = 0, 0
    while looked < _REACH:
        links = searching.stretch(conn, session_id, wanted, after=after, reach=_REACH, limit=_CHUNK)
        if (said := next(_said(links, wanted), None)) is not None:
            yield said
            return
        if len(links) < _CHUNK:
            return
        after, looked = links[-1].seq, looked + _CHUNK


def _said(links: Sequence[Link], wanted: str) -> Iterator[tuple[Event, str]]:
    """The events that say it, upper and lower case and blanks alike, each with the place."""
    sought = " ".join(wanted.casefold().split())
    for link in links:
        event = read(link)
        text = " ".join(event_text(event.type, event.payload).split())
        at = text.casefold().find(sought)
        if at >= 0:
            yield event, _excerpt(text, at, len(sought))


def _excerpt(text: str, at: int, length: int) -> str:
    begin, end = max(0, at - 60), at + length + 100
    return ("…" if begin else "") + text[begin:end] + ("…" if end < len(text) else "")
