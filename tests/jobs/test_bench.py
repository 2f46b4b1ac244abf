"""The bench: no wake is lost, nothing runs twice at once, whatever the order of things."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reverie.jobs.bench import Bench, Key

Told = tuple[str, str]


class Stage:
    """A bench whose work goes on when it is told to, and all that happens on it, in order."""

    def __init__(self, at_once: int) -> None:
        self.bench = Bench()
        self.told: list[Told] = []
        self._gates: dict[str, asyncio.Future[None]] = {}
        self.bench.start(self._work, at_once)

    async def _work(self, workspace: str, id: str) -> None:
        self.told.append(("start", id))
        gate = self._gates[id] = asyncio.get_running_loop().create_future()
        try:
            await gate
        finally:
            self.told.append(("end", id))

    def wake(self, id: str) -> None:
        self.told.append(("wake", id))
        self.bench.wake(("w", id))

    def settle(self) -> None:
        """Return when the loop has done all it can do by itself."""
        for _ in range(4):
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self.bench.loop()).result(10)

    def finish(self, id: str, error: Exception | None = None) -> None:
        async def finish() -> None:
            gate = self._gates.pop(id, None)
            if gate is not None and not gate.done():
                gate.set_result(None) if error is None else gate.set_exception(error)

        asyncio.run_coroutine_threadsafe(finish(), self.bench.loop()).result(10)

    def finish_all(self) -> None:
        self.settle()
        while self.bench.busy():
            for _, id in self.bench.busy():
                self.finish(id)
            self.settle()

    @property
    def running(self) -> list[str]:
        return _running(self.told)


def _running(told: list[Told]) -> list[str]:
    running: list[str] = []
    for what, id in told:
        if what == "start":
            running.append(id)
        elif what == "end":
            running.remove(id)
    return running


def _check(told: list[Told], at_once: int) -> None:
    running: set[str] = set()
    owed: set[str] = set()
    for what, id in told:
        if what == "wake":
            owed.add(id)
        elif what == "start":
            assert id not in running, "twice at once"
            running.add(id)
            assert len(running) <= at_once
            owed.discard(id)  # it began after the wake, and so sees what there is
        else:
            running.discard(id)
    assert owed == set(), "a wake was lost"


ACT = st.tuples(st.sampled_from(("wake", "wake", "finish", "fail", "settle")), st.sampled_from("abcd"))


@settings(max_examples=60)
@given(story=st.lists(ACT, min_size=5, max_size=40), at_once=st.integers(1, 3))
def test_every_wake_is_followed_by_a_run_and_no_session_runs_twice_at_once(
    story: list[tuple[str, str]], at_once: int
) -> None:
    logging.getLogger("reverie.jobs").disabled = True
    stage = Stage(at_once)
    try:
        for what, id in story:
            if what == "wake":
                stage.wake(id)
            elif what == "settle":
                stage.settle()
            else:
                stage.finish(id, ValueError("planted") if what == "fail" else None)
        stage.finish_all()
        _check(stage.told, at_once)
    finally:
        stage.bench.close(1.0)
        logging.getLogger("reverie.jobs").disabled = False


def test_wakes_of_many_threads_are_followed_by_runs() -> None:
    told: list[Told] = []
    bench = Bench()

    async def work(workspace: str, id: str) -> None:
        told.append(("start", id))
        await asyncio.sleep(0)
        told.append(("end", id))

    def call(seed: int) -> None:
        chance = Random(seed)
        for _ in range(300):
            id = chance.choice("abcde")
            told.append(("wake", id))
            bench.wake(("w", id))

    bench.start(work, 2)
    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    last: list[Future[None]] = [bench.ran(("w", id)) for id in "abcde"]
    for future in last:
        future.result(10)
    bench.close(1.0)
    _check(told, 2)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(1)
    yield stage
    stage.bench.close(1.0)


def test_many_wakes_during_a_run_are_one_more_run(stage: Stage) -> None:
    stage.wake("a")
    stage.settle()
    for _ in range(10):
        stage.wake("a")
    stage.finish_all()
    assert [what for what, _ in stage.told if what == "start"] == ["start"] * 2


def test_whoever_waits_hears_of_it_when_nothing_is_left(stage: Stage) -> None:
    ran = stage.bench.ran(("w", "a"))
    stage.settle()
    stage.wake("a")
    stage.settle()
    stage.finish("a")
    stage.settle()
    assert not ran.done()  # once more
    stage.finish_all()
    ran.result(10)


def test_what_fails_is_told_and_leaves_the_bench_whole(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "reverie.jobs"):
        stage.wake("a")
        stage.settle()
        stage.finish("a", ValueError("planted"))
        stage.wake("b")
        stage.finish_all()
    told = [(record.session_id, record.how) for record in caplog.records]  # type: ignore[attr-defined]
    assert told == [("a", "failed: ValueError: planted"), ("b", "done")]
    assert all(record.seconds >= 0 for record in caplog.records)  # type: ignore[attr-defined]


def test_dropping_cancels_what_runs_and_forgets_what_waits(stage: Stage) -> None:
    waits: list[Future[None]] = []
    for id in "ab":
        waits.append(stage.bench.ran(("w", id)))
        stage.settle()
    stage.bench.drop()
    for future in waits:
        future.result(10)
    assert stage.told == [("start", "a"), ("end", "a")]
    stage.wake("a")
    stage.settle()
    assert stage.running == ["a"]  # it goes on working


def test_what_is_cancelled_before_it_began_leaves_room() -> None:
    bench, began = Bench(), list[Key]()

    async def work(workspace: str, id: str) -> None:
        began.append((workspace, id))

    bench.start(work, 1)
    loop = bench.loop()

    async def wake_and_drop() -> None:
        bench._woken(("w", "a"))
        bench._cancel()

    asyncio.run_coroutine_threadsafe(wake_and_drop(), loop).result(10)
    bench.ran(("w", "b")).result(10)
    assert began == [("w", "b")]
    bench.close(1.0)


def test_closing_cancels_and_takes_nothing_more(stage: Stage) -> None:
    waits = [stage.bench.ran(("w", "a"))]
    stage.settle()
    waits += [stage.bench.ran(("w", id)) for id in "ab"]  # once more, and another that waits
    stage.settle()
    stage.bench.close(5.0)
    stage.bench.close(5.0)
    for future in waits:
        future.result(10)
    stage.wake("c")
    stage.bench.ran(("w", "c")).result(1)
    assert [told for told in stage.told if told[0] != "wake"] == [("start", "a"), ("end", "a")]


def test_before_the_start_nothing_is_done() -> None:
    bench = Bench()
    bench.wake(("w", "a"))
    bench.ran(("w", "a")).result(1)
    assert bench.busy() == frozenset()
    bench.close(1.0)
