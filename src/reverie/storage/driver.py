"""SQL said straight to the driver: for the few statements that run once per event.

SQLAlchemy costs some 40 µs a statement, which on a fast disk is a good part of a durable append.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, Protocol, cast

from sqlalchemy import Connection

__all__ = ["execute", "execute_many"]


class _Cursor(Protocol):
    def fetchone(self) -> tuple[Any, ...] | None: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...
    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> object: ...


class _Driver(Protocol):
    def execute(self, sql: str, parameters: Sequence[object], /) -> _Cursor: ...
    def cursor(self) -> _Cursor: ...


def execute(connection: Connection, sql: str, parameters: Sequence[object] = ()) -> _Cursor:
    """Run one statement with ``?`` for each parameter, on either engine."""
    return _driver(connection).execute(_dialect(sql, connection.dialect.name), parameters)


def execute_many(connection: Connection, sql: str, rows: Iterable[Sequence[object]]) -> None:
    """Run one statement for every row of parameters."""
    _driver(connection).cursor().executemany(_dialect(sql, connection.dialect.name), rows)


def _driver(connection: Connection) -> _Driver:
    return cast(_Driver, connection.connection.driver_connection)


@cache
def _dialect(sql: str, dialect: str) -> str:
    return sql.replace("?", "%s") if dialect == "postgresql" else sql
