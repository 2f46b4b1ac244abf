"""Which workspaces there are. The default one always is, and cannot be archived."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Final

from reverie.domain.clock import Clock
from reverie.domain.errors import Conflict, NotFound, UsageError
from reverie.domain.ids import new_id
from reverie.domain.workspaces import DEFAULT_WORKSPACE, EVERYWHERE, WorkspaceInfo, valid_label
from reverie.storage import audit
from reverie.storage import workspaces as rows
from reverie.storage.database import Connection, Database

__all__ = ["Workspaces"]

_DEFAULT: Final = WorkspaceInfo(DEFAULT_WORKSPACE, "default")


class Workspaces:
    """The workspaces of a database. For whoever runs it: a caller of the API has one, and asks nothing here."""

    def __init__(self, db: Database, *, clock: Clock, entropy: Callable[[int], bytes]) -> None:
        self._db = db.scoped(EVERYWHERE)
        self._clock = clock
        self._entropy = entropy

    def create(self, name: str, *, by: str) -> WorkspaceInfo:
        """A new, empty workspace.

        Raises:
            Invalid: the name is empty, too long, or unprintable.
            Conflict: there is one of that name, if only an archived one.
        """
        plain, at = valid_label("name", name), self._clock()
        fresh = WorkspaceInfo(new_id("wrkspc", self._entropy), plain, at)

        def work(conn: Connection) -> bool:
            made = rows.add(conn, fresh, at)
            if made:
                audit.append(conn, at, by, "workspace.created", fresh.id, {"name": plain})
            return made

        if plain in (_DEFAULT.name, _DEFAULT.id) or not self._db.scoped(fresh.id).write(work):
            raise Conflict(f"there is a workspace named {plain!r} already", hint="reverie workspaces list")
        return fresh

    def get(self, id_or_name: str) -> WorkspaceInfo:
        """A workspace by its id or its name.

        Raises:
            NotFound: there is none.
        """
        if id_or_name in (_DEFAULT.id, _DEFAULT.name):
            return _DEFAULT
        with self._db.read() as conn:
            found = rows.find(conn, id_or_name)
        if found is None:
            raise NotFound(f"there is no workspace {id_or_name!r}", hint="reverie workspaces list")
        return found

    def list(self, *, archived: bool = False) -> builtins.list[WorkspaceInfo]:
        """Every workspace, the default one first, then by age; archived ones only if asked for."""
        with self._db.read() as conn:
            found = rows.listed(conn)
        return [_DEFAULT, *(each for each in found if archived or each.archived_at is None)]

    def archive(self, id_or_name: str, *, by: str) -> WorkspaceInfo:
        """Close a workspace for good: its keys are refused from now on, what is in it stays. Again changes
        nothing.

        Raises:
            NotFound: there is none.
            UsageError: it is the default one.
        """
        found, at = self.get(id_or_name), self._clock()
        if found.id == DEFAULT_WORKSPACE:
            raise UsageError("the default workspace cannot be archived")

        def work(conn: Connection) -> None:
            if rows.archive(conn, found.id, at):
                audit.append(conn, at, by, "workspace.archived", found.id, {"name": found.name})

        self._db.scoped(found.id).write(work)
        return self.get(found.id)
