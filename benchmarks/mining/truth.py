"""What there was to find: which causes a perfect test could claim, and whether a rule is one of them.

*Claimable*: the miner's own exam (same bound, same share of the error budget, same guard), made at the true
attributes, labels and thresholds, on the rows that the other claimable causes leave. *Exact*: the same
attributes and labels, the same bounds, each threshold within 2 % of the rows of the true one.
*Told*: what an estimator finds that is told the cause's attributes, labels and which bounds there are, and
has only thresholds to find (by the miner's own posterior median): a ceiling for "exact".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import TypeAlias

import numpy as np
from benchmarks.mining.worlds import Bools, Cause, Term, World

from reverie.mining.conditional import Clause, Column, rows_of
from reverie.mining.conditional.axes import Axis
from reverie.mining.conditional.counting import Piece, Rows, Tally
from reverie.mining.conditional.fit import Ground
from reverie.mining.conditional.language import arity_cost
from reverie.mining.conditional.offsets import Guard, guard_of
from reverie.mining.conditional.scores import chernoff, fisher
from reverie.mining.conditional.sheet import Sheet, encoded
from reverie.mining.conditional.table import codes_of
from reverie.mining.conditional.thresholds import Exact, settle

__all__ = ["Oracle", "covers", "is_exact"]

Clauses: TypeAlias = Sequence[Clause]

TOLERANCE = 0.02
ALPHA = 0.05
MIN_USERS = 2


def is_exact(world: World, cause: Cause, rule: Clauses, tolerance: float = TOLERANCE) -> bool:
    """Whether a rule names the cause exactly."""
    terms = {term.attribute: term for term in cause.terms}
    if set(terms) != {clause.attribute for clause in rule}:
        return False
    columns = {column.name: column for column in world.table.columns}
    return all(_same(columns[c.attribute], terms[c.attribute], c, tolerance) for c in rule)


def covers(world: World, rule: Clauses) -> int | None:
    """The number of the cause in which half or more of the rule's rows lie; None where there is none."""
    rows = rows_of(world.table, rule)
    shares = [float(cause.rows[rows].mean()) if rows.any() else 0.0 for cause in world.causes]
    best = int(np.argmax(shares)) if shares else -1
    return best if best >= 0 and shares[best] >= 0.5 else None


def _same(column: Column, term: Term, clause: Clause, tolerance: float) -> bool:
    if column.kind == "category":
        return clause.label == term.label
    low = None if clause.low is None else clause.low.value
    high = None if clause.high is None else clause.high.value
    return _near(column, term.low, low, tolerance) and _near(column, term.high, high, tolerance)


def _near(column: Column, true: float | None, found: float | None, tolerance: float) -> bool:
    """Both absent, or at most ``tolerance`` of the rows between them (for hours: the shorter way round)."""
    if column.kind == "hour":
        true, found = true or 0.0, found or 0.0
    if true is None or found is None:
        return true is found
    values = column.values
    between = int(((values >= min(true, found)) & (values < max(true, found))).sum())
    if column.kind == "hour":
        between = min(between, int(np.isfinite(values).sum()) - between)
    return between <= tolerance * len(values)


@dataclass
class Oracle:
    """Knows the causes of a world, and the miner's language and exam."""

    world: World
    sheet: Sheet
    guard: Guard
    guarded: bool

    @classmethod
    def of(cls, world: World, guarded: bool) -> Oracle:
        n, k = world.table.rows, int(world.target.sum())
        enough = max(4, ceil(log(3 * len(world.table.columns) / ALPHA) / -log((k + 0.5) / (n + 1))))
        sheet, _ = encoded(world.table, Rows(world.target, n), enough)
        users = codes_of(world.users, n, "users") if guarded else None
        return cls(world, sheet, guard_of(n, (users,), world.times if guarded else None), guarded)

    def claimable(self) -> set[int]:
        """Numbers of the causes that a perfect test could claim, each once those before it are accounted for."""
        found: set[int] = set()
        while True:
            passed = {i for i in range(len(self.world.causes)) if i in found or self._passes(i, found)}
            if passed == found:
                return found
            found = passed

    def told(self, number: int) -> bool:
        """Whether an estimator that only has to find thresholds finds them."""
        cause = self.world.causes[number]
        active = self._without({i for i in range(len(self.world.causes)) if i != number})
        expected = self.guard.expected(self.world.target, active & ~cause.rows)
        pieces = tuple(self._piece(term) for term in cause.terms)
        exacts = settle(Ground(self.sheet, active, expected), pieces)
        columns = {column.name: column for column in self.world.table.columns}
        return all(
            _told(columns[term.attribute], term, exact)
            for term, exact in zip(cause.terms, exacts, strict=True)
        )

    def _passes(self, number: int, others: set[int]) -> bool:
        cause = self.world.causes[number]
        active = self._without(others)
        ground = Ground(self.sheet, active, self.guard.expected(self.world.target, active))
        rows = active & cause.rows
        if self.guarded and len(np.unique(self.world.users[rows & self.world.target])) < MIN_USERS:
            return False
        return self._log_p(ground.tally(rows), ground.all) + self._cost(cause) <= log(ALPHA)

    def _log_p(self, tally: Tally, total: Tally) -> float:
        if self.guarded:
            return chernoff(*tally)
        return fisher(tally.failed, tally.rows, total.failed, total.rows)

    def _cost(self, cause: Cause) -> float:
        pieces = [self._piece(term) for term in cause.terms]
        return arity_cost(len(self.sheet.axes), len(pieces)) + sum(piece.cost for piece in pieces)

    def _without(self, numbers: set[int]) -> Bools:
        active = np.ones(self.world.table.rows, dtype=bool)
        for i in numbers:
            active &= ~self.world.causes[i].rows
        return active

    def _piece(self, term: Term) -> Piece:
        place = next(i for i, axis in enumerate(self.sheet.axes) if axis.name == term.attribute)
        axis = self.sheet.axes[place]
        return Piece(place, axis, self.sheet.codes[place], *_cells(axis, term))


def _cells(axis: Axis, term: Term) -> tuple[int, int]:
    if axis.kind == "category":
        cell = axis.labels.index(term.label)
        return cell, cell + 1
    low = 0 if term.low is None else int(np.searchsorted(axis.floors, term.low))
    high = axis.cells if term.high is None else int(np.searchsorted(axis.floors, term.high))
    return min(low, axis.cells - 1), max(high, 1) if high != low else high + 1


def _told(column: Column, term: Term, exact: Exact) -> bool:
    if column.kind == "category":
        return True
    low = None if exact.low is None else exact.low.value
    high = None if exact.high is None else exact.high.value
    return _near(column, term.low, low, TOLERANCE) and _near(column, term.high, high, TOLERANCE)
