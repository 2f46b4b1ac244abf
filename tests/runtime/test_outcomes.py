"""How sessions end that are run here, who says so, and what dreams learn from it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.runtime.graders import Slow, defined, honest, read, rubric, verdict, watched
from tests.runtime.houses import Answers, House, Probe, built_in, calls, custom, rested

from reverie.domain.errors import Invalid, ModelFailed, NotFound
from reverie.domain.events import Event
from reverie.domain.messages import Text
from reverie.domain.sessions import PERSON, Outcome, SessionInfo, Transcript
from reverie.plugins import Output

FAILS = "Error: the ledger is locked by another process; open it with --wait"
PAID = "the bill is paid"
OUTCOME = defined(rubric(PAID), "Pay it.", max_iterations=1)


def outcome(house: House, session: str) -> Outcome:
    """As it is in the log's facts, which must be what the last event of the log says."""
    found = house.log.session(session).info.outcome
    told = [e.payload for e in house.log.events(session) if e.type == "session.outcome"]
    last = told[-1] if told else {"label": "unknown"}
    assert (found.label, found.score, found.source) == (
        last["label"], last.get("score"), last.get("label_source"),
    )  # fmt: skip
    assert house.sessions.get(session).row.outcome == found
    return found


def judged(house: House, session: str, result: str) -> list[Event]:
    """Its work is judged, with that result: by a grader that is honest, or that calls the rubric one for something
    else. What the log says of it."""
    house.models_here = {**house.models_here, "scripted:grader": _GRADERS[result]}
    events = house.then(session, OUTCOME)
    end = next(n for n, e in enumerate(events) if e.type == "span.outcome_evaluation_end")
    assert events[end].payload["result"] == result
    return events[end : end + 2]


def _elsewhere(request: Any) -> Any:
    return verdict(read(request), lambda text: None, inapplicable="It is about something else.")


def _mild(request: Any) -> Any:
    return verdict(read(request), lambda text: "Done. That is it." if PAID in text else None)


_GRADERS = {"satisfied": _mild, "failed": _elsewhere, "max_iterations_reached": honest}


@pytest.fixture
def idle(house: House) -> str:
    """A session that did its work."""
    session = house.begin(Answers("Done. That is it."))
    house.turn(session)
    return session


# ---------------------------------------------------------------------- who says how it ended


def test_that_an_agent_stopped_says_nothing(house: House, idle: str) -> None:
    assert outcome(house, idle) == Outcome()


def test_to_give_up_is_failure_until_a_turn_ends_well(house: House) -> None:
    session = house.begin(Answers(*[ModelFailed("no")] * 5, "Done."))
    events = house.turn(session)
    assert outcome(house, session) == Outcome("failure", None, "exit")
    assert [e.type for e in events][-3:] == ["session.outcome", "session.usage", "session.status_idle"]
    house.turn(session, "again")
    assert outcome(house, session) == Outcome("unknown", None, "exit")


def test_to_be_broken_off_is_failure_and_to_be_archived_is_not(house: House, idle: str) -> None:
    broken = house.begin(Answers("Done."))
    house.live.terminate(broken)
    assert outcome(house, broken) == Outcome("failure", None, "exit")
    house.sessions.archive(idle)
    assert outcome(house, idle) == Outcome()


@pytest.mark.parametrize(
    ("result", "label"),
    [("satisfied", "success"), ("failed", "failure"), ("max_iterations_reached", "failure")],
)
def test_a_verdict_labels(house: House, idle: str, result: str, label: str) -> None:
    caused, told = judged(house, idle, result)
    assert (caused.type, told.type) == ("span.outcome_evaluation_end", "session.outcome")
    assert told.payload["explanation"] == caused.payload["explanation"] != ""
    assert outcome(house, idle) == Outcome(label, None, "verdict")  # type: ignore[arg-type]


def test_a_verdict_that_sends_it_back_labels_nothing(house: House) -> None:
    house.models_here = {"scripted:grader": honest}
    session = house.begin(Answers("Done.", f"Now {PAID}."))
    events = house.then(session, {**OUTCOME, "max_iterations": 2})
    told = [e for e in events if e.type in ("span.outcome_evaluation_end", "session.outcome")]
    assert [e.payload.get("result") or e.payload["label"] for e in told] == [
        "needs_revision", "satisfied", "success",
    ]  # fmt: skip
    assert outcome(house, session) == Outcome("success", None, "verdict")


def test_an_interrupt_labels_nothing(house: House, idle: str) -> None:
    grader = Slow()
    house.models_here = {**house.models_here, "scripted:grader": grader}
    watch = watched(house, idle, OUTCOME)
    assert grader.began.wait(20)
    house.sessions.send(idle, [{"type": "user.interrupt"}])
    events = watch.until(rested)
    watch.stop()
    assert [e.payload["result"] for e in events if e.type == "span.outcome_evaluation_end"] == ["interrupted"]
    assert outcome(house, idle) == Outcome()


