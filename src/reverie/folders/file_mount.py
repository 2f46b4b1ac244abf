"""Files that a client mounts in a session: copied to where the sandbox shows them, once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from reverie.domain.errors import NotFound, Unavailable
from reverie.folders.keeping import keep, kept
from reverie.folders.places import HOME, UPLOADS, Rooms, place
from reverie.folders.tree import Tree
from reverie.folders.trouble import Trouble
from reverie.plugins import Mount
from reverie.workspaces.files import Files

__all__ = ["FileMount"]

Resource: TypeAlias = Mapping[str, Any]

_READ_ONLY: Final = 0o444


class _Copied(msgspec.Struct):
    file_id: str
    name: str
    """Where it is, below the session's root."""
    size: int


class _State(msgspec.Struct):
    """What was copied, by resource."""

    copied: dict[str, _Copied] = {}


class FileMount:
    """The files of one session.

    A file below ``/workspace`` is the agent's own copy, to change as it likes. Anywhere else it is read-only.
    """

    def __init__(self, rooms: Rooms, files: Files) -> None:
        self._rooms = rooms
        self._files = files
        self._tree = Tree(rooms.root, rooms.beside)
        self._file = rooms.beside / "files.json"

    def place(
        self, resources: Sequence[Resource], taken: Sequence[str] = ()
    ) -> tuple[list[Mount], list[Trouble]]:
        """Copy what is missing, take away what is not mounted any more; the mounts that this takes, and what
        could not be copied. ``taken``: folders of the sandbox that are mounts of their own."""
        state = kept(self._file, _State)
        troubles: list[Trouble] = []
        mounts: dict[str, Mount] = {}
        before = msgspec.json.encode(state)
        wanted = {resource["id"]: resource for resource in resources}
        for id in [id for id in state.copied if id not in wanted]:
            self._forget(state.copied.pop(id))
        for id, resource in wanted.items():
            try:
                mount = self._placed(id, resource, state, taken)
            except (NotFound, Unavailable, OSError) as error:
                why = error.strerror if isinstance(error, OSError) else error.what
                troubles.append(_trouble(resource, f"the file cannot be mounted: {why}"))
                continue
            if mount is None:
                told = "a file cannot be mounted over what the system, the session or a repository has there"
                troubles.append(_trouble(resource, told))
            elif mount.inside not in (HOME, UPLOADS):
                mounts[mount.inside] = mount
        if msgspec.json.encode(state) != before:
            keep(self._file, state)
        return list(mounts.values()), troubles

    def _placed(self, id: str, resource: Resource, state: _State, taken: Sequence[str]) -> Mount | None:
        where = place(resource["mount_path"])
        if where is None or any(f"{each}/".startswith(f"{where.mounted}/") for each in taken):
            return None
        known = state.copied.get(id)
        if known is None or known.file_id != resource["file_id"] or not self._stands(known, where.writable):
            file, chunks = self._files.read(resource["file_id"])
            self._tree.write(where.name, chunks, mode=0o644 if where.writable else _READ_ONLY)
            state.copied[id] = _Copied(file.id, where.name, file.body["size_bytes"])
        return Mount(self._rooms.root / where.folder, where.mounted, where.writable)

    def _stands(self, known: _Copied, own: bool) -> bool:
        """Whether it is there: whole, unless it is the agent's own by now."""
        try:
            with self._tree.open(known.name) as file:
                return own or os.fstat(file.fileno()).st_size == known.size
        except OSError:
            return False

    def _forget(self, copied: _Copied) -> None:
        if not copied.name.startswith("workspace/"):
            self._tree.remove(copied.name)


def _trouble(resource: Resource, message: str) -> Trouble:
    path: str = resource["mount_path"]
    return Trouble("mount_failed", f"{path}: {message}", path)
