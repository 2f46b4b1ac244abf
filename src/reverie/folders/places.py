"""Where on this machine the folders of a session are, and which of them holds a path of its sandbox."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reverie.domain.errors import Invalid

__all__ = ["CONFLICTS", "HOME", "OUTPUTS", "SPILL", "UPLOADS", "Place", "Rooms", "place"]

HOME: Final = "/workspace"
UPLOADS: Final = "/mnt/session/uploads"
OUTPUTS: Final = "/mnt/session/outputs"
CONFLICTS: Final = "/mnt/session/conflicts"
SPILL: Final = "/mnt/session/spill"
_OURS: Final = ("/mnt/session", "/mnt/memory")
_SYSTEM: Final = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "sys", "tmp", "usr",
     "var"}
)  # fmt: skip
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Rooms:
    """The folders of one session. ``beside`` holds what is remembered of them; no sandbox sees it."""

    root: Path

    @classmethod
    def of(cls, home: Path, workspace: str, session_id: str) -> Rooms:
        """The rooms of a session.

        Raises:
            Invalid: one of the two is no id, and could lead anywhere.
        """
        for name, value in (("workspace", workspace), ("session_id", session_id)):
            if not _NAME.fullmatch(value):
                raise Invalid(name, "an id", value)
        return cls(home / "sessions" / workspace / session_id)

    @property
    def workspace(self) -> Path:
        return self.root / "workspace"

    @property
    def outputs(self) -> Path:
        return self.root / "outputs"

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    @property
    def spill(self) -> Path:
        return self.root / "spill"

    @property
    def conflicts(self) -> Path:
        return self.root / "conflicts"

    @property
    def areas(self) -> Path:
        """Of specialists: each has a folder here."""
        return self.root / "areas"

    @property
    def copies(self) -> Path:
        """To be thrown away."""
        return self.root / "copies"

    @property
    def beside(self) -> Path:
        return self.root / "beside"

    def memory(self, slug: str) -> Path:
        """The folder of a memory store."""
        return self.root / "memory" / slug


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path of the sandbox lies. ``mounted`` is the folder of the sandbox it is below, which is to be a
    mount; ``name`` where it is in the session's root on this machine, and ``folder`` where that mount is."""

    mounted: str
    folder: str
    name: str

    @property
    def writable(self) -> bool:
        """Whether the agent may write there."""
        return self.mounted == HOME


def place(path: str) -> Place | None:
    """Where a file that is mounted at ``path`` lies; None where nothing may be mounted: over the system's own
    folders, and over what every session has."""
    path = f"/{_clean(path)}"
    steps = path[1:].split("/")
    for mounted, folder in ((HOME, "workspace"), (UPLOADS, "uploads")):
        if path.startswith(mounted + "/"):
            return Place(mounted, folder, folder + path[len(mounted) :])
    depth = 2 if steps[0] == "mnt" else 1
    mounted = "/" + "/".join(steps[:depth])
    if steps[0] in _SYSTEM or len(steps) <= depth or mounted in (*_OURS, HOME):
        return None
    folder = f"mounts/{hashlib.sha256(mounted.encode('utf-8')).hexdigest()[:16]}"
    return Place(mounted, folder, f"{folder}/{'/'.join(steps[depth:])}")


def _clean(path: str) -> str:
    return "/".join(step for step in path.split("/") if step)
