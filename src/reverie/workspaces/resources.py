"""Resources: made, read, changed under an optimistic lock, archived, deleted and listed, whatever their kind.

The services of the nouns stand on this one; it knows no kind from another.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from reverie.domain.clock import Clock
from reverie.domain.errors import Conflict, NotFound
from reverie.domain.events import JsonObject
from reverie.domain.ids import IdPrefix, new_id
from reverie.domain.resources import ALWAYS, Cursor, Period, Resource
from reverie.storage import resources as rows
from reverie.storage.database import Connection, Database
from reverie.storage.resources import Filter

__all__ = ["Resources"]

T = TypeVar("T")


class Resources:
    """The resources of a workspace.

    All methods are safe to call from any thread. With ``conn`` they join the caller's transaction. What is
    in another workspace is not there: ``NotFound`` reads the same for both.

    Args:
        db: The database, scoped to the workspace.
        workspace: Its id; ``db.workspace``.
        clock: Gives the present, in UTC.
        entropy: ``entropy(n)`` gives n random bytes, for ids.
    """

    def __init__(
        self, db: Database, *, workspace: str, clock: Clock, entropy: Callable[[int], bytes]
    ) -> None:
        self._db = db.scoped(workspace)
        self._clock = clock
        self._entropy = entropy
        self.workspace = workspace

    # ------------------------------------------------------------------ writing

    def create(
        self,
        kind: str,
        body: JsonObject,
        *,
        prefix: IdPrefix,
        parent: str | None = None,
        status: str | None = None,
        key: str | None = None,
        keep_versions: bool = False,
        conn: Connection | None = None,
    ) -> Resource:
        """A new resource with a fresh id. ``key`` is what must be unique among those of its kind.

        Raises:
            Conflict: another one of the kind has that key.
        """
        now = self._clock()
        fresh = Resource(
            new_id(prefix, self._entropy), self.workspace, kind, parent, status, 1, now, now, None, body
        )

        def work(writing: Connection) -> Resource:
            if not rows.add(writing, fresh, key):
                raise Conflict(f"there is {_a(kind)} {key!r} already")
            if keep_versions:
                rows.keep_version(writing, fresh)
            return fresh

        return self._write(conn, work)

    def change(
        self,
        kind: str,
        id: str,
        work: Callable[[Resource], Resource],
        *,
        expected_version: int | None = None,
        keep_versions: bool = False,
        conn: Connection | None = None,
    ) -> Resource:
        """Read, let ``work`` say what it shall be (body, status, parent and archived_at count), and write
        it, in one transaction. A result equal to what is there changes nothing. ``version`` goes up by one
        with every change; where versions are kept, with every change of the body.

        ``work`` may run more than once; what it raises undoes all.

        Raises:
            NotFound: there is no such resource.
            Conflict: its version is not ``expected_version``.
        """
        now = self._clock()

        def change(writing: Connection) -> Resource:
            before = _found(rows.find(writing, kind, id, lock=True), kind, id)
            if expected_version is not None and before.version != expected_version:
                raise Conflict(
                    f"{_a(kind)} at version {before.version} is not the one you changed, version "
                    f"{expected_version}",
                    where=id,
                    hint="read it again and repeat the change on what is there",
                )
            wanted = work(before)
            if _told(wanted) == _told(before):
                return before
            counts = not keep_versions or wanted.body != before.body
            after = replace(
                before,
                body=wanted.body,
                status=wanted.status,
                parent=wanted.parent,
                archived_at=wanted.archived_at,
                updated_at=now,
                version=before.version + counts,
            )
            rows.change(writing, after)
            if keep_versions and counts:
                rows.keep_version(writing, after)
            return after

        return self._write(conn, change)

    def delete(self, kind: str, id: str, *, conn: Connection | None = None) -> Resource:
        """Take a resource out, with the versions it had; gives it as it was.

        Raises:
            NotFound: there is no such resource.
        """

        def work(writing: Connection) -> Resource:
            before = _found(rows.find(writing, kind, id, lock=True), kind, id)
            rows.remove(writing, id)
            return before

        return self._write(conn, work)

    # ------------------------------------------------------------------ reading

    def get(
        self,
        kind: str,
        id: str,
        *,
        parent: str | None = None,
        lock: bool = False,
        share: bool = False,
        conn: Connection | None = None,
    ) -> Resource:
        """A resource by its id; with ``parent`` only if it belongs to that one. ``lock`` (with a writing
        ``conn``) holds it until the transaction ends; ``share`` too, together with others who want no more
        than that it stays.

        Raises:
            NotFound: there is none.
        """
        found = self._read(conn, lambda reading: rows.find(reading, kind, id, lock=lock, share=share))
        if found is not None and parent is not None and found.parent != parent:
            found = None
        return _found(found, kind, id)

    def version(self, kind: str, id: str, number: int, *, conn: Connection | None = None) -> Resource:
        """A resource as it was at a version that was kept.

        Raises:
            NotFound: there is no such resource or version.
        """

        def work(reading: Connection) -> builtins.list[Resource]:
            return rows.versions(reading, _found(rows.find(reading, kind, id), kind, id), number=number)

        found = self._read(conn, work)
        if not found:
            raise NotFound(f"there is no version {number} of it", where=id)
        return found[0]

    def versions(
        self, kind: str, id: str, *, after: int | None = None, limit: int | None = None
    ) -> builtins.list[Resource]:
        """The versions of a resource that were kept, newest first, from behind number ``after`` on.

        Raises:
            NotFound: there is no such resource.
        """
        with self._db.read() as conn:
            found = _found(rows.find(conn, kind, id), kind, id)
            return rows.versions(conn, found, before=after, limit=limit)

    def list(
        self,
        kind: str,
        *,
        parent: str | None = None,
        statuses: Sequence[str] | None = None,
        archived: bool | None = False,
        created: Period = ALWAYS,
        after: Cursor | None = None,
        limit: int | None = None,
        newest_first: bool = True,
        conn: Connection | None = None,
    ) -> builtins.list[Resource]:
        """Resources of a kind that fit everything given, by the time they were made.

        ``archived``: False leaves them out, True leaves the others out, None gives both. ``after`` is the
        last one of the page before.
        """
        wanted = Filter(parent, statuses, archived, created)
        return self._read(
            conn,
            lambda reading: rows.listed(
                reading, kind, wanted, after=after, limit=limit, newest_first=newest_first
            ),
        )

    def count(
        self,
        kind: str,
        *,
        parent: str | None = None,
        statuses: Sequence[str] | None = None,
        archived: bool | None = False,
        conn: Connection | None = None,
    ) -> int:
        """How many resources of a kind fit everything given. To hold a limit by it, lock what they belong
        to first, in the same transaction."""
        wanted = Filter(parent, statuses, archived)
        return self._read(conn, lambda reading: rows.count(reading, kind, wanted))

    def taken(self, kind: str, key: str, *, conn: Connection | None = None) -> bool:
        """Whether a resource of the kind has that ``key``."""
        return self._read(conn, lambda reading: rows.taken(reading, kind, key))

    # ------------------------------------------------------------------ transactions

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run several of these in one transaction: ``work`` gets the ``conn`` to hand them."""
        return self._db.write(work)

    def _write(self, conn: Connection | None, work: Callable[[Connection], T]) -> T:
        return work(conn) if conn is not None else self._db.write(work)

    def _read(self, conn: Connection | None, work: Callable[[Connection], T]) -> T:
        if conn is not None:
            return work(conn)
        with self._db.read() as reading:
            return work(reading)


def _told(resource: Resource) -> tuple[object, ...]:
    return resource.body, resource.status, resource.parent, resource.archived_at


def _found(resource: Resource | None, kind: str, id: str) -> Resource:
    if resource is None:
        raise NotFound(f"there is no {_words(kind)} {id!r}")
    return resource


def _a(kind: str) -> str:
    name = _words(kind)
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _words(kind: str) -> str:
    return kind.replace("_", " ")
