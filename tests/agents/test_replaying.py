"""``reverie.replay``: an edit of memory is tried on tasks, in pairs, before anybody adopts it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import reverie
from reverie.agents.replaying import Work, of_agent, of_sessions
from reverie.domain.errors import Invalid, ReverieError, UsageError
from reverie.domain.memories import content_sha256
from reverie.domain.proposals import Proposal
from reverie.dreaming.replays import Replay
from reverie.dreaming.trials.assignment import toss

FOLDER = Path(__file__).parent
TASKS = [f"letter {number}" for number in range(12)]


def propose(house: reverie.Reverie, content: str, path: str = "/how.md", store: str = "default") -> str:
    kept = house.memory.store(store)
    found = house.memory.find(kept.id, path)
    proposal = Proposal(
        id=f"prop_{content_sha256(content + path)[:26]}",
        dream_id="drm_x",
        store_id=kept.id,
        kind="add" if found is None else "update",
        path=path,
        title="Seal letters",
        content=content,
        base_sha256=None if found is None else found.content_sha256,
        base_content=None if found is None else found.content,
        idea=f"seal {path}",
        evidence_weight=9,
        findings=(),
        risk="low",
        origins=("user",),
        writer="template/2",
        status="pending",
        created_at=datetime(2026, 5, 1, tzinfo=UTC),
    )
    house.review.submit([proposal])
    return proposal.id


def tried(*arguments: Any, **more: Any) -> Replay:
    return asyncio.run(reverie.replay(*arguments, **more))


class Office:
    """Plays letters: one that memory says how to seal succeeds, any other one by the luck of the draw."""

    def __init__(self, house: reverie.Reverie, *, luck: float = 0.0, breaks_after: int | None = None) -> None:
        self.house = house
        self.luck = luck
        self.breaks_after = breaks_after
        self.played: Counter[str] = Counter()

    async def play(self, task: str, store: str) -> bool:
        if self.played.total() == self.breaks_after:
            raise RuntimeError("the lights went out")
        self.played[store] += 1
        found = self.house.memory.find(store, "/how.md")
        if found is not None and "red wax" in found.content:
            return True
        return toss(b"luck of the draw", task, store, str(self.played[store])) < self.luck


def test_an_edit_that_helps_is_found_out_and_leaves_memory_as_it_was(house: reverie.Reverie) -> None:
    proposal, office = propose(house, "Seal with red wax.\n"), Office(house)
    found = tried([proposal], TASKS, office.play, reverie=house)
    assert found.status == "adopt" and found.standing.losses == 0
    assert found.standing.wins == found.standing.pairs < 60, "it stops as soon as it is clear"
    assert house.memory.list("default") == [] and house.review.get(proposal).status == "pending"
    assert all(house.stores.get(id).archived_at for id in (found.with_store, found.without_store))
    (entry,) = [each for each in house.audit() if each.action == "replay.adopt"]
    assert entry.detail["won"] == found.standing.wins


def test_an_edit_that_does_nothing_is_given_up(house: reverie.Reverie) -> None:
    found = tried(
        [propose(house, "Seal with blue wax.\n")],
        TASKS,
        Office(house, luck=0.5).play,
        pairs=40,
        reverie=house,
    )
    assert found.status == "give up"


def test_what_was_played_is_not_played_again(house: reverie.Reverie) -> None:
    proposal = propose(house, "Seal with red wax.\n")
    first, second = Office(house, breaks_after=5), Office(house)
    with pytest.raises(RuntimeError, match="lights"):
        tried([proposal], TASKS, first.play, at_once=1, reverie=house)
    (left,) = house.replays.list(proposal)
    assert left.status == "running" and len(left.done) == 2
    found = tried([proposal], TASKS, second.play, at_once=1, reverie=house)
    assert found.id == left.id and found.status == "adopt"
    assert second.played.total() == 2 * (found.standing.pairs - 2)
    again = tried([proposal], TASKS, second.play, reverie=house)
    assert again == found and second.played.total() == 2 * (found.standing.pairs - 2)


def test_pairs_at_once_come_to_the_same_kind_of_answer(house: reverie.Reverie) -> None:
    found = tried(
        [propose(house, "Seal with red wax.\n")], TASKS, Office(house).play, at_once=5, reverie=house
    )
    assert found.status == "adopt" and len({pair.task for pair in found.in_order}) == len(found.in_order)


def test_what_cannot_be_tried(house: reverie.Reverie) -> None:
    office, proposal = Office(house), propose(house, "Seal with red wax.\n")
    twin = propose(house, "Seal with blue wax.\n")
    other = propose(house, "Fold twice.\n", store=house.memory.create_store("other").id)
    for proposals, tasks, error, said in [
        ([proposal], [], Invalid, "tasks"),
        ([proposal], ["a", "a"], Invalid, "each once"),
        ([], TASKS, Invalid, "proposals"),
        ([twin, other], TASKS, UsageError, "for one store"),
        ([proposal], TASKS, UsageError, "superseded"),
    ]:
        with pytest.raises(error, match=said):
            tried(proposals, tasks, office.play, reverie=house)
    house.approve(twin, by="ana")
    with pytest.raises(UsageError, match="approved"):
        tried([twin], TASKS, office.play, reverie=house)
    assert house.replays.list() == [] and not office.played


def writer(store: str) -> reverie.Agent:
    return reverie.Agent(
        name="clerk",
        model=f"scripted:{FOLDER / 'remembering.py'}:worker",
        tools=["read"],
        memory={store: "read_only"},
    )


RUBRIC = "- It says `red wax`."
GRADER = f"scripted:{FOLDER / 'judging.py'}:honest"


def test_real_agents_play_works_and_their_sessions_are_no_evidence(house: reverie.Reverie) -> None:
    house.memory.write("default", "/how.md", "Send letters as they are.\n", actor="ana")
    proposal = propose(house, "Seal with red wax.\n")
    works = {f"letter {n}": Work(f"Send letter {n}.", RUBRIC) for n in range(8)}
    play = of_agent(writer, works, grader=GRADER, reverie=house)
    found = tried([proposal], list(works), play, reverie=house)
    assert found.status == "adopt"
    assert len(house.replays.sessions()) >= 2 * found.standing.pairs
    assert {each.id for each in house.log.sessions()} == house.replays.sessions()
    with pytest.raises(ReverieError, match="no session"):
        house.dream()


def test_recorded_sessions_are_played_anew(house: reverie.Reverie) -> None:
    store = house.memory.store("default")
    house.memory.write("default", "/how.md", "Send letters as they are.\n", actor="ana")
    recorded = [
        asyncio.run(
            reverie.pursue(f"Send letter {n}.", agent=writer("default"), rubric=RUBRIC, grader=GRADER,
                           max_iterations=1, reverie=house)
        )
        for n in range(7)
    ]  # fmt: skip
    assert not any(each.satisfied for each in recorded)
    play = of_sessions(store.id, reverie=house)
    ids = [each.session.id for each in recorded]
    found = tried([propose(house, "Seal with red wax.\n")], ids, play, reverie=house)
    assert found.status == "adopt"


def test_a_session_that_nothing_judges_cannot_be_played(house: reverie.Reverie) -> None:
    agent = reverie.Agent(model=f"scripted:{FOLDER / 'models.py'}:echo")
    session = agent.run_sync("hello", reverie=house)
    play = of_sessions(house.memory.store("default").id, reverie=house)
    with pytest.raises(UsageError, match="no outcome"):
        tried([propose(house, "Seal.\n")], [session.id], play, reverie=house)
