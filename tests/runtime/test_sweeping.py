"""Folders of sessions go 30 days after they were made, while somebody works; never those of one at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.runtime.houses import Answers, House, house_on

from reverie.app import Workspace
from reverie.runtime.sweeping import Sweeper

PATIENCE = 20.0


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    with house_on(sqlite_url) as opened:
        yield opened


def folder(house: Workspace, session: str, days: int) -> Path:
    """The folder of a session, made so many days ago."""
    house.folders.open(house.id, session, house.live.row(session).body or {})
    (made,) = [path for path in _home(house).rglob("made.json") if session in str(path)]
    told = msgspec.json.decode(made.read_bytes())
    made.write_bytes(msgspec.json.encode({**told, "at": datetime.now(UTC) - timedelta(days=days)}))
    return _home(house) / "sessions" / house.id / session


def _home(house: Workspace) -> Path:
    return house.folders._home


def test_a_house_sweeps_every_workspace_but_not_what_is_at_work(house: House) -> None:
    other = house.workspace(house.workspaces.create("other", by="ana").id)
    old, young, busy = (house.begin(Answers("x"), environment={"name": f"e{n}"}) for n in range(3))
    agent = other.agents.create({"name": "a", "model": {"id": "scripted:it"}}).id
    place = other.environments.create({"name": "e", "config": {"type": "cloud"}}).id
    theirs = other.sessions.create({"agent": agent, "environment_id": place}).row.id
    house.live.turn(busy, "running")
    folders = [folder(house, old, 31), folder(house, young, 29), folder(house, busy, 31)]
    folders.append(folder(other, theirs, 31))
    house.sweep()
    assert [path.exists() for path in folders] == [False, True, True, False]


def test_a_process_sweeps_when_it_begins_to_work(house: House) -> None:
    session = house.begin(Answers("Done."))
    path, swept, sweep = folder(house, session, 31), threading.Event(), house.sweep
    house.sweep = lambda: (sweep(), swept.set())[0]  # type: ignore[method-assign]
    house.attend()
    assert swept.wait(PATIENCE) and not path.exists()
    house.turn(session)  # it goes on, with new folders
    assert house.stop(session) == {"type": "end_turn"}


def test_it_sweeps_again_and_again_whatever_happens(caplog: pytest.LogCaptureFixture) -> None:
    enough, done = threading.Event(), list[int]()

    def sweep() -> None:
        done.append(len(done))
        if len(done) == 3:
            enough.set()
        raise OSError("no such disk")

    sweeper = Sweeper(sweep, every=0.001)
    sweeper.start()
    sweeper.start()
    assert enough.wait(PATIENCE)
    sweeper.stop()
    sweeper.stop()
    count = len(done)
    assert not sweeper._thread.is_alive() and count == len(done) >= 3
    assert "no such disk" in caplog.text


def test_what_never_began_can_be_stopped() -> None:
    Sweeper(lambda: None).stop()