def test_a_verdict_outranks_the_exit_and_a_person_the_verdict(house: House) -> None:
    no = ModelFailed("no")
    session = house.begin(Answers(*[no] * 5, "Done. That is it.", *[no] * 5, "Done. That is it."))
    house.turn(session)
    assert outcome(house, session) == Outcome("failure", None, "exit")
    judged(house, session, "satisfied")
    assert outcome(house, session).label == "success"
    house.turn(session, "and now?")  # it gives up again, after the work was judged
    assert house.stop(session)["type"] == "retries_exhausted"
    assert outcome(house, session) == Outcome("success", None, "verdict")
    house.sessions.label(session, Outcome("failure", 0.2, PERSON), "It is the wrong bill.")
    assert judged(house, session, "satisfied")[1].type != "session.outcome"
    assert outcome(house, session) == Outcome("failure", 0.2, PERSON)


def test_a_person_may_think_again_and_say_that_nobody_knows(house: House, idle: str) -> None:
    for said in (Outcome("success", 1.0, PERSON), Outcome("unknown", None, PERSON)):
        house.sessions.label(idle, said)
        house.sessions.label(idle, said)
        assert outcome(house, idle) == said
    assert sum(e.type == "session.outcome" for e in house.log_of(idle)) == 2


def test_a_person_labels_what_is_archived_and_what_was_imported(house: House, idle: str) -> None:
    house.sessions.archive(idle)
    said = Outcome("failure", None, PERSON)
    house.sessions.label(idle, said, "late")
    assert outcome(house, idle) == said
    assert house.sessions.get(idle).row.status == "terminated"
    told = Transcript(SessionInfo("test", "n", outcome=Outcome("success", None, "reward")), ())
    imported = house.log.record(told).session_id
    house.sessions.label(imported, said)
    house.log.record(told)  # it is read again
    assert outcome(house, imported) == said


def test_no_label_for_nobody_and_no_score_that_is_no_number(house: House, idle: str) -> None:
    with pytest.raises(NotFound):
        house.sessions.label("sesn_nobody", Outcome("success", None, PERSON))
    with pytest.raises(Invalid):
        house.sessions.label(idle, Outcome("success", float("nan"), PERSON))
    assert outcome(house, idle) == Outcome()


def test_secrets_in_an_explanation_are_masked(house: House, idle: str) -> None:
    key = "sk-ant-api03-" + "a1B2" * 20
    house.sessions.label(idle, Outcome("failure", None, PERSON), f"it printed {key}")
    (event,) = [e for e in house.log_of(idle) if e.type == "session.outcome"]
    assert key not in str(event.payload) and "it printed" in event.payload["explanation"]


# ---------------------------------------------------------------------- what dreams learn from


def fails(input: Any) -> Output:
    return Output([Text(FAILS)], is_error=True)


@pytest.mark.parametrize("kind", ["tool", "custom"])
def test_a_dream_finds_the_mistake_that_sessions_make_again_and_again(house: House, kind: str) -> None:
    house.tools_here = [Probe("ledger", does=fails)]
    tools = [built_in()] if kind == "tool" else [custom("ledger")]
    for number in range(6):
        session = house.begin(
            Answers(calls("ledger", n=number), "It did not work."),
            tools=tools,
            metadata={"user": f"user{number % 3}", "task": f"task{number}"},
            environment={"name": f"place {kind} {number}"},
        )
        house.turn(session, f"Book invoice {number}.")
        if kind == "custom":
            (waits,) = house.live.state(session).pending
            result = {
                "custom_tool_use_id": waits,
                "is_error": True,
                "content": [{"type": "text", "text": FAILS}],
            }
            house.then(session, {"type": "user.custom_tool_result", **result})
        house.sessions.label(session, Outcome("failure", None, PERSON))
    told = house.log.session(session).info
    assert (told.user, told.task, told.goal) == ("user2", "task5", "Book invoice 5.")
    found = [f for f in house.dream().findings if f.kind == "recurring_mistake"]
    assert [(f.counts.sessions, f.counts.users) for f in found] == [(6, 3)]
    assert "ledger" in found[0].claim
    quote = found[0].evidence[0].span
    text = house.log.event(quote.event_id).payload["content"][0]["text"]
    assert text[quote.start : quote.end] in FAILS


def test_what_people_and_crashes_cut_short_is_nobodys_mistake(house: House) -> None:
    house.tools_here = [Probe("ledger")]
    for number in range(4):
        session = house.begin(
            Answers(calls("ledger", n=number), "Then not."),
            tools=[built_in("always_ask")],
            environment={"name": f"place {number}"},
        )
        house.turn(session, f"Book invoice {number}.")
        house.then(session, {"type": "user.interrupt"})
    assert [f.claim for f in house.dream().findings if f.kind == "recurring_mistake"] == []


def test_a_title_is_the_goal_and_only_the_first_request_stands_for_it(house: House) -> None:
    titled = house.begin(Answers("Done."), title="The books")
    house.turn(titled, "Book invoice 1.")
    assert house.log.session(titled).info.goal == "The books"
    plain = house.begin(Answers("Done."), environment={"name": "other"})
    house.turn(plain, "Book invoice 2.")
    house.turn(plain, "And 3.")
    assert house.log.session(plain).info.goal == "Book invoice 2."
    wanted = house.begin(Answers("Done."), environment={"name": "third"})
    judged(house, wanted, "max_iterations_reached")
    assert house.log.session(wanted).info.goal == "Pay it."
