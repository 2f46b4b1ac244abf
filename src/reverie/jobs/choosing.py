"""Which engine shares the work: that of a single process, or one that many machines share."""

from __future__ import annotations

from reverie.domain.clock import Clock
from reverie.domain.errors import ConfigError
from reverie.jobs.engine import Engine
from reverie.jobs.local import LocalEngine
from reverie.storage.database import Database

__all__ = ["engine"]


def engine(db: Database, *, clock: Clock) -> Engine:
    """The engine of a database.

    Raises:
        ConfigError: it is PostgreSQL, and what shares its work is not installed.
    """
    if db.dialect == "sqlite":
        return LocalEngine(db)
    try:
        from reverie.jobs.dbos import DbosEngine
    except ImportError:
        raise ConfigError(
            "sessions on PostgreSQL are shared out by DBOS, which is not installed",
            hint="pip install 'reverie-agents[postgres]'",
        ) from None
    return DbosEngine(db)
