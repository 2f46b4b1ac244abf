"""Events in SQL: rows chained to their predecessors, written in one go, read in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import msgspec

from reverie.domain.clock import iso
from reverie.domain.errors import NotFound
from reverie.domain.events import Event, EventType, NewEvent, Origin
from reverie.domain.ids import derived_id
from reverie.storage import tables
from reverie.storage.chain import link
from reverie.storage.database import Connection
from reverie.storage.driver import Driver, driver, execute, execute_many, marked
from reverie.storage.prefixes import whole_id
from reverie.storage.scope import workspace
from reverie.storage.statements import insert
from reverie.storage.text import clean_text, json_text

__all__ = [
    "End",
    "Link",
    "Row",
    "append",
    "event",
    "event_id",
    "links",
    "links_of",
    "prepare",
    "present",
    "read",
]

_COLUMNS: Final = "session_id, seq, id, key, type, at, thread, payload, origin, hash"  # as in Link
_INSERT: Final = insert(tables.events)
_INSERT_NEW: Final = f"{_INSERT} ON CONFLICT (id) DO NOTHING"
_END: Final = {
    "sqlite": "SELECT events, head FROM sessions WHERE id = ? AND workspace = ? AND deleted_at IS NULL",
    "postgresql": "SELECT events, head FROM sessions WHERE id = %s AND workspace = %s AND deleted_at IS NULL "
    "FOR UPDATE",
}
_ADVANCE: Final = "UPDATE sessions SET events = ?, head = ?, updated_at = ? WHERE id = ? AND workspace = ?"
# One trip to the server instead of two: it makes up for the one that names the workspace.
_INSERT_AND_ADVANCE: Final = (
    f"WITH new AS ({_INSERT_NEW} RETURNING 1) {_ADVANCE} AND EXISTS (SELECT FROM new)"
)
_PAGE: Final = 256  # rows fetched at a time: a payload may be megabytes

_payload: Final = msgspec.json.Decoder(dict[str, Any])
_origin: Final = msgspec.json.Decoder(Origin)


class Row(NamedTuple):
    """An event ready to be stored, all but its place in the chain."""

    id: str
    key: str
    type: str
    at: str | None
    thread: str
    payload: str
    origin: str | None


class Link(NamedTuple):
    """A stored event as raw columns, for checking the chain. Any of them may be anything."""

    session_id: str
    seq: int
    id: str
    key: str
    type: str
    at: str | None
    thread: str
    payload: str
    origin: str | None
    hash: str


class End(NamedTuple):
    """Where the chain of a session's log ends: how many events there are, and the digest of the last."""

    events: int
    head: str


def event_id(session_id: str, key: str) -> str:
    """The id of the event with that key, in the log already or not."""
    return derived_id("sevt", session_id, clean_text(key))


def prepare(session_id: str, event: NewEvent, id: str | None = None) -> Row:
    """The row of ``event``: everything that costs time and needs no lock. ``id``, where it is known already."""
    return Row(
        id or event_id(session_id, event.key),
        clean_text(event.key),
        event.type,
        None if event.at is None else iso(event.at),
        clean_text(event.thread),
        json_text(event.payload),
        None if event.origin is None else json_text(event.origin),
    )


def append(
    connection: Connection, session_id: str, rows: Sequence[Row], at: datetime, end: End | None = None
) -> list[Link]:
    """Write those of ``rows`` whose key is not in the session's log yet, in their order, at its end.
    Gives all of ``rows`` as they stand in the log then.

    The end of the chain is held until the transaction ends, so that two writers cannot both go on from
    it: SQLite has one writer at a time, PostgreSQL locks the session's row. Should that ever fail, the
    primary key lets only one of them in. ``end`` is given by who holds it already, and knows it.

    Raises:
        NotFound: there is no such session.
    """
    here, dialect, mine = driver(connection), connection.dialect.name, workspace(connection)
    end = end or _end(here, dialect, session_id, mine)
    if len(rows) == 1:  # the hot path: no question whether the key is known, the INSERT finds out
        links = _chained(session_id, rows, *end)
        if _added(here, dialect, links[0], mine, iso(at)):
            return links
        return list(_known(connection, [rows[0].id]).values())
    return _append_many(connection, session_id, rows, end, at)


def _end(here: Driver, dialect: str, session_id: str, mine: str) -> End:
    found = here.execute(_END[dialect], (session_id, mine)).fetchone()
    if found is None:
        raise NotFound(f"there is no session {session_id!r}", hint="reverie sessions list")
    return End(*found)


