"""Work areas of specialists, which are merged, and copies, which are thrown away.

An area is a copy of what the agents of a session may write (workspace, outputs, repositories), at the same places in
a sandbox of its own. Its folder holds the parts and, where no sandbox sees it, what both sides had when they last
agreed (``pair``). It comes to stand there by one rename: what a killed process left half made is something else, and
is taken away when the session is opened again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from reverie.domain.areas import MergeReport
from reverie.domain.errors import DiskFull, Invalid, NotFound, TooLarge, Unavailable
from reverie.folders.briefing import briefing_of_area, briefing_of_copy
from reverie.folders.copying import Pouring, Texts, duplicate
from reverie.folders.entries import MAX_FILES, storable
from reverie.folders.ground import Ground
from reverie.folders.joining import Join, merged_before
from reverie.folders.keeping import boot, keep
from reverie.folders.pair import BASE, Base, Pair
from reverie.folders.places import OUTPUTS, SPILL, Rooms
from reverie.folders.refreshing import refresh
from reverie.folders.tree import Tree, demolish
from reverie.folders.trouble import Trouble
from reverie.plugins import Mount, Network, SandboxSpec

__all__ = ["Area", "Areas", "Copy", "Held"]

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LABEL: Final = 200  # characters: a file name, with room for what is behind it


class Areas:
    """The areas and copies of a session, or of an area (``origin`` is what they are made from)."""

    def __init__(self, rooms: Rooms, origin: Ground) -> None:
        self.rooms = rooms
        self.origin = origin
        self._texts = Texts(rooms.beside / "texts.pack")
        self._conflicts = Ground(rooms.conflicts, (), rooms.beside)

    def ground(self, name: str, *, kept: bool = True) -> Ground:
        """Where an area (or, not ``kept``, a copy) of that name is.

        Raises:
            Invalid: the name could lead anywhere.
        """
        label = f"{self.origin.label}.{name}".removeprefix(".")
        if not _NAME.fullmatch(name) or len(label) > _LABEL:
            raise Invalid("name", "letters, digits, - and _, at most 64", name)
        folder = self.rooms.areas if kept else self.rooms.copies
        return Ground(folder / label, self.origin.parts, self.rooms.beside, label)

    def make(self, area: Ground) -> bool:
        """Make an area, unless it is there; whether it was made.

        Raises:
            TooLarge: more than is copied.
            StorageError: the disk does not do it.
        """
        if not area.parts or area.root.is_dir():
            return False
        with _disk(area), self._locked():
            if area.root.is_dir():
                return False
            self._fill(area)
        return True

    def refresh(self, area: Ground) -> None:
        """Make an area; one that is there gets what others did meanwhile.

        Raises:
            as ``make``.
        """
        if not self.make(area) and area.parts:
            with _disk(area), self._locked():
                refresh(self._pair(area))

    def merge(self, area: Ground, mark: str) -> MergeReport:
        """Take over what was done in an area.

        Raises:
            TooLarge: more than is compared: the area stays as it is.
            StorageError: the disk does not do it; what was done stays, and the rest is done next time.
        """
        if not area.root.is_dir():
            return MergeReport()
        with _disk(area), self._locked():
            before = merged_before(area, mark)
            return before or Join(area, self._pair(area), self._texts, self._conflicts).run(mark)

    def copy(self, copy: Ground) -> None:
        """Make a copy, in the place of one that is there.

        Raises:
            as ``make``.
        """
        demolish(copy.root)
        with _disk(copy), self._locked():
            copy.root.mkdir(parents=True)
            duplicate(self.origin.root, copy.root, copy.parts, Pouring())

    def discard(self, name: str) -> None:
        """Take an area and a copy of that name away, and what was forked from them.

        Raises:
            StorageError: the disk does not do it.
        """
        label = self.ground(name).label
        gone: list[Path] = []
        with _disk(self.ground(name)):
            for folder in (self.rooms.areas, self.rooms.copies):
                for path in (folder / label, *folder.glob(f"{label}.*")):
                    gone.append(self.rooms.beside / f"{secrets.token_hex(8)}.tmp")
                    with suppress(FileNotFoundError):
                        path.rename(gone[-1])  # at once for whoever looks
            for path in gone:
                demolish(path)

    # ------------------------------------------------------------------ inside

    def _fill(self, area: Ground) -> None:
        fresh = self.rooms.beside / f"{secrets.token_hex(8)}.tmp"
        fresh.mkdir(parents=True)
        try:
            pouring, now = Pouring(self._texts), self._tick()
            records = duplicate(self.origin.root, fresh, area.parts, pouring, before=now)
            now = self._tick()
            for record in records.values():
                if record.mine is not None and record.mine.ctime_ns >= now:
                    record.mine = None
            keep(fresh / BASE, Base({storable(name): record for name, record in records.items()}, boot()))
            area.root.parent.mkdir(exist_ok=True)
            fresh.rename(area.root)
        except BaseException:
            demolish(fresh)
            raise

    def _pair(self, area: Ground) -> Pair:
        return Pair(area, self.origin, self._texts, self._tick())

    def _tick(self) -> int:
        """The time as the file system writes it."""
        file = self.rooms.beside / "areas.tick"
        file.touch()
        return file.stat().st_ctime_ns

    @contextmanager
    def _locked(self) -> Generator[None]:
        """One at a time, of all threads and processes."""
        handle = os.open(self.rooms.beside / "areas.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


class Held:
    """Folders of which there can be areas and copies. Methods may be called from any thread, and block.

    Attributes:
        spec: The sandbox that shows them.
        briefing: What the agent is told of them.
    """

    def __init__(self, spec: SandboxSpec, briefing: str, areas: Areas) -> None:
        self.spec = spec
        self.briefing = briefing
        self._areas = areas

    def pull(self) -> list[Trouble]:
        """Before a turn: what others changed comes in."""
        raise NotImplementedError

    def push(self) -> list[Trouble]:
        """After a call of a tool: what changed is kept."""
        raise NotImplementedError

    def changed(self) -> bool:
        """Whether ``push`` has anything to do."""
        raise NotImplementedError

    def stock(self) -> list[Trouble]:
        """Before an area of these pulls: they are there, and what they share with it is as others have it."""
        return self.pull()

    def fork(self, name: str) -> Area:
        """A specialist's area. Costs nothing: the first ``pull`` makes it, or finds it as it was.

        Raises:
            Invalid: the name has other characters than letters, digits, - and _, or more than 64.
        """
        return Area(self, self._areas, self._areas.ground(name))

    def merge(self, name: str, mark: str = "") -> MergeReport:
        """Take over what was done in an area; nothing, where none was made.

        What others changed meanwhile is not written over: of a text, the changes of both are kept where they are
        in different lines; else the area's version goes to the conflicts folder, as ``@<name>/<path>``. The area
        has the same afterwards, and its specialist may go on. Again with the same ``mark`` (not empty), even
        after a crash, it is the same report.

        Raises:
            Invalid: as ``fork``.
            TooLarge: more than is compared: the area stays as it is.
            StorageError: the disk does not do it; what was done stays, and the rest is done next time.
        """
        return self._areas.merge(self._areas.ground(name), mark)

    def copy(self, name: str, network: bool = False) -> Copy:
        """A throw-away copy of what is here now, in the place of an older one of that name.

        Raises:
            Invalid: as ``fork``.
            TooLarge: more than is copied.
            StorageError: the disk does not do it.
        """
        ground = self._areas.ground(name, kept=False)
        self._areas.copy(ground)
        return Copy(self, self._areas, ground, network)

    def discard(self, name: str) -> None:
        """Take an area or a copy away, with what was not merged. Again is harmless.

        Raises:
            Invalid: as ``fork``.
            StorageError: the disk does not do it.
        """
        self._areas.discard(name)


class Area(Held):
    """What a specialist has."""

    def __init__(self, parent: Held, areas: Areas, ground: Ground) -> None:
        mounts = [_moved(mount, areas.origin, ground) or mount for mount in parent.spec.mounts]
        spec = replace(parent.spec, id=f"{parent.spec.id}.{ground.label}", mounts=mounts)
        told = briefing_of_area(parent.briefing, ground.label) if ground.parts else parent.briefing
        super().__init__(spec, told, Areas(areas.rooms, ground))
        self._parent = parent
        self._above = areas
        self._ground = ground

    def pull(self) -> list[Trouble]:
        """Before a turn: what changed in the stores comes in, and what others did where this specialist has done
        nothing. What it has done and was not merged stays. The first call makes the area.

        Raises:
            TooLarge: more than is copied.
            StorageError: the disk or the database does not do it.
        """
        told = self._parent.stock()
        self._above.refresh(self._ground)
        return told

    def push(self) -> list[Trouble]:
        """What changed in memory is kept; files are handed over when they are merged."""
        return self._parent.push()

    def changed(self) -> bool:
        """Whether ``push`` has anything to do."""
        return self._parent.changed()

    def stock(self) -> list[Trouble]:
        """As of all; unlike ``pull`` it brings no news while the specialist is at work."""
        told = self._parent.stock()
        self._above.make(self._ground)
        return told


class Copy(Held):
    """A throw-away copy, without memory and without secrets.

    Attributes:
        outputs: The folder of this machine with what is handed over. Links in it are not to be followed.
    """

    def __init__(self, parent: Held, areas: Areas, ground: Ground, network: bool) -> None:
        spec = SandboxSpec(
            f"{parent.spec.id}.{ground.label}",
            [copied for mount in parent.spec.mounts if (copied := _copied(mount, areas, ground)) is not None],
            parent.spec.home,
            parent.spec.network if network else Network(),
            limits=parent.spec.limits,
        )
        super().__init__(spec, briefing_of_copy(), Areas(areas.rooms, ground))
        parts = {part.inside: part.folder for part in ground.parts}
        self.outputs = ground.root / parts.get(OUTPUTS, "outputs")
        self._tree = Tree(self.outputs, areas.rooms.beside)

    def pull(self) -> list[Trouble]:
        """Nothing comes in."""
        return []

    def push(self) -> list[Trouble]:
        """Nothing is kept."""
        return []

    def changed(self) -> bool:
        """Never."""
        return False

    def files(self) -> Sequence[tuple[str, int]]:
        """The plain files that are handed over: path below the outputs folder, and bytes. In order.

        Raises:
            TooLarge: more files than a copy has.
        """
        found = self._tree.scan(limit=MAX_FILES)
        if "" in found.odd:
            raise TooLarge(f"{OUTPUTS} {found.odd['']}")
        return sorted((name, facts.size) for name, facts in found.files.items())

    def read(self, path: str, limit: int) -> bytes:
        """At most ``limit`` bytes of one of them.

        Raises:
            NotFound: there is no plain file of that name.
        """
        data: bytes | None = None
        with suppress(OSError):
            data = self._tree.read(path, limit)
        if data is None:
            raise NotFound(f"there is no file {path!r} in {OUTPUTS}")
        return data


def _moved(mount: Mount, origin: Ground, ground: Ground) -> Mount | None:
    """The same place in another folder; None for what is not copied."""
    for part in origin.parts:
        if mount.folder == origin.root / part.folder:
            return replace(mount, folder=ground.root / part.folder)
    return None


def _copied(mount: Mount, areas: Areas, ground: Ground) -> Mount | None:
    """What a copy shows of a mount: its own folder, or what may be read by all."""
    if (moved := _moved(mount, areas.origin, ground)) is not None:
        return moved
    if mount.inside == SPILL:
        spill = ground.root / "spill"
        spill.mkdir(exist_ok=True)
        return replace(mount, folder=spill)
    shown = any(mount.folder.is_relative_to(areas.rooms.root / each) for each in ("uploads", "mounts"))
    return replace(mount, writable=False) if shown else None


@contextmanager
def _disk(area: Ground) -> Generator[None]:
    """What the disk does not do, as an error of ours."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind = DiskFull if full else Unavailable
        raise kind(
            f"the folders cannot be copied or merged ({error.strerror or error})", where=area.label
        ) from error
