"""Sessions, as the SDK knows them: made from references, listed, changed, archived, deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaManagedAgentsDeletedSession, BetaManagedAgentsSession
from tests.contract.serving import ENGINES
from tests.contract.sessions import USAGE, Loop, agent, environment, message, session, store

from reverie.app import Reverie
from reverie.domain.events import NewEvent
from reverie.domain.sessions import Outcome, SessionInfo, Transcript
from reverie.storage.database import Database

CENTS: Any = {"type": "limit", "max_list_cost": {"amount": "125", "currency": "USD"}}


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    database = Database.open(database_url, clock=clock)
    with Reverie(database, clock=clock, entropy=entropy, waker=loop.wake) as house:
        loop.house = house
        yield house


# ------------------------------------------------------------------ create


def test_a_session_says_everything_and_is_idle(sdk: Any, strict: Any) -> None:
    made = session(sdk, title="a task", metadata={"team": "a"})
    strict(made, BetaManagedAgentsSession)
    assert made.id.startswith("sesn_") and made.status == "idle" and made.archived_at is None
    assert (made.title, made.metadata, made.vault_ids, made.resources) == ("a task", {"team": "a"}, [], [])
    assert made.agent.name == "clerk" and made.agent.version == 1 and made.budget is None
    assert sdk.beta.sessions.retrieve(made.id).to_dict() | {"stats": 0} == made.to_dict() | {"stats": 0}


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_it_begins_to_work_when_it_has_initial_events(client: Any, loop: Loop, strict: Any) -> None:
    outcome = {"type": "user.define_outcome", "description": "d", "rubric": {"type": "text", "content": "r"}}
    made = session(client, initial_events=[message(), outcome])
    assert loop.woken == [made.id]
    (evaluation,) = made.outcome_evaluations
    assert (evaluation.result, evaluation.iteration, evaluation.completed_at) == ("pending", 0, None)
    listed = list(client.beta.sessions.events.list(made.id))
    for event in listed:
        strict(event)
    assert [(e.type, e.processed_at is None) for e in listed] == [
        ("user.define_outcome", False), ("user.message", True),
    ]  # fmt: skip


def test_the_agent_is_a_snapshot(sdk: Any) -> None:
    first = agent(sdk, system="be brief")
    made = session(sdk, agent=first.id)
    sdk.beta.agents.update(first.id, version=1, system="be long")
    assert sdk.beta.sessions.retrieve(made.id).agent.system == "be brief"
    assert session(sdk, agent=first.id).agent.system == "be long"
    pinned = session(sdk, agent={"type": "agent", "id": first.id, "version": 1})
    assert (pinned.agent.system, pinned.agent.version) == ("be brief", 1)


def test_overrides_replace_whole_fields_for_this_session_only(sdk: Any, strict: Any) -> None:
    schema = {"type": "object", "properties": {}, "required": []}
    custom = {"type": "custom", "name": "ask", "description": "d", "input_schema": schema}
    base = agent(sdk, system="be brief", tools=[{"type": "agent_toolset_20260401"}])
    said: Any = {
        "type": "agent_with_overrides", "id": base.id, "system": None, "tools": [custom],
        "model": {"id": "openai:other", "effort": "low"}, "skills": [{"type": "anthropic", "skill_id": "x"}],
    }  # fmt: skip
    made = session(sdk, agent=said)
    strict(made)
    assert made.agent.system is None and made.agent.model.id == "openai:other"
    assert [tool.type for tool in made.agent.tools] == ["custom"] and len(made.agent.skills) == 1
    assert sdk.beta.agents.retrieve(base.id).system == "be brief"


def test_a_roster_is_resolved_to_whole_definitions(sdk: Any, strict: Any) -> None:
    helper = agent(sdk, name="helper", system="look things up")
    entries: Any = [helper.id, {"type": "self"}, {"type": "advisor", "model": "openai:big"}]
    lead = agent(sdk, multiagent={"type": "coordinator", "agents": entries})
    made = session(sdk, agent=lead.id)
    strict(made)
    found = made.agent.multiagent.agents
    assert [getattr(member, "name", "advisor") for member in found] == ["helper", "clerk", "advisor"]
    assert found[0].system == "look things up"
    both = agent(
        sdk,
        multiagent={
            "type": "multiagent_20261001",
            "subagents": {"type": "enabled", "predefined_agents": [helper.id]},
        },
    )
    strict(session(sdk, agent=both.id))


@pytest.mark.parametrize(
    "what",
    [
        {"agent": "agent_none"},
        {"environment_id": "env_none"},
        {"vault_ids": ["vlt_none"]},
        {"resources": [{"type": "file", "file_id": "file_none"}]},
        {"resources": [{"type": "memory_store", "memory_store_id": "memstore_none"}]},
        {"resources": [{"type": "memory_store", "memory_store_id": "Notes & Lore"}]},
    ],
)
def test_what_it_refers_to_must_be_there(client: Any, reverie: Reverie, what: Any) -> None:
    store(reverie)
    with pytest.raises(anthropic.NotFoundError):
        session(client, **what)
    assert list(client.beta.sessions.list()) == []


def test_what_it_refers_to_must_not_be_archived(client: Any, reverie: Reverie) -> None:
    old, place, vault = agent(client), environment(client), client.beta.vaults.create(display_name="v")
    client.beta.agents.archive(old.id)
    client.beta.environments.archive(place.id)
    client.beta.vaults.archive(vault.id)
    kept = store(reverie)
    client.beta.memory_stores.archive(kept)
    mounted = [{"type": "memory_store", "memory_store_id": kept}]
    for what in (
        {"agent": old.id},
        {"environment_id": place.id},
        {"vault_ids": [vault.id]},
        {"resources": mounted},
    ):
        with pytest.raises(anthropic.BadRequestError, match="archived"):
            session(client, **what)


@pytest.mark.parametrize(
    ("fits", "breaks", "field"),
    [
        ({"title": "t" * 500}, {"title": "t" * 501}, "title"),
        ({"metadata": {f"k{n}": "v" for n in range(16)}}, {"metadata": {f"k{n}": "v" for n in range(17)}}, "metadata"),
        ({"metadata": {"k" * 64: "v" * 512}}, {"metadata": {"k" * 65: "v"}}, "metadata"),
        ({}, {"metadata": {"k": "v" * 513}}, "metadata"),
        ({"initial_events": [message()] * 50}, {"initial_events": [message()] * 51}, "initial_events"),
        ({"budget": CENTS}, {"budget": {**CENTS, "max_list_cost": {"amount": "1.5", "currency": "USD"}}}, "amount"),
        ({}, {"budget": {**CENTS, "max_list_cost": {"amount": "1", "currency": "EUR"}}}, "currency"),
        ({}, {"initial_events": [{"type": "user.interrupt"}]}, "initial_events"),
    ],
)  # fmt: skip
def test_each_limit_at_it_and_one_past_it(client: Any, fits: Any, breaks: Any, field: str) -> None:
    session(client, **fits)
    with pytest.raises(anthropic.BadRequestError, match=field):
        session(client, **breaks)


def test_at_most_one_outcome_to_begin_with(client: Any) -> None:
    outcome = {"type": "user.define_outcome", "description": "d", "rubric": {"type": "text", "content": "r"}}
    with pytest.raises(anthropic.BadRequestError, match=r"at most one user\.define_outcome, this has 2"):
        session(client, initial_events=[outcome, outcome])


# ------------------------------------------------------------------ list


def test_the_list_is_filtered_by_everything(sdk: Any, reverie: Reverie, loop: Loop) -> None:
    one, two, kept = agent(sdk), agent(sdk), store(reverie)
    sdk.beta.agents.update(one.id, version=1, system="x")
    first = session(sdk, agent={"type": "agent", "id": one.id, "version": 1})
    second = session(sdk, agent=one.id, resources=[{"type": "memory_store", "memory_store_id": kept}])
    third = session(sdk, agent=two.id)
    sdk.beta.sessions.archive(third.id)
    sdk.beta.sessions.events.send(second.id, events=[message()])
    loop.begin(second.id)

    def ids(**query: Any) -> list[str]:
        return [found.id for found in sdk.beta.sessions.list(**query)]

    assert ids() == [second.id, first.id]
    assert ids(order="asc", include_archived=True) == [first.id, second.id, third.id]
    assert ids(agent_id=one.id) == [second.id, first.id]
    assert ids(agent_id=one.id, agent_version=1) == [first.id]
    assert ids(memory_store_id=kept) == [second.id] and ids(agent_id=two.id) == []
    assert ids(statuses=["running"]) == [second.id] and ids(statuses=["idle", "running"]) == [
        second.id,
        first.id,
    ]
    assert ids(statuses=["terminated"], include_archived=True) == [third.id]
    assert ids(deployment_id="depl_none") == []
    assert ids(created_at_gt=first.created_at) == [second.id]
    assert ids(created_at_gte=second.created_at) == [second.id]
    assert ids(created_at_lt=second.created_at, order="asc") == [first.id]
    assert ids(created_at_lte=second.created_at, order="asc") == [first.id, second.id]
    with pytest.raises(anthropic.BadRequestError, match="agent_version"):
        ids(agent_version=1)


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_the_list_is_walked_both_ways(client: Any, order: Any) -> None:
    made = [session(client).id for _ in range(5)]
    wanted = made if order == "asc" else made[::-1]
    assert [found.id for found in client.beta.sessions.list(limit=2, order=order)] == wanted
    first = client.beta.sessions.list(limit=2, order=order)
    assert first.prev_page is None
    second = first.get_next_page()
    third = second.get_next_page()
    assert third.next_page is None and [s.id for s in third.data] == wanted[4:]
    back = client.beta.sessions.list(limit=2, order=order, page=third.prev_page)
    assert [s.id for s in back.data] == wanted[2:4] and back.next_page is not None
    front = client.beta.sessions.list(limit=2, order=order, page=back.prev_page)
    assert [s.id for s in front.data] == wanted[:2] and front.prev_page is None
    with pytest.raises(anthropic.BadRequestError, match="page"):
        client.beta.sessions.list(page="prev_nonsense")


def test_imported_sessions_are_sessions(client: Any, reverie: Reverie, strict: Any) -> None:
    info = SessionInfo("codex", "n1", agent="codex", model="gpt", goal="fix it", outcome=Outcome("success"))
    events = [
        NewEvent("user.message", {"content": "plain text"}, key="1"),
        NewEvent("agent.thinking", {"content": [{"type": "text", "text": "hm"}]}, key="2"),
        NewEvent("agent.tool_use", {"tool_use_id": "c1", "name": "shell", "input": {"cmd": "ls"}}, key="3"),
        NewEvent("agent.tool_result", {"tool_use_id": "c1", "content": [{"type": "odd", "x": 1}]}, key="4"),
        NewEvent("agent.message", {"content": [{"type": "image", "source": 1}]}, key="5", thread="side"),
        NewEvent("span.model_request_end", {"model": "m", "usage": {"input_tokens": 5}}, key="6"),
        NewEvent("session.outcome", {"label": "success", "label_source": "tests"}, key="7"),
        NewEvent("raw", {"kind": "odd", "record": {"a": 1}}, key="8"),
    ]
    found = reverie.log.record(Transcript(info, events)).session_id
    (listed,) = client.beta.sessions.list()
    strict(listed)
    assert (listed.id, listed.status, listed.title) == (found, "idle", "fix it")
    assert (
        listed.agent.name == "codex" and listed.agent.model.id == "gpt" and listed.source["format"] == "codex"
    )
    shown = list(client.beta.sessions.events.list(found))
    for event in shown:
        strict(event)
    assert [e.type for e in shown] == [
        "user.message", "agent.thinking", "agent.tool_use", "agent.tool_result", "span.model_request_end",
    ]  # fmt: skip
    assert shown[0].content[0].text == "plain text" and shown[3].content[0].text == '{"type":"odd","x":1}'
    assert not hasattr(shown[1], "content") and shown[4].model_usage.input_tokens == 5
    assert shown[3].tool_use_id == shown[2].id
    named = client.beta.sessions.events.list(found, types=["session.outcome", "raw"])
    assert [e.type for e in named] == ["session.outcome", "raw"]
    primary, side = client.beta.sessions.threads.list(found)
    strict(side)
    (said,) = client.beta.sessions.threads.events.list(side.id, session_id=found)
    assert said.type == "agent.message" and side.parent_thread_id == primary.id
    with pytest.raises(anthropic.BadRequestError, match="imported"):
        client.beta.sessions.events.send(found, events=[message()])
    client.beta.sessions.delete(found)
    assert reverie.log.sessions() == [] and list(client.beta.sessions.list()) == []


# ------------------------------------------------------------------ update


def test_an_update_changes_what_it_says_and_tells_of_it(sdk: Any, strict: Any) -> None:
    made = session(sdk, title="a", metadata={"keep": "1", "drop": "2"}, budget=CENTS)
    more: Any = {**CENTS, "max_list_cost": {"amount": "300", "currency": "USD"}}
    after = sdk.beta.sessions.update(made.id, title="b", metadata={"drop": None, "new": "3"}, budget=more)
    strict(after)
    assert (after.title, after.metadata) == ("b", {"keep": "1", "new": "3"})
    (told,) = sdk.beta.sessions.events.list(made.id, types=["session.updated"])
    assert told.title == "b" and told.metadata == after.metadata and told.budget.max_list_cost.amount == "300"
    assert "agent" not in told.to_dict()
    assert sdk.beta.sessions.update(made.id, title="b").title == "b"
    assert len(list(sdk.beta.sessions.events.list(made.id))) == 1, "a change that changes nothing is not told"
    assert sdk.beta.sessions.update(made.id, title=None, budget=None).budget is None


def test_tools_change_while_it_is_idle(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    toolset: Any = {"type": "agent_toolset_20260401"}
    after = client.beta.sessions.update(made.id, agent={"tools": [toolset]})
    strict(after)
    assert [tool.type for tool in after.agent.tools] == ["agent_toolset_20260401"]
    (told,) = client.beta.sessions.events.list(made.id)
    assert told.agent.tools[0].type == "agent_toolset_20260401"
    assert client.beta.agents.retrieve(made.agent.id).tools == []
    loop.begin(made.id)
    with pytest.raises(anthropic.BadRequestError, match="this one is running"):
        client.beta.sessions.update(made.id, agent={"tools": []})


def test_a_budget_is_set_at_create_and_only_above_what_was_spent(client: Any, loop: Loop) -> None:
    free, capped = session(client), session(client, budget=CENTS)

    def budget(session_id: str, cents: str | None) -> Any:
        told: Any = (
            None if cents is None else {**CENTS, "max_list_cost": {"amount": cents, "currency": "USD"}}
        )
        return client.beta.sessions.update(session_id, budget=told)

    with pytest.raises(anthropic.BadRequestError, match="budget_create_only"):
        budget(free.id, "5")
    loop.begin(capped.id)
    usage = {
        "input_tokens": 1,
        "output_tokens": 1,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }
    loop.emit(
        capped.id, "span.model_request_end", model_request_start_id="", model_usage=usage, list_cost="124.6"
    )
    loop.rest(capped.id, "budget_reached")
    for refused in ("100", "124"):
        with pytest.raises(anthropic.BadRequestError, match="budget_not_raised"):
            budget(capped.id, refused)
    with pytest.raises(anthropic.BadRequestError, match="budget is reached"):
        client.beta.sessions.events.send(capped.id, events=[message()])
    client.beta.sessions.events.send(capped.id, events=[{"type": "user.interrupt"}])
    assert not list(client.beta.sessions.events.list(capped.id, types=["user.interrupt"])), (
        "accepted, and ignored"
    )
    loop.woken.clear()
    assert budget(capped.id, "125").usage.list_cost.amount == "125"
    assert budget(capped.id, "126").budget.max_list_cost.amount == "126"
    assert loop.woken == [capped.id], "paused work goes on"
    budget(capped.id, None)
    with pytest.raises(anthropic.BadRequestError, match="budget_create_only"):
        budget(capped.id, "500")


def test_a_budget_may_be_in_tokens(sdk: Any, loop: Loop) -> None:
    """Our extension; the shape is the vendor's, with one more field."""

    def budget(session_id: str, tokens: str, **more: Any) -> Any:
        told: Any = {"type": "limit", "max_tokens": tokens, **more}
        return sdk.beta.sessions.update(session_id, budget=told).budget.to_dict()

    capped = session(sdk, budget={"type": "limit", "max_tokens": "130"})
    assert capped.budget.to_dict() == {"type": "limit", "max_tokens": "130"}
    loop.begin(capped.id)
    loop.emit(capped.id, "span.model_request_end", model_request_start_id="", model_usage=USAGE)
    loop.rest(capped.id, "budget_reached")
    for refused in ("126", "127"):  # 100 + 20 + 3 + 4 were used
        with pytest.raises(anthropic.BadRequestError, match=r"budget\.max_tokens.*budget_not_raised"):
            budget(capped.id, refused)
    loop.woken.clear()
    assert budget(capped.id, "128") == {"type": "limit", "max_tokens": "128"}
    assert loop.woken == [capped.id], "paused work goes on"
    both = {"max_list_cost": CENTS["max_list_cost"]}
    assert budget(capped.id, "500", **both) == {"type": "limit", "max_tokens": "500", **both}
    assert sdk.beta.sessions.update(capped.id, budget=None).budget is None
    with pytest.raises(anthropic.BadRequestError, match="budget_create_only"):
        budget(capped.id, "900")