def _added(here: Driver, dialect: str, new: Link, mine: str, at: str) -> bool:
    row, end = (*new, mine), (new.seq, new.hash, at, new.session_id, mine)
    if dialect == "postgresql":
        return here.execute(marked(_INSERT_AND_ADVANCE, dialect), (*row, *end)).rowcount == 1
    if not here.execute(_INSERT_NEW, row).rowcount:
        return False
    here.execute(_ADVANCE, end)
    return True


def _append_many(
    connection: Connection, session_id: str, rows: Sequence[Row], end: End, at: datetime
) -> list[Link]:
    found = _known(connection, [row.id for row in rows]) if end.events else {}
    fresh: dict[str, Row] = {}
    for row in rows:
        if row.id not in found:
            fresh.setdefault(row.id, row)  # of two with one key, the first
    links = _chained(session_id, fresh.values(), *end)
    if links:
        mine = workspace(connection)
        execute_many(connection, _INSERT, [(*link, mine) for link in links])
        execute(connection, _ADVANCE, (links[-1].seq, links[-1].hash, iso(at), session_id, mine))
    found.update((link.id, link) for link in links)
    return [found[row.id] for row in rows]


def _chained(session_id: str, rows: Iterable[Row], after: int, head: str) -> list[Link]:
    """``rows`` as the events behind number ``after``, whose digest is ``head``."""
    links: list[Link] = []
    for seq, row in enumerate(rows, after + 1):
        head = link(head, (session_id, seq, *row))
        links.append(Link(session_id, seq, *row, head))
    return links


def present(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of ``ids`` that are ids of events in the log."""
    return {row[0] for row in _by_id(connection, "id", ids)}


def _known(connection: Connection, ids: Sequence[str]) -> dict[str, Link]:
    return {row[2]: Link(*row) for row in _by_id(connection, _COLUMNS, ids)}


def _by_id(connection: Connection, wanted: str, ids: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    mine = workspace(connection)
    for start in range(0, len(ids), _PAGE):
        some = ids[start : start + _PAGE]
        marks = ", ".join("?" * len(some))
        sql = f"SELECT {wanted} FROM events WHERE id IN ({marks}) AND workspace = ?"  # noqa: S608
        yield from execute(connection, sql, (*some, mine)).fetchall()


def links(connection: Connection, session_id: str) -> Iterator[Link]:
    """Every event of a session as stored, in order, a page at a time."""
    sql = f"SELECT {_COLUMNS} FROM events WHERE session_id = ? AND workspace = ?"  # noqa: S608
    which = (session_id, workspace(connection))
    page = execute(connection, f"{sql} ORDER BY seq LIMIT {_PAGE}", which).fetchall()
    while page:
        yield from (Link(*row) for row in page)
        if len(page) < _PAGE:
            return
        last = page[-1][1]
        page = execute(connection, f"{sql} AND seq > ? ORDER BY seq LIMIT {_PAGE}", (*which, last)).fetchall()


def links_of(connection: Connection, session_ids: Sequence[str]) -> Iterator[Link]:
    """Every event of some sessions as stored, by session and in order. All of them are held in memory."""
    marks = ", ".join("?" * len(session_ids))
    sql = (
        f"SELECT {_COLUMNS} FROM events WHERE session_id IN ({marks}) AND workspace = ? "  # noqa: S608
        "ORDER BY session_id, seq"
    )
    which = (*session_ids, workspace(connection))
    return (Link(*row) for row in execute(connection, sql, which).fetchall())


def event(connection: Connection, id_prefix: str) -> Event:
    """An event by its id or a unique prefix of it.

    Raises:
        NotFound, Ambiguous: none or several fit.
    """
    found = whole_id(
        connection, tables.events.c.id, "sevt", id_prefix, noun="event", hint="reverie sessions show SESSION"
    )
    (row,) = _by_id(connection, _COLUMNS, [found])
    return read(Link(*row))


def read(stored: Link) -> Event:
    """The event that a row holds."""
    return Event(
        id=stored.id,
        session_id=stored.session_id,
        seq=stored.seq,
        type=cast(EventType, stored.type),
        payload=_payload.decode(stored.payload),
        key=stored.key,
        at=None if stored.at is None else datetime.fromisoformat(stored.at),
        thread=stored.thread,
        origin=None if stored.origin is None else _origin.decode(stored.origin),
        hash=bytes.fromhex(stored.hash),
    )
