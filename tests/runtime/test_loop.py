"""The loop through the front door: what a client sends, and what the log says of it."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
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
    rested,
    results,
    said,
)

from reverie.domain.errors import (
    ConfigError,
    ContextTooLong,
    ModelFailed,
    ModelOverloaded,
    ModelRateLimited,
    ModelRefusedRequest,
)
from reverie.domain.events import Event
from reverie.domain.messages import AssistantTurn, Text, Thinking, ToolCall
from reverie.plugins import Output


def types(events: list[Event]) -> list[str]:
    return [event.type for event in events]


def errors(events: list[Event]) -> list[tuple[str, str]]:
    told = [event.payload["error"] for event in events if event.type == "session.error"]
    return [(error["type"], error["retry_status"]["type"]) for error in told]


# ---------------------------------------------------------------------- a turn


def test_a_turn_has_its_events_in_order(house: House) -> None:
    probe = Probe()
    house.tools_here = [probe]
    answers = Answers([Text("I look."), *calls("probe", n=1)], "It is done.")
    session = house.begin(answers, tools=[built_in()])
    events = house.turn(session)
    assert types(events) == [
        "user.message", "session.status_running",
        "span.model_request_start", "agent.message", "agent.tool_use", "span.model_request_end",
        "agent.tool_result",
        "span.model_request_start", "agent.message", "span.model_request_end",
        "session.usage", "session.status_idle",
    ]  # fmt: skip
    assert probe.made == [{"n": 1}]
    assert house.stop(session) == {"type": "end_turn"}
    assert said(answers.requests[1]) == ["go", "done"]


def test_what_was_said_is_remembered_in_the_next_turn(house: House) -> None:
    answers = Answers("One.", "Two.")
    session = house.begin(answers)
    house.turn(session, "first")
    house.turn(session, "second")
    assert said(answers.requests[1]) == ["first", "second"]
    assert [m.parts[0].text for m in answers.requests[1].messages if isinstance(m, AssistantTurn)] == ["One."]


def test_the_agents_instructions_and_tools_are_in_the_request(house: House) -> None:
    house.tools_here = [Probe()]
    answers = Answers("Yes.")
    session = house.begin(answers, tools=[built_in(), custom()], agent={"system": "You are a clerk."})
    house.turn(session)
    (request,) = answers.requests
    assert request.system == "You are a clerk."
    assert [spec.name for spec in request.tools] == ["probe", "ask_client"]


def test_thoughts_go_back_to_the_model_and_to_nobody_else(house: House) -> None:
    thought = Thinking("hm", {"signature": "s"})
    house.tools_here = [Probe()]
    answers = Answers([thought, *calls("probe")], "Done.")
    session = house.begin(answers, tools=[built_in()])
    house.turn(session)
    (turn,) = [m for m in answers.requests[1].messages if isinstance(m, AssistantTurn)]
    assert turn.parts[0] == thought
    from reverie.server.wire.rendering import rendered
    from reverie.sessions.views import View

    (event,) = [event for event in house.log_of(session) if event.type == "agent.thinking"]
    assert event.at is not None
    assert rendered(event, View(session), event.at).keys() == {"id", "type", "processed_at"}


def test_several_calls_of_one_answer_have_their_results_in_order(house: House) -> None:
    house.tools_here = [Probe(does=lambda input: f"gave {input['n']}")]
    three = [ToolCall(f"c{n}", "probe", {"n": n}) for n in range(3)]
    answers = Answers(three, "Done.")
    session = house.begin(answers, tools=[built_in()])
    house.turn(session)
    assert said(answers.requests[1]) == ["go", "gave 0", "gave 1", "gave 2"]


def test_calls_that_change_nothing_run_side_by_side(house: House) -> None:
    both = threading.Barrier(2)

    async def meet(input: Any) -> str:
        await asyncio.to_thread(both.wait, 20)
        return "met"

    house.tools_here = [Probe(repeatable=True, does=meet)]
    two = [ToolCall(f"c{n}", "probe", {"n": n}) for n in range(2)]
    session = house.begin(Answers(two, "Done."), tools=[built_in()])
    assert [e.payload["is_error"] for e in house.turn(session) if e.type == "agent.tool_result"] == [
        False
    ] * 2


def test_what_is_said_meanwhile_is_heard_at_the_next_step(house: House) -> None:
    probe = Probe()
    go_on = threading.Event()

    async def wait(input: Any) -> str:
        await asyncio.to_thread(go_on.wait, 20)
        return "done"

    probe = Probe(does=wait)
    house.tools_here = [probe]
    answers = Answers(calls("probe"), "Both done.")
    session = house.begin(answers, tools=[built_in()])
    watch = house.watch(session)
    house.tell(session)
    assert probe.began.wait(20)
    house.tell(session, "and this")
    go_on.set()
    watch.until(rested)
    watch.stop()
    assert said(answers.requests[1]) == ["go", "done", "and this"]
    assert len(answers.requests) == 2


# ---------------------------------------------------------------------- calls that cannot be made


def test_bad_calls_have_clear_results_and_the_session_goes_on(house: House) -> None:
    async def raises(input: Any) -> str:
        raise ValueError("no such thing")

    house.tools_here = [Probe(), Probe("broken", does=raises)]
    answers = Answers(
        [
            ToolCall("a", "nothing_like_it", {}),
            ToolCall("b", "probe", {"n": "one"}),
            ToolCall("c", "probe", {}, garbled='{"n": '),
            ToolCall("d", "broken", {}),
        ],
        "I see.",
    )
    session = house.begin(answers, tools=[built_in()])
    house.turn(session)
    told = [(r.is_error, r.content[0].text) for r in results(answers.requests[1])]
    assert [bad for bad, _ in told] == [True] * 4
    assert "There is no tool 'nothing_like_it'. The tools are: probe, broken." in told[0][1]
    assert "do not fit its schema" in told[1][1] and "n" in told[1][1]
    assert "not a JSON object" in told[2][1]
    assert told[3][1] == "broken failed: ValueError: no such thing"
    assert house.stop(session) == {"type": "end_turn"}


def test_an_output_that_is_too_long_is_kept_in_a_file(house: House) -> None:
    house.tools_here = [Probe(does=lambda input: "x" * 50_000_000)]
    answers = Answers(calls("probe"), "Long.")
    session = house.begin(answers, tools=[built_in()])
    house.turn(session)
    (result,) = results(answers.requests[1])
    assert sum(len(part.text) for part in result.content) < 110_000


# ---------------------------------------------------------------------- the client's part


def test_a_custom_tool_waits_for_the_client_and_goes_on(house: House) -> None:
    answers = Answers(calls("ask_client", n=3), "Thanks.")
    session = house.begin(answers, tools=[custom()])
    events = house.turn(session)
    (call,) = [event for event in events if event.type == "agent.custom_tool_use"]
    assert house.stop(session) == {"type": "requires_action", "event_ids": [call.id]}
    watch = house.watch(session)
    content = [{"type": "text", "text": "seven"}]
    house.sessions.send(
        session, [{"type": "user.custom_tool_result", "custom_tool_use_id": call.id, "content": content}]
    )
    watch.until(rested)
    watch.stop()
    assert said(answers.requests[1]) == ["go", "seven"] and house.stop(session) == {"type": "end_turn"}


def test_a_function_of_this_process_answers_a_custom_tool(house: House) -> None:
    async def double(input: Any) -> Output:
        return Output([Text(str(2 * input["n"]))])

    answers = Answers(calls("ask_client", n=3), "Thanks.")
    session = house.begin(answers, tools=[custom()])
    house.handle(session, {"ask_client": double})
    assert "session.status_idle" in types(house.turn(session))
    assert said(answers.requests[1]) == ["go", "6"]


@pytest.mark.parametrize("allowed", [True, False])
def test_a_call_that_needs_a_yes_waits_for_it(house: House, allowed: bool) -> None:
    probe = Probe()
    house.tools_here = [probe]
    answers = Answers(calls("probe"), "Done.")
    session = house.begin(answers, tools=[built_in("always_ask")])
    (call,) = [event for event in house.turn(session) if event.type == "agent.tool_use"]
    assert call.payload["evaluated_permission"] == "ask" and not probe.made
    watch = house.watch(session)
    confirmed = {"type": "user.tool_confirmation", "tool_use_id": call.id}
    said_so = {"result": "allow"} if allowed else {"result": "deny", "deny_message": "Not today."}
    house.sessions.send(session, [{**confirmed, **said_so}])
    watch.until(rested)
    watch.stop()
    assert len(probe.made) == allowed
    (result,) = results(answers.requests[1])
    assert result.is_error != allowed and ("Not today." in result.content[0].text) != allowed


@pytest.mark.parametrize(
    ("risk", "permission", "reason"),
    [("low", "allow", None), ("high", "ask", "high_risk"), ("unknown", "ask", "indeterminate")],
)
def test_the_policy_auto_goes_by_the_risk(
    house: House, risk: str, permission: str, reason: str | None
) -> None:
    house.tools_here = [Probe(risk=risk)]
    session = house.begin(Answers(calls("probe"), "Done."), tools=[built_in("auto")])
    (call,) = [event for event in house.turn(session) if event.type == "agent.tool_use"]
    assert call.payload["evaluated_permission"] == permission
    evaluated = call.payload["evaluation"]["evaluated_permission"]
    assert evaluated == {"type": permission, **({} if reason is None else {"reason_code": reason})}


def test_tools_of_a_self_hosted_environment_wait_for_the_worker(house: House) -> None:
    probe = Probe()
    house.tools_here = [probe]
    answers = Answers(calls("probe"), "Done.")
    session = house.begin(answers, tools=[built_in()], environment={"config": {"type": "self_hosted"}})
    (call,) = [event for event in house.turn(session) if event.type == "agent.tool_use"]
    assert house.stop(session) == {"type": "requires_action", "event_ids": [call.id]} and not probe.made
    watch = house.watch(session)
    content = [{"type": "text", "text": "from the worker"}]
    house.sessions.send(session, [{"type": "user.tool_result", "tool_use_id": call.id, "content": content}])
    watch.until(rested)
    watch.stop()
    assert said(answers.requests[1]) == ["go", "from the worker"]


# ---------------------------------------------------------------------- interrupts


def test_an_interrupt_ends_a_model_call_and_the_turn(house: House) -> None:
    asked = threading.Event()

    async def forever(request: Any) -> str:
        asked.set()
        await asyncio.sleep(3600)
        return "never"

    answers = Answers(forever, "Here again.")
    session = house.begin(answers)
    watch = house.watch(session)
    house.tell(session)
    assert asked.wait(20)
    house.sessions.send(session, [{"type": "user.interrupt"}])
    watch.until(rested)
    watch.stop()
    assert house.stop(session) == {"type": "end_turn"}
    house.turn(session, "still there?")
    assert said(answers.requests[1]) == ["go", "still there?"]


def test_an_interrupt_ends_a_tool_and_the_model_hears_of_it_next_time(house: House) -> None:
    ended = threading.Event()

    async def forever(input: Any) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return "never"

    probe = Probe(does=forever)
    house.tools_here = [probe]
    answers = Answers(calls("probe", "probe"), "I know.")
    session = house.begin(answers, tools=[built_in()])
    watch = house.watch(session)
    house.tell(session)
    assert probe.began.wait(20)
    house.sessions.send(session, [{"type": "user.interrupt"}])
    watch.until(rested)
    watch.stop()
    assert ended.wait(20) and len(probe.made) == 1
    assert house.stop(session) == {"type": "end_turn"}
    house.turn(session, "what happened?")
    told = results(answers.requests[1])
    assert len(told) == 2 and all(r.is_error and "interrupted" in r.content[0].text for r in told)


# ---------------------------------------------------------------------- models that fail


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelOverloaded("full"), "model_overloaded_error"),
        (ModelRateLimited("slower", retry_after=7.0), "model_rate_limited_error"),
        (ModelFailed("the stream was cut"), "model_request_failed_error"),
    ],
)
def test_a_request_that_failed_is_repeated(house: House, error: ModelFailed, kind: str) -> None:
    session = house.begin(Answers(error, error, "At last."))
    events = house.turn(session)
    assert errors(events) == [(kind, "retrying")] * 2
    assert types(events).count("session.status_rescheduled") == 2
    assert house.stop(session) == {"type": "end_turn"}
    assert [round(s, 6) for s in house.slept] == ([7.0, 7.0] if error.retry_after else [1.0, 2.0])


def test_repeating_has_an_end_and_the_session_stays_usable(house: House) -> None:
    answers = Answers(*[ModelOverloaded("full")] * 5, "Back again.")
    session = house.begin(answers)
    events = house.turn(session)
    assert errors(events) == [("model_overloaded_error", "retrying")] * 4 + [
        ("model_overloaded_error", "exhausted")
    ]
    assert house.stop(session) == {"type": "retries_exhausted"}
    house.turn(session, "now?")
    assert house.stop(session) == {"type": "end_turn"} and len(answers.requests) == 6


@pytest.mark.parametrize(
    "error", [ModelRefusedRequest("bad key", retryable=False), ConfigError("no key", hint="set it")]
)
def test_what_would_fail_again_is_not_repeated(house: House, error: Exception) -> None:
    session = house.begin(Answers(error, "Better."))
    assert errors(house.turn(session)) == [("model_request_failed_error", "exhausted")]
    house.turn(session)
    assert house.stop(session) == {"type": "end_turn"}


def test_a_model_that_nobody_has_is_told_of(house: House) -> None:
    session = house.begin(agent={"model": "scripted:nobody"})
    (error,) = [e for e in house.turn(session) if e.type == "session.error"]
    assert "scripted:nobody" in error.payload["error"]["message"]
    assert house.stop(session) == {"type": "retries_exhausted"}


def test_a_refusal_ends_the_turn(house: House) -> None:
    session = house.begin(Answers(answer(Text("No."), stop="refusal", category="cyber")))
    (*_, idle) = house.turn(session)
    assert idle.payload["stop_reason"] == {"type": "refusal"}
    assert idle.payload["stop_details"]["category"] == "cyber"


# ---------------------------------------------------------------------- limits


def test_a_budget_stops_after_at_most_one_call_over(house: House) -> None:
    house.tools_here = [Probe()]
    answers = Answers(answer(*calls("probe"), cost=Decimal("40")))
    limit = {"type": "limit", "max_list_cost": {"amount": "100", "currency": "USD"}}
    session = house.begin(answers, tools=[built_in()], budget=limit)
    house.turn(session)
    assert house.stop(session) == {"type": "budget_reached"} and len(answers.requests) == 3
    answers.answers = [answer(Text("Done."), cost=Decimal("1"))]
    watch = house.watch(session)
    more = {"type": "limit", "max_list_cost": {"amount": "200", "currency": "USD"}}
    house.sessions.update(session, {"budget": more})
    watch.until(rested)
    watch.stop()
    assert house.stop(session) == {"type": "end_turn"} and len(answers.requests) == 4


def test_an_agent_that_goes_round_in_circles_is_stopped(house: House) -> None:
    house.tools_here = [Probe()]
    answers = Answers(calls("probe"))
    session = house.begin(answers, tools=[built_in()])
    events = house.turn(session)
    assert errors(events) == [("tool_use_limit_reached_error", "exhausted")]
    assert house.stop(session) == {"type": "retries_exhausted"} and len(answers.requests) == 8


def test_a_conversation_that_is_too_long_is_summed_up(house: House) -> None:
    house.context_tokens = 1_000
    long = answer(Text("I read a lot."), tokens=900)
    answers = Answers(long, "SUMMARY", "Going on.")
    session = house.begin(answers)
    house.turn(session, "read it")
    events = house.turn(session, "and now?")
    assert "agent.thread_context_compacted" in types(events)
    (turn,) = answers.requests[2].messages
    text = turn.parts[0].text
    assert "SUMMARY" in text and "and now?" in text and "I read a lot." not in text
    assert house.stop(session) == {"type": "end_turn"}


def test_one_summary_is_enough_though_asking_for_it_was_as_long(house: House) -> None:
    house.context_tokens = 1_000
    long, summary = answer(Text("I read a lot."), tokens=900), answer(Text("SUMMARY"), tokens=920)
    session = house.begin(Answers(long, summary, "Going on."))
    house.turn(session, "read it")
    assert types(house.turn(session, "and now?")).count("agent.thread_context_compacted") == 1
    assert house.stop(session) == {"type": "end_turn"}


def test_a_request_that_does_not_fit_is_summed_up_and_repeated(house: House) -> None:
    answers = Answers("One.", ContextTooLong("too long", retryable=False), "SUMMARY", "Two.")
    session = house.begin(answers)
    house.turn(session)
    house.turn(session, "more")
    assert house.stop(session) == {"type": "end_turn"} and len(answers.requests) == 4


def test_summing_up_has_an_end_too(house: House) -> None:
    session = house.begin(Answers(ContextTooLong("too long", retryable=False)))
    events = house.turn(session)
    assert errors(events) == [("compaction_limit_reached_error", "exhausted")]
    assert house.stop(session) == {"type": "retries_exhausted"}
