"""kill -9 in the middle of grading, again and again: every evaluation that was begun ends once, no verdict that was
given is asked for again, and nothing is satisfied that is not."""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.acceptance.grading_nursery import PHRASES, agent_of, rubric_of
from tests.acceptance.nursery import effects
from tests.acceptance.test_session_kills import log_of, nursery, wait

import reverie
from reverie.app import Reverie
from reverie.domain.events import Event
from reverie.domain.outcomes import GRADER

VOTES = (1, 1, 1, 3)
"""Of the graders of each session. The first comes to its end, the second never does, the third's are talked round."""
FINAL = {"satisfied", "failed", "max_iterations_reached"}


def begun(house: Reverie) -> list[str]:
    place = house.environments.create({"name": "here"}).id
    agents = [house.agents.create(agent_of(number, votes)).id for number, votes in enumerate(VOTES)]
    return [house.sessions.create({"agent": id, "environment_id": place}).row.id for id in agents]


def define(house: Reverie, session: str, number: int) -> None:
    rubric = {"type": "text", "content": rubric_of(number)}
    told = {"description": "Write three parts.", "rubric": rubric, "max_iterations": 4}
    house.sessions.send(session, [{"type": "user.define_outcome", **told}])


def written(house: Reverie, sessions: Sequence[str]) -> int:
    return sum(len(log_of(house, session)) for session in sessions)


def of_type(events: Sequence[Event], name: str) -> list[Event]:
    return [event for event in events if event.type == name]


def check(house: Reverie, session: str, number: int) -> list[str]:
    """Everything that must hold of one session; gives what its outcomes came to."""
    events = log_of(house, session)
    assert (
        events[-1].type == "session.status_idle" and events[-1].payload["stop_reason"]["type"] == "end_turn"
    )
    assert house.live.state(session).threads.keys() == {""}, "graders are let go of"
    starts, ends = (of_type(events, f"span.outcome_evaluation_{each}") for each in ("start", "end"))
    assert [e.payload["outcome_evaluation_start_id"] for e in ends] == [e.id for e in starts]
    final = Counter(e.payload["outcome_id"] for e in ends if e.payload["result"] in FINAL)
    assert final == Counter(e.payload["outcome_id"] for e in of_type(events, "user.define_outcome"))
    for start, end in zip(starts, ends, strict=True):
        judged(events[start.seq - 1 : end.seq], events[: start.seq])
    return [end.payload["result"] for end in ends]


def judged(during: Sequence[Event], before: Sequence[Event]) -> None:
    """One evaluation: its graders, and what came of it."""
    end = during[-1].payload
    threads: Mapping[str, list[Event]] = defaultdict(list)
    for event in during:
        threads[event.thread].append(event)
    made = [e.payload for e in of_type(during, "session.thread_created")]
    assert all(told["agent_name"] == GRADER for told in made)
    spent = Counter[str]()
    for told in made:
        mine = threads[told["session_thread_id"]]
        given = [n for n, e in enumerate(mine) if e.type == "agent.tool_use"]
        assert len(given) == 1 or not of_type(mine, "agent.tool_result"), "a verdict is given once"
        assert not of_type(mine[given[0] :], "span.model_request_start"), "and not asked for again"
        assert len(of_type(mine, "agent.tool_result")) == 1
        for request in of_type(mine, "span.model_request_end"):
            spent.update({k: v for k, v in request.payload["model_usage"].items() if v})
    used = {name: end["usage"][name] for name in ("input_tokens", "output_tokens")}
    assert used == {name: spent[name] for name in used}
    says = of_type(before, "agent.message")[-1].payload["content"][0]["text"]
    assert (end["result"] == "satisfied") <= all(phrase in says for phrase in PHRASES)
    assert (end["result"] == "failed") == ("planted" in end["explanation"])


def kill_often(folder: Path, kills: int) -> None:
    dice = random.Random(11)
    hit = 0
    with reverie.open(folder / "reverie.db") as house, nursery(
        folder, pause_s=0.08, module="grading_nursery"
    ) as workers:  # fmt: skip
        sessions = begun(house)
        for _ in range(kills):
            for number, session in enumerate(sessions):
                if house.live.state(session).outcome is None:
                    define(house, session, number)
            before = written(house, sessions)
            workers.say("begin")
            wait(lambda known=before: written(house, sessions) > known, "nobody works")
            time.sleep(0.4 * dice.random())
            workers.say("kill")
            active = [house.live.state(session).outcome for session in sessions]
            hit += any(outcome is not None and outcome.result == "evaluating" for outcome in active)
        workers.say("begin")
        for session in sessions:
            wait(
                lambda s=session: house.live.row(s).status == "idle" and house.live.state(s).outcome is None,
                f"{session} does not settle",
            )
        results = [check(house, session, number) for number, session in enumerate(sessions)]
        assert hit > kills / 2, "it was not killed while it graded"
        assert "satisfied" in results[0] and "satisfied" in results[3]
        assert set(results[1]) == {"needs_revision", "max_iterations_reached"}
        assert set(results[2]) == {"failed"}
        asked = [effect[1] for effect in effects(workers.effects)]
        logged = sum(
            len(of_type([e for e in log_of(house, session) if e.thread], "span.model_request_start"))
            for session in sessions
        )
        assert len(set(asked)) <= len(asked) <= logged, "no request that the log does not know"
        assert not list((folder / "reverie.db.files").glob("sessions/*/*/copies/*")), "no copy is left"
        assert house.verify().problem is None


def test_grading_survives_its_workers(tmp_path: Path) -> None:
    kill_often(tmp_path, 10)


@pytest.mark.slow
def test_grading_survives_three_hundred(tmp_path: Path) -> None:
    kill_often(tmp_path, 300)
