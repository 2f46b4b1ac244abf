"""Providers that fail, through the whole loop and over real HTTP: no session is lost, what is repeated has an
end, events are those of the wire, and the next message works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.models.provider import (
    Breaks,
    Cuts,
    Drips,
    Fails,
    Garbage,
    Hangs,
    Huge,
    Provider,
    Refuses,
    TooLong,
    serving,
)
from tests.runtime.houses import House, Probe, built_in, house_on, rested

from reverie.domain.events import Event, JsonObject
from reverie.domain.messages import ToolCall
from reverie.models.providers import Providers
from reverie.models.wire import Patience
from reverie.runtime.loop import MAX_TRIES

WIRES = {"openai": "openai:gpt-5", "anthropic": "anthropic:claude-haiku-4-5"}
PATIENT = Patience(connect_s=20.0, silence_s=20.0, whole_s=20.0, longest_s=30.0)
IMPATIENT = Patience(connect_s=20.0, silence_s=1.0, whole_s=1.0, longest_s=20.0)
"""For providers that hang: long enough for a good answer of a busy machine."""
OVERLOADED, LIMITED, FAILED = (
    "model_overloaded_error",
    "model_rate_limited_error",
    "model_request_failed_error",
)


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    with house_on(sqlite_url) as opened:
        opened.tools_here = [Probe()]
        opened.attend()
        yield opened  # type: ignore[misc]


@pytest.fixture(params=list(WIRES))
def wire(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def begin(
    house: House,
    provider: Provider,
    wire: str,
    monkeypatch: pytest.MonkeyPatch,
    patience: Patience = PATIENT,
    **more: Any,
) -> str:
    """A session whose model is that provider's; the environment stays configured for the test."""
    for name, value in provider.variables.items():
        monkeypatch.setenv(name, value)
    model = Providers(patience).make(WIRES[wire])
    return house.begin(model, tools=[built_in()], **more)


def errors(events: list[Event]) -> list[tuple[str, str]]:
    told = [event.payload["error"] for event in events if event.type == "session.error"]
    return [(error["type"], error["retry_status"]["type"]) for error in told]


def messages(events: list[Event]) -> list[str]:
    return [e.payload["content"][0]["text"] for e in events if e.type == "agent.message"]


def paired(events: list[Event]) -> bool:
    """Whether every request that began has exactly one end."""
    begun = [e.id for e in events if e.type == "span.model_request_start"]
    ended = [e.payload["model_request_start_id"] for e in events if e.type == "span.model_request_end"]
    return begun == ended


PASSING = {
    "rate limit": (Fails(429, "slow down", retry_after=2), LIMITED),
    "internal error": (Fails(500, "oops"), None),
    "overloaded": (Fails(529, "overloaded"), OVERLOADED),
    "cut stream": (Cuts("A long answer, of which little comes.", after=200), FAILED),
    "cut stream that looks whole": (Cuts("Much is said here.", after=200, clean=True), FAILED),
    "error in the stream": (Breaks("It began well.", Fails(500, "broke")), None),
    "garbage": (Garbage(), FAILED),
    "token of 10 MB": (Huge(10 << 20), FAILED),
    "hang": (Hangs(), FAILED),
    "hang before the headers": (Hangs(headers=False), FAILED),
}


