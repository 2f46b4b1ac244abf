"""Dreams written by an author: what it writes, what templates write for it, what is kept, and what is never paid twice."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from tests.dreaming.conftest import Says, log_session
from tests.dreaming.pens import NAME, Pen

from reverie.app import Reverie
from reverie.domain.dreams import Dream, Estimate, Wish, Writing
from reverie.domain.errors import ConfigError, NotFound, UsageError
from reverie.domain.findings import Finding
from reverie.domain.messages import Usage
from reverie.dreaming.authors import DREAMER, Study
from reverie.dreaming.dream import Dreamer
from reverie.mining.observe import SessionObserver
from reverie.plugins import Corpus, Miner

WISH = Wish("pen:one", "Be brief.")
ONE_DESK = Usage(100, 10, 5, 0)
TWO_DESKS = Usage(200, 20, 10, 0)
Make = Callable[..., Dreamer]


@pytest.fixture
def dreamer(rv: Reverie) -> Make:
    def make(pen: Pen | None, *miners: Miner, **more: Any) -> Dreamer:
        return Dreamer(
            rv._db, rv.log, rv.memory, rv.review, SessionObserver(), miners or MINERS, clock=rv._clock,
            leaks=lambda text: False, author=pen, **more,
        )  # fmt: skip

    return make


MINERS = (Says("clean", origins=("user",)), Says("dirty"))
"""One finding that people's words bear out, one that lies among what tools said: two desks."""


def test_it_writes_each_desk_and_the_dream_says_how(rv: Reverie, dreamer: Make) -> None:
    pen = Pen()
    result = dreamer(pen).dream(wish=WISH)
    assert [p.path for p in result.proposals] == ["/notes/written-0.md", "/notes/written-1.md"]
    assert [p.writer for p in result.proposals] == [NAME, NAME] and result.dream.written_by == (NAME,)
    assert [p.tainted for p in result.proposals] == [False, True]
    session = f"sesn_of_{result.dream.id}_None"
    assert result.dream.writing == Writing("pen:one", session, TWO_DESKS, Estimate(1_000, 100, 50_000))
    (study,) = pen.sat
    assert (study.wish, study.dream_id, pen.left) == (WISH, result.dream.id, 1)
    assert dreamer(pen).dream(wish=WISH).repeated and len(pen.asked) == 2


def test_what_a_proposal_cites_is_told_from_what_lay_beside_it(rv: Reverie, dreamer: Make) -> None:
    miners = (Says("clean", origins=("user",)), Says("other", origins=("user",)))
    result = dreamer(Pen(cites=1), *miners).dream(wish=WISH)
    (made,) = result.proposals
    assert len(made.findings) == 2 and made.cited == made.findings[:1]
    assert rv.review.get(made.id) == made  # as it is kept, too


def test_without_a_wish_templates_write_as_ever(dreamer: Make) -> None:
    pen = Pen()
    result = dreamer(pen).dream()
    assert result.dream.writing is None and result.dream.written_by == ("template/2",) and not pen.sat
    assert dreamer(None).dream().dream.id == result.dream.id


def test_another_wish_is_another_dream(dreamer: Make) -> None:
    wishes = (
        WISH,
        replace(WISH, instructions="Be long."),
        replace(WISH, model="pen:two"),
        replace(WISH, max_tokens=9),
    )
    ids = {dreamer(Pen()).dream(wish=wish).dream.id for wish in (Wish(), *wishes)}
    assert len(ids) == 5


@pytest.mark.parametrize(
    ("fails", "by"), [({0}, ("template/2", NAME)), ({1}, (NAME, "template/2")), ({0, 1}, ("template/2",))]
)
def test_what_it_fails_at_the_templates_write_and_it_is_told_why(
    dreamer: Make, fails: set[int], by: tuple[str, ...]
) -> None:
    result = dreamer(Pen(fails=frozenset(fails))).dream(wish=WISH)
    assert result.dream.written_by == by and len(result.proposals) == 2
    assert result.dream.writing is not None
    assert result.dream.writing.fell_back == "; ".join(
        f"no answer at desk {number}" for number in sorted(fails)
    )
    assert result.dream.writing.usage == TWO_DESKS
    assert sorted({p.writer for p in result.proposals}) == sorted(set(by))
    assert {p.tainted for p in result.proposals} == {False, True}


# ---------------------------------------------------------------------- hypotheses


class Guess(Says):
    """What a miner would say of the same sessions, so that it holds when it is counted again."""

    def of(self, rv: Reverie) -> Finding:
        seen = [SessionObserver().observe(s, rv.log.events(s.id)) for s in rv.log.sessions()]
        return replace(self.mine(Corpus(seen, []))[0], id="find_guess", key="guess")


