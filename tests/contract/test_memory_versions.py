"""Versions of memories through the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types.beta.memory_stores import BetaManagedAgentsMemoryVersion
from tests.contract.serving import ENGINES

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
Strict = Callable[..., None]


@pytest.fixture
def store(client: anthropic.Anthropic) -> str:
    return client.beta.memory_stores.create(name="desk").id


@pytest.fixture
def memory(client: anthropic.Anthropic, store: str) -> str:
    """A memory with a history: made, changed, moved, deleted."""
    memories = client.beta.memory_stores.memories
    made = memories.create(store, path="/a", content="one")
    memories.update(made.id, memory_store_id=store, content="two")
    memories.update(made.id, memory_store_id=store, path="/b")
    memories.delete(made.id, memory_store_id=store)
    return made.id


@both
def test_every_method(client: anthropic.Anthropic, store: str, memory: str, strict: Strict) -> None:
    versions = client.beta.memory_stores.memory_versions
    page = versions.list(store, limit=3)
    strict(page.data)
    found = list(page)
    assert [(v.operation, v.path, v.content) for v in found] == [
        ("deleted", "/b", None),
        ("modified", "/b", None),
        ("modified", "/a", None),
        ("created", "/a", None),
    ]
    assert [v.content for v in versions.list(store, view="full")] == [None, "two", "two", "one"]
    for version in found:
        shown = versions.retrieve(version.id, memory_store_id=store)
        strict(shown)
        assert shown.memory_id == memory and shown.created_by is not None
        assert shown.created_by.type == "api_actor"
    assert found[0].content_sha256 is None and found[0].content_size_bytes is None
    wiped = versions.redact(found[3].id, memory_store_id=store)
    strict(wiped)
    assert (wiped.content, wiped.path, wiped.content_sha256, wiped.content_size_bytes) == (None,) * 4
    assert wiped.redacted_at is not None and wiped.redacted_by is not None
    assert wiped.created_at == found[3].created_at and wiped.operation == "created"
    assert versions.redact(found[3].id, memory_store_id=store) == wiped


def test_every_method_async(async_client: anthropic.AsyncAnthropic, strict: Strict) -> None:
    async def work() -> None:
        stores = async_client.beta.memory_stores
        store = (await stores.create(name="desk")).id
        made = await stores.memories.create(store, path="/a", content="one")
        await stores.memories.update(made.id, memory_store_id=store, content="two")
        first = [v async for v in stores.memory_versions.list(store, limit=1)][-1]
        strict(await stores.memory_versions.retrieve(first.id, memory_store_id=store))
        strict(await stores.memory_versions.redact(first.id, memory_store_id=store))

    asyncio.run(work())


def test_filters(client: anthropic.Anthropic, reverie: Any, store: str, memory: str) -> None:
    versions = client.beta.memory_stores.memory_versions
    other = client.beta.memory_stores.memories.create(store, path="/other", content="x")
    reverie.memory.write(store, "/by-session", "x", actor="session:sesn_1")
    reverie.memory.write(store, "/by-dream", "x", actor="dream:drm_1")
    reverie.memory.write(store, "/by-key", "x", actor="api:apikey_1")
    reverie.memory.write(store, "/by-ana", "x", actor="ana")
    assert len(list(versions.list(store))) == 9
    assert [v.memory_id for v in versions.list(store, memory_id=other.id)] == [other.id]
    assert len(list(versions.list(store, memory_id=memory))) == 4  # though it is deleted
    assert [v.path for v in versions.list(store, operation="deleted")] == ["/b"]
    for asked, path, actor in (
        ({"session_id": "sesn_1"}, "/by-session", {"type": "session_actor", "session_id": "sesn_1"}),
        ({"api_key_id": "apikey_1"}, "/by-key", {"type": "api_actor", "api_key_id": "apikey_1"}),
        (
            {"service_account_id": "dream:drm_1"},
            "/by-dream",
            {"type": "service_account_actor", "service_account_id": "dream:drm_1"},
        ),
    ):
        (found,) = versions.list(store, **asked)
        assert found.path == path and found.to_dict()["created_by"] == actor
    (by_ana,) = (v for v in versions.list(store) if v.path == "/by-ana")
    assert by_ana.to_dict()["created_by"] == {"type": "user_actor", "user_id": "ana"}
    everything = list(versions.list(store))
    newer = versions.list(store, created_at_gte=everything[2].created_at)
    older = versions.list(store, created_at_lte=everything[3].created_at)
    assert [*newer, *older] == everything
    with pytest.raises(anthropic.BadRequestError, match="one of"):
        versions.list(store, session_id="a", api_key_id="b")


def test_a_page_of_whole_texts_holds_20_at_most(client: anthropic.Anthropic, store: str) -> None:
    for number in range(22):
        client.beta.memory_stores.memories.create(store, path=f"/{number}", content="x")
    versions = client.beta.memory_stores.memory_versions
    assert len(versions.list(store, limit=100, view="full").data) == 20
    assert len(versions.list(store, limit=100).data) == 22
    assert len(versions.list(store).data) == 20
    for limit in (0, 101):
        with pytest.raises(anthropic.BadRequestError, match="limit"):
            versions.list(store, limit=limit)


@both
def test_what_a_memory_says_now_is_not_redacted(
    client: anthropic.Anthropic, reverie: Any, store: str
) -> None:
    memories, versions = client.beta.memory_stores.memories, client.beta.memory_stores.memory_versions
    made = memories.create(store, path="/secret/path", content="a secret")
    with pytest.raises(anthropic.BadRequestError, match="says now"):
        versions.redact(made.memory_version_id, memory_store_id=store)
    memories.update(made.id, memory_store_id=store, content="clean", path="/a")
    versions.redact(made.memory_version_id, memory_store_id=store)
    assert memories.retrieve(made.id, memory_store_id=store).content == "clean"
    assert reverie.verify().problem is None
    assert [v.content for v in versions.list(store, view="full")] == ["clean", None]


@both
def test_redaction_reaches_the_copies_in_proposals(
    client: anthropic.Anthropic, reverie: Any, store: str
) -> None:
    from tests.contract.making import proposal

    text = "the token is hunter2"
    given = proposal(store, "/a", text)
    reverie.review.submit([given])
    reverie.review.approve(given.id, by="ana")
    (kept,) = client.beta.memory_stores.memories.list(store)
    (version,) = client.beta.memory_stores.memory_versions.list(store)
    client.beta.memory_stores.memories.update(kept.id, memory_store_id=store, content="clean")  # type: ignore[union-attr]
    client.beta.memory_stores.memory_versions.redact(version.id, memory_store_id=store)
    assert text not in str(reverie.review.get(given.id))
    from reverie.domain.errors import Conflict

    with pytest.raises(Conflict, match="redacted"):
        reverie.review.undo(given.id, by="ana")


def test_restore_and_diff_are_ours(
    client: anthropic.Anthropic, http: httpx2.Client, store: str, memory: str
) -> None:
    at = f"/v1/memory_stores/{store}/memory_versions"
    deleted, moved, changed, created = client.beta.memory_stores.memory_versions.list(store)
    diff = http.get(f"{at}/{changed.id}/diff", params={"against": created.id}).json()
    assert (diff["from_version_id"], diff["to_version_id"]) == (created.id, changed.id)
    assert "-one" in diff["diff"] and "+two" in diff["diff"]
    assert http.get(f"{at}/{moved.id}/diff", params={"against": "memver_x"}).status_code == 404

    back = http.post(f"{at}/{created.id}/restore", params={"view": "full"}).json()
    assert (back["id"], back["path"], back["content"]) == (memory, "/a", "one")  # where it was then
    client.beta.memory_stores.memories.update(memory, memory_store_id=store, path="/elsewhere")
    again = http.post(f"{at}/{changed.id}/restore", params={"view": "full"}).json()
    assert (again["path"], again["content"]) == ("/elsewhere", "two")  # where it is now
    assert http.post(f"{at}/{deleted.id}/restore").status_code == 400
    client.beta.memory_stores.memory_versions.redact(created.id, memory_store_id=store)
    for refused in (
        http.post(f"{at}/{created.id}/restore"),
        http.get(f"{at}/{changed.id}/diff", params={"against": created.id}),
    ):
        assert refused.status_code == 400 and "redacted" in refused.json()["error"]["message"]
    client.beta.memory_stores.memories.delete(memory, memory_store_id=store)
    client.beta.memory_stores.memories.create(store, path="/a", content="somebody else")
    taken = http.post(f"{at}/{changed.id}/restore")
    assert taken.status_code == 409, taken.text


def test_a_version_is_of_its_store(client: anthropic.Anthropic, store: str) -> None:
    made = client.beta.memory_stores.memories.create(store, path="/a", content="x")
    other = client.beta.memory_stores.create(name="other").id
    versions = client.beta.memory_stores.memory_versions
    for asked in (
        lambda: versions.retrieve(made.memory_version_id, memory_store_id=other),
        lambda: versions.redact(made.memory_version_id, memory_store_id=other),
        lambda: versions.retrieve("memver_nothing", memory_store_id=store),
    ):
        with pytest.raises(anthropic.NotFoundError):
            asked()


def test_the_models_are_the_sdks(
    client: anthropic.Anthropic, store: str, memory: str, strict: Strict
) -> None:
    strict(client.beta.memory_stores.memory_versions.list(store).data, list[BetaManagedAgentsMemoryVersion])
