"""What changed in a folder since it was last looked at, without reading what did not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from reverie.folders.tree import Facts, Tree

__all__ = ["Look", "Watch", "sha256"]

_CHUNK: Final = 1 << 20


class Look(NamedTuple):
    """A folder as it is: the digest of each plain file by its path, and what is no file, in words."""

    digests: Mapping[str, str]
    odd: Mapping[str, str]


class Watch:
    """Looks at a folder again and again. A file whose facts are the same has the same bytes, unless it was
    written in the very tick of the clock in which it was read: such a one is read once more.

    Args:
        tick: A file of ours on the same file system, which is touched to ask its clock.
        digest: What identifies a file's bytes.
    """

    def __init__(self, tree: Tree, tick: Path, digest: Callable[[BinaryIO], str]) -> None:
        self._tree = tree
        self._tick = tick
        self._digest = digest
        self._facts: dict[str, Facts] = {}
        self._digests: dict[str, str] = {}
        self._unsure: set[str] = set()

    def look(self) -> Look:
        """The folder as it is now. Costs one ``stat`` for each file, and the reading of those that changed."""
        files, odd = self._tree.scan()
        if files == self._facts and not self._unsure:
            return Look(dict(self._digests), odd)
        now = self._now()
        again = {name for name, facts in files.items() if self._facts.get(name) != facts} | (
            self._unsure & files.keys()
        )
        self._facts = {name: facts for name, facts in files.items() if name not in again}
        self._digests = {name: self._digests[name] for name in self._facts}
        self._unsure = set()
        for name in again:
            try:
                with self._tree.open(name) as file:
                    self._digests[name] = self._digest(file)
            except FileNotFoundError:
                continue  # gone since
            except OSError as error:
                odd[name] = f"cannot be read ({error.strerror})"
                continue
            self._facts[name] = files[name]
            if files[name].ctime_ns >= now:
                self._unsure.add(name)
        return Look(dict(self._digests), odd)

    def _now(self) -> int:
        """The time as the file system writes it: what is written later has this time or a later one."""
        self._tick.touch()
        return self._tick.stat().st_ctime_ns


def sha256(file: BinaryIO) -> str:
    """The hex digest of what is in a file."""
    found = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        found.update(chunk)
    return found.hexdigest()
