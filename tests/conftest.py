"""Shared fixtures: a clock, a seeded source of entropy, a database on each engine."""

from __future__ import annotations

import os
import random
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests import postgres

# The suite says the same thing every time; `HYPOTHESIS_PROFILE=explore` looks for new examples.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

_OURS_BEFORE = {name for name in os.environ if name.startswith("REVERIE_")}
START = datetime(2026, 3, 1, 9, 0, 0, tzinfo=UTC)


class SteppingClock:
    """A clock that stands still until told, and otherwise goes on by one second at each look."""

    def __init__(self, start: datetime = START, step: timedelta = timedelta(seconds=1)) -> None:
        self.now = start
        self.step = step

    def __call__(self) -> datetime:
        now = self.now
        self.now += self.step
        return now


@pytest.fixture(scope="session", autouse=True)
def _no_model_requests() -> Iterator[None]:
    """No test asks a model of a real provider, nor does a process that a test starts: servers of this machine
    alone may be asked (``tests/models/provider.py`` is one)."""
    from reverie.testing.models import no_model_requests

    with no_model_requests(loopback=True):
        yield


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def entropy() -> Callable[[int], bytes]:
    return random.Random(20260301).randbytes


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The optional folder of real transcripts."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the optional real data, ../shared/data, is not there")
    return folder


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """A URL with {} for the database's name. The server runs as long as the tests do."""
    try:
        with postgres.server() as url:
            yield url
    except postgres.Missing as missing:
        pytest.skip(f"PostgreSQL: {missing}")


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from reverie.storage.database import Database

    path = tmp_path_factory.mktemp("template") / "reverie.db"
    Database.open(path).close()
    return path


@pytest.fixture(scope="session", autouse=True)
def _migrated_once(_sqlite_template: Path) -> Iterator[None]:
    """A new SQLite file gets, page by page, what the migrations have made of the first one: a thousand tests
    make one each, and migrating takes longer than most of them. What is not empty is migrated."""
    from reverie.storage.sqlite import Sqlite

    migrate = Sqlite._upgrade

    def copied(self: Sqlite, connection: Any) -> None:
        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one():
            migrate(self, connection)
            return
        connection.rollback()
        with closing(sqlite3.connect(_sqlite_template)) as made:
            made.backup(connection.connection.driver_connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sqlite, "_upgrade", copied)
        yield


@pytest.fixture(scope="session")
def _postgresql_database(postgresql_server: str) -> Iterator[tuple[str, Any]]:
    """The URL of a migrated database, and a superuser's connection to empty it by. The URL's user is none:
    row-level security, which superusers pass, is in force in every test."""
    import psycopg

    from reverie.storage.database import Database

    plain = postgresql_server.replace("+psycopg", "")
    with psycopg.connect(plain.format("postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE reverie LOGIN")
        connection.execute("GRANT SET ON PARAMETER session_replication_role TO reverie")  # to tamper
        connection.execute("CREATE DATABASE reverie_tests OWNER reverie")
    url = postgresql_server.replace("postgres@", "reverie@").format("reverie_tests")
    Database.open(url).close()
    ours = {"autocommit": True, "application_name": "emptier"}
    with psycopg.connect(plain.format("reverie_tests"), **ours) as connection:
        yield url, connection


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> str:
    path = tmp_path / "home" / "reverie.db"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(_sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(_postgresql_database: tuple[str, Any]) -> Iterator[str]:
    """A migrated, empty database: always the same one, for making one takes the better part of a second.
    A test that alters the schema itself makes a database of its own."""
    url, connection = _postgresql_database
    yield url
    _empty(connection)


def _empty(connection: Any) -> None:
    from reverie.storage.migrations import REVISIONS
    from reverie.storage.tables import metadata

    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    role = "SET session_replication_role = replica"  # triggers refuse it otherwise
    rows = [f"DELETE FROM {table}" for table in metadata.tables]
    version = f"UPDATE reverie_version SET version_num = '{REVISIONS[-1]}'"
    connection.execute("; ".join([role, *rows, version]))


@pytest.fixture(params=["sqlite", "postgresql"])
def db_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database, once for each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def db(db_url: str, clock: SteppingClock) -> Iterator[object]:
    """A fresh database, once for each engine."""
    from reverie.storage.database import Database

    with Database.open(db_url, clock=clock) as database:
        yield database


def pytest_collection_finish() -> None:
    """What a test module sets when it is imported, all tests of its process would have."""
    ours = {name for name in os.environ if name.startswith("REVERIE_")}
    if surplus := ours - _OURS_BEFORE:
        raise pytest.UsageError(f"set when a module of tests is imported: {', '.join(sorted(surplus))}")


KNOWN_SKIPS = re.compile(
    r"\.\./shared/data|root may (?:write everywhere|read everything)|mounting a small file system needs root|mount is not allowed here|no control group may be made here|(?:bubblewrap|landlock|no sandbox|no browser): |the TypeScript client needs|LibreOffice is not installed"
)
_surprises: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple) and not KNOWN_SKIPS.search(report.longrepr[2]):
        _surprises.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that skips for a reason nobody knows is a failure: a green run must have run."""
    if os.environ.get("CI") and _surprises:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("CI") and _surprises:
        terminalreporter.section("skipped, and not among the known reasons", red=True)
        for line in _surprises:
            terminalreporter.line(line)
