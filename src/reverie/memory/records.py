"""Memories and their versions by id: what a client keeps that knows a memory under another path tomorrow.

Built on the same writing as ``stores``: a change is a new version, in one transaction with its audit entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import NotFound, PathTaken, ReverieError, StaleMemory, StorageError, UsageError
from reverie.domain.memories import (
    MAX_CONTENT_BYTES,
    MAX_MEMORIES,
    Memory,
    MemoryStore,
    MemoryVersion,
    Operation,
    valid_content,
    valid_path,
)
from reverie.domain.resources import ALWAYS, Cursor, Period
from reverie.memory.lineage import RESTORED
from reverie.memory.merge import unified
from reverie.memory.stores import (
    Change,
    MemoryService,
    audit_version,
    expect,
    has_room,
    next_version,
    valid_name,
    writable,
)
from reverie.storage import audit
from reverie.storage import memories as rows
from reverie.storage import memory_stores as store_rows
from reverie.storage.database import Connection, Database

__all__ = ["Edit", "Records", "warnings"]

_NEARLY: Final = 0.9
_AT_ONCE: Final = 200  # paths asked for in one statement


@dataclass(frozen=True, slots=True)
class Edit:
    """One of several changes that a writer of many texts asks for.

    ``content`` None deletes. ``expected_sha256`` is the digest that the writer saw there; None: nothing was
    there, nor may be. With ``moved_from`` the memory of that digest is taken to ``path``, its history with it.
    """

    path: str
    content: str | None
    expected_sha256: str | None = None
    moved_from: str | None = None


class Records:
    """The memories of a workspace's stores, by id.

    Raises (all methods): NotFound for a store, a memory or a version that is not there.
    """

    def __init__(self, db: Database, memory: MemoryService, *, clock: Clock) -> None:
        self._db = db
        self._memory = memory
        self._clock = clock

    # ------------------------------------------------------------------ memories

    def create(self, store_id: str, path: str, content: str, *, actor: str) -> Memory:
        """A new memory.

        Raises:
            PathTaken: there is a memory at the path.
            InvalidMemory: the path or the text breaks a limit, or the store is full.
            Archived: the store is archived.
        """
        where, text = valid_path(path), valid_content(content, where=path)

        def work(conn: Connection) -> Memory:
            store = _store(conn, store_id, lock=True)
            _free(conn, store, where)
            written = self._memory.write(store.id, where, text, actor=actor, conn=conn)
            return _living(conn, store.id, written.memory_id)

        return self._db.write(work)

    def get(self, store_id: str, memory_id: str) -> Memory:
        """A memory as it is now."""
        with self._db.read() as conn:
            return _living(conn, _store(conn, store_id).id, memory_id)

    def update(
        self,
        store_id: str,
        memory_id: str,
        *,
        content: str | None = None,
        path: str | None = None,
        actor: str,
        expected_sha256: str | None = None,
        reason: str | None = None,
    ) -> Memory:
        """Another text, another path, or both, as one new version; nothing new makes none.

        Raises:
            StaleMemory: the memory is not the one of ``expected_sha256``.
            PathTaken: another memory is at the new path.
            InvalidMemory: the path or the text breaks a limit.
            Archived: the store is archived.
        """
        where = None if path is None else valid_path(path)
        text = None if content is None else valid_content(content, where=path or memory_id)

        def work(conn: Connection) -> Memory:
            store = _store(conn, store_id, lock=True)
            writable(store)
            now = _living(conn, store.id, memory_id)
            wanted = self._memory.change(
                where or now.path, now.content if text is None else text, actor, reason, expected_sha256, None
            )
            expect(now, wanted)
            if wanted.path != now.path:
                _free(conn, store, wanted.path)
            if (wanted.path, wanted.content) != (now.path, now.content):
                _keep(conn, store, now.id, wanted)
            return _living(conn, store.id, memory_id)

        return self._db.write(work)

    def delete(
        self, store_id: str, memory_id: str, *, actor: str, expected_sha256: str | None = None
    ) -> MemoryVersion:
        """Take a memory out; its history stays, with a last version that says so.

        Raises:
            StaleMemory: the memory is not the one of ``expected_sha256``.
        """

        def work(conn: Connection) -> MemoryVersion:
            store = _store(conn, store_id, lock=True)
            now = _living(conn, store.id, memory_id)
            wanted = self._memory.change(now.path, None, actor, None, expected_sha256, None)
            expect(now, wanted)
            return _keep(conn, store, now.id, wanted)

        return self._db.write(work)

    def page(
        self, store_id: str, *, prefix: str = "", flat: bool = True, after: str | None = None, limit: int = 20
    ) -> list[Memory | str]:
        """Memories below a prefix, by path, from behind ``after`` (a path, or a prefix as listed). Not
        ``flat``: only the next level, with what lies deeper rolled up into prefixes that end in ``/``."""
        with self._db.read() as conn:
            store = _store(conn, store_id)
            found = rows.paths(conn, store.id, prefix)
            shown = dict(found) if flat else _rolled_up(found, prefix)
            names = [name for name in sorted(shown) if after is None or name > after][:limit]
            memories = rows.by_ids(conn, store.id, [id for name in names if (id := shown[name])])
        return [memories[id] if (id := shown[name]) else name for name in names]

    # ------------------------------------------------------------------ many at once

    def stamp(self, store_id: str) -> str | None:
        """Something short that is another after a store's memories changed; a store that is gone has none.

        It goes by the time of what was written last: of two writers whose clocks differ the slower one may
        not show. Whoever needs to know looks at ``digests`` from time to time.
        """
        with self._db.read() as conn:
            return rows.newest(conn, store_id)

    def digests(self, store_id: str) -> dict[str, str]:
        """The ``content_sha256`` of every memory of a store, by path."""
        with self._db.read() as conn:
            return rows.digests(conn, _store(conn, store_id).id)

    def texts(self, store_id: str, paths: Sequence[str]) -> dict[str, Memory]:
        """The memories at these paths, by path; what is not there is left out."""
        with self._db.read() as conn:
            found: dict[str, Memory] = {}
            for start in range(0, len(paths), _AT_ONCE):
                found |= rows.by_paths(conn, store_id, paths[start : start + _AT_ONCE])
            return found

    def apply(
        self, store_id: str, edits: Sequence[Edit], *, actor: str
    ) -> list[MemoryVersion | ReverieError]:
        """Make several changes in one transaction. What each came to stands in its place: the version it
        made (or found to be there already), or why it was refused, which hinders no other.

        ``StaleMemory``, ``PathTaken``, ``NotFound``: the store is not what the writer saw. ``InvalidMemory``,
        ``StoreFull``, ``Archived``: it does not take this.
        """

        def work(conn: Connection) -> list[MemoryVersion | ReverieError]:
            store = _store(conn, store_id, lock=True)
            return [self._outcome(conn, store, edit, actor) for edit in edits]

        return self._db.write(work)

    def _outcome(
        self, conn: Connection, store: MemoryStore, edit: Edit, actor: str
    ) -> MemoryVersion | ReverieError:
        try:
            return self._edit(conn, store, edit, actor)
        except StorageError:
            raise
        except ReverieError as refused:  # raised before anything of this edit was written
            return refused

    def _edit(self, conn: Connection, store: MemoryStore, edit: Edit, actor: str) -> MemoryVersion:
        if edit.moved_from is not None:
            return self._move(conn, store, edit, edit.moved_from, actor)
        seen = edit.expected_sha256
        if edit.content is None:
            writable(store)
            return self._memory.delete(store.id, edit.path, actor=actor, expected_sha256=seen, conn=conn)
        if seen is None:
            _free(conn, store, edit.path)
        return self._memory.write(
            store.id, edit.path, edit.content, actor=actor, expected_sha256=seen, conn=conn
        )

    def _move(
        self, conn: Connection, store: MemoryStore, edit: Edit, moved_from: str, actor: str
    ) -> MemoryVersion:
        writable(store)
        head = rows.head(conn, store.id, moved_from)
        if head is None or head.memory is None:
            raise StaleMemory("the memory was deleted since it was read", where=moved_from)
        now = head.memory
        wanted = self._memory.change(edit.path, now.content, actor, None, edit.expected_sha256, None)
        expect(now, wanted)
        _free(conn, store, wanted.path)
        return _keep(conn, store, now.id, wanted)

    # ------------------------------------------------------------------ versions

    def versions(
        self,
        store_id: str,
        *,
        memory_id: str | None = None,
        operation: Operation | None = None,
        actor: str | None = None,
        created: Period = ALWAYS,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> list[MemoryVersion]:
        """Versions in a store that fit everything given, newest first; of deleted memories too."""
        with self._db.read() as conn:
            return rows.versions_page(
                conn,
                _store(conn, store_id).id,
                memory_id=memory_id,
                operation=operation,
                actor=actor,
                created=created,
                after=after,
                limit=limit,
            )

    def version(self, store_id: str, version_id: str) -> MemoryVersion:
        """One version."""
        with self._db.read() as conn:
            return _version(conn, _store(conn, store_id).id, version_id)

    def diff(self, store_id: str, from_id: str, to_id: str) -> str:
        """The unified diff between two versions, of one memory or two.

        Raises:
            UsageError: one of them was redacted.
        """
        with self._db.read() as conn:
            store = _store(conn, store_id)
            old, new = _version(conn, store.id, from_id), _version(conn, store.id, to_id)
        for each in (old, new):
            _readable(each)
        return unified(old.content, new.content, old_name=_named(old), new_name=_named(new))

    def redact(self, store_id: str, version_id: str, *, actor: str) -> MemoryVersion:
        """Take a version's text and path, for good; who and when stay. Again changes nothing.

        Raises:
            UsageError: it is what the memory says now; write something else first, or delete the memory.
        """
        by, at = valid_name(actor), self._clock()

        def work(conn: Connection) -> MemoryVersion:
            store = _store(conn, store_id, lock=True)
            found = _version(conn, store.id, version_id)
            if found.redacted_at is not None:
                return found
            head = rows.by_id(conn, store.id, found.memory_id)
            if head is not None and head.memory is not None and head.version == found.version:
                raise UsageError(
                    "this version is what the memory says now",
                    where=version_id,
                    hint="update or delete the memory, then redact this version",
                )
            rows.redact(conn, found, by, at)
            audit.append(conn, at, by, "memory.redacted", found.memory_id, {"version": found.version})
            return _version(conn, store.id, version_id)

        return self._db.write(work)

    def restore(self, store_id: str, version_id: str, *, actor: str) -> Memory:
        """Write a version's text back as a new version: where the memory is now, or, if it was deleted,
        where it was then.

        Raises:
            UsageError: the version has no text (a deletion, a redaction).
            PathTaken: another memory is there by now.
            InvalidMemory: the store is full.
        """

        def work(conn: Connection) -> Memory:
            store = _store(conn, store_id, lock=True)
            writable(store)
            old = _version(conn, store.id, version_id)
            _readable(old)
            if old.content is None:
                raise UsageError("a deletion has no text to restore", where=version_id)
            head = rows.by_id(conn, store.id, old.memory_id)
            living = head is not None and head.memory is not None
            path = head.path if head is not None and living else old.path
            if not living:
                _free(conn, store, path)
                has_room(conn, store, path)
            reason = f"{RESTORED}{old.version}"
            wanted = self._memory.change(path, old.content, actor, reason, None, None)
            if not (head is not None and head.memory is not None and head.memory.content == old.content):
                _keep(conn, store, old.memory_id, wanted)
            return _living(conn, store.id, old.memory_id)

        return self._db.write(work)


def warnings(*, memories: int | None = None, content_bytes: int | None = None) -> list[str]:
    """What is nearly full, from nine tenths on, before a write is refused."""
    told: list[str] = []
    for has, most, what in (
        (memories, MAX_MEMORIES, "memories in the store"),
        (content_bytes, MAX_CONTENT_BYTES, "bytes in the memory"),
    ):
        if has is not None and has >= most * _NEARLY:
            told.append(f"{has:,} of at most {most:,} {what}")
    return told


def _rolled_up(found: Sequence[tuple[str, str]], prefix: str) -> dict[str, str]:
    """The next level below a prefix: a memory's path with its id, a prefix with none."""
    level: dict[str, str] = {}
    for path, memory_id in found:
        inner = path[max(len(prefix), 1) :]
        name, slash, _ = inner.partition("/")
        if slash:
            level[path[: len(path) - len(inner)] + name + slash] = ""
        else:
            level[path] = memory_id
    return level


