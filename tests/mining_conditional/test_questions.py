"""What is asked of a corpus and what becomes of the answers: one cause told once, choices, reports, held-back sessions."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.mining_conditional.desks import START, a_call, desk, observed

from reverie.domain.events import Scalar
from reverie.domain.findings import Finding, Silence
from reverie.domain.observations import Call, Observation
from reverie.mining.conditional.judging import up_to_first_failure
from reverie.mining.conditional.miner import ConditionalPatterns
from reverie.mining.conditional.targets import question_about
from reverie.plugins import Corpus


def said(observations: Sequence[Observation]) -> tuple[list[Finding], dict[str, str]]:
    """Findings, and silences by what they are about."""
    every = list(ConditionalPatterns().mine(Corpus(observations)))
    silences = {one.about: one.why for one in every if isinstance(one, Silence)}
    return [one for one in every if isinstance(one, Finding)], silences


def sessions(
    count: int,
    calls: Callable[[random.Random, str, datetime], tuple[list[Call], str]],
    seed: int = 1,
    **facts: object,
) -> list[Observation]:
    """``calls`` gives the calls of a session, and how it ended."""
    dice = random.Random(seed)
    found = []
    for number in range(count):
        at = START + timedelta(hours=number * 5, minutes=dice.randrange(60))
        name = f"sess_{seed:02d}{number:05d}"
        made, outcome = calls(dice, name, at)
        found.append(observed(name, made, at, user=f"u{number % 6}", outcome=outcome))
    return found


def document(dice: random.Random) -> tuple[dict[str, Scalar], bool]:
    """A document to file, and whether the gateway would refuse it."""
    given: dict[str, Scalar] = {
        "file_ext": dice.choice(["docx", "docx", "pdf"]),
        "size_mb": dice.randrange(1, 120),
    }
    return given, given["file_ext"] == "docx" and int(str(given["size_mb"])) >= 50


def test_a_session_that_fails_in_silence_knows_what_its_calls_were_given() -> None:
    """No call fails; the outcome does."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        given, refused = document(dice)
        failed = dice.random() < (0.9 if refused else 0.04)
        return [
            a_call(name, 1, "look", {"page": dice.randrange(9)}, at),
            a_call(name, 3, "upload", given, at),
        ], ("failure" if failed else "success")

    (found,), _ = said(sessions(300, calls))
    assert {(c.attribute, c.op) for c in found.conditions} == {("file_ext", "=="), ("size_mb", ">=")}
    assert found.claim.startswith("sessions fail when ")
    assert str(found.statement["warning"]).endswith("expect the session to mostly fail.")


def test_one_cause_is_one_finding_whatever_it_brings_down() -> None:
    """Two tools refuse the same documents, what follows fails, and the session fails: one cause."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        given, refused = document(dice)
        rate = 0.95 if refused else 0.02
        scanned, uploaded = dice.random() >= rate, dice.random() >= rate
        made = [
            a_call(name, 1, "scan", given, at, None if scanned else "cannot be scanned"),
            a_call(name, 3, "upload", given, at, None if uploaded else "refused by the gateway"),
            a_call(name, 5, "notify", {"to": "all"}, at, None if uploaded else "there is no such upload"),
        ]
        return made, "success" if uploaded else "failure"

    (found,), silences = said(sessions(300, calls))
    assert {(c.attribute, c.op) for c in found.conditions} == {("file_ext", "=="), ("size_mb", ">=")}
    (also,) = found.statement["also"]  # type: ignore[misc]
    assert {found.claim.split(" when ")[0], also} == {
        "`scan` fails with “cannot be scanned”",
        "`upload` fails with “refused by the gateway”",
    }
    assert any(why.startswith("it is the step `upload`") for why in silences.values())


def test_an_argument_that_agents_vary_in_the_same_call_becomes_an_instruction() -> None:
    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        path, made = f"/d/{dice.randrange(10_000)}", []
        for step, mode in enumerate(dice.sample(["fast", "safe", "slow"], 2)):
            fails = dice.random() < (0.8 if mode == "fast" else 0.03)
            given: dict[str, Scalar] = {"path": path, "mode": mode}
            made.append(a_call(name, 1 + 2 * step, "send", given, at, "checksum broken" if fails else None))
        return made, "unknown"

    (found,), _ = said(sessions(150, calls))
    assert found.nature == "behaviour"
    advice = str(found.statement["advice"])
    assert advice.startswith("Call `send` with another `mode` than fast, say s")
    assert advice.endswith("when `mode` is fast it mostly fails with “checksum broken”.")
    assert "warning" not in found.statement


def test_what_restates_the_outcome_is_a_tautology() -> None:
    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        failed = dice.random() < 0.2
        given: dict[str, Scalar] = {
            "label": "bad" if failed else "good",
            "status": "ended badly" if failed else "ok",
        }
        return [a_call(name, 1, "close", given, at)], "failure" if failed else "success"

    (found,), silences = said(sessions(150, calls))
    assert found.nature == "tautology"
    assert [c.attribute for c in found.conditions] == ["label"]
    assert "warning" not in found.statement and "advice" not in found.statement
    assert silences["sessions: status"] == "by its name it reports how it went"
    assert silences["sessions: label"] == "restates the outcome"


def test_what_is_given_only_in_trouble_is_no_circumstance() -> None:
    """Sessions that go badly call for help, with a topic: the topic explains nothing."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        failed = dice.random() < 0.3
        made = [a_call(name, 1, "look", {"page": dice.randrange(9)}, at)]
        if failed and dice.random() < 0.8:
            made.append(a_call(name, 3, "ask_for_help", {"topic": dice.choice(["money", "time"])}, at))
        return made, "failure" if failed else "success"

    found, silences = said(sessions(200, calls))
    assert found == []
    assert silences["sessions: topic"].startswith("whether it is given at all goes with the outcome")


