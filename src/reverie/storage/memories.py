"""SQL for memories and their versions. Every function takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, TextClause, and_, func, or_, select, text, update

from reverie.domain.clock import iso, time_or_none
from reverie.domain.memories import Memory, MemoryVersion, Operation
from reverie.domain.proposals import Decision
from reverie.domain.resources import ALWAYS, Cursor, Period
from reverie.storage.codec import dumps, loads
from reverie.storage.driver import execute
from reverie.storage.memory_stores import forget_drafts
from reverie.storage.scope import workspace
from reverie.storage.statements import within
from reverie.storage.tables import memories, memory_versions, proposals
from reverie.storage.text import clean_text

__all__ = [
    "REDACTED",
    "Connection",
    "Head",
    "by_id",
    "by_ids",
    "by_paths",
    "count",
    "digests",
    "head",
    "listed",
    "newest",
    "paths",
    "record",
    "redact",
    "search",
    "version",
    "version_by_id",
    "versions",
    "versions_page",
    "was_at",
]


REDACTED: Final = "[redacted]"
"""What stands where a text was that was taken out."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the history of a memory stands. ``memory`` is None after a deletion."""

    memory_id: str
    path: str
    version: int
    memory: Memory | None


def head(conn: Connection, store_id: str, path: str) -> Head | None:
    """The newest state of a path; None when nothing was ever written there. Of several memories that were
    there one after the other, the living one, else the last that was changed."""
    query = (
        select(memories)
        .where(
            memories.c.store_id == store_id, memories.c.path == path, memories.c.workspace == workspace(conn)
        )
        .order_by(memories.c.content.is_(None), memories.c.updated_at.desc(), memories.c.id)
    )
    row = conn.execute(query.limit(1)).one_or_none()
    return None if row is None else _head(row)


