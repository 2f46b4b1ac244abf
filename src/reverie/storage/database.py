"""The database: open, read a snapshot, write a transaction. Which engine it is, only this room knows."""

from __future__ import annotations

import atexit
import copy
import os
import threading
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, TypeVar

from sqlalchemy import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError

from reverie.domain.clock import Clock, system_clock
from reverie.domain.errors import ConfigError, Unavailable
from reverie.domain.workspaces import DEFAULT_WORKSPACE
from reverie.storage.failures import Translated
from reverie.storage.postgres import PostgreSQL
from reverie.storage.scope import enter
from reverie.storage.sqlite import Sqlite
from reverie.storage.tail import Tail

__all__ = ["Connection", "Database"]

T = TypeVar("T")

_FORMS: Final = "give a path, sqlite:///path or postgresql+psycopg://user@host/database"


class _Engine(Protocol):
    @property
    def dialect(self) -> Literal["sqlite", "postgresql"]: ...
    @property
    def where(self) -> str: ...
    @property
    def url(self) -> str: ...
    def migrate(self) -> None: ...
    def read(self) -> AbstractContextManager[Connection]: ...
    def write(self, work: Callable[[Connection], T]) -> T: ...
    def tail(self) -> Tail: ...
    def notice(self) -> str | None: ...
    def close(self) -> None: ...


class Database:
    """An open database, on either engine, seen from one workspace. Safe to share between threads, not
    across a fork.

    All methods raise errors of ``domain.errors`` for what a driver says: ``Unavailable`` (cannot be
    opened or reached), ``DiskFull``, ``Busy`` (someone else wrote for more than 30 s), ``Conflict`` (a
    constraint refused the change).
    """

    def __init__(self, engine: _Engine, clock: Clock) -> None:
        self._engine = engine
        self._translated = Translated(engine.where)
        self._closed = threading.Event()
        self._workspace = DEFAULT_WORKSPACE
        self._process = os.getpid()
        self.clock = clock
        self.dialect: Final[Literal["sqlite", "postgresql"]] = engine.dialect
        self.where: Final[str] = engine.where
        """What it is called in messages: the path, or the URL without user and password."""
        atexit.register(self.close)  # the writer's thread is a daemon: let it finish what it was given

    @classmethod
    def open(cls, url: str | Path, *, clock: Clock = system_clock) -> Database:
        """Open, make or migrate the database at a path, ``sqlite:///…`` or ``postgresql+psycopg://…``.

        A missing SQLite file is made, with its folder, readable by its owner alone.

        Raises:
            ConfigError: the URL is not one of these, or the PostgreSQL driver is not installed.
            Unavailable: not permitted, unreachable, on a network file system.
            SchemaMismatch: made by a newer version, or not Reverie's.
        """
        engine = _engine(url)
        database = cls(engine, clock)
        try:
            with database._translated:
                engine.migrate()
        except BaseException:
            database.close()
            raise
        return database

    @property
    def url(self) -> str:
        """Where it is, in full: with user and password. For whoever must connect by himself, never for messages."""
        return self._engine.url

    @property
    def workspace(self) -> str:
        """The workspace whose rows transactions see."""
        return self._workspace

    def scoped(self, workspace: str) -> Database:
        """The same open database, seen from another workspace; closing one closes both.

        Whether there is such a workspace is not asked here. ``EVERYWHERE`` is for the few jobs that look
        after the whole database.
        """
        view = copy.copy(self)
        view._workspace = workspace
        return view

    @contextmanager
    def read(self) -> Generator[Connection]:
        """A read-only connection that sees one consistent snapshot for as long as the block lasts."""
        self._check()
        with self._translated, self._engine.read() as connection:
            enter(connection, self._workspace, self.clock)
            yield connection

    def version(self) -> str:
        """The version of the engine, as it says it itself: a sign of life, too."""
        ask = "SELECT sqlite_version()" if self.dialect == "sqlite" else "SHOW server_version"
        with self.read() as connection:
            return str(connection.exec_driver_sql(ask).scalar_one())

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction. When this returns, it is on the disk; when it raises what
        ``work`` raised (or what the database said), nothing of it stays.

        ``work`` may run on another thread, together with other works under one commit, and more than once
        (when one of those fails, or after a deadlock): it should touch nothing but its connection, and
        return plain data.
        """
        self._check()

        def scoped(connection: Connection) -> T:
            enter(connection, self._workspace, self.clock)
            return work(connection)

        with self._translated:
            return self._engine.write(scoped)

    def tail(self) -> Tail:
        """Something that hears of commits to this database, whichever process makes them."""
        self._check()
        with self._translated:
            return self._engine.tail()

    def notice(self) -> str | None:
        """What whoever runs this should know about the database, if anything."""
        self._check()
        with self._translated:
            return self._engine.notice()

    def close(self) -> None:
        """Finish what was given to ``write``, and let go. Again is harmless."""
        if self._closed.is_set() or os.getpid() != self._process:
            return
        self._closed.set()
        atexit.unregister(self.close)
        self._engine.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self) -> None:
        if self._closed.is_set():
            raise Unavailable("the database was closed", where=self.where)
        if os.getpid() != self._process:  # threads and SQLite's locks do not survive a fork
            raise Unavailable(
                "it was opened by the parent of this process", where=self.where, hint="open it again here"
            )


def _engine(url: str | Path) -> _Engine:
    if isinstance(url, Path) or "://" not in url:
        return Sqlite(Path(url).expanduser().absolute())
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("this is not a database URL", hint=_FORMS) from None  # it may hold a password
    match parsed.get_backend_name():
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return Sqlite(Path(parsed.database).expanduser().absolute())
        case "postgresql":
            return PostgreSQL(parsed)
        case _:
            raise ConfigError(f"no such kind of database: {_shown(parsed)}", hint=_FORMS)


def _shown(url: URL) -> str:
    return f"{url.drivername}://{url.database or ''}"
