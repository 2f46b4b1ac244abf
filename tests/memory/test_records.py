"""Memories by id under many hands at once, on each engine."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.conftest import SteppingClock

from reverie.domain.errors import Conflict, NotFound, PathTaken, StaleMemory
from reverie.domain.memories import content_sha256
from reverie.memory.catalog import Catalog
from reverie.memory.records import Records
from reverie.memory.stores import MemoryService
from reverie.sessions.verify import verify
from reverie.storage.database import Database
from reverie.storage.deliveries import unheard

House = tuple[Catalog, Records, str]


@pytest.fixture
def house(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> House:
    catalog = Catalog(db, clock=clock, entropy=entropy, announce=unheard)
    memory = MemoryService(db, clock=clock, entropy=entropy)
    return catalog, Records(db, memory, clock=clock), catalog.create("desk", actor="ana").id


def outcomes(works: list[Callable[[], object]]) -> Counter[str]:
    def told(work: Callable[[], object]) -> str:
        try:
            work()
        except (Conflict, NotFound) as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(8) as pool:
        return Counter(pool.map(told, works))


def test_one_of_many_takes_a_path(house: House) -> None:
    _, records, store = house
    made = [records.create(store, f"/{n}", "x", actor="ana").id for n in range(8)]
    assert outcomes([lambda: records.create(store, "/new", "x", actor="ana")] * 8) == {
        "done": 1,
        "PathTaken": 7,
    }
    moves = [lambda id=id: records.update(store, id, path="/goal", actor="ana") for id in made]
    assert outcomes(moves) == {"done": 1, "PathTaken": 7}
    assert len(records.page(store, limit=100)) == 9


def test_one_of_many_changes_what_all_saw(house: House, db: Database) -> None:
    _, records, store = house
    made = records.create(store, "/a", "one", actor="ana")
    writes = [
        lambda n=n: records.update(
            store, made.id, content=f"by {n}", actor="ana", expected_sha256=made.content_sha256
        )
        for n in range(8)
    ]
    assert outcomes(writes) == {"done": 1, "StaleMemory": 7}
    seen = records.get(store, made.id).content_sha256
    deletes = [lambda: records.delete(store, made.id, actor="ana", expected_sha256=seen)] * 8
    assert outcomes(deletes) == {"done": 1, "NotFound": 7}
    assert [v.version for v in records.versions(store)] == [3, 2, 1]
    assert verify(db).problem is None


def test_a_store_that_is_deleted_meanwhile_leaves_nothing_behind(house: House, db: Database) -> None:
    catalog, records, store = house
    made = [records.create(store, f"/{n}", "x", actor="ana").id for n in range(6)]
    writes: list[Callable[[], object]] = [
        lambda id=id: records.update(store, id, content="y", actor="ana") for id in made
    ]
    found = outcomes([*writes[:3], lambda: catalog.delete(store, actor="ana"), *writes[3:]])
    assert set(found) <= {"done", "NotFound"}
    with pytest.raises(NotFound):
        records.page(store)
    assert verify(db).problem is None


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with Database.open(tmp_path_factory.mktemp("shared") / "r.db", clock=SteppingClock()) as opened:
        yield opened


@hypothesis_settings(max_examples=12)
@given(seed=st.integers(0, 10_000))
def test_whatever_is_done_paths_and_histories_add_up(shared: Database, seed: int) -> None:
    """Against a dictionary, in a store of its own."""
    source = random.Random(seed)
    memory = MemoryService(shared, clock=shared.clock, entropy=os.urandom)
    records = Records(shared, memory, clock=shared.clock)
    catalog = Catalog(shared, clock=shared.clock, entropy=os.urandom, announce=unheard)
    store = catalog.create("desk", actor="ana").id
    model: dict[str, tuple[str, str]] = {}  # id → (path, text)
    for _ in range(25):
        step(records, store, model, source)
        shown = records.page(store, limit=100)
        assert {m.id: (m.path, m.content) for m in shown if not isinstance(m, str)} == model
    for version in records.versions(store, limit=100):
        assert (version.content is None) == (version.operation == "deleted")
    assert verify(shared).problem is None


def step(records: Records, store: str, model: dict[str, tuple[str, str]], source: random.Random) -> None:
    """One thing done, to the store and to the model of it."""
    path, text = f"/{source.randrange(4)}", f"t{source.randrange(3)}"
    taken = {at for at, _ in model.values()}
    some = source.choice([*model, "mem_nothing"])
    match source.choice(["create", "update", "rename", "delete", "restore"]):
        case "create" if path in taken:
            with pytest.raises(PathTaken):
                records.create(store, path, text, actor="ana")
        case "create":
            model[records.create(store, path, text, actor="ana").id] = (path, text)
        case "update" if some in model:
            old = content_sha256(model[some][1])
            with pytest.raises(StaleMemory):
                records.update(store, some, content=text, actor="ana", expected_sha256="0" * 64)
            records.update(store, some, content=text, actor="ana", expected_sha256=old)
            model[some] = (model[some][0], text)
        case "rename" if some in model and path in taken - {model[some][0]}:
            with pytest.raises(PathTaken):
                records.update(store, some, path=path, actor="ana")
        case "rename" if some in model:
            records.update(store, some, path=path, actor="ana")
            model[some] = (path, model[some][1])
        case "delete" if some in model:
            records.delete(store, some, actor="ana")
            del model[some]
        case "restore" if versions := [v for v in records.versions(store, limit=100) if v.content]:
            version = source.choice(versions)
            if version.memory_id not in model and version.path in taken:
                with pytest.raises(PathTaken):
                    records.restore(store, version.id, actor="ana")
                return
            back = records.restore(store, version.id, actor="ana")
            where = model[back.id][0] if back.id in model else version.path
            assert (back.path, back.content) == (where, version.content)
            model[back.id] = (where, back.content)
        case _:
            with pytest.raises(NotFound):
                records.get(store, "mem_nothing")
