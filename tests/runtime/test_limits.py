"""Agents that would never end: an endless tool, two tools that call for each other, a slow drip. Whatever bounds
them, money or tokens, at most one request more is made than it allows, and the session can be gone on with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.runtime.houses import Answers, House, Probe, answer, built_in, house_on

from reverie.domain.events import Event, JsonObject
from reverie.domain.messages import ModelRequest, Text, ToolCall

TOKENS = 110  # of every request here
CENTS = Decimal("7")


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    with house_on(sqlite_url) as opened:
        opened.tools_here = [Probe("ping"), Probe("pong")]
        opened.attend()
        yield opened  # type: ignore[misc]


def endless(request: ModelRequest) -> Any:
    """One tool, for ever, never with the same input."""
    return _call("ping")


def ping_pong(request: ModelRequest) -> Any:
    """Two tools in turn."""
    return _call("ping" if next(_turns) % 2 else "pong")


def slow_drip(request: ModelRequest) -> Any:
    """A little said at each step, and always one more."""
    return [Text("a little"), _call("pong")]


_turns = itertools.count()
SCRIPTS = [endless, ping_pong, slow_drip]


def _call(name: str) -> ToolCall:
    return ToolCall("c", name, {"n": next(_turns)})


class Spender(Answers):
    """Says what the script says; each answer costs as much as every other."""

    def __init__(self, script: Any) -> None:
        def costly(request: ModelRequest) -> Any:
            said = script(request)
            parts = said if isinstance(said, list) else [said]
            return answer(*parts, cost=CENTS, tokens=TOKENS - 1, stop="tool_use")

        super().__init__(costly)


def money(cents: int) -> JsonObject:
    return {"type": "limit", "max_list_cost": {"amount": str(cents), "currency": "USD"}}


def tokens(count: int) -> JsonObject:
    return {"type": "limit", "max_tokens": str(count)}


def allowed(limit: int, each: int) -> int:
    """How many requests begin before the limit is reached."""
    return -(-limit // each)


def requests(events: list[Event]) -> int:
    return sum(event.type == "span.model_request_start" for event in events)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("limit", [1, 63, 64, 100])
def test_money_stops_it(house: House, script: Any, limit: int) -> None:
    spender = Spender(script)
    session = house.begin(spender, tools=[built_in()], budget=money(limit))
    house.turn(session)
    assert house.stop(session) == {"type": "budget_reached"}
    assert len(spender.requests) == allowed(limit, int(CENTS))


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("limit", [1, 1_100, 1_101])
def test_tokens_stop_it(house: House, script: Any, limit: int) -> None:
    spender = Spender(script)
    session = house.begin(spender, tools=[built_in()], budget=tokens(limit))
    house.turn(session)
    assert house.stop(session) == {"type": "budget_reached"}
    assert len(spender.requests) == allowed(limit, TOKENS)


def test_of_two_limits_the_first_that_is_reached_stops_it(house: House) -> None:
    for limits, most in (({**money(14), **tokens(9_999)}, 2), ({**money(9_999), **tokens(330)}, 3)):
        spender = Spender(endless)
        session = house.begin(spender, tools=[built_in()], budget=limits)
        house.turn(session)
        assert house.stop(session) == {"type": "budget_reached"} and len(spender.requests) == most


def test_more_lets_it_go_on_just_as_far(house: House) -> None:
    spender = Spender(endless)
    session = house.begin(spender, tools=[built_in()], budget=tokens(300))
    house.turn(session)
    watch = house.watch(session)
    house.sessions.update(session, {"budget": tokens(600)})
    watch.until(lambda events: any(e.type == "session.status_idle" for e in events))
    watch.stop()
    assert house.stop(session) == {"type": "budget_reached"}
    assert len(spender.requests) == allowed(600, TOKENS)


def test_summing_up_is_paid_for_too(house: House) -> None:
    """What the runtime asks of its own accord counts like anything else."""
    house.context_tokens = 130
    spender = Spender(endless)
    session = house.begin(spender, tools=[built_in()], budget=tokens(3 * TOKENS))
    events = house.turn(session)
    assert house.stop(session) == {"type": "budget_reached"}
    assert requests(events) == 3 and "agent.thread_context_compacted" in [e.type for e in events]


def test_money_does_not_bound_a_model_without_a_price(house: House) -> None:
    spender = Spender(endless)
    spender.priced = False
    session = house.begin(spender, tools=[built_in()], budget=money(100))
    events = house.turn(session)
    (told,) = [e.payload["error"] for e in events if e.type == "session.error"]
    assert "no list price" in told["message"] and "max_tokens" in told["message"]
    assert house.stop(session) == {"type": "retries_exhausted"} and not spender.requests
    spender.answers = ["Here I am."]
    watch = house.watch(session)
    house.sessions.update(session, {"budget": None})
    watch.stop()
    house.turn(session, "and without?")
    assert house.stop(session) == {"type": "end_turn"}


def test_a_runtime_that_does_not_count_is_found_out(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: where nobody asks whether there is anything left, only the circle of calls ends it."""
    monkeypatch.setattr("reverie.runtime.loop.allows", lambda page, thread, model: True)
    monkeypatch.setattr("reverie.runtime.brain.MAX_STEPS", 20)
    spender = Spender(lambda request: ToolCall("c", "ping", {}))
    session = house.begin(spender, tools=[built_in()], budget=money(7))
    house.turn(session)
    assert house.stop(session) != {"type": "budget_reached"} and len(spender.requests) > 2
