"""Interrupts, and specialists that hang, flood or die: everybody stops who shall, and nobody else is held up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.runtime.graders import Grader, defined, ends, honest, rubric
from tests.runtime.houses import House, Probe, built_in, calls, house_on, rested, results
from tests.runtime.leads import (
    Gate,
    Script,
    again,
    begin_team,
    check,
    idles,
    of,
    send,
    stops,
    threads,
    tool,
    wait,
)

from reverie.domain.events import Event
from reverie.domain.messages import ModelRequest

STOPS_S = 2.0
INTERRUPT = {"type": "user.interrupt"}


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    with house_on(sqlite_url) as opened:
        opened.attend()
        yield opened  # type: ignore[misc]


def worker(steps: int, say: str = "Worked.") -> Callable[[ModelRequest], Any]:
    """Calls its tool so many times, then reports."""

    def model(request: ModelRequest) -> Any:
        done = len(results(request))
        return calls("probe", n=done) if done < steps else say

    return model


def begun(house: House, session: str, enough: Callable[[list[Event]], Any], text: str = "go") -> Any:
    watch = house.watch(session)
    house.tell(session, text)
    watch.until(enough)
    return watch


# ---------------------------------------------------------------------- interrupts


def test_an_interrupt_reaches_all_of_twenty_at_once(house: House) -> None:
    gates = [Gate() for _ in range(20)]
    lead = Script([send(f"s{n}") for n in range(20)], wait(), "I was stopped.")
    session = begin_team(house, lead, {f"s{n}": gate for n, gate in enumerate(gates)})
    watch = begun(house, session, lambda events: all(gate.asked.is_set() for gate in gates))
    asked, at = len(lead.requests), time.monotonic()
    house.sessions.send(session, [INTERRUPT])
    watch.until(rested)
    watch.stop()
    assert time.monotonic() - at < STOPS_S
    events = check(house, session)
    assert len(stops(events, "")) == 1 and all(len(stops(events, id)) == 1 for id in threads(events))
    assert len(lead.requests) == asked, "nobody goes on by himself"
    house.turn(session, "and now?")
    assert lead.heard[-1] == "and now?" and idles(check(house, session)) == 2


@pytest.mark.parametrize("when", range(12))
def test_an_interrupt_at_any_moment_leaves_everybody_at_rest(house: House, when: int) -> None:
    """As soon as the log has so many events of specialists; whatever they were about, nobody goes on."""
    house.tools_here = [Probe()]
    agents = {"s": {"tools": [built_in()]}}
    lead = Script([send("s") for _ in range(8)], "I wait.", *["More."] * 20)
    session = begin_team(house, lead, {"s": worker(3)}, agents=agents)
    watch = begun(
        house, session, lambda events: sum(e.thread != "" for e in events) >= 3 + when * 9 or rested(events)
    )
    house.sessions.send(session, [INTERRUPT])
    events = watch.until(rested)
    watch.stop()
    seq = next((e.seq for e in house.log_of(session) if e.type == "user.interrupt"), None)
    assert seq is not None
    behind = [e for e in check(house, session) if e.seq > seq]
    assert [e.type for e in behind].count("span.model_request_start") == 0
    assert [e.type for e in behind].count("session.thread_created") == 0
    assert len(events) <= len(house.log_of(session))


def test_where_one_is_interrupted_its_lead_hears_of_it_and_the_others_go_on(house: House) -> None:
    hung, other = Gate(), Gate("Other.")
    lead = Script([send("hung"), send("other")], "I wait.", "One less.", "Done.")
    session = begin_team(house, lead, {"hung": hung, "other": other})
    watch = begun(
        house, session, lambda events: hung.asked.is_set() and other.asked.is_set() and stops(events, "")
    )
    thread = of(house.log_of(session), "hung")
    house.sessions.send(session, [{**INTERRUPT, "session_thread_id": thread}])
    watch.until(lambda events: len(stops(events, "")) == 2)
    assert "interrupted by a person" in lead.heard[-1]
    other.go.set()
    watch.until(rested)
    watch.stop()
    assert lead.heard[-1] == "Other." and stops(house.log_of(session), thread)[-1]["type"] == "end_turn"
    check(house, session)


def test_one_that_waits_for_a_person_is_interrupted_without_its_model(house: House) -> None:
    house.tools_here = [Probe()]
    reader = Script(calls("probe"), "never")
    lead = Script(send("reader"), "I wait.", "I see.")
    agents = {"reader": {"tools": [built_in("always_ask")]}}
    session = begin_team(house, lead, {"reader": reader}, agents=agents)
    thread = of(house.turn(session), "reader")
    house.then(session, {**INTERRUPT, "session_thread_id": thread})
    watch = house.watch(session)
    events = check_when(house, session, lambda: len(lead.requests) == 3)
    watch.stop()
    assert "interrupted by a person" in lead.heard[-1]
    (_, result) = [
        e for e in events if e.thread == thread and e.type in ("agent.tool_use", "agent.tool_result")
    ]
    assert result.payload["is_error"] and stops(events, thread)[-1]["type"] == "end_turn"
    assert len(reader.requests) == 1


def check_when(house: House, session: str, enough: Callable[[], bool]) -> list[Event]:
    deadline = time.monotonic() + 20
    while not (enough() and house.live.row(session).status == "idle"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return check(house, session)


def test_a_lead_stops_a_specialist_that_hangs_and_gives_it_something_else(house: House) -> None:
    gate = Gate()
    reader = Script(gate, "Better.")
    seen: list[str] = []

    async def stop(request: ModelRequest) -> Any:
        await asyncio.to_thread(gate.asked.wait, 20)
        seen.append(of(house.log_of(session), "reader"))
        return tool("stop_agent", thread_id=seen[0])

    lead = Script(send("reader"), stop, lambda request: [again(seen[0], "this instead"), wait()], "Done.")
    session = begin_team(house, lead, {"reader": reader})
    house.turn(session)
    assert reader.heard == ["do it", "this instead"] and "Better." in lead.heard
    assert not any("interrupted" in text for text in lead.heard)
    check(house, session)


# ---------------------------------------------------------------------- one hangs, one floods, one dies


def test_the_others_work_on_whatever_becomes_of_three(house: House) -> None:
    async def does(input: Any) -> Any:
        match input.get("n"):
            case 1_000:
                await asyncio.Event().wait()
            case 1_001:
                return "x" * 20_000_000
        return "done"

    house.tools_here = [Probe(does=does)]
    steps, good = 6, [f"s{n}" for n in range(17)]
    models: dict[str, Any] = dict.fromkeys(good, worker(steps))
    models["hangs"] = Script(calls("probe", n=1_000), "never")
    models["floods"] = Script(*[calls("probe", n=1_001)] * 3, "Flooded.")
    models["dies"] = Script(calls("probe", n=1), RuntimeError("a bug of its model's"))
    every = {"tools": [built_in()]}
    lead = Script(*[[send(name) for name in models]], "I wait.", *["Go on."] * 30)
    session = begin_team(house, lead, models, agents=dict.fromkeys(models, every))

    def reported(events: list[Event]) -> bool:
        names = threads(events)
        done = {
            names[e.thread] for e in events if e.type == "session.thread_status_idle" and e.thread in names
        }
        return done >= {*good, "floods", "dies"} and len(stops(events, "")) > 1

    watch = begun(house, session, reported)
    events = house.log_of(session)
    made = [e for e in events if e.type == "agent.tool_result" and threads(events).get(e.thread) in good]
    assert len(made) == steps * len(good)
    check_rest = [e for e in events if e.type == "agent.thread_message_received" and e.thread == ""]
    assert len(check_rest) == 19 and "a bug of its model's" in str([dict(e.payload) for e in check_rest])
    longest = max(len(str(dict(e.payload))) for e in events)
    assert longest < 250_000, "a flood is cut"
    at = time.monotonic()
    house.sessions.send(session, [INTERRUPT])
    watch.until(rested)
    watch.stop()
    assert time.monotonic() - at < STOPS_S
    check(house, session)


# ---------------------------------------------------------------------- outcomes


def test_work_is_judged_when_nobody_is_at_it_any_more(house: House) -> None:
    gate, done = Gate("Found."), "alpha is done well"
    lead = Script(send("reader"), f"{done}, and I wait.", done)
    session = begin_team(house, lead, {"reader": gate})
    grader = Grader(honest)
    house.models_here = {**house.models_here, "scripted:grader": grader}
    watch = house.watch(session)
    house.sessions.send(session, [{**defined(rubric(done)), "grader": {"model": "scripted:grader"}}])
    watch.until(lambda events: stops(events, ""))
    assert not grader.requests
    gate.go.set()
    watch.until(rested)
    watch.stop()
    assert ends(check(house, session)) == ["satisfied"]
