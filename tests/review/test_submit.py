"""The pile: what comes onto it, what takes whose place, and what a dream should not bring up again."""

from __future__ import annotations

import threading

import pytest
from tests.review.conftest import Make

from reverie.domain.errors import AlreadyDecided, InvalidMemory, UsageError
from reverie.memory.stores import MemoryService
from reverie.review.review import ReviewService, Submitted
from reverie.storage import audit
from reverie.storage.database import Connection, Database

S = "default"


def test_submitting_again_changes_nothing(review: ReviewService, make: Make, db: Database) -> None:
    proposal = make()
    assert review.submit([proposal]) == Submitted((proposal.id,), (), ())
    review.reject(proposal.id, reason="wrong", by="ana")
    with db.read() as conn:
        before = audit.entries(conn)
    assert review.submit([proposal]) == Submitted((), (proposal.id,), ())
    assert review.get(proposal.id).status == "rejected"
    with db.read() as conn:
        assert audit.entries(conn) == before
    assert review.submit([]) == Submitted((), (), ())


def test_a_later_dream_takes_the_place_of_an_earlier_one(review: ReviewService, make: Make) -> None:
    old, new = make("old\n", dream_id="drm_1"), make("new\n", dream_id="drm_2")
    review.submit([old])
    assert review.submit([new]) == Submitted((new.id,), (), (old.id,))
    assert [p.id for p in review.list(status="pending")] == [new.id]
    with pytest.raises(AlreadyDecided, match="superseded"):
        review.approve(old.id, by="ana")


def test_the_same_text_stays_in_its_place(review: ReviewService, make: Make) -> None:
    old, new = make(dream_id="drm_1"), make(dream_id="drm_2")
    review.submit([old])
    assert review.submit([new]) == Submitted((), (new.id,), ())
    assert [p.id for p in review.list()] == [old.id]


def test_the_same_text_for_a_memory_that_moved_on_is_another_change(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    old = make(dream_id="drm_1")
    review.submit([old])
    memory.write(S, old.path, "somebody wrote this\n", actor="ana")
    new = make(dream_id="drm_2")
    assert review.submit([new]).superseded == (old.id,)


def test_other_ideas_other_stores_and_the_same_dream_are_left_alone(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    other_store = memory.create_store("other").id
    first = [make("a\n", idea="x"), make("b\n", idea="y"), make("c\n", idea="x", store_id=other_store)]
    review.submit(first)
    both = [make("d\n", idea="x", dream_id="drm_2"), make("e\n", idea="x", path="/e", dream_id="drm_2")]
    assert review.submit(both[:1]).superseded == (first[0].id,)
    assert review.submit(both) == Submitted((both[1].id,), (both[0].id,), ())
    assert {p.id for p in review.list(status="pending")} == {p.id for p in first[1:] + both}


def test_what_was_decided_is_not_superseded(review: ReviewService, make: Make) -> None:
    old = make("old\n")
    review.submit([old])
    review.approve(old.id, by="ana")
    assert review.submit([make("new\n", dream_id="drm_2")]).superseded == ()
    assert review.get(old.id).status == "approved"


def test_one_bad_proposal_and_none_is_submitted(review: ReviewService, make: Make) -> None:
    good = make()
    for bad, error in (
        (make(path="/x", status="approved"), UsageError),
        (make(path="/x", kind="move"), UsageError),
        (make(path="/cafe\u0301"), InvalidMemory),
        (make(path="/x", content="\ud800", id="prop_x"), InvalidMemory),
    ):
        with pytest.raises(error):
            review.submit([good, bad])
    assert review.list() == []


def test_a_submission_is_part_of_the_callers_transaction(
    review: ReviewService, make: Make, db: Database
) -> None:
    proposal = make()

    def work(conn: Connection) -> None:
        review.submit([proposal], conn=conn)
        raise RuntimeError("the dream failed")

    with pytest.raises(RuntimeError):
        db.write(work)
    assert review.list() == []


def test_two_dreams_at_once_leave_one_proposal_waiting(review: ReviewService, make: Make) -> None:
    proposals = [make(f"text {n}\n", dream_id=f"drm_{n}") for n in range(4)]
    threads = [threading.Thread(target=review.submit, args=([p],)) for p in proposals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(p.status for p in review.list()) == ["pending", *["superseded"] * 3]


def test_the_last_word_on_an_idea_is_what_counts(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    def decide(idea: str, weight: int, *verdicts: str) -> None:
        for n, verdict in enumerate(verdicts):
            p = make(f"{idea} {n}\n", path=f"/{idea}/{n}", idea=idea, evidence_weight=weight + n)
            review.submit([p])
            if verdict == "rejected":
                review.reject(p.id, reason="wrong", by="ana")
            elif verdict == "modified":
                review.modify(p.id, "other words\n", by="ana")
            else:
                review.approve(p.id, by="ana")
            if verdict == "reverted":
                review.undo(p.id, by="ana")

    decide("refused", 5, "rejected")
    decide("taken-back", 6, "reverted")
    decide("reworded", 7, "modified")
    decide("wanted", 8, "approved")
    decide("refused-then-wanted", 9, "rejected", "approved")
    decide("refused-again", 10, "rejected", "rejected")
    assert review.rejected_ideas(S) == {"refused": 5, "refused-again": 11}
    assert review.decided_ideas(S) == {"refused": 5, "refused-again": 11, "reworded": 7, "taken-back": 6}
    memory.create_store("other")
    assert review.decided_ideas("other") == {}
