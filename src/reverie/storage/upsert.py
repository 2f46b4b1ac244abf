"""INSERT … ON CONFLICT, which both engines have and SQLAlchemy spells once for each."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

__all__ = ["insert"]


def insert(connection: Connection, table: Table) -> sqlite.Insert:
    """An INSERT that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # 20 ms that a user of SQLite need not wait

        return cast(sqlite.Insert, postgresql.insert(table))  # the same methods, not the same class
    return sqlite.insert(table)
