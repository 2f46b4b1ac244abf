"""The one connection that writes and checkpoints an SQLite file, and how callers share it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Generic, TypeVar, cast

from sqlalchemy import Connection

from reverie.domain.errors import StorageError, Unavailable
from reverie.storage.lock import WriterLock

__all__ = ["Writer"]

T = TypeVar("T")

_BATCH: Final = 256  # transactions under one COMMIT at most
_COME_BACK_SECONDS: Final = 0.001  # how long those of the last batch are waited for


class _Item(Generic[T]):
    """One transaction that waits: the work, then its result or its error."""

    __slots__ = ("abandoned", "error", "result", "settled", "work")

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self.work = work
        self.result: T | None = None
        self.error: BaseException | None = None
        self.abandoned = False
        self.settled = threading.Lock()  # the cheapest thing one can wait for
        self.settled.acquire()

    def run(self, connection: Connection) -> None:
        if not self.abandoned:
            self.result = self.work(connection)

    def outcome(self) -> T:
        if self.error is None:
            return cast(T, self.result)
        try:
            raise self.error
        finally:
            self.error = None  # its traceback holds this frame, and so would hold the work for ever


class Writer:
    """Makes transactions durable, one after another or many at once.

    A caller who finds the place free writes by itself: no thread, no hand-over. Callers who come
    meanwhile queue for a thread, which takes all that wait into one transaction and shares one COMMIT,
    one flush of the disk, among them. One that fails takes nothing along, but the others may be run
    again; when the COMMIT fails, all in it fail. A caller never carries another's work, so that Ctrl-C,
    which reaches the main thread anywhere, can break off nobody's transaction but its own.

    ``connect`` opens the connection in autocommit mode; ``lock`` keeps other processes out meanwhile.
    """

    def __init__(self, connect: Callable[[], Connection], lock: WriterLock) -> None:
        self._connect = connect
        self._lock = lock
        self._connection: Connection | None = None
        self._place = threading.Lock()  # held by whoever uses the connection
        self._holder = 0
        self._crowded = False  # callers queue even if the place is free: others will be there at once
        self._crowd = 1  # how many the last batch was of
        self._queue: SimpleQueue[_Item[Any] | None] = SimpleQueue()
        self._door = threading.Lock()  # guards the two below
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction; returns when it is on the disk."""
        if self._holder == threading.get_ident():
            raise StorageError("a write inside a write would wait for itself: use the connection at hand")
        if self._crowded or not self._place.acquire(blocking=False):
            return self._queued(work)
        try:
            self._holder = threading.get_ident()
            return self._alone(work)
        finally:
            self._holder = 0
            self._place.release()

    def close(self) -> None:
        """Finish what waits, empty the log into the database file, let the connection go."""
        with self._door:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join()
        with self._place:
            if self._connection is not None:
                self._empty_the_log(self._connection)

    # ------------------------------------------------------------------ nobody else there

    def _alone(self, work: Callable[[Connection], T]) -> T:
        if self._closed:
            raise Unavailable("the database was closed")
        with self._lock:
            connection, driver = self._begin()
            try:
                result = work(connection)
            except BaseException:
                self._roll_back(driver)
                raise
            self._commit(driver)
            return result

    # ------------------------------------------------------------------ a crowd

    def _queued(self, work: Callable[[Connection], T]) -> T:
        item = _Item(work)
        with self._door:
            if self._closed:
                raise Unavailable("the database was closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="reverie-writer", daemon=True)
                self._thread.start()
            self._crowded = True
            self._queue.put(item)
        try:
            item.settled.acquire()
        except BaseException:  # Ctrl-C: what has not begun shall not begin
            item.abandoned = True
            raise
        return item.outcome()

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            with self._place:
                self._holder = threading.get_ident()
                self._settle([item])
                self._holder = 0
            del item  # while waiting for the next, hold nobody's work or error

    def _settle(self, batch: list[_Item[Any]]) -> None:
        """Make those who wait durable, or fail all of them; then wake them."""
        self._gather(batch)
        try:
            with self._lock:
                self._together(batch)
        except BaseException as error:  # noqa: BLE001  (the thread must outlive it; those who wait hear of it)
            for item in batch:
                item.error = error
        for item in batch:
            item.settled.release()

    def _gather(self, batch: list[_Item[Any]]) -> None:
        """Add those who wait now. As many as were in the last batch are expected back at once, and waited
        for a moment: while they are on their way, every statement would have to win Python's lock from
        them; when all of them wait, it costs a third less."""
        deadline = time.monotonic() + _COME_BACK_SECONDS
        with suppress(Empty):
            while len(batch) < _BATCH:
                patience = deadline - time.monotonic() if len(batch) < self._crowd else 0.0
                item = self._queue.get(timeout=patience) if patience > 0 else self._queue.get_nowait()
                if item is None:
                    self._queue.put(None)  # closing: nothing is behind it
                    break
                batch.append(item)
        self._crowd = len(batch)
        self._crowded = self._crowd > 1

    def _together(self, batch: list[_Item[Any]]) -> None:
        """All who wait, under one COMMIT: as if nothing would fail. Where something does, all over again
        with a SAVEPOINT for each, which costs as much as a small work itself."""
        connection, driver = self._begin()
        try:
            for item in batch:
                item.run(connection)
        except BaseException:  # noqa: BLE001  (whose it is, the second time will tell)
            self._roll_back(driver)
            self._apart(batch)
        else:
            self._commit(driver)

    def _apart(self, batch: list[_Item[Any]]) -> None:
        connection, driver = self._begin()
        for item in batch:
            driver.execute("SAVEPOINT work")
            try:
                item.run(connection)
            except BaseException as error:  # handed to the caller whose work it is
                if not driver.in_transaction:
                    raise  # a full disk can make SQLite undo it all, the others' work included
                item.error = error
                driver.execute("ROLLBACK TO work")
            driver.execute("RELEASE work")
        self._commit(driver)

    # ------------------------------------------------------------------ the connection

    def _begin(self) -> tuple[Connection, sqlite3.Connection]:
        connection = self._connection = self._connection or self._connect()
        driver = _driver(connection)
        self._roll_back(driver)  # Ctrl-C can fall between any two lines
        try:
            driver.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._drop()
            raise
        return connection, driver

    def _commit(self, driver: sqlite3.Connection) -> None:
        try:
            driver.execute("COMMIT")
        except BaseException:
            self._drop()  # after a failed flush nothing that the connection believes can be trusted
            raise

    def _roll_back(self, driver: sqlite3.Connection) -> None:
        if driver.in_transaction:  # a full disk can make SQLite do it by itself
            driver.execute("ROLLBACK")

    def _empty_the_log(self, connection: Connection) -> None:
        """Move the write-ahead log into the database file, not waiting for those who still read it."""
        # If this fails, everything is durable in the log all the same; the next writer empties it.
        with suppress(Exception), self._lock:
            driver = _driver(connection)
            driver.execute("PRAGMA busy_timeout=0")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._drop()  # still under the lock: the last connection to go checkpoints

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # the failure before this one is the one to tell
                connection.close()


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast(sqlite3.Connection, connection.connection.driver_connection)