def by_id(conn: Connection, store_id: str, memory_id: str) -> Head | None:
    """The newest state of a memory; None when there never was one."""
    query = select(memories).where(
        memories.c.store_id == store_id, memories.c.id == memory_id, memories.c.workspace == workspace(conn)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else _head(row)


def paths(conn: Connection, store_id: str, prefix: str = "") -> list[tuple[str, str]]:
    """(path, id) of the living memories whose path begins with ``prefix``, by path (code points)."""
    m = memories.c
    query = _living(conn, store_id).where(func.substr(m.path, 1, len(prefix)) == prefix)  # not LIKE: % and _
    return sorted((row.path, row.id) for row in conn.execute(query.with_only_columns(m.path, m.id)))


def by_ids(conn: Connection, store_id: str, memory_ids: Sequence[str]) -> dict[str, Memory]:
    """These memories, as far as they live."""
    rows = conn.execute(_living(conn, store_id).where(memories.c.id.in_(memory_ids)))
    return {row.id: _memory(row) for row in rows}


def by_paths(conn: Connection, store_id: str, at: Sequence[str]) -> dict[str, Memory]:
    """The living memories at these paths, by path."""
    rows = conn.execute(_living(conn, store_id).where(memories.c.path.in_(at)))
    return {row.path: _memory(row) for row in rows}


def digests(conn: Connection, store_id: str) -> dict[str, str]:
    """The content's digest of every living memory, by path; no text is read."""
    query = (
        "SELECT path, content_sha256 FROM memories "
        "WHERE store_id = ? AND workspace = ? AND content IS NOT NULL"
    )
    return dict(execute(conn, query, (store_id, workspace(conn))).fetchall())


def newest(conn: Connection, store_id: str) -> str | None:
    """The id of the version that was written last, by its time."""
    query = (
        "SELECT id FROM memory_versions WHERE store_id = ? AND workspace = ? "
        "ORDER BY created_at DESC, id DESC LIMIT 1"
    )
    row = execute(conn, query, (store_id, workspace(conn))).fetchone()
    return None if row is None else row[0]


def was_at(conn: Connection, store_id: str, path: str) -> str | None:
    """The id of the memory that was last at a path, wherever it is now."""
    v = memory_versions.c
    query = _versions(conn).where(v.store_id == store_id, v.path == path)
    row = conn.execute(query.order_by(v.created_at.desc(), v.version.desc()).limit(1)).one_or_none()
    return None if row is None else row.memory_id


def listed(conn: Connection, store_id: str, prefix: str = "") -> list[Memory]:
    """The living memories whose path begins with ``prefix``, in order of path (by code point)."""
    rows = conn.execute(
        _living(conn, store_id).where(
            func.substr(memories.c.path, 1, len(prefix)) == prefix
        )  # not LIKE: % and _
    )
    return sorted((_memory(row) for row in rows), key=lambda memory: memory.path)


def count(conn: Connection, store_id: str) -> int:
    """How many living memories a store holds."""
    query = "SELECT count(*) FROM memories WHERE store_id = ? AND workspace = ? AND content IS NOT NULL"
    row = execute(conn, query, (store_id, workspace(conn))).fetchone()
    return 0 if row is None else row[0]


def record(conn: Connection, version: MemoryVersion) -> None:
    """Appends a version and makes it the newest of its path."""
    mine = workspace(conn)
    newest = {
        "path": version.path,
        "content": version.content,
        "content_sha256": version.content_sha256,
        "version_id": version.id,
        "version": version.version,
        "updated_at": iso(version.created_at),
    }
    if version.version == 1:
        identity = {
            "id": version.memory_id,
            "store_id": version.store_id,
            "created_at": iso(version.created_at),
        }
        conn.execute(memories.insert().values(**identity, **newest, workspace=mine))
    else:
        which = (memories.c.id == version.memory_id, memories.c.workspace == mine)
        conn.execute(update(memories).where(*which).values(**newest))
    conn.execute(
        memory_versions.insert().values(
            id=version.id,
            memory_id=version.memory_id,
            version=version.version,
            store_id=version.store_id,
            path=version.path,
            operation=version.operation,
            content=version.content,
            content_sha256=version.content_sha256,
            actor=version.actor,
            reason=version.reason,
            proposal_id=version.proposal_id,
            created_at=iso(version.created_at),
            workspace=mine,
        )
    )


def versions(conn: Connection, memory_id: str) -> list[MemoryVersion]:
    """The whole history of a memory, oldest first."""
    rows = conn.execute(
        _versions(conn).where(memory_versions.c.memory_id == memory_id).order_by(memory_versions.c.version)
    )
    return [_version(row) for row in rows]


def version(conn: Connection, memory_id: str, number: int) -> MemoryVersion | None:
    """One version of a memory, counted from 1."""
    row = conn.execute(
        _versions(conn).where(memory_versions.c.memory_id == memory_id, memory_versions.c.version == number)
    ).one_or_none()
    return None if row is None else _version(row)


def version_by_id(conn: Connection, version_id: str) -> MemoryVersion | None:
    """One version, by its own id."""
    row = conn.execute(_versions(conn).where(memory_versions.c.id == version_id)).one_or_none()
    return None if row is None else _version(row)


def versions_page(
    conn: Connection,
    store_id: str,
    *,
    memory_id: str | None = None,
    operation: Operation | None = None,
    actor: str | None = None,
    created: Period = ALWAYS,
    after: Cursor | None = None,
    limit: int,
) -> list[MemoryVersion]:
    """Versions in a store that fit everything given, newest first, from behind ``after``."""
    v = memory_versions.c
    query = _versions(conn).where(v.store_id == store_id)
    for column, value in ((v.memory_id, memory_id), (v.operation, operation), (v.actor, actor)):
        if value is not None:
            query = query.where(column == value)
    query = query.where(*within(v.created_at, created))
    if after is not None:
        at = iso(after[0])
        query = query.where(or_(v.created_at < at, and_(v.created_at == at, v.id < after[1])))
    rows = conn.execute(query.order_by(v.created_at.desc(), v.id.desc()).limit(limit))
    return [_version(row) for row in rows]


def redact(conn: Connection, wiped: MemoryVersion, actor: str, at: datetime) -> None:
    """Take the text and the path of a version, for good; and the copies of that text: in proposals for the
    same store (what was proposed, what it was written against), and in what dreams about it kept for being
    taken up again."""
    v = memory_versions.c
    blank = {"path": None, "content": None, "content_sha256": None}
    said = {"redacted_at": iso(at), "redacted_by": actor}
    conn.execute(
        update(memory_versions).where(v.id == wiped.id, v.workspace == workspace(conn)).values(blank | said)
    )
    if wiped.content is None:
        return
    forget_drafts(conn, wiped.store_id)
    p = proposals.c
    mine = (p.store_id == wiped.store_id, p.workspace == workspace(conn))
    for column in (p.content, p.base_content):
        which = (*mine, p.status != "pending", column == wiped.content)
        conn.execute(update(proposals).where(*which).values({column.name: REDACTED}))
    row = conn.execute(select(p.decision).where(*mine, p.id == wiped.proposal_id)).one_or_none()
    decision = None if row is None or row.decision is None else loads(row.decision, Decision)
    if decision is not None and decision.content == wiped.content:
        kept = dumps(replace(decision, content=REDACTED))
        conn.execute(update(proposals).where(*mine, p.id == wiped.proposal_id).values(decision=kept))


def search(conn: Connection, store_id: str, words: Sequence[str], query: str, limit: int) -> list[Memory]:
    """The living memories that hold every word (or a word that begins with it), best first.

    ``words`` are runs of letters and digits, and so cannot hold any engine's syntax; ``query`` is what
    they were taken from, for PostgreSQL, whose parser keeps "pytest.ini" as one word.
    """
    if conn.dialect.name == "sqlite":
        wanted = " ".join(f'"{word}"*' for word in words)
        each = {f"word{n}": word.lower() for n, word in enumerate(words)}
        parameters = {"store_id": store_id, "wanted": wanted, "limit": limit, "mine": workspace(conn), **each}
        found = conn.execute(_sqlite_search(len(words)), parameters)
    else:
        wanted = " & ".join(f"'{word}':*" for word in words)
        parameters = {
            "store_id": store_id,
            "wanted": wanted,
            "query": clean_text(query),
            "limit": limit,
            "mine": workspace(conn),
        }
        found = conn.execute(_POSTGRESQL, parameters)
    return [_memory(row) for row in found]


# A hit in the path counts four times one in the text: paths are what people remember.
@lru_cache
def _sqlite_search(words: int) -> TextClause:
    """Ranked by how often each word is there, the first times counting most. Not by FTS5's bm25: it weighs
    a word by how rare it is in the whole index, and so would tell one workspace of another's words."""
    score = " + ".join(f"{_often('path', n, 4.0)} + {_often('content', n, 1.0)}" for n in range(words))
    found = (
        "SELECT memories.* FROM memories_search JOIN memories ON memories.id = memories_search.memory_id "
        "WHERE memories_search MATCH :wanted AND memories.store_id = :store_id AND memories.workspace = :mine"
    )
    return text(f"{found} ORDER BY {score} DESC, memories.path LIMIT :limit")


def _often(column: str, word: int, weight: float) -> str:
    """0 for a word that is not there, and towards ``weight`` the more often it is."""
    folded = f"lower(memories.{column})"
    times = f"((length({folded}) - length(replace({folded}, :word{word}, ''))) * 1.0 / length(:word{word}))"
    return f"{weight} * {times} / ({times} + 1)"


_POSTGRESQL = text(
    "SELECT memories.* FROM memories, "
    "(SELECT to_tsquery('simple', :wanted) || plainto_tsquery('simple', :query) AS q) AS wanted "
    "WHERE store_id = :store_id AND workspace = :mine AND content IS NOT NULL AND reverie_words(path, content) @@ q "
    "ORDER BY ts_rank_cd(reverie_words(path, ''), q) * 4 + ts_rank_cd(reverie_words('', content), q) DESC, "
    'path COLLATE "C" LIMIT :limit'
)


def _living(conn: Connection, store_id: str) -> Select[Any]:
    return select(memories).where(
        memories.c.store_id == store_id,
        memories.c.content.is_not(None),
        memories.c.workspace == workspace(conn),
    )


def _versions(conn: Connection) -> Select[Any]:
    return select(memory_versions).where(memory_versions.c.workspace == workspace(conn))


def _head(row: Row[Any]) -> Head:
    return Head(row.id, row.path, row.version, None if row.content is None else _memory(row))


def _memory(row: Row[Any]) -> Memory:
    return Memory(
        id=row.id,
        store_id=row.store_id,
        path=row.path,
        content=row.content,
        content_sha256=row.content_sha256,
        version_id=row.version_id,
        version=row.version,
        updated_at=datetime.fromisoformat(row.updated_at),
        created_at=datetime.fromisoformat(row.created_at),
    )


def _version(row: Row[Any]) -> MemoryVersion:
    return MemoryVersion(
        id=row.id,
        memory_id=row.memory_id,
        store_id=row.store_id,
        path=row.path or "",
        version=row.version,
        operation=row.operation,
        content=row.content,
        content_sha256=row.content_sha256,
        actor=row.actor,
        reason=row.reason,
        proposal_id=row.proposal_id,
        created_at=datetime.fromisoformat(row.created_at),
        redacted_at=time_or_none(row.redacted_at),
        redacted_by=row.redacted_by,
    )
