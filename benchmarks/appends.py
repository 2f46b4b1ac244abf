"""Durable appends a second: the log against sqlite3 itself, alone and with twenty writers at once.

    python benchmarks/appends.py [--postgresql] [--folder FOLDER]

The peer writes the same row to the same tables with the same pragmas, one transaction each, and keeps no
chain. Rounds of both alternate, so that a busy machine slows both; the medians are compared. An append is
counted when it would survive a power cut (synchronous=FULL).
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from reverie.domain.events import NewEvent
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.sessions.log import SessionLog
from reverie.storage.database import Database

ROUNDS = 9
ALONE = 400  # appends a round
WRITERS = 20
EACH = 60  # appends a round and writer
AT_LEAST_OF_RAW = 0.60
AT_LEAST_OF_ONE = 3.0

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXT = "The command exited with status 1: no such file or directory. " * 6


class Rates(NamedTuple):
    """Appends a second, the median round of each."""

    raw: float
    one: float
    many: float


class Raw:
    """sqlite3 as one would use it by hand: the same row into the same table, one transaction each."""

    def __init__(self, path: Path) -> None:
        Database.open(path).close()
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        log = SessionLog(database := Database.open(path))
        self._session = log.record(Transcript(SessionInfo("bench", "raw"), ())).session_id
        self._rows = iter(_prepared(self._session))
        database.close()
        self._seq = 0

    def append(self) -> None:
        self._seq += 1
        row = (self._session, self._seq, *next(self._rows), "0" * 64)
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._db.execute("COMMIT")


def _prepared(session: str):  # type: ignore[no-untyped-def]
    from reverie.storage.events import prepare

    return [prepare(session, _event(n)) for n in range(ROUNDS * ALONE + 100)]


def _event(n: int) -> NewEvent:
    payload = {"tool_use_id": f"toolu_{n}", "content": [{"type": "text", "text": TEXT}], "is_error": True}
    return NewEvent("agent.tool_result", payload, key=f"event-{n}", at=NOW)


class Ours:
    """The session log on a database of its own."""

    def __init__(self, url: str | Path) -> None:
        self.database = Database.open(url)
        self._log = SessionLog(self.database)
        infos = [SessionInfo("bench", f"session-{n}") for n in range(WRITERS)]
        self.sessions = [self._log.record(Transcript(info, ())).session_id for info in infos]
        self._next = [0] * WRITERS

    def append(self, session: int = 0) -> None:
        self._next[session] += 1
        self._log.append(self.sessions[session], [_event(self._next[session])])

    def together(self) -> None:
        """Every writer EACH appends, all at once."""
        writers = [threading.Thread(target=self._many, args=(n,)) for n in range(WRITERS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()

    def _many(self, session: int) -> None:
        for _ in range(EACH):
            self.append(session)


def rate(work: Callable[[], object], times: int, each: int = 1) -> float:
    """``each`` × ``times`` appends by ``times`` calls, a second."""
    began = time.perf_counter()
    for _ in range(times):
        work()
    return times * each / (time.perf_counter() - began)


def measure(ours: Ours, raw: Raw | None) -> Rates:
    """The medians of alternating rounds, after one that is not counted."""
    rounds: list[Rates] = []
    for _ in range(ROUNDS):
        by_hand = rate(raw.append, ALONE) if raw is not None else float("nan")
        rounds.append(Rates(by_hand, rate(ours.append, ALONE), rate(ours.together, 1, WRITERS * EACH)))
    return Rates(*(statistics.median(column) for column in zip(*rounds[1:], strict=True)))


def table(name: str, rates: Rates) -> bool:
    """Print the rates of an engine beside their limits; True when all hold."""
    print(f"\n{name}: durable appends, one event a transaction")
    print(f"  {'':34}{'per second':>12}{'ratio':>9}{'limit':>9}")
    if rates.raw == rates.raw:
        print(f"  {'sqlite3 by hand, one writer':34}{rates.raw:12,.0f}{'1.00':>9}{'':>9}")
    rows: Sequence[tuple[str, float, float, float]] = (
        ("reverie, one writer", rates.one, rates.one / rates.raw, AT_LEAST_OF_RAW),
        (f"reverie, {WRITERS} writers (of one)", rates.many, rates.many / rates.one, AT_LEAST_OF_ONE),
    )
    held = True
    for label, per_second, ratio, limit in rows:
        known = ratio == ratio and name == "SQLite"
        said = f"{ratio:9.2f}{limit:8.2f}×" if known else f"{ratio:9.2f}{'–':>9}"
        held &= not known or ratio >= limit
        print(f"  {label:34}{per_second:12,.0f}{said}")
    return held


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    options.add_argument("--postgresql", action="store_true", help="a temporary PostgreSQL server as well")
    options.add_argument("--folder", help="where to write (default: the folder for temporary files)")
    given = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="reverie-bench-", dir=given.folder))
    try:
        ours, raw = Ours(folder / "ours.db"), Raw(folder / "raw.db")
        held = table("SQLite", measure(ours, raw))
        ours.database.close()
        if given.postgresql:
            _postgresql()
    finally:
        shutil.rmtree(folder)
    return 0 if held else 1


def _postgresql() -> None:
    from tests import postgres

    with postgres.server("-c fsync=on -c full_page_writes=on") as url:
        import psycopg

        plain = url.format("postgres").replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("CREATE DATABASE bench")
        ours = Ours(url.format("bench"))
        table("PostgreSQL", measure(ours, None))
        ours.database.close()


if __name__ == "__main__":
    sys.exit(main())
