"""Decisions: what they do to memory, what they leave behind, and that one of them is enough."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.conftest import SteppingClock
from tests.review.conftest import Make

from reverie.domain.errors import (
    AlreadyDecided,
    Ambiguous,
    Conflict,
    InvalidMemory,
    NotFound,
    StaleBase,
    UsageError,
)
from reverie.domain.memories import content_sha256
from reverie.domain.proposals import Proposal
from reverie.memory.stores import MemoryService
from reverie.review.review import ABSENT, ReviewService
from reverie.storage import audit
from reverie.storage.database import Connection, Database

S, P = "default", "/notes/uploads.md"
BASE = "one\ntwo\nthree\nfour\nfive\n"


def submitted(review: ReviewService, proposal: Proposal) -> str:
    assert review.submit([proposal]).added == (proposal.id,)
    return proposal.id


def log(db: Database) -> list[tuple[str, str, str]]:
    with db.read() as conn:
        return [(e.actor, e.action, e.subject) for e in reversed(audit.entries(conn))]


# ---------------------------------------------------------------------- approving


def test_approval_writes_memory_and_says_who_and_when(
    memory: MemoryService, review: ReviewService, make: Make, db: Database, clock: SteppingClock
) -> None:
    proposal = make()
    name = submitted(review, proposal)
    at = clock.now
    done = review.approve(name, by="ana", note="seen it too")
    version = memory.versions(S, P)[-1]
    assert (version.content, version.actor, version.proposal_id) == (proposal.content, "ana", name)
    assert version.reason == "Split large files"
    assert done.status == "approved" and done == review.get(name)
    assert done.decision is not None
    assert (done.decision.by, done.decision.at, done.decision.note) == ("ana", at, "seen it too")
    assert (done.decision.version_id, done.decision.content) == (version.id, None)
    assert [line[:2] for line in log(db)[1:]] == [
        ("reverie", "proposals.submitted"),
        ("ana", "memory.created"),
        ("ana", "proposal.approved"),
    ]
    assert log(db)[-1][2] == name


def test_a_proposal_comes_back_as_it_was_submitted(review: ReviewService, make: Make) -> None:
    proposal = make(
        "text with \u2028 and 'quotes'\n", origins=("tool", "user"), base_content="b", base_sha256="c"
    )
    submitted(review, proposal)
    assert review.get(proposal.id) == proposal and review.get(proposal.id).tainted


def test_retiring_deletes_and_is_done_when_it_is_gone_already(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = submitted(review, make("", kind="retire"))
    done = review.approve(name, by="ana")
    assert memory.find(S, P) is None
    assert done.decision is not None and memory.versions(S, P)[-1].id == done.decision.version_id
    memory.write(S, P, BASE, actor="ana")
    again = submitted(review, make("", kind="retire", idea="other"))
    memory.delete(S, P, actor="bob")
    done = review.approve(again, by="ana")
    assert done.decision is not None and done.decision.version_id is None
    assert len(memory.versions(S, P)) == 4


def test_when_memory_says_it_already_no_version_is_written(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    name = submitted(review, make())
    memory.write(S, P, make().content, actor="bob")
    done = review.approve(name, by="ana")
    assert done.status == "approved"
    assert [v.actor for v in memory.versions(S, P)] == ["bob"]
    review.undo(name, by="ana")  # and undoing it does not take bob's text away
    assert [v.actor for v in memory.versions(S, P)] == ["bob"]


# ---------------------------------------------------------------------- when memory moved on


def test_changes_in_other_lines_are_merged(memory: MemoryService, review: ReviewService, make: Make) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = submitted(review, make(BASE.replace("five", "FIVE")))
    memory.write(S, P, BASE.replace("one", "ONE"), actor="bob")
    assert review.preview(name).result == "ONE\ntwo\nthree\nfour\nFIVE\n"
    done = review.approve(name, by="ana")
    assert memory.read(S, P).content == "ONE\ntwo\nthree\nfour\nFIVE\n"
    assert done.decision is not None and done.decision.content == memory.read(S, P).content


def test_changes_in_the_same_line_are_shown_and_nothing_happens(
    memory: MemoryService, review: ReviewService, make: Make, db: Database
) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = submitted(review, make(BASE.replace("three", "drei")))
    memory.write(S, P, BASE.replace("three", "trois"), actor="bob")
    before = log(db)
    with pytest.raises(StaleBase) as conflict:
        review.approve(name, by="ana")
    assert "<<<<<<< memory\ntrois\n=======\ndrei\n>>>>>>> proposal\n" in conflict.value.merged
    assert memory.read(S, P).version == 2
    assert review.get(name).status == "pending" and log(db) == before
    preview = review.preview(name)
    assert not preview.clean and preview.result == conflict.value.merged


def test_a_conflict_is_resolved_by_modifying_against_what_was_seen(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    memory.write(S, P, BASE, actor="ana")
    name = submitted(review, make(BASE.replace("three", "drei")))
    memory.write(S, P, BASE.replace("three", "trois"), actor="bob")
    preview = review.preview(name)
    assert preview.result is not None
    with pytest.raises(InvalidMemory, match="markers"):
        review.modify(name, preview.result, by="ana", seen_sha256=preview.seen_sha256)
    resolved = BASE.replace("three", "trois, drei")
    with pytest.raises(StaleBase):
        review.modify(name, resolved, by="ana")
    memory.write(S, P, BASE.replace("three", "tres"), actor="cy")
    with pytest.raises(Conflict, match="since you looked"):
        review.modify(name, resolved, by="ana", seen_sha256=preview.seen_sha256)
    seen = review.preview(name).seen_sha256
    assert review.modify(name, resolved, by="ana", seen_sha256=seen).status == "modified"
    assert memory.read(S, P).content == resolved


@pytest.mark.parametrize(
    ("base", "now", "kind", "content"),
    [
        (None, "somebody's\n", "add", "mine\n"),  # the path was free
        (BASE, None, "update", "mine\n"),  # it was deleted
        (BASE, "changed\n", "retire", ""),  # it was changed, and should go
    ],
)
def test_there_being_a_memory_at_all_can_conflict(
    memory: MemoryService,
    review: ReviewService,
    make: Make,
    base: str | None,
    now: str | None,
    kind: str,
    content: str,
) -> None:
    if base is not None:
        memory.write(S, P, base, actor="ana")
    name = submitted(review, make(content, kind=kind))
    if now is None:
        memory.delete(S, P, actor="bob")
    else:
        memory.write(S, P, now, actor="bob")
    with pytest.raises(StaleBase) as conflict:
        review.approve(name, by="ana")
    assert conflict.value.merged == f"<<<<<<< memory\n{now or ''}=======\n{content}>>>>>>> proposal\n"
    seen = ABSENT if now is None else content_sha256(now)
    assert review.preview(name).seen_sha256 == seen
    review.modify(name, "settled\n", by="ana", seen_sha256=seen)
    assert memory.read(S, P).content == "settled\n"


# ---------------------------------------------------------------------- modifying, rejecting


def test_modifying_keeps_both_texts(memory: MemoryService, review: ReviewService, make: Make) -> None:
    proposal = make()
    name = submitted(review, proposal)
    done = review.modify(name, "My words.\n", by="ana")
    assert done.status == "modified" and done.content == proposal.content
    assert done.decision is not None and done.decision.content == "My words.\n"
    assert memory.read(S, P).content == "My words.\n"


def test_modifying_nothing_is_approving(review: ReviewService, make: Make) -> None:
    proposal = make()
    assert review.modify(submitted(review, proposal), proposal.content, by="ana").status == "approved"


def test_a_text_that_memory_does_not_take_leaves_the_proposal_waiting(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    name = submitted(review, make())
    with pytest.raises(InvalidMemory):
        review.modify(name, "x" * 200_000, by="ana")
    assert review.get(name).status == "pending" and memory.list() == []


def test_rejecting_leaves_memory_alone_and_keeps_the_reason(
    memory: MemoryService, review: ReviewService, make: Make, db: Database
) -> None:
    name = submitted(review, make())
    done = review.reject(name, reason="too_broad", by="ana", note="only for big files")
    assert done.status == "rejected" and done.decision is not None
    assert (done.decision.reason, done.decision.note) == ("too_broad", "only for big files")
    assert memory.list() == []
    assert log(db)[-1] == ("ana", "proposal.rejected", name)
    with pytest.raises(UsageError, match="no reason"):
        review.reject(name, reason="ugly", by="ana")  # type: ignore[arg-type]


def test_deciding_twice_names_who_and_when(review: ReviewService, make: Make, clock: SteppingClock) -> None:
    name = submitted(review, make())
    at = clock.now
    review.reject(name, reason="wrong", by="ana")
    for again in (
        lambda: review.approve(name, by="bob"),
        lambda: review.modify(name, "x", by="bob"),
        lambda: review.reject(name, reason="wrong", by="bob"),
    ):
        with pytest.raises(AlreadyDecided, match=rf"rejected by ana at {at:%Y-%m-%dT%H:%M:%S}"):
            again()


def test_nobody_decides_without_a_name(review: ReviewService, make: Make) -> None:
    name = submitted(review, make())
    for by in ("", " \t", "a\nb"):
        with pytest.raises(UsageError):
            review.approve(name, by=by)
    assert review.get(name).status == "pending"


def test_a_failure_in_the_middle_leaves_no_half(
    memory: MemoryService, review: ReviewService, make: Make, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory was written already when the audit entry of the decision fails: all of it must go."""
    name = submitted(review, make())
    before = log(db)
    real = audit.append

    def fails(conn: Connection, at: object, actor: str, action: str, *rest: object) -> object:
        if action.startswith("proposal."):
            raise RuntimeError("no room")
        return real(conn, at, actor, action, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(audit, "append", fails)
    with pytest.raises(RuntimeError, match="no room"):
        review.approve(name, by="ana")
    assert memory.list() == [] and review.get(name).status == "pending" and log(db) == before


# ---------------------------------------------------------------------- finding


def test_proposals_are_found_by_prefix(review: ReviewService, make: Make) -> None:
    one, other = make(id="prop_abcd"), make("other", id="prop_abxy", idea="other")
    review.submit([one, other])
    assert review.get("prop_abc") == one and review.get("abx") == other and review.get(one.id) == one
    with pytest.raises(Ambiguous, match="prop_abcd"):
        review.get("ab")
    for missing in ("zz", "", "prop_", "%", "prop_ab%", "_"):
        with pytest.raises(NotFound):
            review.get(missing)


def test_lists_are_filtered_and_in_order_of_importance(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    names = [make(path=f"/n/{n}", idea=f"idea {n}", dream_id="drm_1").id for n in range(3)]
    review.submit([make(path=f"/n/{n}", idea=f"idea {n}", dream_id="drm_1") for n in range(3)])
    assert [p.id for p in review.list()] == names
    review.approve(names[0], by="ana")
    assert [p.id for p in review.list(status="pending")] == names[1:]
    assert [p.id for p in review.list(S, dream_id="drm_1", status="approved")] == names[:1]
    assert [p.id for p in review.list(limit=2)] == names[:2]
    assert review.list(kind="retire") == [] and review.list(dream_id="drm_9") == []
    memory.create_store("other")
    assert review.list("other") == []


# ---------------------------------------------------------------------- two at once


def test_of_two_reviewers_at_once_exactly_one_wins(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    name = submitted(review, make())
    names = [f"reviewer {n}" for n in range(8)]
    acts: list[Callable[[str], Proposal]] = [
        lambda by: review.approve(name, by=by),
        lambda by: review.reject(name, reason="wrong", by=by),
        lambda by: review.modify(name, f"{by}'s words\n", by=by),
    ]
    won, lost = at_once([lambda n=n, by=by: acts[n % 3](by) for n, by in enumerate(names)])
    assert len(won) == 1 and len(lost) == 7
    winner = won[0].decision
    assert winner is not None
    assert all(isinstance(e, AlreadyDecided) and winner.by in str(e) for e in lost)
    assert review.get(name) == won[0]
    written = memory.versions(S, P) if won[0].status != "rejected" else []
    assert len(written) == (won[0].status != "rejected") and len(memory.list()) == len(written)


def test_approvals_of_one_memory_at_once_are_all_in_it(
    memory: MemoryService, review: ReviewService, make: Make
) -> None:
    base = "".join(f"line {n}\nkept {n}\n" for n in range(6))
    memory.write(S, P, base, actor="ana")
    proposals = [make(base.replace(f"line {n}\n", f"LINE {n}\n"), idea=f"idea {n}") for n in range(6)]
    review.submit(proposals)
    won, lost = at_once([lambda p=p: review.approve(p.id, by="ana") for p in proposals])
    assert lost == [] and len(won) == 6
    assert memory.read(S, P).content == base.replace("line", "LINE")
    assert [v.version for v in memory.versions(S, P)] == list(range(1, 8))


def test_additions_at_one_free_path_at_once(memory: MemoryService, review: ReviewService, make: Make) -> None:
    proposals = [make(f"text {n}\n", idea=f"idea {n}") for n in range(4)]
    review.submit(proposals)
    won, lost = at_once([lambda p=p: review.approve(p.id, by="ana") for p in proposals])
    assert len(won) == 1 and all(isinstance(error, StaleBase) for error in lost)
    assert memory.read(S, P).content == won[0].content


def at_once(acts: list[Callable[[], Proposal]]) -> tuple[list[Proposal], list[Exception]]:
    """Runs everything at the same moment, on a thread each: what came out, and the errors."""
    won: list[Proposal] = []
    lost: list[Exception] = []
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Proposal]) -> None:
        gate.wait()
        try:
            won.append(act())
        except Exception as error:
            lost.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won, lost
