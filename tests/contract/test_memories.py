"""Memories through the SDK."""

from __future__ import annotations

import asyncio
import random
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import anthropic
import pytest
from anthropic.types.beta.memory_stores import BetaManagedAgentsMemoryListItem
from tests.contract import serving
from tests.contract.serving import ENGINES

from reverie.server.app import App
from reverie.server.settings import Settings

both = pytest.mark.parametrize("database_url", ENGINES, indirect=True)
Strict = Callable[..., None]


@pytest.fixture
def settings() -> Settings:
    return Settings(creates_per_minute=0, reads_per_minute=0)


@pytest.fixture
def store(client: anthropic.Anthropic) -> str:
    return client.beta.memory_stores.create(name="desk").id


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@both
def test_every_method(client: anthropic.Anthropic, store: str, strict: Strict) -> None:
    memories = client.beta.memory_stores.memories
    made = memories.create(store, path="/notes/ä.md", content="grün", view="full")
    strict(made)
    assert (made.content, made.content_size_bytes, made.content_sha256) == ("grün", 5, digest("grün"))
    basic = memories.create(store, path="/empty", content="")
    strict(basic)
    assert basic.content is None and basic.content_size_bytes == 0
    found = memories.retrieve(made.id, memory_store_id=store)
    strict(found)
    assert found == made
    assert memories.retrieve(made.id, memory_store_id=store, view="basic").content is None
    changed = memories.update(made.id, memory_store_id=store, content="blau", view="full")
    strict(changed)
    assert changed.content == "blau" and changed.id == made.id
    assert changed.created_at == made.created_at and changed.updated_at > made.updated_at
    assert changed.memory_version_id != made.memory_version_id
    same = memories.update(made.id, memory_store_id=store, content="blau")
    assert same.memory_version_id == changed.memory_version_id  # nothing new, no new version
    gone = memories.delete(made.id, memory_store_id=store)
    strict(gone)
    with pytest.raises(anthropic.NotFoundError):
        memories.retrieve(made.id, memory_store_id=store)
    with pytest.raises(anthropic.NotFoundError):
        memories.delete(made.id, memory_store_id=store)


def test_every_method_async(async_client: anthropic.AsyncAnthropic, strict: Strict) -> None:
    async def work() -> None:
        memories = async_client.beta.memory_stores.memories
        store = (await async_client.beta.memory_stores.create(name="desk")).id
        made = await memories.create(store, path="/a", content="one")
        strict(made)
        strict(await memories.retrieve(made.id, memory_store_id=store))
        strict(await memories.update(made.id, memory_store_id=store, path="/b"))
        assert [item.path async for item in memories.list(store, limit=1)] == ["/b"]
        strict(await memories.delete(made.id, memory_store_id=store))

    asyncio.run(work())


@both
def test_a_path_is_taken_once_and_a_rename_keeps_the_id(client: anthropic.Anthropic, store: str) -> None:
    memories = client.beta.memory_stores.memories
    first = memories.create(store, path="/a", content="one")
    with pytest.raises(anthropic.ConflictError) as conflict:
        memories.create(store, path="/a", content="two")
    assert conflict.value.type == "memory_path_conflict_error" and first.id in str(conflict.value)
    other = memories.create(store, path="/b", content="two")
    with pytest.raises(anthropic.ConflictError):
        memories.update(other.id, memory_store_id=store, path="/a")
    memories.delete(first.id, memory_store_id=store)
    moved = memories.update(other.id, memory_store_id=store, path="/a")  # where one was deleted
    assert (moved.id, moved.path) == (other.id, "/a")
    memories.create(store, path="/b", content="three")  # and its old path is free
    assert [item.path for item in memories.list(store)] == ["/a", "/b"]
    both_at_once = memories.update(other.id, memory_store_id=store, path="/c", content="four", view="full")
    assert (both_at_once.path, both_at_once.content) == ("/c", "four")
    memories.delete(other.id, memory_store_id=store)
    assert memories.create(store, path="/c", content="five", view="full").content == "five"


