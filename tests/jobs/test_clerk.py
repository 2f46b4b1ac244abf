"""The clerk: errands are done in order, once for each name, and one that fails spoils no other."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from reverie.jobs.clerk import Clerk


@pytest.fixture
def clerk() -> Iterator[Clerk]:
    clerk = Clerk()
    yield clerk
    clerk.close()


def test_errands_of_one_name_that_wait_are_one(clerk: Clerk) -> None:
    entered, go, done, told = threading.Event(), threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        entered.set()
        assert go.wait(10)

    clerk.ask("hold", hold)
    assert entered.wait(10)
    for name in ("a", "b", "a", "a"):
        clerk.ask(name, lambda name=name: told.append(name))
    clerk.ask("end", done.set)
    go.set()
    assert done.wait(10)
    assert told == ["a", "b"]


def test_an_errand_can_be_asked_again_while_it_is_done(clerk: Clerk) -> None:
    twice = threading.Semaphore(0)

    def errand() -> None:
        twice.release()
        clerk.ask("a", twice.release)

    clerk.ask("a", errand)
    assert twice.acquire(timeout=10)
    assert twice.acquire(timeout=10)


def test_what_fails_is_forgotten_and_what_repeats_goes_on(clerk: Clerk) -> None:
    times = threading.Semaphore(0)

    def fails() -> None:
        times.release()
        raise ValueError("planted")

    clerk.every(0.0, fails)
    for _ in range(3):
        assert times.acquire(timeout=10)


def test_later_is_later(clerk: Clerk) -> None:
    told, done = list[str](), threading.Event()
    clerk.later(0.05, lambda: told.append("second"))
    clerk.later(0.0, lambda: told.append("first"))
    clerk.later(0.1, done.set)
    assert done.wait(10)
    assert told == ["first", "second"]


def test_a_closed_clerk_does_nothing(clerk: Clerk) -> None:
    told = list[str]()
    clerk.close()
    clerk.ask("a", lambda: told.append("a"))
    clerk.close()
    assert told == []
