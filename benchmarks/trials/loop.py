"""Trials through the front door: sessions logged in a database, memory read in them, looks, verdicts, withdrawals.

Everything is the product's: `recall` tosses the coins, the session log is written, the observer reads, `look` judges. Made up
are only the outcomes: eight kinds of task that succeed 15 to 85 % of the time, and what each memory adds.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from math import inf, sqrt
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.table import Row, print_table
from benchmarks.trials.tables import matrix, percent

from reverie.app import Reverie
from reverie.domain.events import NewEvent
from reverie.domain.sessions import Outcome, OutcomeLabel, SessionInfo, Transcript
from reverie.domain.trials import Exposed
from reverie.dreaming.trials.service import Terms
from reverie.storage.database import Database

__all__ = ["Size", "show_loop"]

SHARE: Final = 0.8
EVERY: Final = 10  # sessions between two looks
KINDS: Final = 8
Z: Final = 1.96
ASKED: Final = {"content": [{"type": "text", "text": "File the form."}]}
LEAST: Final = 20
"""Sessions that a naive rule waits for."""

Chance = Callable[[int, frozenset[str]], float]
"""How likely session number i ends well that sees these memories."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many worlds, and of how many sessions."""

    nulls: int
    null_sessions: int
    harms: int
    most: int
    several: int
    several_sessions: int
    traps: int


FULL: Final = Size(6, 200, 4, 900, 3, 500, 6)
QUICK: Final = Size(2, 100, 2, 300, 1, 300, 2)


@dataclass(slots=True)
class World:
    """A house whose clock goes on by a minute a session."""

    house: Reverie
    now: list[datetime]
    rng: random.Random
    trials: dict[str, str] = field(default_factory=dict[str, str])
    lived: int = 0

    def put_on_trial(self, path: str, share: float = SHARE) -> str:
        """A memory, new or as it is, on trial; the trial's id."""
        self.now[0] += timedelta(minutes=1)
        self.house.memory.write("default", path, f"What {path} says.\n", actor="person")
        terms = Terms(share=share, budget=100_000)
        self.trials[path] = self.house.trials.begin(path, by="person", terms=terms).id
        self.now[0] += timedelta(minutes=1)
        return self.trials[path]

    def live(self, sessions: int, chance: Chance, tasks: Callable[[int], int]) -> Iterator[int]:
        """Sessions one after the other; gives how many there were after each look."""
        for _ in range(sessions):
            self.now[0] += timedelta(minutes=1)
            task, name = tasks(self.lived), f"s{self.lived}"
            info = SessionInfo("test", name, agent="clerk", task=f"kind {task}", started_at=self.now[0])
            id = self.house.log.session_id(info)
            seen = frozenset(memory.path for memory in self.house.recall(session=id))
            good: OutcomeLabel = "success" if self.rng.random() < chance(task, seen) else "failure"
            said = replace(info, ended_at=self.now[0], outcome=Outcome(good, None, "test"))
            self.house.log.record(Transcript(said, [NewEvent("user.message", ASKED, key="1")]))
            self.lived += 1
            if self.lived % EVERY == 0:
                self.house.trials.look()
                yield self.lived

    def word(self, path: str) -> str:
        return self.house.trials.get(self.trials[path]).word

    def exposed(self, path: str) -> tuple[Exposed, ...]:
        return self.house.trials.history(self.trials[path]).sessions


@cache
def empty() -> bytes:
    """A database that was just made."""
    with tempfile.TemporaryDirectory() as folder:
        Database.open(path := Path(folder) / "reverie.db").close()
        return path.read_bytes()


@contextmanager
def world(seed: int) -> Iterator[World]:
    rng, now = random.Random(seed), [datetime(2026, 3, 1, 9, tzinfo=UTC)]

    def clock() -> datetime:
        return now[0]

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reverie.db"
        path.write_bytes(empty())
        database = Database.open(path, clock=clock)
        with Reverie(database, clock=clock, entropy=rng.randbytes, waker=lambda *_: None) as house:
            yield World(house, now, rng)


def adds(effects: Mapping[str, float]) -> Chance:
    """A kind's own rate and what each memory that is seen adds, within 2 and 98 %."""
    return lambda kind, seen: min(0.98, max(0.02, 0.15 + 0.1 * kind + sum(effects.get(p, 0.0) for p in seen)))


def mixed(rng: random.Random) -> Callable[[int], int]:
    return lambda number: rng.randrange(KINDS)


def naive(exposed: Sequence[Exposed], *, every: bool = True) -> str:
    """The test of two proportions at 5 % over all sessions, at each look or once at the end."""
    stops = range(EVERY, len(exposed) + 1, EVERY) if every else (len(exposed),)
    for stop in stops:
        some = exposed[:stop]
        with_it, without = ([bool(e.good) for e in some if e.seen == side] for side in (True, False))
        if stop < LEAST or not with_it or not without:
            continue
        p, q, both = (sum(each) / len(each) for each in (with_it, without, [*with_it, *without]))
        spread = sqrt(max(both * (1 - both) * (1 / len(with_it) + 1 / len(without)), 1e-9))
        if abs(p - q) > Z * spread:
            return "helped" if p > q else "harmful"
    return "not enough data"


def said(words: Sequence[str]) -> float:
    return sum(word in ("helped", "harmful") for word in words) / len(words)


