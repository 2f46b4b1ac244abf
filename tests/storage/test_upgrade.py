"""A database of the first schema, full of things, opened by this program: nothing is lost, all still fits."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text
from tests.conftest import START, SteppingClock

from reverie.app import Reverie
from reverie.domain.clock import iso
from reverie.domain.errors import Conflict, StorageError
from reverie.domain.events import NewEvent
from reverie.domain.memories import content_sha256
from reverie.domain.sessions import SessionInfo
from reverie.domain.workspaces import DEFAULT_WORKSPACE, EVERYWHERE
from reverie.sessions.log import session_id
from reverie.storage import migrations, postgres, sqlite, tables
from reverie.storage.chain import GENESIS, link
from reverie.storage.database import Database
from reverie.storage.driver import execute
from reverie.storage.events import prepare

INFO = SessionInfo("claude-code", "native-1")
SESSION = session_id(INFO)
AT = iso(START)
_numbers = itertools.count()


def _insert(conn: Connection, table: str, **values: Any) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(f":{name}" for name in values)
    conn.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def _a_session(conn: Connection) -> None:
    source = {"id": "src_1", "uri": "/logs/1.jsonl", "format": "claude-code", "reader_version": "1"}
    file = {"size": 10, "mtime_ns": 1, "sha256": "ab", "stamp": "{}"}
    report = '{"uri":"/logs/1.jsonl"}'
    _insert(conn, "sources", **source, **file, report=report, imported_at=AT)
    _insert(conn, "quarantine", source_id="src_1", position=0, line=3, pointer=None, why="torn")
    head, rows = GENESIS, list[dict[str, Any]]()
    for seq in (1, 2, 3):
        event = prepare(SESSION, NewEvent("user.message", {"content": f"hello {seq}"}, f"k{seq}", START))
        head = link(head, (SESSION, seq, *event))
        rows.append({"session_id": SESSION, "seq": seq, **event._asdict(), "hash": head})
    facts = {"format": INFO.format, "native_id": INFO.native_id, "goal": "a goal", "outcome": "success"}
    times = {"created_at": AT, "updated_at": AT}
    _insert(conn, "sessions", id=SESSION, **facts, extra="{}", events=3, head=head, **times)
    for row in rows:
        _insert(conn, "events", **row)
    _insert(conn, "session_sources", session_id=SESSION, source_id="src_1")
    _insert(conn, "observations", session_id=SESSION, content_sha256=head, observer="1", body="{}")


def _a_memory(conn: Connection) -> None:
    _insert(conn, "memory_stores", id="memstore_1", name="default", description="", created_at=AT)
    sha = {text: content_sha256(text) for text in ("one", "two words")}
    memory = {"id": "mem_1", "store_id": "memstore_1", "path": "/a.md"}
    newest = {"content": "two words", "content_sha256": sha["two words"], "version_id": "memver_2"}
    _insert(conn, "memories", **memory, **newest, version=2, updated_at=iso(START + timedelta(days=1)))
    for number, (content, digest) in enumerate(sha.items(), 1):
        of = {"memory_id": "mem_1", "version": number, "id": f"memver_{number}", "store_id": "memstore_1"}
        what = {"path": "/a.md", "operation": "created" if number == 1 else "modified", "content": content}
        _insert(conn, "memory_versions", **of, **what, content_sha256=digest, actor="ana", created_at=AT)


def _a_proposal(conn: Connection) -> None:
    dream = {"id": "drm_1", "store_id": "memstore_1", "status": "completed", "stage": "submit"}
    body = (
        f'{{"id":"drm_1","store_id":"memstore_1","status":"completed","stage":"submit","created_at":"{AT}"}}'
    )
    _insert(conn, "dreams", **dream, body=body, created_at=AT, ended_at=AT)
    _insert(conn, "dream_stages", dream_id="drm_1", stage="mine", body="[]", at=AT)
    _insert(conn, "dreamed_sessions", store_id="memstore_1", content_sha256="ab")
    _insert(conn, "findings", id="find_1", dream_id="drm_1", position=0, key="k", kind="workflow", body="{}")
    what = {"id": "prop_1", "dream_id": "drm_1", "store_id": "memstore_1", "kind": "add", "path": "/b.md"}
    told = {"title": "t", "content": "b\n", "idea": "i", "evidence_weight": 3, "findings": "[]"}
    rest = {"risk": "low", "origins": '["user"]', "tainted": False, "writer": "w", "position": 0}
    _insert(conn, "proposals", **what, **told, **rest, status="pending", created_at=AT)
    head = GENESIS
    for seq in (1, 2):
        line = (seq, AT, "ana", "memory.created", "mem_1", "{}")
        head = link(head, line)
        names = ("seq", "at", "actor", "action", "subject", "detail")
        _insert(conn, "audit", **dict(zip(names, line, strict=True)), hash=head)


def _make(url: str) -> None:
    """A database as the first version of the program left it."""
    engine = create_engine(url)
    with engine.begin() as conn:
        config = Config(attributes={"connection": conn})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.upgrade(config, "0001")
        for fill in (_a_session, _a_memory, _a_proposal):
            fill(conn)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of one, on each engine; on PostgreSQL it is no superuser's."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
        _make(url)
        yield url
        return
    mine, server = request.getfixturevalue("postgresql_url"), request.getfixturevalue("postgresql_server")
    name = f"old_{next(_numbers)}"
    with psycopg.connect(server.replace("+psycopg", "").format("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER reverie")
        url = mine.replace("reverie_tests", name)
        _make(url)
        yield url
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def house(old: str, clock: SteppingClock, entropy: Callable[[int], bytes]) -> Iterator[Reverie]:
    with Database.open(old, clock=clock) as db:
        yield Reverie(db, clock=clock, entropy=entropy)


def test_nothing_is_lost_and_every_chain_fits(house: Reverie) -> None:
    report = house.verify()
    assert report.problem is None
    assert (report.sessions, report.events, report.memory_versions, report.audit_entries) == (1, 3, 2, 2)
    (session,) = house.log.sessions()
    assert (session.id, session.info.goal, session.events) == (SESSION, "a goal", 3)
    assert [event.payload["content"] for event in house.log.events(SESSION)] == [
        "hello 1",
        "hello 2",
        "hello 3",
    ]
    assert [(m.path, m.content, m.version) for m in house.memory.list()] == [("/a.md", "two words", 2)]
    assert [hit.path for hit in house.memory.search("default", "words")] == ["/a.md"]
    assert [version.content for version in house.memory.versions("default", "/a.md")] == ["one", "two words"]
    assert [proposal.id for proposal in house.proposals()] == ["prop_1"]
    assert [dream.id for dream in house.dreams()] == ["drm_1"]
    _check_whose_it_is(house)


def _check_whose_it_is(house: Reverie) -> None:
    with house._db.scoped(EVERYWHERE).read() as conn:
        for name in tables.metadata.tables:
            if name != "workspaces":
                found = execute(conn, f"SELECT DISTINCT workspace FROM {name}").fetchall()
                assert found in ([], [(DEFAULT_WORKSPACE,)]), name
    other = house.workspace("wrkspc_other")
    assert not [*other.log.sessions(), *other.proposals(), *other.dreams(), *other.audit()]


def test_an_upgrade_that_breaks_off_leaves_all_as_it_was(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks_off(conn: Connection) -> None:
        migrations.upgrade(conn)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        for engine in (sqlite, postgres):
            patched.setattr(engine, "upgrade", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            Database.open(old)
    engine = create_engine(old)
    with engine.begin() as conn:
        assert conn.execute(text("SELECT version_num FROM reverie_version")).scalar_one() == "0001"
        assert conn.execute(text("SELECT count(*) FROM events")).scalar_one() == 3
    engine.dispose()
    with Database.open(old) as db:
        assert Reverie(db).verify().problem is None


def test_the_old_goes_on(house: Reverie) -> None:
    house.log.append(SESSION, [NewEvent("user.message", {"content": "hello 4"}, "k4")])
    house.memory.write("default", "/a.md", "three", actor="ana")
    house.approve("prop_1", by="ana")
    assert [memory.path for memory in house.memory.list()] == ["/a.md", "/b.md"]
    assert [hit.path for hit in house.memory.search("default", "three")] == ["/a.md"]
    assert house.memory.search("default", "words") == []
    report = house.verify()
    assert report.problem is None
    assert (report.events, report.memory_versions) == (4, 4)


REFUSED = (
    "UPDATE events SET payload = '{}'",
    "DELETE FROM events",
    "UPDATE memory_versions SET content = 'x'",
    "UPDATE memory_versions SET content = NULL, content_sha256 = NULL, path = NULL",
    "DELETE FROM memory_versions",
    "UPDATE audit SET actor = 'eve'",
    "DELETE FROM audit",
    "DELETE FROM sessions",  # its events refer to it
    "INSERT INTO events (session_id, seq, id, key, type, thread, payload, hash) "
    "SELECT id, 9, 'sevt_x', 'x', 'raw', '', '{}', '' FROM sessions",  # nobody's
)


def test_what_was_refused_is_refused(house: Reverie) -> None:
    for statement in REFUSED:
        with pytest.raises((Conflict, StorageError)):
            house._db.write(lambda conn, said=statement: execute(conn, said).rowcount)
    assert house.verify().problem is None


def test_redaction_and_deletion_are_let_through_and_no_more(house: Reverie) -> None:
    wipe = (
        "UPDATE memory_versions SET content = NULL, content_sha256 = NULL, path = NULL, redacted_by = 'ana'"
    )
    also = ", actor = 'eve'"

    def write(statement: str) -> int:
        return house._db.write(lambda conn: execute(conn, statement).rowcount)

    for refused in (f"{wipe} WHERE version = 1", f"{wipe}, redacted_at = '{AT}'{also} WHERE version = 1"):
        with pytest.raises(Conflict):
            write(refused)
    assert write(f"{wipe}, redacted_at = '{AT}' WHERE version = 1") == 1
    with pytest.raises(Conflict):  # only once
        write(f"{wipe}, redacted_at = '{AT}' WHERE version = 1")
    write(f"UPDATE sessions SET deleted_at = '{AT}'")
    assert write("DELETE FROM events") == 3
    write(f"UPDATE memory_stores SET deleted_at = '{AT}'")
    assert write("DELETE FROM memory_versions") == 2
