"""The folders of a session without a house around them, for tests of areas."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reverie.folders.areas import Areas, Held
from reverie.folders.entries import Part
from reverie.folders.ground import Ground
from reverie.folders.places import CONFLICTS, HOME, OUTPUTS, SPILL, UPLOADS, Rooms
from reverie.plugins import Injected, Mount, Network, SandboxSpec

__all__ = ["Yard", "plant", "tree"]


class Yard(Held):
    """What a session has. Making another one of the same folder is what a process does that takes over."""

    def __init__(self, root: Path) -> None:
        self.rooms = rooms = Rooms(root)
        for folder in (
            rooms.workspace,
            rooms.outputs,
            rooms.uploads,
            rooms.spill,
            rooms.conflicts,
            rooms.beside,
        ):
            folder.mkdir(parents=True, exist_ok=True)
        parts = [Part("workspace", HOME), Part("outputs", OUTPUTS)]
        mounts = [
            Mount(rooms.workspace, HOME),
            Mount(rooms.outputs, OUTPUTS),
            Mount(rooms.uploads, UPLOADS, writable=False),
            Mount(rooms.spill, SPILL),
            Mount(rooms.conflicts, CONFLICTS, writable=False),
            Mount(rooms.memory("notes"), "/mnt/memory/notes"),
        ]
        spec = SandboxSpec(
            "sesn_1",
            mounts,
            network=Network(("example.org",)),
            variables={"A": "b"},
            secrets=[Injected("KEY", "x")],
        )
        super().__init__(spec, "All of it.", Areas(rooms, Ground(root, parts, rooms.beside)))

    def pull(self) -> list[Any]:
        return []

    def push(self) -> list[Any]:
        return []

    def changed(self) -> bool:
        return False

    def area(self, name: str) -> Path:
        return self.rooms.areas / name


def plant(folder: Path, **files: str | None) -> None:
    """Write files, or take them away; ``__`` in a name is a ``/``, and ``_`` before its end a dot."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def tree(folder: Path) -> dict[str, tuple[str, Any]]:
    """Everything in a folder: texts, where links lead, and empty folders."""
    found: dict[str, tuple[str, Any]] = {}
    for where, folders, files in os.walk(folder):
        here = Path(where)
        for name in (*folders, *files):
            path = here / name
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = ("link", os.readlink(path))
            elif path.is_dir():
                found[key] = ("folder", None)
            else:
                found[key] = (oct(path.stat().st_mode & 0o777), path.read_text())
    return found