@pytest.mark.parametrize("wrong", [{}, {"max_tokens": "0"}, {"max_tokens": 5}, {"max_tokens": "1.5"}])
def test_a_budget_of_nothing_is_refused(client: Any, wrong: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match="budget"):
        session(client, budget={"type": "limit", **wrong})


def test_vaults_cannot_be_changed(client: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match="vault_ids"):
        client.beta.sessions.update(session(client).id, vault_ids=[])


# ------------------------------------------------------------------ archive and delete


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_running_session_is_neither_archived_nor_deleted(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    loop.begin(made.id)
    for refused in (client.beta.sessions.archive, client.beta.sessions.delete):
        with pytest.raises(anthropic.BadRequestError, match="running cannot be"):
            refused(made.id)
    loop.rest(made.id)
    archived = client.beta.sessions.archive(made.id)
    strict(archived)
    assert archived.status == "terminated" and archived.archived_at is not None
    assert client.beta.sessions.archive(made.id).archived_at == archived.archived_at
    assert [e.type for e in client.beta.sessions.events.list(made.id)][-1] == "session.status_terminated"
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        client.beta.sessions.events.send(made.id, events=[message()])
    with pytest.raises(anthropic.BadRequestError, match="archived"):
        client.beta.sessions.update(made.id, title="x")


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_deleting_takes_everything_that_was_its_own(client: Any, reverie: Reverie, loop: Loop) -> None:
    kept = store(reverie)
    upload = client.beta.files.upload(file=("a.txt", b"x", "text/plain"))
    mounts = [{"type": "memory_store", "memory_store_id": kept}, {"type": "file", "file_id": upload.id}]
    made = session(client, resources=mounts, initial_events=[message()])
    loop.begin(made.id)
    loop.rest(made.id)
    client.beta.sessions.events.send(made.id, events=[message()])
    gone = client.beta.sessions.delete(made.id)
    assert gone == BetaManagedAgentsDeletedSession(id=made.id, type="session_deleted")
    for reads in (client.beta.sessions.retrieve, client.beta.sessions.delete, client.beta.sessions.archive):
        with pytest.raises(anthropic.NotFoundError):
            reads(made.id)
    with pytest.raises(anthropic.NotFoundError):
        client.beta.sessions.events.list(made.id)
    assert client.beta.memory_stores.retrieve(kept).id == kept
    assert client.beta.files.retrieve_metadata(upload.id).id == upload.id
    assert reverie.verify().problem is None
    assert reverie.live.waiting() == []


def test_time_is_counted_while_it_runs(client: Any, loop: Loop, clock: Any) -> None:
    made = session(client)
    clock.step = timedelta(0)
    loop.begin(made.id)
    clock.now += timedelta(seconds=30)
    assert client.beta.sessions.retrieve(made.id).usage.active_seconds == 30.0
    loop.rest(made.id)
    clock.now += timedelta(seconds=30)
    found = client.beta.sessions.retrieve(made.id)
    assert found.usage.active_seconds == found.stats.active_seconds == 30.0
    assert found.stats.duration_seconds >= 60.0
    client.beta.sessions.archive(made.id)
    ended = client.beta.sessions.retrieve(made.id).stats.duration_seconds
    clock.now += timedelta(days=1)
    assert client.beta.sessions.retrieve(made.id).stats.duration_seconds == ended


# ------------------------------------------------------------------ how it ended


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_person_says_how_a_session_ended(client: Any, http: Any, strict: Any) -> None:
    made = session(client)
    path = f"/v1/sessions/{made.id}/outcome"
    assert made.outcome == {"label": "unknown", "label_source": None, "score": None}
    said = {"label": "failure", "score": 0.5, "explanation": "It booked it twice."}
    answer = http.post(path, json=said)
    strict(answer, BetaManagedAgentsSession)
    labelled = {"label": "failure", "label_source": "person", "score": 0.5}
    assert answer.json()["outcome"] == labelled == client.beta.sessions.retrieve(made.id).outcome
    assert list(client.beta.sessions.events.list(made.id)) == []  # clients of the wire do not know it
    told = http.get(f"/v1/sessions/{made.id}/events", params={"types": "session.outcome"}).json()["data"]
    assert [(e["label"], e["score"], e["explanation"]) for e in told] == [tuple(said.values())]
    client.beta.sessions.archive(made.id)
    assert http.post(path, json={"label": "unknown"}).json()["outcome"]["label"] == "unknown"


@pytest.mark.parametrize(
    ("said", "field"),
    [({}, "label"), ({"label": "fine"}, "label"), ({"label": "success", "score": "1"}, "score"),
     ({"label": "success", "explanation": "x" * 4_097}, "explanation")],
)  # fmt: skip
def test_a_label_that_is_none_is_refused(client: Any, http: Any, said: Any, field: str) -> None:
    answer = http.post(f"/v1/sessions/{session(client).id}/outcome", json=said)
    assert answer.status_code == 400 and field in answer.json()["error"]["message"]
