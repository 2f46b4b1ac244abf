"""The SDK's own environment worker, and its own tools, against our queue: commands and files really run, in a
folder of this machine; memory comes and goes with it. The agent is a script that says what to call."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.lib.tools._memories import SessionMemoryStores
from tests.contract import serving
from tests.contract.sessions import AGENT, Loop, message

import reverie as product
from reverie.app import Reverie
from reverie.server.app import App, build
from reverie.server.settings import Settings
from reverie.storage.database import Database

Call = tuple[str, dict[str, Any]]


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def clock() -> Any:
    return lambda: datetime.now(UTC)  # leases are of this world here, and so are the worker's heartbeats


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    with Reverie(
        Database.open(database_url, clock=clock), clock=clock, entropy=entropy, waker=loop.wake
    ) as house:
        loop.house = house
        yield house


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the worker has its folders: in a container of its own it would be the root."""
    root = tmp_path / "worker"

    def place(self: SessionMemoryStores, resource: Any) -> Path:
        return root / resource.mount_path.lstrip("/")

    monkeypatch.setattr(SessionMemoryStores, "_store_root", place)
    (root / "workspace").mkdir(parents=True)
    return root


class Site:
    """A self-hosted environment with a worker, and an agent that does as it is told."""

    def __init__(self, api: App, house: Reverie, loop: Loop, root: Path) -> None:
        self.api, self.house, self.loop, self.root = api, house, loop, root
        self.key = self.worker_key = "unused-on-loopback"

    def locked(self) -> None:
        """From now on nobody calls without a key, and the worker's own may only take work."""
        self.key = self.house.keys.create("owner", by="test").token
        scopes = ["work:*", "sessions:*", "memory_stores:*", "files:read"]
        self.worker_key = self.house.keys.create("worker", by="test", scopes=scopes).token

    @property
    def client(self) -> anthropic.AsyncAnthropic:
        return serving.async_client(self.api, self.key)

    async def session(self, *, model: str = AGENT["model"], **more: Any) -> Any:
        client = self.client
        agent = await client.beta.agents.create(
            name="clerk", model=model, tools=[{"type": "agent_toolset_20260401"}]
        )
        place = await client.beta.environments.create(name="own", config={"type": "self_hosted"})
        return await client.beta.sessions.create(
            agent=agent.id, environment_id=place.id, initial_events=[message()], **more
        )

    @asynccontextmanager
    async def worker(self, made: Any, **more: Any) -> AsyncIterator[asyncio.Task[None]]:
        """A worker that polls until the block ends."""
        worker = serving.async_client(self.api, "not-a-key").beta.environments.work.worker(
            environment_id=made.environment_id,
            environment_key=self.worker_key,
            workdir=self.root / "workspace",
            **{"max_idle": 0.2, **more},
        )
        task = asyncio.create_task(worker.run())
        try:
            yield task
        finally:
            while not task.done():  # one that comes while it ends an item is lost on it
                task.cancel()
                await asyncio.wait({task}, timeout=0.5)

    async def item(self, made: Any, state: str) -> Any:
        """The session's item, when it is in that state."""
        for _ in range(400):
            items = [item async for item in self.client.beta.environments.work.list(made.environment_id)]
            if items and items[0].state == state:
                return items[0]
            await asyncio.sleep(0.05)
        raise AssertionError(f"never {state}: {items}")

    async def play(
        self, session: str, script: Sequence[Call], *, rest: bool = True
    ) -> list[tuple[bool, str]]:
        """The agent calls one tool after the other, waiting for what each gives; (is_error, text) of each."""
        found: list[tuple[bool, str]] = []
        for name, asked in script:
            self.loop.begin(session)
            call = self.loop.call(session, name=name, input=asked, evaluated_permission="allow")
            self.loop.rest(session)  # it waits: the stop reason says for what
            found.append(await self.result(session, call.id))
        self.loop.begin(session)
        if rest:
            self.loop.say(session)
            self.loop.rest(session)
        return found

    async def result(self, session: str, call_id: str) -> tuple[bool, str]:
        for _ in range(400):
            async for event in self.client.beta.sessions.events.list(session, types=["user.tool_result"]):
                if event.tool_use_id == call_id:
                    return bool(event.is_error), "".join(part.text for part in event.content or ())
            await asyncio.sleep(0.05)
        raise AssertionError("no result came")


