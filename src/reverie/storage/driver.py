"""SQL said straight to the driver: for the few statements that run once per event.

SQLAlchemy costs some 40 µs a statement, which on a fast disk is a good part of a durable append.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Protocol, cast

from sqlalchemy import Connection

__all__ = ["Cursor", "Driver", "driver", "execute", "execute_many", "marked"]


class Cursor(Protocol):
    """What sqlite3 and psycopg have in common."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> tuple[Any, ...] | None: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> object: ...


class Driver(Protocol):
    """A connection of sqlite3 or psycopg."""

    def execute(self, sql: str, parameters: Sequence[object], /) -> Cursor: ...
    def cursor(self) -> Cursor: ...


def driver(connection: Connection) -> Driver:
    """The driver's own connection, in the same transaction."""
    return cast(Driver, connection.connection.driver_connection)


@lru_cache(maxsize=256)  # the lists of marks come in many lengths
def marked(sql: str, dialect: str) -> str:
    """``sql`` with the engine's mark in place of each ``?``."""
    return sql.replace("?", "%s") if dialect == "postgresql" else sql


def execute(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> Cursor:
    """Run one statement with ``?`` for each parameter, on either engine."""
    return driver(connection).execute(marked(sql, connection.dialect.name), parameters)


def execute_many(connection: Connection, sql: str, rows: Iterable[Sequence[object]]) -> None:
    """Run one statement for every row of parameters."""
    driver(connection).cursor().executemany(marked(sql, connection.dialect.name), rows)
