"""Memory stores by id: made under any name, changed, archived, deleted, copied."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import Invalid, NotFound
from reverie.domain.ids import new_id
from reverie.domain.memories import MemoryStore, MemoryVersion
from reverie.domain.resources import ALWAYS, Cursor, Period
from reverie.memory.lineage import COPIED
from reverie.memory.stores import valid_name, writable
from reverie.storage import audit
from reverie.storage import memories as memory_rows
from reverie.storage import memory_stores as rows
from reverie.storage.database import Connection, Database
from reverie.storage.deliveries import Announce

__all__ = ["MAX_DESCRIPTION", "MAX_METADATA", "MAX_NAME", "Catalog"]

MAX_NAME: Final = 255
MAX_DESCRIPTION: Final = 1_024
MAX_METADATA: Final = 16


class Catalog:
    """The memory stores of a workspace.

    ``announce`` hears, inside the transaction, of stores that are made, archived and deleted.

    Raises (all methods that take an id): NotFound.
    """

    def __init__(
        self, db: Database, *, clock: Clock, entropy: Callable[[int], bytes], announce: Announce
    ) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy
        self._announce = announce

    def create(
        self, name: str, description: str = "", metadata: Mapping[str, str] | None = None, *, actor: str
    ) -> MemoryStore:
        """A new, empty store. Others may have the same name.

        Raises:
            Invalid: a name that is empty, too long or holds control characters.
        """
        now = self._clock()
        store = MemoryStore(
            new_id("memstore", self._entropy), _name(name), description, now, now, None, dict(metadata or {})
        )
        by = valid_name(actor)
        self._db.write(lambda conn: self._add(conn, store, by))
        return store

    def get(self, store_id: str, *, lock: bool = False, conn: Connection | None = None) -> MemoryStore:
        """A store, archived or not. ``lock`` (with a writing ``conn``) holds it until the transaction ends."""
        if conn is not None:
            return _found(rows.store(conn, store_id, lock=lock), store_id)
        with self._db.read() as reading:
            return _found(rows.store(reading, store_id), store_id)

    def counts(self, store_ids: Sequence[str]) -> dict[str, int]:
        """How many memories each of these stores holds."""
        with self._db.read() as conn:
            return rows.counts(conn, store_ids)

    def list(
        self,
        *,
        archived: bool | None = False,
        created: Period = ALWAYS,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> builtins.list[MemoryStore]:
        """Stores, newest first. ``archived=None`` gives both kinds."""
        with self._db.read() as conn:
            return rows.page(conn, archived=archived, created=created, after=after, limit=limit)

    def update(
        self,
        store_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, str | None] | None = None,
        actor: str,
    ) -> MemoryStore:
        """Change what is given; of the metadata, a key with None goes.

        Raises:
            Archived: the store is archived.
            Invalid: the name, or more than 16 pairs of metadata.
        """
        by, now = valid_name(actor), self._clock()

        def work(conn: Connection) -> MemoryStore:
            found = _found(rows.store(conn, store_id, lock=True), store_id)
            writable(found)
            changed = replace(
                found,
                name=found.name if name is None else _name(name),
                description=found.description if description is None else description,
                metadata=_patched(found.metadata, metadata or {}),
            )
            if changed == found:
                return found
            changed = replace(changed, updated_at=now)
            rows.change_store(conn, changed)
            audit.append(conn, now, by, "store.updated", store_id, {"name": changed.name})
            return changed

        return self._db.write(work)

    def archive(self, store_id: str, *, actor: str, conn: Connection | None = None) -> MemoryStore:
        """Let a store only be read, for ever. Again changes nothing."""
        by, now = valid_name(actor), self._clock()

        def work(conn: Connection) -> MemoryStore:
            found = _found(rows.store(conn, store_id, lock=True), store_id)
            if found.archived_at is not None:
                return found
            archived = replace(found, archived_at=now, updated_at=now)
            rows.change_store(conn, archived)
            audit.append(conn, now, by, "store.archived", store_id, {"name": found.name})
            self._announce(conn, "memory_store.archived", store_id)
            return archived

        return work(conn) if conn is not None else self._db.write(work)

    def delete(self, store_id: str, *, actor: str) -> None:
        """Take a store out with its memories, their versions and the proposals about it, for good."""
        by, now = valid_name(actor), self._clock()

        def work(conn: Connection) -> None:
            _found(rows.store(conn, store_id, lock=True), store_id)
            rows.remove_store(conn, store_id, now)
            audit.append(conn, now, by, "store.deleted", store_id, {})
            self._announce(conn, "memory_store.deleted", store_id)

        self._db.write(work)

    def copy(self, store_id: str, name: str, *, actor: str, conn: Connection) -> MemoryStore:
        """A new store with what this one holds now, each memory at its first version. Part of the caller's
        transaction."""
        now, by = self._clock(), valid_name(actor)
        source = _found(rows.store(conn, store_id, lock=True), store_id)
        made = replace(
            source,
            id=new_id("memstore", self._entropy),
            name=_name(name[:MAX_NAME]),
            created_at=now,
            updated_at=now,
            archived_at=None,
        )
        self._add(conn, made, by)
        for memory in memory_rows.listed(conn, store_id):
            memory_rows.record(
                conn,
                MemoryVersion(
                    id=new_id("memver", self._entropy),
                    memory_id=new_id("mem", self._entropy),
                    store_id=made.id,
                    path=memory.path,
                    version=1,
                    operation="created",
                    content=memory.content,
                    content_sha256=memory.content_sha256,
                    actor=by,
                    reason=f"{COPIED}{memory.version_id}",
                    proposal_id=None,
                    created_at=now,
                ),
            )
        return made

    def _add(self, conn: Connection, store: MemoryStore, actor: str) -> None:
        rows.add_store(conn, store)
        audit.append(conn, store.created_at, actor, "store.created", store.id, {"name": store.name})
        self._announce(conn, "memory_store.created", store.id)


def _found(store: MemoryStore | None, store_id: str) -> MemoryStore:
    if store is None:
        raise NotFound(f"there is no memory store {store_id!r}")
    return store


def _name(name: str) -> str:
    """A name a client gives: anything a person can read, on one line."""
    if not 1 <= len(name) <= MAX_NAME:
        raise Invalid("name", f"1 to {MAX_NAME} characters", len(name))
    if any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name):
        raise Invalid("name", "no control characters", name)
    return name


def _patched(metadata: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    merged = {key: value for key, value in {**metadata, **changes}.items() if value is not None}
    if len(merged) > MAX_METADATA:
        raise Invalid("metadata", f"at most {MAX_METADATA} pairs", len(merged))
    return merged