@pytest.fixture
def site(reverie: Reverie, loop: Loop, mounted: Path) -> Site:
    api = build(reverie, Settings(creates_per_minute=0, reads_per_minute=0))
    return Site(api, reverie, loop, mounted)


@pytest.mark.parametrize("locked", [False, True])
def test_commands_and_files_really_run_where_the_worker_is(site: Site, locked: bool) -> None:
    async def story() -> tuple[list[tuple[bool, str]], Any]:
        if locked:
            site.locked()
        made = await site.session()
        work = site.root / "workspace"
        script: list[Call] = [
            ("bash", {"command": "echo from the shell > made.txt; export SEEN=yes; pwd"}),
            ("bash", {"command": "echo $SEEN; exit_code() { return 3; }; exit_code"}),
            ("write", {"file_path": str(work / "sub/note.md"), "content": "one\ntwo\n"}),
            ("edit", {"file_path": str(work / "sub/note.md"), "old_string": "two", "new_string": "2"}),
            ("read", {"file_path": str(work / "sub/note.md")}),
            ("glob", {"pattern": "**/*.md"}),
            ("grep", {"pattern": "shell"}),
            ("read", {"file_path": "/etc/shadow"}),
        ]
        async with site.worker(made):
            found = await site.play(made.id, script)
            item = await site.item(made, "stopped")
        return found, item

    found, item = asyncio.run(story())
    work = site.root / "workspace"
    assert (work / "made.txt").read_text() == "from the shell\n"
    assert (work / "sub/note.md").read_text() == "one\n2\n"
    errors = [is_error for is_error, _ in found]
    texts = [text for _, text in found]
    assert errors[0] is False and texts[0].strip() == os.path.realpath(work)
    assert "yes" in texts[1]
    assert "one" in texts[4] and "2" in texts[4] and "note.md" in texts[5] and "made.txt" in texts[6]
    assert errors[2:7] == [False] * 5 and errors[7], "what is not below its folder is not read"
    assert item.acknowledged_at and item.started_at and item.latest_heartbeat_at and item.stopped_at


@pytest.mark.parametrize("locked", [False, True])
def test_memory_is_mounted_where_the_worker_is_and_what_is_written_comes_back(
    site: Site, locked: bool
) -> None:
    house = site.house
    store, guide = (house.stores.create(name, actor="test").id for name in ("Notes & Lore", "Guide"))
    for path in ("/style.md", "/old.md", "/deep/er/kept.md"):
        house.memory.write(store, path, f"{path}\n", actor="person")
    house.memory.write(guide, "/rules.md", "Be kind.\n", actor="person")
    notes, rules = site.root / "mnt/memory/notes-lore", site.root / "mnt/memory/guide"

    async def story() -> tuple[Any, list[tuple[bool, str]]]:
        if locked:
            site.locked()
        made = await site.session(
            resources=[
                {"type": "memory_store", "memory_store_id": store},
                {"type": "memory_store", "memory_store_id": guide, "access": "read_only"},
            ]
        )
        script: list[Call] = [
            ("bash", {"command": f"cat {notes}/style.md {notes}/deep/er/kept.md {rules}/rules.md"}),
            ("write", {"file_path": f"{notes}/new/idea.md", "content": "An idea.\n"}),
            ("bash", {"command": f"echo more >> {notes}/style.md; rm {notes}/old.md"}),
            ("write", {"file_path": f"{rules}/rules.md", "content": "Be quick.\n"}),
        ]
        async with site.worker(made):
            found = await site.play(made.id, script)
            await site.item(made, "stopped")
        return made, found

    made, found = asyncio.run(story())
    assert found[0] == (False, "/style.md\n/deep/er/kept.md\nBe kind.\n") or "Be kind." in found[0][1]
    assert not found[1][0] and found[3][0], "a store that is only read is not written"
    assert {m.path: m.content for m in house.memory.list(store)} == {
        "/deep/er/kept.md": "/deep/er/kept.md\n", "/new/idea.md": "An idea.\n", "/style.md": "/style.md\nmore\n"
    }  # fmt: skip
    assert [m.content for m in house.memory.list(guide)] == ["Be kind.\n"]
    written = [v for v in house.memories.versions(store, limit=100) if v.actor != "person"]
    assert sorted((v.path, v.operation) for v in written) == [
        ("/new/idea.md", "created"), ("/old.md", "deleted"), ("/style.md", "modified"),
    ]  # fmt: skip
    if locked:
        assert {v.actor for v in written} == {f"session:{made.id}"}
    assert not notes.exists(), "the worker takes its copy away"


