"""Killed, or out of room: what was acknowledged is there, nothing half-written is, and it goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text

from reverie.domain.errors import DiskFull
from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.sessions.log import SessionLog, session_id
from reverie.sessions.verify import verify
from reverie.storage.database import Database

PROGRAM = Path(__file__).with_name("appender.py")


def run_and_kill(url: str, threads: int, acknowledgements: int) -> list[tuple[int, int]]:
    """Every acknowledgement the program gave until ``kill -9``, after the given number of them."""
    command = [sys.executable, str(PROGRAM), url, str(threads)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        lines = [program.stdout.readline() for _ in range(acknowledgements)]
        program.kill()
        lines += program.stdout.readlines()  # said before the blow, read after it
    return [(int(number), int(n)) for number, n in (line.split() for line in lines if line.endswith("\n"))]


@pytest.mark.parametrize("threads", [1, 8])
def test_what_was_acknowledged_survives_kill_9(db_url: str, threads: int) -> None:
    chance = random.Random(threads)
    acknowledged: set[tuple[int, int]] = set()
    for _ in range(3):  # each goes on where the one before was killed
        acknowledged.update(run_and_kill(db_url, threads, chance.randint(1, 120)))
        with Database.open(db_url) as db:
            log = SessionLog(db)
            assert verify(db).problem is None
            for number in {number for number, _ in acknowledged}:
                kept = [
                    event.payload["n"] for event in log.events(session_id(SessionInfo("crash", f"{number}")))
                ]
                assert kept == list(range(len(kept)))
                assert {n for session, n in acknowledged if session == number} <= set(kept)


def fill(log: SessionLog, session: str, sizes: Iterator[int]) -> int:
    """Append until there is no room; how many were acknowledged."""
    for done, size in enumerate(sizes):
        try:
            log.append(session, [NewEvent("raw", {"text": "x" * size}, f"{done}-{size}")])
        except DiskFull as full:
            assert "no room left" in str(full)
            assert "free some space" in str(full)
            return done
    raise AssertionError("there was always room")


def test_a_full_disk_stops_writing_not_reading(sqlite_url: str) -> None:
    def limit(pages: int) -> None:
        db.write(lambda conn: conn.execute(text(f"PRAGMA max_page_count = {pages}")).scalar_one())

    with Database.open(sqlite_url) as db:
        log = SessionLog(db)
        session = log.record(Transcript(SessionInfo("full", "1"), ())).session_id
        with db.read() as conn:
            pages = conn.execute(text("PRAGMA page_count")).scalar_one()
        limit(pages + 30)
        done = fill(log, session, iter([10_000] * 100))
        assert 0 < done < 100
        assert len(log.events(session)) == done
        assert verify(db).problem is None
        limit(1 << 30)
        log.append(session, [NewEvent("raw", {}, "there is room again")])
        assert len(log.events(session)) == done + 1
        assert verify(db).problem is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"mount is not allowed here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    path = small_disk / "reverie.db"
    with Database.open(path) as db:
        log = SessionLog(db)
        session = log.record(Transcript(SessionInfo("full", "1"), ())).session_id
        done = fill(log, session, iter([20_000] * 1_000))
        assert done > 0
        assert len(log.events(session)) == done
        assert verify(db).problem is None
        ballast.unlink()
        log.append(session, [NewEvent("raw", {}, "there is room again")])
    with Database.open(path) as db:
        assert len(SessionLog(db).events(session)) == done + 1
        assert verify(db).problem is None


def test_a_disk_too_full_to_begin(small_disk: Path) -> None:
    with suppress(OSError), (small_disk / "ballast").open("wb") as ballast:
        while True:
            ballast.write(bytes(4096))
    with pytest.raises(DiskFull, match="no room left"):
        Database.open(small_disk / "reverie.db")
