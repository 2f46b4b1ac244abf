"""Many approvals at once: what may be among them, each on its own, and only what was seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.review.conftest import Make

from reverie.domain.errors import UsageError
from reverie.memory.stores import MemoryService
from reverie.review.bulk import MOST, Bulk
from reverie.review.review import ReviewService
from reverie.storage import audit
from reverie.storage.database import Database

STANDS: Callable[[str], bool] = {"find_fallen"}.__contains__


@pytest.fixture
def bulk(review: ReviewService) -> Bulk:
    return Bulk(review, STANDS)


def test_only_what_adds_and_nobody_else_wrote_is_among_them(
    review: ReviewService, memory: MemoryService, bulk: Bulk, make: Make
) -> None:
    memory.write("default", "/grows.md", "one\n", actor="ana")
    memory.write("default", "/changes.md", "one\n", actor="ana")
    memory.write("default", "/goes.md", "one\n", actor="ana")
    memory.write("default", "/moved.md", "one\n", actor="ana")
    made = {
        "new": make(path="/new.md", idea="a"),
        "grows": make("one\ntwo\n", path="/grows.md", idea="b"),
        "again": make("other\n", path="/new.md", idea="c"),
        "tainted": make(path="/tool.md", idea="d", origins=("agent", "tool")),
        "changes": make("two\n", path="/changes.md", idea="e"),
        "goes": make(path="/goes.md", idea="f", kind="retire"),
        "moved": make("two\n", path="/moved.md", idea="g"),
        "fallen": make(path="/fallen.md", idea="h", findings=("find_fallen",)),
        "decided": make(path="/decided.md", idea="i"),
    }
    review.submit(list(made.values()))
    memory.write("default", "/moved.md", "three\n", actor="ben")
    review.reject(made["decided"].id, reason="wrong", by="ben")
    glance = bulk.look([each.id for each in made.values()])
    assert [each.proposal.path for each in glance.included] == ["/new.md", "/grows.md"]
    assert {each.proposal.idea: each.why for each in glance.left_out} == {
        "c": "another one of these changes the same file",
        "d": "foreign text had a hand in it",
        "e": "it replaces lines of a memory",
        "f": "it takes a memory away",
        "g": "memory changed since, in the same lines",
        "h": "its evidence is below its threshold by now",
        "i": "it was rejected",
    }
    everything = {each.id: "0" * 64 for each in made.values()}
    done = bulk.approve(everything | {p.proposal.id: p.seen_sha256 for p in glance.included}, by="ana")
    assert {each.path for each in done.approved} == {"/new.md", "/grows.md"}
    assert len(done.left_out) == len(glance.left_out), (
        "what may not be among them is not, whoever asks for it"
    )


def test_each_has_its_own_line_and_one_that_changed_stops_no_other(
    db: Database, review: ReviewService, memory: MemoryService, bulk: Bulk, make: Make
) -> None:
    memory.write("default", "/b.md", "one\n", actor="ana")
    made = [
        make(path="/a.md", idea="a"),
        make("one\ntwo\n", path="/b.md", idea="b"),
        make(path="/c.md", idea="c"),
        make(path="/d.md", idea="d"),
    ]
    review.submit(made)
    seen = {each.proposal.id: each.seen_sha256 for each in bulk.look([p.id for p in made]).included}
    memory.write("default", "/b.md", "zero\none\n", actor="ben")  # would merge; but nobody looked at that
    review.approve(made[3].id, by="ben")
    done = bulk.approve(seen, by="ana")
    assert [each.path for each in done.approved] == ["/a.md", "/c.md"]
    assert {each.proposal.path: each.why for each in done.left_out} == {
        "/b.md": "memory changed since you looked at it",
        "/d.md": "it was approved",
    }
    assert memory.read("default", "/b.md").content == "zero\none\n"
    with db.read() as conn:
        lines = [each for each in audit.entries(conn, limit=20) if each.action == "proposal.approved"]
    assert [(each.actor, each.detail["path"]) for each in lines[:2]] == [("ana", "/c.md"), ("ana", "/a.md")]
    assert {each.detail["note"] for each in lines[:2]} == {"one of 3 approved together"}
    again = bulk.approve(seen, by="ana")
    assert again.approved == ()


def test_there_is_a_most(bulk: Bulk) -> None:
    with pytest.raises(UsageError):
        bulk.look([f"prop_{n}" for n in range(MOST + 1)])
