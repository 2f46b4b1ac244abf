"""What a session's folders cost: between two calls of a tool where nothing changed, and where something did.

    python -m benchmarks.mounts

The loop looks at the folders after every call of a tool, and at the stores before every turn. The limits are
for that: nothing to do. A ``stat`` of every file is the peer where files are looked at: less cannot be asked.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.table import Row, print_table
from reverie.app import Reverie
from reverie.folders.mounts import Mounted, Mounts
from reverie.memory.records import Edit
from reverie.storage.database import Database

ROUNDS = 300
EMPTY_MS = 0.3
HUNDRED_MS = 2.0
TEXT = "A memory of some two hundred characters, as they are. " * 4


class Bench:
    """A house, and sessions with a store of so many memories."""

    def __init__(self, folder: Path) -> None:
        self.house = Reverie(Database.open(folder / "reverie.db"), waker=lambda workspace, session: None)
        self._files = folder / "files"
        room = self.house
        self._mounts = Mounts(
            catalog=room.stores,
            memories=room.memories,
            files=room.files,
            environments=room.environments,
            credentials=room.credentials,
            secrets=room.secrets,
            home=self._files,
            clock=lambda: datetime.now(UTC),
            mask=lambda text: text,
        )

    def session(self, memories: int | None) -> tuple[str, dict[str, object]]:
        resources: list[object] = []
        if memories is not None:
            store = self.house.stores.create(f"store {memories}", actor="bench").id
            edits = [Edit(f"/topic {n % 10}/{n}.md", f"{n}\n{TEXT}") for n in range(memories)]
            self.house.memories.apply(store, edits, actor="bench")
            resources.append({"type": "memory_store", "memory_store_id": store})
        agent = self.house.agents.create({"model": "scripted:any", "name": "clerk"}).id
        environment = self.house.environments.create({"name": "here"}).id
        asked = {"agent": agent, "environment_id": environment, "resources": resources}
        row = self.house.sessions.create(asked).row
        return row.id, dict(row.body or {})

    def open(self, session: str, body: dict[str, object]) -> Mounted:
        return self._mounts.open(self.house.id, session, body)

    def folder(self, session: str) -> Path:
        return self._files / "sessions" / self.house.id / session


def main() -> None:
    with tempfile.TemporaryDirectory() as where:
        bench = Bench(Path(where))
        rows = [row for memories in (None, 100, 2_000) for row in _idle(bench, memories)]
        print_table("A session's folders, nothing to do (median)", rows)
        print_table("A session's folders, something to do (median)", _busy(bench))
        bench.house.close()


def _idle(bench: Bench, memories: int | None) -> list[Row]:
    session, body = bench.session(memories)
    opened = _once(lambda: bench.open(session, body))
    mounted = bench.open(session, body)
    mounted.pull()
    mounted.push()
    time.sleep(0.02)  # past the tick in which they were written
    mounted.changed()

    def nothing() -> None:
        mounted.pull()
        if mounted.changed():
            raise AssertionError("something changed")
        mounted.push()

    took = _median(nothing)
    stats = _median(lambda: _stat(bench.folder(session)))
    limit = {None: EMPTY_MS, 100: HUNDRED_MS}.get(memories)
    what = "no store" if memories is None else f"{memories:,} memories"
    told = "" if limit is None else f"≤ {limit} ms"
    return [
        Row(
            f"pull, changed and push: {what}",
            f"{took:.3f} ms",
            told,
            None if limit is None else took <= limit,
        ),
        Row(
            f"changed alone: {what}", f"{_median(mounted.changed):.3f} ms", f"one stat a file: {stats:.3f} ms"
        ),
        Row(f"opened for the first time: {what}", f"{opened:.0f} ms"),
        Row(f"opened again: {what}", f"{_once(lambda: bench.open(session, body)):.0f} ms"),
    ]


def _busy(bench: Bench) -> list[Row]:
    session, body = bench.session(100)
    mounted = bench.open(session, body)
    store: str = body["resources"][0]["memory_store_id"]  # pyright: ignore
    folder = bench.folder(session) / "memory" / "store-100"
    numbers = iter(range(100_000))

    def written() -> None:
        (folder / "note.md").write_text(f"{next(numbers)}\n{TEXT}")
        mounted.push()

    def came() -> None:
        bench.house.memory.write(store, "/topic 1/1.md", f"{next(numbers)}\n{TEXT}", actor="bench")
        mounted.pull()

    def given() -> None:
        (bench.folder(session) / "outputs" / "report.md").write_text(f"{next(numbers)}\n{TEXT}")
        mounted.push()

    alone = _median(
        lambda: bench.house.memory.write(store, "/alone.md", f"{next(numbers)}\n{TEXT}", actor="bench"), 40
    )
    peer = f"the version alone: {alone:.2f} ms"
    return [
        Row("one memory written and pushed, of 100", f"{_median(written, 40):.2f} ms", peer),
        Row("one memory written by another and pulled, of 100", f"{_median(came, 40):.2f} ms", peer),
        Row("one output given anew", f"{_median(given, 40):.2f} ms"),
    ]


def _stat(folder: Path) -> None:
    for part in ("memory", "outputs"):
        for inner, _, names in os.walk(folder / part):
            for name in names:
                os.stat(f"{inner}/{name}")  # noqa: PTH116  (the cheapest there is)


def _median(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    return statistics.median(_once(work) for _ in range(rounds))


def _once(work: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    random.seed(1)
    main()