@pytest.mark.parametrize("name", list(PASSING))
def test_a_fault_that_passes_is_outlived(
    house: House, wire: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, kind = PASSING[name]
    script = [fault, ToolCall("c1", "probe", {"n": 1}), fault, "It is done.", "Still here."]
    with serving(script) as provider:
        session = begin(house, provider, wire, monkeypatch, IMPATIENT if "hang" in name else PATIENT)
        events = house.turn(session)
        assert [retry for _, retry in errors(events)] == ["retrying", "retrying"], errors(events)
        if kind is not None:
            assert {found for found, _ in errors(events)} == {kind}, errors(events)
        assert [e.type for e in events].count("session.status_rescheduled") == 2 and paired(events)
        assert messages(events) == ["It is done."], "no half of an answer is one"
        assert house.stop(session) == {"type": "end_turn"}
        assert len(house.tools_here[0].made) == 1, "the tool was not called twice for that"
        assert messages(house.turn(session, "and now?")) == ["Still here."]
        assert len(provider.requests) == 5
    if name == "rate limit":
        assert all(seconds >= 2 for seconds in house.slept)


@pytest.mark.parametrize(
    "fault", [Fails(429, retry_after=1), Fails(500), Garbage(), Cuts("x" * 999, after=150)]
)
def test_a_fault_that_stays_is_given_up_and_the_session_is_not(
    house: House, wire: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving([*[fault] * MAX_TRIES, "Back again."]) as provider:
        session = begin(house, provider, wire, monkeypatch)
        events = house.turn(session)
        assert [retry for _, retry in errors(events)] == ["retrying"] * (MAX_TRIES - 1) + ["exhausted"]
        assert house.stop(session) == {"type": "retries_exhausted"} and paired(events)
        assert len(provider.requests) == MAX_TRIES
        assert messages(house.turn(session, "now?")) == ["Back again."]


@pytest.mark.parametrize(
    "fault", [Fails(400, "that is wrong"), Fails(401, "no such key"), Fails(403, "not yours")]
)
def test_what_would_fail_again_is_asked_once(
    house: House, wire: str, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving([fault, "Better."]) as provider:
        session = begin(house, provider, wire, monkeypatch)
        assert errors(house.turn(session)) == [(FAILED, "exhausted")]
        assert len(provider.requests) == 1
        assert messages(house.turn(session)) == ["Better."]


def test_a_refusal_ends_the_turn_and_not_the_session(
    house: House, wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving([Refuses("cyber"), "Gladly."]) as provider:
        session = begin(house, provider, wire, monkeypatch)
        house.turn(session)
        assert house.stop(session) == {"type": "refusal"}
        assert messages(house.turn(session, "something else"))[-1] == "Gladly."


def test_a_context_that_is_too_long_is_summed_up(
    house: House, wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(["One.", TooLong(), "THE SUMMARY", "Two."]) as provider:
        session = begin(house, provider, wire, monkeypatch)
        house.turn(session, "first")
        events = house.turn(session, "second")
        assert "agent.thread_context_compacted" in [e.type for e in events]
        assert messages(events) == ["Two."] and house.stop(session) == {"type": "end_turn"}
        assert "THE SUMMARY" in str(provider.requests[-1].body)


class Listener:
    """Hears of an answer while it is made."""

    def __init__(self) -> None:
        self.previews: list[JsonObject] = []

    def appended(self, links: Any) -> None: ...
    def changed(self) -> None: ...
    def deleted(self) -> None: ...

    def previewed(self, thread: str, preview: JsonObject) -> None:
        self.previews.append(preview)


def test_previews_reach_who_listens_under_the_id_of_what_comes_of_them(
    house: House, wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "One word after the other, until the answer is whole."
    with serving([Drips(text)]) as provider:
        session = begin(house, provider, wire, monkeypatch)
        listener = Listener()
        stop = house.feed.subscribe(session, listener)
        events = house.turn(session)
        stop()
        assert provider.requests[0].streams
    (message,) = [e for e in events if e.type == "agent.message"]
    deltas = [p for p in listener.previews if p["type"] == "event_delta"]
    assert len(deltas) > 1 and {p["event_id"] for p in deltas} == {message.id}
    assert "".join(p["delta"]["content"]["text"] for p in deltas) == text


def test_a_loop_that_takes_half_an_answer_for_one_is_found_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the check that an answer is whole taken away, a cut stream passes for one."""
    from reverie.models.asking import ProviderModel

    monkeypatch.setattr(ProviderModel, "_checked", lambda self, response: response)
    monkeypatch.setattr("reverie.models.providers._make_strict", lambda model: None)
    fault = Cuts("Much is said here, and little comes.", after=900, clean=True)
    with serving([fault, "It is done."]) as provider:
        session = begin(house, provider, "anthropic", monkeypatch)
        events = house.turn(session)
        assert errors(events) == [] and messages(events) != ["It is done."]


def test_missing_keys_and_unknown_providers_are_said(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    made = Providers(IMPATIENT)
    house.models_here = {"scripted:it": None}  # never asked
    for name, words in (("anthropic:claude-haiku-4-5", "ANTHROPIC_API_KEY"), ("nobody:x", "nobody")):
        monkeypatch.setattr(house, "plugs", _with(house, made))
        session = house.begin(agent={"model": name})
        (told,) = [e for e in house.turn(session) if e.type == "session.error"]
        assert words in told.payload["error"]["message"]
        assert house.stop(session) == {"type": "retries_exhausted"}
    assert rested(house.log_of(session))


def _with(house: House, made: Providers) -> Any:
    from dataclasses import replace

    plugs = House.plugs(house)
    return lambda: replace(plugs, model=made.make)