def _store(conn: Connection, store_id: str, *, lock: bool = False) -> MemoryStore:
    found = store_rows.store(conn, store_id, lock=lock)
    if found is None:
        raise NotFound(f"there is no memory store {store_id!r}")
    return found


def _living(conn: Connection, store_id: str, memory_id: str) -> Memory:
    head = rows.by_id(conn, store_id, memory_id)
    if head is None or head.memory is None:
        raise NotFound(f"there is no memory {memory_id!r}")
    return head.memory


def _version(conn: Connection, store_id: str, version_id: str) -> MemoryVersion:
    found = rows.version_by_id(conn, version_id)
    if found is None or found.store_id != store_id:
        raise NotFound(f"there is no memory version {version_id!r}")
    return found


def _free(conn: Connection, store: MemoryStore, path: str) -> None:
    head = rows.head(conn, store.id, path)
    if head is not None and head.memory is not None:
        raise PathTaken(
            f"there is a memory at {path!r} already: {head.memory_id}",
            hint="update it, or choose another path",
        )


def _keep(conn: Connection, store: MemoryStore, memory_id: str, change: Change) -> MemoryVersion:
    """Append a change to the history of a memory."""
    head = rows.by_id(conn, store.id, memory_id)
    version = next_version(store, head, change)
    rows.record(conn, version)
    audit_version(conn, store, None if head is None else head.memory, version)
    return version


def _readable(version: MemoryVersion) -> None:
    if version.redacted_at is not None:
        raise UsageError("this version was redacted", where=version.id)


def _named(version: MemoryVersion) -> str:
    return f"{version.path} ({version.id})"
