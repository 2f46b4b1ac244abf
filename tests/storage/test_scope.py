"""A transaction sees the workspace it was begun for, whoever shares its connection and its commit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from tests.conftest import START

from reverie.app import Reverie
from reverie.domain.errors import NotFound, Unavailable, UsageError
from reverie.domain.workspaces import DEFAULT_WORKSPACE, EVERYWHERE
from reverie.sessions.log import SessionLog
from reverie.storage import audit
from reverie.storage.database import Connection, Database
from reverie.storage.driver import execute
from reverie.storage.scope import workspace


def test_a_view_is_of_its_workspace(db: Database) -> None:
    assert db.workspace == DEFAULT_WORKSPACE
    there = db.scoped("wrkspc_a")
    assert (there.workspace, db.workspace) == ("wrkspc_a", DEFAULT_WORKSPACE)
    assert [each.write(workspace) for each in (db, there, db)] == [
        DEFAULT_WORKSPACE,
        "wrkspc_a",
        DEFAULT_WORKSPACE,
    ]
    with there.read() as inner, db.scoped(EVERYWHERE).read() as outer:
        assert (workspace(inner), workspace(outer)) == ("wrkspc_a", EVERYWHERE)


def test_closing_one_closes_both(db_url: str) -> None:
    for closes, other in ((0, 1), (1, 0)):
        db = Database.open(db_url)
        views = (db, db.scoped("wrkspc_a"))
        views[closes].close()
        with pytest.raises(Unavailable, match="closed"):
            views[other].write(workspace)


def test_writers_of_many_workspaces_share_commits_and_nothing_else(db: Database) -> None:
    homes = [db.scoped(f"wrkspc_{n}") for n in range(6)]

    def note(number: int) -> None:
        home = homes[number % len(homes)]

        def work(conn: Connection) -> None:
            audit.append(conn, START, "ana", f"of {home.workspace}", str(number), {})
            if number % 7 == 0:  # one that fails makes the others of its commit run again
                raise ZeroDivisionError

        with suppress(ZeroDivisionError):
            home.write(work)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(note, range(240)))
    for number, home in enumerate(homes):
        with home.read() as conn:
            lines = audit.entries(conn)
        assert {line.action for line in lines} == {f"of wrkspc_{number}"}
        told = [each for each in range(240) if each % 6 == number and each % 7]
        assert sorted(int(line.subject) for line in lines) == told
    assert Reverie(db).verify().problem is None


def test_everywhere_is_nobodys_workspace(db: Database) -> None:
    """What asks for its own rows finds none from there: only statements made for it see everything."""
    house = Reverie(db)
    house.memory.write("default", "/a.md", "a", actor="ana")
    with house.session("goal", native_id="1") as session:
        session.user("hello")
    log = SessionLog(db.scoped(EVERYWHERE))
    assert log.sessions() == []
    with pytest.raises(NotFound):
        log.events(session.id)
    with pytest.raises(UsageError):
        house.workspace(EVERYWHERE)
    with db.scoped(EVERYWHERE).read() as conn:
        assert len(execute(conn, "SELECT id FROM sessions").fetchall()) == 1
