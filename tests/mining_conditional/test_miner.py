"""From observed sessions to findings: the flagship, its evidence, and silence where there is nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.mining_conditional.desks import START, a_call, desk, observed

from reverie.domain.findings import Finding, Silence
from reverie.domain.observations import Observation
from reverie.mining.conditional.miner import ConditionalPatterns
from reverie.plugins import Corpus, Miner


def findings(observations: Sequence[Observation]) -> list[Finding]:
    said = ConditionalPatterns().mine(Corpus(observations))
    return [one for one in said if isinstance(one, Finding)]


def silences(observations: Sequence[Observation]) -> dict[str, str]:
    said = ConditionalPatterns().mine(Corpus(observations))
    return {one.about: one.why for one in said if isinstance(one, Silence)}


@pytest.fixture(scope="module")
def flagship() -> Finding:
    (found,) = findings(desk(300, seed=1))
    return found


def test_it_is_a_miner() -> None:
    assert isinstance(ConditionalPatterns(), Miner)


def test_the_flagship_is_found_with_its_conditions(flagship: Finding) -> None:
    conditions = {(c.attribute, c.op): c for c in flagship.conditions}
    assert set(conditions) == {("file_ext", "=="), ("size_mb", ">="), ("hour", ">=")}
    assert conditions["file_ext", "=="].value == "docx"
    assert conditions["hour", ">="].value == 17
    size = conditions["size_mb", ">="]
    assert size.low is not None
    assert size.high is not None
    assert size.low <= 50 <= size.high
    assert isinstance(size.value, int)
    assert flagship.kind == "conditional_pattern"
    assert flagship.nature == "situation"


def test_the_claim_says_here_and_elsewhere(flagship: Finding) -> None:
    here, total = flagship.statement["here"]
    assert flagship.claim.startswith("`upload` fails with “refused by the gateway” when ")
    assert f": {here} of {total} calls; elsewhere " in flagship.claim
    warning = str(flagship.statement["warning"])
    assert warning.startswith("When `file_ext` is docx, it is 17:00 or later and `size_mb` is ")
    assert warning.endswith("expect `upload` to mostly fail with “refused by the gateway”.")
    assert f"{here} of" not in warning


def test_retries_are_one_piece_of_evidence(flagship: Finding) -> None:
    """Three refusals of the same call in a session are one row, one session, one citation."""
    assert flagship.counts.occurrences == flagship.counts.sessions == flagship.statement["here"][0]
    assert flagship.counts.users == 5


def test_evidence_points_at_refusals_and_counter_evidence_at_what_went_well(flagship: Finding) -> None:
    sessions = {o.session_id: o for o in desk(300, seed=1)}
    for citation in flagship.evidence:
        calls = [
            c for c in sessions[citation.session_id].calls if c.failure and c.failure.span == citation.span
        ]
        assert len(calls) == 1
    for citation in flagship.counter_evidence:
        (upload,) = [c for c in sessions[citation.session_id].calls if c.use == citation.span]
        assert upload.failure is None
        assert upload.arguments["file_ext"] == "docx"


def test_the_same_corpus_gives_the_same_findings_in_any_order(flagship: Finding) -> None:
    shuffled = desk(300, seed=1)
    random.Random(1).shuffle(shuffled)
    assert findings(shuffled) == [flagship]


def test_the_idea_stays_when_thresholds_move(flagship: Finding) -> None:
    (later,) = findings(desk(320, seed=4))
    assert later.key == flagship.key
    assert later.id != flagship.id


def test_nothing_planted_nothing_said() -> None:
    said = [finding.claim for seed in range(4) for finding in findings(desk(250, seed=20 + seed, rate=0.03))]
    assert said == []


def test_a_fraction_of_the_evidence_is_no_finding() -> None:
    """Six refusals of six are nothing to go by when any of 300,000 conjunctions could have had them."""
    observations = desk(60, seed=1)
    (answer,) = ConditionalPatterns().survey(Corpus(observations))
    assert answer.result.language[2] > 200_000
    assert findings(observations) == []


def test_sessions_that_fail_are_asked_about_too() -> None:
    dice = random.Random(5)
    observations = []
    for number in range(400):
        at = START + timedelta(hours=number * 2)
        model = dice.choice(["small", "large", "larger"])
        failed = dice.random() < (0.5 if model == "small" else 0.08)
        name = f"sess_{number:05d}"
        look = a_call(name, 1, "look", {"page": number % 7}, at)
        ended = "failure" if failed else "success"
        observations.append(
            observed(name, [look], at, user=f"u{number % 6}", outcome=ended, attributes={"model": model})
        )
    (found,) = findings(observations)
    assert found.claim.startswith("sessions fail when model is small: ")
    assert found.effect.raw is not None
    assert found.effect.raw.difference < -0.3


def test_ordinary_red_and_green_is_no_failure() -> None:
    """A test run that is red tells nothing about the tool that ran it."""
    dice = random.Random(6)
    observations = []
    for number in range(200):
        at = START + timedelta(hours=number)
        name = f"sess_{number:05d}"
        program = dice.choice(["pytest", "ls"])
        red = "1 failed" if program == "pytest" and dice.random() < 0.6 else None
        call = a_call(name, 1, "Bash", {"programs": program, "n": number}, at, red, kind="test")
        observations.append(observed(name, [call], at, user=f"u{number % 6}"))
    assert findings(observations) == []


def test_a_tool_argument_keeps_its_name_beside_the_sessions_own() -> None:
    observations = [
        replace(o, attributes={**o.attributes, "parts": number % 5})
        for number, o in enumerate(desk(300, seed=1))
    ]
    (answer, *_) = ConditionalPatterns().survey(Corpus(observations))
    names = {column.name for column in answer.question.table().columns}
    assert {"parts", "session.parts", "size_mb", "hour"} <= names


def test_an_empty_corpus() -> None:
    assert findings([]) == []
    assert findings(desk(3, seed=1)) == []
