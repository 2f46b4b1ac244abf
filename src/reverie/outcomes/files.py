"""A folder with work in it, looked at without following where its links lead."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeAlias

__all__ = ["MAX_PATHS", "Files", "Folder", "Opener"]

MAX_PATHS: Final = 10_000
Opener: TypeAlias = Callable[[], BinaryIO]
"""Opens a file's bytes from their start."""


class Files(Protocol):
    """The files of a work, by their paths relative to its folder (``report.docx``, ``data/figures.xlsx``)."""

    def paths(self) -> Sequence[str]:
        """Every file's path, sorted."""
        ...

    def open(self, path: str) -> BinaryIO:
        """
        Raises:
            OSError: there is no such file, or it cannot be opened.
        """
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """Files of a real folder. Links, devices and pipes in it are nothing; ``.git`` is not looked into."""

    root: Path

    def paths(self) -> Sequence[str]:
        """At most ``MAX_PATHS`` of them."""
        found: list[str] = []
        for folder, inner, names in os.walk(self.root):
            inner[:] = sorted(name for name in inner if name != ".git")
            for name in names:
                path = Path(folder) / name
                if _is_file(path):
                    found.append(path.relative_to(self.root).as_posix())
            if len(found) >= MAX_PATHS:
                break
        return sorted(found)[:MAX_PATHS]

    def open(self, path: str) -> BinaryIO:
        """
        Raises:
            OSError: there is no such file, a link is on the way, or it is none that has bytes.
        """
        *folders, name = path.split("/")
        with ExitStack() as stack:
            at = _folder(stack, str(self.root), None)
            for folder in folders:
                at = _folder(stack, folder, at)
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise FileNotFoundError(path)
        return os.fdopen(handle, "rb")

    def __iter__(self) -> Iterator[tuple[str, Opener]]:
        """What ``read_work`` takes."""
        for path in self.paths():
            yield path, lambda path=path: self.open(path)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode) and str(path).isprintable()
    except (OSError, ValueError):
        return False


def _folder(stack: ExitStack, name: str, at: int | None) -> int:
    if name == "..":
        raise FileNotFoundError(name)
    link = 0 if at is None else os.O_NOFOLLOW
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | link, dir_fd=at)
    stack.callback(os.close, handle)
    return handle
