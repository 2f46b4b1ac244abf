"""``reverie.Team``: a lead and its specialists, plans, and many inputs."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import reverie
from reverie.agents.team import MAX_SPECIALISTS, PlanResult, plans_of
from reverie.domain.errors import Invalid, NotFound, UsageError
from reverie.domain.plans import Plan, Task


@pytest.fixture
def teaming() -> Callable[[str], str]:
    """The name of one of the models in ``teaming.py``."""
    return lambda name: f"scripted:{Path(__file__).with_name('teaming.py')}:{name}"


@pytest.fixture
def team(teaming: Callable[[str], str]) -> reverie.Team:
    named = ("reader", "failing", "hanging", "flaky", "counted")
    specialists = {name: reverie.Agent(model=teaming(name)) for name in named}
    return reverie.Team(lead=reverie.Agent(name="lead", model=teaming("lead")), specialists=specialists)


def run(work: Awaitable[Any]) -> Any:
    async def it() -> Any:
        return await work

    return asyncio.run(it())


def task(id: str, prompt: str, *needs: str, agent: str = "reader", **more: Any) -> dict[str, Any]:
    return {"id": id, "agent": agent, "prompt": prompt, "depends_on": list(needs), **more}


def plan(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "work", "tasks": list(tasks), **more}


# ---------------------------------------------------------------------- the lead


def test_the_lead_calls_a_specialist_and_has_its_report(house: reverie.Reverie, team: reverie.Team) -> None:
    seen: list[str] = []
    session = team.run_sync("read this", reverie=house, on_event=lambda event: seen.append(event.type))
    assert session.stop_reason == "end_turn" and session.text.startswith("They say:")
    assert "READ THIS" in session.said.values() and session.said[""] == session.text
    assert "session.thread_created" in seen
    more = run(session.send("and that"))
    assert more.stop_reason == "end_turn"


def test_each_function_is_its_specialists(house: reverie.Reverie, teaming: Callable[[str], str]) -> None:
    asked: list[str] = []

    def price(article: str) -> str:
        """What an article costs."""
        asked.append(article)
        return "three euros"

    clerk = reverie.Agent(model=teaming("pricing"), tools=[price])
    lead = reverie.Agent(name="lead", model=teaming("lead"))
    crew = reverie.Team(lead=lead, specialists={"reader": clerk})
    session = crew.run_sync("what is tea?", reverie=house)
    assert asked == ["tea"] and "three euros" in session.said.values()
    both = reverie.Team(lead=lead, specialists={"one": clerk, "two": clerk})
    assert list(both.functions.by_name) == ["price"]


def test_teams_that_cannot_be_are_refused(teaming: Callable[[str], str]) -> None:
    def price(article: str) -> str:
        """What an article costs."""
        return article

    one = reverie.Agent(tools=[price])

    def other(article: str) -> str:
        """What an article costs, too."""
        return article

    other.__name__ = "price"
    lead = reverie.Agent(name="lead")
    with pytest.raises(UsageError, match="two functions of the team are called 'price'"):
        reverie.Team(lead=lead, specialists={"one": one, "two": reverie.Agent(tools=[other])})
    with pytest.raises(UsageError, match="called 'lead', as one"):
        reverie.Team(lead=lead, specialists={"lead": one})
    for count in (0, MAX_SPECIALISTS + 1):
        with pytest.raises(UsageError, match=f"from 1 to 20 specialists, not {count}"):
            reverie.Team(lead=lead, specialists={f"s{n}": lead for n in range(count)})


# ---------------------------------------------------------------------- plans


def carried_out(house: reverie.Reverie, team: reverie.Team, told: Any, **more: Any) -> PlanResult:
    return run(team.carry_out(told, reverie=house, **more))


def test_a_plan_is_carried_out_in_order_with_what_came_before(
    house: reverie.Reverie, team: reverie.Team
) -> None:
    done = carried_out(house, team, plan(task("b", "two", "a"), task("a", "one")))
    assert done.result == "completed"
    assert [at.status for at in done.tasks.values()] == ["finished", "finished"]
    second, first = done.texts
    assert first == "ONE" and second is not None
    assert second.startswith("TWO") and "ONE" in second, "the result of what it builds on was in its prompt"
    assert (done.tasks["a"].ended_at or 0) <= (done.tasks["b"].started_at or 0)  # type: ignore[operator]
    assert done.text == "", "the lead was not asked"


def test_a_plan_may_be_told_as_a_value(house: reverie.Reverie, team: reverie.Team) -> None:
    done = carried_out(house, team, Plan("work", (Task("a", "reader", "one"),)))
    assert done.texts == ["ONE"] and done.state.plan.name == "work"


def test_what_fails_is_told_and_what_needs_it_is_skipped(house: reverie.Reverie, team: reverie.Team) -> None:
    told = plan(
        task("a", "fail now", agent="failing"),
        task("b", "two", "a"),
        task("c", "three"),
        task("d", "fail too", agent="failing", optional=True),
        task("e", "five", "d"),
    )
    done = carried_out(house, team, told)
    assert done.result == "completed"
    assert {name: at.status for name, at in done.tasks.items()} == {
        "a": "failed", "b": "skipped", "c": "finished", "d": "failed", "e": "finished",
    }  # fmt: skip
    assert "told to fail" in (done.tasks["a"].why or "") and "it needs a" in (done.tasks["b"].why or "")
    assert done.texts[:3] == [None, None, "THREE"]


def test_an_attempt_is_made_again(house: reverie.Reverie, team: reverie.Team, tmp_path: Path) -> None:
    done = carried_out(house, team, plan(task("a", f"{tmp_path / 'tries'}", agent="flaky", retries=1)))
    assert done.tasks["a"].status == "finished" and done.tasks["a"].attempts == 2


def test_the_lead_makes_something_of_the_results(
    house: reverie.Reverie, teaming: Callable[[str], str]
) -> None:
    lead = reverie.Agent(name="lead", model=teaming("reducer"))
    team = reverie.Team(lead=lead, specialists={"reader": reverie.Agent(model=teaming("reader"))})
    words = [f"word {number}" for number in range(30)]
    done = run(
        team.map("reader", words, prompt="{index}: {input}", at_once=7, reduce="One list.", reverie=house)
    )
    assert done.texts == [f"{number}: {word}".upper() for number, word in enumerate(words, start=1)]
    assert done.text.startswith("All in all:") and "One list." in done.text and "30: WORD 29" in done.text
    started = [e for e in done.session.events if e.type == "session.thread_created"]
    assert len(started) == 30
    fields = run(team.map("reader", [{"name": "ann", "age": 3}], prompt="{name} is {age}", reverie=house))
    assert fields.texts == ["ANN IS 3"]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            plan(task("a", "x", "b"), task("b", "x", "c"), task("c", "x", "a")),
            "a → b → c → a|b → c → a → b|c → a",
        ),
        (plan(task("a", "x", agent="nobody")), "one of counted, failing"),
        (plan(task("a", "x", "z")), "depends_on"),
        (plan(task("a", "x"), task("a", "y")), "ids that differ"),
        (plan(), "tasks or map|from 1"),
        ({"name": "m", "map": {"agent": "reader", "inputs": ["a"], "prompt": "{nothing}"}}, "nothing"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_its_path(
    house: reverie.Reverie, team: reverie.Team, told: Any, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        carried_out(house, team, told)
    assert (refused.value.where or "").startswith("`plan")
    assert house.log.sessions() == [], "nothing was begun"


def test_a_plan_is_stopped_at_a_word(house: reverie.Reverie, team: reverie.Team) -> None:
    async def stopped() -> tuple[PlanResult, reverie.RunSession]:
        told = plan(task("a", "one"), task("b", "for ever", agent="hanging"), task("c", "three", "b"))
        session = await team.start_plan(told, reverie=house)
        async for event in session.stream():
            if event.type == "workflow_run.news" and event.payload["news"]["news"] == "finished":
                break
        (begun,) = plans_of(session)
        assert begun.result is None and begun.tasks["a"].status == "finished"
        await session.stop_plan(begun.run_id, "it is enough")
        return plans_of(session)[0], session

    done, session = run(stopped())
    assert done.result == "stopped" and done.state.ended and "it is enough" in done.state.ended.why
    assert [at.status for at in done.tasks.values()] == ["finished", "stopped", "stopped"]
    with pytest.raises(NotFound):
        run(session.stop_plan("wrun_nowhere"))


def test_one_session_carries_out_several_plans(house: reverie.Reverie, team: reverie.Team) -> None:
    async def both() -> reverie.RunSession:
        session = await team.start_plan(plan(task("a", "one")), reverie=house)
        await session.wait()
        second = await team.go_on_with(session, plan(task("b", "two")))
        assert second.texts == ["TWO"]
        return session

    assert [each.texts for each in plans_of(run(both()))] == [["ONE"], ["TWO"]]


# ---------------------------------------------------------------------- after the program ended


KILLED = """
    import asyncio, os, signal, sys
    import reverie

    def stop(event):
        if event.type == "workflow_run.news" and event.payload["news"]["news"] == "finished":
            print(event.session_id, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)

    models = "scripted:" + sys.argv[2] + ":"
    team = reverie.Team(lead=reverie.Agent(name="lead", model=models + "lead"),
                        specialists={"counted": reverie.Agent(model=models + "counted")})
    tasks = [{"id": f"t{n}", "agent": "counted", "prompt": f"{sys.argv[3]} t{n}"} for n in range(6)]
    for before, task in zip(tasks, tasks[1:]):
        task["depends_on"] = [before["id"]]
    asyncio.run(team.carry_out({"name": "count", "tasks": tasks}, db=sys.argv[1], on_event=stop))
"""


def test_what_has_finished_is_not_done_again_after_a_crash(
    tmp_path: Path, teaming: Callable[[str], str], team: reverie.Team
) -> None:
    db, count = tmp_path / "r.db", tmp_path / "count"
    models = Path(__file__).with_name("teaming.py")
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(db), str(models), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    finished = count.read_text().split()
    assert finished[0] == "t0"
    with reverie.open(db) as house:

        async def resumed() -> reverie.RunSession:
            session = await team.resume(done.stdout.strip(), reverie=house)
            return await session.wait()

        (result,) = plans_of(run(resumed()))
    assert result.result == "completed" and {at.status for at in result.tasks.values()} == {"finished"}
    written = count.read_text().split()
    assert list(dict.fromkeys(written)) == [f"t{n}" for n in range(6)] and written.count("t0") == 1
    assert len(written) <= 7, "at most the one that was under way is done again"
