"""What webhooks are told of sessions, in the transaction in which it happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.sessions import USAGE, Loop, message, session

from reverie.app import Reverie
from reverie.domain.webhooks import EVENT_TYPES
from reverie.storage.database import Database
from reverie.workspaces import sealing

SILENT = {"session.pending"}  # a session is idle until it works
OUTCOME: Any = {"type": "user.define_outcome", "description": "d", "rubric": {"type": "text", "content": "r"}}


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    monkeypatch.setenv(sealing.KEY_VARIABLE, sealing.new_key().decode())
    return Loop()


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    database = Database.open(database_url, clock=clock)
    with Reverie(database, clock=clock, entropy=entropy, waker=loop.wake) as house:
        loop.house = house
        yield house


def test_everything_that_happens_to_a_session_is_told(client: Any, reverie: Reverie, loop: Loop) -> None:
    types = sorted(type_ for type_ in EVENT_TYPES if type_.startswith("session."))
    hook, _ = reverie.webhooks.create("https://hooks.example.com/", types)
    made = session(client, initial_events=[OUTCOME])
    loop.begin(made.id)
    helper = loop.live.open_thread(made.id, made.agent.to_dict() | {"name": "helper"})
    loop.live.turn(made.id, "running", thread=helper)
    loop.call(made.id, "custom_tool", thread=helper)
    loop.rest(made.id, thread=helper)
    client.beta.sessions.threads.archive(helper, session_id=made.id)
    loop.live.turn(made.id, "rescheduling")
    loop.begin(made.id)
    outcome = client.beta.sessions.retrieve(made.id).outcome_evaluations[0].outcome_id
    loop.emit(made.id, "span.outcome_evaluation_end", outcome_id=outcome, outcome_evaluation_start_id="",
              iteration=0, result="satisfied", explanation="", usage=USAGE)  # fmt: skip
    call = loop.call(made.id, "custom_tool")
    loop.rest(made.id)
    answer = {"type": "user.custom_tool_result", "custom_tool_use_id": call.id}
    client.beta.sessions.events.send(made.id, events=[answer])
    loop.begin(made.id)
    loop.rest(made.id, "budget_reached")
    client.beta.sessions.update(made.id, title="new")
    client.beta.sessions.archive(made.id)
    client.beta.sessions.delete(made.id)
    told = reverie.webhooks.deliveries(hook.id, limit=100)
    assert {delivery.type for delivery in told} == set(types) - SILENT
    assert {delivery.subject for delivery in told} == {made.id}


def test_what_is_refused_is_not_told(client: Any, reverie: Reverie, loop: Loop) -> None:
    hook, _ = reverie.webhooks.create(
        "https://hooks.example.com/", ["session.deleted", "session.status_terminated"]
    )
    made = session(client, initial_events=[message()])
    loop.begin(made.id)
    for refused in (client.beta.sessions.delete, client.beta.sessions.archive):
        with pytest.raises(Exception, match="running"):
            refused(made.id)
    assert reverie.webhooks.deliveries(hook.id, limit=10) == []
