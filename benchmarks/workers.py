"""Workers: what four of them do on one PostgreSQL against one, and what an engine costs a session's run.

    python -m benchmarks.workers [--sessions 16] [--steps 10] [--wait 0.05] [--at-once 2]

A session is some steps, each of two commits under the fence with a wait between them, as of a tool: what the
loop does, without a model; the rest of the time is the engine's and the database's. Every worker is a process of its own; a further one wakes the sessions, as a server
would that does not work itself. The server keeps nothing safe from power cuts here (fsync=off), and shares
the machine's cores with all of them: so a worker takes few sessions at once, for not the cores but the waits
are to be what limits it. How much CPU time a session takes says where that ends.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from tests import postgres
from tests.jobs.work import Steps, everywhere, house_of, new_sessions, owned_by_two, steps_of

from benchmarks.table import Row, print_table
from reverie.domain.clock import system_clock
from reverie.jobs import choosing
from reverie.jobs.engine import Engine
from reverie.jobs.local import LocalEngine
from reverie.storage import leases
from reverie.storage.database import Connection, Database
from reverie.storage.driver import execute

RATIO = 3.0  # what four workers do, against one, at least
FENCE_US = 15.0  # microseconds that the fence may cost a transaction on SQLite
_RUNS = 300
_PATIENCE_S = 300.0


class Shift:
    """Worker processes on one database; they work when it is entered."""

    def __init__(self, url: str, workers: int, asked: argparse.Namespace) -> None:
        numbers = [str(asked.at_once), str(asked.steps), str(asked.wait)]
        command = [sys.executable, "-m", "benchmarks.workers", "--worker", url, *numbers]
        self.cpu_s = 0.0  # that they took to work, when it is over
        self._processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
            for _ in range(workers)
        ]

    def __enter__(self) -> Shift:
        for process in self._processes:
            assert process.stdout is not None
            process.stdout.readline()
        time.sleep(1.5)  # DBOS looks once a second which queues there are
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:  # the end of its input is the end of its work
            self.cpu_s += float(process.communicate()[0])


def worker(url: str, at_once: str, steps: str, wait: str) -> None:
    """One worker; it ends with its input."""
    with Database.open(url) as db:
        engine = choosing.engine(db, system_clock)
        engine.start(
            Steps(db, engine, steps=int(steps), pause_s=float(wait), commits=2), at_once=int(at_once)
        )
        print(engine.worker, flush=True)
        began = time.process_time()
        sys.stdin.read()
        print(time.process_time() - began, flush=True)
        engine.close(grace_s=5.0)


def rate(url: str, workers: int, asked: argparse.Namespace) -> tuple[float, int, float]:
    """Sessions a second, how many of them had two owners, and CPU seconds of the workers for each."""
    shift = Shift(url, workers, asked)
    with Database.open(url) as db, shift:
        ids = new_sessions(house_of(db), asked.sessions * workers, woken=False)
        server = choosing.engine(db, system_clock)
        began = time.perf_counter()
        db.write(lambda conn: [leases.want(conn, id) for id in ids])
        for id in ids:
            server.wake(db.workspace, id)
        until(lambda: _open(db) == 0)
        took = time.perf_counter() - began
        server.close(grace_s=1.0)
        steps = [steps_of(db, id) for id in ids]
    assert all(len(found) == asked.steps for found in steps)
    two = sum(owned_by_two(found) or len({s.by for s in found}) > 1 for found in steps)
    return len(ids) / took, two, shift.cpu_s / len(ids)


def _open(db: Database) -> int:
    count = "SELECT count(*) FROM runs WHERE woken <> 0 OR worker IS NOT NULL"
    ((number,),) = everywhere(db, lambda conn: execute(conn, count).fetchall())
    return number


def until(happened: Callable[[], bool], every: float = 0.05) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not happened():
        assert time.monotonic() < deadline, "it did not come to an end"
        time.sleep(every)


# ---------------------------------------------------------------------- what an engine costs


def overhead(db: Database, engine: Engine) -> tuple[float, float, float]:
    """Milliseconds of a run that does nothing but claim and release: of the clock, of this process's CPU; and
    milliseconds from a wake to its run when there is nothing else to do."""
    ids = new_sessions(house_of(db), _RUNS, woken=False)
    ran = threading.Semaphore(0)

    async def work(workspace: str, id: str) -> None:
        def whole() -> None:
            epoch = everywhere(db, leases.claim, id, engine.worker)
            everywhere(db, leases.release, id, epoch)

        await asyncio.to_thread(whole)
        ran.release()

    engine.start(work, at_once=8)
    time.sleep(1.5)
    delays = [_woken(engine, db, id, ran) for id in ids[:30]]
    wall, cpu = time.perf_counter(), time.process_time()
    for id in ids:
        engine.wake(db.workspace, id)
    for _ in ids:
        ran.acquire()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    engine.close(grace_s=5.0)
    return wall / _RUNS * 1e3, cpu / _RUNS * 1e3, statistics.median(delays) * 1e3


def _woken(engine: Engine, db: Database, id: str, ran: threading.Semaphore) -> float:
    began = time.perf_counter()
    engine.wake(db.workspace, id)
    ran.acquire()
    took = time.perf_counter() - began
    time.sleep(0.03 * (hash(id) % 4))  # not in step with the queue's looks
    return took


def fence(db: Database) -> float:
    """Microseconds that the fence costs a transaction."""
    (id,) = new_sessions(house_of(db), woken=False)
    everywhere(db, leases.register, "w", host="h", pid=1)
    epoch = everywhere(db, leases.claim, id, "w")

    def asks(times: int) -> float:
        def work(conn: Connection) -> float:
            began = time.perf_counter()
            for _ in range(times):
                leases.holds(conn, id, epoch)
            return (time.perf_counter() - began) / times

        return db.write(work)

    took = statistics.median(asks(200) for _ in range(20)) * 1e6
    everywhere(db, leases.leave, "w")
    return took


# ---------------------------------------------------------------------- the table


@contextmanager
def databases() -> Iterator[Callable[[], str]]:
    """Gives the URLs of fresh databases on a PostgreSQL of our own."""
    with postgres.server() as template:
        plain = template.replace("+psycopg", "").format("postgres")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("CREATE ROLE reverie LOGIN")
            names = (f"bench{number}" for number in range(100))

            def fresh() -> str:
                name = next(names)
                connection.execute(f"CREATE DATABASE {name} OWNER reverie")
                return template.replace("postgres@", "reverie@").format(name)

            yield fresh


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=16, help="for each worker")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--wait", type=float, default=0.05)
    parser.add_argument("--at-once", type=int, default=2)
    asked = parser.parse_args()
    rows: list[Row] = []
    with databases() as fresh:
        one, _, _ = rate(fresh(), 1, asked)
        four, doubled, cpu_s = rate(fresh(), 4, asked)
        ratio, ideal = four / one, asked.at_once / (asked.steps * asked.wait)
        rows += [
            Row("sessions a second, one worker", f"{one:.1f}", f"{ideal:.1f} if nothing else took time"),
            Row("sessions a second, four workers", f"{four:.1f}", f"{4 * ideal:.1f} likewise"),
            Row("four against one", f"{ratio:.2f}×", f"≥ {RATIO:g}×", ratio >= RATIO),
            Row("CPU time of a worker for each session", f"{cpu_s * 1e3:.0f} ms"),
            Row("sessions that two workers wrote to", f"{doubled}", "0", doubled == 0),
        ]
        with (
            tempfile.TemporaryDirectory() as folder,
            Database.open(Path(folder, "reverie.db")) as own,
            Database.open(fresh()) as shared,
        ):
            rows += costs(own, shared)
    print_table(
        f"Workers ({asked.sessions} sessions for each, {asked.steps} steps that wait {asked.wait * 1e3:g} ms, "
        f"{asked.at_once} at once)",
        rows,
    )


def costs(own: Database, shared: Database) -> list[Row]:
    """What a run costs on either engine, and the fence on either database."""
    rows: list[Row] = []
    for name, db, engine in (
        ("SQLite, in process", own, LocalEngine(own)),
        ("PostgreSQL, in process", shared, LocalEngine(shared)),
        ("PostgreSQL, DBOS", shared, choosing.engine(shared, system_clock)),
    ):
        wall, cpu, delay = overhead(db, engine)
        figure = f"{wall:.1f} ms ({cpu:.1f} ms CPU); from wake to end {delay:.0f} ms"
        rows.append(Row(f"a run that does nothing: {name}", figure))
    asked = fence(own)
    rows.append(Row("fence, SQLite", f"{asked:.0f} µs", f"≤ {FENCE_US:g} µs", asked <= FENCE_US))
    rows.append(Row("fence, PostgreSQL", f"{fence(shared):.0f} µs"))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(*sys.argv[2:])
    else:
        main()