def show_nulls(size: Size) -> Iterator[Row]:
    """Eight memories that change nothing, on trial together."""
    ours: list[str] = []
    peers: dict[bool, list[str]] = {True: [], False: []}
    paths = [f"/null-{number}.md" for number in range(8)]
    for seed in range(size.nulls):
        with world(seed) as here:
            for path in paths:
                here.put_on_trial(path)
            for _ in here.live(size.null_sessions, adds({}), mixed(here.rng)):
                pass
            ours += [here.word(path) for path in paths]
            for every, words in peers.items():
                words += [naive(here.exposed(path), every=every) for path in paths]
    count, told = len(ours), f"of {len(ours)} memories that do nothing, over {size.null_sessions} sessions"
    noise = 3 * sqrt(0.05 * 0.95 / count)
    limit = "≤ 5 %" if noise < 0.05 else f"≤ 5 %, with so few ≤ {100 * (0.05 + noise):.0f} %"
    yield Row(
        f"declared helped or harmful, {told}",
        percent(said(ours), count) + " %",
        limit,
        said(ours) <= 0.05 + noise,
    )
    for every, name in ((True, "at every look"), (False, "once at the end")):
        yield Row(f"the same by a test of proportions {name}", percent(said(peers[every]), count) + " %")


def withdrawn_after(effect: float, seed: int, most: int) -> float:
    with world(1000 + seed) as here:
        here.put_on_trial("/harm.md")
        for lived in here.live(most, adds({"/harm.md": effect}), mixed(here.rng)):
            if here.house.trials.get(here.trials["/harm.md"]).status == "withdrawn":
                assert not here.house.recall() and here.house.proposals()
                return lived
    return inf


def show_harm(size: Size) -> Iterator[Row]:
    """How many sessions begin before a memory that does harm is out of all of them."""
    for effect, most, limit in ((-0.3, min(size.most, 400), 300), (-0.1, size.most, None)):
        waits = [withdrawn_after(effect, seed, most) for seed in range(size.harms)]
        found = [each for each in waits if each < inf]
        share = f"{len(found)} of {len(waits)} withdrawn within {most} sessions"
        told = f"half of them after {median(waits):.0f}" if median(waits) < inf else "less than half"
        holds = None if limit is None else median(waits) <= limit
        yield Row(
            f"harms by {-100 * effect:.0f} points, 80 % see it",
            f"{share}; {told}",
            "" if limit is None else f"half of them within {limit}",
            holds,
        )


def show_several(size: Size) -> Iterator[Row]:
    """One that helps, one that harms and three that do nothing, on trial together: who is told what?"""
    effects = {"/helps.md": 0.3, "/harms.md": -0.3, "/a.md": 0.0, "/b.md": 0.0, "/c.md": 0.0}
    words: dict[str, list[str]] = {path: [] for path in effects}
    for seed in range(size.several):
        with world(2000 + seed) as here:
            for path in effects:
                here.put_on_trial(path)
            for _ in here.live(size.several_sessions, adds(effects), mixed(here.rng)):
                pass
            for path, found in words.items():
                found.append(here.word(path))
    names = ("helped", "harmful", "no effect worth having", "not enough data")
    matrix(
        f"Five on trial together, {size.several_sessions} sessions, {size.several} worlds",
        ["memory", *names],
        [[path, *(str(found.count(name)) for name in names)] for path, found in words.items()],
    )
    truth = {"/helps.md": "helped", "/harms.md": "harmful"}
    wrong = sum(
        word in ("helped", "harmful") and word != truth.get(path) for path in words for word in words[path]
    )
    right = sum(words[path].count(word) for path, word in truth.items())
    told = f"{wrong} of {wrong + right} verdicts of help or harm"
    yield Row(
        "on several at once: verdicts on the wrong memory", told, "≤ 5 %", wrong <= 0.05 * (wrong + right)
    )
    yield Row("on several at once: effects of 30 points found", f"{right} of {2 * size.several}")


def show_trap(size: Size) -> Iterator[Row]:
    """Nine in ten see the memory while tasks are easy, three in ten when they have become hard; it does nothing."""
    ours: list[str] = []
    pooled: list[str] = []
    half = 150
    for seed in range(size.traps):
        with world(3000 + seed) as here:
            exposed: list[Exposed] = []
            for share, kinds in ((0.9, (5, 6, 7)), (0.3, (0, 1, 2))):
                here.put_on_trial("/lore.md", share)
                for _ in here.live(half, adds({}), lambda _, k=kinds: here.rng.choice(k)):
                    pass
                ours.append(here.word("/lore.md"))
                exposed += here.exposed("/lore.md")
                trial = here.house.trials.get(here.trials["/lore.md"])
                if trial.status == "running":
                    here.house.trials.end(trial.id, by="person")
            pooled.append(naive(exposed, every=False))
    noise = 3 * sqrt(0.05 * 0.95 / len(ours))
    found = f"{100 * said(ours):.0f} % of {len(ours)} trials"
    yield Row(
        "Simpson's trap: declared helped or harmful", found, "≤ 5 %, and noise", said(ours) <= 0.05 + noise
    )
    yield Row(
        "the same by a test of proportions over all sessions", f"{100 * said(pooled):.0f} % of {len(pooled)}"
    )


def show_loop(*, quick: bool) -> None:
    """Prints the tables."""
    size = QUICK if quick else FULL
    for title, show in (
        ("Memories that do nothing", show_nulls),
        ("Memories that do harm", show_harm),
        ("Several at once", show_several),
        ("A share that moves with the difficulty", show_trap),
    ):
        print_table(f"Trials through the front door: {title}", list(show(size)))
        sys.stdout.flush()
