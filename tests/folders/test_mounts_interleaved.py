"""Agents, other writers and kills in any order: no text of anybody is lost, and all come to the same in the end."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import SteppingClock
from tests.folders.rooms import World, contents

from reverie.folders import memory_mount
from reverie.folders.memory_plan import most_deletions, plan
from reverie.folders.tree import Tree
from reverie.memory.records import Records

PATHS: Final = ("/a.md", "/dir/b.md", "/dir/c.md", "/deep/er/d.md")
LINES: Final = 5  # of a text; each changes alone, with one between that never does

paths = st.sampled_from(PATHS)
lines = st.integers(0, LINES - 1)
steps = st.one_of(
    st.tuples(st.just("agent writes"), paths, lines),
    st.tuples(st.just("agent writes"), paths, lines),
    st.tuples(st.just("agent deletes"), paths),
    st.tuples(st.just("agent moves"), paths, paths),
    st.tuples(st.just("other writes"), paths, lines),
    st.tuples(st.just("other writes"), paths, lines),
    st.tuples(st.just("other deletes"), paths),
    st.tuples(st.just("push")),
    st.tuples(st.just("pull")),
    st.tuples(st.just("kill"), st.integers(0, 12)),
    st.tuples(st.just("meanwhile"), st.integers(0, 12), st.sampled_from(["agent", "other"]), paths, lines),
)


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def fuse(after: int, blow: Callable[[], None]) -> Iterator[None]:
    """Something happens once between two things that a sync does, or before or after one that changes a disk
    or a database, when so many such moments went by."""
    left = itertools.count(after, -1)

    def tick() -> None:
        if next(left) == 0:
            blow()

    def burning(work: Callable[..., Any], before: bool) -> Callable[..., Any]:
        def burn(*args: Any, **more: Any) -> Any:
            if before:
                tick()
            result = work(*args, **more)
            tick()
            return result

        return burn

    places = [(Tree, "write"), (Tree, "remove"), (memory_mount, "keep"), (memory_mount, "plan")]
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (*places, *((Records, name) for name in ("apply", "texts", "digests"))):
            # A file is replaced at once after it was looked at: what comes between the two is not seen.
            patch.setattr(owner, name, burning(getattr(owner, name), owner is not Tree or blow is kill))
        yield


def kill() -> None:
    raise Killed


class Story:
    """One session with a store, and what everybody wrote."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.store = world.house.stores.create("Notes & Lore", actor="test").id
        self.session = world.attached()
        self.mounted = world.open(self.session)
        self.folder = world.memory(self.session)
        self.tokens = itertools.count()
        self.late: str | None = None  # what the agent wrote in the middle of a sync
        self.unseen: dict[str, set[str]] = {}  # what others wrote since folder and store last agreed

    def do(self, step: tuple[Any, ...]) -> None:
        name, *rest = step
        {
            "agent writes": self.agent_writes,
            "agent deletes": lambda path: (self.folder / path[1:]).unlink(missing_ok=True),
            "agent moves": self.agent_moves,
            "other writes": self.other_writes,
            "other deletes": self.other_deletes,
            "push": lambda: self.settled(self.push),
            "pull": lambda: self.settled(self.mounted.pull),
            "kill": lambda after: self.settled(lambda: self.killed(after)),
            "meanwhile": lambda *more: self.settled(lambda: self.meanwhile(*more)),
        }[name](*rest)

    def agent_writes(self, path: str, line: int) -> None:
        file = self.folder / path[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.changed(file.read_text() if file.exists() else None, line))

    def agent_moves(self, path: str, to: str) -> None:
        source, target = self.folder / path[1:], self.folder / to[1:]
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)

    def other_writes(self, path: str, line: int) -> None:
        text = self.changed(self.world.texts().get(path), line)
        self.world.write(path, text)
        self.unseen[path] = self.unseen.get(path, set()) & words(text) | {text.splitlines()[line * 2]}

    def other_deletes(self, path: str) -> None:
        if path in self.world.texts():
            self.world.delete(path)
            self.unseen.pop(path, None)

    def changed(self, text: str | None, line: int) -> str:
        found = ["-"] * (2 * LINES - 1) if text is None else text.splitlines()
        found[line * 2] = f"token{next(self.tokens)}"
        return "\n".join(found) + "\n"

    def push(self) -> None:
        if self.mounted.changed():
            self.mounted.push()

    def killed(self, after: int) -> None:
        with suppress(Killed), fuse(after, kill):
            self.mounted.push()
            self.mounted.pull()
        self.mounted = self.world.open(self.session)

    def meanwhile(self, after: int, who: str, path: str, line: int) -> None:
        """Somebody writes while folder and store are made the same."""

        def write() -> None:
            before = next(self.tokens)
            (self.agent_writes if who == "agent" else self.other_writes)(path, line)
            if who == "agent":
                self.late = f"token{before + 1}"

        with fuse(after, write):
            self.mounted.push()
            self.mounted.pull()

    def settled(self, sync: Callable[[], object]) -> None:
        """Do it, and see that nothing of anybody is lost."""
        here = {word for text in contents(self.folder).values() for word in words(text)}
        sync()
        self.mounted.push()
        self.mounted.pull()
        now = self.world.texts()
        assert contents(self.folder) == now
        assert not self.mounted.changed()
        aside = contents(self.world.root(self.session) / "conflicts").values()
        kept = [v.content for v in self.world.history() if v.content is not None]
        there = {word for text in (*kept, *aside) for word in words(text)}
        assert here | ({self.late} if self.late else set()) <= there
        for path, fresh in self.unseen.items():
            assert fresh <= words(now[path]), (path, fresh)
        self.unseen, self.late = {}, None
        count = len(self.world.history())
        again = self.world.open(self.session)
        assert again.pull() == again.push() == []
        assert len(self.world.history()) == count


