"""SQL for memory stores, memories and their versions. Every function takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, text, update

from reverie.domain.clock import iso
from reverie.domain.memories import Memory, MemoryStore, MemoryVersion
from reverie.storage.scope import workspace
from reverie.storage.tables import memories, memory_stores, memory_versions
from reverie.storage.text import clean_text
from reverie.storage.upsert import insert

__all__ = [
    "Connection",
    "Head",
    "add_store",
    "all_stores",
    "count",
    "find_store",
    "head",
    "listed",
    "lock_store",
    "record",
    "search",
    "version",
    "version_by_id",
    "versions",
]


@dataclass(frozen=True, slots=True)
class Head:
    """Where the history of a path stands. ``memory`` is None after a deletion."""

    memory_id: str
    version: int
    memory: Memory | None


def add_store(conn: Connection, store: MemoryStore) -> bool:
    """Whether it was made: False when there is one of that name already."""
    row = {
        "id": store.id,
        "name": store.name,
        "description": store.description,
        "created_at": iso(store.created_at),
        "updated_at": iso(store.created_at),
        "metadata": "{}",
        "workspace": workspace(conn),
    }
    statement = insert(conn, memory_stores).values(row).on_conflict_do_nothing()
    return conn.execute(statement.returning(memory_stores.c.id)).first() is not None


def all_stores(conn: Connection) -> list[MemoryStore]:
    """Every store, by name."""
    found = [_store(row) for row in conn.execute(_stores(conn))]
    return sorted(found, key=lambda store: store.name)  # not ORDER BY: collations differ between servers


def find_store(conn: Connection, name: str) -> MemoryStore | None:
    """The store of that name, else of that id."""
    for column in (memory_stores.c.name, memory_stores.c.id):
        query = _stores(conn).where(column == name)
        row = conn.execute(query.order_by(memory_stores.c.created_at, memory_stores.c.id).limit(1)).first()
        if row is not None:
            return _store(row)
    return None


def lock_store(conn: Connection, store_id: str) -> None:
    """Lets one writer at a time into a store until its transaction ends (SQLite has only one anyway)."""
    conn.execute(
        select(memory_stores.c.id)
        .where(memory_stores.c.id == store_id, memory_stores.c.workspace == workspace(conn))
        .with_for_update(key_share=True)
    )


def head(conn: Connection, store_id: str, path: str) -> Head | None:
    """The newest state of a path; None when nothing was ever written there."""
    row = conn.execute(
        select(memories).where(
            memories.c.store_id == store_id, memories.c.path == path, memories.c.workspace == workspace(conn)
        )
    ).one_or_none()
    if row is None:
        return None
    return Head(row.id, row.version, None if row.content is None else _memory(row))


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
    return conn.execute(select(func.count()).select_from(_living(conn, store_id).subquery())).scalar_one()


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


def search(conn: Connection, store_id: str, words: Sequence[str], query: str, limit: int) -> list[Memory]:
    """The living memories that hold every word (or a word that begins with it), best first.

    ``words`` are runs of letters and digits, and so cannot hold any engine's syntax; ``query`` is what
    they were taken from, for PostgreSQL, whose parser keeps "pytest.ini" as one word.
    """
    if conn.dialect.name == "sqlite":
        wanted = " ".join(f'"{word}"*' for word in words)
        parameters = {"store_id": store_id, "wanted": wanted, "limit": limit, "mine": workspace(conn)}
        found = conn.execute(_SQLITE, parameters)
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
_SQLITE = text(
    "SELECT memories.* FROM memories_search JOIN memories ON memories.id = memories_search.memory_id "
    "WHERE memories_search MATCH :wanted AND memories.store_id = :store_id AND memories.workspace = :mine "
    "ORDER BY bm25(memories_search, 0.0, 4.0, 1.0), memories.path LIMIT :limit"
)
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


def _stores(conn: Connection) -> Select[Any]:
    s = memory_stores.c
    return select(memory_stores).where(s.workspace == workspace(conn), s.deleted_at.is_(None))


def _versions(conn: Connection) -> Select[Any]:
    return select(memory_versions).where(memory_versions.c.workspace == workspace(conn))


def _store(row: Row[Any]) -> MemoryStore:
    return MemoryStore(row.id, row.name, row.description, datetime.fromisoformat(row.created_at))


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
    )


def _version(row: Row[Any]) -> MemoryVersion:
    return MemoryVersion(
        id=row.id,
        memory_id=row.memory_id,
        store_id=row.store_id,
        path=row.path,
        version=row.version,
        operation=row.operation,
        content=row.content,
        content_sha256=row.content_sha256,
        actor=row.actor,
        reason=row.reason,
        proposal_id=row.proposal_id,
        created_at=datetime.fromisoformat(row.created_at),
    )
