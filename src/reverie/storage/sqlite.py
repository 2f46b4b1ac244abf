"""SQLite: one thread writes and checkpoints, everybody else reads snapshots."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, QueuePool, create_engine

from reverie.domain.errors import Unavailable
from reverie.storage.lock import WriterLock
from reverie.storage.migrations import needed, upgrade
from reverie.storage.place import prepare
from reverie.storage.tail import SqliteTail, Tail
from reverie.storage.writer import Writer

__all__ = ["Sqlite"]

T = TypeVar("T")

_WAIT: Final = 30.0  # seconds another writer is waited for
_ANOTHER: Final = "put the database on a local disk with --db"
_DURABLE: Final = (
    "synchronous=FULL",  # NORMAL loses acknowledged commits when the power fails
    "fullfsync=ON",  # macOS: fsync alone does not reach the platter there
    "foreign_keys=ON",
    # After this many pages a COMMIT of the writer (and only its, under the lock) checkpoints. Not by
    # emptying the log: to write over its old pages is twice as fast as to make the file grow.
    "wal_autocheckpoint=1000",
)


class Sqlite:
    """One database file. Made by ``Database.open``.

    Raises (all methods): Unavailable, Busy, DiskFull, SchemaMismatch as in ``domain.errors``.
    """

    def __init__(self, path: Path) -> None:
        self.dialect: Final = "sqlite"
        self.where = str(path)
        self.url: Final = f"sqlite:///{path}"
        self._path = path
        self._file_uri = f"file:{quote(os.fsencode(path))}"
        prepare(path)
        self._lock = WriterLock(path.with_name(path.name + ".lock"), wait=_WAIT)
        self._readers = create_engine(
            "sqlite://", creator=self._connect_reader, poolclass=QueuePool, pool_size=8, max_overflow=-1
        )
        self._writer = Writer(self._open_writer, self._lock)

    def migrate(self) -> None:
        """Bring the schema up to date; quick when it is."""
        if self._path.stat().st_size:
            with self.read() as connection:
                if not needed(connection):
                    return
        with self._lock:  # two processes may find the same fresh file: the second sees the first one's work
            connection = self._open_writer()
            try:
                if needed(connection):
                    self._upgrade(connection)
            finally:
                connection.close()

    def _upgrade(self, connection: Connection) -> None:
        # A table is changed by making it anew; meanwhile rows refer to what is not there.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade(connection)
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise Unavailable("the upgrade would have lost rows; nothing was changed", where=self.where)
        connection.exec_driver_sql("COMMIT")

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A read-only connection in one deferred transaction: the snapshot of its first statement."""
        with self._readers.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection  # the pool rolls back when it gets the connection again

    def write(self, work: Callable[[Connection], T]) -> T:
        return self._writer.submit(work)

    def tail(self) -> Tail:
        return SqliteTail(self._connect_reader)

    def notice(self) -> None:
        return None

    def close(self) -> None:
        self._readers.dispose()  # first: the last connection to go takes the log's files with it
        self._writer.close()
        self._lock.close()

    def _connect_reader(self) -> sqlite3.Connection:
        driver = sqlite3.connect(
            f"{self._file_uri}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        # Belt and braces: the file is opened read-only, and the connection refuses to write or checkpoint.
        for pragma in ("query_only=ON", "wal_autocheckpoint=0", f"busy_timeout={_WAIT * 1000:.0f}"):
            driver.execute(f"PRAGMA {pragma}")
        return driver

    def _connect_writer(self) -> sqlite3.Connection:
        driver = sqlite3.connect(
            f"{self._file_uri}?mode=rw", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in (f"busy_timeout={_WAIT * 1000:.0f}", *_DURABLE):
                driver.execute(f"PRAGMA {pragma}")
            (mode,) = driver.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode != "wal":
                raise Unavailable(
                    "SQLite cannot keep a write-ahead log here", where=self.where, hint=_ANOTHER
                )
        except BaseException:
            driver.close()
            raise
        return driver

    def _open_writer(self) -> Connection:
        engine = create_engine("sqlite://", creator=self._connect_writer, poolclass=NullPool)
        # AUTOCOMMIT: BEGIN, SAVEPOINT and COMMIT are said by hand, once per batch.
        return engine.connect().execution_options(isolation_level="AUTOCOMMIT")
