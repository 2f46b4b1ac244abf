"""A folder that an agent writes to, read and written from outside without ever following a link.

Whatever a sandbox leaves in its folders (links out of them, pipes, a thousand levels) is looked at with
descriptors, one step at a time: a name that leads elsewhere is no file, whoever swaps it when.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

__all__ = ["MAX_DEPTH", "MAX_ENTRIES", "Facts", "Scan", "Tree", "demolish", "shown"]

MAX_DEPTH: Final = 32
"""Folders within folders that are looked into: a memory's path has at most 20 segments."""
MAX_ENTRIES: Final = 20_000
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe would wait for a writer
_KINDS: Final = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


class Facts(NamedTuple):
    """What tells that a file may have changed: nobody but the kernel sets ``ctime_ns``."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Scan(NamedTuple):
    """What is in a folder, by path relative to it: plain files, and what is none, in words."""

    files: dict[str, Facts]
    odd: dict[str, str]


class Tree:
    """A folder and everything in it. Names are relative to it, with ``/``; those that come from a scan may hold
    surrogates for bytes that are no UTF-8.

    Args:
        root: The folder; made when something is first written.
        scratch: A folder on the same file system that only we write to: files come from there by rename.
    """

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root = root
        self._scratch = scratch

    def scan(self, *, limit: int = MAX_ENTRIES) -> Scan:
        """Everything in it. Past ``limit`` entries it stops, and says so of ``""``."""
        found, left = Scan({}, {}), [limit]
        with suppress(FileNotFoundError):
            handle = os.open(self.root, _FOLDER)
            try:
                _walk(handle, "", found, left, MAX_DEPTH)
            finally:
                os.close(handle)
        if left[0] < 0:
            found.odd[""] = f"holds more than {limit:,} files and folders"
        return found

    @contextmanager
    def open(self, name: str) -> Generator[BinaryIO]:
        """A file's bytes.

        Raises:
            OSError: nothing is there, or no plain file, or a link on the way (ELOOP, ENOTDIR).
        """
        folder, last = _split(name)
        with self._folder(folder) as handle:
            file = os.open(last, _FILE, dir_fd=handle)
        with os.fdopen(file, "rb") as opened:
            mode = os.fstat(file).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, "a folder", name)
            if not stat.S_ISREG(mode):
                raise OSError(errno.EINVAL, "not a plain file", name)
            yield opened

    def read(self, name: str, most: int) -> bytes | None:
        """At most so many bytes of a file; None where nothing is.

        Raises:
            OSError: no plain file, or a link on the way.
        """
        try:
            with self.open(name) as file:
                return file.read(most)
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes | Iterator[bytes], *, mode: int = 0o644) -> None:
        """Put a file there, whole or not at all, with the folders before it. A link of that name is replaced.

        Raises:
            OSError: a folder has that name, or something else than a folder stands on the way.
        """
        with self.place(name) as target:
            chunks = iter((content,)) if isinstance(content, bytes) else content
            fresh = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(fresh, "wb") as file:
                file.writelines(chunks)

    @contextmanager
    def place(self, name: str) -> Generator[Path]:
        """A path to make a file or a folder at, which comes to stand at ``name`` when the block ends well.

        Raises:
            OSError: as ``write``.
        """
        fresh = self._scratch / f"{secrets.token_hex(8)}.tmp"
        try:
            yield fresh
            with self.parent(name, make=True) as (handle, last):
                _give(handle, str(fresh), None)
                os.rename(fresh, last, dst_dir_fd=handle)
        except BaseException:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise

    @contextmanager
    def parent(self, name: str, *, make: bool = False) -> Generator[tuple[int, str]]:
        """The folder that ``name`` is in, held open, and its name there.

        Raises:
            OSError: it is not there (unless it is to be made), or something else than a folder stands on the way.
        """
        folder, last = _split(name)
        with self._folder(folder, make=make) as handle:
            yield handle, last

    def make_folder(self, name: str) -> None:
        """Make a folder, and those before it.

        Raises:
            OSError: something else stands there, or on the way.
        """
        with self._folder(name.split("/"), make=True):
            pass

    def remove(self, name: str) -> None:
        """Take a file (or a link) away, and the folders that are empty without it. Nothing there: nothing done.

        Raises:
            OSError: a folder has that name, or something else than a folder stands on the way.
        """
        folder, last = _split(name)
        with suppress(FileNotFoundError), self._folder(folder) as handle:
            os.unlink(last, dir_fd=handle)
        for depth in range(len(folder), 0, -1):
            try:
                with self._folder(folder[: depth - 1]) as handle:
                    os.rmdir(folder[depth - 1], dir_fd=handle)
            except OSError:
                return

    @contextmanager
    def _folder(self, steps: list[str], *, make: bool = False) -> Generator[int]:
        if make:
            self.root.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.root, _FOLDER)
        try:
            for step in steps:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(step, dir_fd=handle)
                        _give(handle, step, handle)
                deeper = os.open(step, _FOLDER, dir_fd=handle)
                os.close(handle)
                handle = deeper
            yield handle
        finally:
            os.close(handle)


def shown(name: str) -> str:
    """A name as it can be printed and kept: control characters and bytes that are no UTF-8 as escapes."""
    clean = "".join(c if c.isprintable() or "\ud800" <= c <= "\udfff" else ascii(c)[1:-1] for c in name)
    return clean.encode("utf-8", "backslashreplace").decode("utf-8")


def demolish(path: Path) -> None:
    """Take away whatever is at ``path``: links are not followed, locked folders are opened, and what is nested
    too deeply for any path or stack is brought up first.

    Raises:
        OSError: it cannot be taken away.
    """
    try:
        handle = _unlocked(None, str(path))
    except NotADirectoryError:
        path.unlink()
        return
    except FileNotFoundError:
        return
    try:
        while names := os.listdir(handle):  # noqa: PTH208
            for name in names:
                _level(handle, name)
    finally:
        os.close(handle)
    path.rmdir()


def _level(top: int, name: str) -> None:
    """Take away one entry of a folder; the folders in it come up to its place."""
    try:
        os.unlink(name, dir_fd=top)
        return
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.EPERM):
            raise
    handle = _unlocked(top, name)
    try:
        for inner in os.listdir(handle):  # noqa: PTH208
            try:
                os.unlink(inner, dir_fd=handle)
            except OSError:
                os.close(_unlocked(handle, inner))
                os.rename(inner, secrets.token_hex(8), src_dir_fd=handle, dst_dir_fd=top)
    finally:
        os.close(handle)
    os.rmdir(name, dir_fd=top)


def _unlocked(parent: int | None, name: str) -> int:
    """A folder, which its owner (us) may do everything with from now on."""
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        Path(f"/proc/self/fd/{found}").chmod(0o700)
        return os.open(name, _FOLDER, dir_fd=parent)
    finally:
        os.close(found)


def _give(folder: int, name: str, within: int | None) -> None:
    """What root makes in somebody's folder is theirs."""
    if os.geteuid() == 0 and (owner := os.fstat(folder)).st_uid != 0:
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=within, follow_symlinks=False)


