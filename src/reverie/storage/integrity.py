"""What stands in the tables, as it stands there: for checking it, whatever somebody made of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from reverie.storage.audit import beginning
from reverie.storage.chain import GENESIS, link
from reverie.storage.database import Connection
from reverie.storage.driver import driver, execute
from reverie.storage.events import Link, links
from reverie.storage.scope import enter, workspace

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
    "unaccounted",
    "versions",
    "workspaces",
]

_GONE: Final = (  # table, what marks its rows, what the audit log calls it, the row and the line about it
    ("sessions", "deleted_at", "session.deleted", "id", "subject"),
    ("memory_stores", "deleted_at", "store.deleted", "id", "subject"),
    (
        "memory_versions",
        "redacted_at",
        "memory.redacted",
        "memory_id || '{\"version\":' || version || '}'",
        "subject || detail",
    ),
)


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
    empty: bool
    """It is a deletion, or was redacted: no text belongs here."""


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


def workspaces(connection: Connection) -> Iterator[str]:
    """Every workspace that anything is in, in order; the connection sees the one that is at hand. To be
    asked of a connection that sees everything."""
    tables = ("sessions", "memories", "audit")
    sql = " UNION ".join(f"SELECT workspace FROM {table}" for table in tables)  # noqa: S608
    for name in sorted(row[0] for row in execute(connection, sql).fetchall()):
        enter(connection, name)
        yield name


def orphan(connection: Connection) -> str | None:
    """The id of a session that has events and no row in their workspace, if there is one. To be asked of
    a connection that sees everything."""
    sql = (
        "SELECT session_id FROM events WHERE NOT EXISTS (SELECT 1 FROM sessions "
        "WHERE sessions.id = events.session_id AND sessions.workspace = events.workspace) LIMIT 1"
    )
    row = execute(connection, sql).fetchone()
    return None if row is None else row[0]


def unaccounted(connection: Connection) -> str | None:
    """The id of a session, store or version of a memory that is gone by right, as it says, and of which the
    audit log knows nothing; None where there is none."""
    mine = workspace(connection)
    for table, marked, action, row, line in _GONE:
        sql = (
            f"SELECT id FROM {table} WHERE workspace = ? AND {marked} IS NOT NULL AND {row} NOT IN "  # noqa: S608
            f"(SELECT {line} FROM audit WHERE workspace = ? AND action = ?) ORDER BY id LIMIT 1"
        )
        found = execute(connection, sql, (mine, mine, action)).fetchone()
        if found is not None:
            return found[0]
    return None


def heads(connection: Connection) -> list[Head]:
    """Every session's row, in order of id."""
    sql = "SELECT id, events, head FROM sessions WHERE workspace = ? ORDER BY id"
    rows = execute(connection, sql, (workspace(connection),))
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
    sql = (
        "SELECT id, path, version, version_id, content, content_sha256 FROM memories "
        "WHERE workspace = ? ORDER BY id"
    )
    return [Newest(*row) for row in execute(connection, sql, (workspace(connection),)).fetchall()]


def versions(connection: Connection, memory_id: str) -> list[Version]:
    """The versions of a memory, oldest first."""
    sql = (
        "SELECT version, id, content, content_sha256, operation = 'deleted' OR redacted_at IS NOT NULL FROM memory_versions "
        "WHERE memory_id = ? AND workspace = ? ORDER BY version"
    )
    rows = execute(connection, sql, (memory_id, workspace(connection)))
    return [Version(*row[:4], empty=bool(row[4])) for row in rows.fetchall()]


def audited(connection: Connection) -> Iterator[tuple[int, bool]]:
    """(number, whether its digest fits) of every line of the audit log, oldest first."""
    mine = workspace(connection)
    previous = beginning(mine)
    sql = "SELECT seq, at, actor, action, subject, detail, hash FROM audit WHERE workspace = ? ORDER BY seq"
    for *row, digest in execute(connection, sql, (mine,)).fetchall():
        yield row[0], digest == link(previous, row)
        previous = str(digest)


def _number(value: object) -> int:
    """SQLite keeps text in a column of numbers if told to; no number of ours is negative."""
    return value if isinstance(value, int) else -1


def _as_it_is(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
