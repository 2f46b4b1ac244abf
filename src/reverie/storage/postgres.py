"""PostgreSQL: a small pool; the server orders the writers and shares the flush among them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final, TypeVar

from sqlalchemy import URL, Connection, NullPool, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from reverie.domain.errors import ConfigError
from reverie.domain.workspaces import EVERYWHERE
from reverie.storage.failures import retryable
from reverie.storage.migrations import needed, upgrade
from reverie.storage.scope import enter
from reverie.storage.tail import PostgresTail, Tail

__all__ = ["PostgreSQL"]

T = TypeVar("T")

_WAIT: Final = 30  # seconds a lock is waited for
_CONNECT: Final = 10  # seconds the server may take to answer
# A server whose machine or network is gone says nothing: without these it is waited for by the hour.
_LIVELY: Final = {
    "connect_timeout": _CONNECT,
    "tcp_user_timeout": 10_000,  # ms that what was sent may stay without an answer
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
_ATTEMPTS: Final = 5  # a transaction that lost a deadlock is made again, this often at most
_MIGRATION_LOCK: Final = 0x7265_7665_7269_65  # "reverie": whoever migrates holds this advisory lock


class PostgreSQL:
    """One database of a server. Made by ``Database.open``."""

    def __init__(self, url: URL) -> None:
        self.dialect: Final = "postgresql"
        self.where = f"{url.drivername}://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database}"
        try:
            self._engine = create_engine(
                url.set(drivername="postgresql+psycopg"),
                connect_args=_LIVELY,
                isolation_level="READ COMMITTED",
                pool_size=5,
                max_overflow=15,
                pool_pre_ping=True,  # a server that was restarted costs one ping, not one error
            )
        except ModuleNotFoundError as error:
            raise ConfigError(
                "PostgreSQL needs the driver psycopg, which is not installed",
                where=self.where,
                hint="pip install 'reverie-agents[postgres]'",
            ) from error
        event.listen(self._engine, "connect", _set_up)
        self._snapshot = self._engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )

    @property
    def url(self) -> str:
        return self._engine.url.render_as_string(hide_password=False)

    def migrate(self) -> None:
        """Bring the schema up to date; quick when it is."""
        with self.read() as connection:
            if not needed(connection):
                return
        with self._engine.begin() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            if needed(connection):
                self._check_encoding(connection)
                enter(connection, EVERYWHERE)  # row-level security binds the tables' owner too
                upgrade(connection)

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A read-only connection in one REPEATABLE READ transaction: the snapshot of its first statement."""
        with self._snapshot.connect() as connection:
            yield connection

    def write(self, work: Callable[[Connection], T]) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except Exception as error:
                if attempt == _ATTEMPTS or not retryable(error):
                    raise
        raise AssertionError("unreachable")

    def tail(self) -> Tail:
        return PostgresTail(self._alone)

    def notice(self) -> str | None:
        """A word about a user whom row-level security does not bind, superusers above all."""
        asked = "SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)"
        with self.read() as connection:
            name = connection.exec_driver_sql(asked).scalar_one_or_none()
        if name is None:
            return None
        return (
            f"the user {name!r} passes PostgreSQL's row-level security, which else stands behind the walls "
            "between workspaces; connect as one who owns the tables and is no superuser"
        )

    def close(self) -> None:
        self._engine.dispose()

    def _alone(self) -> Connection:
        """A connection that is not the pool's, and says no BEGIN of its own."""
        engine = create_engine(self._engine.url, connect_args=_LIVELY, poolclass=NullPool)
        return engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def _check_encoding(self, connection: Connection) -> None:
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
        if encoding != "UTF8":
            raise ConfigError(
                f"the database keeps text as {encoding}, and transcripts hold any character",
                where=self.where,
                hint="make it with: createdb -E UTF8 -T template0 NAME",
            )


def _set_up(driver: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    cursor = driver.cursor()
    cursor.execute(f"SET lock_timeout = '{_WAIT}s'")
    cursor.close()
    driver.commit()
