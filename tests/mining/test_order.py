"""Neither the order of sessions nor how they are parted changes what is said: byte for byte."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from benchmarks.workarounds import planted_world as workarounds_world
from benchmarks.workflows import planted_world as workflows_world
from tests.mining.worlds import Book, corpus, desk

from reverie.domain.observations import Observation
from reverie.mining.identity import Names, Seen
from reverie.mining.mistakes import RecurringMistakes
from reverie.mining.preferences import Preferences
from reverie.mining.workarounds import Workarounds
from reverie.mining.workflows import ConvergingWorkflows
from reverie.plugins import Corpus, Miner
from reverie.storage.codec import dumps


def people(sessions: int) -> list[Observation]:
    """Sessions in which persons say the same things in other words."""
    said = (
        "please don't use sed, use the editor",
        "don't use sed but the editor",
        "always run the linter first",
    )
    books: list[Book] = []
    for number in range(sessions):
        book = Book(f"p{number}", user=f"user-{number % 5}")
        book.user_says("mend the page")
        book.bash("sed -i s/a/b/ x.py")
        book.user_says(said[number % 3])
        books.append(book)
    return list(corpus(books).observations)


CORPORA: dict[str, tuple[Miner, Sequence[Observation]]] = {
    "mistakes": (RecurringMistakes(), corpus(desk(80)).observations),
    "preferences": (Preferences(), people(24)),
    "workarounds": (Workarounds(), workarounds_world(1_500, 1).observations),
    "workflows": (ConvergingWorkflows(), workflows_world(600, 1).observations),
}


@pytest.mark.parametrize("name", CORPORA)
def test_the_order_of_sessions_does_not_matter(name: str) -> None:
    miner, observations = CORPORA[name]
    said = dumps(list(miner.mine(Corpus(observations))))
    assert said != "[]"
    for seed in range(2):
        shuffled = random.Random(seed).sample(observations, len(observations))
        assert dumps(list(miner.mine(Corpus(shuffled)))) == said


@pytest.mark.parametrize("size", [1, 7, 50])
def test_mistakes_are_named_alike_however_sessions_are_parted(size: int) -> None:
    own = [(o, o.calls) for o in CORPORA["workarounds"][1]]
    failures = [c.failure for _, calls in own for c in calls if c.failure is not None]
    whole = Names(own)
    shuffled = random.Random(size).sample(own, len(own))
    parts = [Seen.of(shuffled[i : i + size]) for i in range(0, len(own), size)]
    parted = Names(sum(parts, Seen()))
    assert [parted.of(f) for f in failures] == [whole.of(f) for f in failures]


def test_a_world_of_other_outcomes_is_told_otherwise() -> None:
    """The comparison above can fail: other inputs give other bytes."""
    miner, observations = CORPORA["workflows"]
    said = dumps(list(miner.mine(Corpus(observations))))
    turned = [replace(o, outcome="failure" if i % 7 == 0 else o.outcome) for i, o in enumerate(observations)]
    assert dumps(list(miner.mine(Corpus(turned)))) != said
