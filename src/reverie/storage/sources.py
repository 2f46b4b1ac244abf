"""Sources in SQL: the files that were imported, how far, what of them could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from reverie.domain.clock import iso
from reverie.domain.ids import derived_id
from reverie.domain.imports import FileReport, Quarantined
from reverie.domain.resources import Cursor
from reverie.domain.workspaces import DEFAULT_WORKSPACE, identity
from reverie.storage import scope, tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute, execute_many
from reverie.storage.statements import columns, insert, insert_new, upsert
from reverie.storage.text import clean_text

__all__ = [
    "Source",
    "attach",
    "by_sha256",
    "by_uri",
    "digests",
    "listed",
    "put",
    "quarantined",
    "sessions_of",
    "source_id",
]

_NAMES: Final = tables.sources.columns.keys()
_SELECT: Final = f"SELECT {columns(tables.sources)} FROM sources"  # noqa: S608
_PUT: Final = upsert(tables.sources)
_ATTACH: Final = insert_new(tables.session_sources)
_QUARANTINE: Final = insert(tables.quarantine)


@dataclass(frozen=True, slots=True)
class Source:
    """One imported file as it was then. ``sha256`` (hex) is over its first ``size`` bytes; ``stamp`` is the
    importer's own note of what else tells whether the file, or one that it was read with, has changed."""

    uri: str
    format: str
    reader_version: str
    size: int
    mtime_ns: int
    sha256: str
    report: FileReport
    imported_at: datetime
    stamp: str = ""
    workspace: str = DEFAULT_WORKSPACE

    @property
    def id(self) -> str:
        return source_id(self.uri, self.workspace)


def source_id(uri: str, workspace: str = DEFAULT_WORKSPACE) -> str:
    """The id of the file at ``uri``; known before the file is read."""
    return derived_id("src", *identity(workspace, uri))


def by_uri(connection: Connection, uri: str) -> Source | None:
    """What is known of the file at ``uri``."""
    mine = scope.workspace(connection)
    which = (source_id(uri, mine), mine)
    row = execute(connection, f"{_SELECT} WHERE id = ? AND workspace = ?", which).fetchone()
    return None if row is None else _source(row)


def by_sha256(connection: Connection, sha256: str) -> list[Source]:
    """Files with exactly these contents, in order of uri: the same transcript under several names."""
    which = (sha256, scope.workspace(connection))
    rows = execute(connection, f"{_SELECT} WHERE sha256 = ? AND workspace = ? ORDER BY uri", which)
    return [_source(row) for row in rows.fetchall()]


def digests(connection: Connection) -> dict[str, str]:
    """The sha256 of every known file, by uri."""
    t = tables.sources.c
    rows = connection.execute(select(t.uri, t.sha256).where(t.workspace == scope.workspace(connection)))
    return {row.uri: row.sha256 for row in rows}


def put(connection: Connection, source: Source, quarantine: Iterable[Quarantined] = ()) -> None:
    """Keep what is known of a file now, in place of what was. Comes before sessions that name it."""
    source = replace(source, workspace=scope.workspace(connection))
    values = {
        "id": source.id,
        "uri": clean_text(source.uri),
        "format": source.format,
        "reader_version": source.reader_version,
        "size": source.size,
        "mtime_ns": source.mtime_ns,
        "sha256": source.sha256,
        "stamp": source.stamp,
        "report": dumps(source.report),
        "imported_at": iso(source.imported_at),
        "workspace": source.workspace,
    }
    execute(connection, _PUT, [values[name] for name in _NAMES])
    _replace_quarantine(connection, source.id, quarantine)


def quarantined(connection: Connection, source: str) -> list[Quarantined]:
    """The records of a source (by id) that could not be read, in their order."""
    q = tables.quarantine
    query = (
        select(q.c.line, q.c.why, q.c.pointer)
        .where(q.c.source_id == source, q.c.workspace == scope.workspace(connection))
        .order_by(q.c.position)
    )
    return [Quarantined(*row) for row in connection.execute(query)]


def attach(connection: Connection, session_id: str, source: str) -> None:
    """Note that a session was (also) read from a source."""
    execute(connection, _ATTACH, (session_id, source, scope.workspace(connection)))


def listed(connection: Connection, *, after: Cursor | None = None, limit: int = 20) -> list[Source]:
    """Files, those that were read last first, from behind ``after`` (the time and the id of one)."""
    mine = scope.workspace(connection)
    where, given = "workspace = ?", [mine]
    if after is not None:
        where += " AND (imported_at, id) < (?, ?)"
        given += [iso(after[0]), after[1]]
    sql = f"{_SELECT} WHERE {where} ORDER BY imported_at DESC, id DESC LIMIT {limit:d}"
    return [_source(row) for row in execute(connection, sql, given).fetchall()]


def sessions_of(connection: Connection, source: str) -> list[str]:
    """Ids of the sessions that were read from a source (by id), sorted."""
    t = tables.session_sources
    query = select(t.c.session_id).where(
        t.c.source_id == source, t.c.workspace == scope.workspace(connection)
    )
    return sorted(connection.execute(query).scalars())


def _replace_quarantine(connection: Connection, source: str, records: Iterable[Quarantined]) -> None:
    mine = scope.workspace(connection)
    execute(connection, "DELETE FROM quarantine WHERE source_id = ? AND workspace = ?", (source, mine))
    rows = [
        (source, n, r.line, None if r.pointer is None else clean_text(r.pointer), clean_text(r.why), mine)
        for n, r in enumerate(records)
    ]
    if rows:
        execute_many(connection, _QUARANTINE, rows)


def _source(row: Sequence[Any]) -> Source:
    values = dict(zip(_NAMES, row, strict=True))
    del values["id"]  # it follows from the uri
    values["report"] = loads(values["report"], FileReport)
    values["imported_at"] = datetime.fromisoformat(values["imported_at"])
    return Source(**values)
