"""Whose rows a transaction works on: every connection that this room hands out carries a workspace, and a clock.

Queries ask ``workspace(connection)`` and say it in their WHERE. On PostgreSQL the server is told as well,
for this transaction, and its row-level security hides the rows of all other workspaces from whoever
forgets to ask: see ``migrations/versions/0002_workspaces.py``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from reverie.domain.clock import Clock, system_clock
from reverie.storage.driver import execute

__all__ = ["enter", "now", "workspace"]

_KEY: Final = "reverie.workspace"
_CLOCK: Final = "reverie.clock"
_TELL: Final = f"SELECT set_config('{_KEY}', ?, true)"
_ASK: Final = """SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def enter(connection: Connection, workspace: str, clock: Clock = system_clock) -> None:
    """Let the transaction that begins on ``connection`` see ``workspace`` and no other."""
    connection.info[_KEY] = workspace
    connection.info[_CLOCK] = clock
    if connection.dialect.name == "postgresql":
        execute(connection, _TELL, (workspace,))


def workspace(connection: Connection) -> str:
    """The workspace that the transaction on ``connection`` sees."""
    found: str = connection.info[_KEY]
    return found


def now(connection: Connection) -> datetime:
    """The time on which all who share the database agree: PostgreSQL's own, since its clients' clocks may
    differ; on SQLite, whose users share a machine, the one the database was opened with."""
    if connection.dialect.name == "postgresql":
        ((told,),) = execute(connection, _ASK).fetchall()
        return datetime.fromisoformat(told)
    clock: Clock = connection.info[_CLOCK]
    return clock()
