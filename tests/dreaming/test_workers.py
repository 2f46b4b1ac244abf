"""Observation by several processes: the same bytes as by one, whatever happens to a worker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from benchmarks.desks import fill
from tests.dreaming.observers import Killed, Noisy, Raising

import reverie
from reverie.app import Reverie
from reverie.domain.errors import UsageError, WorkerLost
from reverie.domain.sessions import Session, SessionInfo
from reverie.dreaming.dream import Dreamer
from reverie.dreaming.observing import Observing
from reverie.dreaming.pool import Worker
from reverie.mining.mistakes import RecurringMistakes
from reverie.mining.observe import SessionObserver
from reverie.plugins import Observer
from reverie.storage.codec import dumps
from reverie.storage.events import Link

SESSIONS = 130  # three batches


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("desk") / "made.db"
    with reverie.open(db) as rv:
        fill(rv, SESSIONS)
    return db


@pytest.fixture
def opened(made: Path, tmp_path: Path) -> Iterator[Callable[[], Reverie]]:
    """Opens a new copy of the desk each time."""
    copies: list[Reverie] = []

    def make() -> Reverie:
        copies.append(reverie.open(Path(shutil.copy(made, tmp_path / f"{len(copies)}.db"))))
        return copies[-1]

    yield make
    for rv in copies:
        rv.close()


def observe(rv: Reverie, observer: Observer, workers: int | None) -> tuple[str, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    stage = Observing(rv._db, observer, workers=workers)
    return dumps(stage.observe(rv.log.sessions(), lambda done, total: told.append((done, total)))), told


def dreamer(rv: Reverie, observer: Observer) -> Dreamer:
    miners = [RecurringMistakes()]
    return Dreamer(
        rv._db, rv.log, rv.memory, rv.review, observer, miners, clock=rv._clock, leaks=lambda text: False
    )


def test_any_number_of_workers_gives_the_same_bytes_in_the_same_order(opened: Callable[[], Reverie]) -> None:
    one, told = observe(opened(), SessionObserver(), 1)
    assert told[0] == (0, SESSIONS)
    assert told[-1] == (SESSIONS, SESSIONS)
    several = opened()
    assert observe(several, SessionObserver(), 3) == (one, told)
    assert observe(several, SessionObserver(), 3) == (one, [(SESSIONS, SESSIONS)])  # from what is kept
    assert observe(opened(), Noisy(), 2)[0] == one  # whatever it prints


@pytest.mark.parametrize("size", [1, 7, SESSIONS])
@pytest.mark.parametrize("workers", [1, 2])
def test_the_size_of_batches_does_not_matter(
    opened: Callable[[], Reverie], monkeypatch: pytest.MonkeyPatch, size: int, workers: int
) -> None:
    one, _ = observe(opened(), SessionObserver(), 1)
    monkeypatch.setattr("reverie.dreaming.observing._SESSIONS", size)
    assert observe(opened(), SessionObserver(), workers)[0] == one
    monkeypatch.setattr("reverie.dreaming.observing._EVENTS", size)  # sessions longer than that go alone
    assert observe(opened(), SessionObserver(), workers)[0] == one


def test_a_killed_worker_is_one_clear_error_and_the_next_dream_goes_on(
    opened: Callable[[], Reverie], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rv, order = opened(), tmp_path / "order"
    monkeypatch.setenv("KILL_ONCE", str(order))
    monkeypatch.setattr("reverie.dreaming.observing._SESSIONS", 10)
    order.write_text(rv.log.sessions()[-1].id)
    with pytest.raises(WorkerLost, match=r"was killed \(signal 9\)\n  next: run the dream again"):
        dreamer(rv, Killed()).dream(workers=2)
    assert [d.status for d in rv.dreams()] == ["failed"]
    told: list[tuple[str, int, int]] = []
    again = dreamer(rv, Killed()).dream(workers=2, progress=lambda *step: told.append(step))
    kept = [done for stage, done, _ in told if stage == "observe"][1]  # the first is told before it looks
    assert kept >= SESSIONS - 30  # all but the batches under way: one for each worker, and one that is read
    undisturbed = dreamer(opened(), SessionObserver()).dream(workers=1)
    assert dumps(again.findings) == dumps(undisturbed.findings)


def test_a_worker_that_dies_while_it_is_sent_a_batch() -> None:
    """What it did not read any more must not hide what happened to it."""
    session = Session("sesn_a", SessionInfo("test", "a"), 1, "sha")
    link = Link("sesn_a", 1, "sevt_a", "key", "user.message", None, "", "{}", None, "00")
    with (
        pytest.raises(WorkerLost, match=r"was killed \(signal 9\)"),
        Worker(SessionObserver, SessionObserver().version) as worker,
    ):
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
        worker.ask([(session, [link])])


def test_an_observer_that_raises_in_a_worker_says_what_it_raised(opened: Callable[[], Reverie]) -> None:
    with pytest.raises(WorkerLost, match="ValueError: no eyes today"):
        observe(opened(), Raising(), 2)


def test_an_observer_that_no_other_process_can_make_observes_here(opened: Callable[[], Reverie]) -> None:
    class Local(SessionObserver):
        pass

    assert observe(opened(), Local(), 4)[0] == observe(opened(), SessionObserver(), 1)[0]


@pytest.mark.parametrize("command", [["-"], ["-c", "import sys; exec(sys.stdin.read())"]])
def test_it_does_not_matter_what_the_main_program_is(
    opened: Callable[[], Reverie], command: Sequence[str]
) -> None:
    rv = opened()
    script = f"""
import reverie
with reverie.open({rv._db.where!r}) as rv:
    print(rv.dream(workers=2, dry_run=True).dream.sessions)
"""
    rv.close()
    done = subprocess.run(
        [sys.executable, *command], input=script, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(SESSIONS)]
    assert done.stderr == ""


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_do_no_work(opened: Callable[[], Reverie], workers: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        opened().dream(workers=workers)
