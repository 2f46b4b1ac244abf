"""No workspace feels another one: whatever both do in one database, each sees what it would see alone.

A random story of two workspaces is told in one database; then each one's part of it, word for word, in a
database that has nothing else in it. Every answer, error messages and lists included, must be the same.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from tests.transcripts import write_sessions

from reverie.app import Reverie, Workspace
from reverie.domain.errors import NotFound, ReverieError
from reverie.domain.events import NewEvent
from reverie.domain.ids import derived_id
from reverie.domain.proposals import Proposal
from reverie.domain.sessions import SessionInfo, Transcript
from reverie.storage import managed, tables
from reverie.storage import observations as observation_rows
from reverie.storage.database import Database
from reverie.storage.managed import Filters

Act = Callable[[Workspace, int, str], object]
Step = tuple[int, str, int, str]
"""(which workspace, what, a small number, an id that either of them may have met)."""

_ID = re.compile(r"\b[a-z]+_[a-z2-7]{26}\b")
_START = datetime(2026, 5, 4, 8, tzinfo=UTC)
_names = count()


class World:
    """A house whose time and chance are those of the step that is being taken."""

    def __init__(self, db: Database) -> None:
        self._now, self._dice = _START, Random(0)
        self.house = Reverie(db, clock=lambda: self._now, entropy=self._random, waker=lambda *_: None)

    def _random(self, n: int) -> bytes:
        return self._dice.randbytes(n)

    def take(self, number: int, step: Step, workspaces: Sequence[str]) -> str:
        """What comes of a step, in words: the answer, or the error."""
        who, what, k, id = step
        self._now, self._dice = _START + timedelta(minutes=number), Random(f"{workspaces[0]} {number}")
        return _told(lambda: ACTS[what](self.house.workspace(workspaces[who]), k, id))

    def view(self, workspace: str) -> list[str]:
        """All that a workspace lists."""
        self._now = _START + timedelta(days=1)
        house = self.house.workspace(workspace)
        return [_told(lambda look=look: look(house)) for look in LISTS]


def _told(act: Callable[[], object]) -> str:
    try:
        answer = act()
    except ReverieError as error:
        return f"{type(error).__name__}: {error.what}"
    return repr(list(answer) if isinstance(answer, Iterator) else answer)


# ------------------------------------------------------------------ what a workspace does


def _record(house: Workspace, k: int, id: str) -> object:
    info = SessionInfo("test", f"n{k}", goal=f"goal {k}", task=f"t{k % 2}")
    events = [NewEvent("user.message", {"content": f"word{n} {k}"}, f"k{n}") for n in range(k + 1)]
    return house.log.record(Transcript(info, events))


def _submit(house: Workspace, k: int, id: str) -> object:
    store = house.memory.store().id
    proposal = Proposal(
        id=derived_id("prop", store, str(k)),
        dream_id="drm_x",
        store_id=store,
        kind="add",
        path=f"/p{k}.md",
        title="t",
        content=f"text {k}\n",
        base_sha256=None,
        base_content=None,
        idea=f"idea {k % 2}",
        evidence_weight=3,
        findings=(),
        risk="low",
        origins=("user",),
        writer="test",
        status="pending",
        created_at=_START,
    )
    return house.review.submit([proposal])


def _vault(house: Workspace, k: int, id: str) -> object:
    return house.vaults.create({"display_name": f"v{k}"})


def _environment(house: Workspace, k: int, id: str) -> object:
    return house.environments.create({"name": f"e{k}", "config": {"type": "self_hosted"}})


def _managed(house: Workspace, k: int, id: str) -> object:
    agent = house.agents.create({"name": f"a{k}", "model": {"id": "claude-opus-5"}}).id
    place = house.environments.create({"name": f"e{k}", "config": {"type": "cloud"}}).id
    return house.sessions.create({"agent": agent, "environment_id": place, "title": f"s{k}"})


def _send(house: Workspace, k: int, id: str) -> object:
    said = {"type": "user.message", "content": [{"type": "text", "text": f"hello {k}"}]}
    return house.sessions.send(id, [said] * (k + 1))


def _forget(house: Workspace, k: int, id: str) -> object:
    house._db.write(lambda conn: managed.delete(conn, id, _START))
    return None


def _cached(house: Workspace, k: int, id: str) -> object:
    with house._db.read() as conn:
        return observation_rows.get_many(conn, {id: "x"}, "1")


def _again(house: Workspace, k: int, id: str) -> object:
    claim = house.idempotency.begin("POST /x", f"key {k}", f"{k % 2}")
    if claim is not None and hasattr(claim, "owner"):
        house.idempotency.finish(claim, 200, [("a", "b")], b"answer")
    return claim


ACTS: dict[str, Act] = {
    "record": _record,
    "append": lambda h, k, id: h.log.append(id, [NewEvent("agent.message", {"content": "more"}, f"a{k}")]),
    "session": lambda h, k, id: h.log.session(id),
    "session by a prefix": lambda h, k, id: h.log.session(id[: 6 + k]),
    "event": lambda h, k, id: h.log.event(id),
    "events": lambda h, k, id: h.log.events(id),
    "events of": lambda h, k, id: h.log.events_of([id]),
    "forget": _forget,
    "write": lambda h, k, id: h.memory.write("default", f"/n{k}.md", f"note {k} word\n", actor="ana"),
    "write there": lambda h, k, id: h.memory.write(id, f"/n{k}.md", f"there {k}\n", actor="ana"),
    "delete": lambda h, k, id: h.memory.delete("default", f"/n{k}.md", actor="ana"),
    "restore": lambda h, k, id: h.memory.restore("default", f"/n{k}.md", 1, actor="ana"),
    "versions": lambda h, k, id: h.memory.versions("default", f"/n{k}.md"),
    "store": lambda h, k, id: h.memory.create_store(f"store {k}"),
    "store by id": lambda h, k, id: h.memory.store(id),
    "memories there": lambda h, k, id: h.memory.list(id),
    "search": lambda h, k, id: sorted(hit.path for hit in h.memory.search("default", "word")),
    "archive store": lambda h, k, id: h.stores.archive(id, actor="ana"),
    "delete store": lambda h, k, id: h.stores.delete(id, actor="ana"),
    "submit": _submit,
    "approve": lambda h, k, id: h.review.approve(id, by="ana"),
    "reject": lambda h, k, id: h.review.reject(id, reason="wrong", by="ana"),
    "undo": lambda h, k, id: h.review.undo(id, by="ana"),
    "dream": lambda h, k, id: h.finding(id),
    "create": lambda h, k, id: h.resources.create(
        "thing", {"k": k}, prefix="agent", parent=id, key=f"{k}", keep_versions=True
    ),
    "get": lambda h, k, id: h.resources.get("thing", id),
    "change": lambda h, k, id: h.resources.change(
        "thing", id, lambda r: replace(r, body={"k": r.body["k"] + k}), keep_versions=True
    ),
    "old versions": lambda h, k, id: h.resources.versions("thing", id),
    "remove": lambda h, k, id: h.resources.delete("thing", id),
    "vault": _vault,
    "vault by id": lambda h, k, id: h.vaults.get(id),
    "archive vault": lambda h, k, id: h.vaults.archive(id),
    "file": lambda h, k, id: h.files.store(io.BytesIO(b"bytes" * k), filename=f"f{k}.txt"),
    "bytes": lambda h, k, id: b"".join(h.files.read(id)[1]),
    "delete file": lambda h, k, id: h.files.delete(id),
    "environment": _environment,
    "queue": lambda h, k, id: h.work.stats(id),
    "poll": lambda h, k, id: h.work.poll(id),
    "agent by id": lambda h, k, id: h.agents.get(id),
    "archive agent": lambda h, k, id: h.agents.archive(id),
    "managed": _managed,
    "managed by id": lambda h, k, id: h.sessions.get(id),
    "send": _send,
    "archive session": lambda h, k, id: h.sessions.archive(id),
    "erase": lambda h, k, id: h.sessions.delete(id, actor="ana"),
    "threads": lambda h, k, id: h.threads.list(id),
    "cached": _cached,
    "again": _again,
}
LISTS: list[Callable[[Workspace], object]] = [
    lambda h: h.log.sessions(),
    lambda h: [h.log.events(session.id) for session in h.log.sessions()],
    lambda h: h.memory.stores(),
    lambda h: [h.memory.list(store.id) for store in h.memory.stores()],
    lambda h: h.review.list(status=None),
    lambda h: h.dreams(),
    lambda h: h.resources.list("thing", archived=None),
    lambda h: h.resources.count("thing"),
    lambda h: h.vaults.list(archived=True),
    lambda h: h.files.list(limit=100),
    lambda h: h.environments.list(),
    lambda h: h.sessions.list(Filters(), limit=100),
    lambda h: h.audit(limit=1000),
]

# ------------------------------------------------------------------ the story, told twice


def _story(draw: st.DrawFn) -> list[tuple[int, str, int, int]]:
    step = st.tuples(st.integers(0, 1), st.sampled_from(sorted(ACTS)), st.integers(0, 3), st.integers(0, 50))
    return draw(st.lists(step, min_size=4, max_size=30))


def _tell(world: World, story: Sequence[tuple[int, str, int, int]], workspaces: Sequence[str]):
    """The steps as they were taken, with the ids that they took, and what came of each."""
    met, steps, answers = ["sesn_" + "a" * 26], list[Step](), list[str]()
    for number, (who, what, k, pick) in enumerate(story):
        steps.append((who, what, k, met[-1 - pick % len(met)]))
        answers.append(world.take(number, steps[-1], workspaces))
        met += [id for id in _ID.findall(answers[-1]) if id not in met]
    return steps, answers


def _check(shared: Database, template: Path, story: Sequence[tuple[int, str, int, int]]) -> None:
    workspaces = [f"wrkspc_{next(_names)}" for _ in range(2)]
    world = World(shared)
    steps, answers = _tell(world, story, workspaces)
    for who in (0, 1):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(template, Path(folder) / "alone.db")
            with Database.open(Path(folder) / "alone.db") as db:
                alone = World(db)
                for number, (step, answer) in enumerate(zip(steps, answers, strict=True)):
                    if step[0] == who:
                        assert alone.take(number, step, workspaces) == answer, step
                assert alone.view(workspaces[who]) == world.view(workspaces[who])


@pytest.fixture
def template(tmp_path: Path) -> Path:
    Database.open(tmp_path / "template.db").close()
    return tmp_path / "template.db"


_SETTINGS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=20, **_SETTINGS)
@given(data=st.data())
def test_each_workspace_sees_what_it_would_see_alone(
    db: Database, template: Path, data: st.DataObject
) -> None:
    _check(db, template, data.draw(st.composite(_story)()))


def test_every_act_meets_what_the_other_one_has(db: Database, template: Path) -> None:
    """The same, with nothing left to chance: one makes everything, then the other tries every act on
    every kind of id that there is."""
    world, workspaces = World(db), [f"wrkspc_{next(_names)}" for _ in range(2)]
    makes = ("record", "write", "store", "submit", "create", "vault", "file", "environment", "managed")
    _, answers = _tell(world, [(0, what, 1, 0) for what in makes], workspaces)
    ids = sorted({id.partition("_")[0]: id for id in _ID.findall("".join(answers))}.values())
    assert len(ids) >= 8
    trying: list[Step] = [(1, what, 1, id) for what in ACTS for id in ids]
    before = world.view(workspaces[0])
    tried = [world.take(number, step, workspaces) for number, step in enumerate(trying, 100)]
    assert world.view(workspaces[0]) == before
    with Database.open(template) as alone:
        other = World(alone)
        for number, (step, answer) in enumerate(zip(trying, tried, strict=True), 100):
            assert other.take(number, step, workspaces) == answer, step


def test_two_workspaces_dream_of_the_same_transcripts(db: Database, tmp_path: Path) -> None:
    logs = write_sessions(tmp_path / "logs", 12)[0].parent
    house = Reverie(db)
    homes = [house.workspace(f"wrkspc_{next(_names)}") for _ in range(2)]
    dreams = []
    for home in homes:
        assert home.import_paths(logs).new_sessions == 12
        dreams.append(home.dream())
    first, second = dreams
    assert [(p.path, p.title) for p in first.proposals] == [(p.path, p.title) for p in second.proposals] != []
    assert not {p.id for p in first.proposals} & {p.id for p in second.proposals}
    mine = first.proposals[0].id
    homes[0].approve(mine, by="ana")
    assert len(homes[0].memory.list()) == 1
    assert homes[1].memory.list() == []
    with pytest.raises(NotFound):
        homes[1].approve(mine, by="ana")
    assert all(p.status == "pending" for p in homes[1].proposals())
    assert house.log.sessions() == []
    assert house.verify().problem is None


def test_what_others_write_does_not_change_the_order_of_what_is_found(db: Database) -> None:
    """A search that weighs words by how rare they are everywhere would tell who counts of others' words."""
    house = Reverie(db)
    mine, other = house.workspace("wrkspc_mine"), house.workspace("wrkspc_other")
    mine.memory.write("default", "/x.md", "alpha alpha alpha beta", actor="ana")
    mine.memory.write("default", "/y.md", "beta beta beta alpha", actor="ana")
    before = mine.memory.search("default", "alpha beta")
    for word in ("alpha", "beta"):
        for number in range(30):
            other.memory.write("default", f"/{word}{number}.md", f"{word} {number}", actor="eve")
        assert mine.memory.search("default", "alpha beta") == before


