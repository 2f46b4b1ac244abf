"""SQL for memory stores. Every function takes the caller's transaction.

A store that was deleted leaves a tombstone: a row without a name, which lets its versions be taken out of
their append-only table and keeps what refers to it (decisions, dreams) from pointing nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, update

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.memories import MemoryStore
from reverie.domain.resources import ALWAYS, Cursor, Period
from reverie.storage.codec import dumps, loads
from reverie.storage.scope import workspace
from reverie.storage.statements import within
from reverie.storage.tables import (
    dream_stages,
    dreamed_sessions,
    dreams,
    memories,
    memory_stores,
    memory_versions,
    proposals,
)
from reverie.storage.text import clean_text
from reverie.storage.upsert import insert

__all__ = [
    "Connection",
    "add_store",
    "all_stores",
    "change_store",
    "counts",
    "forget_drafts",
    "lock_store",
    "named",
    "page",
    "remove_store",
    "store",
]

_S: Final = memory_stores


def add_store(conn: Connection, fresh: MemoryStore) -> bool:
    """Whether it was made: False when there is one of that id already."""
    row = {"id": fresh.id, "created_at": iso(fresh.created_at), "deleted_at": None, **_values(fresh)}
    again = insert(conn, _S).values(row | {"workspace": workspace(conn)})
    revived = again.on_conflict_do_update(
        index_elements=[_S.c.id],
        set_=row,
        where=and_(_S.c.workspace == workspace(conn), _S.c.deleted_at.is_not(None)),
    )
    return conn.execute(revived.returning(_S.c.id)).first() is not None


def change_store(conn: Connection, changed: MemoryStore) -> None:
    """Keep a store as it is now."""
    conn.execute(update(_S).where(*_mine(conn, changed.id)).values(_values(changed)))


def remove_store(conn: Connection, store_id: str, at: datetime) -> None:
    """Take out a store with its memories, their history, and the proposals that wait to change them."""
    here = workspace(conn)
    blank = {"name": "", "description": "", "metadata": "{}", "deleted_at": iso(at)}
    conn.execute(update(_S).where(*_mine(conn, store_id)).values(blank))  # first: it lets the versions go
    forget_drafts(conn, store_id)
    for table in (memory_versions, memories, proposals, dreamed_sessions):
        conn.execute(delete(table).where(table.c.store_id == store_id, table.c.workspace == here))


def forget_drafts(conn: Connection, store_id: str) -> None:
    """Take out what ended dreams about a store kept of its texts, in case they had to be taken up again."""
    d, s, here = dreams.c, dream_stages.c, workspace(conn)
    ended = select(d.id).where(d.store_id == store_id, d.workspace == here, d.status != "running")
    conn.execute(
        delete(dream_stages).where(
            s.workspace == here, s.dream_id.in_(ended), s.stage.in_(("write", "check"))
        )
    )


def store(conn: Connection, store_id: str, *, lock: bool = False) -> MemoryStore | None:
    """The store of an id. ``lock`` lets one writer at a time into it until the transaction ends."""
    query = _stores(conn).where(_S.c.id == clean_text(store_id))
    row = conn.execute(query.with_for_update(key_share=True) if lock else query).one_or_none()
    return None if row is None else _store(row)


def lock_store(conn: Connection, store_id: str) -> None:
    """Lets one writer at a time into a store until its transaction ends (SQLite has only one anyway)."""
    store(conn, store_id, lock=True)


def named(conn: Connection, name: str) -> list[MemoryStore]:
    """The stores of a name, the oldest first."""
    query = _stores(conn).where(_S.c.name == name).order_by(_S.c.created_at, _S.c.id)
    return [_store(row) for row in conn.execute(query)]


def all_stores(conn: Connection) -> list[MemoryStore]:
    """Every store, by name."""
    found = [_store(row) for row in conn.execute(_stores(conn))]
    return sorted(found, key=lambda s: (s.name, s.id))  # not ORDER BY: collations differ between servers


def page(
    conn: Connection,
    *,
    archived: bool | None,
    created: Period = ALWAYS,
    after: Cursor | None = None,
    limit: int,
) -> list[MemoryStore]:
    """Stores, newest first, from behind ``after``. ``archived=False`` leaves them out, None gives both."""
    query = _stores(conn)
    if archived is not None:
        query = query.where(_S.c.archived_at.is_not(None) if archived else _S.c.archived_at.is_(None))
    query = query.where(*within(_S.c.created_at, created))
    if after is not None:
        at = iso(after[0])
        query = query.where(or_(_S.c.created_at < at, and_(_S.c.created_at == at, _S.c.id < after[1])))
    rows = conn.execute(query.order_by(_S.c.created_at.desc(), _S.c.id.desc()).limit(limit))
    return [_store(row) for row in rows]


def counts(conn: Connection, store_ids: Sequence[str]) -> dict[str, int]:
    """How many living memories each of these stores holds."""
    m = memories.c
    query = (
        select(m.store_id, func.count())
        .where(m.workspace == workspace(conn), m.store_id.in_(store_ids), m.content.is_not(None))
        .group_by(m.store_id)
    )
    found: dict[str, int] = {row[0]: row[1] for row in conn.execute(query)}
    return {store_id: found.get(store_id, 0) for store_id in store_ids}


def _stores(conn: Connection) -> Select[Any]:
    return select(_S).where(_S.c.workspace == workspace(conn), _S.c.deleted_at.is_(None))


def _mine(conn: Connection, store_id: str) -> tuple[Any, ...]:
    return _S.c.id == store_id, _S.c.workspace == workspace(conn), _S.c.deleted_at.is_(None)


def _values(kept: MemoryStore) -> Mapping[str, object]:
    return {
        "name": kept.name,
        "description": kept.description,
        "updated_at": iso(kept.updated_at),
        "archived_at": iso_or_none(kept.archived_at),
        "metadata": dumps(dict(kept.metadata)),
    }


def _store(row: Row[Any]) -> MemoryStore:
    return MemoryStore(
        id=row.id,
        name=row.name,
        description=row.description,
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
        archived_at=time_or_none(row.archived_at),
        metadata=loads(row.metadata, dict[str, str]),
    )
