"""Where a database file lies: made with private permissions, refused where SQLite cannot keep its word."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from reverie.domain.errors import Unavailable
from reverie.storage.failures import from_os

__all__ = ["prepare"]

_MOUNTS: Final = Path("/proc/self/mountinfo")
_REMOTE: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "glusterfs", "fuse.sshfs"})
_ANOTHER: Final = "choose another place with --db or REVERIE_HOME"


def prepare(path: Path) -> None:
    """Make the file and its folder where they are missing, readable by their owner alone.

    Raises:
        Unavailable: not permitted, not a file, or on a network file system.
        DiskFull: no room for even an empty file.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise from_os(error, str(path), _ANOTHER) from error
    remote = _remote_file_system(path.resolve())
    if remote is not None:
        raise Unavailable(
            f"this is a network file system ({remote}), where SQLite's write-ahead log is not safe",
            where=str(path),
            hint="put the database on a local disk with --db, or use PostgreSQL",
        )


def _remote_file_system(path: Path) -> str | None:
    """The type of the mount that ``path`` is on when that is a remote one. Known on Linux only."""
    try:
        mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        return None
    best, kind = "", ""
    for fields in mounts:  # … root mount-point … - type source options
        point = fields[4].encode().decode("unicode_escape")  # a space is \040
        if len(point) >= len(best) and path.is_relative_to(point):
            best, kind = point, fields[fields.index("-") + 1]
    return kind if kind in _REMOTE else None
