"""Trials in a house: who sees what, what is counted, what follows, and what goes wrong on the way."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from tests.dreaming.trials.trying import (
    HALF,
    LORE,
    Time,
    begin,
    house,
    live,
    managed,
    proposed,
    row_of,
    saw,
    tried,
)

from reverie.app import Reverie
from reverie.domain.errors import Conflict, Invalid, NotFound
from reverie.domain.sessions import Outcome, Transcript
from reverie.domain.trials import Trial
from reverie.dreaming.trials import judging
from reverie.dreaming.trials.service import Terms
from reverie.storage import audit as audit_rows
from reverie.storage import sessions as session_rows
from reverie.storage.driver import execute

REFUSED = "refused: the form is not signed"


@pytest.fixture
def url(db_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database of either engine, and a key to seal the coins' keys with."""
    monkeypatch.setenv("REVERIE_SECRET_KEY", "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=")
    return db_url


@pytest.fixture
def at(url: str) -> Iterator[tuple[Reverie, Time, Trial]]:
    with tried(url) as found:
        yield found


def harm(rv: Reverie, time: Time, number: int = 40, *, first: int = 0) -> None:
    """Sessions that fail where they see the memory, and end well where they do not."""
    for each in range(first, first + number):
        time.go(minutes=1)
        name = f"harmed {each}"
        live(rv, name, good=not saw(rv, name))


def actions(rv: Reverie, trial: Trial) -> list[str]:
    return [entry.action for entry in reversed(rv.audit(200, subject=trial.id))]


# ------------------------------------------------------------------ who sees what


def test_a_coin_says_it_once_whoever_asks(url: str) -> None:
    with tried(url) as (rv, time, trial):
        time.go(minutes=1)
        first = {f"s{n}": saw(rv, f"s{n}") for n in range(40)}
        assert {True, False} == set(first.values())
        wanted = rv.trials.history(trial.id).sessions
        assert [each.number for each in wanted] == list(range(1, 41))
    with house(url, Time("2026-03-02 09:00"), seed=9) as again:  # another process, the next day
        assert {name: saw(again, name) for name in first} == first
        found = again.trials.history(trial.id).sessions
        assert found == wanted
        assert all(again.trials.exposure.agrees(trial, each) for each in found)


