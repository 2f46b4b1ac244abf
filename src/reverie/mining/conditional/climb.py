"""From a rough find to the conjunction that explains it best: grow, swap, drop, split, and break ties."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools
from reverie.mining.conditional.fit import Fit, Ground
from reverie.mining.conditional.language import MAX_ARITY
from reverie.mining.conditional.scan import View
from reverie.mining.conditional.scores import fisher
from reverie.mining.conditional.sheet import Conjunction, conds_of
from reverie.mining.conditional.thresholds import Exact, covered, settle

__all__ = [
    "climb",
    "ranked_ties",
]

STEPS: Final = 6
NEAR_TIE: Final = 3.0  # nats
RIVALS: Final = 2
OVERLAP: Final = 0.5


def climb(view: View, ground: Ground, fit: Fit, alpha: float, shrink: bool = True) -> Fit:
    """The best conjunction near ``fit``: by single changes, then by parts of it that fail more than the rest.

    Without ``shrink`` no condition is dropped.
    """
    fit = _by_steps(view, ground, fit, shrink)
    for _ in range(MAX_ARITY):
        part = _significant_part(view, ground, fit, alpha)
        if part is None:
            return fit
        fit = _by_steps(view, ground, part, shrink=False)
    return fit


def _by_steps(view: View, ground: Ground, fit: Fit, shrink: bool) -> Fit:
    """Add, exchange or (``shrink``) drop one condition while that gains more than it costs."""
    for _ in range(STEPS):
        conds = conds_of(fit.pieces)
        shorter = _shorter(conds)
        bases = shorter + ([conds] if len(conds) < min(MAX_ARITY, len(view.scout.axes)) else [])
        tried = view.neighbours(bases) + (shorter if shrink else [])
        best = max(_fits(ground, tried), key=lambda f: f.score, default=fit)
        if best.score <= fit.score + 1e-9:
            break
        fit = best
    return fit


def _shorter(conds: Conjunction) -> list[Conjunction]:
    return [conds[:i] + conds[i + 1 :] for i in range(len(conds))] if len(conds) > 1 else []


def _fits(ground: Ground, conjunctions: Iterable[Conjunction]) -> list[Fit]:
    return [ground.polish(ground.sheet.pieces(conds)) for conds in dict.fromkeys(conjunctions)]


def _significant_part(view: View, ground: Ground, fit: Fit, alpha: float) -> Fit | None:
    """A part of the rule's rows that fails significantly more than the rest of them.

    A loose conjunction that several causes share can score higher than any of them; its parts tell.
    """
    conds = conds_of(fit.pieces)
    if len(conds) >= min(MAX_ARITY, len(view.scout.axes)):
        return None
    inside = ground.within(ground.inside(fit.pieces))
    found = view.best_inside(inside.active, inside.all, conds)
    if found is None:
        return None
    part = inside.polish(ground.sheet.pieces([found])).pieces
    tally = inside.tally(inside.inside(part))
    options = log(len(view.scout.axes) - len(conds)) + part[0].cost
    if fisher(tally.failed, tally.rows, inside.all.failed, inside.all.rows) + options > log(alpha):
        return None
    return ground.polish(ground.sheet.pieces(sorted([*conds, *conds_of(part)])))


def _rivals(view: View, ground: Ground, fit: Fit) -> list[Fit]:
    """Conjunctions with one attribute exchanged that explain nearly as much (at most NEAR_TIE nats less)."""
    conds = conds_of(fit.pieces)
    bases = [conds[:i] + conds[i + 1 :] for i in range(len(conds))]
    others = view.neighbours(bases, RIVALS + 1)
    fits = [f for f in _fits(ground, others) if f.score > fit.score - NEAR_TIE]
    mine = ground.inside(fit.pieces)
    return [f for f in fits if _alike(mine, ground.inside(f.pieces)) and _places(f) != _places(fit)]


def _places(fit: Fit) -> set[int]:
    return {piece.place for piece in fit.pieces}


def _alike(one: Bools, other: Bools) -> bool:
    """The two sets of rows are mostly the same."""
    return int(np.count_nonzero(one & other)) >= OVERLAP * int(np.count_nonzero(one | other))


def ranked_ties(view: View, ground: Ground, fit: Fit) -> dict[Conjunction, tuple[Exact, ...]]:
    """The fit and its rivals with their thresholds, in order of how much they explain at full resolution."""
    fits = [fit, *_rivals(view, ground, fit)]
    settled = {conds_of(f.pieces): settle(ground, f.pieces) for f in fits}
    scores = {conds_of(f.pieces): _sharp_score(ground, f, settled[conds_of(f.pieces)]) for f in fits}
    return {conds: settled[conds] for conds in sorted(settled, key=lambda conds: -scores[conds])}


def _sharp_score(ground: Ground, fit: Fit, exacts: tuple[Exact, ...]) -> float:
    inside = covered(ground.rows, exacts, ground.active)
    return ground.gain_of(ground.tally(inside)) - ground.cost(fit.pieces)
