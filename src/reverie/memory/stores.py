"""Memory stores: small texts at paths. A write is a new immutable version, in one transaction with its
audit entry; nothing is ever overwritten, and everything can be read, compared and restored."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from reverie.domain.clock import Clock
from reverie.domain.errors import (
    Ambiguous,
    Archived,
    Conflict,
    NotFound,
    StaleMemory,
    StoreFull,
    UsageError,
)
from reverie.domain.ids import derived_id, new_id
from reverie.domain.memories import (
    MAX_MEMORIES,
    Memory,
    MemoryStore,
    MemoryVersion,
    Operation,
    content_sha256,
    valid_content,
    valid_path,
)
from reverie.domain.workspaces import identity
from reverie.memory.documents import body
from reverie.memory.lineage import RESTORED
from reverie.memory.merge import unified
from reverie.memory.search import SearchHit, snippet, words
from reverie.storage import audit
from reverie.storage import memories as rows
from reverie.storage import memory_stores as store_rows
from reverie.storage.database import Connection, Database

__all__ = [
    "DEFAULT_STORE",
    "Change",
    "MemoryService",
    "audit_version",
    "expect",
    "has_room",
    "next_version",
    "valid_name",
    "writable",
]

T = TypeVar("T")

DEFAULT_STORE: Final = "default"
_MAX_NAME: Final = 200
_MAX_QUERY: Final = 1_000  # characters


@dataclass(frozen=True, slots=True)
class Change:
    """A write or a deletion on its way into the transaction. ``content`` is None for a deletion; ``path``
    is where the memory is to be afterwards."""

    path: str
    content: str | None
    actor: str
    reason: str | None
    expected_sha256: str | None
    proposal_id: str | None
    at: datetime
    memory_id: str  # if the path is new
    version_id: str


class MemoryService:
    """Everything that is done with memory. ``store`` arguments take a store's name or id.

    Methods with ``conn`` join the caller's transaction when one is given, and make their own otherwise.
    The store named "default" is made on first use; any other name must have been created.

    Raises (all methods): NotFound for a store that does not exist, InvalidMemory for a malformed path.
    """

    def __init__(self, db: Database, *, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._db = db
        self._clock = clock
        self._entropy = entropy

    # ------------------------------------------------------------------ stores

    def create_store(self, name: str, description: str = "", *, actor: str = "reverie") -> MemoryStore:
        """A new, empty store.

        Raises:
            Conflict: there is one of that name.
            UsageError: the name is empty, too long, unprintable, or looks like an id.
        """
        store = self._new_store(name, description)
        by = valid_name(actor)

        def work(conn: Connection) -> bool:
            return not store_rows.named(conn, store.name) and _add_store(conn, store, by)

        if not self._db.write(work):
            raise Conflict(f"there is a memory store named {store.name!r} already")
        return store

    def store(self, name: str = DEFAULT_STORE, *, conn: Connection | None = None) -> MemoryStore:
        """The store of that name (or id).

        Raises:
            Ambiguous: several stores have that name.
        """
        if conn is not None:
            found = _find_store(conn, name)
        else:
            with self._db.read() as reading:
                found = _find_store(reading, name)
        if found is not None:
            return found
        if name != DEFAULT_STORE:
            raise NotFound(f"there is no memory store {name!r}", hint="reverie memory stores")
        store = self._new_store(DEFAULT_STORE, "")
        self._write(conn, lambda writing: _add_store(writing, store, "reverie"))
        return self.store(store.id, conn=conn)

    def stores(self) -> builtins.list[MemoryStore]:
        """Every store, by name."""
        with self._db.read() as conn:
            return store_rows.all_stores(conn)

    # ------------------------------------------------------------------ reading

    def list(self, store: str = DEFAULT_STORE, prefix: str | None = None) -> builtins.list[Memory]:
        """The memories of a store in order of path; with ``prefix`` those whose path begins with it."""
        store_id = self.store(store).id
        with self._db.read() as conn:
            return rows.listed(conn, store_id, prefix or "")

    def find(self, store: str, path: str, *, conn: Connection | None = None) -> Memory | None:
        """The newest version at a path; None where there is none, or it was deleted."""
        where = valid_path(path)
        store_id = self.store(store, conn=conn).id
        if conn is not None:
            found = rows.head(conn, store_id, where)
        else:
            with self._db.read() as reading:
                found = rows.head(reading, store_id, where)
        return None if found is None else found.memory

    def read(self, store: str, path: str) -> Memory:
        """The newest version at a path.

        Raises:
            NotFound: nothing is there (case matters), or it was deleted.
        """
        memory = self.find(store, path)
        if memory is None:
            raise NotFound("there is no memory at this path", where=path, hint="reverie memory list")
        return memory

    def versions(self, store: str, path: str) -> builtins.list[MemoryVersion]:
        """The history of a path, oldest first; a deletion is a version without content.

        Raises:
            NotFound: nothing was ever written there.
        """
        store_id = self.store(store).id
        with self._db.read() as conn:
            return rows.versions(conn, _history(conn, store_id, valid_path(path)).memory_id)

    def diff(self, store: str, path: str, from_version: int, to_version: int) -> str:
        """The unified diff between two versions, counted from 1; a deletion reads as no text at all.

        Raises:
            NotFound: there is no such version.
        """
        old, new = self._version(store, path, from_version), self._version(store, path, to_version)
        return unified(
            old.content,
            new.content,
            old_name=f"{old.path} (version {old.version})",
            new_name=f"{new.path} (version {new.version})",
        )

    def search(self, store: str, query: str, limit: int = 20) -> builtins.list[SearchHit]:
        """The memories that hold every word of ``query`` (or a longer word that begins with it), best
        first. Anything may be typed: it is words, never syntax.

        Raises:
            UsageError: ``limit`` is below 1.
        """
        if limit < 1:
            raise UsageError(f"a limit is at least 1, not {limit}")
        store_id = self.store(store).id
        query = query[:_MAX_QUERY]
        wanted = words(query)
        if not wanted:
            return []
        with self._db.read() as conn:
            found = rows.search(conn, store_id, wanted, query, limit)
        return [
            SearchHit(m.path, snippet(body(m.content), wanted), rank, m.id) for rank, m in enumerate(found, 1)
        ]

    # ------------------------------------------------------------------ writing

    def write(
        self,
        store: str,
        path: str,
        content: str,
        *,
        actor: str,
        reason: str | None = None,
        expected_sha256: str | None = None,
        proposal_id: str | None = None,
        conn: Connection | None = None,
    ) -> MemoryVersion:
        """Writes a new version. Text that is there already makes none: the newest version is returned.

        ``expected_sha256`` is the ``content_sha256`` the caller saw: the optimistic lock.

        Raises:
            Conflict: the memory is not (or no longer) the one that was expected.
            InvalidMemory: the path or the text breaks a limit, or the store is full.
        """
        text = valid_content(content, where=path)
        change = self.change(path, text, actor, reason, expected_sha256, proposal_id)
        return self._write(conn, lambda writing: self._record(writing, store, change))

    def delete(
        self,
        store: str,
        path: str,
        *,
        actor: str,
        reason: str | None = None,
        expected_sha256: str | None = None,
        proposal_id: str | None = None,
        conn: Connection | None = None,
    ) -> MemoryVersion:
        """Writes a version without content: the path is free again, its history stays.

        Raises:
            NotFound: nothing is there.
            Conflict: the memory is not (or no longer) the one that was expected.
        """
        change = self.change(path, None, actor, reason, expected_sha256, proposal_id)
        return self._write(conn, lambda writing: self._record(writing, store, change))

    def restore(self, store: str, path: str, version: int, *, actor: str) -> MemoryVersion:
        """Writes the text of an earlier version back, as a new version.

        Raises:
            NotFound: there is no such version, or it is a deletion and has no text.
        """
        old = self._version(store, path, version)
        if old.content is None:
            raise NotFound(f"version {version} is a deletion: it has no text to restore", where=path)
        return self.write(store, path, old.content, actor=actor, reason=f"{RESTORED}{version}")

    # ------------------------------------------------------------------ inside

    def _new_store(self, name: str, description: str) -> MemoryStore:
        name = valid_name(name)
        if name.startswith("memstore_"):
            raise UsageError("a store's name must not look like an id", where=name)
        # Derived, so that two processes that make "default" at once make the same one.
        id, now = derived_id("memstore", *identity(self._db.workspace, name)), self._clock()
        return MemoryStore(id, name, description, now, now)

    def change(
        self,
        path: str,
        content: str | None,
        actor: str,
        reason: str | None,
        expected_sha256: str | None,
        proposal_id: str | None,
    ) -> Change:
        """What is to happen to a memory, checked, with its time and the ids it may need.

        Raises:
            InvalidMemory, UsageError: a malformed path, an empty name.
        """
        return Change(
            path=valid_path(path),
            content=content,
            actor=valid_name(actor),
            reason=reason,
            expected_sha256=expected_sha256,
            proposal_id=proposal_id,
            at=self._clock(),
            memory_id=new_id("mem", self._entropy),
            version_id=new_id("memver", self._entropy),
        )

    def _write(self, conn: Connection | None, work: Callable[[Connection], T]) -> T:
        return work(conn) if conn is not None else self._db.write(work)

    def _record(self, conn: Connection, store_name: str, change: Change) -> MemoryVersion:
        store = self.store(store_name, conn=conn)
        store_rows.lock_store(conn, store.id)
        if change.content is not None:
            writable(store)
        head = rows.head(conn, store.id, change.path)
        memory = None if head is None else head.memory
        expect(memory, change)
        if head is not None and memory is not None and memory.content == change.content:
            return _found(rows.version(conn, head.memory_id, head.version), change.path, head.version)
        if memory is None and change.content is None:
            raise NotFound("there is no memory at this path", where=change.path, hint="reverie memory list")
        if memory is None:
            has_room(conn, store, change.path)
        version = next_version(store, head, change)
        rows.record(conn, version)
        audit_version(conn, store, memory, version)
        return version

    def _version(self, store: str, path: str, number: int) -> MemoryVersion:
        store_id = self.store(store).id
        where = valid_path(path)
        with self._db.read() as conn:
            return _found(
                rows.version(conn, _history(conn, store_id, where).memory_id, number), where, number
            )


def valid_name(name: str) -> str:
    """Who acts, or what a store is called: printable text of 1 to 200 characters, without outer blanks.

    Raises:
        UsageError: it is not.
    """
    plain = name.strip()
    if not plain or len(plain) > _MAX_NAME or not plain.isprintable():
        raise UsageError(f"a name is 1 to {_MAX_NAME} printable characters", where=repr(name[:_MAX_NAME]))
    return plain


def writable(store: MemoryStore) -> None:
    """Refuses a store that was archived.

    Raises:
        Archived: it was.
    """
    if store.archived_at is not None:
        raise Archived("the memory store is archived: it is only read", where=store.id)


def has_room(conn: Connection, store: MemoryStore, path: str) -> None:
    """Refuses a memory more than a store holds.

    Raises:
        StoreFull: it is.
    """
    if rows.count(conn, store.id) >= MAX_MEMORIES:
        raise StoreFull(
            f"the store {store.name!r} is full: {MAX_MEMORIES:,} memories",
            where=path,
            hint="retire some, or use another store",
        )


def _find_store(conn: Connection, name: str) -> MemoryStore | None:
    """By id first: a name can be anything, an id as well."""
    found = store_rows.store(conn, name) if name.startswith("memstore_") else None
    if found is not None:
        return found
    same = store_rows.named(conn, name)
    if len(same) > 1:
        ids = ", ".join(store.id for store in same)
        raise Ambiguous(f"{len(same)} memory stores are named {name!r}: {ids}", hint="give the id")
    return same[0] if same else None


def _add_store(conn: Connection, store: MemoryStore, actor: str) -> bool:
    made = store_rows.add_store(conn, store)
    if made:
        audit.append(conn, store.created_at, actor, "store.created", store.id, {"name": store.name})
    return made


def expect(memory: Memory | None, change: Change) -> None:
    """Refuses a change of a memory that is not the one its writer saw.

    Raises:
        StaleMemory: it changed, or was deleted.
    """
    if change.expected_sha256 is None:
        return
    if memory is None:
        raise StaleMemory("the memory was deleted since it was read", where=change.path)
    if memory.content_sha256 != change.expected_sha256:
        raise StaleMemory(
            f"the memory changed since it was read: it is at version {memory.version} now",
            where=change.path,
            hint="read it again and repeat the change on what is there",
        )


def next_version(store: MemoryStore, head: rows.Head | None, change: Change) -> MemoryVersion:
    """The version that ``change`` makes of what ``head`` says is there."""
    return MemoryVersion(
        id=change.version_id,
        memory_id=change.memory_id if head is None else head.memory_id,
        store_id=store.id,
        path=change.path,
        version=1 if head is None else head.version + 1,
        operation=_operation(head, change),
        content=change.content,
        content_sha256=None if change.content is None else content_sha256(change.content),
        actor=change.actor,
        reason=change.reason,
        proposal_id=change.proposal_id,
        created_at=change.at,
    )


def _operation(head: rows.Head | None, change: Change) -> Operation:
    if change.content is None:
        return "deleted"
    return "created" if head is None or head.memory is None else "modified"


def audit_version(
    conn: Connection, store: MemoryStore, before: Memory | None, version: MemoryVersion
) -> None:
    """Tell the audit log of a version, in its transaction."""
    detail = {
        "store": store.name,
        "path": version.path,
        "version": version.version,
        "before_sha256": None if before is None else before.content_sha256,
        "after_sha256": version.content_sha256,
        "reason": version.reason,
        "proposal_id": version.proposal_id,
    }
    audit.append(
        conn, version.created_at, version.actor, f"memory.{version.operation}", version.memory_id, detail
    )


def _history(conn: Connection, store_id: str, path: str) -> rows.Head:
    head = rows.head(conn, store_id, path)
    if head is None and (moved := rows.was_at(conn, store_id, path)) is not None:
        head = rows.by_id(conn, store_id, moved)  # it was renamed: its history went along
    if head is None:
        raise NotFound("there never was a memory at this path", where=path, hint="reverie memory list")
    return head


def _found(version: MemoryVersion | None, path: str, number: int) -> MemoryVersion:
    if version is None:
        raise NotFound(f"there is no version {number}", where=path, hint=f"reverie memory history {path}")
    return version
