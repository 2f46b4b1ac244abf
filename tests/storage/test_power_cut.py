"""The power is cut, a thousand times: no row that was acknowledged is lost, and no file is corrupt.

``kill -9`` cannot show this: what a killed process wrote, the system still writes. Here the disk is one of ours,
which loses, tears and reorders what was not synced. Appends are the store's own, over the store's own pragmas.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
from tests.storage.torn import Disk

from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.domain.workspaces import DEFAULT_WORKSPACE
from reverie.sessions.log import SessionLog
from reverie.sessions.verify import verify
from reverie.storage import events
from reverie.storage.database import Database
from reverie.storage.sqlite import _DURABLE

COMMITS = 120
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FILE = "reverie.db"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """A database with an empty session, and that session's id."""
    path = tmp_path_factory.mktemp("begun") / FILE
    with Database.open(path) as db:
        session = SessionLog(db).record(Transcript(SessionInfo("power", "1"), ())).session_id
    return path.read_bytes(), session


def ran(begun: tuple[bytes, str], *pragmas: str) -> Disk:
    """A run of ``COMMITS`` appends, each acknowledged, on a disk that remembers every write. It checkpoints often
    and keeps the log's index in memory (no second connection looks at these files); all else is as we ship it."""
    data, session = begun
    disk = Disk({FILE: data})
    driver = apsw.Connection(f"/{FILE}", vfs=disk.name)
    for pragma in (
        "locking_mode=EXCLUSIVE",
        *_DURABLE,
        "journal_mode=WAL",
        "wal_autocheckpoint=20",
        *pragmas,
    ):
        driver.execute(f"PRAGMA {pragma}")
    connection = _connection(driver)
    dice = random.Random(1)
    for number in range(COMMITS):
        batch = [
            NewEvent("raw", {"text": "x" * dice.randint(1, 3_000)}, f"{number}.{n}")
            for n in range(dice.choice((1, 1, 2, 5)))
        ]
        driver.execute("BEGIN IMMEDIATE")
        events.append(connection, session, [events.prepare(session, event) for event in batch], NOW)
        driver.execute("COMMIT")
        disk.acknowledged(number + 1)
    driver.close()
    return disk


class _Cursor:
    """What sqlite3 offers, over APSW."""

    def __init__(self, driver: apsw.Connection) -> None:
        self._driver, self._cursor = driver, driver.cursor()

    def execute(self, sql: str, parameters: Any = ()) -> _Cursor:
        before = self._driver.total_changes()
        self._rows = list(self._cursor.execute(sql, parameters))
        self.rowcount = self._driver.total_changes() - before
        return self

    def executemany(self, sql: str, rows: Any) -> None:
        self._cursor.executemany(sql, rows)

    def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> Any:
        return self._rows


def _connection(driver: apsw.Connection) -> Any:
    here = SimpleNamespace(
        execute=lambda sql, parameters=(): _Cursor(driver).execute(sql, parameters),
        cursor=lambda: _Cursor(driver),
    )
    return SimpleNamespace(
        dialect=SimpleNamespace(name="sqlite"),
        connection=SimpleNamespace(driver_connection=here),
        info={"reverie.workspace": DEFAULT_WORKSPACE},
    )


def cut(disk: Disk, session: str, folder: Path, cuts: int, seed: int = 0) -> Counter[str]:
    """Cut the power so often, anywhere; how often a row was lost, and a file corrupt."""
    dice = random.Random(seed)
    found: Counter[str] = Counter()
    for _ in range(cuts):
        files, acknowledged = disk.remains(dice.randint(1, len(disk.journal)), dice)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, data in files.items():
            (folder / name).write_bytes(data)
        found[_state(folder / FILE, session, acknowledged)] += 1
    return found


def _state(path: Path, session: str, acknowledged: int) -> str:
    driver = sqlite3.connect(path)
    try:
        driver.execute("PRAGMA synchronous=OFF")  # this is the looking, not what is looked at
        if driver.execute("PRAGMA quick_check").fetchall() != [("ok",)]:
            return "corrupt"
        rows = driver.execute("SELECT seq, key FROM events WHERE session_id = ? ORDER BY seq", (session,))
        kept = rows.fetchall()
        (count,) = driver.execute("SELECT events FROM sessions WHERE id = ?", (session,)).fetchone()
    except sqlite3.DatabaseError:
        return "corrupt"
    finally:
        driver.close()
    if [seq for seq, _ in kept] != list(range(1, count + 1)):
        return "corrupt"
    commits = {int(key.partition(".")[0]) for _, key in kept}
    return "lost" if len(commits) < acknowledged else "kept"


def test_what_was_acknowledged_survives_a_power_cut(begun: tuple[bytes, str], tmp_path: Path) -> None:
    disk = ran(begun)
    assert cut(disk, begun[1], tmp_path / "cut", 1_000) == {"kept": 1_000}
    with Database.open(tmp_path / "cut" / FILE) as db:  # what is left of the last is a database of ours
        assert verify(db).problem is None


@pytest.mark.slow
def test_ten_thousand_times(begun: tuple[bytes, str], tmp_path: Path) -> None:
    assert cut(ran(begun), begun[1], tmp_path / "cut", 10_000, seed=1) == {"kept": 10_000}


def test_a_store_that_does_not_wait_for_the_disk_is_found_out(
    begun: tuple[bytes, str], tmp_path: Path
) -> None:
    """The control: the same run, less durable, loses what it acknowledged; without any sync it is corrupt too."""
    normal = cut(ran(begun, "synchronous=NORMAL"), begun[1], tmp_path / "cut", 100)
    assert normal["lost"] > 30 and not normal["corrupt"], normal
    off = cut(ran(begun, "synchronous=OFF"), begun[1], tmp_path / "cut", 100)
    assert off["corrupt"] > 10, off
