"""Many memories at once: what a writer of a whole folder asks for, on both engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.conftest import SteppingClock

from reverie.domain.errors import InvalidMemory, NotFound, PathTaken, StaleMemory, StoreFull
from reverie.domain.memories import MemoryVersion, content_sha256
from reverie.memory import stores
from reverie.memory.records import Edit, Records
from reverie.memory.stores import MemoryService
from reverie.storage.database import Database


@pytest.fixture
def memory(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> MemoryService:
    return MemoryService(db, clock=clock, entropy=entropy)


@pytest.fixture
def records(db: Database, memory: MemoryService, clock: SteppingClock) -> Records:
    return Records(db, memory, clock=clock)


def test_each_change_stands_by_itself(memory: MemoryService, records: Records) -> None:
    store = memory.create_store("notes").id
    for path in ("/a", "/b", "/c", "/d"):
        memory.write(store, path, f"{path}\n", actor="person")
    seen = records.digests(store)
    assert seen == {path: content_sha256(f"{path}\n") for path in ("/a", "/b", "/c", "/d")}
    memory.write(store, "/b", "news\n", actor="person")
    outcomes = records.apply(
        store,
        [
            Edit("/a", "A\n", seen["/a"]),
            Edit("/b", "B\n", seen["/b"]),
            Edit("/c", None, seen["/c"]),
            Edit("/moved", None, seen["/d"], moved_from="/d"),
            Edit("/new", "new\n"),
            Edit("/a", "again\n"),
            Edit("/gone", None, "0" * 64),
            Edit("/no//path", "x"),
            Edit("/gone", "x", "0" * 64),
        ],
        actor="session:sesn_1",
    )
    made = [o.operation if isinstance(o, MemoryVersion) else type(o) for o in outcomes]
    assert made == [
        "modified", StaleMemory, "deleted", "modified", "created", PathTaken, StaleMemory, InvalidMemory, StaleMemory,
    ]  # fmt: skip
    assert {m.path: m.content for m in memory.list(store)} == {
        "/a": "A\n", "/b": "news\n", "/moved": "/d\n", "/new": "new\n"
    }  # fmt: skip
    assert [v.version for v in memory.versions(store, "/moved")] == [1, 2]
    assert {m.path for m in records.texts(store, ["/a", "/c", "/new"]).values()} == {"/a", "/new"}


def test_the_stamp_is_another_after_every_change(memory: MemoryService, records: Records) -> None:
    store, other = memory.create_store("notes").id, memory.create_store("other").id
    stamps = [records.stamp(store)]
    memory.write(store, "/a", "a", actor="person")
    stamps.append(records.stamp(store))
    memory.write(store, "/a", "b", actor="person")
    stamps.append(records.stamp(store))
    memory.write(store, "/a", "b", actor="person")  # changes nothing
    memory.write(other, "/a", "b", actor="person")
    assert records.stamp(store) == stamps[-1]
    memory.delete(store, "/a", actor="person")
    stamps.append(records.stamp(store))
    assert len(set(stamps)) == 4
    assert records.digests(store) == {}
    with pytest.raises(NotFound):
        records.digests("memstore_none")


def test_a_store_that_is_full_takes_the_rest(
    memory: MemoryService, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "MAX_MEMORIES", 3)
    store = memory.create_store("notes").id
    outcomes = records.apply(store, [Edit(f"/{n}", "x") for n in range(5)], actor="a")
    assert [type(o) for o in outcomes] == [MemoryVersion] * 3 + [StoreFull] * 2
    seen = records.digests(store)["/0"]
    moved = records.apply(store, [Edit("/moved", None, seen, moved_from="/0")], actor="a")
    assert [type(o) for o in moved] == [MemoryVersion]  # there is no more of it
