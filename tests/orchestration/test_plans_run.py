"""Plans as they run: whatever happens, in whatever order, and after any crash."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.domain.plans import OPEN, Phase, Plan, Task
from reverie.orchestration.deciding import BeginPhase, Cut, Decision, End, EndPhase, Skip, Start, decide, due
from reverie.orchestration.notation import plan_json, plan_of
from reverie.orchestration.progress import (
    Ended,
    Failed,
    Finished,
    News,
    PhaseBegan,
    PlanState,
    Spent,
    Started,
    StopAsked,
    begin,
    fold,
    news_json,
    news_of,
    step,
)

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
FREE = 25


@dataclass
class World:
    """Carries out what is decided, and lets threads end as chance will have it."""

    plan: Plan
    chance: random.Random
    now: datetime = NOW
    log: list[News] = field(default_factory=list)
    state: PlanState = field(init=False)
    threads: dict[str, str] = field(default_factory=dict)  # those that run: thread → task

    def __post_init__(self) -> None:
        self.state = begin(self.plan, self.now)

    def note(self, news: News) -> None:
        self.log.append(news)
        self.state = step(self.state, news)

    def settle(self, free: int = FREE) -> None:
        """Do everything that is to be done now."""
        while found := decide(self.state, free=free - len(self.threads), now=self.now):
            for decision in found:
                self.do(decision)

    def do(self, decision: Decision) -> None:
        if not isinstance(decision, Start):
            if isinstance(decision, Cut):
                del self.threads[decision.thread]
            self.note(decision.news(self.now))
            return
        thread = f"{decision.task}/{decision.attempt}"
        assert thread not in self.threads, "an attempt is begun once"
        self.threads[thread] = decision.task
        self.note(decision.news(self.now, thread))

    def happen(self) -> None:
        """A thread ends, or uses something; where none runs, time goes by."""
        if not self.threads or self.chance.random() < 0.1:
            self.now += timedelta(seconds=due(self.state, self.now) or 1)
            return
        thread = self.chance.choice(sorted(self.threads))
        task = self.threads[thread]
        luck = self.chance.random()
        self.now += timedelta(seconds=self.chance.choice((0, 1, 5)))
        if luck < 0.2:
            self.note(Spent(at=self.now, task=task, tokens=7, cost=Decimal("0.5")))
            return
        del self.threads[thread]
        if luck < 0.7:
            self.note(Finished(at=self.now, task=task, thread=thread, text=f"{task} is done"))
        else:
            self.note(Failed(at=self.now, task=task, thread=thread, why="bad luck", retryable=luck < 0.9))

    def crash(self) -> None:
        """All that is left is the log, as JSON."""
        plan = plan_of(plan_json(self.plan))
        again = fold(plan, NOW, [news_of(news_json(news)) for news in self.log])
        assert again == self.state
        asked = [decide(each, free=FREE, now=self.now) for each in (again, self.state)]
        assert asked[0] == asked[1]
        self.state = again


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    size = draw(st.integers(1, 10))
    tasks = [
        Task(
            f"t{number}",
            draw(st.sampled_from(("clerk", "poet"))),
            f"do {number}",
            tuple(f"t{need}" for need in draw(st.sets(st.integers(0, number - 1), max_size=3)))
            if number
            else (),
            retries=draw(st.integers(0, 2)),
            timeout_s=draw(st.sampled_from((None, None, 4.0))),
            max_tokens=draw(st.sampled_from((None, None, None, 10))),
            phase=draw(st.sampled_from((None, "one", "two"))),
            optional=draw(st.booleans()),
        )
        for number in range(size)
    ]
    return Plan(
        "p",
        tuple(draw(st.permutations(tasks))),
        at_once=draw(st.integers(1, 4)),
        phases=(Phase("one", "One"), Phase("two", "Two")),
        on_failure=draw(st.sampled_from(("skip", "skip", "stop"))),
        max_tokens=draw(st.sampled_from((None, None, 60))),
    )


def told(world: World, seed: int) -> Iterator[World]:
    """The world after each thing that happens, until its run is over."""
    for _ in range(500):
        world.settle(free=world.chance.choice((0, 1, FREE)) if world.threads else FREE)
        yield world
        if world.state.ended is not None:
            return
        if world.chance.random() < 0.02:
            world.note(StopAsked(at=world.now, why="enough"))
        world.happen()
        if world.chance.random() < 0.2:
            world.crash()
    raise AssertionError(f"it never ends: seed {seed}")


@settings(max_examples=150)
@given(plan=plans(), seed=st.integers(0, 10**6))
def test_whatever_happens_a_plan_is_carried_out_in_order_and_ends(plan: Plan, seed: int) -> None:
    world = World(plan, random.Random(seed))
    tasks = {task.id: task for task in plan.tasks}
    seen = 0
    for now in told(world, seed):
        assert len(now.threads) <= plan.at_once
        running = [name for name, at in now.state.tasks.items() if at.status == "running"]
        assert sorted(now.threads.values()) == sorted(running), "none runs twice, none is forgotten"
        for number, news in enumerate(now.log[seen:], start=seen):
            if isinstance(news, Started):
                before = fold(plan, NOW, now.log[:number])
                at = before.tasks[news.task]
                assert at.status == "waiting"
                assert at.attempts <= tasks[news.task].retries
                for need in tasks[news.task].depends_on:
                    ended = before.tasks[need].status
                    assert ended == "finished" or (tasks[need].optional and ended not in OPEN)
        seen = len(now.log)
    state = world.state
    assert not world.threads
    assert all(at.status not in OPEN for at in state.tasks.values())
    assert sum(isinstance(news, Ended) for news in world.log) == 1
    assert state.begun == state.over
    assert decide(state, free=FREE, now=world.now) == []
    assert due(state, world.now) is None
    _check_skips(world, tasks)


def _check_skips(world: World, tasks: dict[str, Task]) -> None:
    """What was skipped needed something that gave nothing; nothing else was."""
    state = world.state
    for name, at in state.tasks.items():
        lost = [
            need
            for need in tasks[name].depends_on
            if state.tasks[need].status != "finished" and not tasks[need].optional
        ]
        assert at.status != "finished" or not lost
        if at.status == "skipped":
            assert lost and at.why is not None and at.why.startswith("it needs ")
        elif lost and state.ended is not None and state.ended.result == "completed":
            raise AssertionError(f"{name} is {at.status}, and could not run: {lost}")


@settings(max_examples=50)
@given(plan=plans(), seed=st.integers(0, 10**6))
def test_news_that_is_read_twice_or_too_late_changes_nothing(plan: Plan, seed: int) -> None:
    world = World(plan, random.Random(seed))
    for _ in told(world, seed):
        pass
    once = [news for news in world.log if not isinstance(news, Spent)]
    late = [news for news in once if isinstance(news, Finished | Failed)]
    assert fold(plan, NOW, [*once, *late, *once]) == fold(plan, NOW, once)
    state = begin(plan, NOW)
    for news in once:
        again = step(state := step(state, news), news)
        assert again == state


# ---------------------------------------------------------------------- one rule each


def carried_out(state: PlanState, now: datetime = NOW) -> PlanState:
    while found := decide(state, free=FREE, now=now):
        for decision in found:
            news = (
                decision.news(now, f"{decision.task}/{decision.attempt}")
                if isinstance(decision, Start)
                else decision.news(now)
            )
            state = step(state, news)
    return state


def finished(task: str, text: str = "done", attempt: int = 1) -> Finished:
    return Finished(at=NOW, task=task, thread=f"{task}/{attempt}", text=text)


def failed(task: str, why: str = "no such host", attempt: int = 1) -> Failed:
    return Failed(at=NOW, task=task, thread=f"{task}/{attempt}", why=why)


def chain(*names: str, **says: object) -> tuple[Task, ...]:
    return tuple(
        Task(name, "clerk", f"do {name}", names[number - 1 : number] if number else (), **says)
        for number, name in enumerate(names)
    )


def test_what_is_ready_starts_in_the_order_of_the_plan_up_to_the_cap() -> None:
    plan = Plan("p", tuple(Task(name, "clerk", name) for name in "dacb"), at_once=3)
    found = decide(begin(plan, NOW), free=FREE, now=NOW)
    assert found == [Start(name, "clerk", name, 1) for name in "dac"]
    assert [each.task for each in decide(begin(plan, NOW), free=2, now=NOW)] == ["d", "a"]
    assert decide(begin(plan, NOW), free=0, now=NOW) == []


def test_what_needs_a_task_that_failed_is_skipped_with_the_chain_of_causes() -> None:
    state = carried_out(begin(Plan("p", (*chain(*"abcdefg"), Task("z", "clerk", "z"))), NOW))
    state = carried_out(step(state, failed("a")))
    why = {name: at.why for name, at in state.tasks.items() if at.status == "skipped"}
    assert list(why) == list("bcdefg")
    assert why["b"] == "it needs a; a failed: no such host"
    assert why["d"] == "it needs c → b → a; a failed: no such host"
    assert why["g"] == "it needs f → e → d → (2 more) → a; a failed: no such host"
    assert state.tasks["z"].status == "running", "what does not need it goes on"
    state = carried_out(step(state, finished("z")))
    assert state.ended is not None
    assert (state.ended.result, state.ended.why) == ("completed", "1 finished, 1 failed, 6 skipped")


def test_a_crash_between_two_skips_is_made_up_for() -> None:
    state = carried_out(begin(Plan("p", chain(*"abc")), NOW))
    state = step(state, failed("a"))
    first, second = decide(state, free=FREE, now=NOW)
    assert isinstance(first, Skip) and isinstance(second, Skip)
    [left] = decide(step(state, first.news(NOW)), free=FREE, now=NOW)
    assert left == second


def test_an_optional_task_may_fail_and_what_needs_it_is_told() -> None:
    tasks = (Task("a", "clerk", "a", optional=True), Task("b", "clerk", "Use it.", ("a",)))
    state = step(carried_out(begin(Plan("p", tasks), NOW)), failed("a"))
    [start] = decide(state, free=FREE, now=NOW)
    assert isinstance(start, Start) and start.task == "b"
    assert 'failed="no such host"' in start.prompt


def test_a_failed_attempt_is_made_again_after_a_while_that_doubles() -> None:
    state = carried_out(begin(Plan("p", chain("a", retries=3)), NOW))
    for attempt, wait in ((1, 2.0), (2, 4.0), (3, 8.0)):
        state = step(state, failed("a", attempt=attempt))
        assert decide(state, free=FREE, now=NOW) == []
        assert due(state, NOW) == wait
        later = NOW + timedelta(seconds=wait)
        [start] = decide(state, free=FREE, now=later)
        assert isinstance(start, Start) and start.attempt == attempt + 1
        assert "no such host" in start.prompt
        state = carried_out(state, later)
        assert state.tasks["a"].status == "running"
    state = carried_out(step(state, failed("a", attempt=4)))
    assert (state.tasks["a"].status, state.tasks["a"].attempts) == ("failed", 4)


def test_a_failure_that_cannot_be_helped_is_not_tried_again() -> None:
    state = carried_out(begin(Plan("p", chain("a", retries=3)), NOW))
    state = step(state, Failed(at=NOW, task="a", thread="a/1", why="refused", retryable=False))
    assert state.tasks["a"].status == "failed"


def test_a_task_that_cannot_be_started_uses_up_its_attempts() -> None:
    state = begin(Plan("p", chain("a", retries=1)), NOW)
    for status in ("waiting", "failed"):
        state = step(state, Failed(at=NOW, task="a", why="no thread is free"))
        assert state.tasks["a"].status == status


def test_a_clock_that_is_set_back_makes_nobody_wait() -> None:
    state = carried_out(begin(Plan("p", chain("a", retries=1)), NOW))
    state = step(state, failed("a"))
    assert isinstance(decide(state, free=FREE, now=NOW - timedelta(days=1))[0], Start)


def test_what_hangs_is_cut_and_what_it_says_later_is_not_heard() -> None:
    state = carried_out(begin(Plan("p", chain("a", retries=1, timeout_s=10.0)), NOW))
    assert due(state, NOW + timedelta(seconds=4)) == 6
    late = NOW + timedelta(seconds=10)
    [cut] = decide(state, free=FREE, now=late)
    assert cut == Cut("a", "a/1", "it took longer than 10 s", failed=True, retryable=True)
    state = step(state, cut.news(late))
    assert state.tasks["a"].status == "waiting"
    state = carried_out(state, late + timedelta(seconds=2))
    assert step(state, finished("a")) == state, "the first thread was given up"
    assert step(state, finished("a", attempt=2)).tasks["a"].status == "finished"


def test_a_task_over_its_budget_is_cut_for_good() -> None:
    state = carried_out(begin(Plan("p", chain("a", retries=3, max_tokens=100)), NOW))
    state = step(state, Spent(at=NOW, task="a", tokens=99))
    assert decide(state, free=FREE, now=NOW) == []
    state = carried_out(step(state, Spent(at=NOW, task="a", tokens=1)))
    assert state.tasks["a"].status == "failed"
    assert state.tasks["a"].why == "its 100 tokens are used up"


@pytest.mark.parametrize(
    ("news", "result", "error"),
    [
        (StopAsked(at=NOW, why="enough"), "stopped", None),
        (Spent(at=NOW, task="a", tokens=50), "error", "budget_reached"),
        (failed("a"), "error", "task_failed"),
    ],
)
def test_a_run_that_stops_cuts_what_runs_then_ends(news: News, result: str, error: str | None) -> None:
    tasks = (*chain("a", "b"), Task("c", "clerk", "c", phase="x"))
    plan = Plan("p", tasks, phases=(Phase("x", "X"),), on_failure="stop", max_tokens=50)
    state = step(carried_out(begin(plan, NOW)), news)
    cuts = decide(state, free=FREE, now=NOW)
    assert all(isinstance(cut, Cut) and not cut.failed for cut in cuts)
    assert {cut.task for cut in cuts if isinstance(cut, Cut)} == (
        {"c"} if isinstance(news, Failed) else {"a", "c"}
    )
    for cut in cuts:
        assert isinstance(cut, Cut)
        state = step(state, cut.news(NOW))
    last = decide(state, free=FREE, now=NOW)
    assert [type(each) for each in last] == [EndPhase, End]
    state = carried_out(state)
    assert state.ended is not None and (state.ended.result, state.ended.error) == (result, error)
    assert state.tasks["b"].status == "stopped"
    assert state.tasks["b"].attempts == 0


def test_a_run_that_takes_too_long_is_ended() -> None:
    state = carried_out(begin(Plan("p", chain("a"), timeout_s=60.0), NOW))
    late = NOW + timedelta(seconds=60)
    assert due(state, NOW) == 60
    state = carried_out(state, late)
    assert state.ended is not None and (state.ended.result, state.ended.error) == ("error", "timeout")


def test_a_phase_begins_with_its_first_task_and_is_over_with_its_last() -> None:
    tasks = (Task("a", "clerk", "a", phase="x"), Task("b", "clerk", "b", ("a",), phase="x"))
    state = begin(Plan("p", tasks, phases=(Phase("x", "X"), Phase("y", "Y"))), NOW)
    assert [type(each) for each in decide(state, free=FREE, now=NOW)] == [BeginPhase, Start]
    state = step(carried_out(state), finished("a"))
    assert [type(each) for each in decide(state, free=FREE, now=NOW)] == [Start]
    state = step(carried_out(state), finished("b"))
    assert decide(state, free=FREE, now=NOW)[0] == EndPhase("x")
    assert carried_out(state).over == {"x"}


def test_a_run_is_stopped_in_vain_when_all_is_done() -> None:
    state = step(carried_out(begin(Plan("p", chain("a")), NOW)), finished("a"))
    state = carried_out(step(state, StopAsked(at=NOW, why="enough")))
    assert state.ended is not None and state.ended.result == "completed"
    for late in (Ended(at=NOW, result="error"), PhaseBegan(at=NOW, phase="x")):
        assert step(state, late) == state, "a run ends once"
    assert step(state, Spent(at=NOW, task="a", tokens=3)).tokens == 3, "what was used late is counted"


def test_news_of_a_task_that_is_not_in_the_plan_changes_nothing() -> None:
    state = begin(Plan("p", chain("a")), NOW)
    for news in (Started(at=NOW, task="z", thread="t"), finished("z"), failed("z"), Spent(NOW, "z", 3)):
        assert step(state, news) == state
