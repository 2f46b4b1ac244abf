"""Writing files that others may also hold: planned changes, checked again at the last moment, atomic.

A change knows the bytes it was planned against, and is not made when others are there by then. A file is
replaced by rename, so a reader sees the old bytes or the new ones and a crash leaves one of them.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from reverie.domain.errors import Conflict, DiskFull, ReverieError, UsageError
from reverie.memory.merge import unified

__all__ = [
    "Action",
    "FileChange",
    "apply_change",
    "oddity",
    "read_file",
    "remove_empty_folder",
    "same_folder",
]

Action = Literal["create", "update", "delete", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a sync means to do with one file. ``before`` and ``after`` are its bytes (None: no file).

    A ``refused`` change is never made: ``why`` says the reason, and ``after`` still holds what would
    have been written, so that the difference can be shown.
    """

    path: str
    action: Action
    before: bytes | None
    after: bytes | None
    why: str | None = None

    @property
    def diff(self) -> str:
        """Unified diff of the texts (bytes that are not UTF-8 are shown as escapes)."""
        return unified(_shown(self.before), _shown(self.after), old_name=self.path, new_name=self.path)


def oddity(path: Path) -> str | None:
    """What stands in the way of keeping a plain file at ``path``; None when nothing does."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return "stands below something that is not a folder"
    return None if kind == stat.S_IFREG else _KINDS.get(kind, "is not a plain file")


def read_file(path: Path) -> bytes | None:
    """The bytes of a plain file; None where nothing is.

    Raises:
        UsageError: a folder, a symbolic link, a device or a pipe stands there.
        ReverieError: it cannot be read.
    """
    with _reported(path):
        odd = oddity(path)
        if odd is not None:
            raise UsageError(odd, where=str(path))
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def same_folder(path: Path) -> Path:
    """``path``, or what it links to when that is a file of the same kind in the same folder or below it.

    An AGENTS.md that is a link to the CLAUDE.md beside it is common and is written through; another
    link, in a repository somebody else made, could lead to any file of yours.

    Raises:
        UsageError: the link is broken, or leads elsewhere.
    """
    if not path.is_symlink():
        return path
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle
        raise UsageError("is a symbolic link that leads nowhere", where=str(path)) from None
    if not target.is_relative_to(path.parent.resolve()) or target.suffix != path.suffix:
        raise UsageError(
            f"is a symbolic link out of its folder, or to another kind of file: {target}",
            where=str(path),
            hint=f"if that is what you want, name the file itself: {target}",
        )
    return target


def apply_change(path: Path, change: FileChange) -> None:
    """Makes one planned change on disk. ``unchanged`` and ``refused`` do nothing.

    Raises:
        Conflict: the file is not what it was when the change was planned.
        DiskFull, ReverieError: it cannot be written; the old bytes are still there.
    """
    if change.action in ("unchanged", "refused"):
        return
    if read_file(path) != change.before:
        raise Conflict("the file changed meanwhile", where=str(path), hint="run the sync again")
    with _reported(path):
        if change.after is None:
            path.unlink()
            _flush_folder(path.parent)
        else:
            _replace(path, change.after)


def remove_empty_folder(path: Path) -> None:
    """Removes a folder unless something is in it (or it is gone already)."""
    with _reported(path):
        try:
            path.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                raise


_KINDS: Final = {
    stat.S_IFDIR: "is a folder, not a file",
    stat.S_IFLNK: "is a symbolic link, which is not followed here",
}


def _replace(path: Path, content: bytes) -> None:
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    beside = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    try:
        # "x": never through a link that someone laid there first
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            if mode is not None:
                beside.chmod(mode)
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    """Makes a rename or a removal in ``folder`` survive a power cut (POSIX; Windows has no such call)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _reported(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        where = str(path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                "there is no room left on the device", where=where, hint="free some space"
            ) from error
        raise ReverieError(f"cannot be read or written ({error.strerror})", where=where) from error


def _shown(content: bytes | None) -> str | None:
    return None if content is None else content.decode("utf-8", "backslashreplace")
