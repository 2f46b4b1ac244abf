"""Taking decisions back."""

from __future__ import annotations

import pytest
from tests.review.conftest import Make

from reverie.domain.errors import AlreadyDecided, Conflict, StaleBase
from reverie.memory.stores import MemoryService
from reverie.review.review import ReviewService
from reverie.storage import audit
from reverie.storage.database import Database

S, P = "default", "/notes/uploads.md"
BASE = "one\ntwo\nthree\nfour\nfive\n"


def approved(review: ReviewService, make: Make, content: str, **fields: object) -> str:
    proposal = make(content, **fields)
    review.submit([proposal])
    review.approve(proposal.id, by="ana")
    return proposal.id


def test_an_addition_goes_by_a_new_version(
    memory: MemoryService, review: ReviewService, make: Make, db: Database
) -> None:
    name = approved(review, make, "text\n")
    undone = review.undo(name, by="bob")
    assert undone.status == "reverted" and memory.find(S, P) is None
    last = memory.versions(S, P)[-1]
    assert (last.operation, last.actor, last.proposal_id) == ("deleted", "bob", name)
    assert undone.decision is not None and undone.decision.by == "bob"
    assert undone.decision.version_id == last.id
    with db.read() as conn:
        assert audit.entries(conn)[0].action == "proposal.reverted"
    with pytest.raises(AlreadyDecided, match="reverted by bob"):
        review.approve(name, by="ana")


def test_an_update_goes_back_to_what_was_there(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = approved(review, make, "quite other\n")
    review.undo(name, by="ana")
    assert memory.read(S, P).content == BASE and memory.read(S, P).version == 3


def test_a_modified_text_is_taken_back_too(memory: MemoryService, review: ReviewService, make: Make) -> None:
    proposal = make()
    review.submit([proposal])
    review.modify(proposal.id, "my words\n", by="ana")
    review.undo(proposal.id, by="ana")
    assert memory.find(S, P) is None


def test_a_retired_memory_comes_back(memory: MemoryService, review: ReviewService, make: Make) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = approved(review, make, "", kind="retire")
    review.undo(name, by="ana")
    assert memory.read(S, P).content == BASE


def test_later_changes_in_other_lines_stay(memory: MemoryService, review: ReviewService, make: Make) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = approved(review, make, BASE.replace("one", "ONE"))
    memory.write(S, P, BASE.replace("one", "ONE").replace("five", "FIVE"), actor="bob")
    review.undo(name, by="ana")
    assert memory.read(S, P).content == BASE.replace("five", "FIVE")


def test_later_changes_in_the_same_lines_are_shown_and_nothing_happens(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = approved(review, make, BASE.replace("three", "drei"))
    memory.write(S, P, BASE.replace("three", "trois"), actor="bob")
    with pytest.raises(StaleBase) as conflict:
        review.undo(name, by="ana")
    assert "<<<<<<< memory\ntrois\n=======\nthree\n>>>>>>> proposal\n" in conflict.value.merged
    assert memory.read(S, P).version == 3 and review.get(name).status == "approved"


def test_an_addition_that_somebody_went_on_writing_is_not_taken_away(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    name = approved(review, make, "text\n")
    memory.write(S, P, "text\nand more\n", actor="bob")
    with pytest.raises(StaleBase):
        review.undo(name, by="ana")
    memory.delete(S, P, actor="bob")
    assert review.undo(name, by="ana").status == "reverted"  # it is gone already


def test_a_rejected_proposal_waits_again(
    memory: MemoryService, review: ReviewService, make: Make, db: Database
) -> None:
    proposal = make()
    review.submit([proposal])
    review.reject(proposal.id, reason="wrong", by="ana")
    assert review.undo(proposal.id, by="bob") == proposal
    with db.read() as conn:
        last = audit.entries(conn)[0]
    assert (last.actor, last.action, last.detail["was"]) == ("bob", "proposal.reopened", "rejected")
    assert review.decided_ideas(S) == {}
    review.approve(proposal.id, by="ana")
    assert memory.read(S, P).content == proposal.content


def test_what_was_not_decided_cannot_be_taken_back(review: ReviewService, make: Make) -> None:
    proposal = make()
    review.submit([proposal])
    with pytest.raises(Conflict, match="it is pending"):
        review.undo(proposal.id, by="ana")
    review.approve(proposal.id, by="ana")
    review.undo(proposal.id, by="ana")
    with pytest.raises(Conflict, match="it is reverted"):
        review.undo(proposal.id, by="ana")
