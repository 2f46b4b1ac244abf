"""Three texts that become one: what a person sees, and that nothing is guessed or lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.review.conftest import Make

from reverie.domain.errors import StaleBase
from reverie.memory.merge import Choice, chunked, composed, has_conflict_markers, three_way
from reverie.memory.stores import MemoryService
from reverie.review.merges import Merger
from reverie.review.review import ReviewService

BASE = "# Booking\n\nAdd up the fare.\n\nThen bags.\n"
MEMORY = "# Booking\n\nAdd up fare and tax.\n\nThen bags.\nAsk for a receipt.\n"
PROPOSAL = "# Bookings\n\nAdd up fare and bags.\n\nThen bags.\n"


@pytest.fixture
def merger(memory: MemoryService, review: ReviewService) -> Merger:
    return Merger(memory, review)


def test_choices_make_one_text_which_is_written_once_it_is_approved(
    review: ReviewService, memory: MemoryService, merger: Merger, make: Make
) -> None:
    memory.write("default", "/notes/booking.md", BASE, actor="ana")
    proposal = make(PROPOSAL, path="/notes/booking.md")
    review.submit([proposal])
    memory.write("default", "/notes/booking.md", MEMORY, actor="ben")
    with pytest.raises(StaleBase):
        review.approve(proposal.id, by="ana")
    merging = merger.show(proposal.id)
    assert (merging.base, merging.memory, merging.wanted) == (BASE, MEMORY, PROPOSAL)
    assert [each.kind for each in merging.chunks if each.kind != "same"] == ["proposal", "conflict", "memory"]
    assert merging.conflicts == 1 and has_conflict_markers(merging.text())
    text = merging.text(["both"])
    assert text == (
        "# Bookings\n\nAdd up fare and tax.\nAdd up fare and bags.\n\nThen bags.\nAsk for a receipt.\n"
    )
    review.modify(proposal.id, text, by="ana", seen_sha256=merging.seen_sha256)
    assert memory.read("default", "/notes/booking.md").content == text


def test_a_reviewers_own_text_is_merged_against_what_they_saw(
    review: ReviewService, memory: MemoryService, merger: Merger, make: Make
) -> None:
    memory.write("default", "/notes/booking.md", BASE, actor="ana")
    proposal = make(PROPOSAL, path="/notes/booking.md")
    review.submit([proposal])
    seen = review.preview(proposal.id).seen_sha256
    memory.write("default", "/notes/booking.md", BASE + "Ask for a receipt.\n", actor="ben")
    merging = merger.show(proposal.id, BASE.replace("the fare", "all fares"), seen)
    assert merging.base == BASE and merging.conflicts == 0
    assert merging.text() == BASE.replace("the fare", "all fares") + "Ask for a receipt.\n"


def test_a_memory_that_is_gone_or_new_is_one_conflict(
    review: ReviewService, memory: MemoryService, merger: Merger, make: Make
) -> None:
    memory.write("default", "/gone.md", BASE, actor="ana")
    gone, new = make(PROPOSAL, path="/gone.md", idea="a"), make(PROPOSAL, path="/new.md", idea="b")
    review.submit([gone, new])
    memory.delete("default", "/gone.md", actor="ben")
    memory.write("default", "/new.md", MEMORY, actor="ben")
    for proposal, there in ((gone, ""), (new, MEMORY)):
        merging = merger.show(proposal.id)
        assert [each.kind for each in merging.chunks] == ["conflict"]
        assert merging.text(["memory"]) == there and merging.text(["proposal"]) == PROPOSAL


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\n", "d\n", "e\n"]), max_size=8).map("".join)
CHOICES = st.lists(st.sampled_from(["memory", "proposal", "both", "base", None]), max_size=4)


@settings(max_examples=150)
@given(LINES, LINES, LINES, CHOICES)
def test_the_stretches_are_the_three_texts_and_merge_as_approval_does(
    base: str, memory: str, proposal: str, choices: list[Choice | None]
) -> None:
    chunks = chunked(base, memory, proposal)
    for name, text in (("base", base), ("memory", memory), ("proposal", proposal)):
        assert "".join(getattr(each, name) for each in chunks) == text
    merge = three_way(base, memory, proposal)
    assert composed(chunks, ()) == merge.text
    conflicts = sum(each.kind == "conflict" for each in chunks)
    assert (conflicts == 0) == merge.clean
    settled = choices[:conflicts]
    left = conflicts - sum(each is not None for each in settled)
    assert composed(chunks, choices).count("<<<<<<< memory\n") == left
