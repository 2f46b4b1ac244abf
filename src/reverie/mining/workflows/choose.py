"""One workflow, one finding: from hundreds of overlapping patterns to the few that say something.

The strongest candidate is trimmed of steps that earn nothing, completed by steps that always belong, tested,
and its sessions are taken out before the next one is looked for; so fragments, superstrings and interleavings
of one workflow find nothing left to say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from reverie.mining.statistics import exact_p, risk_difference
from reverie.mining.workflows.outcomes import Outcomes, normal_tail
from reverie.mining.workflows.search import LONGEST, LONGEST_UNORDERED, Search
from reverie.mining.workflows.sequences import (
    MIN_SOURCES,
    Array,
    Sequences,
    indices,
    matched,
    occurrences,
    sources_of,
)

__all__ = ["ALPHA", "MIN_EFFECT", "Chooser", "Chosen"]

ALPHA: Final = 0.05
"""Family-wise error over every pattern tested; half to patterns of settled order, half to the others, in
equal shares by length (layered Bonferroni: Webb 2008)."""

MIN_EFFECT: Final = 0.05
"""Least difference in the success rate within strata: less may be true, and is not worth a rule."""

SCREEN: Final = 20.0  # how far from the limit a normal approximation may be for the exact test to be made
EARNS: Final = 0.05
TIED: Final = 3.3  # standard deviations: one in 2,000, for up to a hundred ways to add a step
CHAINED: Final = 8.0  # by chance never
BELONGS: Final = 0.9
CLEARLY: Final = math.log(30)
DOUBT: Final = -math.log(3)
MUCH_DOUBT: Final = -math.log(10)
WEAKER: Final = 1.5
MAX_TRIED: Final = 400
MASK_BYTES: Final = 200_000_000


@dataclass(frozen=True, slots=True)
class Chosen:
    """A workflow with its figures. ``sessions`` (a mask) contain it; ``share``: the level it was held to."""

    pattern: tuple[int, ...]
    sessions: Array
    ordered: bool
    p_value: float
    p_adjusted: float


class Chooser:
    """Chooses among the candidates of a search, against outcomes."""

    def __init__(self, sequences: Sequences, found: Search, outcomes: Outcomes) -> None:
        self._sequences = sequences
        self._found = found
        self._outcomes = outcomes
        self._sources = sources_of(sequences.sessions)[1]
        self._masks: dict[tuple[int, ...], Array] = {}
        self._unordered = sum(not c.ordered for c in found.candidates)
        self._counts = occurrences(sequences)[1]

    def choose(self) -> list[Chosen]:
        """The workflows that hold, strongest first."""
        left = self._outcomes.known.copy()
        pool = {c.pattern: c.sessions for c in self._found.candidates}
        chosen: list[Chosen] = []
        refused: set[tuple[int, ...]] = set()
        ranked: list[tuple[int, ...]] | None = None
        for _ in range(MAX_TRIED):
            ranked = self._ranked(pool, left) if ranked is None else ranked
            if not ranked:
                break
            best = ranked.pop()
            del pool[best]
            taken = self._tried(best, left, refused)
            if taken is not None:
                chosen.append(taken)
                left &= ~taken.sessions
                ranked = None
        return chosen

    def _ranked(self, pool: Mapping[tuple[int, ...], Array], left: Array) -> list[tuple[int, ...]]:
        """What stands out enough among the sessions ``left`` to pass its test, the strongest last."""
        score = self._outcomes.scorer(left)
        scores = {pattern: score(sessions) for pattern, sessions in pool.items()}
        standing = (p for p, z in scores.items() if self._may_hold(p, z))
        return sorted(standing, key=lambda p: (scores[p], len(p), p))

    def _tried(self, pattern: tuple[int, ...], left: Array, refused: set[tuple[int, ...]]) -> Chosen | None:
        """The pattern, trimmed and completed, if what comes of it holds on the sessions ``left``."""
        trimmed = self._trimmed(pattern, left)
        if trimmed is None or trimmed in refused:
            return None
        whole = self._completed(trimmed, left)
        refused |= {trimmed, whole}
        return self._held(whole, left) or (self._held(trimmed, left) if whole != trimmed else None)

    # ---------------------------------------------------------------- tests

    def _held(self, pattern: tuple[int, ...], left: Array) -> Chosen | None:
        mask, ordered = self._mask(pattern), self._found.order.holds(pattern)
        tests = self._tests(ordered, len(pattern))
        if not self._frequent(pattern) or not self._independent(mask):
            return None
        if not self._may_hold(pattern, self._outcomes.scorer(left)(np.flatnonzero(mask))):
            return None
        tables = self._outcomes.tables(mask, left)
        difference = risk_difference(tables)
        if difference is None or difference[0] < MIN_EFFECT:
            return None
        own_steps, done_at = self._clock(pattern, mask)
        p = max(
            exact_p(tables, alternative="greater"),
            self._outcomes.held_still(mask, left, own_steps),
            self._outcomes.still_going(mask, left, own_steps, done_at),
        )
        if p * tests > ALPHA or not (ordered or self._order_matters(pattern, left)):
            return None
        return Chosen(pattern, mask, ordered, p, min(1.0, p * tests))

    def _may_hold(self, pattern: tuple[int, ...], score: float) -> bool:
        """A first look by the normal law, generous enough that no exact test comes out otherwise."""
        tests = self._tests(self._found.order.holds(pattern), len(pattern))
        return score > 0 and normal_tail(score) * tests <= SCREEN * ALPHA

    def _frequent(self, pattern: tuple[int, ...]) -> bool:
        return int((self._mask(pattern) & self._outcomes.known).sum()) >= self._found.least

    def _independent(self, mask: Array) -> bool:
        """Several users (agents, repositories) do it, where so many are known at all."""
        doing = {self._sources[i] for i in indices(mask)} - {None}
        return len(doing) >= min(MIN_SOURCES, len(set(self._sources) - {None}))

    def _tests(self, ordered: bool, length: int) -> float:
        """1 / the share of alpha that one pattern of this family has; infinite for a family not searched."""
        layers = LONGEST - 1 if ordered else LONGEST_UNORDERED - 1
        return 2 * layers * self._found.tested.get((ordered, length), 0) or math.inf

    def _order_matters(self, pattern: tuple[int, ...], left: Array) -> bool:
        """Among sessions with all the steps, those in this order succeed more than those in another, by a test
        corrected for every pattern of unsettled order that stood out: chance chose this one among them."""
        all_steps = (self._counts[:, list(pattern)] > 0).all(axis=1)
        tables = self._outcomes.tables(self._mask(pattern), left & all_steps)
        return exact_p(tables, alternative="greater") * max(1, self._unordered) <= ALPHA

    def _clock(self, pattern: tuple[int, ...], mask: Array) -> tuple[Array, Array]:
        """For each session: how many steps are of the pattern's actions; how many others came before it was
        complete (0 where it never was)."""
        own = self._counts[:, list(pattern)].sum(axis=1)
        actions = {self._sequences.actions[a] for a in pattern}
        done = np.zeros(len(mask), dtype=np.int64)
        ordered = [self._sequences.actions[a] for a in pattern]
        for i in indices(mask):
            steps = self._sequences.steps[i]
            done[i] = sum(s.action not in actions for s in steps[: matched(steps, ordered)[-1]])
        return own, done

    # ---------------------------------------------------------------- shape

    def _trimmed(self, pattern: tuple[int, ...], left: Array) -> tuple[int, ...] | None:
        """Without the steps that earn nothing; None when fewer than two remain."""
        while True:
            idle = self._idle_step(pattern, left)
            if idle is None:
                return pattern
            pattern = pattern[:idle] + pattern[idle + 1 :]
            if len(pattern) < 2:
                return None

    def _idle_step(self, pattern: tuple[int, ...], left: Array) -> int | None:
        """The place of the step that earns least, if one earns nothing."""
        idle = [
            (p, i)
            for i, step in enumerate(pattern)
            if (p := self._earned(step, pattern, pattern[:i] + pattern[i + 1 :], left)) is not None
        ]
        return max(idle)[1] if idle else None

    def _earned(self, step: int, whole: tuple[int, ...], rest: tuple[int, ...], left: Array) -> float | None:
        """None when ``step`` earns its place in ``whole``, else the p-value it has to show.

        It earns it when the sessions that do the rest succeed more with it than without (Webb 2007:
        productivity). For a step picked by its success alone that is one of as many tests as there are
        actions. Where the order of the whole holds (or it is done whole anyway), likelihood decides: clearly
        for a step that anybody takes, with the benefit of the doubt for one that is tied to the rest whatever
        the outcome, and of more doubt the closer it is tied.
        """
        among = self._outcomes.scorer(left & self._mask(rest))
        p = normal_tail(among(np.flatnonzero(self._mask(whole))))
        if p <= EARNS / len(self._sequences.actions):
            return None
        if not self._found.order.holds(whole) and not self._belongs(whole, rest):
            return p
        needed = self._needed(whole, rest, left)
        return None if needed >= self._needs(step, rest) else p

    def _needs(self, step: int, rest: tuple[int, ...]) -> float:
        """The likelihood ratio (log) a step has to show: by how much more sessions that do the rest do it than
        others, outcomes aside."""
        everyone = np.ones(len(self._sequences.sessions), dtype=bool)
        tie = self._outcomes.scorer(everyone, of=self._counts[:, step] > 0)(np.flatnonzero(self._mask(rest)))
        return MUCH_DOUBT if tie >= CHAINED else DOUBT if tie >= TIED else CLEARLY

    def _belongs(self, whole: tuple[int, ...], rest: tuple[int, ...]) -> bool:
        """Nearly all sessions that do the rest do the whole."""
        return int(self._mask(whole).sum()) >= BELONGS * int(self._mask(rest).sum())

    def _needed(self, whole: tuple[int, ...], rest: tuple[int, ...], left: Array) -> float:
        """Are the sessions that do only the rest like those that do nothing of it, or like those that do the
        whole? The log of the likelihood ratio: 0 where there are none, −∞ where the whole gains nothing."""
        known, partly, wholly = left & self._outcomes.known, self._mask(rest), self._mask(whole)
        base, success = self._outcomes.rates(known & ~partly), self._outcomes.success
        gain = float((success - base)[known & wholly].mean()) if (known & wholly).any() else 0.0
        if gain <= 0:
            return -math.inf
        only = known & partly & ~wholly
        without, with_ = np.clip(base[only], 0.02, 0.98), np.clip(base[only] + gain, 0.02, 0.98)
        return float(
            np.where(success[only], np.log(without / with_), np.log((1 - without) / (1 - with_))).sum()
        )

    def _completed(self, pattern: tuple[int, ...], left: Array) -> tuple[int, ...]:
        """With further steps that earn their place and cost the pattern little of its strength."""
        score = self._outcomes.scorer(left)
        while len(pattern) < LONGEST:
            least = score(np.flatnonzero(self._mask(pattern))) - WEAKER
            longer = [
                (strength, q)
                for step in range(len(self._sequences.actions))
                if step not in pattern
                for i in range(len(pattern) + 1)
                if self._frequent(q := (*pattern[:i], step, *pattern[i:]))
                and math.isfinite(self._tests(self._found.order.holds(q), len(q)))
                and (strength := score(np.flatnonzero(self._mask(q)))) >= least
                and self._earned(step, q, pattern, left) is None
            ]
            if not longer:
                break
            pattern = max(longer)[1]
        return pattern

    # ---------------------------------------------------------------- masks

    def _mask(self, pattern: tuple[int, ...]) -> Array:
        if pattern not in self._masks:
            if len(self._masks) * len(self._sequences.sessions) > MASK_BYTES:
                self._masks.clear()
            members = self._sequences.members(pattern)
            mask = np.zeros(len(self._sequences.sessions), dtype=bool)
            mask[members] = True
            self._masks[pattern] = mask
        return self._masks[pattern]
