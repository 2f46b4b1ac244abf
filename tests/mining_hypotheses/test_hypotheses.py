"""What is supposed is tested: planted causes hold with their exact numbers, chance does not, however often it is asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from scipy.stats import fisher_exact
from tests.mining_conditional.desks import START, a_call, desk, observed

from reverie.domain.events import Scalar
from reverie.domain.findings import Condition, Finding
from reverie.domain.observations import Observation
from reverie.mining.hypotheses import ALPHA, ExactTest
from reverie.plugins import HYPOTHESES, Corpus, Hypotheses, Hypothesis, load

TRIES = 20
BIG = Condition("size_mb", ">=", 50)
DOCX = Condition("file_ext", "==", "docx")
LATE = Condition("hour", ">=", 17)


def asked(observations: Sequence[Observation], *conditions: Condition, tool: str = "upload") -> Finding | str:
    return ExactTest().test(Corpus(observations), Hypothesis(tool, conditions), tries=TRIES)


def held(observations: Sequence[Observation], *conditions: Condition) -> Finding:
    found = asked(observations, *conditions)
    assert isinstance(found, Finding), found
    return found


def test_it_is_found_by_its_plug() -> None:
    (kind,) = load(HYPOTHESES).values()
    assert isinstance(kind(), Hypotheses)


def test_a_planted_cause_holds_with_the_numbers_that_counting_gives() -> None:
    seen = desk(600, 1)
    finding = held(seen, DOCX, BIG, LATE)
    first = [next(c for c in o.calls if c.tool == "upload") for o in seen]
    here = [
        c.arguments["file_ext"] == "docx"
        and int(str(c.arguments["size_mb"])) >= 50
        and o.attributes["hour"] >= 17  # type: ignore[operator]
        for o, c in zip(seen, first, strict=True)
    ]
    failed = [c.failure is not None for c in first]
    count = sum(h and f for h, f in zip(here, failed, strict=True))
    assert finding.statement["here"] == [count, sum(here)]
    assert finding.statement["elsewhere"] == [sum(failed) - count, 600 - sum(here)]
    assert finding.counts.sessions == count and finding.counts.users == 5
    assert finding.effect.raw is not None and finding.effect.raw.low <= finding.effect.raw.difference
    assert finding.p_value is not None and finding.p_adjusted == pytest.approx(finding.p_value * TRIES)
    assert finding.evidence and finding.nature == "situation"
    assert [(c.attribute, c.op, c.value) for c in finding.conditions] == [
        ("file_ext", "==", "docx"), ("hour", ">=", 17), ("size_mb", ">=", 50),
    ]  # fmt: skip
    assert finding == held(seen, LATE, BIG, DOCX)  # in whatever order


def test_without_strata_users_or_times_the_test_is_fishers() -> None:
    dice = random.Random(4)
    seen = []
    for n in range(80):
        slow = dice.random() < 0.4
        fails = dice.random() < (0.7 if slow else 0.2)
        call = a_call(
            f"s{n:03d}",
            1,
            "send",
            {"mode": "slow" if slow else "fast", "n": n},
            START,
            "busy" if fails else None,
        )
        one = observed(f"s{n:03d}", [replace(call, at=None)], START)
        seen.append(replace(one, user=None, started_at=None))
    finding = asked(seen, Condition("mode", "==", "slow"), tool="send")
    assert isinstance(finding, Finding), finding
    (k, n), (b, m) = finding.statement["here"], finding.statement["elsewhere"]
    exact = fisher_exact([[k, n - k], [b, m - b]], alternative="greater")[1]
    assert finding.p_value is not None and finding.p_value >= exact * (1 - 1e-9)
    assert (
        finding.p_value <= 40 * exact
    )  # the bound over offsets costs something, where there is nothing to guard


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        ((), "one to 3 conditions"),
        ((Condition("colour", "==", "red"),), "no such attribute"),
        ((Condition("file_ext", ">=", 3),), "is one of: docx"),
        ((Condition("file_ext", "==", "odt"),), "is one of: docx"),
        ((Condition("size_mb", "==", 50),), "is a number"),
        ((BIG, Condition("size_mb", ">=", 60)), "two bounds"),
        ((Condition("size_mb", ">=", 500),), "no case fulfils"),
        ((Condition("parts", ">=", 2),), "may be chance"),
    ],
)
def test_what_cannot_be_asked_or_does_not_hold_is_told_with_the_reason(
    conditions: tuple[Condition, ...], why: str
) -> None:
    said = asked(desk(300, 2), *conditions)
    assert isinstance(said, str) and why in said


def test_a_tool_nobody_calls_and_outcomes_nobody_knows() -> None:
    assert "no call of 'fly'" in str(asked(desk(50, 3), BIG, tool="fly"))
    assert asked(desk(50, 3), BIG, tool="") == "no outcome is known"
    assert asked([], BIG) == "no call of 'upload' has a result"


def test_what_follows_from_the_outcome_cannot_be_supposed() -> None:
    seen = [
        replace(o, calls=tuple(replace(c, after={"waited": 9 if c.failure else 1}) for c in o.calls))
        for o in desk(200, 5)
    ]
    assert "known only afterwards" in str(asked(seen, Condition("waited", ">=", 5)))
    assert "waited" not in ExactTest().attributes(Corpus(seen), "upload")


def test_attributes_are_told_with_their_ranges() -> None:
    known = ExactTest().attributes(Corpus(desk(200, 6)), "upload")
    assert known["size_mb"].startswith("2 to 1")
    assert set(known["file_ext"].split(", ")) == {"docx", "pdf", "xlsx"}
    assert ExactTest().attributes(Corpus(desk(20, 6)), "fly") == {}


def test_what_vanishes_within_tasks_is_no_finding() -> None:
    """Big files belong to a task that fails anyway."""
    dice = random.Random(9)
    seen = []
    for n in range(400):
        hard = n % 2 == 0
        size = dice.randrange(50, 120) if dice.random() < (0.9 if hard else 0.1) else dice.randrange(1, 50)
        at = START + timedelta(hours=n)
        fails = dice.random() < (0.6 if hard else 0.05)
        call = a_call(f"s{n:03d}", 1, "upload", {"size_mb": size, "n": n}, at, "no" if fails else None)
        seen.append(observed(f"s{n:03d}", [call], at, user=f"u{n % 7}", task="hard" if hard else "easy"))
    assert isinstance(asked(seen, BIG), str)


def nulls(seed: int, *, clustered: bool) -> list[Observation]:
    """Nothing to find: outcomes shuffled; ``clustered``: but some users fail more often, and have their own files."""
    dice = random.Random(seed)
    rates = {u: dice.choice([0.02, 0.1, 0.5]) if clustered else 0.15 for u in range(12)}
    own = {u: dice.choice("abc") for u in rates}
    seen = []
    for n in range(240):
        user, at = dice.randrange(12), START + timedelta(hours=3 * n)
        given: dict[str, Scalar] = {
            "kind": own[user] if clustered else dice.choice("abc"),
            "size": dice.randrange(100),
            "parts": dice.randrange(4),
            "n": n,
        }
        fails = dice.random() < rates[user]
        call = a_call(f"s{n:03d}", 1, "upload", given, at, "no" if fails else None)
        seen.append(observed(f"s{n:03d}", [call], at, user=f"u{user}"))
    return seen


def guesses(seed: int) -> list[tuple[Condition, ...]]:
    dice = random.Random(seed)
    pool = [
        *(Condition("kind", "==", each) for each in "abc"),
        *(Condition("size", op, at) for op in (">=", "<") for at in (20, 35, 50, 65, 80)),  # type: ignore[arg-type]
        *(Condition("parts", ">=", at) for at in (1, 2, 3)),
        *(Condition("hour", ">=", at) for at in (9, 12, 15, 18)),
    ]
    found = []
    while len(found) < TRIES:
        drawn = dice.sample(pool, dice.choice([1, 1, 2]))
        if len({c.attribute for c in drawn}) == len(drawn):
            found.append(tuple(drawn))
    return found


@pytest.mark.parametrize("clustered", [False, True])
def test_of_dreams_with_nothing_to_find_at_most_one_in_twenty_finds_anything(clustered: bool) -> None:
    dreams = 60
    false = 0
    for seed in range(dreams):
        test, corpus = ExactTest(), Corpus(nulls(seed, clustered=clustered))
        said = [test.test(corpus, Hypothesis("upload", c), tries=TRIES) for c in guesses(seed)]
        false += any(isinstance(each, Finding) for each in said)
    assert false <= ALPHA * dreams


def test_without_paying_for_all_that_is_tried_they_would() -> None:
    false = 0
    for seed in range(40):
        test, corpus = ExactTest(), Corpus(nulls(seed, clustered=False))
        said = [_p(test, corpus, c) for c in guesses(seed)]
        false += min(said) <= ALPHA
    assert false > ALPHA * 40


def _p(test: ExactTest, corpus: Corpus, conditions: tuple[Condition, ...]) -> float:
    """The p-value alone: that of the test when only one may be tried, by asking for more and more."""
    from reverie.mining import hypotheses

    question = test._of(corpus, "upload", None)
    assert question is not None
    clauses = hypotheses._clauses(question, conditions)
    assert not isinstance(clauses, str)
    return hypotheses._exact(
        question, hypotheses.rows_of(question.table(), clauses), hypotheses.up_to_first_failure(question)
    )
