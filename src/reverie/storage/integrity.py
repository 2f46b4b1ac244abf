"""What stands in the tables, as it stands there: for checking it, whatever somebody made of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from reverie.storage.chain import GENESIS, link
from reverie.storage.database import Connection
from reverie.storage.driver import driver, execute
from reverie.storage.events import Link, links

__all__ = [
    "Chained",
    "Head",
    "Link",
    "Newest",
    "Version",
    "audited",
    "chained",
    "heads",
    "newest",
    "orphan",
    "tolerant",
    "versions",
]


class Head(NamedTuple):
    """What a session's row says of the end of its log."""

    session_id: str
    events: int
    hash: str


class Chained(NamedTuple):
    """A stored event, and whether its digest is that of its columns behind its predecessor's."""

    event: Link
    fits: bool


class Newest(NamedTuple):
    """A memory's row: the path, and what it says of the newest version."""

    memory_id: str
    path: str
    version: int
    id: str
    content: str | None
    content_sha256: str | None


class Version(NamedTuple):
    """A stored version of a memory."""

    version: int
    id: str
    content: str | None
    content_sha256: str | None


@contextmanager
def tolerant(connection: Connection) -> Generator[None]:
    """Read text that is not UTF-8 any more, instead of failing on it."""
    here = driver(connection)
    if not isinstance(here, sqlite3.Connection):  # PostgreSQL keeps no such text
        yield
        return
    here.text_factory = _as_it_is
    try:
        yield
    finally:
        here.text_factory = str


def orphan(connection: Connection) -> str | None:
    """The id of a session that has events and no row, if there is one."""
    sql = "SELECT session_id FROM events WHERE session_id NOT IN (SELECT id FROM sessions) LIMIT 1"
    row = execute(connection, sql).fetchone()
    return None if row is None else row[0]


def heads(connection: Connection) -> list[Head]:
    """Every session's row, in order of id."""
    rows = execute(connection, "SELECT id, events, head FROM sessions ORDER BY id")
    return [Head(row[0], _number(row[1]), row[2]) for row in rows.fetchall()]


def chained(connection: Connection, session_id: str) -> Iterator[Chained]:
    """The events of a session, in order."""
    previous = GENESIS
    for row in links(connection, session_id):
        stored = row._replace(seq=_number(row.seq))
        yield Chained(stored, stored.hash == link(previous, stored[:-1]))
        previous = str(stored.hash)


def newest(connection: Connection) -> list[Newest]:
    """Every memory's row, in order of id."""
    sql = "SELECT id, path, version, version_id, content, content_sha256 FROM memories ORDER BY id"
    return [Newest(*row) for row in execute(connection, sql).fetchall()]


def versions(connection: Connection, memory_id: str) -> list[Version]:
    """The versions of a memory, oldest first."""
    sql = "SELECT version, id, content, content_sha256 FROM memory_versions WHERE memory_id = ? ORDER BY version"
    return [Version(*row) for row in execute(connection, sql, (memory_id,)).fetchall()]


def audited(connection: Connection) -> Iterator[tuple[int, bool]]:
    """(number, whether its digest fits) of every line of the audit log, oldest first."""
    previous = GENESIS
    sql = "SELECT seq, at, actor, action, subject, detail, hash FROM audit ORDER BY seq"
    for *row, digest in execute(connection, sql).fetchall():
        yield row[0], digest == link(previous, row)
        previous = str(digest)


def _number(value: object) -> int:
    """SQLite keeps text in a column of numbers if told to; no number of ours is negative."""
    return value if isinstance(value, int) else -1


def _as_it_is(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
