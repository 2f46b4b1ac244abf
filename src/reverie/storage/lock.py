"""The writer's place: a lock between processes, so that one SQLite connection at a time writes."""

from __future__ import annotations

import fcntl
import os
import random
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from reverie.domain.errors import Busy
from reverie.storage.failures import from_os

__all__ = ["WriterLock"]

_SHORTEST: Final = 0.000_2
_LONGEST: Final = 0.005


class WriterLock:
    """An advisory lock (``flock``) on a file beside the database, held by whoever writes or checkpoints.

    Why, when SQLite has a lock of its own: SQLite 3.7.0 to 3.51.2 can corrupt a WAL database when one
    connection checkpoints while another writes ("the WAL-reset bug", https://sqlite.org/wal.html), and
    Python is often linked to such a version. SQLite's own write lock does not cover checkpoints; this
    one does. The kernel frees it when its holder dies, however it dies.

    ``wait`` bounds the waiting, in seconds; then ``Busy``.
    """

    def __init__(self, path: Path, *, wait: float) -> None:
        self._path = path
        self._wait = wait
        self._fd = -1

    def __enter__(self) -> WriterLock:
        if self._fd < 0:  # who only reads leaves no file behind
            self._open()
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._acquire_patiently()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the file back. The file itself stays: removing it would let two holders in."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            hint = "make the folder writable or choose another with --db"
            raise from_os(error, str(self._path), hint) from error

    def _acquire_patiently(self) -> None:
        # flock has no timeout, so ask again and again. The pause is random: a holder that frees the
        # place only for a moment between two batches must not always be asked at the wrong moment.
        deadline = time.monotonic() + self._wait
        while time.monotonic() < deadline:
            time.sleep(random.uniform(_SHORTEST, _LONGEST))  # noqa: S311  (not for secrets)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            return
        raise Busy(
            f"another process has been writing for {self._wait:g} s",
            where=str(self._path),
            hint="wait for it to finish, or look with `fuser` which one it is",
        )
