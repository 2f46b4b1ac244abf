"""Outcomes that run, through the official SDK as it is: defined, worked towards, judged, revised, handed over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.serving import ENGINES
from tests.contract.test_running import TOOLSET, until_idle

from reverie.app import Reverie
from reverie.domain.errors import SandboxFailed
from reverie.storage.database import Database

MODELS = Path(__file__).with_name("outcome_models.py")
RUBRIC = (
    "# The report\n\n- Says \"the sums are right\".\n- Says \"the sources are named\".\n"
    "- It is there.\n  ```check\n  kind = 'file'\n  file = 'report.md'\n  ```\n"
)  # fmt: skip
WORDS = RUBRIC.partition("- It is there")[0]
JUDGE = f"scripted:{MODELS}:judge"


@pytest.fixture
def reverie(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Reverie]:
    monkeypatch.setenv("REVERIE_HOME", str(tmp_path / "folders"))
    names = ",".join(f"scripted:{MODELS}:{name}" for name in ("clerk", "talker", "judge"))
    monkeypatch.setenv("REVERIE_MODELS", names)
    with Reverie(Database.open(database_url)) as house:
        house.attend()
        yield house


@pytest.fixture
def sandboxed(reverie: Reverie) -> None:
    try:
        reverie.plugs().environment()
    except SandboxFailed as failed:
        pytest.skip(f"no sandbox: {failed}")


def begin(sdk: Any, model: str, *, tools: Any = (), **more: Any) -> Any:
    judged = {"grader": {"model": JUDGE}}
    agent = sdk.beta.agents.create(
        name=model, model=f"scripted:{MODELS}:{model}", tools=list(tools), extra_body=judged
    )
    place = sdk.beta.environments.create(name="desk", config={"type": "cloud"})
    return sdk.beta.sessions.create(agent=agent.id, environment_id=place.id, **more)


def outcome(rubric: Any, **more: Any) -> Any:
    told = {"type": "text", "content": rubric} if isinstance(rubric, str) else rubric
    return {"type": "user.define_outcome", "description": "Write the report.", "rubric": told, **more}


def of_type(events: Any, name: str) -> list[Any]:
    return [event for event in events if event.type == name]


def until(found: Any) -> Any:
    deadline = time.monotonic() + 20
    while not (it := found()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return it


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
@pytest.mark.usefixtures("sandboxed")
def test_a_report_is_judged_revised_and_handed_over(client: Any, strict: Any) -> None:
    made = begin(client, "clerk", tools=[{"type": TOOLSET}])
    events = until_idle(client, made, outcome(RUBRIC))
    assert not of_type(events, "session.error"), events
    assert events[-1].stop_reason.type == "end_turn"
    first, second = of_type(events, "span.outcome_evaluation_end")
    assert (first.result, second.result) == ("needs_revision", "satisfied")
    assert (first.iteration, second.iteration) == (0, 1)
    starts = of_type(events, "span.outcome_evaluation_start")
    assert [end.outcome_evaluation_start_id for end in (first, second)] == [start.id for start in starts]
    assert of_type(events, "span.outcome_evaluation_ongoing")
    assert first.usage.input_tokens > 0 and "2 of 3 criteria are met" in first.explanation
    for event in client.beta.sessions.events.list(made.id):
        strict(event)

    (done,) = client.beta.sessions.retrieve(made.id).outcome_evaluations
    assert (done.result, done.iteration, done.description) == ("satisfied", 1, "Write the report.")
    assert done.outcome_id == second.outcome_id and done.completed_at and done.explanation

    (file,) = until(lambda: list(client.beta.files.list(scope_id=made.id)))
    assert file.filename == "report.md"
    wanted = b"the sums are right\nthe sources are named\n"
    assert until(lambda: client.beta.files.download(file.id).read()) == wanted


def test_what_is_ours_in_a_verdict_can_be_read_beside_what_the_sdk_knows(client: Any) -> None:
    made = begin(client, "talker")
    (end,) = of_type(until_idle(client, made, outcome(WORDS)), "span.outcome_evaluation_end")
    assert end.score == 1.0 and end.notes == []
    assert [(one["status"], one["by"], one["proof"]["quote"]) for one in end.criteria] == [
        ("satisfied", "grader", "the sums are right"),
        ("satisfied", "grader", "the sources are named"),
    ]
    assert not hasattr(end, "private") and "nonce" not in end.to_json()


def test_a_rubric_from_a_file_in_the_first_events_of_a_session(client: Any) -> None:
    rubric = client.beta.files.upload(file=("rubric.md", WORDS.encode(), "text/markdown"))
    told = outcome({"type": "file", "file_id": rubric.id}, max_iterations=1)
    made = begin(client, "talker", initial_events=[told])
    shown = until(
        lambda: (it := client.beta.sessions.retrieve(made.id)).status == "idle"
        and it.outcome_evaluations[0].completed_at and it
    )  # fmt: skip
    assert [done.result for done in shown.outcome_evaluations] == ["satisfied"]


def test_who_grades_can_be_said_with_the_outcome(client: Any) -> None:
    made = begin(client, "talker")
    told = outcome(WORDS, grader={"model": "scripted:nowhere:nobody"})
    (end,) = of_type(until_idle(client, made, told), "span.outcome_evaluation_end")
    assert end.result == "failed" and "could not go on" in end.explanation
    again = until_idle(client, made, outcome(WORDS, grader={"model": JUDGE, "votes": 3}))
    assert [end.result for end in of_type(again, "span.outcome_evaluation_end")] == ["satisfied"]
    done = client.beta.sessions.retrieve(made.id).outcome_evaluations
    assert [one.result for one in done] == ["failed", "satisfied"], "the history is kept"


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_graders_are_threads_of_the_platform_that_are_over(client: Any, strict: Any) -> None:
    made = begin(client, "talker")
    events = until_idle(client, made, outcome(WORDS, grader={"model": JUDGE, "votes": 3}))
    created = of_type(events, "session.thread_created")
    assert [event.agent_name for event in created] == ["reverie.grader"] * 3
    primary, *graders = client.beta.sessions.threads.list(made.id)
    assert primary.parent_thread_id is None and len(graders) == 3
    for thread in graders:
        strict(thread)
        assert thread.agent.name == "reverie.grader" and thread.status == "terminated" and thread.archived_at
        told = list(client.beta.sessions.threads.events.list(thread.id, session_id=made.id))
        assert [each.name for each in of_type(told, "agent.tool_use")] == ["verdict"]
    assert client.beta.sessions.retrieve(made.id).agent.name == "talker"


def test_an_interrupt_ends_it_for_the_sdk_too(client: Any) -> None:
    made = begin(client, "talker")
    with client.beta.sessions.events.stream(made.id) as stream:
        client.beta.sessions.events.send(
            made.id, events=[outcome(WORDS), {"type": "user.interrupt"}]
        )  # fmt: skip
        found: list[Any] = []
        for event in stream:
            found.append(event)
            if event.type == "session.status_idle":
                break
    (end,) = of_type(found, "span.outcome_evaluation_end")
    assert (end.result, end.outcome_evaluation_start_id) == ("interrupted", "")
    (done,) = client.beta.sessions.retrieve(made.id).outcome_evaluations
    assert done.result == "interrupted"
