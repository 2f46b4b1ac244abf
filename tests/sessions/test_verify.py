"""verify names the first thing that was changed, whatever was done to it, on both engines."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, text
from tests.conftest import START

from reverie.app import Reverie
from reverie.domain.events import NewEvent, Origin
from reverie.domain.memories import MemoryStore, MemoryVersion, content_sha256
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.domain.workspaces import EVERYWHERE
from reverie.sessions.log import SessionLog
from reverie.sessions.verify import Problem, verify
from reverie.storage import audit, memory_stores, tables
from reverie.storage import memories as memory_rows
from reverie.storage.database import Connection, Database

LENGTH = 6
CHANGED = ("id", "key", "type", "at", "thread", "payload", "origin", "hash")


class Tampering:
    """A log of three sessions that can be spoiled behind the database's back, and made whole again."""

    def __init__(self, db: Database) -> None:
        self.db = db.scoped(EVERYWHERE)
        self._write(_unlocked)
        log = SessionLog(db)
        made = [log.record(_transcript(n)).session_id for n in range(3)]
        self.session = sorted(made)[1]
        self.ids = [event.id for event in log.events(self.session)]
        with db.read() as conn:
            self._rows = {t: [dict(row) for row in conn.execute(t.select()).mappings()] for t in _SPOILED}

    def run(self, spoil: Callable[[Connection], object]) -> Problem | None:
        """What verify says after ``spoil``; then everything is as before."""
        self._write(spoil)
        try:
            return verify(self.db).problem
        finally:
            self._write(self._restore)

    def event(self, seq: int, statement: str, **values: Any) -> Callable[[Connection], object]:
        where = {"session": self.session, "seq": seq, **values}
        return lambda conn: conn.execute(
            text(f"{statement} WHERE session_id = :session AND seq = :seq"), where
        )

    def _restore(self, conn: Connection) -> None:
        for table in reversed(_SPOILED):
            conn.execute(table.delete())
        for table in _SPOILED:
            conn.execute(table.insert(), self._rows[table])

    def _write(self, work: Callable[[Connection], object]) -> None:
        def quietly(conn: Connection) -> None:
            if conn.dialect.name == "postgresql":
                conn.execute(text("SET LOCAL session_replication_role = replica"))
            else:
                conn.execute(text("PRAGMA defer_foreign_keys = ON"))
            work(conn)

        self.db.write(quietly)


_SPOILED: list[Table] = [tables.sessions, tables.events]


def _unlocked(conn: Connection) -> None:
    if conn.dialect.name == "sqlite":
        for table in tables.APPEND_ONLY:
            for verb in ("update", "delete"):
                conn.execute(text(f"DROP TRIGGER {table}_refuse_{verb}"))


def _transcript(session: int) -> Transcript:
    events = [
        NewEvent(
            "agent.message",
            {"content": [{"type": "text", "text": f"message {session} {n}"}]},
            f"key-{n}",
            START,
            thread="main",
            origin=Origin("test", "/s.jsonl", n, "/x", None, "ab"),
        )
        for n in range(LENGTH)
    ]
    return Transcript(SessionInfo("test", f"{session}"), events)


@pytest.fixture
def tampering(db: Database) -> Tampering:
    return Tampering(db)


many = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
places = st.integers(1, LENGTH)


def test_what_nobody_touched_is_intact(tampering: Tampering) -> None:
    report = verify(tampering.db)
    assert report.problem is None
    assert (report.sessions, report.events) == (3, 3 * LENGTH)


@many
@given(seq=places, column=st.sampled_from(CHANGED), at=st.floats(0, 0.999), what=st.sampled_from("§9z"))
def test_one_changed_character_is_named(
    tampering: Tampering, seq: int, column: str, at: float, what: str
) -> None:
    kept = next(
        row
        for row in tampering._rows[tables.events]
        if (row["session_id"], row["seq"]) == (tampering.session, seq)
    )
    place = int(at * len(kept[column]))
    changed = kept[column][:place] + what + kept[column][place + 1 :]
    problem = tampering.run(tampering.event(seq, f"UPDATE events SET {column} = :value", value=changed))
    if changed == kept[column]:
        assert problem is None
        return
    assert problem is not None
    assert (problem.kind, problem.session_id, problem.seq) == ("changed", tampering.session, seq)
    assert problem.event_id == (changed if column == "id" else tampering.ids[seq - 1])
    assert problem.where == f"{tampering.session} event {seq}"


@many
@given(seq=places, column=st.sampled_from(["at", "origin"]))
def test_a_value_taken_away_is_not_an_empty_one(tampering: Tampering, seq: int, column: str) -> None:
    for value in (None, ""):
        problem = tampering.run(tampering.event(seq, f"UPDATE events SET {column} = :value", value=value))
        assert problem is not None
        assert (problem.kind, problem.seq) == ("changed", seq)


