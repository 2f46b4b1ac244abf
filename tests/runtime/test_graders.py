"""Who grades: what it is shown and what not, what it costs, who says how it is done, and that nobody takes it for the
agent whose work it grades."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.runtime.graders import (
    Fooled,
    Grader,
    Slow,
    answers,
    begun,
    defined,
    ends,
    garbage,
    graded,
    honest,
    looking_in,
    of_graders,
    praise,
    rubric,
    silent,
    watched,
)
from tests.runtime.houses import (
    Answers,
    House,
    Probe,
    answer,
    built_in,
    calls,
    custom,
    house_on,
    rested,
    said,
)

from reverie.domain.errors import SandboxFailed
from reverie.domain.events import Event
from reverie.domain.messages import ModelRequest, Text
from reverie.mining.observe import SessionObserver
from reverie.plugins import Output

ALPHA, BETA, GAMMA = "alpha is done well", "beta is done well", "gamma is done well"
BOTH = rubric(ALPHA, BETA)


@pytest.fixture
def house(sqlite_url: str) -> Iterator[House]:
    with house_on(sqlite_url) as opened:
        opened.attend()
        yield opened  # type: ignore[misc]


def last(events: list[Event]) -> dict[str, Any]:
    return [dict(e.payload) for e in events if e.type == "span.outcome_evaluation_end"][-1]


def by(**settings: Any) -> dict[str, Any]:
    return {"grader": {"model": "scripted:grader", **settings}}


# ---------------------------------------------------------------------- what it is shown

SECRETS = ("WORKER-SYSTEM", "WORKER-THOUGHT", "WORKER-CALL", "WORKER-RESULT", "WORKER-DRAFT", "PERSON-SAID")


def test_it_sees_the_task_the_rubric_and_the_work_and_nothing_of_how_it_was_made(house: House) -> None:
    house.tools_here = [Probe(does=lambda input: "WORKER-RESULT")]
    worker = Answers(
        [Text("WORKER-DRAFT"), *calls("probe", word="WORKER-CALL")], f"{ALPHA}.", f"{ALPHA}, {BETA}."
    )
    grader = Grader()
    session = begun(
        house, worker, grader, tools=[built_in(), custom()], agent={"system": "WORKER-SYSTEM"}
    )  # fmt: skip
    house.turn(session, "PERSON-SAID")
    worker.answers = [[Text("WORKER-DRAFT"), *calls("probe", n=2)], f"{ALPHA}.", f"{ALPHA}, {BETA}."]
    events = house.then(session, defined(BOTH, "The task is this."))
    assert ends(events) == ["needs_revision", "satisfied"] and len(grader.requests) == 2
    for request in grader.requests:
        shown = f"{request.system}\n{said(request)}\n{answers(request)}"
        assert "The task is this." in shown and ALPHA in shown
        assert [word for word in SECRETS if word in shown] == []
        assert {spec.name for spec in request.tools} == {"probe", "verdict"} or {
            spec.name for spec in request.tools
        } == {"verdict"}
    first, second = grader.requests
    assert first.system == second.system and first.system.startswith("You grade finished work")
    assert said(first)[0] != said(second)[0] and len(said(second)) == 1, "each begins afresh"


def test_the_worker_sees_nothing_of_its_grader(house: House) -> None:
    worker, grader = Answers(f"{ALPHA}.", f"{ALPHA}, {BETA}."), Grader(praise, honest)
    graded(house, worker, grader, BOTH)
    shown = str([said(request) for request in worker.requests]) + str(worker.requests[-1].system)
    planted = [text for one in grader.briefs for text in one.criteria.values() if text not in BOTH]
    assert planted and not [text for text in planted if text.rstrip(".") in shown]
    assert not [one.nonce for one in grader.briefs if one.nonce in shown]
    assert not [label for one in grader.briefs for label in one.criteria if label in shown]


def test_where_tools_run_at_the_client_the_final_message_is_judged(house: House) -> None:
    grader = Grader()
    session = begun(
        house, Answers(f"{ALPHA} {BETA}"), grader, tools=[built_in()],
        environment={"config": {"type": "self_hosted"}},
    )  # fmt: skip
    assert ends(house.then(session, defined(BOTH))) == ["satisfied"]
    (request,) = grader.requests
    assert [spec.name for spec in request.tools] == ["verdict"]
    assert "(There are no files.)" in said(request)[0]


# ---------------------------------------------------------------------- only what has to be judged again


def test_later_only_what_failed_and_what_was_touched_is_judged_and_all_before_it_is_satisfied(
    house: House, tmp_path: Any
) -> None:
    tmp_path /= "outputs"
    tmp_path.mkdir()
    house.outputs_here = tmp_path
    (tmp_path / "a.md").write_text(ALPHA)
    (tmp_path / "b.md").write_text("nothing yet")

    def second(request: ModelRequest) -> str:
        (tmp_path / "b.md").write_text(BETA)
        return "Done."

    def third(request: ModelRequest) -> str:
        (tmp_path / "b.md").write_text(f"{BETA}, {GAMMA}")
        return "Done."

    grader = Grader(looking_in(tmp_path))
    _, events = graded(house, Answers("Done.", second, third), grader, rubric(ALPHA, BETA, GAMMA))
    assert ends(events) == ["needs_revision", "needs_revision", "satisfied"]
    assert grader.asked == [
        [ALPHA, BETA, GAMMA],
        [BETA, GAMMA],  # what failed
        [BETA, GAMMA],  # the one failed, the other's proof was touched
        [ALPHA],  # and what nobody has judged on this very work
    ]
    assert [c["iteration"] for c in last(events)["criteria"]] == [2, 2, 2]


@pytest.mark.parametrize("sandboxed", [True, False])
def test_who_can_look_for_himself_is_shown_what_changed_and_who_cannot_everything(
    house: House, tmp_path: Any, sandboxed: bool
) -> None:
    if not sandboxed:
        plugs = house.plugs()

        def none() -> Any:
            raise SandboxFailed("there is none here")

        house.plugs = lambda: replace(plugs, environment=none)  # type: ignore[method-assign]
    folder = house.outputs_here = tmp_path / "outputs"
    folder.mkdir()
    (folder / "a.md").write_text(f"{ALPHA}\n" + "A line of it.\n" * 100)
    (folder / "b.md").write_text("nothing yet")

    def second(request: ModelRequest) -> str:
        (folder / "b.md").write_text(BETA)
        return "Done."

    grader = Grader(looking_in(folder))
    _, events = graded(house, Answers("Done.", second), grader, BOTH)
    assert ends(events) == ["needs_revision", "satisfied"]
    first, *later = grader.briefs
    assert first.text.count("A line of it.") == 100 and later
    assert [one.text.count("A line of it.") for one in later] == [0 if sandboxed else 100] * len(later)


def test_full_judges_everything_each_time(house: House) -> None:
    judge = Grader()
    worker = Answers(f"{ALPHA}.", f"{ALPHA}, {BETA}.")
    _, events = graded(house, worker, judge, BOTH, **by(full=True))
    assert ends(events) == ["needs_revision", "satisfied"]
    assert judge.asked == [[ALPHA, BETA], [ALPHA, BETA]]


def test_work_that_did_not_change_is_not_judged_again(house: House) -> None:
    grader = Grader()
    _, events = graded(house, Answers("Nothing."), grader, BOTH)
    assert ends(events) == ["needs_revision", "needs_revision", "max_iterations_reached"]
    assert len(grader.requests) == 1


# ---------------------------------------------------------------------- several of them


def test_most_of_three_count(house: House) -> None:
    def mild(request: ModelRequest) -> Any:
        (call,) = honest(request)
        for judged in call.input["criteria"]:
            if "beta" in judged["change"]:
                judged |= {"status": "satisfied", "change": "", "proof": {"file": None, "quote": ALPHA}}
        return [call]

    voters = Fooled(1, does=mild)
    _, events = graded(house, Answers(f"{ALPHA}."), voters, BOTH, max_iterations=1, **by(votes=3))
    assert ends(events) == ["max_iterations_reached"] and len(voters.briefs) == 3
    assert len({one.nonce for one in voters.briefs}) == 3
    status = {c["text"]: (c["status"], c["confidence"]) for c in last(events)["criteria"]}
    assert status == {
        f'Says "{ALPHA}".': ("satisfied", 1.0),
        f'Says "{BETA}".': ("not_satisfied", pytest.approx(2 / 3)),
    }


@pytest.mark.parametrize("bad", [garbage, silent, praise])
def test_one_that_gives_no_verdict_does_not_stop_two_that_do(house: House, bad: Any) -> None:
    voters = Fooled(1, does=bad)
    _, events = graded(house, Answers(f"{ALPHA} {BETA}"), voters, BOTH, **by(votes=3))
    assert ends(events) == ["satisfied"]


def test_two_that_give_none_do(house: House) -> None:
    voters = Fooled(0, 2, does=garbage)
    _, events = graded(house, Answers(f"{ALPHA} {BETA}"), voters, BOTH, **by(votes=3))
    assert ends(events) == ["failed"] and "no verdict that counts" in last(events)["explanation"]


# ---------------------------------------------------------------------- who says how it is done


def test_what_is_said_nearer_to_the_outcome_counts(house: House) -> None:
    judges = {name: Grader() for name in ("agent", "session", "outcome")}
    house.models_here = {f"scripted:{name}": judge for name, judge in judges.items()}
    told = {"model": "scripted:agent", "instructions": "AGENT-TOLD", "votes": 3}
    session = house.begin(Answers(f"{ALPHA}."), agent={"grader": told}, grader={"model": "scripted:session"})
    assert ends(house.then(session, {**defined(rubric(ALPHA)), "grader": None})) == ["satisfied"]
    nearer = {"model": "scripted:outcome", "votes": 1}
    assert ends(house.then(session, {**defined(rubric(ALPHA)), "grader": nearer})) == ["satisfied"]
    assert {name: len(judge.requests) for name, judge in judges.items()} == {
        "agent": 0, "session": 3, "outcome": 1,
    }  # fmt: skip
    assert "AGENT-TOLD" in judges["outcome"].briefs[0].text


def test_the_workers_own_model_grades_where_none_is_named(house: House) -> None:
    def both(request: ModelRequest) -> Any:
        return honest(request) if "grade finished work" in request.system else f"{ALPHA}."

    session = house.begin(both)
    assert ends(house.then(session, {**defined(rubric(ALPHA)), "grader": None})) == ["satisfied"]


# ---------------------------------------------------------------------- what it costs


def test_what_graders_use_is_told_with_the_verdict_and_counted_once(house: House) -> None:
    def priced(request: ModelRequest) -> Any:
        return answer(*honest(request), cost=Decimal(2), tokens=100)

    worker = Answers(answer(Text(f"{ALPHA}."), tokens=7), answer(Text(f"{ALPHA}, {BETA}."), tokens=7))
    session, events = graded(house, worker, Grader(silent, priced), BOTH)
    used = [e.payload["usage"] for e in events if e.type == "span.outcome_evaluation_end"]
    spent = [
        e.payload["model_usage"] for e in events
        if e.type == "span.model_request_end" and e.thread in of_graders(house, session)
    ]  # fmt: skip
    assert len(spent) == 3
    assert used[0]["input_tokens"] == spent[0]["input_tokens"] + 100 and used[1]["input_tokens"] == 100
    assert used[1] == {
        "input_tokens": 100, "output_tokens": 1, "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0, "speed": None,
    }  # fmt: skip
    whole = house.live.state(session).usage
    assert whole.input_tokens == 14 + sum(each["input_tokens"] for each in spent)


def test_an_interrupt_tells_what_was_used_up_to_it(house: House) -> None:
    first = Grader(silent)
    slow = Slow(honest)

    async def then(request: ModelRequest) -> Any:
        return await (slow(request) if first.requests else first(request))

    session = begun(house, Answers(f"{ALPHA} {BETA}"), then)
    watch = watched(house, session, defined(BOTH))
    assert slow.began.wait(20)
    house.sessions.send(session, [{"type": "user.interrupt"}])
    events = watch.until(rested)
    watch.stop()
    (spent,) = [
        e.payload["model_usage"] for e in events
        if e.type == "span.model_request_end" and e.thread in of_graders(house, session)
        and not e.payload["is_error"]
    ]  # fmt: skip
    assert last(events)["result"] == "interrupted"
    assert last(events)["usage"]["input_tokens"] == spent["input_tokens"] > 0


@pytest.mark.parametrize("votes", [1, 3])
def test_a_budget_that_is_reached_pauses_it_and_more_goes_on(house: House, votes: int) -> None:
    def spends(request: ModelRequest) -> Any:
        said_ = silent(request) if len(said(request)) == 1 else honest(request)
        return answer(*([Text(said_)] if isinstance(said_, str) else said_), tokens=1_000)

    worker, judge = Answers(answer(Text(f"{ALPHA} {BETA}"), tokens=1)), Grader(spends)
    session = begun(house, worker, judge, budget={"max_tokens": 500})
    events = house.then(session, defined(BOTH, **by(votes=votes)))
    assert ends(events) == [] and house.stop(session) == {"type": "budget_reached"}
    assert house.live.row(session).status == "idle"
    (before,) = house.live.state(session).outcomes
    assert before.result == "evaluating"
    watch = house.watch(session)
    house.sessions.update(session, {"budget": {"max_tokens": 1_000_000}})
    events = watch.until(rested)
    watch.stop()
    assert ends(events) == ["satisfied"] and house.stop(session)["type"] == "end_turn"
    assert len(worker.requests) == 1 and len(judge.briefs) == votes, "nobody begins anew"
    graders = of_graders(house, session)
    spent = sum(
        event.payload["model_usage"]["input_tokens"]
        for event in house.log_of(session)
        if event.type == "span.model_request_end" and event.thread in graders
    )
    used = last(house.log_of(session))["usage"]["input_tokens"]
    assert used == spent == house.live.state(session).usage.input_tokens - 1 >= 2 * votes * 1_000


def test_it_says_that_it_goes_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reverie.runtime.grading.HEARTBEAT", 0.01)
    judge = Slow()
    session = begun(house, Answers(f"{ALPHA} {BETA}"), judge)
    watch = watched(house, session, defined(BOTH))
    watch.until(lambda events: sum(e.type == "span.outcome_evaluation_ongoing" for e in events) > 3)
    judge.go.set()
    events = watch.until(rested)
    watch.stop()
    told = [e for e in events if e.type == "span.outcome_evaluation_ongoing"]
    assert {e.payload["iteration"] for e in told} == {0} and ends(events) == ["satisfied"]


# ---------------------------------------------------------------------- it is nobody of the session's


def test_its_threads_are_over_when_the_verdict_is_there(house: House) -> None:
    session, events = graded(house, Answers(f"{ALPHA} {BETA}"), Grader(), BOTH, **by(votes=5))
    threads = of_graders(house, session)
    assert len(threads) == 5
    over = [e.thread for e in events if e.type == "session.thread_status_terminated"]
    assert set(over) == threads and house.live.state(session).threads.keys() == {""}
    kinds = [e.type for e in events]
    assert kinds.index("session.thread_status_terminated") < kinds.index("span.outcome_evaluation_end")


class Where(Probe):
    """Says in which sandbox it was called."""

    async def call(self, input: Any, where: Any) -> Output:
        self.made.append(where.sandbox.spec.id)
        return Output([Text("looked")])


def test_a_change_of_the_session_leaves_the_grader_where_it_is(house: House) -> None:
    read = Where("read")
    house.tools_here = [read]
    slow = Slow(lambda request: calls("read"))

    async def judge(request: ModelRequest) -> Any:
        if len(said(request)) == 1:
            return calls("read")
        return await slow(request) if len(said(request)) == 2 else honest(request)

    session = begun(house, Answers(f"{ALPHA} {BETA}"), judge)
    watch = watched(house, session, defined(BOTH))
    assert slow.began.wait(20)
    house.sessions.update(session, {"title": "Another"})
    slow.go.set()
    assert ends(watch.until(rested)) == ["satisfied"]
    watch.stop()
    assert len(read.made) == 2 and len(set(read.made)) == 1 and ".grader-" in read.made[0]


def test_dreams_do_not_take_it_for_the_agent(house: House) -> None:
    session, _ = graded(house, Answers(f"{ALPHA} {BETA}"), Grader(garbage, silent, honest), BOTH)
    events = house.log.events(session)
    assert any(event.payload.get("name") == "verdict" for event in events)
    seen = SessionObserver().observe(house.log.session(session), events)
    assert seen.calls == () and seen.outcome == "success"
    assert seen.consequences["messages"] == 1 and not seen.consequences["failures"]
    assert seen.consequences["tokens"] == sum(
        event.payload["model_usage"][field] for event in events
        if event.type == "span.model_request_end" and event.thread == ""
        for field in ("input_tokens", "output_tokens")
    )  # fmt: skip
