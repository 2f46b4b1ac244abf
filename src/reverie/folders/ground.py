"""The folders that a group of agents writes to, and changing them from outside while the agents may be at it.

Whatever is put there comes whole or not at all, and only where there still is what one saw there before: what
somebody wrote meanwhile is never written over. What an agent has open for writing at that moment is the one thing
that nobody can save: it goes on writing into the file that was replaced.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final

from reverie.folders.copying import Pouring, in_git
from reverie.folders.entries import Entry, Part, Seen, Survey, restored, seen, storable, survey
from reverie.folders.tree import Tree, shown
from reverie.folders.watch import sha256

__all__ = ["Ground", "Moved"]

_PATH: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Moved(Exception):
    """What stands there is not what was seen there."""


class Ground:
    """The folders of a session, of an area or of a copy.

    Args:
        root: The folder that the parts are in.
        scratch: A folder on the same file system that only we write to.
        label: Whose they are: nothing for a session.
    """

    def __init__(self, root: Path, parts: Sequence[Part], scratch: Path, label: str = "") -> None:
        self.root = root
        self.parts = parts
        self.label = label
        self.tree = Tree(root, scratch)

    def survey(self) -> Survey:
        """Everything that is there, without reading it.

        Raises:
            TooLarge: more than is compared.
            OSError: a part cannot be looked into.
        """
        return survey(self.root, self.parts)

    def inside(self, name: str) -> str:
        """What the sandbox calls it, as it can be shown."""
        part = next(part for part in self.parts if f"{name}/".startswith(f"{part.folder}/"))
        return shown(part.inside + name[len(part.folder) :])

    def look(self, name: str) -> tuple[Entry | None, Seen | None]:
        """What stands there now, read.

        Raises:
            OSError: it cannot be read.
            Moved: it changes while it is looked at.
        """
        what = self.glance(name)
        if what is None or what.kind == "folder":
            return (None if what is None else Entry("folder", what.mode, "")), what
        if what.kind == "link":
            with self.tree.parent(name) as (folder, last):
                return Entry("link", 0, storable(os.readlink(last, dir_fd=folder))), what
        try:
            with self.tree.open(name) as file:
                digest = sha256(file)
                if seen(os.fstat(file.fileno())) != what:
                    raise Moved(name)
        except FileNotFoundError:
            raise Moved(name) from None
        return Entry("file", what.mode, digest), what

    def glance(self, name: str) -> Seen | None:
        """What stands there, not read; None for nothing, and for what is not copied."""
        try:
            with self.tree.parent(name) as (folder, last):
                return seen(os.stat(last, dir_fd=folder, follow_symlinks=False))
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise

    # ------------------------------------------------------------------ changing

    def remove(self, name: str, there: Seen) -> None:
        """Take away what was seen there; a folder only when it is empty.

        Raises:
            Moved: there is something else.
            OSError: it cannot be taken away; ENOTEMPTY: a folder is not empty.
        """
        with self.tree.parent(name) as (folder, last):
            self._still(folder, last, there)
            if there.kind == "folder":
                os.rmdir(last, dir_fd=folder)
            else:
                os.unlink(last, dir_fd=folder)

    def allow(self, name: str, mode: int, there: Seen) -> None:
        """Change the permissions of what was seen there.

        Raises:
            Moved: there is something else.
            OSError: it cannot be done.
        """
        with self.tree.parent(name) as (folder, last):
            handle = os.open(last, _PATH, dir_fd=folder)
        try:
            if not _same(seen(os.fstat(handle)), there):
                raise Moved(name)
            Path(f"/proc/self/fd/{handle}").chmod(mode)  # a descriptor of a path is not changed directly
        finally:
            os.close(handle)

    def make_folder(self, name: str, mode: int, there: Seen | None) -> None:
        """A folder in the place of what was seen there: of nothing, of a file or of a link.

        Raises:
            Moved: there is something else.
            OSError: it cannot be made.
        """
        if there is not None:
            self.remove(name, there)
        try:
            with self.tree.parent(name, make=True) as (folder, last):
                os.mkdir(last, 0o700, dir_fd=folder)
        except FileExistsError:
            raise Moved(name) from None
        if (made := self.glance(name)) is not None:
            self.allow(name, mode, made)

    def link(self, name: str, entry: Entry, there: Seen | None) -> None:
        """A link, which nobody of us follows, in the place of what was seen there.

        Raises:
            Moved: there is something else.
            OSError: something stands in the way, or the disk does not do it.
        """
        with self.tree.place(name) as fresh:
            fresh.symlink_to(restored(entry.id))
            self._clear(name, there)

    def write(
        self, name: str, entry: Entry, content: bytes | BinaryIO, there: Seen | None, how: Pouring
    ) -> None:
        """A file in the place of what was seen there.

        Raises:
            Moved: there is something else, or the content is not the entry's.
            OSError: something stands in the way, or the disk does not do it.
        """
        with self.tree.place(name) as fresh:
            target = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(target, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                else:
                    facts = os.fstat(content.fileno())
                    if how.pour(content.fileno(), target, facts.st_size, text=not in_git(name)) != entry.id:
                        raise Moved(name)
                    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))
                os.fchmod(target, entry.mode)
            self._clear(name, there)

    def _clear(self, name: str, there: Seen | None) -> None:
        """What is about to be replaced is what was seen; a folder gives way, when it is empty."""
        if not _same(self.glance(name), there):
            raise Moved(name)
        if there is not None and there.kind == "folder":
            self.remove(name, there)

    def _still(self, folder: int, last: str, there: Seen) -> None:
        try:
            now = seen(os.stat(last, dir_fd=folder, follow_symlinks=False))
        except FileNotFoundError:
            now = None
        if not _same(now, there):
            raise Moved(last)


def _same(now: Seen | None, there: Seen | None) -> bool:
    """A folder is the same whatever is in it."""
    if now is None or there is None or now.kind != "folder":
        return now == there
    return (now.kind, now.facts.inode) == (there.kind, there.facts.inode)
