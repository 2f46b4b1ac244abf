"""Memory stores through the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from tests.contract.serving import ENGINES

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
Strict = Callable[..., None]


@both
def test_every_method(client: anthropic.Anthropic, strict: Strict) -> None:
    stores = client.beta.memory_stores
    made = stores.create(name="desk", description="for the desk", metadata={"team": "a"})
    strict(made)
    assert made.id.startswith("memstore_") and made.archived_at is None
    strict(stores.retrieve(made.id))
    assert stores.retrieve(made.id) == made
    changed = stores.update(made.id, name="Desk 2", metadata={"team": None, "owner": "bo"})
    strict(changed)
    assert (changed.name, changed.description, changed.metadata) == (
        "Desk 2",
        "for the desk",
        {"owner": "bo"},
    )
    assert changed.updated_at > made.updated_at and changed.created_at == made.created_at
    assert stores.update(made.id).updated_at == changed.updated_at  # nothing said, nothing changed
    assert stores.update(made.id, description="").description == ""
    archived = stores.archive(made.id)
    strict(archived)
    assert archived.archived_at is not None
    assert stores.archive(made.id) == archived
    gone = stores.delete(made.id)
    strict(gone)
    with pytest.raises(anthropic.NotFoundError):
        stores.retrieve(made.id)


def test_every_method_async(async_client: anthropic.AsyncAnthropic, strict: Strict) -> None:
    async def work() -> None:
        stores = async_client.beta.memory_stores
        made = await stores.create(name="desk")
        strict(made)
        strict(await stores.retrieve(made.id))
        strict(await stores.update(made.id, name="b"))
        assert [store.id async for store in stores.list()] == [made.id]
        strict(await stores.archive(made.id))
        assert [store.id async for store in stores.list()] == []
        strict(await stores.delete(made.id))

    asyncio.run(work())


def test_several_stores_may_have_one_name_and_lists_go_page_by_page(
    client: anthropic.Anthropic, strict: Strict, reverie: Any
) -> None:
    stores = client.beta.memory_stores
    made = [stores.create(name="same") for _ in range(5)]
    page = stores.list(limit=2)
    strict(page.data)
    assert [store.id for store in page] == [store.id for store in reversed(made)]
    stores.archive(made[0].id)
    assert len(list(stores.list())) == 4 and len(list(stores.list(include_archived=True))) == 5
    between = stores.list(created_at_gte=made[2].created_at, created_at_lte=made[3].created_at)
    assert [store.id for store in between] == [made[3].id, made[2].id]
    from reverie.domain.errors import Ambiguous

    with pytest.raises(Ambiguous, match="5 memory stores"):
        reverie.memory.store("same")


def test_an_archived_store_is_only_read(client: anthropic.Anthropic) -> None:
    store = client.beta.memory_stores.create(name="desk")
    memories = client.beta.memory_stores.memories
    kept = memories.create(store.id, path="/a", content="one")
    client.beta.memory_stores.archive(store.id)
    assert memories.retrieve(kept.id, memory_store_id=store.id).content == "one"
    for refused in (
        lambda: memories.create(store.id, path="/b", content="two"),
        lambda: memories.update(kept.id, memory_store_id=store.id, content="two"),
        lambda: client.beta.memory_stores.update(store.id, name="x"),
    ):
        with pytest.raises(anthropic.BadRequestError, match="archived"):
            refused()
    memories.delete(kept.id, memory_store_id=store.id)  # this one is allowed


@both
def test_deleting_a_store_takes_everything_in_it(client: anthropic.Anthropic, reverie: Any) -> None:
    store = client.beta.memory_stores.create(name="desk")
    memories = client.beta.memory_stores.memories
    kept = memories.create(store.id, path="/a", content="one")
    memories.update(kept.id, memory_store_id=store.id, content="two")
    client.beta.memory_stores.delete(store.id)
    versions = client.beta.memory_stores.memory_versions
    for asked in (
        lambda: memories.list(store.id),
        lambda: memories.retrieve(kept.id, memory_store_id=store.id),
        lambda: versions.list(store.id),
        lambda: versions.retrieve(kept.memory_version_id, memory_store_id=store.id),
        lambda: client.beta.memory_stores.delete(store.id),
    ):
        with pytest.raises(anthropic.NotFoundError):
            asked()
    assert reverie.verify().problem is None
    default = reverie.memory.store()  # a store that is known by its name comes back after its deletion
    client.beta.memory_stores.delete(default.id)
    reverie.memory.write("default", "/new", "x", actor="ana")
    assert [memory.path for memory in reverie.memory.list("default")] == ["/new"]


@pytest.mark.parametrize(
    ("field", "at", "past"),
    [
        ("name", {"name": "n" * 255}, {"name": "n" * 256}),
        ("name", {"name": "n"}, {"name": ""}),
        ("name", {"name": "a b"}, {"name": "a\nb"}),
        ("description", {"name": "a", "description": "d" * 1024}, {"name": "a", "description": "d" * 1025}),
        (
            "metadata",
            {"name": "a", "metadata": {f"k{i}": "v" for i in range(16)}},
            {"name": "a", "metadata": {f"k{i}": "v" for i in range(17)}},
        ),
        ("metadata", {"name": "a", "metadata": {"k" * 64: "v"}}, {"name": "a", "metadata": {"k" * 65: "v"}}),
        ("metadata", {"name": "a", "metadata": {"k": "v"}}, {"name": "a", "metadata": {"": "v"}}),
        (
            "metadata",
            {"name": "a", "metadata": {"k": "v" * 512}},
            {"name": "a", "metadata": {"k": "v" * 513}},
        ),
    ],
)
def test_limits(client: anthropic.Anthropic, field: str, at: dict[str, Any], past: dict[str, Any]) -> None:
    made = client.beta.memory_stores.create(**at)
    client.beta.memory_stores.update(made.id, **at)
    with pytest.raises(anthropic.BadRequestError, match=field):
        client.beta.memory_stores.create(**past)
    with pytest.raises(anthropic.BadRequestError, match=field):
        client.beta.memory_stores.update(made.id, **past)


def test_the_sum_of_metadata_is_bounded_too(client: anthropic.Anthropic) -> None:
    made = client.beta.memory_stores.create(name="a", metadata={f"k{i}": "v" for i in range(16)})
    with pytest.raises(anthropic.BadRequestError, match="16"):
        client.beta.memory_stores.update(made.id, metadata={"another": "v"})
    changed = client.beta.memory_stores.update(made.id, metadata={"another": "v", "k0": None})
    assert len(changed.metadata) == 16


def test_pages_are_1_to_100(client: anthropic.Anthropic) -> None:
    client.beta.memory_stores.list(limit=100)
    for limit in (0, 101):
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            client.beta.memory_stores.list(limit=limit)
    with pytest.raises(anthropic.BadRequestError, match="page"):
        client.beta.memory_stores.list(page="nonsense")


def test_search_is_ours(client: anthropic.Anthropic, http: httpx2.Client) -> None:
    store = client.beta.memory_stores.create(name="desk")
    made = client.beta.memory_stores.memories.create(
        store.id, path="/uploads.md", content="Split large files."
    )
    client.beta.memory_stores.memories.create(store.id, path="/other.md", content="Nothing of the kind.")
    found = http.get(f"/v1/memory_stores/{store.id}/search", params={"query": 'large "files'}).json()
    assert [(hit["memory_id"], hit["path"], hit["rank"]) for hit in found["data"]] == [
        (made.id, "/uploads.md", 1)
    ]
    assert "Split large files" in found["data"][0]["snippet"]
    assert http.get(f"/v1/memory_stores/{store.id}/search", params={"query": "zebra"}).json()["data"] == []
    assert http.get("/v1/memory_stores/memstore_x/search", params={"query": "a"}).status_code == 404


def test_a_store_that_is_nearly_full_says_so(client: anthropic.Anthropic, reverie: Any) -> None:
    store = client.beta.memory_stores.create(name="desk")
    fill(reverie, store.id, 1_799)
    assert client.beta.memory_stores.retrieve(store.id).to_dict()["warnings"] == []
    said = client.beta.memory_stores.memories.create(store.id, path="/one", content="x").to_dict()["warnings"]
    assert said == ["1,800 of at most 2,000 memories in the store"]
    told = client.beta.memory_stores.retrieve(store.id).to_dict()
    assert told["warnings"] == said and told["memory_count"] == 1_800
    fill(reverie, store.id, 199, at=1_800)
    client.beta.memory_stores.memories.create(store.id, path="/last", content="x")
    with pytest.raises(anthropic.BadRequestError, match="full: 2,000 memories"):
        client.beta.memory_stores.memories.create(store.id, path="/one-more", content="x")


def fill(reverie: Any, store_id: str, number: int, at: int = 0) -> None:
    """Memories by the hundred, past the service, which would take a commit for each."""
    from reverie.storage import tables

    row = {"store_id": store_id, "content": "x", "content_sha256": "", "version_id": "", "version": 1}
    same = {**row, "updated_at": "", "created_at": "", "workspace": "wrkspc_default"}
    rows = [{**same, "id": f"mem_{n}", "path": f"/n/{n}"} for n in range(at, at + number)]
    reverie._db.write(lambda conn: conn.execute(tables.memories.insert(), rows).rowcount)