def test_the_key_is_nowhere_to_be_read(at: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = at
    key = rv.secrets.read(trial.id, "key")
    assert len(bytes.fromhex(key)) == 32
    assert key not in repr(rv.resources.get("trial", trial.id)) + repr(rv.audit(100))


def test_a_session_from_before_the_trial_is_in_none(url: str) -> None:
    time = Time("2026-03-01 09:00")
    with house(url, time) as rv:
        rv.memory.write("default", LORE, "Sign.", actor="ana")
        old = [managed(rv) for _ in range(12)]
        time.go(minutes=1)
        trial = rv.trials.begin(LORE, by="ana", terms=HALF)
        time.go(minutes=1)
        for id, body in old:
            assert LORE in {m.path for m in rv.recall(session=id)}
            assert (rv.mount(id, body).spec, row_of(rv, trial, id))[1] is None


def test_two_trials_have_two_coins(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, _ = at
    begin(rv, "/other.md", "Count the pages.\n")
    time.go(minutes=1)
    both = {(saw(rv, f"s{n}"), saw(rv, f"s{n}", "/other.md")) for n in range(40)}
    assert len(both) == 4


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_in_which_nothing_is_compared_is_refused(share: float) -> None:
    with pytest.raises(Invalid):
        Terms(share=share)


def test_one_trial_at_a_time_of_a_memory_and_none_of_nothing(at: tuple[Reverie, Time, Trial]) -> None:
    rv, _, trial = at
    with pytest.raises(Conflict, match=trial.id):
        rv.trials.begin(LORE, by="ana")
    with pytest.raises(NotFound):
        rv.trials.begin("/nothing.md", by="ana")


def test_without_its_key_a_trial_hides_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with tried(url):
        pass
    monkeypatch.setenv("REVERIE_SECRET_KEY", "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyMTI=")
    with house(url, Time("2026-03-01 10:00"), seed=3) as rv:
        assert all(saw(rv, f"s{n}") for n in range(20))
        assert "tosses no coin" in caplog.text


# ------------------------------------------------------------------ what follows


def test_harm_is_taken_out_and_proposed_for_reverting(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    harm(rv, time)
    (look,) = rv.trials.look()
    assert look.decided and look.trial.status == "withdrawn" and look.trial.word == "harmful"
    (ruling,) = look.trial.rulings
    assert ruling.failures == (ruling.seen, 0) and ruling.effect is not None and ruling.effect < -0.5
    (asked,) = rv.proposals()
    assert (asked.id, asked.kind, asked.path) == (ruling.proposal_id, "retire", LORE)
    assert f"{ruling.seen} of {ruling.seen} sessions failed with it, 0 of" in asked.title
    assert not any(saw(rv, f"new {n}") for n in range(20)) and rv.recall() == []
    assert saw(rv, "new", "/other.md") is False
    assert actions(rv, trial)[-2:] == ["trial.verdict", "trial.withdrawn"]
    assert rv.trials.look() == []
    rv.approve(asked.id, by="ana")
    assert rv.memory.find("default", LORE) is None


def test_help_is_noted_and_the_trial_ends(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    for each in range(40):
        time.go(minutes=1)
        live(rv, f"s{each}", good=saw(rv, f"s{each}"))
    (look,) = rv.trials.look()
    assert (look.trial.status, look.trial.word, rv.proposals()) == ("ended", "helped", [])
    assert all(saw(rv, f"new {n}") for n in range(20))
    (history,) = rv.trials.of_memory(LORE)
    assert history.trial == rv.trials.get(trial.id) and history.points[-1].sessions == 40
    assert [p.sessions for p in history.points] == sorted({p.sessions for p in history.points})
    text = rv.memory.read("default", LORE)
    assert (text.version, text.content) == (1, "Sign the form.\n")  # what agents read stays as it was


def test_at_the_end_of_its_sessions_it_is_proposed_for_retiring(url: str) -> None:
    time = Time("2026-03-01 09:00")
    with house(url, time) as rv:
        trial = begin(rv, terms=Terms(share=0.5, budget=10))
        time.go(minutes=1)
        for each in range(9):
            live(rv, f"s{each}", good=each % 2 == 0)
        assert [look.decided for look in rv.trials.look()] == [False]
        live(rv, "last", good=True)
        (look,) = rv.trials.look()
        assert (look.trial.status, look.trial.word) == ("ended", "not enough data")
        (asked,) = rv.proposals()
        assert asked.kind == "retire" and "without showing that it helps" in asked.title
        assert all(saw(rv, f"new {n}") for n in range(20))  # until somebody decides
        assert rv.trials.get(trial.id).rulings[-1].proposal_id == asked.id


def test_harm_of_a_new_text_brings_the_former_one_back(url: str) -> None:
    time = Time("2026-03-01 09:00")
    with house(url, time) as rv:
        rv.memory.write("default", LORE, "What was good.\n", actor="ana")
        trial = begin(rv, text="What is new.\n")
        harm(rv, time)
        rv.trials.look()
        (asked,) = rv.proposals()
        assert (asked.kind, asked.content) == ("update", "What was good.\n")
        rv.approve(asked.id, by="ana")
        assert all(saw(rv, f"new {n}") for n in range(20))  # another text than the one that was withdrawn
        rv.undo(asked.id, by="ana")
        assert not saw(rv, "new one")
        assert rv.trials.get(trial.id).status == "withdrawn"


def test_what_a_trial_spoke_against_is_not_proposed_again(url: str) -> None:
    time = Time("2026-03-01 09:00")
    with house(url, time) as rv:
        rv.approve(proposed(rv, idea="sign", evidence_weight=7), by="ana", trial=HALF)
        (trial,) = rv.trials.list()
        assert (trial.idea, trial.version) == ("sign", 1)
        assert rv.review.decided_ideas("default") == {}
        harm(rv, time)
        rv.trials.look()
        (asked,) = rv.proposals()
        assert rv.review.decided_ideas("default") == {}  # nobody decided yet
        rv.approve(asked.id, by="ana")
        assert rv.review.decided_ideas("default") == {"sign": 7}
        assert rv.review.rejected_ideas("default") == {}
        rv.undo(asked.id, by="ana")
        assert rv.review.decided_ideas("default") == {}


def test_an_approval_and_its_trial_are_one_transaction(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with house(url, Time("2026-03-01 09:00")) as rv:
        id = proposed(rv)
        monkeypatch.setattr(rv.secrets, "put", broken)
        with pytest.raises(RuntimeError):
            rv.approve(id, by="ana", trial=HALF)
        assert rv.review.get(id).status == "pending" and rv.recall() == [] and rv.trials.list() == []


def broken(*_: Any) -> None:
    raise RuntimeError("killed")


def test_killed_before_the_withdrawal_there_was_no_verdict(
    at: tuple[Reverie, Time, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    rv, time, trial = at
    harm(rv, time)
    with monkeypatch.context() as killed:
        tell = audit_rows.append

        def until(conn: Any, when: Any, actor: str, action: str, *rest: Any) -> Any:
            if action == "trial.withdrawn":
                raise RuntimeError("killed")
            return tell(conn, when, actor, action, *rest)

        killed.setattr(audit_rows, "append", until)
        with pytest.raises(RuntimeError):
            rv.trials.look()
    now = rv.trials.get(trial.id)
    assert (now.status, now.rulings, rv.proposals()) == ("running", (), [])
    assert "trial.verdict" not in actions(rv, trial)
    assert [look.trial.status for look in rv.trials.look()] == ["withdrawn"]


def test_two_looks_at_once_give_one_verdict(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    harm(rv, time)
    with ThreadPoolExecutor(4) as threads:
        looks = [each for made in threads.map(lambda _: rv.trials.look(), range(4)) for each in made]
    assert sum(look.decided for look in looks) == 1
    assert len(rv.trials.get(trial.id).rulings) == len(rv.proposals()) == 1
    assert actions(rv, trial).count("trial.verdict") == 1


def test_a_verdict_on_another_text_is_none(
    at: tuple[Reverie, Time, Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    rv, time, trial = at
    harm(rv, time)
    count = judging.ruling_of

    def meanwhile(*given: Any) -> Any:
        rv.memory.write("default", LORE, "Sign it twice.\n", actor="ana")
        time.go(minutes=1)
        saw(rv, "the first to see it")
        return count(*given)

    monkeypatch.setattr(judging, "ruling_of", meanwhile)
    (look,) = rv.trials.look()
    now = rv.trials.get(trial.id)
    assert (look.decided, now.status, now.round.number, now.rulings) == (False, "running", 2, ())
    assert rv.proposals() == []


def test_a_person_withdraws_resumes_and_ends(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    harm(rv, time)
    rv.trials.look()
    with pytest.raises(Conflict):
        rv.trials.end(trial.id, by="ana")
    time.go(minutes=1)
    again = rv.trials.resume(trial.id[:14], by="ana", why="it was the network")
    assert (again.status, again.round.number, again.word) == ("running", 2, "not enough data")
    assert len(again.rulings) == 1
    time.go(minutes=1)
    assert {saw(rv, f"new {n}") for n in range(20)} == {True, False}
    assert rv.trials.look()[0].point.sessions == 0  # what was counted has had its verdict
    rv.trials.withdraw(trial.id, by="ana")
    assert not any(saw(rv, f"newer {n}") for n in range(10))
    with pytest.raises(Conflict):
        rv.trials.withdraw(trial.id, by="ana")
    rv.trials.resume(trial.id, by="ana")
    assert rv.trials.end(trial.id, by="ana").status == "ended"
    assert all(saw(rv, f"newest {n}") for n in range(10))
    with pytest.raises(Conflict):
        rv.trials.resume(trial.id, by="ana")


# ------------------------------------------------------------------ what is counted


def test_sessions_count_in_the_order_in_which_they_began(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    live(rv, "a", good=True)
    live(rv, "slow", good=None)
    live(rv, "c", good=False)
    (look,) = rv.trials.look()
    assert (look.point.sessions, look.waiting) == (1, 2)
    rv.log.record(told(rv, "slow", "success"))
    (look,) = rv.trials.look()
    assert (look.point.sessions, look.waiting, sum(look.point.failures)) == (3, 0, 1)
    assert trial.id == look.trial.id


def told(rv: Reverie, name: str, label: Any) -> Any:
    """How a session ended, said later."""
    session = rv.session(name, agent="clerk", native_id=name)
    return Transcript(replace(rv.log.session(session.id).info, outcome=Outcome(label, None, "test")), ())


def test_no_outcome_is_a_bad_one_after_a_time_and_stays_one(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    live(rv, "silent", good=None)
    time.go(days=6)
    assert rv.trials.look()[0].point.sessions == 0
    time.go(days=2)
    assert sum(rv.trials.look()[0].point.failures) == 1
    rv.log.record(told(rv, "silent", "success"))  # too late: verdicts may have rested on it
    assert sum(rv.trials.look()[0].point.failures) == 1
    assert rv.trials.standing(trial.id).sessions == 1


def test_a_deleted_session_keeps_what_was_counted_and_else_counts_as_failed(
    at: tuple[Reverie, Time, Trial],
) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    ids = [managed(rv) for _ in range(2)]
    for id, body in ids:
        rv.mount(id, body)
    label(rv, ids[0][0])
    assert rv.trials.look()[0].point.sessions == 1
    for id, _ in ids:
        rv.sessions.delete(id, actor="ana")
    point = rv.trials.look()[0].point
    assert (point.sessions, sum(point.failures)) == (2, 1)
    kept = row_of(rv, trial, ids[0][0])
    assert kept.good and kept.stratum and not any("clerk" in part for part in kept.stratum)


def label(rv: Reverie, session_id: str) -> None:
    rv.database.write(
        lambda conn: session_rows.label(conn, session_id, Outcome("success", None, "person"), rv._clock())
    )


def test_a_clock_that_jumps_settles_nothing_twice(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    live(rv, "a", good=True)
    live(rv, "b", good=None)
    time.go(days=-400)
    assert saw(rv, "from before") in (True, False)
    live(rv, "c", good=True)  # begun, as it seems, before the trial: it is in none
    (look,) = rv.trials.look()
    assert (look.point.sessions, look.waiting) == (1, 2)
    time.go(days=4000)
    (look,) = rv.trials.look()
    assert (look.point.sessions, look.waiting) == (3, 0)
    assert [e.number for e in rv.trials.history(trial.id).sessions] == [1, 2, 3]


def test_the_failure_it_is_about_is_counted_by_itself(url: str) -> None:
    time = Time("2026-03-01 09:00")
    with house(url, time) as rv:
        for each in range(8):
            time.go(hours=1)
            live(rv, f"old {each}", good=False, error=REFUSED)
        dream = rv.dream()
        finding = next(f for f in dream.findings if f.kind == "recurring_mistake")
        rv.memory.write("default", LORE, "Sign.\n", actor="ana")
        time.go(minutes=1)
        trial = rv.trials.begin(LORE, by="ana", terms=HALF, finding_id=finding.id)
        assert trial.marks.templates and trial.finding_id == finding.id
        for each in range(40):
            time.go(minutes=1)
            name = f"new {each}"
            live(rv, name, good=True, error=None if saw(rv, name) else REFUSED)
        (look,) = rv.trials.look()
        (ruling,) = look.trial.rulings
        assert ruling.word == "helped" and ruling.failures == (0, 0)
        assert ruling.hits == (0, ruling.sessions - ruling.seen)


# ------------------------------------------------------------------ what changes meanwhile


def test_another_text_is_another_round(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    before = {f"s{n}": live(rv, f"s{n}", good=True) for n in range(10)}
    time.go(minutes=1)
    rv.memory.write("default", LORE, "Sign it twice.\n", actor="ana")
    time.go(minutes=1)
    (look,) = rv.trials.look()
    assert (look.trial.round.number, look.point.sessions) == (2, 0)
    assert "text was changed" in look.trial.round.why
    assert {name: saw(rv, name) for name in before} == before  # under way, they go on seeing what they saw
    assert {saw(rv, f"t{n}") for n in range(20)} == {True, False}
    assert {e.round for e in rv.trials.history(trial.id).sessions} == {1, 2}
    assert "trial.round" in actions(rv, trial)


def test_a_changed_text_is_noticed_by_the_first_session(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    rv.memory.write("default", LORE, "Sign it twice.\n", actor="ana")
    time.go(minutes=1)
    saw(rv, "first")
    (only,) = rv.trials.history(trial.id).sessions
    assert (only.round, rv.trials.get(trial.id).round.number) == (2, 2)


def test_a_memory_that_is_renamed_goes_on(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    before = {f"s{n}": saw(rv, f"s{n}") for n in range(20)}
    rv.memories.update(trial.store_id, trial.memory_id, path="/deep/lore.md", actor="ana")
    time.go(minutes=1)
    assert {name: saw(rv, name, "/deep/lore.md") for name in before} == before
    (look,) = rv.trials.look()
    assert (look.trial.path, look.trial.round.number) == ("/deep/lore.md", 1)


def test_with_its_memory_or_its_store_a_trial_ends(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    other = rv.memory.create_store("other").id
    rv.memory.write(other, LORE, "Sign.\n", actor="ana")
    second = rv.trials.begin(LORE, other, by="ana")
    rv.memory.delete("default", LORE, actor="ana")
    rv.stores.delete(other, actor="ana")
    time.go(minutes=1)
    assert rv.trials.look() == []
    for each in (trial, second):
        assert (rv.trials.get(each.id).status, rv.trials.get(each.id).why) == (
            "ended",
            "the memory was deleted",
        )


def test_who_changes_the_record_ends_the_trial(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    time.go(minutes=1)
    live(rv, "a", good=True)
    rv.database.write(
        lambda conn: execute(
            conn, "UPDATE trial_sessions SET seen = NOT seen WHERE trial_id = ?", (trial.id,)
        )
    )
    assert rv.trials.look() == []
    ended = rv.trials.get(trial.id)
    assert ended.status == "ended" and "changed outside" in (ended.why or "")


# ------------------------------------------------------------------ by itself


def test_the_scheduler_and_each_dream_look(at: tuple[Reverie, Time, Trial]) -> None:
    rv, time, trial = at
    harm(rv, time)
    rv.scheduler().look()
    assert rv.trials.get(trial.id).status == "withdrawn"
    rv.trials.resume(trial.id, by="ana")
    time.go(minutes=1)
    harm(rv, time, first=100)
    rv.dream()
    assert [r.word for r in rv.trials.get(trial.id).rulings] == ["harmful", "harmful"]


def test_several_at_once_are_told_apart(url: str) -> None:
    time, rng = Time("2026-03-01 09:00"), random.Random(5)
    with house(url, time) as rv:
        kinds = {"/bad.md": -0.6, "/idle.md": 0.0, "/good.md": 0.6}
        trials = {path: begin(rv, path, f"{path}\n") for path in kinds}
        for each in range(90):
            time.go(minutes=1)
            shown = [path for path in kinds if saw(rv, f"s{each}", path)]
            live(rv, f"s{each}", good=rng.random() < 0.5 + sum(kinds[path] for path in shown))
        rv.trials.look()
        said = {path: rv.trials.get(trial.id).word for path, trial in trials.items()}
        assert said == {"/bad.md": "harmful", "/idle.md": "not enough data", "/good.md": "helped"}
