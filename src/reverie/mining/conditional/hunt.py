"""The hunt: search, fit, examine, take the covered rows out, search again; then fit each against the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.axes import row_hash
from reverie.mining.conditional.climb import climb, ranked_ties
from reverie.mining.conditional.counting import Conditions, Tally
from reverie.mining.conditional.fit import Fit, Ground
from reverie.mining.conditional.offsets import GRAIN, Guard
from reverie.mining.conditional.scan import Found, View
from reverie.mining.conditional.scores import effect
from reverie.mining.conditional.scout import Scout
from reverie.mining.conditional.sheet import Conjunction, Sheet, conds_of, hashed_first
from reverie.mining.conditional.significance import Exam, Idle, examine
from reverie.mining.conditional.thresholds import Exact, covered, settle

__all__ = [
    "Claim",
    "Hunt",
    "Scene",
    "Setting",
]

KEEP: Final = 300
FIRST_LOOK: Final = 8
SECOND_LOOK: Final = 80
TRIES: Final = 4
ROUNDS: Final = 3
BACK_FITS: Final = 2
PLAIN: Final = -7.0  # an adjusted log p below which the first claim is taken as it is
HOPELESS: Final = -3.0  # nats below which no exam is passed, nor nearly

Objection: TypeAlias = Literal["chance", "small effect", "one user"]


@dataclass(frozen=True, slots=True)
class Setting:
    """``alpha`` is the family-wise error, ``min_effect`` the least Cohen's h worth a claim."""

    alpha: float = 0.05
    min_effect: float = 0.2
    min_users: int = 2
    sample: int = 20_000  # at most scan.MAX_SAMPLE


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """A fitted and examined conjunction; ``objection`` says why it may not be claimed.

    ``rows`` are those it covers of the rows it was examined on; ``rivals`` explain them nearly as well.
    """

    exacts: tuple[Exact, ...]
    pieces: Conditions
    exam: Exam
    tally: Tally
    rows: Bools
    objection: Objection | None
    rivals: tuple[tuple[Exact, ...], ...] = ()

    @property
    def conds(self) -> Conjunction:
        return conds_of(self.pieces)

    @property
    def places(self) -> frozenset[int]:
        return frozenset(piece.place for piece in self.pieces)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One state of the hunt: the active rows and what is expected of them, of all rows and of the sample."""

    full: Ground
    sample: Ground
    view: View


class _Pool(NamedTuple):
    """What a search found; sample row ``rows[i]`` fulfils the conditions of find number ``places[i]``."""

    found: list[Found]
    rows: Ints
    places: Ints


class Hunt:
    def __init__(
        self, sheet: Sheet, guard: Guard, difficulty: Guard, users: Ints | None, setting: Setting
    ) -> None:
        """``guard`` is what rules are tested against; ``difficulty`` knows the tasks and times alone: a user
        whose every row is in a rule soon counts as one who fails, however much the rule has to do with it."""
        self.sheet, self.guard, self.setting = sheet, guard, setting
        self._users = users
        distinct = 0 if users is None else len(np.unique(users))
        self._least_users = min(setting.min_users, distinct)
        self._failed = sheet.rows.failed
        self._difficulty = difficulty.expected(self._failed, np.ones(len(self._failed), dtype=bool))
        self._chosen, self._odds = _balanced(self._failed, setting.sample)
        self._small = sheet if self._chosen is None else sheet.sampled(self._chosen)
        self._scout = Scout(self._small)
        self.refused: list[Claim] = []
        """What the last look turned up that may not be claimed."""
        self._beam = int(np.clip(500_000 // max(1, len(self._small.rows)), 150, 500))

    def rules(self) -> list[Claim]:
        """All conjunctions that can be claimed, in the order in which they were found."""
        claims: list[Claim] = []
        for _ in range(ROUNDS):
            before = [claim.places for claim in claims]
            claims = self._extended(claims)
            if len(claims) == len(before):
                break
            found = [claim.places for claim in claims]
            claims = self._back_fitted(claims)
            if [claim.places for claim in claims] == found:
                break
        return claims

    def scene(self, active: Bools, learn: Bools | None = None) -> Scene:
        """The state with these active rows; what is expected is learned from ``learn``, else from them."""
        expected = self.guard.expected(self._failed, active if learn is None else learn)
        few, wanted = active, expected
        if self._chosen is not None:
            few, wanted = active[self._chosen], _resampled(expected[self._chosen], self._odds)
        full = Ground(self.sheet, active, expected)
        sample = full if self._chosen is None else Ground(self._small, few, wanted)
        return Scene(full, sample, View(self._scout, few, wanted))

    def covered_by(self, claim: Claim) -> Bools:
        """All rows of the table that fulfil a claim's conditions."""
        return covered(self.sheet.rows, claim.exacts, np.ones(len(self._failed), dtype=bool))

    def left_by(self, claims: list[Claim]) -> Bools:
        """The rows that no claim covers."""
        rows = np.ones(len(self._failed), dtype=bool)
        for claim in claims:
            rows &= ~claim.rows
        return rows

    def _extended(self, claims: list[Claim]) -> list[Claim]:
        """Claims, and what can be found in the rows they leave."""
        scene = self.scene(self.left_by(claims))
        pool, fresh = self._pool(scene), True
        while True:
            claim = self._best(scene, pool, thorough=fresh)
            if claim is not None:
                claims = [*claims, claim]
                scene, fresh = self.scene(scene.full.active & ~claim.rows), False
            elif fresh:
                return claims
            else:
                pool, fresh = self._pool(scene), True

    def _pool(self, scene: Scene) -> _Pool:
        """What a search finds, with the rows of each in the sample."""
        found = scene.view.search(self._beam, KEEP)
        rows = [np.flatnonzero(self._scout.holds(f.conds)) for f in found]
        return _Pool(found, np.concatenate(rows), np.repeat(np.arange(len(found)), [len(r) for r in rows]))

    def _best(self, scene: Scene, pool: _Pool, thorough: bool) -> Claim | None:
        """The best conjunction of the pool that can be claimed, as things stand."""
        found = pool.found
        scores = scene.view.surprises(pool.rows, pool.places, len(found)) - np.array([f.cost for f in found])
        firsts: dict[tuple[int, ...], Conjunction] = {}
        for i in map(int, np.argsort(-scores, kind="stable")):
            firsts.setdefault(tuple(c.axis for c in found[i].conds), found[i].conds)
        ranked = list(firsts.values())[:SECOND_LOOK]
        seen: set[Conjunction] = set()
        self.refused = []
        best, most = None, -np.inf
        for part in (ranked[:FIRST_LOOK], ranked[FIRST_LOOK:]) if thorough else (ranked[:FIRST_LOOK],):
            fits = [scene.sample.polish(scene.sample.sheet.pieces(conds), sweeps=1) for conds in part]
            for fit in sorted(fits, key=lambda f: -f.score)[:TRIES]:
                score, claim = self._tried(scene, fit, seen)
                if claim is not None and score > most:
                    best, most = claim, score
                    if claim.exam.log_adjusted < PLAIN:
                        return claim
        return best

    def _tried(self, scene: Scene, fit: Fit, seen: set[Conjunction]) -> tuple[float, Claim | None]:
        """What a fit climbs to, with its score; None where it cannot be claimed or was tried before."""
        summit = fit
        for summit in self._summits(scene, scene.sample.polish(fit.pieces)):
            conds = conds_of(summit.pieces)
            if conds in seen or summit.worth < HOPELESS:
                continue
            seen.add(conds)
            claim = self._examined(scene.full, scene.full, conds)
            if claim.objection is None:
                return summit.score, claim
            self.refused.append(claim)
        return summit.score, None

    def _summits(self, scene: Scene, start: Fit) -> Iterator[Fit]:
        """What may be claimed near a fit, best first: a summit that explains more may be too loose to pass."""
        yield climb(scene.view, scene.sample, start, self.setting.alpha)
        yield climb(scene.view, scene.sample, start, self.setting.alpha, shrink=False)
        yield start

    def _examined(self, ground: Ground, fitted_on: Ground, conds: Conjunction) -> Claim:
        """The claim of a conjunction: idle conditions dropped, thresholds settled, examined on ``ground``."""
        pieces = self.sheet.pieces(conds)
        if self._chosen is not None:
            pieces = fitted_on.polish(pieces).pieces
        while True:
            exam = examine(ground, pieces, self.guard.exchangeable, self.setting.alpha)
            if exam.idle is None:
                break
            pieces = fitted_on.polish(_without(pieces, exam.idle), reopen=False).pieces
        exacts = settle(fitted_on, pieces)
        rows = covered(ground.rows, exacts, ground.active)
        tally = ground.tally(rows)
        return Claim(exacts, pieces, exam, tally, rows, self._objection(ground, exam, tally, rows))

    def _objection(self, ground: Ground, exam: Exam, tally: Tally, rows: Bools) -> Objection | None:
        if exam.log_adjusted > log(self.setting.alpha):
            return "chance"
        rate = tally.failed / max(1, tally.rows)
        elsewhere = (ground.all.failed - tally.failed) / max(1, ground.all.rows - tally.rows)
        foreseen = min(tally.expected, float(self._difficulty[rows].sum())) / max(1, tally.rows)
        if effect(rate, max(elsewhere, foreseen)) < self.setting.min_effect:
            return "small effect"
        if self._users is not None and len(np.unique(self._users[rows & self._failed])) < self._least_users:
            return "one user"
        return None

    def _back_fitted(self, claims: list[Claim]) -> list[Claim]:
        """Every claim fitted anew on the rows that the others leave; those that fail there are dropped."""
        for _ in range(BACK_FITS):
            before = [claim.conds for claim in claims]
            for old in claims:
                others = [c for c in claims if c is not old]
                wider = [c for c in others if self._within(old, c)]
                active = self.left_by([c for c in others if c not in wider])
                new = self._refitted(old, active, shrink=not wider)
                claims = [new if c is old else c for c in claims if c is not old or new.objection is None]
            if [claim.conds for claim in claims] == before:
                break
        return claims

    def _within(self, claim: Claim, other: Claim) -> bool:
        """The other asks for less, and covers most of the claim's rows: without them nothing would be left."""
        if not other.places < claim.places:
            return False
        rows = self.covered_by(claim)
        return bool(2 * np.count_nonzero(rows & self.covered_by(other)) > np.count_nonzero(rows))

    def _refitted(self, claim: Claim, active: Bools, shrink: bool) -> Claim:
        """Fitted on what is expected without the claim's own rows, examined on what is expected with them.

        Of what explains the rows about equally well, the best that passes; else the claim as it was.
        """
        scene = fitted = self.scene(active)
        if not self.guard.exchangeable:
            fitted = self.scene(active, learn=active & ~claim.rows)
        fit = fitted.sample.polish(self._small.pieces(claim.conds))
        fit = climb(fitted.view, fitted.sample, fit, self.setting.alpha, shrink)
        ties = ranked_ties(fitted.view, fitted.sample, fit)
        refitted = claim
        for conds in dict.fromkeys([*ties, claim.conds]):
            refitted = self._examined(scene.full, fitted.full, conds)
            if refitted.objection is None:
                break
        others = (tie for tie in ties.values() if frozenset(e.piece.place for e in tie) != refitted.places)
        return replace(refitted, rivals=tuple(others))


def _without(pieces: Conditions, idle: Idle) -> Conditions:
    if idle.bound is None:
        return pieces[: idle.place] + pieces[idle.place + 1 :]
    piece = pieces[idle.place]
    opened = piece.moved(0, piece.high) if idle.bound == "low" else piece.moved(piece.low, piece.axis.cells)
    return (*pieces[: idle.place], opened, *pieces[idle.place + 1 :])


def _balanced(failed: Bools, count: int) -> tuple[Ints | None, float]:
    """Row numbers of a sample with as many failures as successes (where there are), and its odds ratio."""
    if len(failed) <= count:
        return None, 1.0
    hashes = row_hash(len(failed))
    bad, good = np.flatnonzero(failed), np.flatnonzero(~failed)
    bad_count = min(len(bad), max(count // 2, count - len(good)))
    good_count = min(len(good), count - bad_count)
    chosen = [hashed_first(bad, hashes, bad_count), hashed_first(good, hashes, good_count)]
    return np.sort(np.concatenate(chosen)), (bad_count / len(bad)) / (good_count / len(good))


def _resampled(expected: Floats, odds: float) -> Floats:
    tilted = expected * odds / (expected * odds + 1.0 - expected)
    return np.round(tilted * GRAIN) / GRAIN
