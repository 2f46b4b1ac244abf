"""Plans that are carried out, through the front door: order, results, retries, limits, and how they end."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from tests.runtime.houses import (
    Answers,
    House,
    Probe,
    answer,
    built_in,
    calls,
    custom,
    house_on,
    rested,
    said,
)
from tests.runtime.leads import (
    Gate,
    Script,
    begin_team,
    check,
    idles,
    patiently,
    results_of,
    send,
    threads,
    tool,
    wait,
)

from reverie.domain.errors import ModelFailed, UsageError
from reverie.domain.events import Event
from reverie.domain.messages import ModelRequest
from reverie.domain.plans import TaskState


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    with house_on(sqlite_url) as opened:
        opened.attend()
        yield opened  # type: ignore[misc]


class Crew:
    """A specialist that does what its task is called, and counts how often each was asked of it."""

    priced = True

    def __init__(self, **does: Any) -> None:
        self.does = does
        self.asked: Counter[str] = Counter()
        self.told: dict[str, str] = {}
        self.order: list[str] = []
        self.at_once = self.most = 0

    async def __call__(self, request: ModelRequest) -> Any:
        prompt = said(request)[0]
        name = prompt.split()[0]
        self.asked[name] += 1
        self.told[name] = prompt
        self.order.append(name)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0.002)
            does = self.does.get(name, f"{name} is done")
            gave = does(request) if callable(does) else does
            gave = await gave if asyncio.iscoroutine(gave) else gave
        finally:
            self.at_once -= 1
        if isinstance(gave, Exception):
            raise gave
        return gave


def failing(times: int, then: str = "at last") -> Callable[[ModelRequest], Any]:
    """Fails for good (its thread gives up) so many times."""
    left = [ModelFailed("it is down", retryable=False)] * times
    return lambda request: left.pop() if left else then


def task(name: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "agent": "s", "prompt": f"{name} please", "depends_on": list(needs), **more}


def plan(*tasks: dict[str, Any], **more: Any) -> Any:
    return tool("run_plan", name="p", tasks=list(tasks), **more)


def states(house: House, session: str, number: int = 0) -> dict[str, TaskState]:
    return dict(house.plans.list(session, limit=100)[number].run.state.tasks)


def statuses(house: House, session: str) -> dict[str, str]:
    return {name: state.status for name, state in states(house, session).items()}


def carried_out(house: House, crew: Any, call: Any, **more: Any) -> tuple[str, str]:
    """A lead runs a plan; gives the session and what the lead was told."""
    lead = Script(call, "Done.")
    session = begin_team(house, lead, {"s": crew}, **more)
    house.turn(session)
    assert idles(check(house, session)) == 1
    return session, results_of(lead.requests[-1])[0]


def of_runs(events: Sequence[Event]) -> list[str]:
    shown = [e.type for e in events if e.type.startswith("workflow_run.") and e.type != "workflow_run.news"]
    return [each.removeprefix("workflow_run.") for each in shown]


# ---------------------------------------------------------------------- order


def test_tasks_run_in_the_order_of_what_they_need_and_are_given_its_results(house: House) -> None:
    crew = Crew()
    tasks = [task("d", "b", "c"), task("b", "a"), task("c", "a"), task("a")]
    session, told = carried_out(house, crew, plan(*tasks))
    assert crew.order[0] == "a" and crew.order[-1] == "d" and set(crew.asked.values()) == {1}
    assert (
        "b is done" in crew.told["d"] and "c is done" in crew.told["d"] and "a is done" not in crew.told["d"]
    )
    assert set(statuses(house, session).values()) == {"finished"} and "d is done" in told
    living = house.live.state(session).threads
    assert list(living) == [""], "its threads have ended with their tasks"


def test_as_many_as_the_plan_allows_run_at_once(house: House) -> None:
    crew = Crew()

    async def meets(request: ModelRequest) -> str:
        while crew.most < 3:
            await asyncio.sleep(0.005)
        return "met"

    crew.does = {f"t{n}": meets for n in range(12)}
    carried_out(house, crew, plan(*(task(f"t{n}") for n in range(12)), at_once=3))
    assert crew.most == 3 and crew.asked.total() == 12


def test_three_hundred_inputs_each_once(house: House) -> None:
    crew = Crew()
    mapped = {"agent": "s", "inputs": [f"i{n}" for n in range(300)], "prompt": "{input} please"}
    session, told = carried_out(house, crew, tool("run_plan", name="m", map=mapped, reduce="Count them."))
    assert set(crew.asked.values()) == {1} and len(crew.asked) == 300 and crew.most <= 20
    assert set(statuses(house, session).values()) == {"finished"} and "Count them." in told


def test_phases_are_told_in_their_order(house: House) -> None:
    tasks = [task("a", phase="one"), task("b", "a", phase="two")]
    session, _ = carried_out(house, Crew(), plan(*tasks, phases=["one", "two"]))
    told = of_runs(house.log_of(session))
    assert told == [
        "created", "status_running", "phase_started", "phase_ended", "phase_started", "phase_ended", "status_ended",
    ]  # fmt: skip


# ---------------------------------------------------------------------- failures


def test_what_fails_is_tried_again_after_a_while(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reverie.orchestration.deciding.FIRST_RETRY_SECONDS", 0.05)
    crew = Crew(a=failing(2))
    session, told = carried_out(house, crew, plan(task("a", retries=2)))
    assert crew.asked["a"] == 3 and states(house, session)["a"].attempts == 3 and "at last" in told
    assert "attempt 3" in crew.told["a"] and "it is down" in crew.told["a"]


def test_what_needs_a_task_that_failed_is_skipped_and_the_rest_is_done(house: House) -> None:
    crew = Crew(a=failing(9))
    tasks = [task("a"), task("b", "a"), task("c", "b"), task("d"), task("e", "f"), task("f", optional=True)]
    crew.does["f"] = failing(9)
    session, told = carried_out(house, crew, plan(*tasks))
    assert statuses(house, session) == {
        "a": "failed", "b": "skipped", "c": "skipped", "d": "finished", "e": "finished", "f": "failed",
    }  # fmt: skip
    assert "c skipped: it needs b → a; a failed: it is down" in told


def test_a_failure_stops_everything_where_the_plan_says_so(house: House) -> None:
    gate = Gate()
    crew = Crew(slow=gate, a=failing(9))
    session, told = carried_out(house, crew, plan(task("slow"), task("a"), task("b", "a"), on_failure="stop"))
    assert statuses(house, session) == {"slow": "stopped", "a": "failed", "b": "stopped"}
    assert "was ended: task a failed" in told


def test_a_task_that_takes_too_long_is_cut_off(house: House) -> None:
    cut = threading.Event()

    async def forever(input: Any) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            cut.set()
        return "never"

    house.tools_here = [Probe(does=forever)]
    crew = Crew(hangs=lambda request: calls("probe"))
    agents = {"s": {"tools": [built_in()]}}
    session, _ = carried_out(house, crew, plan(task("hangs", timeout_s=0.3), task("a")), agents=agents)
    assert statuses(house, session) == {"hangs": "failed", "a": "finished"} and cut.is_set()
    assert "longer than 0.3 s" in (states(house, session)["hangs"].why or "")


def test_tokens_of_a_task_and_of_a_plan_are_held(house: House) -> None:
    house.tools_here = [Probe()]
    endless = Answers(lambda request: answer(*calls("probe", n=len(request.messages)), tokens=99))
    agents = {"s": {"tools": [built_in()]}}
    session, _ = carried_out(house, endless, plan(task("a", max_tokens=250)), agents=agents)
    assert statuses(house, session) == {"a": "failed"} and len(endless.requests) == 3
    endless.requests.clear()
    session, told = carried_out(house, endless, plan(task("a"), task("b"), max_tokens=900), agents=agents)
    assert set(statuses(house, session).values()) == {"stopped"} and "900 tokens are used up" in told
    assert len(endless.requests) <= 9 + 2


def test_a_plan_that_cannot_be_carried_out_is_refused_with_the_path(house: House) -> None:
    for tasks, words in (
        ([task("a", "b"), task("b", "a")], "a → b → a"),
        ([{**task("a"), "agent": "nobody"}], "plan.tasks[0].agent"),
        ([task("a", "zzz")], "plan.tasks[0].depends_on[0]"),
    ):
        lead = Script(plan(*tasks), "I see.")
        session = begin_team(house, lead, {"s": Crew()})
        house.turn(session)
        (told,) = results_of(lead.requests[-1])
        assert words in told or "fit its schema" in told
        assert not of_runs(check(house, session))


# ---------------------------------------------------------------------- stopping


@pytest.mark.parametrize("by", ["lead", "client", "interrupt"])
def test_a_run_is_stopped_at_a_word(house: House, by: str) -> None:
    gates = {f"t{n}": Gate() for n in range(3)}
    crew = Crew(**gates, done="ready")
    lead = Script(
        plan(task("done"), *(task(name) for name in gates), task("late", "t0"), wait=False), "I wait."
    )
    session = begin_team(house, lead, {"s": crew})
    watch = house.watch(session)
    house.tell(session)
    watch.until(lambda events: all(gate.asked.is_set() for gate in gates.values()))
    patiently(lambda: statuses(house, session)["done"] == "finished" and len(lead.requests) == 2)
    at = time.monotonic()
    if by == "lead":
        lead.answers = [tool("stop_plan", why="enough"), "Stopped."]
        house.tell(session, "stop it")
    elif by == "client":
        (run,) = house.plans.list(session)
        house.plans.stop(session, run.id, "enough")
    else:
        house.sessions.send(session, [{"type": "user.interrupt"}])
    watch.until(rested)
    watch.stop()
    assert time.monotonic() - at < 2.0
    check(house, session)
    assert Counter(statuses(house, session).values()) == {"finished": 1, "stopped": 4}
    assert len(lead.requests) == (4 if by == "lead" else 2)


def test_a_specialist_of_a_plan_that_is_stopped_is_not_started_again(house: House) -> None:
    gate = Gate()
    lead = Script(plan(task("a", retries=3), wait=False), "I wait.", "Done.")
    session = begin_team(house, lead, {"s": Crew(a=gate)})
    watch = house.watch(session)
    house.tell(session)
    watch.until(lambda events: gate.asked.is_set())
    (thread,) = threads(house.log_of(session))
    house.sessions.send(session, [{"type": "user.interrupt", "session_thread_id": thread}])
    watch.until(rested)
    watch.stop()
    assert statuses(house, session) == {"a": "stopped"}
    check(house, session)


# ---------------------------------------------------------------------- several, and by whom


def test_two_runs_at_once_and_a_lead_that_goes_on_meanwhile(house: House) -> None:
    crew = Crew()
    two = [plan(task("a"), task("b", "a"), wait=False), plan(task("c"), wait=False)]
    lead = Script([*two, send("s", "x please"), wait()], "One.", "Two.", "Three.", "Four.")
    session = begin_team(house, lead, {"s": crew})
    house.turn(session)
    assert idles(check(house, session)) == 1
    told = " ".join(lead.heard)
    assert all(f"{name} is done" in told for name in "bcx") and set(crew.asked.values()) == {1}


def test_an_eleventh_run_is_refused(house: House) -> None:
    gate = Gate()
    lead = Script([plan(task("g"), wait=False) for _ in range(11)], "I wait.", *["More."] * 30)
    session = begin_team(house, lead, {"s": gate})
    watch = house.watch(session)
    house.tell(session)
    watch.until(lambda events: len(lead.requests) >= 2)
    told = results_of(lead.requests[1])
    assert sum("10 runs are open" in text for text in told) == 1
    with pytest.raises(UsageError):
        house.plans.start(session, {"tasks": [task("a")]})
    gate.go.set()
    watch.until(rested)
    watch.stop()
    check(house, session)


@pytest.mark.parametrize("reduce", [None, "Put it together."])
def test_a_client_has_a_plan_carried_out_while_the_lead_rests(house: House, reduce: str | None) -> None:
    crew, lead = Crew(), Script("All in all: good.")
    session = begin_team(house, lead, {"s": crew})
    watch = house.watch(session)
    house.plans.start(session, {"name": "p", "tasks": [task("a"), task("b", "a")], "reduce": reduce})
    watch.until(rested)
    watch.stop()
    assert idles(check(house, session)) == 1 and set(statuses(house, session).values()) == {"finished"}
    assert len(lead.requests) == (reduce is not None)
    if reduce:
        assert reduce in lead.heard[0] and "b is done" in lead.heard[0]


def test_a_task_that_waits_for_a_person_goes_on_with_the_answer(house: House) -> None:
    crew = Crew(a=lambda request: calls("price", n=1) if len(request.messages) == 1 else "priced")
    lead = Script(plan(task("a"), task("b", "a")), "Done.")
    session = begin_team(house, lead, {"s": crew}, agents={"s": {"tools": [custom("price")]}})
    watch = house.watch(session)
    house.tell(session)
    asked = lambda events: [e for e in events if e.type == "agent.custom_tool_use"]  # noqa: E731
    (call,) = asked(watch.until(asked))
    content = [{"type": "text", "text": "3"}]
    house.sessions.send(
        session, [{"type": "user.custom_tool_result", "custom_tool_use_id": call.id, "content": content}]
    )
    watch.until(rested)
    watch.stop()
    assert set(statuses(house, session).values()) == {"finished"}
    check(house, session)


def test_where_the_sessions_budget_ends_the_plan_waits_and_goes_on_with_more(house: House) -> None:
    house.tools_here = [Probe()]
    crew = Answers(lambda request: answer(*calls("probe", n=len(request.messages)), tokens=99))
    session = begin_team(
        house,
        Script("Done."),
        {"s": crew},
        agents={"s": {"tools": [built_in()]}},
        budget={"type": "limit", "max_tokens": "1000"},
    )
    watch = house.watch(session)
    house.plans.start(session, {"name": "p", "tasks": [task("a"), task("b"), task("c", "a")]})
    watch.until(rested)
    assert house.stop(session) == {"type": "budget_reached"} and len(crew.requests) <= 10 + 2
    crew.answers = ["enough"]
    house.sessions.update(session, {"budget": {"type": "limit", "max_tokens": "100000"}})
    patiently(lambda: set(statuses(house, session).values()) == {"finished"})
    watch.stop()
    patiently(lambda: house.live.row(session).status == "idle")
    check(house, session)
