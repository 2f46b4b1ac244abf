"""Worlds whose truth is known: tasks with success rates and edits with effects; sessions with strata and drift."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reverie.dreaming.trials.allocation import urgency
from reverie.dreaming.trials.betting import Seen, scores

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
TASKS: Final = 30


@dataclass(frozen=True, slots=True)
class Replays:
    """Pairs of many repetitions: whether each replay succeeded, shape (repetitions, pairs)."""

    with_edit: Flags
    without: Flags

    def first(self, pairs: int) -> Replays:
        return Replays(self.with_edit[:, :pairs], self.without[:, :pairs])


def tasks_of(world: str) -> Floats:
    """Success rates of the held-out tasks without the edit."""
    if (
        world == "mixed"
    ):  # what benchmarks of agents look like: a fifth hopeless, a quarter sure, the rest between
        between = np.linspace(0.1, 0.9, TASKS - 13)
        return np.concatenate([np.full(6, 0.01), np.full(7, 0.99), between])
    return np.full(TASKS, float(world))


def edited(base: Floats, effect: float) -> Floats:
    """The rates with an edit that shifts the log odds of every task alike, by ``effect`` on average."""
    if effect == 0:
        return base
    logit, low, high = np.log(base / (1 - base)), -12.0, 12.0
    for _ in range(80):
        middle = (low + high) / 2
        if float((1 / (1 + np.exp(-logit - middle))).mean() - base.mean()) < effect:
            low = middle
        else:
            high = middle
    return 1 / (1 + np.exp(-logit - low))


def replayed(
    world: str, effect: float, repetitions: int, pairs: int, seed: int, better: Floats | None = None
) -> Replays:
    """Every task in turn, over and over, in an order drawn for each repetition. ``better``: the rates with the edit."""
    rng = np.random.default_rng(seed)
    base = tasks_of(world)
    better = edited(base, effect) if better is None else better
    order = rng.permuted(np.tile(np.arange(TASKS), (repetitions, 1)), axis=1)
    task = np.tile(order, (1, -(-pairs // TASKS)))[:, :pairs]
    draws = rng.random((2, repetitions, pairs))
    return Replays(draws[0] < better[task], draws[1] < base[task])


def allocated(
    world: str, effect: float, repetitions: int, pairs: int, seed: int, better: Floats | None = None
) -> Replays:
    """The task that `allocation` would ask next, each time. ``better``: the rates with the edit."""
    rng = np.random.default_rng(seed)
    base = tasks_of(world)
    better = edited(base, effect) if better is None else better
    place = rng.permuted(
        np.tile(np.arange(TASKS), (repetitions, 1)), axis=1
    )  # which task stands where in the list
    good, asked = np.zeros((repetitions, TASKS)), np.zeros((repetitions, TASKS))
    rows = np.arange(repetitions)
    with_edit, without = np.zeros((2, repetitions, pairs), dtype=np.bool_)
    for i in range(pairs):
        chosen = urgency(good, asked).argmax(axis=1)
        task = place[rows, chosen]
        with_edit[:, i], without[:, i] = (
            rng.random(repetitions) < better[task],
            rng.random(repetitions) < base[task],
        )
        good[rows, chosen] += with_edit[:, i].astype(int) + without[:, i]
        asked[rows, chosen] += 1
    return Replays(with_edit, without)


@dataclass(frozen=True)
class Sessions:
    """Sessions of many repetitions, shape (repetitions, sessions), with the true effect on each."""

    seen: Flags
    good: Flags
    stratum: NDArray[np.int64]
    effect: Floats
    share: float

    @cached_property
    def scored(self) -> Floats:
        """The scores of ours, as the product computes them."""
        return np.array([self._scored(row, True) for row in range(len(self.seen))])

    @cached_property
    def scored_without_strata(self) -> Floats:
        return np.array([self._scored(row, False) for row in range(len(self.seen))])

    def _scored(self, row: int, strata: bool) -> list[float]:
        places = ((str(s),) if strata else () for s in self.stratum[row])
        made = zip(self.seen[row].tolist(), self.good[row].tolist(), places, strict=True)
        return scores([Seen(seen, good, place) for seen, good, place in made], self.share)


def lived(kind: str, effect: float, repetitions: int, sessions: int, share: float, seed: int) -> Sessions:
    """``steady``: eight kinds of task, 15 to 85 %. ``drift``: rates climb, jump and fall while the mix of tasks moves
    from the easy to the hard, and another memory, also on trial, takes 20 points. ``turning``: as drift, and the effect
    itself turns from plus to minus ``effect``."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 1, sessions)
    shape = (repetitions, sessions)
    if kind == "steady":
        stratum = rng.integers(0, 8, shape)
        base = 0.15 + 0.1 * stratum
    else:
        stratum = np.clip(rng.normal(8 * (1 - time), 2.0, shape).astype(np.int64), 0, 7)
        base = 0.3 + 0.06 * stratum + 0.15 * np.sin(9 * time) - 0.25 * (time > 0.6)
        base = base - 0.2 * (rng.random(shape) < 0.8)
    turn = 1 - 2 * time if kind == "turning" else np.ones(sessions)
    seen = rng.random(shape) < share
    base = np.clip(base, 0.02, 0.98)
    moved = np.clip(base + effect * turn, 0.0, 1.0)
    good = rng.random(shape) < np.where(seen, moved, base)
    return Sessions(seen, good, stratum, moved - base, share)
