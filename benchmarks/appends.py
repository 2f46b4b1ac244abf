"""Durable appends a second: the session log beside sqlite3 itself, alone and with twenty writers at once.

    python -m benchmarks.appends [--postgresql] [--folder FOLDER]

The peer writes the same row to the same table with the same pragmas, one transaction each, and keeps no
chain and no session row. Rounds of both alternate, so that a busy machine slows both, and the median of
the rounds' ratios counts. An append counts when it would survive a power cut (synchronous=FULL); the
faster the disk, the more the ratio says about us and the less about the disk.
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.table import Row, print_table
from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.domain.workspaces import DEFAULT_WORKSPACE
from reverie.sessions.log import SessionLog
from reverie.storage.database import Database
from reverie.storage.events import prepare

ROUNDS = 9
ALONE = 400  # appends a round
WRITERS = 20
EACH = 60  # appends a round and writer
LEAST_OF_RAW = 0.60
LEAST_OF_ONE = 3.0

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = "The command exited with status 1: no such file or directory. " * 6


class Rates(NamedTuple):
    """Appends a second of one round: sqlite3 by hand, one writer of ours, twenty writers of ours."""

    raw: float
    one: float
    many: float


class Raw:
    """sqlite3 as one would use it by hand."""

    def __init__(self, path: Path) -> None:
        with Database.open(path) as database:
            transcript = Transcript(SessionInfo("bench", "raw"), ())
            self._session = SessionLog(database).record(transcript).session_id
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=1000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._rows = self._ready((ROUNDS + 1) * ALONE)

    def _ready(self, count: int) -> Iterator[tuple[object, ...]]:
        rows = [prepare(self._session, event(n)) for n in range(count)]  # before the clock runs
        return ((self._session, seq, *row, "0" * 64, DEFAULT_WORKSPACE) for seq, row in enumerate(rows, 1))

    def append(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", next(self._rows))
        self._db.execute("COMMIT")


def event(n: int) -> NewEvent:
    payload = {"tool_use_id": f"toolu_{n}", "content": [{"type": "text", "text": TEXT}], "is_error": True}
    return NewEvent("agent.tool_result", payload, key=f"event-{n}", at=NOW)


class Ours:
    """The session log, on a database of its own."""

    def __init__(self, database: Database) -> None:
        self._log = SessionLog(database)
        infos = [SessionInfo("bench", f"session-{n}") for n in range(WRITERS)]
        self._sessions = [self._log.record(Transcript(info, ())).session_id for info in infos]
        self._next = [0] * WRITERS

    def append(self, session: int = 0) -> None:
        self._next[session] += 1
        self._log.append(self._sessions[session], [event(self._next[session])])

    def together(self) -> None:
        """Every writer EACH appends, all at once."""
        writers = [threading.Thread(target=self._several, args=(n,)) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

    def _several(self, session: int) -> None:
        for _ in range(EACH):
            self.append(session)


def rate(work: Callable[[], object], times: int, appends: int) -> float:
    """Appends a second, where ``times`` calls make ``appends`` of them."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return appends / (time.perf_counter() - began)


def measured(ours: Ours, raw: Raw | None) -> list[Rates]:
    """Alternating rounds, without the first, which warms up."""
    rounds = [
        Rates(
            math.nan if raw is None else rate(raw.append, ALONE, ALONE),
            rate(ours.append, ALONE, ALONE),
            rate(ours.together, 1, WRITERS * EACH),
        )
        for _ in range(ROUNDS + 1)
    ]
    return rounds[1:]


def sqlite(folder: Path) -> None:
    """The table for SQLite, with its limits."""
    with Database.open(folder / "ours.db") as database:
        rounds = measured(Ours(database), Raw(folder / "raw.db"))
    of_raw = statistics.median(r.one / r.raw for r in rounds)
    of_one = statistics.median(r.many / r.one for r in rounds)
    many = f"reverie, {WRITERS} writers at once"
    print_table(
        "Durable appends (synchronous=FULL), one event a transaction, SQLite",
        [
            Row("sqlite3 by hand, one writer", _rate(r.raw for r in rounds)),
            Row("reverie, one writer", _rate(r.one for r in rounds)),
            Row("… of sqlite3 by hand", f"{of_raw:.2f}×", f"≥ {LEAST_OF_RAW:.2f}×", of_raw >= LEAST_OF_RAW),
            Row(many, _rate(r.many for r in rounds)),
            Row("… of one writer", f"{of_one:.1f}×", f"≥ {LEAST_OF_ONE:.1f}×", of_one >= LEAST_OF_ONE),
        ],
    )


def postgresql() -> None:
    """The table for a temporary PostgreSQL server that flushes; no limits."""
    import psycopg
    from tests import postgres

    with postgres.server("-c fsync=on -c full_page_writes=on") as url:
        with psycopg.connect(url.format("postgres").replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        with Database.open(url.format("bench")) as database:
            rounds = measured(Ours(database), None)
    print_table(
        "Durable appends, one event a transaction, PostgreSQL",
        [
            Row("reverie, one writer", _rate(r.one for r in rounds)),
            Row(f"reverie, {WRITERS} writers at once", _rate(r.many for r in rounds)),
        ],
    )


def _rate(rates: Iterator[float]) -> str:
    return f"{statistics.median(rates):,.0f} a second"


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--postgresql", action="store_true", help="a temporary PostgreSQL server as well")
    options.add_argument("--folder", help="where to write (default: the folder for temporary files)")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="reverie-bench-", dir=given.folder) as folder:
        sqlite(Path(folder))
    if given.postgresql:
        postgresql()


if __name__ == "__main__":
    main()
