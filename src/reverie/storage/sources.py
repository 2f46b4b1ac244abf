"""Sources in SQL: the files that were imported, how far, what of them could not be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import RowMapping, select

from reverie.domain.clock import iso
from reverie.domain.ids import derived_id
from reverie.domain.imports import FileReport, Quarantined
from reverie.storage import tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.text import clean_text
from reverie.storage.upsert import insert

__all__ = ["Source", "attach", "by_sha256", "by_uri", "put", "quarantined", "sessions_of", "source_id"]

_T: Final = tables.sources


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

    @property
    def id(self) -> str:
        return source_id(self.uri)


def source_id(uri: str) -> str:
    """The id of the file at ``uri``; known before the file is read."""
    return derived_id("src", uri)


def by_uri(connection: Connection, uri: str) -> Source | None:
    """What is known of the file at ``uri``."""
    row = connection.execute(select(_T).where(_T.c.id == source_id(uri))).mappings().one_or_none()
    return None if row is None else _source(row)


def by_sha256(connection: Connection, sha256: str) -> list[Source]:
    """Files with exactly these contents, in order of uri: the same transcript under several names."""
    rows = connection.execute(select(_T).where(_T.c.sha256 == sha256).order_by(_T.c.uri))
    return [_source(row) for row in rows.mappings()]


def put(connection: Connection, source: Source, quarantine: Iterable[Quarantined] = ()) -> None:
    """Keep what is known of a file now, in place of what was. Comes before sessions that name it."""
    values = {
        "uri": clean_text(source.uri),
        "format": source.format,
        "reader_version": source.reader_version,
        "size": source.size,
        "mtime_ns": source.mtime_ns,
        "sha256": source.sha256,
        "stamp": source.stamp,
        "report": dumps(source.report),
        "imported_at": iso(source.imported_at),
    }
    statement = insert(connection, _T).values(id=source.id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=[_T.c.id], set_=values))
    _replace_quarantine(connection, source.id, quarantine)


def quarantined(connection: Connection, source: str) -> list[Quarantined]:
    """The records of a source (by id) that could not be read, in their order."""
    q = tables.quarantine
    query = select(q.c.line, q.c.why, q.c.pointer).where(q.c.source_id == source).order_by(q.c.position)
    return [Quarantined(*row) for row in connection.execute(query)]


def attach(connection: Connection, session_id: str, source: str) -> None:
    """Note that a session was (also) read from a source."""
    statement = insert(connection, tables.session_sources).values(session_id=session_id, source_id=source)
    connection.execute(statement.on_conflict_do_nothing())


def sessions_of(connection: Connection, source: str) -> list[str]:
    """Ids of the sessions that were read from a source (by id), sorted."""
    t = tables.session_sources
    return sorted(connection.execute(select(t.c.session_id).where(t.c.source_id == source)).scalars())


def _replace_quarantine(connection: Connection, source: str, records: Iterable[Quarantined]) -> None:
    q = tables.quarantine
    connection.execute(q.delete().where(q.c.source_id == source))
    rows = [
        {
            "source_id": source,
            "position": position,
            "line": record.line,
            "pointer": None if record.pointer is None else clean_text(record.pointer),
            "why": clean_text(record.why),
        }
        for position, record in enumerate(records)
    ]
    if rows:
        connection.execute(q.insert(), rows)


def _source(row: RowMapping) -> Source:
    return Source(
        uri=row["uri"],
        format=row["format"],
        reader_version=row["reader_version"],
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        sha256=row["sha256"],
        report=loads(row["report"], FileReport),
        imported_at=datetime.fromisoformat(row["imported_at"]),
        stamp=row["stamp"],
    )