def _split(name: str) -> tuple[list[str], str]:
    *folder, last = name.split("/")
    if not last or any(step in ("", ".", "..") for step in folder):
        raise OSError(errno.EINVAL, "not a name in this folder", name)
    return folder, last


def _walk(folder: int, prefix: str, found: Scan, left: list[int], depth: int) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            left[0] -= 1
            if left[0] < 0:
                return
            try:
                _note(entry, folder, prefix + entry.name, found, left, depth)
            except FileNotFoundError:
                continue  # it was there a moment ago
            except OSError as error:
                found.odd[prefix + entry.name] = f"cannot be read ({error.strerror})"


def _note(entry: os.DirEntry[str], folder: int, name: str, found: Scan, left: list[int], depth: int) -> None:
    if entry.is_dir(follow_symlinks=False):
        if depth == 0:
            found.odd[name] = f"is more than {MAX_DEPTH} folders deep"
            return
        handle = os.open(entry.name, _FOLDER, dir_fd=folder)
        try:
            _walk(handle, name + "/", found, left, depth - 1)
        finally:
            os.close(handle)
        return
    facts = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(facts.st_mode):
        found.files[name] = Facts(facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    else:
        found.odd[name] = f"is {_KINDS.get(stat.S_IFMT(facts.st_mode), 'a device')}, not a file"
