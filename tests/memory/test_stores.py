"""Stores, memories and their versions, through the service, on both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from reverie.domain.errors import Conflict, InvalidMemory, NotFound, UsageError
from reverie.domain.memories import MAX_CONTENT_BYTES, MAX_MEMORIES, content_sha256
from reverie.memory.stores import MemoryService
from reverie.storage import audit, tables
from reverie.storage.database import Connection, Database

S = "default"


def actions(db: Database) -> list[tuple[str, str]]:
    with db.read() as conn:
        return [(entry.actor, entry.action) for entry in reversed(audit.entries(conn))]


def test_a_write_is_a_version_and_the_newest_is_what_is_read(memory: MemoryService) -> None:
    first = memory.write(S, "/notes/a.md", "one\n", actor="ana")
    second = memory.write(S, "/notes/a.md", "two\n", actor="bob", reason="better")
    assert (first.version, first.operation) == (1, "created")
    assert (second.version, second.operation, second.reason) == (2, "modified", "better")
    now = memory.read(S, "/notes/a.md")
    assert (now.content, now.version, now.version_id) == ("two\n", 2, second.id)
    assert now.content_sha256 == content_sha256("two\n")
    assert memory.versions(S, "/notes/a.md") == [first, second]


def test_writing_what_is_there_makes_no_version(memory: MemoryService, db: Database) -> None:
    first = memory.write(S, "/a", "same", actor="ana")
    before = actions(db)
    assert memory.write(S, "/a", "same", actor="bob") == first
    assert actions(db) == before


def test_the_default_store_is_made_on_first_use_and_no_other(memory: MemoryService, db: Database) -> None:
    assert memory.list() == []
    assert [store.name for store in memory.stores()] == ["default"]
    assert actions(db) == [("reverie", "store.created")]
    for act in (
        lambda: memory.list("other"),
        lambda: memory.write("other", "/a", "x", actor="ana"),
        lambda: memory.search("other", "x"),
    ):
        with pytest.raises(NotFound, match="other"):
            act()


def test_stores_are_apart(memory: MemoryService) -> None:
    desk = memory.create_store("desk", "for the desk", actor="ana")
    memory.write("desk", "/a", "desk's", actor="ana")
    memory.write(S, "/a", "default's", actor="ana")
    assert memory.read(desk.id, "/a").content == "desk's"
    assert memory.read(S, "/a").content == "default's"
    assert [store.name for store in memory.stores()] == ["default", "desk"]
    with pytest.raises(Conflict, match="already"):
        memory.create_store("desk")


def test_a_store_has_a_name_that_can_be_typed(memory: MemoryService) -> None:
    for name in ("", "  ", "a\nb", "x" * 201, "memstore_abc", "\u202eabc"):
        with pytest.raises(UsageError):
            memory.create_store(name)
    assert memory.stores() == []


def test_nobody_writes_without_a_name(memory: MemoryService) -> None:
    with pytest.raises(UsageError):
        memory.write(S, "/a", "x", actor=" ")


def test_paths_are_case_sensitive_and_in_one_unicode_form(memory: MemoryService) -> None:
    memory.write(S, "/Cafe\u0301", "decomposed", actor="ana")
    assert memory.read(S, "/Caf\u00e9").content == "decomposed"
    with pytest.raises(NotFound):
        memory.read(S, "/caf\u00e9")
    memory.write(S, "/caf\u00e9", "lower", actor="ana")
    assert [m.path for m in memory.list()] == ["/Café", "/café"]


def test_a_prefix_is_literal(memory: MemoryService) -> None:
    for path in ("/a_b/x", "/aXb/x", "/a%b", "/A_b/x"):
        memory.write(S, path, "x", actor="ana")
    assert [m.path for m in memory.list(S, "/a_b/")] == ["/a_b/x"]
    assert [m.path for m in memory.list(S, "/a%")] == ["/a%b"]


def test_the_optimistic_lock(memory: MemoryService) -> None:
    seen = memory.write(S, "/a", "one", actor="ana").content_sha256
    memory.write(S, "/a", "two", actor="bob", expected_sha256=seen)
    with pytest.raises(Conflict, match="version 2"):
        memory.write(S, "/a", "three", actor="ana", expected_sha256=seen)
    with pytest.raises(Conflict):
        memory.delete(S, "/a", actor="ana", expected_sha256=seen)
    assert memory.read(S, "/a").content == "two"
    memory.delete(S, "/a", actor="ana")
    with pytest.raises(Conflict, match="deleted"):
        memory.write(S, "/a", "three", actor="ana", expected_sha256=seen)


def test_a_deleted_memory_is_gone_and_its_history_goes_on(memory: MemoryService) -> None:
    memory.write(S, "/a", "one", actor="ana")
    gone = memory.delete(S, "/a", actor="bob", reason="stale")
    assert (gone.version, gone.operation, gone.content) == (2, "deleted", None)
    assert memory.list() == [] and memory.find(S, "/a") is None and memory.search(S, "one") == []
    with pytest.raises(NotFound):
        memory.delete(S, "/a", actor="bob")
    back = memory.restore(S, "/a", 1, actor="ana")
    assert (back.version, back.operation, back.reason) == (3, "created", "restored version 1")
    with pytest.raises(NotFound, match="deletion"):
        memory.restore(S, "/a", 2, actor="ana")
    assert [v.operation for v in memory.versions(S, "/a")] == ["created", "deleted", "created"]


def test_differences_between_versions(memory: MemoryService) -> None:
    memory.write(S, "/a", "x\none\n", actor="ana")
    memory.write(S, "/a", "x\ntwo\n", actor="ana")
    memory.delete(S, "/a", actor="ana")
    assert memory.diff(S, "/a", 1, 2) == (
        "--- /a (version 1)\n+++ /a (version 2)\n@@ -1,2 +1,2 @@\n x\n-one\n+two\n"
    )
    assert "+++ /dev/null" in memory.diff(S, "/a", 2, 3)
    assert memory.diff(S, "/a", 1, 1) == ""
    with pytest.raises(NotFound, match="no version 9"):
        memory.diff(S, "/a", 1, 9)
    with pytest.raises(NotFound, match="never"):
        memory.versions(S, "/b")


BEYOND_THE_LIMITS = [
    ("no-slash", "x"),
    ("/a/../b", "x"),
    ("/a//b", "x"),
    ("/a", "x" * (MAX_CONTENT_BYTES + 1)),
    ("/a", "nul \x00"),
    ("/a", "lone \ud800"),
    ("/" + "a/" * 20 + "b", "x"),
    ("/" + "é" * 512, "x"),
]


def test_limits_are_kept_and_nothing_is_written(memory: MemoryService) -> None:
    for path, content in BEYOND_THE_LIMITS:
        with pytest.raises(InvalidMemory):
            memory.write(S, path, content, actor="ana")
    assert memory.list() == []


def test_the_largest_text_fits(memory: MemoryService) -> None:
    memory.write(S, "/a", "é" * (MAX_CONTENT_BYTES // 2), actor="ana")
    assert len(memory.read(S, "/a").content) == MAX_CONTENT_BYTES // 2


def test_a_full_store_takes_changes_and_no_more_memories(memory: MemoryService, db: Database) -> None:
    memory.write(S, "/last", "x", actor="ana")
    row = {
        "store_id": memory.store().id,
        "content": "x",
        "content_sha256": "",
        "version_id": "",
        "version": 1,
        "workspace": "wrkspc_default",
        "created_at": "",
    }
    rest = [{**row, "id": f"mem_{n}", "path": f"/n/{n}", "updated_at": ""} for n in range(MAX_MEMORIES - 1)]
    db.write(lambda conn: conn.execute(tables.memories.insert(), rest))
    with pytest.raises(InvalidMemory, match="full"):
        memory.write(S, "/one-more", "x", actor="ana")
    memory.write(S, "/last", "changed", actor="ana")
    memory.delete(S, "/last", actor="ana")
    memory.write(S, "/one-more", "x", actor="ana")


def test_every_change_is_in_the_audit_log_with_name_and_digests(memory: MemoryService, db: Database) -> None:
    memory.write(S, "/a", "one", actor="ana", reason="because", proposal_id="prop_x")
    memory.write(S, "/a", "two", actor="bob")
    memory.delete(S, "/a", actor="cy")
    assert actions(db) == [
        ("reverie", "store.created"),
        ("ana", "memory.created"),
        ("bob", "memory.modified"),
        ("cy", "memory.deleted"),
    ]
    with db.read() as conn:
        deleted, modified, created, _ = audit.entries(conn)
    assert created.detail["reason"] == "because" and created.detail["proposal_id"] == "prop_x"
    assert modified.detail["before_sha256"] == created.detail["after_sha256"] == content_sha256("one")
    assert deleted.detail["after_sha256"] is None
    assert created.subject == modified.subject == deleted.subject


def test_what_fails_later_in_the_transaction_leaves_nothing(memory: MemoryService, db: Database) -> None:
    memory.store()

    def work(conn: Connection) -> None:
        memory.write(S, "/a", "x", actor="ana", conn=conn)
        raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="later"):
        db.write(work)
    assert memory.list() == []
    assert actions(db) == [("reverie", "store.created")]


def test_versions_cannot_be_changed(memory: MemoryService, db: Database) -> None:
    memory.write(S, "/a", "x", actor="ana")
    with pytest.raises(Conflict, match="append-only"):
        db.write(lambda conn: conn.execute(tables.memory_versions.update().values(content="y")))


def test_writers_at_once_each_get_a_version_of_their_own(memory: MemoryService) -> None:
    """Eight threads at one path that does not exist yet: eight versions, numbered without a gap."""
    errors = at_once(8, lambda n: memory.write(S, "/a", f"text {n}", actor=f"w{n}"))
    assert errors == []
    versions = memory.versions(S, "/a")
    assert [v.version for v in versions] == list(range(1, 9))
    assert {v.content for v in versions} == {f"text {n}" for n in range(8)}
    assert memory.read(S, "/a").content == versions[-1].content


def test_of_writers_who_saw_the_same_text_one_wins(memory: MemoryService) -> None:
    seen = memory.write(S, "/a", "start", actor="ana").content_sha256
    errors = at_once(8, lambda n: memory.write(S, "/a", f"{n}", actor=f"w{n}", expected_sha256=seen))
    assert len(errors) == 7 and all(isinstance(error, Conflict) for error in errors)
    assert memory.read(S, "/a").version == 2


def at_once(n: int, act: Callable[[int], object]) -> list[Exception]:
    """Runs ``act(0)`` … ``act(n - 1)`` on a thread each; the errors."""
    errors: list[Exception] = []
    gate = threading.Barrier(n)

    def run(number: int) -> None:
        gate.wait()
        try:
            act(number)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
