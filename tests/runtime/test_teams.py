"""A lead and its specialists, through the front door: what each is told, in which order, and when all rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.runtime.houses import Answers, House, Probe, answer, built_in, calls, custom, house_on, rested
from tests.runtime.leads import (
    Gate,
    Script,
    again,
    begin_team,
    check,
    idles,
    of,
    patiently,
    results_of,
    send,
    stops,
    threads,
    tool,
    wait,
)

from reverie.domain.errors import ModelFailed, UsageError
from reverie.domain.events import Event
from reverie.domain.messages import ModelRequest


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    with house_on(sqlite_url) as opened:
        opened.attend()
        yield opened  # type: ignore[misc]


def first_thread(request: ModelRequest) -> str:
    """The thread that the first call of a conversation began."""
    return results_of(request)[0].rpartition(" ")[2].rstrip(".")


# ---------------------------------------------------------------------- tasks and reports


def test_a_lead_hands_out_work_and_hears_what_came_of_it(house: House) -> None:
    lead = Script([send("reader", "read a"), send("writer", "write b")], wait(), "All done.")
    reader, writer = Script("It says a."), Script("b is written.")
    session = begin_team(house, lead, {"reader": reader, "writer": writer})
    events = house.turn(session)
    assert (reader.heard, writer.heard) == (["read a"], ["write b"])
    assert {"It says a.", "b is written."} <= set(lead.heard)
    assert idles(check(house, session)) == 1 and sorted(threads(events).values()) == ["reader", "writer"]
    sent = [e for e in events if e.type == "agent.thread_message_sent" and e.thread == ""]
    assert {e.payload["to_agent_name"] for e in sent} == {"reader", "writer"}
    received = [e for e in events if e.type == "agent.thread_message_received" and e.thread == ""]
    assert {e.payload["from_agent_name"] for e in received} == {"reader", "writer"}


def test_a_call_to_wait_in_the_same_answer_waits_for_those_that_the_others_begin(house: House) -> None:
    lead = Script([send("reader"), send("reader"), wait()], "Done.")
    session = begin_team(house, lead, {"reader": Script("Read.")})
    house.turn(session)
    assert results_of(lead.requests[1])[2].count("has reported") == 2
    check(house, session)


def test_what_a_specialist_is_told_later_finds_all_that_was_before(house: House) -> None:
    reader = Script("One.", "Two.")
    lead = Script(
        send("reader", "first"),
        wait(),
        lambda request: [again(first_thread(request), "second"), wait()],
        "Done.",
    )
    session = begin_team(house, lead, {"reader": reader})
    house.turn(session)
    assert reader.heard == ["first", "second"] and "Two." in lead.heard
    assert len(threads(check(house, session))) == 1


def test_each_specialist_has_what_its_agent_says(house: House) -> None:
    house.tools_here = [Probe()]
    reader = Script("Read.")
    agents = {"reader": {"system": "You read.", "tools": [custom("price")]}}
    lead = Script(send("reader"), wait(), "Done.")
    session = begin_team(house, lead, {"reader": reader}, agents=agents, tools=[built_in()])
    house.turn(session)
    (request,) = reader.requests
    assert request.system == "You read."
    assert [spec.name for spec in request.tools] == ["send_to_parent", "price"]
    names = {spec.name for spec in lead.requests[0].tools}
    assert {"send_to_agent", "run_plan", "probe"} <= names and "send_to_parent" not in names


def test_a_lead_that_ended_its_turn_goes_on_with_the_report(house: House) -> None:
    gate, lead = Gate("Found it."), Script(send("reader"), "I wait.", "Thanks.")
    session = begin_team(house, lead, {"reader": gate})
    watch = house.watch(session)
    house.tell(session)
    watch.until(lambda events: any(e.type == "session.thread_status_idle" for e in events))
    assert len(lead.requests) == 2
    gate.go.set()
    watch.until(rested)
    assert lead.heard[-1] == "Found it."
    assert idles(check(house, session)) == 1, "it was not done in between"
    watch.stop()


def test_a_report_that_comes_while_the_lead_is_asked_stands_behind_what_it_says(house: House) -> None:
    gate = Gate([tool("list_agents")])
    lead = Script(send("reader"), gate, "Done.", "Done.")
    session = begin_team(house, lead, {"reader": Script("Early.")})
    watch = house.watch(session)
    house.tell(session)
    watch.until(lambda events: gate.asked.is_set() and stops(events, of(events, "reader")))
    gate.go.set()
    watch.until(rested)
    watch.stop()
    assert "Early." not in lead.heard[:2] and lead.heard[-1] == "Early."
    check(house, session)


def test_of_several_the_first_is_enough_and_time_too(house: House) -> None:
    gate = Gate()
    lead = Script(
        [send("quick"), send("slow")],
        wait(mode="any"),
        wait(timeout_s=0.02),
        lambda request: (gate.go.set(), wait(mode="all"))[1],
        "Done.",
    )
    session = begin_team(house, lead, {"quick": Script("Quick."), "slow": gate})
    house.turn(session)
    told = results_of(lead.requests[-1])
    assert "(quick): has reported" in told[2] or "(quick)" not in told[2]
    assert "(slow): at work" in told[3] and "(slow): has reported" in told[4]
    check(house, session)


def test_a_long_result_is_read_in_pieces(house: House) -> None:
    lead = Script(
        [send("reader"), wait()],
        lambda request: tool("read_result", thread_id=first_thread(request)),
        lambda request: tool("read_result", thread_id=first_thread(request), offset=60_000),
        "Done.",
    )
    session = begin_team(house, lead, {"reader": Script("x" * 60_000 + "the end")})
    house.turn(session)
    told = results_of(lead.requests[-1])
    assert told[2].endswith("[7 characters more: offset 60000]") and told[3] == "the end"


def test_a_lead_sees_who_there_is_and_how_each_stands(house: House) -> None:
    lead = Script([send("reader"), wait(), tool("list_agents")], "Done.")
    agents = {"reader": {"description": "Reads."}}
    session = begin_team(house, lead, {"reader": Script("Read.")}, agents=agents)
    house.turn(session)
    told = results_of(lead.requests[-1])[2]
    assert "- reader: Reads." in told and f"{of(house.log_of(session), 'reader')} (reader)" in told


def test_a_specialist_tells_its_lead_something_while_it_works(house: House) -> None:
    reader = Script(tool("send_to_parent", message="Halfway."), "Read.")
    lead = Script([send("reader"), wait()], "Done.")
    session = begin_team(house, lead, {"reader": reader})
    house.turn(session)
    assert [text for text in lead.heard if text in ("Halfway.", "Read.")] == ["Halfway.", "Read."]
    check(house, session)


def test_calls_that_make_no_sense_are_told_why(house: House) -> None:
    lead = Script(
        [
            send("nobody"),
            again("sthr_none", "hello"),
            tool("send_to_agent", message="to whom?"),
            tool("wait_for_agents", thread_ids=["sthr_none"]),
            tool("read_result", task="a"),
            tool("stop_agent", thread_id="sthr_none"),
            tool("read_plan"),
            wait(),
        ],
        "I see.",
    )
    session = begin_team(house, lead, {"reader": Script("Read.")})
    house.turn(session)
    told = results_of(lead.requests[1])
    assert "nobody" in told[0] and "reader" in told[0]
    assert "no thread 'sthr_none' of yours" in told[1] and "one of agent and thread_id" in told[2]
    assert "no thread" in told[3] and "no plan yet" in told[4] and "no thread" in told[5]
    assert "no plan yet" in told[6] and told[7] == "Nobody is at work."
    check(house, session)


# ---------------------------------------------------------------------- how many, how deep


def test_the_twenty_sixth_is_refused_and_no_result_is_lost_by_that(house: House) -> None:
    house.tools_here = [Probe()]
    many = [send("reader", f"task {n}") for n in range(26)]
    lead = Script([*calls("probe"), *many], wait(), "Done.")
    session = begin_team(house, lead, {"reader": Script("Read.")}, tools=[built_in()])
    events = house.turn(session)
    told = results_of(lead.requests[1])
    assert told[0] == "done" and sum("works on it in thread" in text for text in told) == 25
    assert sum("at most 25" in text for text in told) == 1
    check(house, session)
    house.live.archive_thread(session, next(iter(threads(events))))
    lead.answers = [[send("reader", "one more"), wait()], "Done."]
    house.turn(session)
    assert len(threads(check(house, session))) == 26


def test_agents_that_a_lead_invents_have_no_more_than_it_has(house: House) -> None:
    house.tools_here = [Probe("read"), Probe("bash")]
    seen: list[ModelRequest] = []
    new = {"name": "sorter", "system": "You sort.", "tools": ["read"]}

    def lead(request: ModelRequest) -> Any:
        if request.system == "You sort.":
            seen.append(request)
            return "Sorted."
        if len(request.messages) == 1:
            bad = {"name": "worse", "tools": ["price"]}
            return [tool("send_to_agent", new_agent=each, message="sort") for each in (new, bad)] + [wait()]
        return "Done."

    model = Script(lead)
    session = house.begin(model, tools=[built_in()], agent={"multiagent": {"type": "multiagent_20261001"}})
    house.turn(session)
    (request,) = seen
    assert [spec.name for spec in request.tools] == ["send_to_parent", "read"]
    assert "price" in results_of(model.requests[-1])[1]
    check(house, session)


def test_a_specialist_leads_others_where_that_is_allowed(house: House) -> None:
    house.models_here = {
        "scripted:leaf": Script("Leaf."),
        "scripted:middle": Script([send("leaf"), wait()], "M."),
    }
    leaf = house.agents.create({"name": "leaf", "model": "scripted:leaf"}).id
    below = {"type": "coordinator", "agents": [leaf]}
    middle = house.agents.create({"name": "middle", "model": "scripted:middle", "multiagent": below}).id
    lead = Script([send("middle"), wait()], "Done.")
    with pytest.raises(UsageError):
        house.agents.create(
            {"name": "x", "model": "scripted:it", "multiagent": {"type": "coordinator", "agents": [middle]}}
        )
    deep = {"type": "coordinator", "agents": [middle], "max_depth": 2}
    session = house.begin(lead, agent={"multiagent": deep})
    events = house.turn(session)
    assert "M." in lead.heard and set(threads(events).values()) == {"middle", "leaf"}
    assert len(idle := [e for e in check(house, session) if e.type == "session.status_idle"]) == 1, idle


def test_an_archived_specialist_is_gone_and_the_others_stay(house: House) -> None:
    lead = Script([send("a"), send("b"), wait()], "Done.")
    session = begin_team(house, lead, {"a": Script("A."), "b": Script("B.", "B again.")})
    events = house.turn(session)
    a, b = of(events, "a"), of(events, "b")
    house.live.archive_thread(session, a)
    lead.answers = [[again(a, "more"), again(b, "more"), wait()], "Done."]
    house.turn(session)
    told = results_of(lead.requests[-1])
    assert "no thread" in told[-3] and "B again." in lead.heard
    check(house, session)


# ---------------------------------------------------------------------- advisors


ADVISED = {"type": "multiagent_20261001", "advisor": {"type": "enabled", "model": "scripted:wise"}}


def test_an_advisor_sees_the_conversation_and_answers(house: House) -> None:
    wise = Script("Go left.")
    house.models_here = {"scripted:wise": wise}
    lead = Script(tool("consult_advisor", question="Left or right?"), "Left, then.")
    session = house.begin(lead, agent={"multiagent": ADVISED})
    house.turn(session, "find the way")
    assert results_of(lead.requests[1]) == ["Go left."]
    assert "find the way" in wise.heard[0] and wise.heard[0].endswith("Left or right?")
    assert not wise.requests[0].tools
    check(house, session)


@pytest.mark.parametrize("failure", [ModelFailed("it is down", retryable=False), answer(stop="refusal")])
def test_an_advisor_that_fails_fails_nothing_else(house: House, failure: Any) -> None:
    house.models_here = {"scripted:wise": Script(failure)}
    lead = Script(tool("consult_advisor", question="?"), "Without it, then.")
    session = house.begin(lead, agent={"multiagent": ADVISED})
    house.turn(session)
    assert "no answer" in results_of(lead.requests[1])[0] and house.stop(session) == {"type": "end_turn"}
    check(house, session)


# ---------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (ModelFailed("it is down", retryable=False), "could not go on: it is down"),
        (answer(stop="refusal", explanation="too dangerous"), "refused to go on: too dangerous"),
        (ValueError("a bug"), "could not go on"),
    ],
)
def test_a_lead_hears_that_a_specialist_came_to_nothing(house: House, failure: Any, words: str) -> None:
    lead = Script([send("bad"), send("good"), wait()], "Done.")
    session = begin_team(house, lead, {"bad": Script(failure), "good": Script("Good.")})
    house.turn(session)
    assert any(words in text for text in lead.heard) and "Good." in lead.heard, lead.heard
    check(house, session)


def test_a_specialists_conversation_is_summed_up_like_any_other(house: House) -> None:
    house.context_tokens = 1_000
    house.tools_here = [Probe()]
    reader = Script(answer(*calls("probe"), tokens=900), "A summary.", "Read.")
    lead = Script([send("reader"), wait()], "Done.")
    agents = {"reader": {"tools": [built_in()]}}
    session = begin_team(house, lead, {"reader": reader}, agents=agents)
    events = house.turn(session)
    (compacted,) = [e for e in events if e.type == "agent.thread_context_compacted"]
    assert compacted.thread == of(events, "reader") and "Read." in lead.heard
    check(house, session)


# ---------------------------------------------------------------------- people


def test_what_a_person_says_while_specialists_work_is_heard_at_once(house: House) -> None:
    gate, lead = Gate("Found."), Script(send("reader"), "I wait.", "Yes, it goes on.", "Thanks.")
    session = begin_team(house, lead, {"reader": gate})
    watch = house.watch(session)
    house.tell(session)
    watch.until(lambda events: stops(events, ""))
    house.tell(session, "still there?")
    watch.until(lambda events: len(stops(events, "")) == 2)
    assert lead.heard[-1] == "still there?" and not gate.go.is_set()
    gate.go.set()
    watch.until(rested)
    watch.stop()
    assert lead.heard[-1] == "Found." and idles(check(house, session)) == 1


@pytest.mark.parametrize("verdict", ["allow", "deny"])
def test_a_specialist_asks_a_person_and_is_answered_by_the_calls_id_alone(house: House, verdict: str) -> None:
    probe = Probe()
    house.tools_here = [probe]
    reader, lead = Script(calls("probe"), "Read."), Script(send("reader"), "I wait.", "Done.")
    session = begin_team(
        house, lead, {"reader": reader}, agents={"reader": {"tools": [built_in("always_ask")]}}
    )
    events = house.turn(session)
    (call,) = [e for e in events if e.type == "agent.tool_use" and e.payload["name"] == "probe"]
    assert house.stop(session) == {"type": "requires_action", "event_ids": [call.id]}
    house.then(session, {"type": "user.tool_confirmation", "tool_use_id": call.id, "result": verdict})
    assert len(probe.made) == (verdict == "allow") and lead.heard[-1] == "Read."
    assert house.stop(session) == {"type": "end_turn"}
    check(house, session)


def test_tools_of_the_client_that_two_specialists_call(house: House) -> None:
    each = {"tools": [custom("price")]}
    models = {name: Script(tool("price", n=number), "Priced.") for number, name in enumerate(("tea", "salt"))}
    lead = Script([send("tea"), send("salt")], "I wait.", "Done.", "Done.")
    session = begin_team(house, lead, models, agents={"tea": each, "salt": each})
    watch = house.watch(session)
    house.tell(session)
    made: list[Event] = []
    watch.until(
        lambda events: len([e for e in events if e.type == "agent.custom_tool_use"]) == 2 and rested(events)
    )
    made = [e for e in house.log_of(session) if e.type == "agent.custom_tool_use"]
    watch.stop()
    content = [{"type": "text", "text": "3"}]
    house.then(
        session,
        *({"type": "user.custom_tool_result", "custom_tool_use_id": e.id, "content": content} for e in made),
    )
    patiently(
        lambda: (
            house.live.state(session).threads[""].status == "idle"
            and house.stop(session)["type"] == "end_turn"
        )
    )
    assert lead.heard.count("Priced.") == 2
    check(house, session)


def test_team_tools_are_ours_where_tools_run_at_the_client(house: House) -> None:
    house.tools_here = [Probe()]
    place = {"config": {"type": "self_hosted"}}
    agents = {"reader": {"tools": [built_in()]}}
    lead = Script([send("reader"), wait()], "Done.")
    session = begin_team(
        house, lead, {"reader": Script(calls("probe"), "Read.")}, agents=agents, environment=place
    )
    watch = house.watch(session)
    house.tell(session)
    asked = lambda events: [e for e in events if e.type == "agent.tool_use" and e.payload["name"] == "probe"]  # noqa: E731
    (call,) = asked(watch.until(asked))
    watch.until(lambda events: stops(events, call.thread))
    house.sessions.send(session, [{"type": "user.tool_result", "tool_use_id": call.id}])
    watch.until(lambda events: "Read." in str([dict(e.payload) for e in events if e.thread == ""]))
    patiently(lambda: house.live.row(session).status == "idle")
    watch.stop()
    check(house, session)


# ---------------------------------------------------------------------- budgets


def test_what_a_specialist_may_use_is_used_and_no_more(house: House) -> None:
    house.tools_here = [Probe()]
    reader = Answers(lambda request: answer(*calls("probe", n=len(request.messages)), tokens=99))
    lead = Script([send("reader", max_tokens=250), wait()], "Done.")
    session = begin_team(house, lead, {"reader": reader}, agents={"reader": {"tools": [built_in()]}})
    events = house.turn(session)
    assert len(reader.requests) == 3 and any(
        "tokens that it might use are spent" in text for text in lead.heard
    )
    check(house, session)
    reader.answers = ["Read."]
    lead.answers = ["Thanks."]
    watch = house.watch(session)
    house.live.limit_thread(session, of(events, "reader"), 1_000)
    watch.until(rested)
    watch.stop()
    assert lead.heard[-1] == "Read.", "with more of it, it goes on"
    check(house, session)


def test_where_the_budget_is_spent_everybody_stops_and_with_more_goes_on(house: House) -> None:
    house.tools_here = [Probe()]
    reader = Answers(lambda request: answer(*calls("probe", n=len(request.messages)), tokens=99))
    agents = {"reader": {"tools": [built_in()]}}
    lead = Script(
        answer(*(send("reader", f"{n}") for n in range(5)), tokens=9),
        answer(wait(), tokens=9),
        "Done.",
        "Done.",
    )
    budget = {"type": "limit", "max_tokens": "2000"}
    session = begin_team(house, lead, {"reader": reader}, agents=agents, budget=budget)
    house.turn(session)
    assert house.stop(session) == {"type": "budget_reached"}
    assert 20 <= len(reader.requests) <= 20 + 5, "one call each, at most, beyond it"
    reader.answers = ["Read."]
    watch = house.watch(session)
    house.sessions.update(session, {"budget": {"type": "limit", "max_tokens": "100000"}})
    watch.until(rested)
    watch.stop()
    assert house.stop(session) == {"type": "end_turn"} and lead.heard.count("Read.") == 5
    check(house, session)
