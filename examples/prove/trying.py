"""What a trial would have said of each memory: the statistics of live trials, on the proof's own rehearsals.

A trial shows a memory to four sessions of five, by a coin, and says after each session whether it helped or harmed. Here
a session is a held-out task drawn by chance, whose end is known both with all of memory and with all but the one on trial.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from examples.prove.world import Played
from reverie.domain.trials import BUDGET, SHARE
from reverie.dreaming.trials.betting import Seen, paths, scores
from reverie.dreaming.trials.verdicts import Rules, discoveries

__all__ = ["Tried", "tried"]

_TRIALS: Final = 40
_LATER: Final = 10 * BUDGET
"""Where a trial would have said nothing within its budget: what it says of ten times as many sessions."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Of ``trials`` trials: how many say within ``sessions`` sessions that it helped, how many that it harmed; and how
    many sessions half of the trials need to come to what most of them say (None: half of them come to nothing)."""

    trials: int
    sessions: int
    helped: int
    harmful: int
    needed: int | None

    @property
    def word(self) -> str:
        told = [("helped", self.helped), ("harmful", self.harmful)]
        return ", ".join(f"{word} {count}" for word, count in told if count) or "undecided"


def tried(
    shown: Sequence[Played],
    hidden: Sequence[Played],
    addressed: Sequence[str],
    seed: int = 0,
    trials: int = _TRIALS,
) -> tuple[Tried, Tried]:
    """Trials of a memory, within the usual budget and within ten times that. ``shown``, ``hidden``: how the same tasks
    end with it and without it; ``addressed``: the failures that it is about."""
    draw = random.Random(f"trials {seed}")  # noqa: S311
    verdicts = [_trial(shown, hidden, frozenset(addressed), draw) for _ in range(trials)]
    return _counted(verdicts, BUDGET), _counted(verdicts, _LATER)


_Verdict = tuple[str, int] | None


def _counted(verdicts: Sequence[_Verdict], sessions: int) -> Tried:
    found = [each for each in verdicts if each is not None and each[1] <= sessions]
    at = sorted(number for _, number in found)
    helped = sum(word == "helped" for word, _ in found)
    middle = len(verdicts) // 2
    return Tried(
        len(verdicts), sessions, helped, len(found) - helped, at[middle] if len(at) > middle else None
    )


def _trial(
    shown: Sequence[Played], hidden: Sequence[Played], addressed: frozenset[str], draw: random.Random
) -> _Verdict:
    """Its first verdict and after how many sessions; None where there is none."""
    about: list[Seen] = []
    overall: list[Seen] = []
    for budget in (BUDGET // 5, BUDGET, _LATER):
        while len(overall) < budget:
            task, sees = draw.randrange(len(shown)), draw.random() < SHARE
            each = (shown if sees else hidden)[task]
            about.append(Seen(sees, not addressed.intersection(each.failures)))
            overall.append(Seen(sees, each.succeeded))
        if found := _first(np.array([scores(about, SHARE), scores(overall, SHARE)])):
            return found
    return None


def _first(z: NDArray[np.float64]) -> _Verdict:
    """The first verdict on these scores by both outcomes, shape (2, sessions). Asked is what ``verdicts.judge`` asks of
    one memory after each session: whether it helps or harms, by either outcome."""
    answers = np.exp(np.minimum(np.concatenate(paths(z, SHARE)), 700.0))
    ranked = -np.sort(-answers, axis=0)
    bars = len(answers) / Rules().alpha / np.arange(1, len(answers) + 1)
    at = int(np.argmax(decided)) if (decided := (ranked >= bars[:, None]).any(axis=0)).any() else None
    if at is None:
        return None
    found = discoveries(answers[:, at].tolist(), Rules().alpha)
    return ("harmful" if any(found[2:]) else "helped"), at + 1