def words(text: str) -> set[str]:
    return set(text.split()) - {"-"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("interleaved")
    url = f"sqlite:///{folder / 'reverie.db'}"
    made = World(url, folder / "files", SteppingClock(), random.Random(7).randbytes)
    yield made
    made.close()


@settings(max_examples=25)
@given(st.lists(steps, min_size=3, max_size=14))
def test_nothing_of_anybody_is_lost_whatever_happens_in_between(
    world: World, told: list[tuple[Any, ...]]
) -> None:
    story = Story(world)
    for step in told:
        story.do(step)
    story.do(("push",))
    world.mounts().remove(world.house.id, story.session)


def test_a_kill_at_every_single_step_of_a_large_sync(world: World) -> None:
    """Each of them leaves something that the next process makes whole."""
    for after in range(0, 60, 4):
        story = Story(world)
        for path in PATHS:
            story.do(("other writes", path, 0))
        story.do(("pull",))
        story.do(("agent writes", "/a.md", 1))
        story.do(("other writes", "/a.md", 3))
        story.do(("agent writes", "/dir/b.md", 2))
        story.do(("other writes", "/dir/b.md", 2))
        story.do(("agent deletes", "/dir/c.md"))
        story.do(("agent moves", "/deep/er/d.md", "/moved.md"))
        for number in range(4):
            story.do(("agent writes", f"/new/{number}.md", number))
        story.do(("kill", after))
    shutil.rmtree(world.root(story.session))


# ---------------------------------------------------------------------- the plan by itself

digests = st.sampled_from([None, "1", "2", "3"])
states = st.dictionaries(st.integers(0, 40).map(str), st.tuples(digests, digests, digests), max_size=40)


@settings(max_examples=300)
@given(states, st.booleans(), st.booleans())
def test_a_plan_says_one_thing_of_each_path(states: Any, writable: bool, trusting: bool) -> None:
    base, local, remote = (
        {path: found[side] for path, found in states.items() if found[side]} for side in range(3)
    )
    made = plan(base, local, remote, writable=writable, trusting=trusting)
    said = [
        *made.agreed, *made.pulled, *made.pushed, *made.moved, *made.moved.values(), *made.deleted,
        *made.clashing,
    ]  # fmt: skip
    assert sorted(said) == sorted({*base, *local, *remote})
    assert {*made.returned, *made.wiped} <= {*made.pulled}
    for path in made.pulled:  # whatever the agent wrote and nobody has is not written over
        assert local.get(path) in (None, base.get(path))
    for path in (*made.pushed, *made.deleted, *made.moved.values()):  # nor what others wrote
        assert writable and remote.get(path) == base.get(path)
    for target, source in made.moved.items():
        assert local[target] == base[source] and target not in remote and source not in local
    assert len(made.deleted) <= most_deletions(len(base))
    assert made.deleted == [] or local or len(base) == 1
    if not trusting:
        assert not made.deleted


def test_the_digest_of_a_plan_is_of_what_was_there(tmp_path: Path) -> None:
    """A file that is written twice within one tick of the clock is seen twice."""
    from reverie.folders.watch import Watch, sha256

    (tmp_path / "tree").mkdir()
    (tmp_path / "beside").mkdir()
    watch = Watch(Tree(tmp_path / "tree", tmp_path / "beside"), tmp_path / "beside/tick", sha256)
    seen: set[str] = set()
    for number in range(200):
        (tmp_path / "tree/a").write_text(f"{number:03}")
        seen.add(watch.look().digests["a"])
    assert len(seen) == 200
