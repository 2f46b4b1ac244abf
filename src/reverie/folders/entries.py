"""Everything in a folder that agents write to, as copies and merges see it: files, links and folders.

A walk goes from descriptor to descriptor and follows no link, so that it never leaves the folder. Pipes, sockets
and devices are nothing that could be copied, and are passed over.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from reverie.domain.errors import TooLarge
from reverie.folders.tree import Facts

__all__ = [
    "FOLDER",
    "MAX_BYTES",
    "MAX_FILES",
    "MAX_LEVELS",
    "Entry",
    "Kind",
    "Part",
    "Seen",
    "Survey",
    "Walker",
    "opened",
    "part_handles",
    "restored",
    "seen",
    "storable",
    "survey",
]

MAX_BYTES: Final = 2 << 30
"""Of all files of a workspace that is copied or compared."""
MAX_FILES: Final = 100_000
"""With folders and links."""
MAX_LEVELS: Final = 64
"""Folders within folders."""
FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}
)  # or something else by now
_KINDS: Final[dict[int, Kind]] = {stat.S_IFREG: "file", stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}

Kind: TypeAlias = Literal["file", "link", "folder"]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """What stands at a path. ``mode``: permissions, of files and folders. ``id``: the digest of a file's bytes,
    where a link leads (``storable``), nothing for a folder."""

    kind: Kind
    mode: int
    id: str


class Seen(NamedTuple):
    """What stands at a path, as far as one sees without opening it."""

    kind: Kind
    mode: int
    facts: Facts


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in some folders, by path, each folder before what is in it. ``blind``: what could not be looked
    into: nobody knows what is there or below."""

    seen: dict[str, Seen] = field(default_factory=dict[str, Seen])
    blind: set[str] = field(default_factory=set[str])

    def hidden(self, name: str) -> bool:
        """Whether something may be there that was not seen."""
        return bool(self.blind) and any(f"{name}/".startswith(f"{each}/") for each in self.blind)


class Part(NamedTuple):
    """A folder that agents write to: where it is below its root on this machine, and in the sandbox."""

    folder: str
    inside: str


class Walker:
    """Walks through folders; what is done with each entry is up to who derives from it.

    Attributes:
        blind: What could not be looked into.
    """

    def __init__(self) -> None:
        self.blind: set[str] = set()
        self._files = 0
        self._bytes = 0

    def walk(self, folder: int, prefix: str, onto: int | None = None, level: int = 0) -> None:
        """Everything below the open ``folder``; ``onto`` is what ``into`` gave for it.

        Raises:
            TooLarge: more than is copied or compared.
        """
        if level > MAX_LEVELS:
            raise _too_large(f"folders more than {MAX_LEVELS} deep")
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    facts = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # it was there a moment ago
                self._count(facts)
                if stat.S_ISDIR(facts.st_mode):
                    self._within(folder, entry.name, prefix, facts, onto, level)
                elif (found := seen(facts)) is not None:
                    self.found(folder, entry.name, prefix + entry.name, found, onto)

    def found(self, folder: int, last: str, name: str, what: Seen, onto: int | None) -> None:
        """A file or a link: ``last`` in the open ``folder``."""
        raise NotImplementedError

    def into(self, last: str, name: str, what: Seen, onto: int | None) -> int | None:
        """A folder is about to be walked through: what to go on with."""
        raise NotImplementedError

    def left(self, what: Seen, onto: int) -> None:
        """A folder was walked through; ``onto`` is what ``into`` gave, if it gave anything."""
        os.close(onto)

    def _within(
        self, folder: int, last: str, prefix: str, facts: os.stat_result, onto: int | None, level: int
    ) -> None:
        name, what = prefix + last, seen(facts)
        handle = opened(folder, last, FOLDER)
        if handle is None or what is None:
            self.blind.add(name)
            return
        try:
            deeper = self.into(last, name, what, onto)
            try:
                self.walk(handle, name + "/", deeper, level + 1)
            finally:
                if deeper is not None:
                    self.left(what, deeper)
        finally:
            os.close(handle)

    def _count(self, facts: os.stat_result) -> None:
        self._files += 1
        self._bytes += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
        if self._files > MAX_FILES:
            raise _too_large(f"more than {MAX_FILES:,} files")
        if self._bytes > MAX_BYTES:
            raise _too_large(f"more than {MAX_BYTES:,} bytes")


class _Surveyor(Walker):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Seen] = {}

    def found(self, folder: int, last: str, name: str, what: Seen, onto: int | None) -> None:
        self.seen[name] = what

    def into(self, last: str, name: str, what: Seen, onto: int | None) -> int | None:
        self.seen[name] = what
        return None


def survey(root: Path, parts: Sequence[Part]) -> Survey:
    """What is in the parts: one ``stat`` for each entry, and nothing is read.

    Raises:
        TooLarge: more than is compared.
        OSError: a part cannot be looked into.
    """
    walker = _Surveyor()
    for name, handle in part_handles(root, parts):
        walker.walk(handle, name + "/")
    return Survey(walker.seen, walker.blind)


def part_handles(root: Path, parts: Sequence[Part]) -> Iterator[tuple[str, int]]:
    """Each part that is there, held open meanwhile."""
    for part in parts:
        try:
            handle = os.open(root / part.folder, FOLDER)
        except FileNotFoundError:
            continue
        try:
            yield part.folder, handle
        finally:
            os.close(handle)


def seen(facts: os.stat_result) -> Seen | None:
    """What a ``stat`` says; None for what is not copied."""
    kind = _KINDS.get(stat.S_IFMT(facts.st_mode))
    if kind is None:
        return None
    mode = 0 if kind == "link" else facts.st_mode & 0o777
    known = Facts(facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    return Seen(kind, mode, known)


def opened(folder: int, last: str, flags: int) -> int | None:
    """A descriptor; None where that is not there any more, or is not for us to read."""
    try:
        return os.open(last, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_THERE or isinstance(error, PermissionError):
            return None
        raise


def storable(name: str) -> str:
    """A name as JSON can hold it, whatever bytes it has."""
    return name if name.isascii() else os.fsencode(name).decode("latin-1")


def restored(text: str) -> str:
    """What ``storable`` was given."""
    return text if text.isascii() else os.fsdecode(text.encode("latin-1"))


def _too_large(what: str) -> TooLarge:
    return TooLarge(
        f"the workspace and the outputs hold {what}: they are not copied",
        hint="delete what can be made again (caches, build results), or pack it into one file",
    )
