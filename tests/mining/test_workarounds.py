from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from benchmarks.workarounds import null_world, planted_world
from tests.mining.worlds import START, Book, desk, mined, quotes

from reverie.mining.workarounds import Workarounds
from reverie.plugins import Corpus

REFUSAL = "Error: gateway rejects the parcel"
USERS = ("ana", "bo", "cy", "dee")


def parcels(n: int, *, instead: float, retry: float, seed: int = 1) -> list[Book]:
    """Half of the sessions send in parts after a refusal, half the same again; each works with its chance."""
    dice = random.Random(seed)
    books = []
    for i in range(n):
        book = Book(user=USERS[i % 4], start=START + timedelta(hours=i), format="api")
        book.call("send", REFUSAL, is_error=True, parcel=i, mode="plain")
        parts = dice.random() < 0.5
        worked = dice.random() < (instead if parts else retry)
        answer = "sent" if worked else REFUSAL
        if parts:
            book.call("send_in_parts", answer, is_error=not worked, parcel=i, mode="plain", parts=3)
        else:
            book.call("send", answer, is_error=not worked, parcel=i, mode="plain")
        books.append(book)
    return books


def test_what_works_after_an_error_is_told_against_plain_retry() -> None:
    books = parcels(40, instead=1.0, retry=0.0)
    (finding,) = mined(Workarounds(), books)
    assert "`send_in_parts` instead of `send` worked in" in finding.claim
    assert finding.statement["against"] == "retry"
    assert finding.p_adjusted is not None and finding.p_adjusted < 0.001
    assert "send_in_parts" in finding.statement["advice"]
    assert {*quotes(books, finding.evidence)} == {"send_in_parts"}
    assert {*quotes(books, finding.counter_evidence)} == {"send"}
    assert finding.statement["topic"].startswith("mistake:")
    worked, tried = finding.statement["worked"]
    assert worked == tried == finding.counts.sessions


def test_what_works_no_better_than_retry_is_no_workaround() -> None:
    assert mined(Workarounds(), parcels(60, instead=0.7, retry=0.7)) == []
    assert mined(Workarounds(), parcels(60, instead=1.0, retry=1.0)) == []


def test_luck_alone_rarely_makes_a_claim() -> None:
    """Responses shuffled: whatever was tried works equally often."""
    claims = sum(bool(mined(Workarounds(), parcels(50, instead=0.5, retry=0.5, seed=s))) for s in range(40))
    assert claims <= 2


def test_one_lucky_person_is_no_evidence() -> None:
    """Ana always sends in parts and never fails; the others always retry and always fail."""
    books = []
    for i in range(40):
        user = "ana" if i % 2 else USERS[1 + i % 3]
        book = Book(user=user, start=START + timedelta(hours=i), format="api")
        book.call("send", REFUSAL, is_error=True, parcel=i, mode="plain")
        if user == "ana":
            book.call("send_in_parts", "sent", parcel=i, mode="plain", parts=3)
        else:
            book.call("send", REFUSAL, is_error=True, parcel=i, mode="plain")
        books.append(book)
    assert mined(Workarounds(), books) == []


def test_a_loop_of_retries_is_one_vote() -> None:
    books = []
    for i in range(4):
        book = Book(user=USERS[i], start=START + timedelta(hours=i), format="api")
        for _ in range(30 if i == 0 else 1):
            book.call("send", REFUSAL, is_error=True, parcel=i, mode="plain")
        book.call("send_in_parts", "sent", parcel=i, mode="plain", parts=3)
        books.append(book)
    assert mined(Workarounds(), books) == []  # four sessions prove nothing, however long one of them is


