"""Files as readers see them: bounded, line by line, with what lies around them remembered.

A file being imported may grow, shrink or be replaced meanwhile. What is read is what was there when the
import began, or nothing: ``unchanged_since`` says afterwards whether it was.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

import msgspec

from reverie.plugins import SNIFFED_BYTES

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "LINE_CAP",
    "Asked",
    "Disk",
    "DiskFile",
    "Stamp",
    "walk",
]

LINE_CAP: Final = 32 << 20  # bytes: a longer line is refused without being held in memory
_CHUNK: Final = 256 << 10
_NOT_OURS: Final = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv"})


class Stamp(NamedTuple):
    """What tells at a glance whether a file is still the same."""

    size: int
    mtime_ns: int
    inode: int


class Asked(NamedTuple):
    """Something a reader wanted to know about the files around its own: a path or a glob, relative to it."""

    glob: bool
    what: str


@dataclass(slots=True)
class Disk:
    """The disk during one import: looks each folder up once, so that many sessions in one folder are cheap.

    ``called`` is what a folder is called in uris, where its own name says nothing (a temporary one).
    """

    called: tuple[Path, str] | None = None
    _found: dict[tuple[str, Asked], list[tuple[str, Stamp]]] = field(
        default_factory=dict[tuple[str, Asked], list[tuple[str, Stamp]]]
    )
    _digests: dict[tuple[str, Asked], bytes] = field(default_factory=dict[tuple[str, Asked], bytes])

    def file(self, path: Path) -> DiskFile:
        """The file at ``path`` as it is now.

        Raises:
            OSError: it cannot be looked at, or is no regular file.
        """
        return DiskFile(path, _stamp(path), self)

    def uri(self, path: Path) -> str:
        """What a file is called."""
        if self.called is not None and path.is_relative_to(self.called[0]):
            return self.called[1] + path.relative_to(self.called[0]).as_posix()
        return str(path)

    def look(self, folder: str, asked: Asked) -> list[tuple[str, Stamp]]:
        """The regular files that ``asked`` finds from ``folder``, sorted by path."""
        place = (folder, asked)
        if place not in self._found:
            self._found[place] = list(_look(Path(folder), asked))
        return self._found[place]

    def digest(self, folder: str, asked: Sequence[Asked]) -> str:
        """Changes when a file that ``asked`` finds comes, goes or changes."""
        whole = hashlib.sha256()
        for one in sorted(asked):
            place = (folder, one)
            if place not in self._digests:
                self._digests[place] = hashlib.sha256(msgspec.json.encode(self.look(*place))).digest()
            whole.update(self._digests[place])
        return whole.hexdigest()


class DiskFile:
    """A ``plugins.TranscriptFile`` on the disk. ``asked`` collects what its reader wanted to know around it."""

    def __init__(
        self, path: Path, stamp: Stamp, disk: Disk, asked: set[Asked] | None = None, home: str = ""
    ) -> None:
        self._path = path
        self._disk = disk
        self._home = home or str(path.parent)
        self.stamp = stamp
        self.asked: set[Asked] = set() if asked is None else asked

    @property
    def uri(self) -> str:
        return self._disk.uri(self._path)

    @property
    def name(self) -> str:
        return self._path.name

    @property
    def size(self) -> int:
        return self.stamp.size

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Bounded(self._path, self.size), SNIFFED_BYTES)

    def head(self) -> bytes:
        """The part that is looked at to tell the format."""
        with self.open() as stream:
            return stream.read(SNIFFED_BYTES)

    def lines(self) -> Iterator[tuple[int, bytes | None]]:
        number, held, length = 0, list[bytes](), 0
        with self.open() as stream:
            while chunk := stream.read(_CHUNK):
                *whole, tail = chunk.split(b"\n")
                for piece in whole:
                    number += 1
                    length += len(piece)
                    yield number, None if length > LINE_CAP else b"".join([*held, piece]) if held else piece
                    held, length = [], 0
                length += len(tail)
                held = [*held, tail] if length <= LINE_CAP else []
        if length:
            yield number + 1, None if length > LINE_CAP else b"".join(held)

    def neighbour(self, relative: str) -> DiskFile | None:
        found = self._around(Asked(glob=False, what=self._relative(relative)))
        return found[0] if found else None

    def neighbours(self, pattern: str) -> Sequence[DiskFile]:
        return self._around(Asked(glob=True, what=self._relative(pattern)))

    def surroundings(self, asked: Sequence[Asked]) -> str:
        """A digest of the files that ``asked`` finds around this one."""
        return self._disk.digest(self._home, asked)

    def alone(self, asked: Sequence[Asked]) -> bool:
        """Whether none of ``asked`` finds a file around this one."""
        return not any(self._disk.look(self._home, one) for one in asked)

    def sha256(self, prefix: int = 0) -> tuple[str, str]:
        """Hex digests of the file and of its first ``prefix`` bytes; ("", "") when it has become shorter."""
        digest, start, length = hashlib.sha256(), "", 0
        with self.open() as stream:
            while chunk := stream.read(min(_CHUNK, prefix - length) if length < prefix else _CHUNK):
                digest.update(chunk)
                length += len(chunk)
                if length == prefix:
                    start = digest.hexdigest()
        return (digest.hexdigest(), start) if length == self.size else ("", "")

    def unchanged_since(self, sha256: str) -> bool:
        """Whether the bytes that were read are still the file's beginning. (It may have grown.)"""
        try:
            now = _stamp(self._path)
            return now == self.stamp or (now.size >= self.size and self.sha256()[0] == sha256)
        except OSError:
            return False

    def _relative(self, what: str) -> str:
        """``what``, as seen from the folder of the file that is imported."""
        folder = os.path.relpath(self._path.parent, self._home)
        return os.path.normpath(what if folder == "." else f"{folder}/{what}")

    def _around(self, asked: Asked) -> list[DiskFile]:
        self.asked.add(asked)
        found = self._disk.look(self._home, asked)
        return [DiskFile(Path(path), stamp, self._disk, self.asked, self._home) for path, stamp in found]


def walk(folder: Path) -> Iterator[Path]:
    """Every file below ``folder`` in a fixed order, but for what version control and package managers keep."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_OURS)
        yield from (Path(place, name) for name in sorted(names))


class _Bounded(io.RawIOBase):
    """The first ``size`` bytes of a file: what was appended since is for the next import."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__()
        self._file = io.FileIO(path)
        self._size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        left = max(0, self._size - self._file.tell())
        return cast(int, self._file.readinto(view[:left])) if left else 0

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            return self._file.seek(self._size + offset)
        return self._file.seek(offset, whence)

    def close(self) -> None:
        self._file.close()
        super().close()


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError("not a regular file")
    return Stamp(found.st_size, found.st_mtime_ns, found.st_ino)


def _look(folder: Path, asked: Asked) -> Iterator[tuple[str, Stamp]]:
    for path in sorted(folder.glob(asked.what)) if asked.glob else [folder / asked.what]:
        try:
            yield os.path.normpath(path), _stamp(path)
        except OSError:
            continue  # gone, a folder, or not ours to see: not there
