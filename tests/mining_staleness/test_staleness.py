"""Memory against sessions, through the front door."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.mining_staleness.desk import BUSY, CHECK_IN, FIRST_DAY, REFUSAL, Desk, Step, memory, uploads

from reverie.domain.findings import Finding
from reverie.domain.memories import Memory
from reverie.mining.staleness import StaleMemory
from reverie.plugins import Corpus, Miner

NOTE = memory("/notes/check-in.md", CHECK_IN)
TOLD = memory("/notes/told.md", "`upload` fails without `check_in`.")


def mine(desk: Desk, memories: Sequence[Memory], sessions: int | None = None) -> list[Finding]:
    return list(StaleMemory().mine(Corpus(desk.observations[:sessions], memories)))


def said(findings: Sequence[Finding]) -> list[str]:
    return [f.statement["what"] for f in findings]


def test_it_is_a_miner() -> None:
    assert isinstance(StaleMemory(), Miner)


# ---------------------------------------------------------------------- no longer so


@pytest.mark.parametrize(
    "note", [NOTE, TOLD, memory("/c.md", "Upload needs care: upload fails without check_in.")]
)
def test_a_claim_that_no_longer_holds_is_found_and_dated(note: Memory) -> None:
    desk = Desk().work(60, uploads(0.5))
    changed = desk.now
    desk.work(60, uploads(0.5, needed=False))
    [finding] = mine(desk, [note])
    assert finding.kind == "stale_memory" and finding.nature == "situation"
    assert finding.statement["what"] == "no_longer_so" and finding.statement["change"] == "retire"
    assert finding.statement["memories"] == [note.path]
    since = datetime.fromisoformat(finding.statement["since"])
    assert timedelta(0) <= since - changed < timedelta(days=2)
    low, high = (datetime.fromisoformat(at) for at in finding.statement["window"])
    assert low <= since <= high
    failed, tried = finding.statement["before"]
    assert failed == tried > 20 and finding.statement["after"][0] == 0
    assert finding.counts.sessions == finding.statement["after"][1] == len(finding.sessions)
    assert finding.counts.users == 5 and finding.p_adjusted is not None and finding.p_adjusted < 0.001


def test_its_evidence_are_the_calls_that_went_well_and_its_counter_evidence_those_that_did_not() -> None:
    desk = Desk().work(60, uploads(0.5)).work(60, uploads(0.5, needed=False))
    [finding] = mine(desk, [NOTE])
    assert [desk.events[c.span.event_id].type for c in finding.evidence] == ["agent.tool_use"] * 5
    assert {desk.quote(c) for c in finding.evidence} == {"upload"}
    assert {desk.quote(c) for c in finding.counter_evidence} == {REFUSAL}


def test_what_is_still_true_is_left_alone_whatever_agents_do() -> None:
    for follows in (0.0, 0.4, 0.97):
        desk = Desk().work(150, uploads(follows, busy=0.05))
        assert "no_longer_so" not in said(mine(desk, [NOTE, TOLD]))


def test_a_memory_that_is_followed_is_not_stale_because_its_failure_is_gone() -> None:
    """Since it was written everybody checks in: nobody knows whether it would still fail."""
    desk = Desk().work(60, uploads(0.3)).work(100, uploads(1.0))
    assert mine(desk, [replace(NOTE, updated_at=desk.observations[60].started_at)]) == []


def test_a_failure_that_is_gone_is_no_proof_where_following_cannot_be_seen() -> None:
    note = memory("/a.md", "Mind the register.\n\n> 409 Conflict: document is not checked in to the register")
    desk = Desk().work(60, uploads(0.5)).work(60, uploads(0.5, needed=False))
    assert "no_longer_so" not in said(mine(desk, [note]))


def test_another_crowd_is_no_change_of_the_world() -> None:
    desk = Desk().work(40, uploads(0.2), user="ana").work(40, uploads(0.2, needed=False), user="bo")
    assert "no_longer_so" not in said(mine(desk, [NOTE]))


def test_one_user_alone_proves_nothing_where_several_are_known() -> None:
    desk = Desk().work(40, uploads(0.0)).work(40, uploads(1.0))
    desk.work(25, uploads(0.0, needed=False), user="clerk-0").work(1, uploads(0.0), user="clerk-1")
    assert "no_longer_so" not in said(mine(desk, [NOTE]))


def test_a_failure_that_only_some_meet_may_be_gone_because_they_avoid_it() -> None:
    """Half of the attempts failed; now those who would fail do something else. The portal is as it was."""

    def now_and_then(dice: random.Random, clerk: str) -> list[Step]:
        return [("upload", REFUSAL if dice.random() < 0.5 else None), ("check_in", None)]

    def smoothly(dice: random.Random, clerk: str) -> list[Step]:
        return [("upload", None), ("check_in", None)]

    desk = Desk().work(80, now_and_then).work(60, smoothly)
    assert "no_longer_so" not in said(mine(desk, [NOTE, TOLD]))


def test_sessions_of_another_repository_do_not_touch_a_scoped_memory() -> None:
    desk = Desk().work(60, uploads(0.5)).work(60, uploads(0.5, needed=False), repository="elsewhere")
    assert "no_longer_so" not in said(mine(desk, [NOTE]))
    assert "no_longer_so" in said(mine(desk, [TOLD]))


def test_a_claim_that_no_session_ever_showed() -> None:
    desk = Desk().work(60, uploads(0.3, needed=False))
    [finding] = mine(desk, [TOLD])
    assert finding.statement["what"] == "never_so" and finding.statement["after"][0] == 0


def test_a_convention_is_not_a_claim_about_failing() -> None:
    desk = Desk().work(60, uploads(0.95, needed=False))
    assert mine(desk, [memory("/a.md", "Call `check_in` before `upload`.")]) == []


# ---------------------------------------------------------------------- stopped working


def test_advice_that_stopped_working() -> None:
    def before(dice: random.Random, clerk: str) -> list[Step]:
        return [("open_document", None), ("make docs", None)]

    def after(dice: random.Random, clerk: str) -> list[Step]:
        return [("open_document", None), ("make docs", "make: *** No rule to make target 'docs'.  Stop.")]

    note = memory("/a.md", "Run `make docs` when you are done.")
    desk = Desk().work(40, before).work(40, after)
    [finding] = mine(desk, [note])
    assert finding.statement["what"] == "stopped_working" and finding.statement["change"] == "update"
    assert finding.statement["before"] == [0, 40] and finding.statement["after"] == [40, 40]
    assert "No rule to make target" in desk.quote(finding.evidence[0])
    assert mine(Desk().work(80, before), [note]) == []


def test_tests_that_fail_are_no_reason_to_stop_running_them() -> None:
    def run(output: str | None) -> list[Step]:
        return [("pytest -q", output)]

    desk = Desk().work(40, lambda d, c: run(None))
    desk.work(
        40, lambda d, c: run("FAILED tests/test_a.py::test_b - assert 1 == 2\n=== 1 failed in 0.1s ===")
    )
    assert mine(desk, [memory("/a.md", "Run `pytest -q` when you are done.")]) == []


# ---------------------------------------------------------------------- not followed, no help


def test_a_rule_that_is_not_followed_is_counted_from_the_day_it_was_written() -> None:
    desk = Desk().work(40, uploads(0.0))
    note = replace(NOTE, updated_at=desk.now - timedelta(minutes=1))
    desk.work(60, uploads(0.5))
    [finding] = mine(desk, [note])
    assert finding.statement["what"] == "not_followed"
    failed, sessions = finding.statement["after"]
    assert sessions == 60 and failed == finding.counts.sessions == len(finding.sessions)
    late = {o.session_id for o in desk.observations[40:]}
    assert set(finding.sessions) <= late
    assert {desk.quote(c) for c in finding.evidence} == {REFUSAL}
    assert mine(desk, [replace(NOTE, updated_at=desk.now)]) == [], "nothing has happened since"


def searches(share: float) -> Callable[[random.Random, str], list[Step]]:
    """Sessions that search by ``grep`` with this chance, else by ``rg``."""

    def steps(dice: random.Random, clerk: str) -> list[Step]:
        return [("grep -r lease ." if dice.random() < share else "rg lease .", None), ("make build", None)]

    return steps


@pytest.mark.parametrize(
    ("rule", "of"),
    [
        ("Use `rg`, not `grep`.", 80),
        ("Never use `grep`.", 80),
        ("Do not run `grep`, run `rg`.", 80),
        ("Run `rg` before `make build`.", 80),
    ],
)
def test_a_rule_that_nobody_minds_is_not_followed_though_nothing_fails(rule: str, of: int) -> None:
    desk = Desk().work(of, searches(0.5))
    [finding] = mine(desk, [memory("/a.md", f"# Rules\n\n{rule}\n")])
    assert finding.statement["what"] == "ignored" and finding.statement["change"] == "make it seen"
    broken, sessions = finding.statement["after"]
    assert sessions == of and broken == finding.counts.sessions and 25 < broken < 55
    assert finding.counts.users == 5 and finding.p_adjusted is not None and finding.p_adjusted < 0.001
    assert "it is not followed" in finding.claim


@pytest.mark.parametrize(
    "rule",
    [
        "Do not use `grep` in large repositories.",
        "Never run `grep --include`.",
        "When you look for a word, use `rg`, not `grep`.",
        "Use `rg`.",
        "Do not use `grep` or `sed`.",
        "Run `rg` before `make build` on the release branch.",
        "Is `grep` not to be used?",
    ],
)
def test_a_rule_that_says_more_than_what_to_call_is_not_judged_by_calls(rule: str) -> None:
    assert mine(Desk().work(80, searches(0.5)), [memory("/a.md", rule)]) == []


def test_a_rule_that_is_mostly_or_by_now_followed_is_left_alone() -> None:
    rule = memory("/a.md", "Use `rg`, not `grep`.")
    assert mine(Desk().work(120, searches(0.05)), [rule]) == []
    assert mine(Desk().work(60, searches(0.6)).work(60, searches(0.0)), [rule]) == []
    desk = Desk().work(60, searches(0.6))
    assert mine(desk, [replace(rule, updated_at=desk.now)]) == [], "nothing has happened since"
    one = Desk().work(60, searches(0.0)).work(40, searches(1.0), user="clerk-0")
    assert mine(Desk().work(60, searches(0.0)), [rule]) == []
    assert [f.counts.users for f in mine(one, [rule])] in ([], [1])


def test_a_rule_that_is_followed_by_now_is_not_scolded_for_its_beginnings() -> None:
    desk = Desk().work(60, uploads(0.2)).work(90, uploads(1.0))
    assert mine(desk, [NOTE]) == []


def test_a_remedy_that_does_not_help() -> None:
    def steps(dice: random.Random, clerk: str) -> list[Step]:
        return [("check_in", None), ("upload", REFUSAL if dice.random() < 0.6 else None)]

    [finding] = mine(Desk().work(80, steps), [NOTE])
    assert finding.statement["what"] == "no_help" and finding.statement["change"] == "update"


def test_a_warning_of_how_things_are_cannot_be_disobeyed() -> None:
    note = memory("/a.md", f"---\nkind: warning\n---\n`upload` may fail with “{BUSY}”.")
    assert mine(Desk().work(100, uploads(1.0, busy=0.4)), [note]) == []


# ---------------------------------------------------------------------- contradictions


@pytest.mark.parametrize(
    "one, other",
    [
        ("Use tabs for indentation.", "Never use tabs."),
        ("Always run the linter before you commit.", "Do not run the linter before you commit."),
        ("Prefer `rg` over `grep`.", "Use `grep`, not `rg`."),
        ("Send the summary as PDF, not as a Word file.", "Always send the summary as Word, not PDF."),
        ("Retry an upload at most 3 times.", "Retry an upload at most 5 times."),
    ],
)
def test_two_memories_that_demand_opposite_things(one: str, other: str) -> None:
    a, b = memory("/a.md", f"# A\n\n{one}\n"), memory("/b.md", other, FIRST_DAY + timedelta(days=3))
    [finding] = mine(Desk(), [b, a])
    assert finding.kind == "contradiction"
    assert [(q["path"], q["text"]) for q in finding.statement["quotes"]] == [("/a.md", one), ("/b.md", other)]
    assert "changed later" in finding.claim and finding.p_value is None


@pytest.mark.parametrize(
    "one, other",
    [
        ("Use tabs for indentation.", "Do not use tabs in Makefiles."),
        ("Use tabs.", "Never use spaces."),
        ("Run the linter before you commit.", "Run the tests before you commit."),
        ("Retry an upload at most 3 times.", "Retry a download at most 5 times."),
        ("Use a JSON file, not a YAML file.", "Use a TOML file, not a CSV file."),
        ("Always ask first.", "Never ask twice."),
        ("> Use tabs.", "Never use tabs."),
        ("Do not push to main.", "Do not push to main."),
    ],
)
def test_what_only_looks_like_a_contradiction(one: str, other: str) -> None:
    assert mine(Desk(), [memory("/a.md", one), memory("/b.md", other)]) == []


def test_memories_of_different_places_do_not_contradict() -> None:
    def scoped(path: str, repository: str, rule: str) -> Memory:
        return memory(path, f"---\nscope:\n  repository: {repository}\n---\n{rule}")

    assert (
        mine(Desk(), [scoped("/a.md", "web", "Use tabs."), scoped("/b.md", "api", "Never use tabs.")]) == []
    )
    assert said(mine(Desk(), [scoped("/a.md", "web", "Use tabs."), memory("/b.md", "Never use tabs.")])) == [
        "contradiction"
    ]


def test_a_contradiction_cites_what_sessions_did() -> None:
    desk = Desk().work(9, lambda dice, clerk: [("grep -r lease .", None)])
    pair = [memory("/a.md", "Prefer `rg` over `grep`."), memory("/b.md", "Use `grep`, not `rg`.")]
    [finding] = mine(desk, pair)
    assert finding.counts.sessions > 0 and {desk.quote(c) for c in finding.evidence} == {"grep -r lease ."}


# ---------------------------------------------------------------------- every night


@pytest.mark.parametrize("busy", [0.0, 0.1])
def test_two_hundred_nights_over_an_unchanged_world(busy: float) -> None:
    """The memory stays true and is mostly followed: no night may claim otherwise."""
    false = 0
    for seed in range(4):
        desk = Desk(seed).work(200, uploads(0.97, busy=busy))
        false += any(mine(desk, [NOTE, TOLD], night) for night in range(1, 201, 2))
    assert false == 0


def test_the_verdict_comes_within_days_of_the_change() -> None:
    desk = Desk().work(60, uploads(0.5)).work(30, uploads(0.5, needed=False))
    first = next(n for n in range(60, 91) if "no_longer_so" in said(mine(desk, [NOTE], n)))
    assert first <= 80


# ---------------------------------------------------------------------- whatever comes


def test_nothing_to_look_at() -> None:
    assert mine(Desk(), []) == []
    assert mine(Desk(), [NOTE, memory("/b.md", ""), memory("/c.md", "---\n---\n")]) == []
    assert mine(Desk().work(30, uploads(0.5)), []) == []


def test_sessions_without_time_date_nothing() -> None:
    desk = Desk().work(60, uploads(0.5)).work(60, uploads(0.5, needed=False))
    undated = [
        replace(o, started_at=None, calls=tuple(replace(c, at=None) for c in o.calls))
        for o in desk.observations
    ]
    assert list(StaleMemory().mine(Corpus(undated, [NOTE]))) == []


def test_the_same_corpus_in_any_order_says_the_same() -> None:
    desk = Desk().work(60, uploads(0.5)).work(60, uploads(0.5, needed=False))
    shuffled = random.Random(5).sample(desk.observations, len(desk.observations))
    memories = [NOTE, memory("/a.md", "Use tabs."), memory("/b.md", "Never use tabs.")]
    assert mine(desk, memories) == list(StaleMemory().mine(Corpus(shuffled, memories[::-1])))


def test_a_clock_in_the_future_is_only_late() -> None:
    desk = Desk().work(60, uploads(0.5))
    odd = [replace(o, started_at=datetime(9999, 12, 31, tzinfo=UTC)) for o in desk.observations[:3]]
    assert "no_longer_so" not in said(
        list(StaleMemory().mine(Corpus([*desk.observations[3:], *odd], [NOTE])))
    )


# ---------------------------------------------------------------------- what calls cannot tell


@pytest.mark.parametrize(
    "text",
    [
        f"# After “{REFUSAL}”: `check_in` first\n\nWhen `upload` fails with “{REFUSAL}”, do not send the same call again; use `check_in` first.",
        f"When `document` is old, expect `upload` to fail with “{REFUSAL}”.\n\nInstead: use `check_in`.",
    ],
)
def test_what_to_do_after_a_failure_is_followed_although_it_goes_on_failing(text: str) -> None:
    idea = "idea: 'mistake:error:409 Conflict: document is not checked in to the register'"
    note = memory("/notes/after.md", f"---\nkind: note\n{idea}\n---\n{text}\n")
    desk = Desk().work(120, uploads(0.2))
    assert not mine(desk, [note])


def test_a_step_without_which_sessions_fail_in_silence_is_not_doubted_because_the_next_call_works() -> None:
    note = memory("/notes/silent.md", "Call `check_in` before `upload`: otherwise the session mostly fails.")
    desk = Desk().work(120, uploads(0.1, needed=False))
    assert "never_so" not in said(mine(desk, [note]))
    claim = memory("/notes/loud.md", "Call `check_in` before `upload`: otherwise `upload` mostly fails.")
    assert "never_so" in said(mine(desk, [claim]))


def test_a_change_that_came_with_a_memory_is_not_one_of_the_world() -> None:
    """Advice seems to stop working the day a memory makes everybody do something else."""
    note = memory("/notes/use.md", "Use `upload` for documents.")
    desk = Desk().work(80, uploads(1.0))
    changed = memory("/notes/new.md", "Look twice.", at=desk.now - timedelta(minutes=1))
    desk.work(80, uploads(0.0))
    assert "stopped_working" in said(mine(desk, [note]))
    assert "stopped_working" not in said(mine(desk, [note, changed]))