def test_a_threshold_is_more_than_the_presence_of_a_number() -> None:
    """Calls with a limit fail, whatever the limit."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        given: dict[str, Scalar] = {"text": f"t{dice.randrange(10_000)}"}
        limited = dice.random() < 0.3
        if limited:
            given["limit"] = dice.randrange(1, 1000)
        fails = dice.random() < (0.7 if limited else 0.03)
        return [a_call(name, 1, "query", given, at, "refused" if fails else None)], "unknown"

    found, silences = said(sessions(300, calls))
    assert found == []
    (why,) = [why for why in silences.values() if "only whether" in why]
    assert "only whether limit is given tells, not its value" in why


def test_the_length_of_a_text_is_known_of_short_ones_too() -> None:
    """Long texts come with their length, short ones as they are."""
    dice = random.Random(3)
    observations = []
    for number in range(400):
        at, size = START + timedelta(hours=number), dice.randrange(5, 400)
        given: dict[str, Scalar] = {"sql": "x" * size} if size <= 160 else {"sql_chars": size}
        fails = dice.random() < (0.8 if size >= 120 else 0.03)
        call = a_call(f"s{number:04d}", 1, "query", given, at, "too slow" if fails else None)
        observations.append(observed(f"s{number:04d}", [call], at, user=f"u{number % 6}"))
    (found,), _ = said(observations)
    (condition,) = found.conditions
    assert (condition.attribute, condition.op) == ("sql_chars", ">=")
    assert condition.low is not None and condition.high is not None
    assert condition.low <= 120 <= condition.high


def test_numbers_written_as_text_are_numbers() -> None:
    told = [
        replace(
            o, calls=tuple(replace(c, arguments={k: str(v) for k, v in c.arguments.items()}) for c in o.calls)
        )
        for o in desk(300, seed=1)
    ]
    (found,), _ = said(told)
    assert {(c.attribute, c.op) for c in found.conditions} == {
        ("file_ext", "=="),
        ("size_mb", ">="),
        ("hour", ">="),
    }


def test_hours_are_those_of_the_zone_also_where_it_is_off_by_half_an_hour() -> None:
    at = datetime(2026, 3, 2, 11, 20, tzinfo=UTC)  # 16:50 in Kolkata
    call = a_call("s", 1, "upload", {"a": 1}, at + timedelta(minutes=20), "no")
    late = a_call("s", 3, "upload", {"a": 2}, at + timedelta(hours=8), "no")
    o = replace(
        observed("s", [call, late], at, attributes={"hour": 16, "weekday": "Monday"}), timezone="Asia/Kolkata"
    )
    question = question_about([o], "call", "upload", None)
    assert question is not None
    columns = {c.name: c for c in question.table().columns}
    assert columns["hour"].values.tolist() == [17.0, 0.0]
    assert [columns["weekday"].labels[int(v)] for v in columns["weekday"].values] == ["Monday", "Tuesday"]


def test_a_step_that_was_missing_is_no_circumstance() -> None:
    """The gateway refuses what was not checked in: that is for another miner to tell."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        checked = dice.random() < 0.5
        made = [a_call(name, 1, "check_in", {"n": 1}, at)] if checked else []
        made.append(a_call(name, 3, "upload", {"file_ext": "pdf"}, at, None if checked else "not checked in"))
        return made, "unknown"

    found, silences = said(sessions(200, calls))
    assert found == []
    assert any(why.startswith("it is the step `check_in`") for why in silences.values())


