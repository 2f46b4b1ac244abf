"""The database's promises: whole or not at all, on the disk when acknowledged, one clear message."""

from __future__ import annotations

import fcntl
import gc
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from reverie.domain.errors import (
    Busy,
    ConfigError,
    Conflict,
    SchemaMismatch,
    StorageError,
    Unavailable,
)
from reverie.storage import place, sqlite, tables
from reverie.storage.database import Database
from reverie.storage.lock import WriterLock


def put(conn: Connection, name: str) -> None:
    store = {
        "id": name,
        "name": name,
        "description": "",
        "created_at": "",
        "updated_at": "",
        "metadata": "{}",
    }
    conn.execute(tables.memory_stores.insert().values(**store, workspace="wrkspc_default"))


def names(db: Database) -> list[str]:
    with db.read() as conn:
        return list(conn.execute(text("SELECT name FROM memory_stores ORDER BY name")).scalars())


# ------------------------------------------------------------------ transactions, on both engines


def test_what_was_written_is_read(db: Database) -> None:
    assert db.write(lambda conn: put(conn, "a") or 7) == 7
    assert names(db) == ["a"]


def test_what_a_work_raises_comes_through_and_nothing_of_it_stays(db: Database) -> None:
    def work(conn: Connection) -> None:
        put(conn, "half")
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        db.write(work)
    db.write(lambda conn: put(conn, "next"))
    assert names(db) == ["next"]


def test_a_constraint_is_a_conflict_and_tells_no_parameters(db: Database) -> None:
    db.write(lambda conn: put(conn, "my secret"))
    with pytest.raises(Conflict) as caught:
        db.write(lambda conn: put(conn, "my secret"))
    assert "my secret" not in caught.value.what.splitlines()[0] or db.dialect == "postgresql"
    assert "INSERT" not in str(caught.value)


def test_a_reader_sees_one_snapshot_while_others_write(db: Database) -> None:
    db.write(lambda conn: put(conn, "a"))
    with db.read() as conn:
        before = conn.execute(text("SELECT count(*) FROM memory_stores")).scalar_one()
        db.write(lambda conn: put(conn, "b"))
        assert conn.execute(text("SELECT count(*) FROM memory_stores")).scalar_one() == before
    assert names(db) == ["a", "b"]


def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(Unavailable, match="cannot be written"), db.read() as conn:
        put(conn, "a")
    assert names(db) == []


def test_append_only_tables_refuse_update_and_delete(db: Database) -> None:
    def entry(conn: Connection) -> None:
        conn.execute(text("INSERT INTO audit VALUES (1, '', '', '', '', '', '', 'wrkspc_default')"))

    db.write(entry)
    refused = ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"]
    if db.dialect == "postgresql":
        refused += ["TRUNCATE audit", "TRUNCATE events", "TRUNCATE memory_versions"]
    for statement in refused:
        with pytest.raises(Conflict, match="append-only"):
            db.write(lambda conn, statement=statement: conn.execute(text(statement)))
    with db.read() as conn:
        assert conn.execute(text("SELECT actor FROM audit")).scalars().all() == [""]


def test_threads_lose_nothing(db: Database) -> None:
    def writer(thread: int) -> None:
        for n in range(10):
            db.write(lambda conn, n=n: put(conn, f"{thread}-{n}"))

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names(db)) == 120


def test_closing_twice_is_harmless_and_using_it_then_is_not(db: Database) -> None:
    db.write(lambda conn: put(conn, "a"))
    db.close()
    db.close()
    with pytest.raises(Unavailable, match="was closed"):
        db.write(lambda conn: None)
    with pytest.raises(Unavailable, match="was closed"), db.read():
        pass


def test_a_child_of_a_fork_is_told_to_open_its_own(db: Database) -> None:
    names(db)
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            db.write(lambda conn: None)
        except Unavailable as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        assert "parent of this process" in answer.read()
    db.write(lambda conn: put(conn, "still here"))


# ------------------------------------------------------------------ group commit (SQLite)