def test_a_call_that_was_refused_is_not_run_and_one_that_was_allowed_is(site: Site) -> None:
    async def story() -> list[str]:
        made = await site.session()
        loop, work = site.loop, site.root / "workspace"
        async with site.worker(made):
            loop.begin(made.id)
            calls = [
                loop.call(
                    made.id, name="bash", input={"command": f"touch {work}/{n}"}, evaluated_permission="ask"
                )
                for n in ("allowed", "denied")
            ]
            loop.rest(made.id)
            said = [
                {"type": "user.tool_confirmation", "tool_use_id": call.id, "result": result}
                for call, result in zip(calls, ("allow", "deny"), strict=True)
            ]
            await site.client.beta.sessions.events.send(made.id, events=said)
            assert await site.result(made.id, calls[0].id) == (False, "(no output)")
            loop.begin(made.id)
            loop.say(made.id)
            loop.rest(made.id)
            await site.item(made, "stopped")
        return sorted(path.name for path in work.iterdir())

    assert asyncio.run(story()) == ["allowed"]


def test_a_worker_that_dies_is_followed_by_one_that_goes_on(site: Site) -> None:
    """The second one is handed the item when the lease of the first has run out, and answers the call that waits."""

    async def story() -> None:
        made = await site.session()
        async with site.worker(made):
            await site.item(made, "active")
        item = await site.item(made, "stopped")  # it ended in good order: the session is still to be served
        await site.client.beta.sessions.events.send(made.id, events=[message("again")])
        async with site.worker(made):
            assert (await site.play(made.id, [("bash", {"command": "echo back"})])) == [(False, "back")]
            second = await site.item(made, "stopped")
        assert second.id != item.id

    asyncio.run(story())


def test_an_archived_session_ends_its_worker(site: Site) -> None:
    async def story() -> None:
        made = await site.session()
        async with site.worker(made, max_idle=None):
            await site.play(made.id, [("bash", {"command": "echo one"})])
            await site.client.beta.sessions.archive(made.id)
            await site.item(made, "stopped")

    asyncio.run(story())


def test_a_message_wakes_a_session_that_its_worker_had_left(site: Site) -> None:
    async def story() -> list[tuple[bool, str]]:
        made = await site.session()
        async with site.worker(made):
            first = await site.play(made.id, [("bash", {"command": "echo one"})])
            await site.item(made, "stopped")
            await site.client.beta.sessions.events.send(made.id, events=[message("more")])
            second = await site.play(made.id, [("bash", {"command": "echo two"})])
            await site.item(made, "stopped")
        return [*first, *second]

    assert asyncio.run(story()) == [(False, "one"), (False, "two")]


def test_nothing_is_left_running(site: Site) -> None:
    """Whatever the worker started ended with it."""
    before = threading.active_count()

    async def story() -> None:
        made = await site.session()
        async with site.worker(made):
            await site.play(made.id, [("bash", {"command": "sleep 100 & echo started"})])
            await site.item(made, "stopped")

    asyncio.run(story())
    assert threading.active_count() <= before + 1


def test_our_loop_and_the_sdks_worker_do_a_turn_together(
    tmp_path: Path, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Path(__file__).with_name("running_models.py")
    monkeypatch.setenv("REVERIE_MODELS", f"scripted:{models}:remote")
    with product.open(tmp_path / "reverie.db") as house:
        house.attend()
        api = build(house, Settings(creates_per_minute=0, reads_per_minute=0))
        site = Site(api, house, Loop(), mounted)

        async def story() -> list[str]:
            made = await site.session(model=f"scripted:{models}:remote")
            async with site.worker(made):
                for _ in range(400):
                    told = [e async for e in site.client.beta.sessions.events.list(made.id)]
                    if told[-1].type == "session.status_idle" and told[-1].stop_reason.type == "end_turn":
                        break
                    await asyncio.sleep(0.05)
            return [block.text for e in told if e.type == "agent.message" for block in e.content]

        (text,) = asyncio.run(story())
    assert text.startswith("Seen: from the shell,") and "one" in text
    assert (mounted / "workspace" / "made.txt").read_text() == "from the shell\n"
    assert (mounted / "workspace" / "note.md").read_text() == "one\n"