@many
@given(first=places, count=st.integers(1, LENGTH))
def test_events_taken_out_are_missing_or_the_end_is(tampering: Tampering, first: int, count: int) -> None:
    last = min(first + count - 1, LENGTH)
    spoil = "DELETE FROM events WHERE session_id = :s AND seq BETWEEN :a AND :b"
    problem = tampering.run(lambda c: c.execute(text(spoil), {"s": tampering.session, "a": first, "b": last}))
    assert problem is not None
    assert (problem.kind, problem.seq) == ("truncated" if last == LENGTH else "missing", first)


@many
@given(a=places, b=places)
def test_events_that_changed_places_are_named(tampering: Tampering, a: int, b: int) -> None:
    def swap(conn: Connection) -> None:
        for old, new in ((a, 100), (b, a), (100, b)):
            tampering.event(old, "UPDATE events SET seq = :new", new=new)(conn)

    problem = tampering.run(swap)
    if a == b:
        assert problem is None
    else:
        assert problem is not None
        assert (problem.kind, problem.seq) == ("changed", min(a, b))


@pytest.mark.parametrize(
    ("seq", "kind"), [(0, "inserted"), (-3, "inserted"), (LENGTH + 1, "inserted"), (LENGTH + 2, "missing")]
)
def test_an_event_put_in_is_named(tampering: Tampering, seq: int, kind: str) -> None:
    copy = (
        "INSERT INTO events SELECT session_id, :seq, 'sevt_new', 'new', type, at, thread, payload, origin, hash, workspace "
        "FROM events WHERE session_id = :session AND seq = 2"
    )
    problem = tampering.run(lambda c: c.execute(text(copy), {"session": tampering.session, "seq": seq}))
    assert problem is not None
    assert problem.kind == kind
    assert problem.event_id == ("sevt_new" if kind == "inserted" else None)


def test_an_event_put_in_between_shifts_the_rest_and_is_named(tampering: Tampering) -> None:
    def squeeze(conn: Connection) -> None:
        for seq in range(LENGTH, 2, -1):
            tampering.event(seq, "UPDATE events SET seq = seq + 1")(conn)
        conn.execute(
            text(
                "INSERT INTO events SELECT session_id, 3, 'sevt_new', 'new', type, at, thread, payload, origin, hash, workspace "
                "FROM events WHERE session_id = :session AND seq = 2"
            ),
            {"session": tampering.session},
        )

    problem = tampering.run(squeeze)
    assert problem is not None
    assert (problem.kind, problem.seq, problem.event_id) == ("changed", 3, "sevt_new")


@pytest.mark.parametrize(
    ("change", "kind"),
    [("head = 'x'", "head"), (f"events = {LENGTH + 1}", "truncated"), (f"events = {LENGTH - 2}", "inserted")],
)
def test_a_sessions_row_that_names_another_end_is_named(tampering: Tampering, change: str, kind: str) -> None:
    spoil = text(f"UPDATE sessions SET {change} WHERE id = :session")
    problem = tampering.run(lambda c: c.execute(spoil, {"session": tampering.session}))
    assert problem is not None
    assert (problem.kind, problem.session_id) == (kind, tampering.session)


def test_a_sessions_row_that_is_gone_is_named(postgresql_url: str) -> None:
    # For SQLite, which would refuse this at the commit, see the file opened by hand below.
    with Database.open(postgresql_url) as db:
        tampering = Tampering(db)
        gone = text("DELETE FROM sessions WHERE id = :session")
        problem = tampering.run(lambda c: c.execute(gone, {"session": tampering.session}))
    assert problem is not None
    assert (problem.kind, problem.where) == ("missing", tampering.session)


# ------------------------------------------------------------------ a file, spoiled by hand


def test_bytes_flipped_in_the_file_are_named(sqlite_url: str) -> None:
    with Database.open(sqlite_url) as db:
        log = SessionLog(db)
        this = log.record(_transcript(1)).session_id
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = path.read_bytes()
    for flipped in (b"massage 1 3", b"mess\xff\xfee 1 3", b"mess\x00ge 1 3"):  # text, not UTF-8, not JSON
        assert content.count(b"message 1 3") == 1
        path.write_bytes(content.replace(b"message 1 3", flipped))
        with Database.open(sqlite_url) as db:
            problem = verify(db).problem
        assert problem is not None
        assert (problem.kind, problem.session_id, problem.seq) == ("changed", this, 4)