@pytest.fixture
def lite(sqlite_url: str) -> Iterator[Database]:
    with Database.open(sqlite_url) as database:
        yield database


class Crowd:
    """One work that holds the writer while others queue behind it, then lets them all go at once."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.statements: list[str] = []
        self.errors: dict[int, BaseException] = {}
        self._inside, self._go = threading.Event(), threading.Event()

    def run(self, works: list) -> None:
        first = threading.Thread(target=self.db.write, args=(self._hold,))
        first.start()
        self._inside.wait()
        threads = [threading.Thread(target=self._try, args=item) for item in enumerate(works)]
        for thread in threads:
            thread.start()
        writer = self.db._engine._writer  # how many wait is nobody's business but this test's
        while writer._queue.qsize() < len(works) - 1:  # the thread holds one in its hand
            os.sched_yield()
        self._go.set()
        for thread in [first, *threads]:
            thread.join()

    def _hold(self, conn: Connection) -> None:
        conn.connection.driver_connection.set_trace_callback(self.statements.append)
        self._inside.set()
        self._go.wait()

    def _try(self, number: int, work) -> None:
        try:
            self.db.write(work)
        except Exception as error:
            self.errors[number] = error


def test_those_who_wait_share_one_commit(lite: Database) -> None:
    crowd = Crowd(lite)
    crowd.run([lambda conn, n=n: put(conn, f"{n}") for n in range(10)])
    assert len(names(lite)) == 10
    assert crowd.statements.count("COMMIT") == 2  # the one who held the place, and all the others


def test_one_that_fails_takes_nobody_along(lite: Database) -> None:
    def bad(conn: Connection) -> None:
        put(conn, "bad")
        raise KeyError("bad")

    crowd = Crowd(lite)
    crowd.run([bad if n == 4 else (lambda conn, n=n: put(conn, f"{n}")) for n in range(10)])
    assert names(lite) == sorted(str(n) for n in range(10) if n != 4)
    assert list(crowd.errors) == [4]
    assert isinstance(crowd.errors[4], KeyError)


def test_a_commit_that_fails_fails_everybody_in_it(lite: Database) -> None:
    def dangling(conn: Connection) -> None:  # found out only by COMMIT
        conn.execute(text("PRAGMA defer_foreign_keys = ON"))
        conn.execute(text("INSERT INTO session_sources VALUES ('no such', 'no such', 'wrkspc_default')"))

    crowd = Crowd(lite)
    crowd.run([dangling if n == 2 else (lambda conn, n=n: put(conn, f"{n}")) for n in range(5)])
    assert names(lite) == []
    assert sorted(crowd.errors) == [0, 1, 2, 3, 4]
    assert all(isinstance(error, Conflict) for error in crowd.errors.values())
    lite.write(lambda conn: put(conn, "after"))
    assert names(lite) == ["after"]


def test_a_commit_that_fails_alone_leaves_nothing(lite: Database) -> None:
    def dangling(conn: Connection) -> None:
        put(conn, "half")
        conn.execute(text("PRAGMA defer_foreign_keys = ON"))
        conn.execute(text("INSERT INTO session_sources VALUES ('no such', 'no such', 'wrkspc_default')"))

    with pytest.raises(Conflict):
        lite.write(dangling)
    assert names(lite) == []


def test_ctrl_c_breaks_off_its_own_transaction_only(lite: Database) -> None:
    def interrupted(conn: Connection) -> None:
        put(conn, "half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lite.write(interrupted)
    lite.write(lambda conn: put(conn, "whole"))
    assert names(lite) == ["whole"]


def test_a_write_inside_a_write_is_refused_not_waited_for(lite: Database) -> None:
    with pytest.raises(StorageError, match="inside a write"):
        lite.write(lambda conn: lite.write(lambda conn: None))
    crowd = Crowd(lite)
    crowd.run([lambda conn: lite.write(lambda conn: None)] * 2)
    assert len(crowd.errors) == 2


def test_a_finished_work_is_not_held_on_to(lite: Database) -> None:
    class Thing:
        alive = 0

        def __init__(self) -> None:
            Thing.alive += 1

        def __del__(self) -> None:
            Thing.alive -= 1

    def fails(thing: Thing) -> None:
        with pytest.raises(ValueError):
            lite.write(lambda conn: [].remove(thing))

    def works() -> list:
        thing = Thing()
        return [lambda conn: [].remove(thing)]

    fails(Thing())
    Crowd(lite).run(works())
    gc.collect()
    assert Thing.alive == 0


def test_what_was_given_is_written_before_the_interpreter_ends(sqlite_url: str) -> None:
    program = """
