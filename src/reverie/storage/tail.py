"""Hearing of commits, other processes' too: SQLite is asked for its version, PostgreSQL tells."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol, TypeAlias

from sqlalchemy import Connection

__all__ = ["CHANNEL", "Heard", "PostgresTail", "SqliteTail", "Tail"]

CHANNEL: Final = "reverie_events"
_ASKED_EVERY: Final = 0.02  # seconds; a commit of another process is seen this much later at most
_AGAIN: Final = 1.0  # seconds until a lost connection is tried anew
_SLICE: Final = 0.2  # seconds in which PostgreSQL is listened to at a time
_DRAIN: Final = 0.001  # seconds that more notifications are waited for once there is one

Heard: TypeAlias = Mapping[str, int] | None
"""Sessions and how many events they now have; None: something was committed, look what."""


class Tail(Protocol):
    """Listens to one database from one thread."""

    def wait(self, seconds: float) -> Heard:
        """Return when something was committed, or with an empty mapping after ``seconds``."""
        ...

    def stop(self) -> None:
        """Have the ``wait`` of another thread end soon."""
        ...

    def close(self) -> None:
        """Let the connection go; for the thread that waits."""
        ...


class SqliteTail:
    """``PRAGMA data_version`` changes when any other connection, of any process, has committed. It costs
    some microseconds; there is nothing to be woken by."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._driver = connect()
        self._version = self._ask()
        self._stopped = threading.Event()

    def wait(self, seconds: float) -> Heard:
        deadline = time.monotonic() + seconds
        while not self._stopped.wait(_ASKED_EVERY):
            try:
                version = self._ask()
            except sqlite3.Error:  # locked out for a moment: look, rather than miss something
                self._stopped.wait(_AGAIN)
                return None
            if version != self._version:
                self._version = version
                return None
            if time.monotonic() >= deadline:
                break
        return {}

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self._driver.close()

    def _ask(self) -> int:
        (version,) = self._driver.execute("PRAGMA data_version").fetchone()
        return version


class PostgresTail:
    """LISTEN on a connection of its own. Where that is lost, what was missed is to be looked for."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._stopped = threading.Event()
        self._connection: Connection | None = self._listen()

    def wait(self, seconds: float) -> Heard:
        if self._connection is None:
            return self._reconnect(seconds)
        deadline = time.monotonic() + seconds
        try:
            while not (found := self._hear(self._connection)) and not self._stopped.is_set():
                if time.monotonic() >= deadline:
                    break
            return found
        except Exception:  # noqa: BLE001  (whatever the driver says: the connection is of no more use)
            self._drop()
            return None

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self._drop()

    def _hear(self, connection: Connection) -> Mapping[str, int]:
        driver: Any = connection.connection.driver_connection
        found: dict[str, int] = {}
        for notice in driver.notifies(timeout=_SLICE, stop_after=1):
            self._note(found, notice.payload)
        if found:
            for notice in driver.notifies(timeout=_DRAIN):
                self._note(found, notice.payload)
        return found

    def _note(self, found: dict[str, int], payload: str) -> None:
        session_id, _, events = payload.partition(" ")
        found[session_id] = int(events)

    def _listen(self) -> Connection:
        connection = self._connect()
        driver: Any = connection.connection.driver_connection
        driver.execute(f"LISTEN {CHANNEL}")
        return connection

    def _reconnect(self, seconds: float) -> Heard:
        if self._stopped.wait(min(_AGAIN, seconds)):
            return {}
        with suppress(Exception):
            self._connection = self._listen()
        return None  # what was missed meanwhile, nobody will tell

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):
                connection.invalidate()
                connection.close()
