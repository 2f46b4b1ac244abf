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
    shown: Sequence[Played], hidden: Sequence[Played], addressed: Sequence[str], seed: int = 0
) -> tuple[Tried, Tried]:
    """Trials of a memory, within the usual budget and within ten times that. ``shown``, ``hidden``: how the same tasks
    end with it and without it; ``addressed``: the failures that it is about."""
    draw = random.Random(f"trials {seed}")  # noqa: S311
    verdicts = [_trial(shown, hidden, frozenset(addressed), draw) for _ in range(_TRIALS)]
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
    sessions = [(draw.randrange(len(shown)), draw.random() < SHARE) for _ in range(_LATER)]
    ended = [((shown if sees else hidden)[task], sees) for task, sees in sessions]
    overall = [Seen(sees, each.succeeded) for each, sees in ended]
    about = [Seen(sees, not addressed.intersection(each.failures)) for each, sees in ended]
    z = np.array([scores(about, SHARE), scores(overall, SHARE)])
    helps, harms = paths(z, SHARE)
    answers = np.concatenate([helps, harms])
    for at in np.flatnonzero(answers.max(axis=0) >= -np.log(Rules().alpha)):
        found = discoveries(
            [float(each) for each in np.exp(np.minimum(answers[:, at], 700.0))], Rules().alpha
        )
        if any(found):
            return ("harmful" if any(found[2:]) else "helped"), int(at) + 1
    return None