def test_an_orphan_and_columns_of_another_type_are_named(sqlite_url: str) -> None:
    with Database.open(sqlite_url) as db:
        this = SessionLog(db).record(_transcript(1)).session_id
    by_hand = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    by_hand.execute("DROP TRIGGER events_refuse_update")
    found = []
    for spoil, repair in (
        ("UPDATE sessions SET events = 'many'", f"UPDATE sessions SET events = {LENGTH}"),
        ("UPDATE events SET seq = 'x' WHERE seq = 2", "UPDATE events SET seq = 2 WHERE seq = 'x'"),
        ("UPDATE events SET payload = x'00ff' WHERE seq = 1", "SELECT 1"),
        ("DELETE FROM sessions", "SELECT 1"),
    ):
        by_hand.execute(spoil)
        with Database.open(sqlite_url) as db:
            problem = verify(db).problem
        assert problem is not None
        assert problem.session_id == this
        found.append((problem.kind, problem.seq))
        by_hand.execute(repair)
    by_hand.close()
    assert found == [("head", None), ("missing", 2), ("changed", 1), ("missing", None)]


# ------------------------------------------------------------------ memory and decisions


def _remember(conn: Connection) -> None:
    memory_stores.add_store(conn, MemoryStore("memstore_1", "default", "", START, START))
    for number, content in ((1, "one"), (2, "two")):
        memory_rows.record(
            conn,
            MemoryVersion(
                id=f"memver_{number}",
                memory_id="mem_1",
                store_id="memstore_1",
                path="/a.md",
                version=number,
                operation="modified",
                content=content,
                content_sha256=content_sha256(content),
                actor="ana",
                reason=None,
                proposal_id=None,
                created_at=START,
            ),
        )
    for n in range(3):
        audit.append(conn, START, "ana", "approve", f"prop_{n}", {"n": n})


@pytest.mark.parametrize(
    ("spoil", "kind", "where"),
    [
        ("UPDATE memory_versions SET content = 'One' WHERE version = 1", "changed", "memory /a.md version 1"),
        ("UPDATE memory_versions SET content = NULL WHERE version = 2", "changed", "memory /a.md version 2"),
        ("DELETE FROM memory_versions WHERE version = 1", "missing", "memory /a.md version 1"),
        ("DELETE FROM memory_versions WHERE version = 2", "head", "memory /a.md"),
        ("UPDATE memories SET content = 'Two'", "head", "memory /a.md"),
        ("UPDATE audit SET actor = 'eve' WHERE seq = 2", "changed", "audit log line 2"),
        ("UPDATE audit SET hash = 'x' WHERE seq = 3", "changed", "audit log line 3"),
        ("DELETE FROM audit WHERE seq = 1", "missing", "audit log line 1"),
        (
            "UPDATE memory_versions SET content = NULL, content_sha256 = NULL, path = NULL, redacted_at = '', "
            "redacted_by = 'ana' WHERE version = 1",
            "missing",
            "memver_1",
        ),
        ("UPDATE memory_stores SET deleted_at = ''", "missing", "memstore_1"),
    ],
)
def test_memory_and_decisions_are_checked_too(db: Database, spoil: str, kind: str, where: str) -> None:
    db.write(_remember)
    report = verify(db)
    assert (report.problem, report.memory_versions, report.audit_entries) == (None, 2, 3)

    def spoiled(conn: Connection) -> None:
        if conn.dialect.name == "postgresql":
            conn.execute(text("SET LOCAL session_replication_role = replica"))
        _unlocked(conn)
        conn.execute(text(spoil))

    db.write(spoiled)
    problem = verify(db).problem
    assert problem is not None
    assert (problem.kind, problem.where) == (kind, where)


def test_what_was_taken_out_by_right_is_accounted_for(db: Database) -> None:
    house = Reverie(db, waker=lambda *_: None)
    for home in (house, house.workspace("wrkspc_a")):
        with home.session("goal", native_id="1") as session:
            session.user("my name is Ana")
        home.memory.write("default", "/a.md", "one", actor="ana")
        home.memory.write("default", "/a.md", "two", actor="ana")
        first, _ = home.memory.versions("default", "/a.md")
        home.memories.redact(first.store_id, first.id, actor="ana")
        home.sessions.delete(session.id, actor="ana")
        home.stores.delete(home.memory.create_store("other").id, actor="ana")
    assert house.verify().problem is None
    forget = f"UPDATE sessions SET deleted_at = NULL, head = 'x' WHERE id = '{session.id}'"
    db.scoped("wrkspc_a").write(lambda conn: conn.execute(text(forget)).rowcount)
    problem = house.verify().problem
    assert problem is not None and (problem.kind, problem.session_id) == ("head", session.id)


def test_an_event_moved_to_another_workspace_is_named(tampering: Tampering) -> None:
    problem = tampering.run(tampering.event(2, "UPDATE events SET workspace = 'wrkspc_default2'"))
    assert problem is not None
    assert (problem.kind, problem.session_id) == ("missing", tampering.session)
