"""A sandbox's files, read and written from outside it, by a server that may do more than the sandbox may.

What is in the folders belongs to somebody who may change it at any moment, to lead us out. So a path is
first followed by hand through the table of mounts, which finds out where its links lead (also from one mount
into another), and then opened in one call that refuses any link (``beneath``). What the first step found is
a guess; what the second opens is beneath the mount, or the guess is made again.
"""

from __future__ import annotations

import errno
import heapq
import os
import shutil
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final, Literal, TypeAlias

from reverie.domain.errors import SandboxFailed
from reverie.environments.beneath import open_beneath, opened
from reverie.plugins import FileFacts, Mount

__all__ = ["Files"]

Place: TypeAlias = tuple[str, ...]
"""The segments of an absolute path as seen from inside."""

MOST_LINKS: Final = 40
TRIES: Final = 64
LARGEST: Final = 256 << 20
_MOVED: Final = (errno.ELOOP, errno.EXDEV, errno.EAGAIN)


def _error(code: int, path: str) -> OSError:
    return OSError(code, os.strerror(code), path)


def _segments(path: str) -> list[str]:
    """
    Raises:
        FileNotFoundError: no file can have such a name.
    """
    try:
        impossible = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        impossible = True
    if impossible:
        raise _error(errno.ENOENT, path)
    return [part for part in path.split("/") if part not in ("", ".")]


