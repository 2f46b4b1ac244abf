"""SQLite: one thread writes and checkpoints, everybody else reads snapshots."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar, cast
from urllib.parse import quote

from sqlalchemy import Connection, NullPool, QueuePool, create_engine

from reverie.domain.errors import StorageError, Unavailable
from reverie.storage.lock import WriterLock
from reverie.storage.migrations import needed, upgrade
from reverie.storage.place import prepare

__all__ = ["Sqlite"]

T = TypeVar("T")

_WAIT: Final = 30.0  # seconds another writer is waited for
_BATCH: Final = 256  # transactions under one COMMIT at most
_BATCH_SECONDS: Final = 0.05  # and no more of them once the batch has taken this long
_WAL_BYTES: Final = 8 << 20  # checkpoint when the write-ahead log has grown by this much


class Sqlite:
    """One database file. Made by ``Database.open``.

    Raises (all methods): Unavailable, Busy, DiskFull, SchemaMismatch as in ``domain.errors``.
    """

    def __init__(self, path: Path) -> None:
        self.dialect: Final = "sqlite"
        self.where = str(path)
        self._path = path
        self._file_uri = f"file:{quote(str(path))}"
        prepare(path)
        self._lock = WriterLock(path.with_name(path.name + ".lock"), wait=_WAIT)
        self._readers = create_engine(
            "sqlite://", creator=self._connect_reader, poolclass=QueuePool, pool_size=8, max_overflow=-1
        )
        self._writer = _Writer(self._open_writer, self._lock, path.with_name(path.name + "-wal"))

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
                    connection.exec_driver_sql("BEGIN IMMEDIATE")
                    upgrade(connection)
                    connection.exec_driver_sql("COMMIT")
            finally:
                connection.close()

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A read-only connection in one deferred transaction: the snapshot of its first statement."""
        with self._readers.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection  # the pool rolls back when it gets the connection again

    def write(self, work: Callable[[Connection], T]) -> T:
        return self._writer.submit(work)

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
        for pragma in (
            f"busy_timeout={_WAIT * 1000:.0f}",
            "journal_mode=WAL",
            "synchronous=FULL",  # NORMAL loses acknowledged commits when the power fails
            "fullfsync=ON",  # macOS: fsync alone does not reach the platter there
            "foreign_keys=ON",
            "wal_autocheckpoint=0",
        ):
            driver.execute(f"PRAGMA {pragma}")
        return driver

    def _open_writer(self) -> Connection:
        engine = create_engine("sqlite://", creator=self._connect_writer, poolclass=NullPool)
        # AUTOCOMMIT: BEGIN, SAVEPOINT and COMMIT are said by hand, once per batch.
        return engine.connect().execution_options(isolation_level="AUTOCOMMIT")


class _Item(Generic[T]):
    """One transaction on its way: the work, then its result or its error."""

    __slots__ = ("abandoned", "error", "result", "settled", "work")

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        self.abandoned = False
        self.settled = threading.Lock()  # the cheapest thing one can wait for
        self.settled.acquire()


class _Writer:
    """The thread that writes. Transactions that wait while one is made durable share the next COMMIT.

    Each has its own SAVEPOINT, so one that fails takes nothing along; when the COMMIT itself fails,
    all of the batch fail. A thread and not "whoever comes first": Ctrl-C reaches only the main thread,
    and so never the middle of somebody else's transaction.
    """

    def __init__(self, connect: Callable[[], Connection], lock: WriterLock, wal: Path) -> None:
        self._connect = connect
        self._lock = lock
        self._wal = wal
        self._checkpoint_at = _WAL_BYTES
        self._connection: Connection | None = None
        self._queue: SimpleQueue[_Item[Any] | None] = SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[Connection], T]) -> T:
        item = _Item(work)
        self._enter(item)
        try:
            item.settled.acquire()
        except BaseException:  # Ctrl-C: what has not begun shall not begin
            item.abandoned = True
            raise
        if item.error is not None:
            try:
                raise item.error
            finally:
                del item  # the traceback holds this frame: let it not hold the work for ever
        return cast(T, item.result)

    def close(self) -> None:
        with self._door:
            self._closed = True
            if self._thread is None:
                return
            self._queue.put(None)
        self._thread.join()

    def _enter(self, item: _Item[Any]) -> None:
        if self._thread is not None and threading.current_thread() is self._thread:
            raise StorageError("a write inside a write would wait for itself: use the connection at hand")
        with self._door:
            if self._closed:
                raise Unavailable("the database was closed")
            if self._thread is None:  # most runs only read: no thread for them
                self._thread = threading.Thread(target=self._run, name="reverie-writer", daemon=True)
                self._thread.start()
            self._queue.put(item)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            self._batch(item)
            del item  # while waiting, hold nobody's work or error
        self._finish()

    def _batch(self, first: _Item[Any]) -> None:
        batch = [first]
        try:
            with self._lock:
                connection = self._connection = self._connection or self._connect()
                self._transact(connection, batch)
                _settle(batch)
                self._checkpoint_when_large(connection)
        except BaseException as error:  # noqa: BLE001  (this thread must outlive anything; the callers hear of it)
            self._drop()
            for item in batch:
                item.error = error
            _settle(batch)

    def _transact(self, connection: Connection, batch: list[_Item[Any]]) -> None:
        driver = _driver(connection)
        deadline = time.monotonic() + _BATCH_SECONDS
        driver.execute("BEGIN IMMEDIATE")
        _attempt(connection, driver, batch[0])
        while len(batch) < _BATCH and time.monotonic() < deadline:
            try:
                item = self._queue.get_nowait()
            except Empty:
                break
            if item is None:
                self._queue.put(None)  # closing: nothing can be behind it
                break
            batch.append(item)
            _attempt(connection, driver, item)
        driver.execute("COMMIT")

    def _checkpoint_when_large(self, connection: Connection) -> None:
        """Move the log into the database file and empty it, unless readers still look at it.

        After the acknowledgement, and never waiting for a reader: then the log grows on for a while.
        """
        if self._wal_size() < self._checkpoint_at:
            return
        self._checkpoint(connection)
        self._checkpoint_at = self._wal_size() + _WAL_BYTES

    def _checkpoint(self, connection: Connection) -> None:
        driver = _driver(connection)
        driver.execute("PRAGMA busy_timeout=0")
        try:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            driver.execute(f"PRAGMA busy_timeout={_WAIT * 1000:.0f}")

    def _wal_size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def _drop(self) -> None:
        """Let go of a connection that failed: after a failed fsync nothing it believes can be trusted."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it failed already, and that failure is the one to tell
                connection.close()

    def _finish(self) -> None:
        if self._connection is None:
            return
        try:
            with self._lock:
                self._checkpoint(self._connection)
                self._drop()
        except Exception:  # noqa: BLE001  (everything is durable in the log; the next writer empties it)
            self._drop()


def _attempt(connection: Connection, driver: sqlite3.Connection, item: _Item[Any]) -> None:
    if item.abandoned:
        return
    driver.execute("SAVEPOINT work")
    try:
        item.result = item.work(connection)
    except BaseException as error:  # handed to the caller whose work it is
        if not driver.in_transaction:
            raise  # a full disk can make SQLite undo the whole transaction, the others' work included
        item.error = error
        driver.execute("ROLLBACK TO work")
    driver.execute("RELEASE work")


def _settle(batch: list[_Item[Any]]) -> None:
    """Wake those who wait. After this a caller owns its item, so it leaves the batch."""
    for item in batch:
        item.settled.release()
    batch.clear()


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
