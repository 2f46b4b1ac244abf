"""Events, as the SDK knows them: what may be sent when, what becomes of it, and how lists are walked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import anthropic
import pytest
from anthropic.types.beta.sessions import BetaManagedAgentsSendSessionEvents
from tests.contract.serving import ENGINES
from tests.contract.sessions import USAGE, Loop, environment, message, session

from reverie.app import Reverie
from reverie.storage.database import Database

TEXT: Any = {"type": "text", "text": "x"}
OUTCOME: Any = {"type": "user.define_outcome", "description": "d", "rubric": {"type": "text", "content": "r"}}
SYSTEM: Any = {"type": "system.message", "content": [TEXT]}


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def reverie(database_url: str, clock: Any, entropy: Any, loop: Loop) -> Iterator[Reverie]:
    database = Database.open(database_url, clock=clock)
    with Reverie(database, clock=clock, entropy=entropy, waker=loop.wake) as house:
        loop.house = house
        yield house


def send(sdk: Any, session_id: str, *events: Any) -> Any:
    return sdk.beta.sessions.events.send(session_id, events=list(events))


def types(sdk: Any, session_id: str, **query: Any) -> list[str]:
    return [event.type for event in sdk.beta.sessions.events.list(session_id, **query)]


def last(sdk: Any, session_id: str) -> Any:
    return next(iter(sdk.beta.sessions.events.list(session_id, order="desc", limit=1)))


def confirm(call: Any, result: str = "allow", **more: Any) -> Any:
    return {"type": "user.tool_confirmation", "tool_use_id": call.id, "result": result, **more}


def answer(call: Any, **more: Any) -> Any:
    return {"type": "user.custom_tool_result", "custom_tool_use_id": call.id, "content": [TEXT], **more}


# ------------------------------------------------------------------ send


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_a_message_waits_until_it_is_taken_and_keeps_its_id(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    sent = send(client, made.id, message("one"), message("two"))
    strict(sent, BetaManagedAgentsSendSessionEvents)
    assert [event.processed_at for event in sent.data] == [None, None] and loop.woken == [made.id]
    assert types(client, made.id) == ["user.message", "user.message"]
    taken = loop.begin(made.id)
    assert [event.id for event in taken[:2]] == [event.id for event in sent.data]
    listed = list(client.beta.sessions.events.list(made.id))
    assert [e.id for e in listed][:2] == [e.id for e in sent.data] and all(e.processed_at for e in listed)
    assert client.beta.sessions.retrieve(made.id).status == "running"


def test_all_are_taken_or_none(client: Any, loop: Loop) -> None:
    made = session(client)
    wrong = {"type": "user.tool_confirmation", "tool_use_id": "sevt_none", "result": "allow"}
    with pytest.raises(anthropic.BadRequestError, match=r"events\[1\].tool_use_id"):
        send(client, made.id, message(), wrong)
    assert types(client, made.id) == [] and loop.woken == []


BLOCKS: Any = [
    TEXT,
    {"type": "image", "source": {"type": "base64", "data": "aGk=", "media_type": "image/png"}},
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    {"type": "document", "source": {"type": "base64", "data": "aGk=", "media_type": "application/pdf"}},
    {"type": "document", "source": {"type": "text", "data": "hi", "media_type": "text/plain"}, "title": "t"},
    {"type": "document", "source": {"type": "url", "url": "https://example.com/a"}, "context": "c"},
]


def test_every_kind_of_block_comes_back(sdk: Any, strict: Any) -> None:
    upload = sdk.beta.files.upload(file=("a.txt", b"x", "text/plain"))
    stored = {"type": "file", "file_id": upload.id}
    blocks = [*BLOCKS, {"type": "document", "source": stored}, {"type": "image", "source": stored}]
    made = session(sdk)
    send(sdk, made.id, {"type": "user.message", "content": blocks})
    (found,) = sdk.beta.sessions.events.list(made.id)
    strict(found)
    assert [block.to_dict() for block in found.content][:2] == blocks[:2] and len(found.content) == 8
    with pytest.raises(anthropic.NotFoundError):
        absent = {"type": "document", "source": {"type": "file", "file_id": "file_none"}}
        send(sdk, made.id, {"type": "user.message", "content": [absent]})


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"type": "user.message", "content": [{"type": "redacted"}]}, "content"),
        ({"type": "user.message", "content": []}, "content"),
        ({"type": "agent.message", "content": [TEXT]}, "events"),
        ({**OUTCOME, "max_iterations": 21}, "max_iterations"),
        ({**OUTCOME, "max_iterations": 0}, "max_iterations"),
        ({**OUTCOME, "description": ""}, "description"),
        ({**OUTCOME, "rubric": {"type": "text", "content": "r" * 262_145}}, "rubric"),
        ({"type": "user.tool_result", "tool_use_id": "sevt_1"}, "self-hosted"),
    ],
)
def test_what_is_not_taken(client: Any, event: Any, field: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=field):
        send(client, session(client).id, event)


def test_limits_are_reached_exactly(client: Any) -> None:
    made = session(client)
    rubric = {"type": "text", "content": "r" * 262_144}
    taken = send(client, made.id, {**OUTCOME, "max_iterations": 20, "rubric": rubric})
    assert taken.data[0].max_iterations == 20
    upload = client.beta.files.upload(file=("a.txt", b"x", "text/plain"))
    block = {"type": "document", "source": {"type": "file", "file_id": upload.id}}
    send(client, made.id, {"type": "user.message", "content": [block] * 100})
    with pytest.raises(anthropic.BadRequestError, match="at most 100 documents from files, this has 101"):
        send(client, made.id, {"type": "user.message", "content": [block] * 101})
    send(client, made.id, message(), {"type": "system.message", "content": [TEXT] * 1_000})
    with pytest.raises(anthropic.BadRequestError, match="at most 1000 items"):
        send(client, made.id, message(), {"type": "system.message", "content": [TEXT] * 1_001})
    with pytest.raises(anthropic.BadRequestError, match="events"):
        send(client, made.id)


def test_a_system_message_follows_what_it_accompanies(client: Any, loop: Loop) -> None:
    made = session(client)
    send(client, made.id, message(), SYSTEM)
    for wrong in ([SYSTEM], [SYSTEM, message()], [message(), SYSTEM, SYSTEM], [OUTCOME, SYSTEM]):
        with pytest.raises(anthropic.BadRequestError, match=r"system.message"):
            send(client, made.id, *wrong)
    loop.begin(made.id)
    call = loop.call(made.id, "custom_tool")
    loop.rest(made.id)
    with pytest.raises(anthropic.BadRequestError, match="waits for tool results"):
        send(client, made.id, message(), SYSTEM)
    send(client, made.id, answer(call), SYSTEM)


# ------------------------------------------------------------------ outcomes


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_an_outcome_is_accepted_at_once_and_there_is_one_at_a_time(
    client: Any, loop: Loop, strict: Any
) -> None:
    made = session(client)
    (defined,) = send(client, made.id, OUTCOME).data
    strict(defined)
    assert defined.outcome_id.startswith("outc_") and defined.processed_at is not None
    assert defined.max_iterations == 3
    with pytest.raises(anthropic.BadRequestError, match="one outcome at a time"):
        send(client, made.id, OUTCOME)
    loop.begin(made.id)

    def evaluation() -> Any:
        return client.beta.sessions.retrieve(made.id).outcome_evaluations[-1]

    assert evaluation().result == "running"
    told = {"outcome_id": defined.outcome_id}
    usage = {**USAGE, "speed": None}
    for iteration, result, shown in ((0, "needs_revision", "running"), (1, "satisfied", "satisfied")):
        start = loop.emit(made.id, "span.outcome_evaluation_start", **told, iteration=iteration)
        assert (evaluation().result, evaluation().iteration) == ("evaluating", iteration)
        loop.emit(made.id, "span.outcome_evaluation_ongoing", **told, iteration=iteration)
        loop.emit(made.id, "span.outcome_evaluation_end", **told, iteration=iteration, result=result,
                  explanation="because", outcome_evaluation_start_id=start.id, usage=usage)  # fmt: skip
        assert (evaluation().result, evaluation().explanation) == (shown, "because")
    assert evaluation().completed_at is not None
    loop.rest(made.id)
    for event in client.beta.sessions.events.list(made.id):
        strict(event)
    assert client.beta.sessions.retrieve(made.id).usage.input_tokens == 0, "that is of the grader's thread"
    send(client, made.id, OUTCOME)
    assert len(client.beta.sessions.retrieve(made.id).outcome_evaluations) == 2


def test_a_rubric_from_a_file_is_kept_as_text(sdk: Any) -> None:
    upload = sdk.beta.files.upload(file=("rubric.md", "# Müssen\n".encode(), "text/markdown"))
    (taken,) = send(sdk, session(sdk).id, {**OUTCOME, "rubric": {"type": "file", "file_id": upload.id}}).data
    assert taken.rubric.to_dict() == {"type": "text", "content": "# Müssen\n"}
    binary = sdk.beta.files.upload(file=("x.bin", b"\xff\xfe", "application/octet-stream"))
    with pytest.raises(anthropic.BadRequestError, match="UTF-8"):
        send(sdk, session(sdk).id, {**OUTCOME, "rubric": {"type": "file", "file_id": binary.id}})


# ------------------------------------------------------------------ calls that wait


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_partial_answers_tell_what_is_left(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client, initial_events=[message()])
    loop.begin(made.id)
    asks = {"evaluated_permission": "ask", "evaluation": {"type": "always_ask"}}
    custom = loop.call(made.id, "custom_tool")
    bash = loop.call(made.id, **asks)
    docs = loop.call(made.id, "mcp_tool", **asks)
    loop.rest(made.id)
    assert last(client, made.id).stop_reason.event_ids == [custom.id, bash.id, docs.id]
    loop.woken.clear()
    (taken,) = send(client, made.id, answer(custom)).data
    assert taken.processed_at is not None and taken.session_thread_id is None
    assert last(client, made.id).stop_reason.event_ids == [bash.id, docs.id] and loop.woken == []
    send(client, made.id, confirm(bash))
    with pytest.raises(anthropic.BadRequestError, match="tool_use_id"):
        send(client, made.id, confirm(bash))
    send(client, made.id, confirm(docs, "deny", deny_message="not today"))
    assert loop.woken == [made.id], "all are answered: the loop goes on"
    assert client.beta.sessions.retrieve(made.id).status == "idle"
    loop.begin(made.id)
    for event in client.beta.sessions.events.list(made.id):
        strict(event)
    with pytest.raises(anthropic.BadRequestError, match="only with the result deny"):
        send(client, made.id, {**confirm(bash), "deny_message": "?"})


def test_an_answer_may_come_before_the_turn_ends(client: Any, loop: Loop) -> None:
    made = session(client)
    loop.begin(made.id)
    call = loop.call(made.id, "custom_tool")
    send(client, made.id, answer(call, is_error=True))
    loop.rest(made.id)
    assert last(client, made.id).stop_reason.type == "end_turn"


def test_an_answer_must_fit_the_call(client: Any, loop: Loop) -> None:
    made = session(client)
    loop.begin(made.id)
    plain, custom = loop.call(made.id), loop.call(made.id, "custom_tool")
    for wrong in (
        confirm(plain),
        confirm(custom),
        answer(plain),
        {**answer(custom), "custom_tool_use_id": "x"},
    ):
        with pytest.raises(anthropic.BadRequestError, match="tool_use_id"):
            send(client, made.id, wrong)


def test_in_a_self_hosted_environment_the_client_runs_the_tools(client: Any, loop: Loop) -> None:
    place = environment(client, config={"type": "self_hosted"})
    made = session(client, environment_id=place.id, initial_events=[message()])
    (item,) = client.beta.environments.work.list(place.id)
    assert item.data.id == made.id
    loop.begin(made.id)
    allowed, asked = loop.call(made.id), loop.call(made.id, evaluated_permission="ask")
    loop.call(made.id, evaluated_permission="deny")
    loop.rest(made.id)
    assert last(client, made.id).stop_reason.event_ids == [allowed.id, asked.id]

    def result(call: Any) -> Any:
        return {"type": "user.tool_result", "tool_use_id": call.id, "content": [TEXT]}

    with pytest.raises(anthropic.BadRequestError, match="tool_use_id"):
        send(client, made.id, result(asked))
    send(client, made.id, result(allowed), confirm(asked))
    assert last(client, made.id).stop_reason.event_ids == [asked.id], "allowed, and not run yet"
    send(client, made.id, result(asked))
    assert loop.woken[-1] == made.id


# ------------------------------------------------------------------ interrupts


@pytest.mark.parametrize("database_url", ENGINES, indirect=True)
def test_an_interrupt_closes_calls_that_wait_and_ends_the_outcome(
    client: Any, loop: Loop, strict: Any
) -> None:
    made = session(client, initial_events=[OUTCOME])
    loop.begin(made.id)
    asks = {"evaluated_permission": "ask", "evaluation": None}
    loop.call(made.id, "custom_tool"), loop.call(made.id, **asks), loop.call(made.id, "mcp_tool", **asks)
    loop.rest(made.id)
    loop.woken.clear()
    send(client, made.id, {"type": "user.interrupt"})
    found = list(client.beta.sessions.events.list(made.id))
    for event in found:
        strict(event)
    assert [e.type for e in found][-7:] == [
        "user.interrupt", "user.custom_tool_result", "agent.tool_result", "agent.mcp_tool_result",
        "session.usage", "session.status_idle", "span.outcome_evaluation_end",
    ]  # fmt: skip
    assert all(e.is_error and "retry" in e.content[0].text for e in found[-6:-3])
    assert found[-2].stop_reason.type == "end_turn" and loop.woken == [], "the model is not called"
    assert (found[-1].result, found[-1].outcome_evaluation_start_id) == ("interrupted", "")
    (evaluation,) = client.beta.sessions.retrieve(made.id).outcome_evaluations
    assert evaluation.result == "interrupted"


def test_an_interrupt_of_what_runs_is_the_loops_to_obey(client: Any, loop: Loop) -> None:
    made = session(client)
    send(client, made.id, {"type": "user.interrupt"})
    assert loop.woken == [] and types(client, made.id) == ["user.interrupt"], (
        "nothing to stop: nothing comes of it"
    )
    send(client, made.id, message())
    loop.begin(made.id)
    send(client, made.id, message("later"))
    loop.woken.clear()
    (stopped,) = send(client, made.id, {"type": "user.interrupt"}).data
    assert loop.woken == [made.id] and stopped.processed_at is not None
    listed = types(client, made.id)
    assert listed.index("user.interrupt") < len(listed) - 1 and listed[-1] == "user.message", (
        "it jumps the queue"
    )
    with pytest.raises(anthropic.BadRequestError, match="session_thread_id"):
        send(client, made.id, {"type": "user.interrupt", "session_thread_id": "sthr_none"})


# ------------------------------------------------------------------ turns


def test_a_turn_in_order(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client, initial_events=[message()])
    loop.begin(made.id)
    start = loop.emit(made.id, "span.model_request_start")
    loop.emit(made.id, "agent.thinking")
    loop.say(made.id)
    usage = {"model_request_start_id": start.id, "model_usage": USAGE, "is_error": False}
    loop.emit(made.id, "span.model_request_end", **usage)
    loop.call(made.id, name="web_search")
    loop.rest(made.id)
    assert types(client, made.id) == [
        "user.message", "session.status_running", "span.model_request_start", "agent.thinking",
        "agent.message", "span.model_request_end", "agent.tool_use", "session.usage", "session.status_idle",
    ]  # fmt: skip
    told = client.beta.sessions.retrieve(made.id).usage
    assert (told.input_tokens, told.output_tokens, told.cache_read_input_tokens) == (100, 20, 3)
    assert (
        told.cache_creation.ephemeral_5m_input_tokens == 4 and told.server_tool_use.web_search_requests == 1
    )
    (snapshot,) = client.beta.sessions.events.list(made.id, types=["session.usage"])
    assert snapshot.usage.input_tokens == 100


def test_every_type_that_a_loop_emits_is_as_the_sdk_reads_it(client: Any, loop: Loop, strict: Any) -> None:
    made = session(client)
    loop.begin(made.id)
    run, error = {"workflow_run_id": "wrun_1"}, {"message": "m", "type": "timeout_error"}
    phase = {"id": "p1", "name": "first", "description": None}
    for type, payload in (
        ("agent.message", {"content": [TEXT, {"type": "redacted"}]}),
        ("agent.thread_context_compacted", {}),
        ("agent.thread_message_sent", {"to_session_thread_id": "sthr_1", "content": [TEXT]}),
        ("agent.thread_message_received", {"from_session_thread_id": "sthr_1", "content": [TEXT]}),
        ("agent.tool_result", {"tool_use_id": "sevt_1", "content": [TEXT], "is_error": False}),
        ("agent.mcp_tool_result", {"mcp_tool_use_id": "sevt_1"}),
        ("session.error", {"error": {"type": "mcp_connection_failed_error", "message": "m", "mcp_server_name": "s", "retry_status": {"type": "retrying"}}}),
        ("session.error", {"error": {"type": "billing_error", "message": "m", "retry_status": {"type": "terminal"}}}),
        ("workflow_run.created", {**run, "name": "n", "phases": [phase]}),
        ("workflow_run.status_running", run),
        ("workflow_run.phase_started", {**run, "workflow_run_phase_id": "p1"}),
        ("workflow_run.phase_ended", {**run, "workflow_run_phase_id": "p1", "phase_started_id": "sevt_1"}),
        ("workflow_run.status_idle", run),
        ("workflow_run.error", {"error": error}),
        ("workflow_run.status_ended", {**run, "result": {"type": "error", "error": error}}),
    ):  # fmt: skip
        loop.emit(made.id, type, **payload)
    loop.live.turn(made.id, "rescheduling")
    assert client.beta.sessions.retrieve(made.id).status == "rescheduling"
    loop.live.turn(made.id, "running")
    loop.rest(made.id, "refusal", details={"type": "refusal", "category": "bio", "explanation": None})
    for event in client.beta.sessions.events.list(made.id):
        strict(event)
    assert last(client, made.id).stop_details.category == "bio"
    loop.live.terminate(made.id)
    assert client.beta.sessions.retrieve(made.id).status == "terminated"
    with pytest.raises(anthropic.BadRequestError, match="terminated"):
        send(client, made.id, message())


def test_a_step_that_is_recorded_is_not_recorded_again(client: Any, loop: Loop) -> None:
    from reverie.domain.events import NewEvent

    made = session(client)
    step = NewEvent(
        "span.model_request_end", {"model_request_start_id": "", "model_usage": USAGE}, key="step"
    )
    first, again = loop.live.emit(made.id, [step]), loop.live.emit(made.id, [step])
    assert len(first) == 1 and again == []
    assert client.beta.sessions.retrieve(made.id).usage.input_tokens == 100


# ------------------------------------------------------------------ list


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_events_are_walked_in_pages(sdk: Any, loop: Loop, order: Any) -> None:
    made = session(sdk)
    loop.begin(made.id)
    for number in range(5):
        loop.say(made.id, str(number))
    sent = send(sdk, made.id, *[message(str(number)) for number in range(5)])
    whole = [event.id for event in sdk.beta.sessions.events.list(made.id, order=order)]
    assert len(whole) == 11
    queued = [event.id for event in sent.data]
    assert (whole[-5:] if order == "asc" else whole[:5][::-1]) == queued
    for limit in (1, 3, 11):
        assert [e.id for e in sdk.beta.sessions.events.list(made.id, order=order, limit=limit)] == whole
    with pytest.raises(anthropic.BadRequestError, match="page"):
        sdk.beta.sessions.events.list(made.id, page="page_1")


def test_what_is_taken_between_two_pages_is_not_lost(client: Any, loop: Loop) -> None:
    made = session(client)
    sent = send(client, made.id, *[message(str(number)) for number in range(6)])
    first = client.beta.sessions.events.list(made.id, limit=3)
    loop.begin(made.id)
    rest = list(client.beta.sessions.events.list(made.id, page=first.next_page))
    assert {e.id for e in sent.data} <= {e.id for e in [*first.data, *rest]}


def test_events_are_filtered_by_type_and_time(sdk: Any, loop: Loop, clock: Any) -> None:
    made = session(sdk, initial_events=[message()])
    loop.begin(made.id)
    said = [loop.say(made.id, str(number)) for number in range(3)]
    send(sdk, made.id, message())
    assert types(sdk, made.id, types=["agent.message"]) == ["agent.message"] * 3
    assert types(sdk, made.id, types=["user.message", "session.status_running"]).count("user.message") == 2

    def ids(**query: Any) -> list[str]:
        return [event.id for event in sdk.beta.sessions.events.list(made.id, **query)]

    at = said[1].at
    assert ids(created_at_gt=at) == [said[2].id] and ids(created_at_gte=at) == [said[1].id, said[2].id]
    assert ids(created_at_lt=at)[-1] == said[0].id and ids(created_at_lte=at)[-1] == said[1].id
    assert ids(created_at_gte=at, created_at_lt=at + timedelta(microseconds=1)) == [said[1].id]
    with pytest.raises(anthropic.BadRequestError, match="types"):
        ids(types=["no.such"])
    with pytest.raises(anthropic.BadRequestError, match="limit"):
        ids(limit=1_001)


def test_one_event_by_its_id(client: Any, http: Any, loop: Loop) -> None:
    made, other = session(client), session(client)
    (queued,) = send(client, made.id, message()).data
    path = f"/v1/sessions/{made.id}/events/{queued.id}"
    assert http.get(path).json()["processed_at"] is None
    loop.begin(made.id)
    assert http.get(path).json()["processed_at"] is not None
    assert http.get(path.replace(made.id, other.id)).status_code == 404
    assert http.get(f"/v1/sessions/{made.id}/events/sevt_none").status_code == 404


def test_the_async_client_sends_too(async_client: Any, client: Any, loop: Loop) -> None:
    made = session(client)
    asyncio.run(async_client.beta.sessions.events.send(made.id, events=[message()]))
    assert loop.woken == [made.id]
