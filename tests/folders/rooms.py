"""A house with folders for its sessions, for tests of what a sandbox holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from reverie.app import Reverie
from reverie.folders.mounts import Mounted, Mounts
from reverie.folders.repository_mount import Git
from reverie.folders.tree import shown
from reverie.memory.records import Edit
from reverie.storage.database import Database

__all__ = ["AGENT", "World", "contents", "kinds"]

AGENT: Final = {"model": "scripted:any", "name": "clerk"}


class World:
    """A house, a store in it, and a session that has it mounted. ``open`` is what a process does first, and is
    also what one does that takes over from a killed one."""

    def __init__(self, url: str, home: Path, clock: Any, entropy: Callable[[int], bytes]) -> None:
        self.house = Reverie(Database.open(url, clock=clock), clock=clock, entropy=entropy)
        self.home = home
        self.clock = clock
        self.git = Git({"PATH": "/usr/bin:/bin"}, ("file", "http"))
        self.store = self.house.stores.create("Notes & Lore", "what we know", actor="test").id

    def close(self) -> None:
        self.house.close()

    def mounts(self) -> Mounts:
        room = self.house
        return Mounts(
            catalog=room.stores,
            memories=room.memories,
            files=room.files,
            environments=room.environments,
            credentials=room.credentials,
            secrets=room.secrets,
            home=self.home,
            clock=self.clock,
            mask=room._mask.mask_text,
            git=self.git,
        )

    def session(self, *resources: Any, config: Any = None, **more: Any) -> str:
        agent = self.house.agents.create(AGENT).id
        environment = self.house.environments.create(
            {"name": "here", "config": config or {"type": "cloud"}}
        ).id
        asked = {"agent": agent, "environment_id": environment, "resources": resources, **more}
        return self.house.sessions.create(asked).row.id

    def attached(self, **more: Any) -> str:
        """A session with the store."""
        return self.session({"type": "memory_store", "memory_store_id": self.store, **more})

    def open(self, session: str) -> Mounted:
        body = self.house.sessions.get(session).row.body
        assert body is not None
        return self.mounts().open(self.house.id, session, body)

    def root(self, session: str) -> Path:
        return self.home / "sessions" / self.house.id / session

    def memory(self, session: str) -> Path:
        return self.root(session) / "memory" / "notes-lore"

    def outputs(self, session: str) -> Path:
        return self.root(session) / "outputs"

    # ------------------------------------------------------------------ the store

    def write(self, path: str, text: str) -> None:
        self.house.memory.write(self.store, path, text, actor="person")

    def delete(self, path: str) -> None:
        self.house.memory.delete(self.store, path, actor="person")

    def fill(self, texts: dict[str, str]) -> None:
        self.house.memories.apply(self.store, [Edit(p, t) for p, t in texts.items()], actor="person")

    def texts(self) -> dict[str, str]:
        return {m.path: m.content for m in self.house.memory.list(self.store)}

    def history(self) -> list[Any]:
        return self.house.memories.versions(self.store, limit=10_000)

    def given(self, session: str) -> dict[str, bytes]:
        """The files of a session, by name."""
        found = self.house.files.list(session_id=session, limit=1_000)
        names = [file.body["filename"] for file in found]
        assert len(names) == len(set(names))
        return {file.body["filename"]: b"".join(self.house.files.read(file.id)[1]) for file in found}


def kinds(troubles: Any) -> list[str]:
    return [trouble.kind for trouble in troubles]


def contents(folder: Path) -> dict[str, str]:
    """The texts of a folder, as paths of memory."""
    return {
        f"/{shown(str(path.relative_to(folder)))}": path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