def test_nobody_writes_over_what_they_did_not_see(client: anthropic.Anthropic, store: str) -> None:
    memories = client.beta.memory_stores.memories
    made = memories.create(store, path="/a", content="one")
    seen = made.content_sha256
    memories.update(
        made.id,
        memory_store_id=store,
        content="two",
        precondition={"type": "content_sha256", "content_sha256": seen},
    )
    for refused in (
        lambda: memories.update(
            made.id,
            memory_store_id=store,
            path="/b",
            precondition={"type": "content_sha256", "content_sha256": seen},
        ),
        lambda: memories.delete(made.id, memory_store_id=store, expected_content_sha256=seen),
    ):
        with pytest.raises(anthropic.ConflictError) as conflict:
            refused()
        assert conflict.value.type == "memory_precondition_failed_error"
    memories.delete(made.id, memory_store_id=store, expected_content_sha256=digest("two"))
    with pytest.raises(anthropic.BadRequestError, match="expected_content_sha256"):
        memories.delete(made.id, memory_store_id=store, expected_content_sha256="ABC")
    with pytest.raises(anthropic.BadRequestError, match=r"precondition\.type"):
        memories.update(made.id, memory_store_id=store, precondition={"type": "etag"})  # type: ignore[typeddict-item]


def test_lists_go_by_path_whole_or_level_by_level(
    client: anthropic.Anthropic, store: str, strict: Strict
) -> None:
    memories = client.beta.memory_stores.memories
    for path in ("/z", "/notes/b.md", "/notes/a.md", "/notes/deep/c", "/notes-archive/x", "/ä/y"):
        memories.create(store, path=path, content=path)
    everything = ["/notes-archive/x", "/notes/a.md", "/notes/b.md", "/notes/deep/c", "/z", "/ä/y"]
    for limit in (1, 2, 3, 100):
        assert [item.path for item in memories.list(store, limit=limit)] == everything
        level = [(item.type, item.path) for item in memories.list(store, depth=1, limit=limit)]
        assert level == [
            ("memory_prefix", "/notes-archive/"),
            ("memory_prefix", "/notes/"),
            ("memory", "/z"),
            ("memory_prefix", "/ä/"),
        ]
    page = memories.list(store, depth=1, path_prefix="/notes/", view="full")
    strict(page.data, list[BetaManagedAgentsMemoryListItem])
    assert [item.path for item in page] == ["/notes/a.md", "/notes/b.md", "/notes/deep/"]
    assert [item.content for item in page if item.type == "memory"] == ["/notes/a.md", "/notes/b.md"]
    assert [item.path for item in memories.list(store, path_prefix="/notes/deep/")] == ["/notes/deep/c"]
    assert list(memories.list(store, path_prefix="/nothing/")) == []
    assert [item.path for item in memories.list(store, path_prefix="/")] == everything


def test_a_page_of_whole_texts_holds_20_at_most(client: anthropic.Anthropic, store: str) -> None:
    memories = client.beta.memory_stores.memories
    for number in range(23):
        memories.create(store, path=f"/{number:02}", content="x")
    assert len(memories.list(store).data) == 20  # the default
    assert len(memories.list(store, limit=100).data) == 23
    assert len(memories.list(store, limit=100, view="full").data) == 20
    assert len(list(memories.list(store, limit=100, view="full"))) == 23


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("path_prefix", {"path_prefix": "/notes"}),
        ("path_prefix", {"path_prefix": "notes/"}),
        ("path_prefix", {"path_prefix": "/../"}),
        ("path_prefix", {"path_prefix": ""}),
        ("depth", {"depth": 2}),
        ("depth", {"depth": -1}),
        ("limit", {"limit": 0}),
        ("limit", {"limit": 101}),
        ("view", {"view": "half"}),
        ("page", {"page": "nonsense"}),
    ],
)
def test_what_a_list_refuses(
    client: anthropic.Anthropic, store: str, field: str, asked: dict[str, Any]
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=field):
        client.beta.memory_stores.memories.list(store, **asked)


DEEP = "/" + "/".join("a" * 20)
LONG = "/" + "é" * 511 + "a"  # 1,024 bytes


