"""Whose rows a transaction works on: every connection that this room hands out carries a workspace.

Queries ask ``workspace(connection)`` and say it in their WHERE. On PostgreSQL the server is told as well,
for this transaction, and its row-level security hides the rows of all other workspaces from whoever
forgets to ask: see ``migrations/versions/0002_workspaces.py``.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from reverie.storage.driver import execute

__all__ = ["enter", "workspace"]

_KEY: Final = "reverie.workspace"
_TELL: Final = f"SELECT set_config('{_KEY}', ?, true)"


def enter(connection: Connection, workspace: str) -> None:
    """Let the transaction that begins on ``connection`` see ``workspace`` and no other."""
    connection.info[_KEY] = workspace
    if connection.dialect.name == "postgresql":
        execute(connection, _TELL, (workspace,))


def workspace(connection: Connection) -> str:
    """The workspace that the transaction on ``connection`` sees."""
    found: str = connection.info[_KEY]
    return found
