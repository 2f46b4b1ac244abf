"""Shared fixtures: a clock, a seeded source of entropy, a database on each engine."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests import postgres

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


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: str) -> str:
    from reverie.storage.database import Database

    _sql(postgresql_server, "CREATE DATABASE template_reverie")
    Database.open(postgresql_server.format("template_reverie")).close()
    return "template_reverie"


_names = (f"test_{n}" for n in itertools.count())


@pytest.fixture
def sqlite_url(tmp_path: Path, _sqlite_template: Path) -> str:
    path = tmp_path / "home" / "reverie.db"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(_sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql_server: str, _postgresql_template: str) -> Iterator[str]:
    name = next(_names)
    _sql(postgresql_server, f"CREATE DATABASE {name} TEMPLATE {_postgresql_template}")
    yield postgresql_server.format(name)
    _sql(postgresql_server, f"DROP DATABASE {name} WITH (FORCE)")


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


def _sql(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url.format("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)