def test_calls_before_anything_has_worked() -> None:
    """Guessing first and looking later: no single step is missing."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        made, looked = [], 0
        for step in range(6):
            fails = dice.random() < (0.85 if not looked else 0.1)
            given: dict[str, Scalar] = {"sql": f"q{dice.randrange(100_000)}"}
            made.append(a_call(name, 1 + 2 * step, "query", given, at, "no such table" if fails else None))
            looked += not fails
        return made, "unknown"

    (found,), _ = said(sessions(150, calls))
    assert [(c.attribute, c.op, c.value) for c in found.conditions] == [("calls_worked_before", "<", 1)]
    assert str(found.statement["warning"]).startswith(
        "When no call has worked before it in the session, expect "
    )


def test_the_error_behind_another_error_counts() -> None:
    """The first try is refused for lack of a stamp; the second, of the same document, by the gateway."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        given, refused = document(dice)
        made = [a_call(name, 1, "upload", given, at, "no stamp")] if dice.random() < 0.9 else []
        error = "refused by the gateway" if dice.random() < (0.95 if refused else 0.02) else None
        return [*made, a_call(name, 3, "upload", given, at, error)], "unknown"

    found, _ = said(sessions(300, calls))
    gateway = [f for f in found if "gateway" in f.claim]
    assert [{c.attribute for c in f.conditions} for f in gateway] == [{"file_ext", "size_mb"}]


def test_doing_the_same_again_is_no_new_chance_to_fail() -> None:
    """A flaky tool: what is repeated often fails once in a while, which says nothing about it."""

    def calls(dice: random.Random, name: str, at: datetime) -> tuple[list[Call], str]:
        page = dice.randrange(2)
        times = 8 if page else 1
        return [
            a_call(name, 1 + 2 * i, "look", {"page": page}, at, "busy" if dice.random() < 0.12 else None)
            for i in range(times)
        ], "unknown"

    assert said(sessions(300, calls))[0] == []


def test_a_session_that_fails_again_and_again_is_one_witness() -> None:
    """One session in ten goes badly from beginning to end, whatever model it has, whatever worked before."""
    for seed in range(3):
        dice, observations = random.Random(seed), []
        for number in range(120):
            at, name, doomed = START + timedelta(hours=number), f"s{seed}{number:05d}", dice.random() < 0.1
            calls = [
                a_call(
                    name,
                    1 + 2 * i,
                    "work",
                    {"n": i},
                    at,
                    "broken" if doomed and dice.random() < 0.9 else None,
                )
                for i in range(12)
            ]
            facts = {"model": dice.choice("abcdefgh")}
            observations.append(observed(name, calls, at, user=f"u{number % 6}", attributes=facts))
        assert {finding.nature for finding in said(observations)[0]} <= {"explained"}


def test_sessions_held_back_bear_it_out() -> None:
    (found,), _ = said(desk(2_400, seed=6, retries=0))
    held = found.statement["held_back"]
    assert isinstance(held, dict)
    (k, n), (a, m) = held["here"], held["elsewhere"]  # type: ignore[misc]
    assert n >= 30 and k / n > 0.8 and a / m < 0.1  # type: ignore[operator]
    assert k + a < found.counts.sessions / 2  # type: ignore[operator]


def test_cases_are_tested_up_to_the_first_failure_of_their_session() -> None:
    fails = {"a": [False, True, False, True], "b": [True, False], "c": [False, False, False]}
    observations = [
        observed(
            name,
            [
                a_call(name, 1 + 2 * i, "work", {"n": i}, START, "broken" if f else None)
                for i, f in enumerate(these)
            ],
            START + timedelta(days=day),
        )
        for day, (name, these) in enumerate(fails.items())
    ]
    question = question_about(observations, "call", "work", None)
    assert question is not None
    tested = up_to_first_failure(question).tolist()
    assert tested == [True, True, False, False, True, False, True, True, True]
