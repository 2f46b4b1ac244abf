"""Resources: made, changed under an optimistic lock, listed page by page; the same on both engines."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import START, SteppingClock

from reverie.domain.errors import Conflict, NotFound
from reverie.domain.resources import Period, Resource
from reverie.storage.database import Connection, Database
from reverie.storage.driver import execute
from reverie.workspaces.resources import Resources


@pytest.fixture
def resources(db: Database, clock: SteppingClock, entropy: Callable[[int], bytes]) -> Resources:
    return Resources(db, workspace="wrkspc_a", clock=clock, entropy=entropy)


def made(resources: Resources, body: dict[str, Any] | None = None, **more: Any) -> Resource:
    return resources.create("thing", body or {"name": "x"}, prefix="agent", **more)


def test_what_was_made_is_read(resources: Resources) -> None:
    body = {"z": [1, {"ü": None}], "a": "lone \ud800 and \x00", "m": {"k": 1.5, "b": True}}
    fresh = made(resources, body, parent="env_1", status="queued")
    assert (fresh.version, fresh.workspace, fresh.archived_at) == (1, "wrkspc_a", None)
    found = resources.get("thing", fresh.id)
    kept = {**body, "a": "lone \ufffd and \x00"}
    assert found == replace(fresh, body=kept)
    assert list(found.body) == ["z", "a", "m"], "the order is the client's"


def test_what_is_not_there_or_of_another_kind_or_parent_is_not_found(resources: Resources) -> None:
    fresh = made(resources, parent="env_1")
    for kind, id, parent in (
        ("thing", "agent_none", None),
        ("other", fresh.id, None),
        ("thing", fresh.id, "env_2"),
    ):
        with pytest.raises(NotFound):
            resources.get(kind, id, parent=parent)
    assert resources.get("thing", fresh.id, parent="env_1") == fresh


def test_a_change_counts_and_nothing_is_none(resources: Resources) -> None:
    first = made(resources)
    second = resources.change("thing", first.id, lambda r: replace(r, status="done"), expected_version=1)
    assert (second.version, second.status, second.created_at) == (2, "done", first.created_at)
    assert second.updated_at > first.updated_at
    assert resources.change("thing", first.id, lambda r: r) == second
    with pytest.raises(Conflict, match="version 2"):
        resources.change("thing", first.id, lambda r: replace(r, status="x"), expected_version=1)
    with pytest.raises(NotFound):
        resources.change("thing", "agent_none", lambda r: r)
    with pytest.raises(ZeroDivisionError):
        resources.change("thing", first.id, lambda r: replace(r, status=str(1 // 0)))
    assert resources.get("thing", first.id) == second


def test_bodies_are_kept_where_asked(resources: Resources) -> None:
    first = made(resources, {"n": 1}, keep_versions=True)
    change: dict[str, Any] = {"keep_versions": True}
    resources.change("thing", first.id, lambda r: replace(r, body={"n": 2}), **change)
    same = resources.change("thing", first.id, lambda r: replace(r, archived_at=START), **change)
    assert (same.version, same.archived_at) == (2, START), "only a body makes a version"
    resources.change("thing", first.id, lambda r: replace(r, body={"n": 3}), **change)
    assert [(v.version, v.body) for v in resources.versions("thing", first.id)] == [
        (3, {"n": 3}),
        (2, {"n": 2}),
        (1, {"n": 1}),
    ]
    assert [v.version for v in resources.versions("thing", first.id, after=3, limit=1)] == [2]
    assert resources.version("thing", first.id, 1).body == {"n": 1}
    for number in (0, 4, 2**62):
        with pytest.raises(NotFound, match="no version"):
            resources.version("thing", first.id, number)
    resources.delete("thing", first.id)
    with pytest.raises(NotFound):
        resources.versions("thing", first.id)


def test_one_key_one_resource(resources: Resources, db: Database, clock: SteppingClock) -> None:
    first = made(resources, key="k")
    with pytest.raises(Conflict, match="'k'"):
        made(resources, key="k")
    resources.create("other", {}, prefix="agent", key="k")
    other = Resources(db, workspace="wrkspc_b", clock=clock, entropy=lambda n: b"1" * n)
    made(other, key="k")
    resources.delete("thing", first.id)
    made(resources, key="k")


def test_nobodys_change_is_lost(resources: Resources) -> None:
    fresh = made(resources, {"n": 0})

    def more(resource: Resource) -> Resource:
        return replace(resource, body={"n": resource.body["n"] + 1})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: resources.change("thing", fresh.id, more), range(24)))
    found = resources.get("thing", fresh.id)
    assert (found.body, found.version) == ({"n": 24}, 25)


def test_a_limit_holds_against_a_crowd(resources: Resources) -> None:
    home = made(resources)

    def one_more(conn: Connection) -> None:
        resources.get("thing", home.id, lock=True, conn=conn)
        if resources.count("part", parent=home.id, conn=conn) >= 5:
            raise Conflict("full")
        resources.create("part", {}, prefix="agent", parent=home.id, conn=conn)

    def attempt(_: int) -> bool:
        try:
            resources.write(one_more)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 5
    assert resources.count("part", parent=home.id) == 5


def test_several_in_one_transaction_or_none(resources: Resources, db: Database) -> None:
    def work(conn: Connection) -> None:
        made(resources, conn=conn)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        resources.write(work)
    assert resources.list("thing") == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_pages_add_up_to_the_list(resources: Resources, clock: SteppingClock, data: st.DataObject) -> None:
    """Whatever is filtered, in either order, with many made at the same instant."""
    for resource in resources.list("thing", archived=None):
        resources.delete("thing", resource.id)
    clock.step = timedelta()
    seconds = st.integers(0, 3).map(lambda n: START + timedelta(seconds=n))
    for _ in range(data.draw(st.integers(0, 8))):
        clock.now = data.draw(seconds)
        kinds = {"parent": data.draw(st.sampled_from(["p", "q"])), "status": data.draw(st.sampled_from("st"))}
        fresh = made(resources, **kinds)
        if data.draw(st.booleans()):
            resources.change("thing", fresh.id, lambda r: replace(r, archived_at=START))
    everything = resources.list("thing", archived=None)
    bounds = {name: data.draw(st.none() | seconds) for name in ("gt", "gte", "lt", "lte")}
    wanted: dict[str, Any] = {
        "parent": data.draw(st.none() | st.sampled_from(["p", "q", "r"])),
        "statuses": data.draw(st.none() | st.lists(st.sampled_from("stu"), max_size=2)),
        "archived": data.draw(st.sampled_from([False, True, None])),
        "created": Period(**bounds),
        "newest_first": data.draw(st.booleans()),
    }
    expected = [each for each in everything if _fits(each, wanted, bounds)]
    expected.sort(key=lambda r: (r.created_at, r.id), reverse=wanted["newest_first"])
    found, size = list[Resource](), data.draw(st.integers(1, 3))
    while page := resources.list(
        "thing", **wanted, limit=size, after=(found[-1].created_at, found[-1].id) if found else None
    ):
        assert len(page) <= size
        found += page
    assert found == expected == resources.list("thing", **wanted)
    del wanted["newest_first"], wanted["created"]
    within = [each for each in everything if _fits(each, wanted, {})]
    assert resources.count("thing", **wanted) == len(within)


def _fits(each: Resource, wanted: dict[str, Any], bounds: dict[str, datetime | None]) -> bool:
    compare: dict[str, Callable[[datetime, datetime], bool]] = {
        "gt": lambda a, b: a > b,
        "gte": lambda a, b: a >= b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    return (
        wanted["parent"] in (None, each.parent)
        and (wanted["statuses"] is None or each.status in wanted["statuses"])
        and wanted["archived"] in (None, each.archived_at is not None)
        and all(at is None or compare[name](each.created_at, at) for name, at in bounds.items())
    )


def test_a_page_is_read_by_its_index(sqlite_url: str) -> None:
    for filters, index in (("", "kind_created_at_id"), ("AND parent = 'p' ", "kind_parent_created_at_id")):
        sql = (
            "EXPLAIN QUERY PLAN SELECT * FROM resources WHERE workspace = 'w' AND kind = 'k' "
            f"{filters}AND (created_at, id) < ('a', 'b') ORDER BY created_at DESC, id DESC LIMIT 21"
        )
        with Database.open(sqlite_url) as db, db.read() as conn:
            (plan,) = [row[-1] for row in execute(conn, sql).fetchall()]
        assert index in plan and "(created_at,id)<" in plan
