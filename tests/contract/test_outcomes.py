"""Outcomes as the SDK knows them, and what is ours: how they are graded, and what a verdict says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types.beta import BetaManagedAgentsAgent, BetaManagedAgentsDeployment, BetaManagedAgentsSession
from anthropic.types.beta.sessions import BetaManagedAgentsSessionThread
from tests.contract.serving import ENGINES
from tests.contract.sessions import USAGE, Loop, agent, environment, message, session

from reverie.app import Reverie
from reverie.domain.outcomes import GRADER, MAX_RUBRIC, GraderSettings
from reverie.storage.database import Database

RUBRIC = "# Report\n\n- It has a summary.\n- It should be short.\n"
CHECKED = "- It is there.\n  ```check\n  kind = 'file'\n  file = 'report.md'\n  ```\n"
BROKEN = "- It is there.\n  ```check\n  kind = 'spell'\n  ```\n"
SAID: Any = {"model": "openai:judge", "votes": 3, "network": True, "instructions": "be strict", "full": True}


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    database = Database.open(database_url, clock=clock)
    with Reverie(database, clock=clock, entropy=entropy, waker=loop.wake) as house:
        loop.house = house
        yield house


def outcome(content: str = RUBRIC, **more: Any) -> Any:
    rubric = {"type": "text", "content": content}
    return {"type": "user.define_outcome", "description": "a report", "rubric": rubric, **more}


def upload(sdk: Any, content: bytes) -> str:
    found: str = sdk.beta.files.upload(file=("rubric.md", content, "text/markdown")).id
    return found


def from_file(file_id: str) -> Any:
    return outcome() | {"rubric": {"type": "file", "file_id": file_id}}


def events(sdk: Any, made: Any, *types: str) -> list[Any]:
    return list(sdk.beta.sessions.events.list(made.id, types=list(types)))


def refusal(call: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(anthropic.BadRequestError) as refused:
        call(*args, **more)
    return str(refused.value.body["error"]["message"])


# ------------------------------------------------------------------ how they are graded


def test_a_grader_is_said_of_an_agent_and_kept_in_its_version(sdk: Any, strict: Any) -> None:
    made = agent(sdk, extra_body={"grader": SAID})
    strict(made, BetaManagedAgentsAgent)
    shown = {**SAID, "model": {"id": "openai:judge", "effort": {"type": "high"}, "inference_geo": None,
                               "speed": "standard"}}  # fmt: skip
    assert made.grader == shown
    assert sdk.beta.agents.update(made.id, name="clerk").version == 1, "what is left out stays"
    other = sdk.beta.agents.update(made.id, extra_body={"grader": {"votes": 5}})
    assert other.version == 2 and other.grader["votes"] == 5 and other.grader["model"] is None
    cleared = sdk.beta.agents.update(made.id, extra_body={"grader": None})
    assert cleared.version == 3 and cleared.grader is None
    assert sdk.beta.agents.retrieve(made.id, version=1).grader == shown
    assert agent(sdk).grader is None and agent(sdk, extra_body={"grader": {}}).grader is None


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_what_is_nearer_to_the_outcome_counts_field_by_field(
    client: Any, strict: Any, reverie: Reverie
) -> None:
    worker = agent(client, extra_body={"grader": {"votes": 3, "instructions": "agent", "network": True}})
    made = session(client, agent=worker.id, extra_body={"grader": {"instructions": "session", "full": True}})
    strict(made, BetaManagedAgentsSession)
    assert made.grader["instructions"] == "session" and made.grader["votes"] is None
    assert made.agent.grader["votes"] == 3
    (sent,) = client.beta.sessions.events.send(
        made.id, events=[outcome(grader={"model": {"id": "m", "effort": "low"}, "network": False})]
    ).data
    strict(sent)
    assert sent.grader["model"]["id"] == "m" and sent.grader["network"] is False
    (logged,) = events(client, made, "user.define_outcome")
    assert logged.grader == sent.grader
    body = reverie.live.row(made.id).body or {}
    found = GraderSettings.of(body["agent"], body, reverie.log.events(made.id)[0].payload)
    assert (found.votes, found.instructions, found.full, found.network) == (3, "session", True, False)
    assert isinstance(found.model, dict) and found.model["effort"] == {"type": "low"}
    assert GraderSettings.of({}, {}, {}) == GraderSettings()
    plain = session(client, initial_events=[outcome(grader={})])
    (told,) = events(client, plain, "user.define_outcome")
    assert plain.grader is None and not hasattr(told, "grader")


WRONG: list[tuple[Any, str]] = [
    ({"votes": 2}, "grader.votes"),
    ({"votes": "3"}, "grader.votes"),
    ({"model": ""}, "grader.model"),
    ({"model": {"effort": "low"}}, "grader.model.id"),
    ({"network": "yes"}, "grader.network"),
    ({"instructions": "x" * 4_097}, "grader.instructions"),
    ({"full": 1}, "grader.full"),
    ({"temperature": 0}, "grader.temperature"),
    ("strict", "grader"),
]


@pytest.mark.parametrize(("grader", "field"), WRONG)
def test_what_is_wrong_in_a_grader_is_named(client: Any, grader: Any, field: str) -> None:
    body = {"grader": grader}
    assert f"`{field}`" in refusal(agent, client, extra_body=body)
    made = agent(client)
    assert f"`{field}`" in refusal(client.beta.agents.update, made.id, extra_body=body)
    assert f"`{field}`" in refusal(session, client, agent=made.id, extra_body=body)
    told = refusal(session, client, initial_events=[message(), outcome(grader=grader)])
    assert f"`initial_events[1].{field}`" in told
    idle = session(client)
    sent = refusal(client.beta.sessions.events.send, idle.id, events=[outcome(grader=grader)])
    assert f"`events[0].{field}`" in sent


def test_no_agent_takes_the_graders_name(client: Any) -> None:
    assert "`name`" in refusal(agent, client, name=GRADER)
    made = agent(client)
    assert "`name`" in refusal(client.beta.agents.update, made.id, name=GRADER)


# ------------------------------------------------------------------ rubrics


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_rubric_from_a_file_is_text_from_then_on(client: Any, strict: Any) -> None:
    file_id = upload(client, b"\xef\xbb\xbf" + CHECKED.encode())
    made = session(client, initial_events=[from_file(file_id)])
    client.beta.files.delete(file_id)
    (defined,) = events(client, made, "user.define_outcome")
    strict(defined)
    assert defined.rubric.to_dict() == {"type": "text", "content": CHECKED}
    assert (defined.max_iterations, defined.processed_at is not None) == (3, True)
    (evaluation,) = client.beta.sessions.retrieve(made.id).outcome_evaluations
    assert (evaluation.outcome_id, evaluation.result) == (defined.outcome_id, "pending")


BAD_TEXTS = [("   \n", "empty"), ("", "at least 1"), ("x" * (MAX_RUBRIC + 1), "262144"), (BROKEN, "line 2")]


@pytest.mark.parametrize(("content", "why"), BAD_TEXTS, ids=["blank", "empty", "long", "check"])
def test_a_rubric_that_is_none_is_refused(client: Any, content: str, why: str) -> None:
    made = session(client)
    told = refusal(client.beta.sessions.events.send, made.id, events=[outcome(content)])
    assert "`events[0].rubric.content`" in told and why in told
    told = refusal(session, client, initial_events=[message(), outcome(content)])
    assert "`initial_events[1].rubric.content`" in told and why in told
    assert not events(client, made) and client.beta.sessions.retrieve(made.id).status == "idle"


BAD_FILES = [
    (b"\x89PNG\r\n\x1a\n\xff\xfe", "text"),
    (b"a\0b", "text"),
    (b"\n \n", "empty"),
    ("é".encode() * (MAX_RUBRIC + 1), "262,144"),
    (b"x" * (4 * MAX_RUBRIC + 1), "262,144"),
    (BROKEN.encode(), "line 2"),
]


@pytest.mark.parametrize(("content", "why"), BAD_FILES, ids=["png", "nul", "blank", "long", "huge", "check"])
def test_a_file_that_is_no_rubric_is_refused(client: Any, content: bytes, why: str) -> None:
    file_id, made = upload(client, content), session(client)
    told = refusal(client.beta.sessions.events.send, made.id, events=[from_file(file_id)])
    assert "`events[0].rubric.file_id`" in told and why in told
    told = refusal(deployment, client, initial_events=[from_file(file_id)])
    assert "`initial_events[0].rubric.file_id`" in told and why in told


def test_a_file_that_is_not_there_is_no_rubric(sdk: Any) -> None:
    made = session(sdk)
    with pytest.raises(anthropic.NotFoundError):
        sdk.beta.sessions.events.send(made.id, events=[from_file("file_none")])


@pytest.mark.parametrize("count", [0, 21, -1])
def test_so_many_iterations_and_no_more(client: Any, count: int) -> None:
    made = session(client)
    told = refusal(client.beta.sessions.events.send, made.id, events=[outcome(max_iterations=count)])
    assert "`events[0].max_iterations`" in told
    (sent,) = client.beta.sessions.events.send(made.id, events=[outcome(max_iterations=20)]).data
    assert sent.max_iterations == 20


def deployment(sdk: Any, **more: Any) -> Any:
    told = {"agent": agent(sdk).id, "environment_id": environment(sdk).id, "name": "nightly"}
    return sdk.beta.deployments.create(**{**told, **more})


def test_a_deployment_defines_an_outcome_each_time(sdk: Any, strict: Any) -> None:
    file_id = upload(sdk, RUBRIC.encode())
    first = from_file(file_id) | {"grader": {"votes": 3, "model": "m"}, "max_iterations": 2}
    made = deployment(sdk, initial_events=[first])
    strict(made, BetaManagedAgentsDeployment)
    (shown,) = made.initial_events
    assert shown.rubric.file_id == file_id and shown.grader["votes"] == 3
    assert "`initial_events[0].rubric.content`" in refusal(deployment, sdk, initial_events=[outcome(BROKEN)])
    wrong = [outcome(grader={"votes": 4})]
    assert "`initial_events[0].grader.votes`" in refusal(deployment, sdk, initial_events=wrong)
    refused = refusal(sdk.beta.deployments.update, made.id, initial_events=[outcome(BROKEN)])
    assert "`initial_events[0].rubric.content`" in refused
    run = sdk.beta.deployments.run(made.id)
    began = sdk.beta.sessions.retrieve(run.session_id)
    (defined,) = events(sdk, began, "user.define_outcome")
    assert defined.rubric.content == RUBRIC and defined.grader["model"]["id"] == "m"


# ------------------------------------------------------------------ verdicts

JUDGED: Any = [
    {"id": "c1", "text": "It has a summary.", "must": True, "weight": 2.0, "status": "satisfied", "by": "grader",
     "proof": {"file": "report.md", "quote": "Summary", "place": "line 1"}, "change": "", "reason": "",
     "confidence": 0.9, "iteration": 0},
    {"id": "c2", "text": "It is there.", "must": False, "weight": 1.0, "status": "not_satisfied", "by": "check",
     "proof": None, "change": "write it", "reason": "no such file", "confidence": None, "iteration": 0},
]  # fmt: skip
NOTES: Any = [
    {"kind": "hidden_text", "message": "white", "file": "a.docx", "place": "page 1", "blocks": True}
]


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_verdict_says_what_became_of_each_criterion(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client, initial_events=[outcome()])
    loop.begin(made.id)
    (defined,) = events(client, made, "user.define_outcome")
    told = {"outcome_id": defined.outcome_id, "iteration": 0}
    start = loop.emit(made.id, "span.outcome_evaluation_start", **told)
    loop.emit(made.id, "span.outcome_evaluation_ongoing", **told)
    verdict = {"result": "satisfied", "explanation": "as wanted", "outcome_evaluation_start_id": start.id,
               "usage": {**USAGE, "speed": None}}  # fmt: skip
    ours = {"criteria": JUDGED, "score": 0.67, "notes": NOTES}
    secret = {"feedback": "what the worker is told", "private": {"nonce": "n"}}
    loop.emit(made.id, "span.outcome_evaluation_end", **told, **verdict, **ours, **secret)
    for each in client.beta.sessions.events.list(made.id):
        strict(each)
    (end,) = events(client, made, "span.outcome_evaluation_end")
    assert (end.result, end.explanation, end.score) == ("satisfied", "as wanted", 0.67)
    assert (end.criteria, end.notes) == (JUDGED, NOTES)
    assert not hasattr(end, "feedback") and not hasattr(end, "private")
    seen = client.beta.sessions.retrieve(made.id)
    strict(seen)
    (evaluation,) = seen.outcome_evaluations
    assert evaluation.to_dict().keys() == {
        "completed_at", "description", "explanation", "iteration", "outcome_id", "result", "type",
    }  # fmt: skip


def test_an_outcome_that_was_interrupted_has_no_criteria(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client, initial_events=[outcome()])
    loop.begin(made.id)
    client.beta.sessions.events.send(made.id, events=[{"type": "user.interrupt"}])
    (end,) = events(client, made, "span.outcome_evaluation_end")
    strict(end)
    assert (end.result, end.outcome_evaluation_start_id) == ("interrupted", "")
    assert not hasattr(end, "criteria")


def test_a_grader_works_in_a_thread_like_any_other(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client, initial_events=[outcome()])
    loop.begin(made.id)
    snapshot = {**made.agent.to_dict(), "name": GRADER}
    grader = loop.live.open_thread(made.id, snapshot)
    loop.live.turn(made.id, "running", thread=grader)
    told = {"model_request_start_id": "", "model_usage": {**USAGE, "speed": None}}
    loop.emit(made.id, "span.model_request_end", grader, **told)
    loop.live.turn(made.id, "idle", thread=grader)
    seen = client.beta.sessions.threads.retrieve(grader, session_id=made.id)
    strict(seen, BetaManagedAgentsSessionThread)
    assert seen.agent.name == GRADER and seen.usage.input_tokens == USAGE["input_tokens"]
    client.beta.sessions.threads.archive(grader, session_id=made.id)
    ended = client.beta.sessions.threads.retrieve(grader, session_id=made.id)
    assert ended.usage == seen.usage and ended.status == "terminated"
    whole = client.beta.sessions.retrieve(made.id).usage
    assert whole.input_tokens == USAGE["input_tokens"], "grading is paid for too"