def test_another_tool_is_a_substitute_only_for_much_the_same_arguments() -> None:
    books = []
    for i in range(40):
        book = Book(user=USERS[i // 2 % 4], start=START + timedelta(hours=i), format="api")
        book.call("send", REFUSAL, is_error=True, parcel=i, mode="plain")
        if i % 2:
            book.call("look_at_weather", "sunny", town=i)
        else:
            book.call("send", REFUSAL, is_error=True, parcel=i, mode="plain")
        books.append(book)
    assert mined(Workarounds(), books) == []


def test_a_changed_argument_and_a_step_before_are_told_in_words() -> None:
    changed, first = [], []
    for i in range(40):
        book = Book(user=USERS[i // 2 % 4], start=START + timedelta(hours=i), format="api")
        book.call("pay", "Error: means of payment refused", is_error=True, order=i, means=f"certificate_{i}")
        if i % 2:
            book.call("pay", "paid", order=i, means=f"card_{i}")
        else:
            book.call(
                "pay", "Error: means of payment refused", is_error=True, order=i, means=f"certificate_{i}"
            )
        changed.append(book)
        book = Book(user=USERS[i // 2 % 4], start=START + timedelta(hours=i), format="api")
        book.call("load", "Error: the dock is shut", is_error=True, crate=i)
        if i % 2:
            book.call("open_dock", "open", dock=1)
            book.call("load", "loaded", crate=i)
        else:
            book.call("load", "Error: the dock is shut", is_error=True, crate=i)
        first.append(book)
    (finding,) = mined(Workarounds(), changed)
    assert "`pay` with `means` card_# instead of certificate_#" in finding.claim
    (finding,) = mined(Workarounds(), first)
    assert "`open_dock` first, then `load` again" in finding.claim


def test_the_flag_that_changed_is_named() -> None:
    books = []
    for i in range(40):
        book = Book(user=USERS[i // 2 % 4], start=START + timedelta(hours=i))
        book.bash(f"deploy app{i}", "Exit code 1\nError: the lock is held\n", is_error=True)
        if i % 2:
            book.bash(f"deploy app{i} --steal-lock", "ok")
        else:
            book.bash(f"deploy app{i}", "Exit code 1\nError: the lock is held\n", is_error=True)
        books.append(book)
    (finding,) = mined(Workarounds(), books)
    assert "with `--steal-lock`" in finding.claim


def test_work_after_a_failed_test_is_no_workaround() -> None:
    books = []
    for i in range(40):
        book = Book(user=USERS[i // 2 % 4], start=START + timedelta(hours=i))
        book.bash("go test ./...", "Exit code 1\n--- FAIL: TestX (0.1s)\nFAIL\n", is_error=True)
        if i % 2:
            book.call("Edit", "updated", file_path="/x/a.go")
            book.bash("go test ./...", "ok")
        else:
            book.bash("go test ./...", "Exit code 1\n--- FAIL: TestX (0.1s)\nFAIL\n", is_error=True)
        books.append(book)
    assert mined(Workarounds(), books) == []


def test_the_desks_evening_gateway() -> None:
    books = desk(160)
    (finding,) = mined(Workarounds(), books)
    assert "413 Payload refused" in finding.claim
    assert "`upload_in_parts` instead of `upload`" in finding.claim


@pytest.mark.parametrize(
    ("kind", "without"),
    [
        ("other answers in easy tasks", {"task": None}),
        ("lucky users with answers of their own", {"user": None}),
    ],
)
def test_who_did_it_and_how_hard_it_was_are_held_still(kind: str, without: dict[str, None]) -> None:
    """The same sessions, once it is not known any more, are taken in."""
    world = null_world(kind, 3_000, 2)
    assert list(Workarounds().mine(Corpus(world.observations))) == []
    blind = [replace(o, **without) for o in world.observations]
    assert list(Workarounds().mine(Corpus(blind))) != []


def test_a_world_that_heals_makes_no_workaround_of_a_fashion() -> None:
    """The same sessions, once their times are dealt out again, are taken in."""
    world = null_world("everything heals, fashions change", 3_000, 2)
    assert list(Workarounds().mine(Corpus(world.observations))) == []
    dice, times = random.Random(1), [o.started_at for o in world.observations]
    dealt = [
        replace(o, started_at=at, calls=tuple(replace(c, at=at) for c in o.calls))
        for o, at in zip(world.observations, dice.sample(times, len(times)), strict=True)
    ]
    assert list(Workarounds().mine(Corpus(dealt))) != []


def test_planted_workarounds_are_found_and_nothing_else() -> None:
    world = planted_world(3_000, 5)
    said = {f.statement["response"] for f in Workarounds().mine(Corpus(world.observations))}
    assert said <= {label for _, label in world.planted}
    assert len(said) >= 4