def test_a_hypothesis_that_held_is_a_finding_of_the_dream_and_taints_what_cites_it(
    rv: Reverie, dreamer: Make
) -> None:
    clean = Guess(origins=("user",)).of(rv)
    result = dreamer(Pen(guesses=(clean,)), MINERS[0]).dream(wish=WISH)
    assert "find_guess" in [finding.id for finding in result.findings] and result.dream.findings == 2
    assert result.proposals[0].findings[0] == "find_guess" and not result.proposals[0].tainted
    assert rv.finding("find_guess").claim == clean.claim
    log_session(rv, 9)
    tainted = dreamer(Pen(guesses=(Guess().of(rv),), body="Sign every page."), MINERS[0]).dream(wish=WISH)
    assert tainted.proposals[0].tainted  # an agent's doing, after it had read results


def test_a_hypothesis_that_is_miscounted_is_withheld(rv: Reverie, dreamer: Make) -> None:
    held = Guess(origins=("user",)).of(rv)
    wrong = replace(held, counts=replace(held.counts, sessions=99))
    result = dreamer(Pen(guesses=(wrong,)), MINERS[0]).dream(wish=WISH)
    assert result.proposals == () and "counted again" in result.dream.withheld[0].why


# ---------------------------------------------------------------------- before anything is done


@pytest.mark.parametrize("error", [NotFound("there is no such model"), ConfigError("no key")])
def test_a_model_that_cannot_be_used_is_one_error_and_nothing_is_done(
    rv: Reverie, dreamer: Make, error: Exception
) -> None:
    def ready(model: str) -> None:
        raise error

    with pytest.raises(type(error), match=str(error)):
        dreamer(Pen(), ready=ready).dream(wish=WISH)
    assert rv.dreams() == []


def test_what_is_refused(rv: Reverie, dreamer: Make) -> None:
    for wish, told in (
        (Wish(instructions="x"), "for a model"),
        (Wish(max_tokens=5), "for a model"),
        (replace(WISH, max_tokens=0), "at least 1"),
    ):
        with pytest.raises(UsageError, match=told):
            dreamer(Pen()).dream(wish=wish)
    with pytest.raises(ConfigError, match="nothing here writes"):
        dreamer(None).dream(wish=WISH)
    with pytest.raises(UsageError, match="no tokens"):
        dreamer(Pen()).estimate(wish=Wish())
    assert rv.dreams() == []


def test_an_estimate_asks_nothing_and_keeps_nothing(rv: Reverie, dreamer: Make) -> None:
    pen = Pen()
    assert dreamer(pen).estimate(wish=WISH) == Estimate(1_000, 100, 50_000)
    assert rv.dreams() == [] and not pen.sat


def test_a_dry_run_keeps_no_dream(rv: Reverie, dreamer: Make) -> None:
    result = dreamer(Pen()).dream(wish=WISH, dry_run=True)
    assert result.dream.writing is not None and result.dream.writing.usage == TWO_DESKS
    assert len(result.proposals) == 2 and rv.dreams() == [] and rv.proposals() == []


# ---------------------------------------------------------------------- as it goes, and when it is stopped


def test_what_is_being_used_can_be_seen_before_it_ends(rv: Reverie, dreamer: Make) -> None:
    seen: list[Dream] = []
    dreamer(Pen(at_desk=lambda study, number: seen.append(rv.dreams()[0]))).dream(wish=WISH)
    assert [dream.stage for dream in seen] == ["mine", "mine"]
    assert [dream.writing and dream.writing.usage for dream in seen] == [Usage(), ONE_DESK]
    assert all(dream.writing and dream.writing.session_id and dream.writing.estimate for dream in seen)


def test_progress_tells_the_tokens(dreamer: Make) -> None:
    told: list[tuple[int, int]] = []
    dreamer(Pen()).dream(
        wish=WISH, progress=lambda s, done, total: told.append((done, total)) if s == "write" else None
    )
    assert (115, 1_100) in told and (230, 1_100) in told


def test_stopped_at_a_desk_it_keeps_what_was_used(rv: Reverie, dreamer: Make) -> None:
    class Stop(Exception):
        pass

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "write" and done == 115:
            raise Stop("enough")

    pen = Pen()
    with pytest.raises(Stop):
        dreamer(pen).dream(wish=WISH, progress=stop)
    (stopped,) = rv.dreams()
    assert (stopped.status, stopped.error, pen.left) == ("failed", "enough", 0)
    assert stopped.writing is not None and stopped.writing.usage == ONE_DESK and stopped.writing.session_id
    # whoever goes on counts the same session once
    again = dreamer(Pen()).dream(wish=WISH).dream
    assert again.id == stopped.id and again.writing is not None and again.writing.usage == TWO_DESKS