class Files:
    """The file methods of a ``Sandbox`` over its mounts; ``owner`` (user, group) is given what is written.

    Methods raise OSError as the system does, with the path as seen from inside. They may be called from any
    thread, and from several at a time.

    Raises:
        SandboxFailed: a mount that is not at an absolute path, or no mount holds ``home``.
    """

    def __init__(
        self,
        mounts: Sequence[Mount],
        home: str,
        owner: tuple[int, int] | None = None,
        *,
        largest: int = LARGEST,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._mounts: dict[Place, Mount] = {}
        for mount in mounts:
            self._mounts[_absolute(mount.inside)] = mount
        self._home = _absolute(home)
        self._owner = owner
        self._largest = largest
        self._entropy = entropy
        if self._mount(self._home) is None:
            raise SandboxFailed(f"no folder is mounted at {home}", hint="mount one there, or set `home`")

    def read(self, path: str, *, offset: int = 0, limit: int | None = None) -> bytes:
        """At most ``limit`` bytes of a regular file from ``offset`` on.

        Raises:
            OSError: EFBIG where that would be more than 256 MiB; EINVAL for a pipe, a socket, a device.
        """
        with self._followed(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as fd:
            facts = os.fstat(fd)
            _refuse_irregular(facts.st_mode, path)
            wanted = max(0, facts.st_size - offset) if limit is None else limit
            if min(wanted, max(0, facts.st_size - offset)) > self._largest:
                raise _error(errno.EFBIG, path)
            return _read(fd, offset, min(wanted, self._largest))

    def write(self, path: str, data: bytes) -> None:
        """Write a whole file; whoever reads sees the old one or the new one. Missing folders are made, a link
        is followed, the mode of a file that was there is kept."""
        for _ in range(TRIES):
            place = self._resolved(path)
            if self._holds_mounts(place):
                raise _error(errno.EISDIR, path)
            try:
                with self._made(place[:-1], path) as folder:
                    return self._replace(folder, place[-1], data, path)
            except OSError as error:
                if error.errno not in _MOVED:
                    raise
        raise _error(errno.ENOENT, path)

    def facts(self, path: str) -> FileFacts:
        """Of what is at the path, or of what a link there leads to."""
        place = self._resolved(path)
        if self._inner(place):
            return FileFacts(path, "folder", 0, 0.0)
        with self._followed(path, os.O_PATH) as fd:
            return _facts(path, os.fstat(fd))

    def walk(self, path: str, *, limit: int = 100_000) -> Iterator[FileFacts]:
        """Everything under a folder, depth first, in order of name, at most ``limit`` of it; links are not
        followed, and what goes away meanwhile is left out. Paths begin as ``path`` does.

        Raises:
            NotADirectoryError: it is a file.
        """
        top = self._resolved(path)
        todo = [iter(self._entries(top, limit, path))]
        places: list[tuple[Place, str]] = [(top, path.rstrip("/") or ("/" if path else "."))]
        while todo and limit > 0:
            entry = next(todo[-1], None)
            if entry is None:
                todo.pop()
                places.pop()
                continue
            name, found = entry
            place, shown = (*places[-1][0], name), f"{places[-1][1].rstrip('/')}/{name}"
            yield _facts(shown, found)
            limit -= 1
            if stat.S_ISDIR(found.st_mode) and limit > 0:
                with suppress(OSError):
                    todo.append(iter(self._entries(place, limit, shown)))
                    places.append((place, shown))

    def delete(self, path: str) -> None:
        """A file, a link (not what it leads to), or a folder with all that is in it."""
        place = self._resolved(path, last=False)
        if self._holds_mounts(place):
            raise _error(errno.EBUSY, path)
        with self._writable(place[:-1], path) as folder:
            found = os.stat(place[-1], dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                return os.unlink(place[-1], dir_fd=folder)
            try:
                shutil.rmtree(place[-1], dir_fd=folder)
            except RecursionError:
                raise _error(errno.ENAMETOOLONG, path) from None

    def _mount(self, place: Place) -> tuple[Mount, str] | None:
        """The mount that a place is in, and the path below its folder."""
        for length in range(len(place), -1, -1):
            mount = self._mounts.get(place[:length])
            if mount is not None:
                return mount, "/".join(place[length:]) or "."
        return None

    def _inner(self, place: Place) -> bool:
        """Whether it is a folder that is there only because something is mounted further down."""
        return self._mount(place) is None and self._holds_mounts(place)

    def _holds_mounts(self, place: Place) -> bool:
        return any(at[: len(place)] == place for at in self._mounts)

    def _open(self, place: Place, flags: int, path: str) -> int:
        mounted = self._mount(place)
        if mounted is None:
            raise _error(errno.EISDIR if self._inner(place) else errno.ENOENT, path)
        with opened(mounted[0].folder) as root:
            try:
                return open_beneath(root, mounted[1], flags)
            except OSError as error:
                raise _error(error.errno or errno.EIO, path) from None

    @contextmanager
    def _followed(self, path: str, flags: int) -> Generator[int]:
        """What is at the end of all links, opened. Somebody who moves it all the time finds it gone."""
        fd = -1
        for _ in range(TRIES):
            try:
                fd = self._open(self._resolved(path), flags, path)
                break
            except OSError as error:
                if error.errno not in _MOVED:
                    raise
        else:
            raise _error(errno.ENOENT, path)
        try:
            yield fd
        finally:
            os.close(fd)

    def _resolved(self, path: str, *, last: bool = True) -> Place:
        """Where a path leads now, links followed by hand (the ``last`` segment too, or not)."""
        rest = deque(_segments(path) if path.startswith("/") else [*self._home, *_segments(path)])
        at: list[str] = []
        links = 0
        while rest:
            part = rest.popleft()
            if part == "..":
                del at[-1:]
                continue
            at.append(part)
            target = self._link(tuple(at)) if rest or last else None
            if target is None:
                continue
            links += 1
            if links > MOST_LINKS:
                raise _error(errno.ENOENT, path)
            at = [] if target.startswith("/") else at[:-1]
            rest.extendleft(reversed(_segments(target)))
        return tuple(at)

    def _link(self, place: Place) -> str | None:
        """The target of the link at a place; None where there is none."""
        if self._mount(place) is None or place in self._mounts:
            return None
        try:
            fd = self._open(place, os.O_PATH | os.O_NOFOLLOW, "")
        except OSError:
            return None
        try:
            return os.readlink("", dir_fd=fd)
        except OSError:
            return None
        finally:
            os.close(fd)

    @contextmanager
    def _writable(self, place: Place, path: str) -> Generator[int]:
        """A folder in a mount that may be written, opened."""
        mounted = self._mount(place)
        if mounted is None:
            raise _error(errno.EACCES if self._inner(place) else errno.ENOENT, path)
        if not mounted[0].writable:
            raise _error(errno.EACCES, path)
        fd = self._open(place, os.O_RDONLY | os.O_DIRECTORY, path)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def _made(self, place: Place, path: str) -> Generator[int]:
        """As ``_writable``, with the folders made that are not there."""
        mounted = self._mount(place)
        depth = len(place) if mounted is None or mounted[1] == "." else len(place) - mounted[1].count("/") - 1
        with self._writable(place[:depth], path) as top:
            at = os.dup(top)
        try:
            for name in place[depth:]:
                below = self._made_one(at, name)
                os.close(at)
                at = below
            yield at
        finally:
            os.close(at)

    def _made_one(self, folder: int, name: str) -> int:
        """A folder in a folder, opened; one that is made is given to the owner, one that was there is not."""
        try:
            os.mkdir(name, 0o755, dir_fd=folder)
        except FileExistsError:
            return open_beneath(folder, name, os.O_RDONLY | os.O_DIRECTORY)
        made = open_beneath(folder, name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._give(made)
        except OSError:
            os.close(made)
            raise
        return made

    def _replace(self, folder: int, name: str, data: bytes, path: str) -> None:
        mode = 0o644
        with suppress(FileNotFoundError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):  # it became one just now
                raise _error(errno.ELOOP, path)
            _refuse_irregular(found.st_mode, path)
            mode = stat.S_IMODE(found.st_mode) & 0o777
        temporary = f".{self._entropy(8).hex()}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(fd, mode)
                self._give(fd)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise

    def _give(self, fd: int) -> None:
        if self._owner is not None:
            os.fchown(fd, *self._owner)

    def _entries(self, place: Place, most: int, path: str) -> list[tuple[str, os.stat_result]]:
        """What is in a folder, mounts among it, in order of name: the first ``most``."""
        found: dict[str, os.stat_result] = {}
        if not self._inner(place):
            fd = self._open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK, path)
            try:
                with os.scandir(fd) as entries:
                    names = heapq.nsmallest(most, (entry.name for entry in entries))
                for name in names:
                    with suppress(OSError):
                        found[name] = os.stat(name, dir_fd=fd, follow_symlinks=False)
            finally:
                os.close(fd)
        for at, mount in self._mounts.items():
            if len(at) > len(place) and at[: len(place)] == place:
                found[at[len(place)]] = mount.folder.stat()
        return heapq.nsmallest(most, found.items())


def _absolute(path: str) -> Place:
    parts = _segments(path)
    if not path.startswith("/") or ".." in parts:
        raise SandboxFailed(f"not an absolute path: {path!r}", hint="as in /workspace")
    return tuple(parts)


def _read(fd: int, offset: int, wanted: int) -> bytes:
    chunks: list[bytes] = []
    while wanted > 0:
        chunk = os.pread(fd, min(wanted, 1 << 20), offset)
        if not chunk:
            break
        chunks.append(chunk)
        offset += len(chunk)
        wanted -= len(chunk)
    return b"".join(chunks)


def _refuse_irregular(mode: int, path: str) -> None:
    if stat.S_ISDIR(mode):
        raise _error(errno.EISDIR, path)
    if not stat.S_ISREG(mode):
        raise _error(errno.EINVAL, path)


def _facts(path: str, found: os.stat_result) -> FileFacts:
    return FileFacts(path, _kind(found.st_mode), found.st_size, found.st_mtime)


def _kind(mode: int) -> Literal["file", "folder", "link", "other"]:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"
