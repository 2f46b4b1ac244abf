"""Whoever goes on with a session knows what is in its log, and nothing else: recorded steps are not repeated,
and what may have had an effect is not repeated silently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.runtime.houses import (
    Answers,
    House,
    Probe,
    built_in,
    calls,
    custom,
    house_on,
    rested,
    results,
    said,
)

from reverie.domain.events import Event
from reverie.domain.messages import ToolCall
from reverie.runtime.context import SessionContext
from reverie.storage.events import read


def fold_of(house: House, session: str) -> SessionContext:
    context = SessionContext(house.load_file)
    for link in house.live.log_after(session, 0, 100_000):
        context.absorb(read(link))
    return context


async def forever(input: Any) -> str:
    await asyncio.sleep(3600)
    return "never"


def left_in_the_middle(db_url: str, probe: Probe, *tool_calls: ToolCall) -> str:
    """A session whose process ended while it made a call."""
    with house_on(db_url) as house:
        house.attend()
        house.tools_here = [probe]
        session = house.begin(Answers(list(tool_calls) or calls("probe", n=1)), tools=[built_in()])
        house.tell(session)
        assert probe.began.wait(20)
    return session


def gone_on(db_url: str, session: str, answers: Answers, *tools: Probe) -> list[Event]:
    """What somebody else makes of it."""
    with house_on(db_url) as house:
        house.models_here, house.tools_here = {"scripted:it": answers}, tools
        watch = house.watch(session)
        house.attend()
        watch.until(rested)
        watch.stop()
        return house.log_of(session)


def test_a_call_that_may_have_had_an_effect_is_not_made_again(db_url: str) -> None:
    session = left_in_the_middle(db_url, Probe(does=forever))
    probe, answers = Probe(), Answers("I look first.")
    events = gone_on(db_url, session, answers, probe)
    assert not probe.made
    (result,) = results(answers.requests[0])
    assert result.is_error and "outcome of this call is unknown" in result.content[0].text
    assert [e.type for e in events].count("agent.tool_use") == 1
    assert [e.type for e in events].count("agent.tool_result") == 1


def test_a_call_that_changes_nothing_is_made_again(db_url: str) -> None:
    session = left_in_the_middle(db_url, Probe(does=forever, repeatable=True))
    probe, answers = Probe(repeatable=True), Answers("Good.")
    gone_on(db_url, session, answers, probe)
    assert probe.made == [{"n": 1}] and said(answers.requests[0]) == ["go", "done"]


def test_of_several_calls_those_with_a_result_keep_it(db_url: str) -> None:
    def first_then_wait(input: Any) -> Any:
        return "first" if input["n"] == 0 else forever(input)

    with house_on(db_url) as house:
        house.attend()
        probe = Probe(does=first_then_wait)
        house.tools_here = [probe]
        three = [ToolCall(f"c{n}", "probe", {"n": n}) for n in range(3)]
        session = house.begin(Answers(three), tools=[built_in()])
        house.tell(session)
        deadline = time.monotonic() + 20
        while len(probe.made) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(probe.made) == 2
    again, answers = Probe(), Answers("I see.")
    gone_on(db_url, session, answers, again)
    texts = said(answers.requests[0])
    assert texts[:2] == ["go", "first"] and not again.made
    assert all("unknown" in text for text in texts[2:]) and len(texts) == 4


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_yes_that_came_while_nobody_worked_is_acted_on_once(db_url: str, repeatable: bool) -> None:
    with house_on(db_url) as house:
        house.attend()
        house.tools_here = [Probe()]
        session = house.begin(Answers(calls("probe")), tools=[built_in("always_ask")])
        (call,) = [e for e in house.turn(session) if e.type == "agent.tool_use"]
    with house_on(db_url) as house:
        house.sessions.send(
            session, [{"type": "user.tool_confirmation", "tool_use_id": call.id, "result": "allow"}]
        )
    probe, answers = Probe(repeatable=repeatable), Answers("Done.")
    gone_on(db_url, session, answers, probe)
    assert len(probe.made) == 1 and said(answers.requests[0]) == ["go", "done"]


def test_a_model_call_that_was_cut_off_is_made_again(db_url: str) -> None:
    asked: list[int] = []

    async def never(request: Any) -> str:
        asked.append(1)
        await asyncio.sleep(3600)
        return ""

    with house_on(db_url) as house:
        house.attend()
        session = house.begin(never)
        watch = house.watch(session)
        house.tell(session)
        watch.until(lambda events: any(e.type == "span.model_request_start" for e in events))
        watch.stop()
    answers = Answers("Here I am.")
    gone_on(db_url, session, answers)
    assert said(answers.requests[0]) == ["go"]


def test_what_was_said_while_nobody_worked_is_heard(db_url: str) -> None:
    with house_on(db_url) as house:
        session = house.begin(Answers("unused"))
        house.tell(session, "anybody there?")
    answers = Answers("Yes.")
    gone_on(db_url, session, answers)
    assert said(answers.requests[0]) == ["anybody there?"]


def _simple(house: House) -> str:
    house.tools_here = [Probe()]
    session = house.begin(
        Answers(calls("probe", n=1), calls("probe", n=2), "Done."), tools=[built_in(), custom()]
    )
    house.turn(session)
    house.turn(session, "again")
    return session


def _with_the_client(house: House) -> str:
    session = house.begin(Answers(calls("ask_client", n=3), "Thanks."), tools=[custom()])
    (call,) = [e for e in house.turn(session) if e.type == "agent.custom_tool_use"]
    house.then(session, {"type": "user.custom_tool_result", "custom_tool_use_id": call.id})
    return session


@pytest.mark.parametrize("life", [_simple, _with_the_client])
def test_the_fold_of_the_log_is_what_the_loop_went_by(house: House, life: Callable[[House], str]) -> None:
    """The fold that the loop kept, event by event as it wrote them, is that of the log read anew."""
    session = life(house)
    runtime: Any = house._runtime
    deadline = time.monotonic() + 20
    while session not in runtime._folds and time.monotonic() < deadline:
        time.sleep(0.01)  # the session rests before its run has ended
    kept, fresh = runtime._folds[session][1], fold_of(house, session)
    assert kept.seq == fresh.seq
    mine, its = kept.threads[""], fresh.threads[""]
    assert mine.messages == its.messages
    for name in ("open", "due", "running", "interrupted", "failures", "steps", "prompt_tokens", "last_calls"):
        assert getattr(mine, name) == getattr(its, name), name
