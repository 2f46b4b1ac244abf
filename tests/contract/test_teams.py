"""Teams as the SDK knows them: who may call whom, how deep, and what each of them may use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaManagedAgentsAgent, BetaManagedAgentsSession
from anthropic.types.beta.sessions import BetaManagedAgentsSessionThread
from tests.contract.serving import ENGINES
from tests.contract.sessions import USAGE, Loop, agent, session

from reverie.app import Reverie
from reverie.storage.database import Database

SPENT = sum(USAGE.values())


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    database = Database.open(database_url, clock=clock)
    with Reverie(database, clock=clock, entropy=entropy, waker=loop.wake) as house:
        loop.house = house
        yield house


def coordinator(*entries: Any, **more: Any) -> Any:
    return {"type": "coordinator", "agents": list(entries), **more}


def switches(**more: Any) -> Any:
    return {"type": "multiagent_20261001", **more}


def subagents(*entries: Any, **more: Any) -> Any:
    return {"type": "enabled", "predefined_agents": list(entries), **more}


def lead(sdk: Any, *entries: Any, name: str = "lead", **more: Any) -> Any:
    return agent(sdk, name=name, multiagent=coordinator(*entries, **more))


def refusal(call: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(anthropic.BadRequestError) as refused:
        call(*args, **more)
    return str(refused.value.body["error"]["message"])


# ------------------------------------------------------------------ how deep


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_roster_may_be_deeper_where_that_is_said(client: Any, strict: Any) -> None:
    helper = agent(client, name="helper", system="look things up")
    middle = lead(client, helper.id, {"type": "self"}, name="middle")
    top = lead(client, middle.id, {"type": "self"}, max_depth=2)
    strict(top, BetaManagedAgentsAgent)
    assert top.multiagent.max_depth == 2 and middle.multiagent.max_depth == 1
    client.beta.agents.update(helper.id, system="another")
    client.beta.agents.update(middle.id, multiagent=None)
    made = session(client, agent=top.id)
    strict(made, BetaManagedAgentsSession)
    called, itself = made.agent.multiagent.agents
    assert (called.name, itself.name) == ("middle", "lead")
    assert not hasattr(itself, "multiagent"), "an agent that calls itself calls it without its roster"
    below = called.multiagent["agents"]
    assert [(member["name"], member["system"]) for member in below] == [
        ("helper", "look things up"),
        ("middle", None),
    ]
    assert all("multiagent" not in member for member in below)


def test_the_subagents_of_the_three_switches_may_be_deeper_too(sdk: Any, strict: Any) -> None:
    helper = agent(sdk, name="helper")
    middle = agent(sdk, name="middle", multiagent=switches(subagents=subagents(helper.id)))
    wanted = switches(subagents=subagents(middle.id, max_depth=2))
    top = agent(sdk, multiagent=wanted)
    strict(top)
    assert top.multiagent.subagents.max_depth == 2
    (called,) = session(sdk, agent=top.id).agent.multiagent.subagents.predefined_agents
    (below,) = called.multiagent["subagents"]["predefined_agents"]
    assert below["name"] == "helper"
    kept = sdk.beta.agents.update(top.id, multiagent=switches(subagents={"type": "enabled"}))
    assert kept.version == top.version and kept.multiagent.subagents.max_depth == 2, "what is left out stays"
    shallow = switches(subagents={"type": "enabled", "max_depth": None})
    assert "multiagent.subagents.predefined_agents[0]" in refusal(
        sdk.beta.agents.update, top.id, multiagent=shallow
    )
    in_runs = switches(workflows=subagents(middle.id, max_depth=2))
    assert "multiagent.workflows.predefined_agents[0]" in refusal(agent, sdk, multiagent=in_runs)


def test_what_is_deeper_than_was_said_is_refused_by_its_path(client: Any) -> None:
    helper = agent(client)
    one = lead(client, helper.id)
    two = lead(client, helper.id, one.id, max_depth=2)
    told = refusal(lead, client, helper.id, one.id)
    assert "`multiagent.agents[1]`: an agent without a roster of its own" in told
    told = refusal(lead, client, two.id, max_depth=2)
    assert "`multiagent.agents[0].multiagent.agents[1]`" in told
    three = lead(client, two.id, max_depth=3)
    assert "`multiagent.agents[0].multiagent.agents[0].multiagent.agents[1]`" in refusal(
        lead, client, three.id, max_depth=3
    )
    for depth in (0, 4, -1):
        assert "`multiagent.max_depth`" in refusal(lead, client, helper.id, max_depth=depth)
    assert "a whole number" in refusal(lead, client, helper.id, max_depth="2")


def test_no_roster_leads_back_to_who_is_above_it(client: Any) -> None:
    first = agent(client, name="first")
    second = lead(client, first.id, name="second")
    around = coordinator(second.id, max_depth=3)
    told = refusal(client.beta.agents.update, first.id, multiagent=around)
    assert "`multiagent.agents[0].multiagent.agents[0]`: no agent that is above it" in told
    assert client.beta.agents.retrieve(first.id).version == 1


def test_a_team_has_an_end(client: Any) -> None:
    workers = [agent(client).id for _ in range(20)]
    leads = [lead(client, *workers).id for _ in range(5)]
    assert "at most 100 agents" in refusal(lead, client, *leads, max_depth=2)
    assert lead(client, *leads[:4], max_depth=2).multiagent.max_depth == 2


# ------------------------------------------------------------------ who is there


@pytest.mark.parametrize(
    "form",
    [
        coordinator,
        lambda *entries: switches(subagents=subagents(*entries)),
        lambda *entries: switches(workflows=subagents(*entries)),
    ],
    ids=["coordinator", "subagents", "workflows"],
)
def test_a_roster_that_cannot_be(client: Any, form: Any) -> None:
    plain, gone = agent(client), agent(client)
    client.beta.agents.update(gone.id, system="another")
    client.beta.agents.archive(gone.id)
    for entries, told in (
        ([plain.id] * 21, "at most 20 items, this has 21"),
        ([plain.id, plain.id], "agents that differ"),
        ([plain.id, gone.id], "[1]`: an agent that is not archived"),
        ([{"type": "agent", "id": gone.id, "version": 1}], "[0]`: an agent that is not archived"),
        (["agent_none"], "[0]`: an agent of this workspace"),
    ):
        assert told in refusal(agent, client, multiagent=form(*entries))


@pytest.mark.parametrize("form", ["coordinator", "subagents", "below"])
def test_an_archived_specialist_keeps_a_session_from_starting(client: Any, form: str) -> None:
    other, gone = agent(client), agent(client, name="gone")
    roster, path = {
        "coordinator": (coordinator(other.id, gone.id), "agent.multiagent.agents[1]"),
        "subagents": (
            switches(subagents=subagents(gone.id)), "agent.multiagent.subagents.predefined_agents[0]",
        ),
        "below": (
            coordinator(lead(client, gone.id).id, max_depth=2),
            "agent.multiagent.agents[0].multiagent.agents[0]",
        ),
    }[form]  # fmt: skip
    top = agent(client, multiagent=roster)
    session(client, agent=top.id)
    client.beta.agents.archive(gone.id)
    told = refusal(session, client, agent=top.id)
    assert path in told and gone.id in told and "archived" in told


# ------------------------------------------------------------------ what each may use


def limit(sdk: Any, made: Any, thread: str, tokens: Any) -> Any:
    path = f"/v1/sessions/{made.id}/threads/{thread}"
    return sdk.post(path, body={"max_tokens": tokens}, cast_to=BetaManagedAgentsSessionThread)


def worked(loop: Loop, made: Any, **more: Any) -> str:
    """A specialist that has used some tokens and rests."""
    snapshot = {**made.agent.to_dict(), "name": "helper"}
    opened: list[str] = []
    loop.live.advance(made.id, lambda page: opened.append(page.open_thread(snapshot, **more)), lambda _: None)
    loop.live.turn(made.id, "running", thread=opened[-1])
    told = {"model_request_start_id": "", "model_usage": {**USAGE, "speed": None}}
    loop.emit(made.id, "span.model_request_end", opened[-1], **told)
    return opened[-1]


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_thread_has_a_budget_of_its_own(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    loop.begin(made.id)
    helper = worked(loop, made, name="survey", run="wrun_1", max_tokens=SPENT)
    loop.live.turn(made.id, "idle", thread=helper, stop={"type": "budget_reached"})
    loop.rest(made.id)
    shown = client.beta.sessions.threads.retrieve(helper, session_id=made.id)
    strict(shown)
    assert (shown.max_tokens, shown.name, shown.workflow_run_id) == (SPENT, "survey", "wrun_1")
    (created,) = client.beta.sessions.events.list(made.id, types=["session.thread_created"])
    strict(created)
    assert (created.max_tokens, created.name, created.workflow_run_id) == (SPENT, "survey", "wrun_1")
    assert client.beta.sessions.retrieve(made.id).status == "idle"
    send = client.beta.sessions.events.send
    send(made.id, events=[{"type": "user.message", "content": [{"type": "text", "text": "go on"}]}])
    loop.woken.clear()
    assert f"more than what it used already, {SPENT}" in refusal(limit, client, made, helper, SPENT - 1)
    assert limit(client, made, helper, SPENT).max_tokens == SPENT and not loop.woken
    raised = limit(client, made, helper, SPENT + 1)
    strict(raised)
    assert raised.max_tokens == SPENT + 1 and loop.woken == [made.id], "what rests for it goes on"
    assert limit(client, made, helper, None).max_tokens is None
    told = client.beta.sessions.events.list(made.id, types=["session.thread_updated"])
    assert not list(told), "it is the thread's own"
    for wrong in (0, -1, "9", 1.5):
        assert "`max_tokens`" in refusal(limit, client, made, helper, wrong)
    path = f"/v1/sessions/{made.id}/threads/{helper}"
    assert "`max_tokens`: required" in refusal(client.post, path, body={}, cast_to=object)


def test_the_primary_thread_can_be_limited_too(client: Any, loop: Loop) -> None:
    made = session(client)
    (primary,) = client.beta.sessions.threads.list(made.id)
    assert primary.max_tokens is None and primary.name is None
    assert limit(client, made, primary.id, 1_000).max_tokens == 1_000
    (told,) = client.beta.sessions.events.list(made.id, types=["session.thread_updated"])
    assert told.max_tokens == 1_000
    assert not list(client.beta.sessions.events.list(made.id)), "types of ours show when they are asked for"
    with pytest.raises(anthropic.NotFoundError):
        limit(client, made, "sthr_none", 5)


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_what_a_specialist_did_is_shown_after_its_end(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    loop.begin(made.id)
    helper = worked(loop, made, max_tokens=SPENT + 1)
    loop.live.turn(made.id, "idle", thread=helper)
    before = client.beta.sessions.threads.retrieve(helper, session_id=made.id)
    total = client.beta.sessions.retrieve(made.id)
    after = client.beta.sessions.threads.archive(helper, session_id=made.id)
    strict(after)
    assert after.usage == before.usage and after.stats.active_seconds == before.stats.active_seconds
    assert (after.status, after.max_tokens, after.agent) == ("terminated", SPENT + 1, before.agent)
    later = client.beta.sessions.threads.retrieve(helper, session_id=made.id)
    assert later.stats == after.stats, "its time has ended"
    whole = client.beta.sessions.retrieve(made.id)
    assert whole.usage.input_tokens == total.usage.input_tokens == USAGE["input_tokens"]
    assert whole.stats.active_seconds >= total.stats.active_seconds
    assert "has ended" in refusal(limit, client, made, helper, 10_000)
    stop = {"type": "user.interrupt", "session_thread_id": helper}
    assert "not archived" in refusal(client.beta.sessions.events.send, made.id, events=[stop])
    client.beta.sessions.events.send(made.id, events=[{"type": "user.interrupt"}])
    loop.rest(made.id)
    client.beta.sessions.archive(made.id)
    assert client.beta.sessions.threads.retrieve(helper, session_id=made.id).usage == before.usage


# ------------------------------------------------------------------ plans

PLAN: Any = {
    "name": "survey",
    "description": "look, then tell",
    "tasks": [
        {"id": "look", "agent": "helper", "prompt": "look", "phase": "one", "retries": 1, "max_tokens": 500},
        {"id": "tell", "agent": "clerk", "prompt": "tell", "depends_on": ["look"], "optional": True},
    ],
    "phases": ["one", {"id": "two", "name": "Two", "description": "afterwards"}],
    "at_once": 2,
    "max_tokens": 9_000,
    "timeout_s": 60.5,
}


def team(sdk: Any, **more: Any) -> Any:
    """A session whose agent may call ``helper`` and ``clerk``."""
    names = [agent(sdk, name=name).id for name in ("helper", "clerk")]
    return session(sdk, agent=lead(sdk, *names).id, **more)


def start(sdk: Any, made: Any, plan: Any = PLAN) -> Any:
    return sdk.post(f"/v1/sessions/{made.id}/plans", body={"plan": plan}, cast_to=object)


def plans(sdk: Any, made: Any, rest: str = "", **more: Any) -> Any:
    return sdk.get(f"/v1/sessions/{made.id}/plans{rest}", cast_to=object, **more)


def news(loop: Loop, made: Any, run: str, **told: Any) -> None:
    what = {**told, "at": "2026-03-01T00:00:00Z"}
    loop.emit(made.id, "workflow_run.news", workflow_run_id=run, news=what)


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_plan_is_taken_and_shown_as_it_goes(client: Any, loop: Loop, strict: Any) -> None:
    made = team(client)
    begun = start(client, made)
    assert loop.woken == [made.id]
    run = begun["id"]
    assert run.startswith("wrun_") and (begun["status"], begun["name"]) == ("running", "survey")
    assert begun["counts"] == {
        "waiting": 2, "running": 0, "finished": 0, "failed": 0, "skipped": 0, "stopped": 0,
    }  # fmt: skip
    assert [phase["status"] for phase in begun["phases"]] == ["waiting", "waiting"]
    look, tell = begun["tasks"]
    assert (look["prompt"], look["retries"], look["max_tokens"]) == ("look", 1, 500)
    assert (tell["depends_on"], tell["optional"], tell["thread_id"]) == (["look"], True, None)
    created, running = client.beta.sessions.events.list(made.id)
    strict(created)
    assert running.type == "session.status_running", "it goes on by itself until the run has ended"
    assert (created.type, created.workflow_run_id, created.name) == ("workflow_run.created", run, "survey")
    assert [phase.id for phase in created.phases] == ["one", "two"]
    assert not hasattr(created, "plan") and not hasattr(created, "private"), "its pages show that"
    loop.begin(made.id)
    helper = worked(loop, made, run=run, name="look")
    news(loop, made, run, news="phase_began", phase="one")
    news(loop, made, run, news="started", task="look", thread=helper)
    loop.emit(
        made.id, "span.model_request_end", helper, model_request_start_id="", model_usage=USAGE,
        list_cost="1.5",
    )  # fmt: skip
    going = plans(client, made, f"/{run}")
    assert going["tasks"][0]["status"] == "running" and going["tasks"][0]["thread_id"] == helper
    assert going["phases"][0]["status"] == "running"
    assert (going["tokens"], going["list_cost"]) == (SPENT, {"amount": "2", "currency": "USD"})
    news(loop, made, run, news="finished", task="look", thread=helper, text="seen")
    news(loop, made, run, news="phase_over", phase="one")
    news(loop, made, run, news="skipped", task="tell", why="no need")
    news(loop, made, run, news="ended", result="completed", why="1 finished, 1 skipped")
    loop.emit(made.id, "workflow_run.status_ended", workflow_run_id=run, result={"type": "completed"})
    over = plans(client, made, f"/{run}")
    assert (over["status"], over["why"]) == ("completed", "1 finished, 1 skipped") and over["ended_at"]
    assert (over["tasks"][0]["result"], over["tasks"][1]["why"]) == ("seen", "no need")
    assert over["phases"][0]["status"] == "over" and loop.live.state(made.id).open_runs == ()
    (listed,) = plans(client, made)["data"]
    assert listed == {**over, "tasks": None}
    assert stop(client, made, run) == over, "what has ended is not stopped"


def stop(sdk: Any, made: Any, run: str, **said: Any) -> Any:
    return sdk.post(f"/v1/sessions/{made.id}/plans/{run}/stop", body=said, cast_to=object)


def test_a_plan_is_stopped_at_a_word(sdk: Any, loop: Loop) -> None:
    made = team(sdk)
    run = start(sdk, made)["id"]
    loop.woken.clear()
    asked = stop(sdk, made, run, why="enough")
    assert (asked["status"], asked["why"]) == ("stopping", "enough") and loop.woken == [made.id]
    assert stop(sdk, made, run, why="again")["why"] == "enough"
    assert len(list(sdk.beta.sessions.events.list(made.id, types=["workflow_run.news"]))) == 1
    assert not [e for e in sdk.beta.sessions.events.list(made.id) if e.type == "workflow_run.news"]
    other = start(sdk, made)["id"]
    sdk.beta.sessions.events.send(made.id, events=[{"type": "user.interrupt"}])
    assert plans(sdk, made, f"/{other}")["status"] == "stopping", "an interrupt of all stops runs too"
    with pytest.raises(anthropic.BadRequestError, match="running"):
        sdk.beta.sessions.archive(made.id)
    for each in (run, other):
        loop.emit(made.id, "workflow_run.status_ended", workflow_run_id=each, result={"type": "stopped"})
    sdk.beta.sessions.archive(made.id)
    assert plans(sdk, made, f"/{other}")["status"] == "stopped", "it has ended with its session"
    assert "archived" in refusal(start, sdk, made)
    with pytest.raises(anthropic.NotFoundError):
        plans(sdk, made, "/wrun_none")
    with pytest.raises(anthropic.NotFoundError):
        stop(sdk, session(sdk), run)


def task(name: str, **more: Any) -> Any:
    return {"id": name, "agent": "helper", "prompt": "p", **more}


BAD_PLANS: Any = [
    ({"tasks": [task("a", agent="nobody")]}, "`plan.tasks[0].agent`"),
    ({"tasks": [task("a"), task("b", depends_on=["c"])]}, "`plan.tasks[1].depends_on[0]`"),
    ({"tasks": [task("a", depends_on=["b"]), task("b", depends_on=["a"])]}, "a → b → a"),
    ({"tasks": [task("a"), task("a")]}, "ids that differ"),
    ({"tasks": []}, "`plan.tasks`"),
    ({}, "tasks or map"),
    ({"tasks": [task("a", depend_on=["b"])]}, "`plan.tasks[0].depend_on`: unknown here"),
    ({"tasks": [{"id": "a", "agent": "helper"}]}, "`plan.tasks[0].prompt`: required"),
    ({"tasks": [task("a", retries=-1)]}, "`plan.tasks[0].retries`"),
    ({"tasks": [task("a")], "at_once": 65}, "`plan.at_once`"),
    ({"tasks": [task("a")], "on_failure": "cry"}, "`plan.on_failure`"),
    ({"tasks": [task(f"t{n}") for n in range(1_001)]}, "from 1 to 1000"),
    ({"map": {"agent": "helper", "inputs": [], "prompt": "{input}"}}, "`plan.map.inputs`"),
    ("a plan", "`plan`"),
]


@pytest.mark.parametrize(("plan", "told"), BAD_PLANS)
def test_a_plan_that_cannot_be_carried_out_is_refused_by_its_path(client: Any, plan: Any, told: str) -> None:
    made = team(client)
    assert told in refusal(start, client, made, plan)
    assert plans(client, made)["data"] == [] and not list(client.beta.sessions.events.list(made.id))


def test_a_plan_maps_one_agent_over_many(client: Any) -> None:
    over = {"agent": "helper", "inputs": ["x", {"name": "y"}], "prompt": "read {input}"}
    begun = start(client, team(client), {"map": over, "reduce": "join"})
    assert [task["prompt"] for task in begun["tasks"]] == ["read x", 'read {"name":"y"}']
    assert begun["reduce"] == "join"


def test_who_may_carry_out_plans(client: Any) -> None:
    assert "`plan`: a session whose agent may call others" in refusal(start, client, session(client))
    helper = agent(client, name="helper")
    off = switches(subagents=subagents(helper.id), workflows={"type": "disabled"})
    assert "`plan`" in refusal(start, client, session(client, agent=agent(client, multiagent=off).id))
    on = switches(subagents={"type": "disabled"}, workflows=subagents(helper.id))
    made = session(client, agent=agent(client, multiagent=on).id)
    assert start(client, made, {"tasks": [task("a")]})["status"] == "running"


def test_ten_plans_at_a_time(client: Any, loop: Loop) -> None:
    made = team(client)
    runs = [start(client, made, {"name": f"n{n}", "tasks": [task("a")]})["id"] for n in range(10)]
    assert "at most 10 runs" in refusal(start, client, made)
    loop.emit(made.id, "workflow_run.status_ended", workflow_run_id=runs[0], result={"type": "stopped"})
    runs.append(start(client, made)["id"])
    first = plans(client, made, "?limit=4")
    second = plans(client, made, f"?limit=100&page={first['next_page']}")
    assert [run["id"] for run in [*first["data"], *second["data"]]] == runs and second["next_page"] is None


def test_a_session_without_budget_begins_no_plan(client: Any, loop: Loop) -> None:
    made = team(client, budget={"type": "limit", "max_list_cost": {"amount": "5", "currency": "USD"}})
    loop.begin(made.id)
    loop.rest(made.id, "budget_reached")
    assert "budget" in refusal(start, client, made)


def test_what_a_run_tells_is_what_the_sdk_knows(client: Any, loop: Loop, strict: Any) -> None:
    made = team(client)
    run = start(client, made)["id"]
    of_run = {"workflow_run_id": run}
    loop.emit(made.id, "workflow_run.status_running", **of_run)
    began = loop.emit(made.id, "workflow_run.phase_started", **of_run, workflow_run_phase_id="one")
    over = {"workflow_run_phase_id": "one", "phase_started_id": began.id}
    loop.emit(made.id, "workflow_run.phase_ended", **of_run, **over)
    loop.emit(made.id, "workflow_run.status_idle", **of_run)
    full = {"type": "max_workflow_runs_error", "message": "no more"}
    loop.emit(made.id, "workflow_run.error", error=full)
    slow = {"type": "timeout_error", "message": "too slow"}
    loop.emit(made.id, "workflow_run.error", **of_run, error=slow)
    loop.emit(made.id, "workflow_run.status_ended", **of_run, result={"type": "error", "error": slow})
    loop.emit(made.id, "workflow_run.status_ended", **of_run, result={"type": "stopped"})
    told = list(client.beta.sessions.events.list(made.id))
    for event in told:
        strict(event)
    of_runs = [event.type for event in told if event.type.startswith("workflow_run.")]
    assert [type.removeprefix("workflow_run.") for type in of_runs] == [
        "created", "status_running", "phase_started", "phase_ended", "status_idle", "error", "error",
        "status_ended", "status_ended",
    ]  # fmt: skip