import sys, threading
from sqlalchemy import text
from reverie.storage.database import Database
db = Database.open(sys.argv[1])
gate = threading.Event()
sql = text("INSERT INTO audit VALUES (:n, '', '', '', '', '', '', '')")
db_write = lambda n: db.write(lambda c: (gate.wait(), c.execute(sql, {"n": n})) and None)
threads = [threading.Thread(target=db_write, args=(n,), daemon=True) for n in range(5)]
[t.start() for t in threads]
while db._engine._writer._queue.qsize() < 3: pass
gate.set()
"""
    subprocess.run([sys.executable, "-c", program, sqlite_url], check=True, timeout=60)
    with Database.open(sqlite_url) as db, db.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM audit")).scalar_one() == 5


# ------------------------------------------------------------------ opening


def test_a_fresh_file_is_private_and_durable(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "50% of #1? ü" / "reverie.db"
    with Database.open(path) as db:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        settings = db.write(
            lambda conn: [
                conn.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        )
        assert settings == ["wal", 2, 1]
        with db.read() as conn:
            assert conn.execute(text("PRAGMA query_only")).scalar_one() == 1
            assert conn.execute(text("PRAGMA wal_autocheckpoint")).scalar_one() == 0
    assert {p.name for p in path.parent.iterdir()} == {"reverie.db", "reverie.db.lock"}


def test_reading_leaves_no_writer_behind(lite: Database, tmp_path: Path) -> None:
    assert names(lite) == []
    assert "reverie-writer" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("processes", [3])
def test_processes_that_make_the_same_fresh_database_all_succeed(tmp_path: Path, processes: int) -> None:
    path = tmp_path / "reverie.db"
    program = "import sys; from reverie.storage.database import Database; Database.open(sys.argv[1]).close()"
    running = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(processes)]
    assert [process.wait(60) for process in running] == [0] * processes
    with Database.open(path) as db:
        assert names(db) == []


def test_processes_that_migrate_the_same_server_database_all_succeed(postgresql_server: str) -> None:
    on_server(postgresql_server, "CREATE DATABASE fresh_for_many")
    url = postgresql_server.format("fresh_for_many")
    program = "import sys; from reverie.storage.database import Database; Database.open(sys.argv[1]).close()"
    running = [subprocess.Popen([sys.executable, "-c", program, url]) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    with Database.open(url) as db:
        assert names(db) == []


def test_a_server_database_that_cannot_hold_every_character_is_refused(postgresql_server: str) -> None:
    on_server(postgresql_server, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(ConfigError, match="LATIN1") as caught:
        Database.open(postgresql_server.format("latin"))
    assert "createdb -E UTF8" in str(caught.value)


def on_server(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url.format("postgres").replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)


def test_another_process_that_writes_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    held, waiting = WriterLock(path, wait=0.05), WriterLock(path, wait=0.05)
    with held, pytest.raises(Busy, match="another process has been writing"):
        waiting.__enter__()
    with waiting:
        pass
    held.close()
    waiting.close()


def test_a_write_is_busy_while_another_process_writes_and_reading_goes_on(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_WAIT", 0.05)
    lock = Path(sqlite_url.removeprefix("sqlite:///") + ".lock")
    with Database.open(sqlite_url) as db:
        with lock.open("w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(Busy, match="another process has been writing"):
                db.write(lambda conn: put(conn, "a"))
            assert names(db) == []
        db.write(lambda conn: put(conn, "a"))
        assert names(db) == ["a"]


def test_a_program_that_holds_sqlites_own_lock_makes_a_write_busy(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_WAIT", 0.05)
    shell = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    with Database.open(sqlite_url) as db:
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="another program holds the database"):
            db.write(lambda conn: put(conn, "a"))
        shell.execute("ROLLBACK")
        db.write(lambda conn: put(conn, "a"))
        assert names(db) == ["a"]
    shell.close()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "photos.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE photos (id)")
    connection.commit()
    connection.close()
    before = other.read_bytes()
    with pytest.raises(SchemaMismatch, match="not Reverie's"):
        Database.open(other)
    assert other.read_bytes() == before


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Ana, " * 200)
    with pytest.raises(SchemaMismatch, match="not a database"):
        Database.open(letter)
    assert letter.read_text() == "Dear Ana, " * 200
    assert list(tmp_path.iterdir()) == [letter]


def test_a_newer_database_is_refused(db: Database, db_url: str) -> None:
    db.write(lambda conn: conn.execute(text("UPDATE reverie_version SET version_num = '9999'")).rowcount)
    db.close()
    with pytest.raises(SchemaMismatch, match="newer version of Reverie") as caught:
        Database.open(db_url)
    assert "upgrade Reverie" in str(caught.value)


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be opened"):
        Database.open(tmp_path)


def test_a_path_through_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot be opened") as caught:
        Database.open(tmp_path / "file" / "reverie.db")
    assert "--db" in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Unavailable, match="Permission denied"):
        Database.open(tmp_path / "reverie.db")


def test_a_place_that_cannot_keep_a_write_ahead_log_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect  # this way of SQLite's to reach a file has no shared memory, as some mounts
    monkeypatch.setattr(sqlite3, "connect", lambda file, **how: connect(f"{file}&vfs=unix-none", **how))
    with pytest.raises(Unavailable, match="cannot keep a write-ahead log"):
        Database.open(tmp_path / "reverie.db")


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:20 / / rw shared:1 - ext4 /dev/sda rw\n"
        f"40 22 0:40 / {str(tmp_path / 'a b').replace(' ', chr(92) + '040')} rw - nfs4 host:/ rw\n"
    )
    monkeypatch.setattr(place, "_MOUNTS", mounts)
    Database.open(tmp_path / "local.db").close()
    with pytest.raises(Unavailable, match="network file system \\(nfs4\\)"):
        Database.open(tmp_path / "a b" / "reverie.db")


def test_a_server_that_does_not_answer_is_unavailable_and_no_password_is_told() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(Unavailable, match="cannot be reached") as caught:
        Database.open("postgresql://ana:geheim@127.0.0.1:1/reverie?password=geheim")
    told = f"{caught.value} {caught.value.__cause__}"
    assert "geheim" not in told
    assert "127.0.0.1:1/reverie" in told


@pytest.mark.parametrize("url", ["mysql://u:geheim@h/d", "sqlite://", "sqlite:///:memory:", "nonsense://"])
def test_other_urls_are_refused_without_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Database.open(url)
    assert "geheim" not in str(caught.value)
    assert "postgresql+psycopg://" in str(caught.value)


def test_a_missing_postgresql_database_says_how_to_make_it(postgresql_server: str) -> None:
    with pytest.raises(Unavailable, match="createdb"):
        Database.open(postgresql_server.format("nowhere"))


def test_a_server_that_ended_our_connections_costs_at_most_the_transaction_it_was_in(
    postgresql_url: str,
) -> None:
    end_others = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'emptier'"
    )
    with Database.open(postgresql_url) as db, Database.open(postgresql_url) as other:
        assert names(db) == []
        other.write(lambda conn: conn.execute(text(end_others)).all())
        assert names(db) == []  # an idle connection that died is replaced unseen

        def cut_off(conn: Connection) -> None:
            put(conn, "half")
            other.write(lambda conn: conn.execute(text(end_others)).all())
            put(conn, "other half")

        with pytest.raises(Unavailable):
            db.write(cut_off)
        assert names(db) == []