def test_a_session_that_was_ended_is_followed_by_another_and_both_are_paid(
    rv: Reverie, dreamer: Make
) -> None:
    from reverie.dreaming.closing import close_writing

    def stop(study: Study, number: int) -> None:
        if number == 1:
            raise RuntimeError("canceled")

    with pytest.raises(RuntimeError):
        dreamer(Pen(at_desk=stop)).dream(wish=WISH)
    (stopped,) = rv.dreams()
    ended: list[str] = []
    assert close_writing(rv._db, stopped.id, lambda id: ended.append(id) is None)
    first = f"sesn_of_{stopped.id}_None"
    assert ended == [first]
    again = dreamer(Pen()).dream(wish=WISH).dream
    assert again.writing is not None and not again.writing.ended
    assert again.writing.session_id == f"sesn_of_{stopped.id}_{first}"
    assert again.writing.usage == Usage(300, 30, 15, 0)
    assert close_writing(rv._db, again.id, lambda id: False)  # it is complete: there is nothing to end


def test_what_was_written_and_paid_for_is_not_asked_again(rv: Reverie, dreamer: Make) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "check":
            raise KeyboardInterrupt

    first, second = Pen(fails=frozenset({1})), Pen()
    with pytest.raises(KeyboardInterrupt):
        dreamer(first).dream(wish=WISH, progress=stop)
    done = dreamer(second).dream(wish=WISH).dream
    assert len(first.asked) == 2 and not second.sat and done.status == "completed"
    assert done.writing is not None and done.writing.usage == TWO_DESKS and done.writing.fell_back


def test_sessions_of_the_writing_agent_are_no_evidence_unless_they_are_named(
    rv: Reverie, dreamer: Make
) -> None:
    with rv.session("write", agent=DREAMER, native_id="own") as own:
        own.action("propose", path="/x")
        own.error("refused")
    every = rv.dream_schedules.create(
        {
            "name": "n",
            "memory_store_id": rv.memory.store().id,
            "trigger": {"type": "manual"},
            "min_sessions": 7,
        }
    )
    told = rv.dream_schedule_runs.run(every.resource.id).body["skipped"]["message"]
    assert told.startswith("6 new sessions")
    assert dreamer(None, Says()).dream().dream.sessions == 6
    named = [session.id for session in rv.log.sessions() if session.info.agent == DREAMER]
    assert dreamer(None, Says()).dream(sessions=named).dream.sessions == 1


# ---------------------------------------------------------------------- a process that is killed

PROGRAM = """
import os, signal, sys
from pathlib import Path
import reverie
from reverie.domain.dreams import Wish
from reverie.dreaming.dream import Dreamer
from reverie.mining.observe import SessionObserver
from tests.dreaming.conftest import Says
from tests.dreaming.pens import Pen

home, dies = Path(sys.argv[1]), sys.argv[2]

def tell(stage, done, total):
    if (stage, done) == (dies.partition(":")[0], int(dies.partition(":")[2] or 0)):
        os.kill(os.getpid(), signal.SIGKILL)

def pay(study, number):
    with open(home / "paid", "a") as ledger:
        ledger.write(f"{number}\\n")

with reverie.open(home / "reverie.db") as rv:
    dreamer = Dreamer(
        rv._db, rv.log, rv.memory, rv.review, SessionObserver(),
        (Says("clean", origins=("user",)), Says("dirty")),
        clock=rv._clock, leaks=lambda text: False, author=Pen(at_desk=pay),
    )
    result = dreamer.dream(wish=Wish("pen:one"), workers=1, progress=tell)
    print(result.dream.status, len(result.proposals), result.dream.writing.usage.input)
"""


@pytest.mark.parametrize(
    ("dies", "asked"),
    [("observe", 2), ("mine", 2), ("write", 2), ("check", 2), ("submit", 2), ("submit:1", 2)],
)
def test_a_process_that_is_killed_between_stages_pays_nothing_twice(
    rv: Reverie, tmp_path: Path, dies: str, asked: int
) -> None:
    rv.close()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    killed = run([*command, dies], capture_output=True, text=True, check=False)
    assert killed.returncode == -9, killed.stderr
    done = run([*command, "never"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["completed", "2", "200"]
    assert len((tmp_path / "paid").read_text().split()) == asked
