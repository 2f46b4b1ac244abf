"""What a driver says, in our words: the one place that knows SQLite's codes and PostgreSQL's SQLSTATEs."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Final

from sqlalchemy import exc

from reverie.domain.errors import (
    Busy,
    Conflict,
    DiskFull,
    ReverieError,
    SchemaMismatch,
    StorageError,
    Unavailable,
)

__all__ = ["Translated", "failure", "from_os", "retryable"]

_LITTLE_ROOM: Final = 1 << 20  # with fewer free bytes than this, an I/O error is a full disk

# code: (error, what, next). ``{}`` stands for the driver's own first line.
_Saying = tuple[type[ReverieError], str, str | None]

_FULL: Final[_Saying] = (
    DiskFull,
    "there is no room left on the device",
    "free some space and run it again: nothing half-written was kept",
)
_HELD: Final = "another program holds the database"
_DENIED: Final[_Saying] = (
    Unavailable,
    "the database cannot be written ({})",
    "check the permissions of the file and of its folder",
)
_SQLITE: Final[dict[int, _Saying]] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: (Busy, _HELD, "close it (an sqlite3 shell?) and run it again"),
    sqlite3.SQLITE_LOCKED: (Busy, _HELD, "close it (an sqlite3 shell?) and run it again"),
    sqlite3.SQLITE_READONLY: _DENIED,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_CANTOPEN: (
        Unavailable,
        "the database cannot be opened ({})",
        "check that its folder exists and may be written: SQLite keeps two more files beside it",
    ),
    sqlite3.SQLITE_NOTADB: (SchemaMismatch, "this file is not a database", "choose another with --db"),
    sqlite3.SQLITE_CORRUPT: (Unavailable, "the database file is damaged ({})", "restore it from a backup"),
    sqlite3.SQLITE_IOERR: (Unavailable, "the disk failed ({})", "look at the system's log for the device"),
    sqlite3.SQLITE_CONSTRAINT: (Conflict, "the database refused the change ({})", None),
}
_POSTGRESQL: Final[dict[str, _Saying]] = {
    "53100": _FULL,
    "53300": (Busy, "the server has no connection left ({})", "raise max_connections or run fewer clients"),
    "55P03": (Busy, _HELD, "wait for the other writer and run it again"),
    "40001": (Busy, "another writer was faster ({})", "run it again"),
    "40P01": (Busy, "another writer was faster ({})", "run it again"),
    "23": (Conflict, "the database refused the change ({})", None),
    "42501": (Unavailable, "not permitted ({})", "grant this user the rights on the schema"),
    "25006": (Unavailable, "the database cannot be written ({})", "is this a read-only replica?"),
}
_WALL: Final = "row-level security"
_ANOTHERS: Final[_Saying] = (StorageError, "a row of another workspace was to be written ({})", None)
_UNREACHABLE: Final[_Saying] = (
    Unavailable,
    "the server cannot be reached ({})",
    "check that it runs, that the database exists (createdb), and host, port and user in the URL",
)


class Translated:
    """A context in which a driver's errors become ours and everything else passes untouched."""

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            said = failure(error, self._where)
            if said is not error:
                raise said from error


def failure(error: BaseException, where: str) -> BaseException:
    """The domain error for a driver's error; ``error`` itself where no driver raised it.

    Only the driver's own first line is quoted: statements and their parameters hold people's text.
    """
    origin = error.orig if isinstance(error, exc.DBAPIError) and error.orig is not None else error
    if isinstance(origin, sqlite3.Error):
        return _worded(_sqlite(origin, where), origin, where)
    if hasattr(origin, "sqlstate"):  # psycopg.Error, without importing an optional driver
        return _worded(_postgresql(origin), origin, where)
    if isinstance(origin, exc.TimeoutError):
        return Busy("no connection became free in time", where=where, hint="run fewer things at once")
    if isinstance(origin, exc.SQLAlchemyError):
        return StorageError(_first_line(origin), where=where)
    return error


def from_os(error: OSError, where: str, hint: str) -> StorageError:
    """The domain error for what the operating system said about a file of ours."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(_FULL[1], where=where, hint=_FULL[2])
    return Unavailable(f"cannot be opened ({error.strerror})", where=where, hint=hint)


def retryable(error: BaseException) -> bool:
    """True when PostgreSQL undid a transaction only because of another one (deadlock, serialization)."""
    origin = error.orig if isinstance(error, exc.DBAPIError) else error
    return getattr(origin, "sqlstate", None) in ("40001", "40P01")


def _worded(saying: _Saying | None, error: BaseException, where: str) -> ReverieError:
    if saying is None:
        return StorageError(_first_line(error), where=where)
    kind, what, hint = saying
    return kind(what.format(_first_line(error)), where=where, hint=hint)


def _sqlite(error: sqlite3.Error, where: str) -> _Saying | None:
    primary = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF  # the upper bytes say which kind of it
    if primary == sqlite3.SQLITE_IOERR and _no_room(where):
        return _FULL  # the shared-memory file says "I/O error" when it cannot grow
    return _SQLITE.get(primary)


def _postgresql(error: BaseException) -> _Saying | None:
    state: str | None = getattr(error, "sqlstate", None)
    if state is None or state.startswith(("08", "57P")):  # no connection, or the server went away
        return _UNREACHABLE
    if state == "42501" and _WALL in str(error):  # our fault, not that of the rights
        return _ANOTHERS
    return _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])


def _no_room(where: str) -> bool:
    try:
        room = os.statvfs(Path(where).parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _LITTLE_ROOM


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
