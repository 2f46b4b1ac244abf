"""Copies of whole folders: by sharing blocks where the file system can do that, else byte by byte."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from reverie.folders.entries import FOLDER, Entry, Part, Seen, Walker, opened, part_handles, seen, storable
from reverie.folders.tree import Facts

__all__ = ["READ", "Pouring", "Record", "Texts", "duplicate", "in_git"]

READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would wait for a writer
_WRITE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK: Final = 1 << 20
_DIGEST: Final = 32  # bytes
_LENGTH: Final = 8
_FICLONE: Final = 0x40049409  # ioctl_ficlone(2)
_CANNOT: Final = frozenset(
    {errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM}
)


class Record(msgspec.Struct, array_like=True):
    """A path as it was when an area and what it was forked from had the same there; None: nothing. ``mine`` and
    ``theirs``: what tells that the area's file and the other one are still that; None where only reading does."""

    entry: Entry | None
    mine: Facts | None = None
    theirs: Facts | None = None


class Texts:
    """The texts that changes are compared with, by digest: what a file was before two agents changed it. They are
    in one file, which grows, and which no sandbox sees: each behind its digest and its length. Only who holds the
    session's lock may ask.

    Attributes:
        MOST: The bytes of the longest text that is kept.
    """

    MOST: Final = 1 << 18

    def __init__(self, file: Path) -> None:
        self._file = file
        self._places: dict[bytes, tuple[int, int]] = {}
        self._end = 0

    def keep(self, id: str, data: bytes) -> None:
        """Keep it, unless it is no text."""
        digest = bytes.fromhex(id)
        if digest in self._places or b"\0" in data:
            return
        with self._opened() as file:
            if digest not in self._places:
                os.pwritev(file, (digest, len(data).to_bytes(_LENGTH), data), self._end)
                self._found(digest, len(data))

    def get(self, id: str) -> bytes | None:
        """What was kept; None where nothing was, or not the whole."""
        with self._opened() as file:
            start, length = self._places.get(bytes.fromhex(id), (0, 0))
            data = os.pread(file, length, start)
        return data if hashlib.sha256(data).hexdigest() == id else None

    @contextmanager
    def _opened(self) -> Generator[int]:
        file = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            while self._end < size:  # others wrote, or we did before
                head = os.pread(file, _DIGEST + _LENGTH, self._end)
                length = int.from_bytes(head[_DIGEST:])
                if len(head) < _DIGEST + _LENGTH or self._end + len(head) + length > size:
                    os.ftruncate(file, self._end)  # somebody was killed over it
                    break
                self._found(head[:_DIGEST], length)
            yield file
        finally:
            os.close(file)

    def _found(self, digest: bytes, length: int) -> None:
        start = self._end + _DIGEST + _LENGTH
        self._places[digest] = (start, length)
        self._end = start + length


class Pouring:
    """Copies the bytes of files, and says what they were."""

    def __init__(self, texts: Texts | None = None) -> None:
        self._texts = texts
        self._cloning = True

    def pour(self, source: int, target: int, size: int, *, text: bool) -> str:
        """Copy an open file into an empty one; the digest of what was copied. It is also kept for merging, where
        it is a ``text``."""
        if size > Texts.MOST:
            return self._clone(source, target) or _copied(source, target, size)
        data = b"".join(_up_to(source, size))
        _write(target, data)
        id = hashlib.sha256(data).hexdigest()
        if text and self._texts is not None:
            self._texts.keep(id, data)
        return id

    def _clone(self, source: int, target: int) -> str | None:
        if not self._cloning:
            return None
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            self._cloning = False
            return None
        return _digest(target)


def duplicate(
    root: Path, target: Path, parts: Sequence[Part], pouring: Pouring, *, before: int = 0
) -> dict[str, Record]:
    """Copy the parts below ``root`` to below ``target``, where nothing is yet and nobody else writes: files with
    modes and times, folders, and links as links. What is written to meanwhile is copied as it was found.

    Args:
        before: A time of the file system's clock: a file that was changed since may be changed again without
            looking otherwise, and has no ``theirs``.

    Raises:
        TooLarge: more than is copied.
        OSError: the disk is full, or a part cannot be looked into.
    """
    walker = _Duplicator(pouring, before)
    for part in parts:
        (target / part.folder).mkdir(parents=True)
    for name, handle in part_handles(root, parts):
        onto = os.open(target / name, FOLDER)
        try:
            os.fchmod(onto, stat.S_IMODE(os.fstat(handle).st_mode) & 0o777)
            walker.walk(handle, name + "/", onto)
        finally:
            os.close(onto)
    return walker.records


class _Duplicator(Walker):
    def __init__(self, pouring: Pouring, before: int) -> None:
        super().__init__()
        self.records: dict[str, Record] = {}
        self._pouring = pouring
        self._before = before

    def found(self, folder: int, last: str, name: str, what: Seen, onto: int | None) -> None:
        if what.kind == "link":
            self._link(folder, last, name, onto)
        elif (source := opened(folder, last, READ)) is not None:
            try:
                facts = os.fstat(source)
                if stat.S_ISREG(facts.st_mode):
                    self._file(source, facts, last, name, onto)
            finally:
                os.close(source)

    def into(self, last: str, name: str, what: Seen, onto: int | None) -> int | None:
        os.mkdir(last, 0o700, dir_fd=onto)
        self.records[name] = Record(Entry("folder", what.mode, ""))
        return os.open(last, FOLDER, dir_fd=onto)

    def left(self, what: Seen, onto: int) -> None:
        os.fchmod(onto, what.mode)  # only now: a folder that is only to be read takes no file
        super().left(what, onto)

    def _link(self, folder: int, last: str, name: str, onto: int | None) -> None:
        with suppress(FileNotFoundError):
            where = os.readlink(last, dir_fd=folder)
            os.symlink(where, last, dir_fd=onto)
            self.records[name] = Record(Entry("link", 0, storable(where)))

    def _file(self, source: int, facts: os.stat_result, last: str, name: str, onto: int | None) -> None:
        target = os.open(last, _WRITE, 0o600, dir_fd=onto)
        try:
            id = self._pouring.pour(source, target, facts.st_size, text=not in_git(name))
            if os.geteuid() == 0 and facts.st_uid != 0:
                os.fchown(target, facts.st_uid, facts.st_gid)
            os.fchmod(target, facts.st_mode & 0o777)
            os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            mine, theirs = seen(os.fstat(target)), seen(facts)
        finally:
            os.close(target)
        if mine is not None and theirs is not None:
            sure = theirs.facts if theirs.facts.ctime_ns < self._before else None
            self.records[name] = Record(Entry("file", theirs.mode, id), mine.facts, sure)


def in_git(name: str) -> bool:
    """Whether a path is git's own."""
    return "/.git/" in name


def _up_to(source: int, size: int) -> Iterator[bytes]:
    """So many bytes, or all there are: a file that grows faster than it is read has an end nevertheless."""
    while size > 0 and (part := os.read(source, min(size, _CHUNK))):
        size -= len(part)
        yield part


def _write(target: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(target, left) :]


def _copied(source: int, target: int, size: int) -> str:
    found = hashlib.sha256()
    for data in _up_to(source, size):
        found.update(data)
        _write(target, data)
    return found.hexdigest()


def _digest(file: int) -> str:
    found = hashlib.sha256()
    os.lseek(file, 0, os.SEEK_SET)
    while data := os.read(file, _CHUNK):
        found.update(data)
    return found.hexdigest()
