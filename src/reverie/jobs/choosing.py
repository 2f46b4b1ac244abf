"""Which engine a database gets."""

from __future__ import annotations

import os
from collections.abc import Callable

from reverie.domain.clock import Clock
from reverie.domain.errors import ConfigError
from reverie.jobs.engine import Engine
from reverie.jobs.local import LocalEngine
from reverie.storage.database import Database

__all__ = ["engine"]


def engine(db: Database, clock: Clock, *, entropy: Callable[[int], bytes] = os.urandom) -> Engine:
    """The engine for a database: on SQLite one of this process, with nothing else to start; on PostgreSQL one
    that shares the work among all processes that have it open.

    Args:
        clock: Gives the present, in UTC.
        entropy: ``entropy(n)`` gives n random bytes, for the worker's name.

    Raises:
        ConfigError: it is a PostgreSQL database, and DBOS is not installed.
    """
    if db.dialect == "sqlite":
        return LocalEngine(db, entropy=entropy)
    try:
        from reverie.jobs.dbos import DbosEngine  # the better part of a second to import
    except ModuleNotFoundError as error:
        if error.name != "dbos":
            raise
        raise ConfigError(
            "sessions on PostgreSQL need DBOS, which is not installed",
            where=db.where,
            hint="pip install 'reverie-agents[postgres]'",
        ) from error
    return DbosEngine(db, clock=clock, entropy=entropy)
