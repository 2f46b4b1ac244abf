"""PostgreSQL hides the rows of other workspaces from whoever forgets to ask for his own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from reverie.app import Reverie
from reverie.domain.errors import StorageError
from reverie.domain.workspaces import EVERYWHERE
from reverie.storage import tables
from reverie.storage.database import Database
from reverie.storage.driver import execute

TABLES = [name for name in tables.metadata.tables if name != "workspaces"]


@pytest.fixture
def bare(postgresql_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection that nobody told a workspace, of the user that owns the tables."""
    with psycopg.connect(postgresql_url.replace("+psycopg", "")) as connection:
        yield connection


@pytest.fixture
def full(postgresql_url: str) -> Iterator[Reverie]:
    """Something in two workspaces."""
    with Database.open(postgresql_url) as db:
        house = Reverie(db)
        for name in ("wrkspc_a", "wrkspc_b"):
            home = house.workspace(name)
            home.resources.create("thing", {}, prefix="agent", keep_versions=True)
            home.memory.write("default", "/a.md", name, actor="ana")
            with home.session("goal", native_id="1") as session:
                session.user("hello")
        yield house


def _see(connection: psycopg.Connection[Any], workspace: str) -> None:
    connection.execute("SELECT set_config('reverie.workspace', %s, true)", (workspace,))


def _counts(connection: psycopg.Connection[Any]) -> dict[str, int]:
    counted = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone() for t in TABLES}
    return {table: row[0] for table, row in counted.items() if row and row[0]}


def test_every_table_is_behind_the_wall(bare: psycopg.Connection[Any]) -> None:
    forced = "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
    assert {row[0] for row in bare.execute(forced)} == set(tables.metadata.tables)
    policies = "SELECT tablename, cmd, qual FROM pg_policies"
    found = {table: (cmd, qual) for table, cmd, qual in bare.execute(policies)}
    assert set(found) == set(tables.metadata.tables)
    assert {cmd for cmd, _ in found.values()} == {"ALL"}
    assert all("reverie.workspace" in qual for _, qual in found.values())


def test_who_names_no_workspace_sees_nothing(full: Reverie, bare: psycopg.Connection[Any]) -> None:
    assert _counts(bare) == {}
    _see(bare, "wrkspc_a")
    mine = _counts(bare)
    assert {"resources", "resource_versions", "memories", "events", "sessions", "audit"} <= set(mine)
    _see(bare, EVERYWHERE)
    assert _counts(bare) == {table: 2 * number for table, number in mine.items()}
    bare.commit()
    assert _counts(bare) == {}  # what was named is forgotten with the transaction


@pytest.mark.parametrize("table", TABLES)
def test_nothing_is_written_into_another_workspace(table: str, bare: psycopg.Connection[Any]) -> None:
    _see(bare, "wrkspc_a")
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        bare.execute(f"INSERT INTO {table} (workspace) VALUES ('wrkspc_b')")


def test_rows_of_others_cannot_be_changed_or_moved(full: Reverie, bare: psycopg.Connection[Any]) -> None:
    _see(bare, "wrkspc_a")
    for statement in ("UPDATE resources SET body = 'x'", "DELETE FROM resource_versions"):
        assert bare.execute(statement).rowcount == 1
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        bare.execute("UPDATE resources SET workspace = 'wrkspc_b'")


def test_a_statement_that_forgets_the_workspace_meets_the_wall(full: Reverie) -> None:
    db = full.workspace("wrkspc_a")._db
    with db.read() as conn:
        assert execute(conn, "SELECT DISTINCT workspace FROM events").fetchall() == [("wrkspc_a",)]
    sql = "INSERT INTO resource_versions VALUES ('x', 1, 'wrkspc_b', '', '')"
    with pytest.raises(StorageError, match="another workspace"):
        db.write(lambda conn: execute(conn, sql).rowcount)


def test_a_user_who_passes_the_wall_is_told(postgresql_url: str) -> None:
    with Database.open(postgresql_url) as db:
        assert db.notice() is None
    with Database.open(postgresql_url.replace("reverie@", "postgres@")) as db:
        said = db.notice()
    assert said is not None and "row-level security" in said
