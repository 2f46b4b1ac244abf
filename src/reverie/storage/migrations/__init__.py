"""The schema's history, and the quick question whether a database is at its end.

Asking costs one SELECT; Alembic (half a second to import) is loaded only where there is work.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Text, column, inspect, select, table

from reverie.domain.errors import SchemaMismatch

__all__ = ["REVISIONS", "VERSION_TABLE", "needed", "upgrade"]

VERSION_TABLE: Final = "reverie_version"  # not Alembic's own name: the database may be shared with others
REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")
"""Every revision, oldest first; a new file in ``versions/`` is named here too."""

_version: Final = select(column("version_num", Text)).select_from(table(VERSION_TABLE))


def needed(connection: Connection) -> bool:
    """Whether the schema is missing or older than this program.

    Raises:
        SchemaMismatch: newer than this program, or somebody else's.
    """
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in tables:
        if "events" in tables or (tables and connection.dialect.name == "sqlite"):
            raise SchemaMismatch("this database is not Reverie's", hint="choose another with --db")
        return True
    found = connection.execute(_version).scalar_one_or_none()
    if found not in REVISIONS:
        raise SchemaMismatch(
            f"this database was made by a newer version of Reverie (schema {found}, known {REVISIONS[-1]})",
            hint="upgrade Reverie, or choose another with --db",
        )
    return found != REVISIONS[-1]


def upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    command.upgrade(config, "head")