@pytest.mark.parametrize(
    "path",
    ["/a", "/" + "x" * 1023, LONG, DEEP, "/a b/c%20d", "/日本/メモ.md", "/.hidden", "/...", "/A", "/con"],
)
def test_paths_that_are_taken(client: anthropic.Anthropic, store: str, path: str) -> None:
    made = client.beta.memory_stores.memories.create(store, path=path, content="x")
    assert made.path == path
    assert [item.path for item in client.beta.memory_stores.memories.list(store)] == [path]


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "a", "//", "/a/", "/a//b", "/.", "/..", "/a/../b", "/a/./b", "/" + "x" * 1024, LONG + "b"),
        *(DEEP + "/b", "/a\x00", "/a\n", "/a\x7f", "/a\x85", "/a\u200d", "/a\u202e", "/a\u2028", "/a\u2029"),
        *("/a\\b", unicodedata.normalize("NFD", "/ä"), "/\ufeff"),
    ],
)
def test_paths_that_are_refused(client: anthropic.Anthropic, store: str, path: str) -> None:
    memories = client.beta.memory_stores.memories
    with pytest.raises(anthropic.BadRequestError, match="`path`"):
        memories.create(store, path=path, content="x")
    kept = memories.create(store, path="/kept", content="x")
    with pytest.raises(anthropic.BadRequestError, match="`path`"):
        memories.update(kept.id, memory_store_id=store, path=path)
    assert [item.path for item in memories.list(store)] == ["/kept"]


def test_a_text_has_102_400_bytes_at_most(client: anthropic.Anthropic, store: str) -> None:
    memories = client.beta.memory_stores.memories
    made = memories.create(store, path="/at", content="é" * 51_200)
    assert made.content_size_bytes == 102_400
    assert made.to_dict()["warnings"] == ["102,400 of at most 102,400 bytes in the memory"]
    for refused in (
        lambda: memories.create(store, path="/past", content="é" * 51_200 + "a"),
        lambda: memories.update(made.id, memory_store_id=store, content="é" * 51_200 + "a"),
    ):
        with pytest.raises(
            anthropic.BadRequestError, match="`content`: at most 102,400 bytes, this has 102401"
        ):
            refused()
    with pytest.raises(anthropic.BadRequestError, match="`content`"):
        memories.create(store, path="/nul", content="a\x00b")


def test_another_store_is_another_world(client: anthropic.Anthropic, store: str) -> None:
    memories = client.beta.memory_stores.memories
    made = memories.create(store, path="/a", content="one")
    other = client.beta.memory_stores.create(name="other").id
    for asked in (
        lambda: memories.retrieve(made.id, memory_store_id=other),
        lambda: memories.update(made.id, memory_store_id=other, content="x"),
        lambda: memories.delete(made.id, memory_store_id=other),
        lambda: memories.retrieve("mem_nothing", memory_store_id=store),
        lambda: memories.create("memstore_nothing", path="/a", content="x"),
        lambda: memories.list("memstore_nothing"),
    ):
        with pytest.raises(anthropic.NotFoundError):
            asked()


ALPHABET = [
    *"/.ab-_ %\\~'\";$()", "..", "//", "/../", "\x00", "\n", "\x1b", "\x7f", "\x85", "\u200b", "\u202e", "\u2028",
    "\ufeff", "é", "e\u0301", "日", "😀", "\U0010ffff", "\ue000", "\uffff", "CON", "nul.txt", "a" * 200, "é" * 600,
]  # fmt: skip


def fuzzed(source: random.Random) -> str:
    return "".join(source.choices(["", "/", "/a"], k=1) + source.choices(ALPHABET, k=source.randint(0, 12)))


@pytest.mark.parametrize("number", [400, pytest.param(100_000, marks=pytest.mark.slow)])
def test_fuzzed_paths_are_stored_or_refused(
    client: anthropic.Anthropic, api: App, store: str, number: int
) -> None:
    """Through HTTP; the everyday run fuzzes the grammar itself by the hundred thousand in tests/memory."""
    at = f"/v1/memory_stores/{store}/memories"
    source = random.Random(7)
    kept: set[str] = set()

    async def work() -> None:
        async with serving.async_http(api) as http:
            for _ in range(number):
                path = fuzzed(source)
                answer = await http.post(at, json={"path": path, "content": ""})
                if answer.status_code == 200:
                    assert answer.json()["path"] == path and path not in kept
                    kept.add(path)
                else:
                    full = len(kept) == 2_000 and "full" in answer.text
                    expected = 409 if path in kept else 400
                    assert answer.status_code == expected or (full and answer.status_code == 400), path
            half = await http.post(
                at,
                content=b'{"path": "/\\ud800", "content": ""}',
                headers={"content-type": "application/json"},
            )
            assert half.status_code == 400

    asyncio.run(work())
    assert kept == {item.path for item in client.beta.memory_stores.memories.list(store, limit=100)}