# ------------------------------------------------------------------ every statement asks


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What is said to SQLite from here on."""
    heard: list[str] = []

    def listen(driver: Any, entry: Any) -> None:
        driver.set_trace_callback(heard.append)

    event.listen(Engine, "connect", listen)
    yield heard
    event.remove(Engine, "connect", listen)


def test_every_statement_names_the_workspace(tmp_path: Path, template: Path, said: list[str]) -> None:
    ours = "|".join(table for table in tables.metadata.tables if table != "workspaces")
    touches = re.compile(rf'\b(?:FROM|JOIN|UPDATE|INTO)\s+"?(?:{ours})\b', re.IGNORECASE)
    with Database.open(template) as db:
        world = World(db)
        house = world.house.workspace("wrkspc_told")
        house.import_paths(write_sessions(tmp_path / "logs", 12)[0].parent)
        for proposal in house.dream().proposals:
            house.approve(proposal.id, by="ana")
        story = [(0, what, 1, 0) for what in sorted(ACTS) for _ in range(2)]
        _tell(world, story, ["wrkspc_told"])
        world.view("wrkspc_told")
    asked = [sql for sql in said if not sql.startswith("--") and touches.search(sql)]
    assert len(asked) > 200
    assert sorted({sql[:90] for sql in asked if "workspace" not in sql}) == []
