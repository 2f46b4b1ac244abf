"""From claims to a report: labels and thresholds in the table's own terms, comparisons, candidates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reverie.domain.findings import Comparison
from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.axes import NotMined
from reverie.mining.conditional.comparing import share, table, tables_within
from reverie.mining.conditional.hunt import Claim, Hunt
from reverie.mining.conditional.language import language_sizes
from reverie.mining.conditional.report import Bound, Candidate, Clause, Result, Rule, Share
from reverie.mining.conditional.scan import MAX_CROSSED
from reverie.mining.conditional.scores import chernoff, effect, fisher, probability
from reverie.mining.conditional.thresholds import Cut, Exact
from reverie.mining.statistics import compare, compare_within

__all__ = ["Grouping", "Reporter", "vanishes"]

MAX_CANDIDATES: Final = 5
PLAUSIBLE: Final = 3.0  # nats of adjusted log p at which a candidate is still worth a word
MOST_MORE: Final = 1_000
SAME_ROWS: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """What rows have in common: codes of strata, users and sessions, times; ``numbers`` are the table's row numbers."""

    strata: Ints | None
    users: Ints | None
    sessions: Ints | None
    times: Floats | None
    numbers: Ints

    def selected(self, chosen: Bools) -> Grouping:
        def of(values: NDArray[Any] | None) -> NDArray[Any] | None:
            return None if values is None else values[chosen]

        return Grouping(
            of(self.strata), of(self.users), of(self.sessions), of(self.times), self.numbers[chosen]
        )


class Reporter:
    """Runs a hunt and says what came of it."""

    def __init__(self, hunt: Hunt, grouping: Grouping) -> None:
        self._hunt = hunt
        self._grouping = grouping
        self._failed = hunt.sheet.rows.failed
        n = len(self._failed)
        self._rank = np.arange(n)
        if hunt.guard.order is not None:
            self._rank = np.empty(n, dtype=np.int64)
            self._rank[hunt.guard.order] = np.arange(n)

    def result(self, not_mined: Iterable[NotMined]) -> Result:
        claims = self._hunt.rules()
        rules = [self._rule(claim) for claim in claims]
        explained = [Candidate(rule, _EXPLAINED, None, explained=True) for rule in rules if vanishes(rule)]
        left = [rule for rule in rules if not vanishes(rule)]
        return Result(
            rules=tuple(rule for rule in left if self._stands_out(rule)),
            candidates=(
                *explained,
                *(Candidate(rule, _LEFTOVER, None) for rule in left if not self._stands_out(rule)),
                *self._candidates(),
            ),
            not_mined=(*not_mined, *self._half_mined()),
            language=language_sizes([axis.language.size for axis in self._hunt.sheet.axes]),
            rows=len(self._failed),
            failed=int(np.count_nonzero(self._failed)),
        )

    def _stands_out(self, rule: Rule) -> bool:
        """Whether it is seen in all rows, too, not only in those that other rules leave."""
        return effect(rule.here.rate, rule.elsewhere.rate) >= self._hunt.setting.min_effect

    def _half_mined(self) -> list[NotMined]:
        axes = len(self._hunt.sheet.axes)
        if axes <= MAX_CROSSED:
            return []
        reason = (
            f"{axes} attributes are many: only the {MAX_CROSSED} that show most alone were crossed in pairs"
        )
        return [NotMined("(all)", reason)]

    def _rule(self, claim: Claim) -> Rule:
        rows = self._hunt.covered_by(claim)
        here, there = share(self._failed, rows), share(self._failed, ~rows)
        half = self._rank < len(self._failed) // 2
        users = self._grouping.users
        return Rule(
            clauses=tuple(self._clause(exact, claim) for exact in claim.exacts),
            here=here,
            elsewhere=there,
            examined=Share(claim.tally.failed, claim.tally.rows),
            expected=round(claim.tally.expected, 6),
            p_value=probability(claim.exam.log_p),
            p_adjusted=probability(claim.exam.log_adjusted),
            raw=compare(table(here, there)),
            within=self._within(rows),
            users=0 if users is None else len(np.unique(users[rows & self._failed])),
            earlier=share(self._failed, rows & half),
            later=share(self._failed, rows & ~half),
            rows=self._grouping.numbers[rows],
            failed_rows=self._grouping.numbers[rows & self._failed],
        )

    def _within(self, rows: Bools) -> Comparison | None:
        strata = self._grouping.strata
        if strata is None:
            return None
        return compare_within(tables_within(strata, self._failed, rows, ~rows))

    def _clause(self, exact: Exact, claim: Claim) -> Clause:
        place = exact.piece.place
        swapped = [rival for rival in claim.rivals if place not in {other.piece.place for other in rival}]
        instead = [_said(e) for rival in swapped for e in rival if e.piece.place not in claim.places]
        instead = list({clause.attribute: clause for clause in reversed(instead)}.values())[::-1]
        same = tuple(sorted(clause.attribute for clause in instead))
        return replace(_said(exact), same_here=same, instead=tuple(instead))

    def _candidates(self) -> list[Candidate]:
        """The best of what the last look refused, one of those that cover much the same rows."""
        found: list[tuple[Claim, Candidate]] = []
        for claim in sorted(self._hunt.refused, key=lambda c: (c.exam.log_adjusted, c.conds)):
            reason = _REASONS[claim.objection or "chance"]
            if (
                claim.exam.log_adjusted > PLAUSIBLE
                or not claim.tally.rows
                or any(_alike(claim.rows, c.rows) for c, _ in found)
            ):
                continue
            needs = self._needs(claim) if claim.objection == "chance" else None
            rule = self._rule(claim)
            if claim.objection == "small effect" or self._stands_out(rule):
                found.append((claim, Candidate(rule, reason, needs)))
        return [candidate for _, candidate in found[:MAX_CANDIDATES]]

    def _needs(self, claim: Claim) -> int | None:
        """How many more rows like these, failing at the same rate, would pass the exam."""
        failed, rows, expected = claim.tally
        limit = log(self._hunt.setting.alpha) - claim.exam.cost
        for more in range(1, MOST_MORE):
            k, n = failed + round(more * failed / rows), rows + more
            if self._hunt.guard.exchangeable:
                log_p = fisher(
                    k, n, int(np.count_nonzero(self._failed)) + k - failed, len(self._failed) + more
                )
            else:
                log_p = chernoff(k, n, expected * n / rows)
            if log_p <= limit:
                return more
        return None


_LEFTOVER: Final = "only among the cases that other circumstances leave, and not overall"
_EXPLAINED: Final = "explained by difficulty: within comparable tasks the difference vanishes"
_REASONS: Final = {
    "chance": "cannot yet be told from chance",
    "small effect": "more often than elsewhere, but not by much",
    "one user": "seen with one user only",
}


def _said(exact: Exact) -> Clause:
    axis = exact.piece.axis
    label = axis.labels[exact.piece.low] if axis.kind == "category" else None
    return Clause(axis.name, axis.kind, label, _bound(exact.low), _bound(exact.high))


def _bound(cut: Cut | None) -> Bound | None:
    return None if cut is None else Bound(cut.value, cut.low, cut.high)


def vanishes(rule: Rule) -> bool:
    """Within strata there is no such difference, or at most half of it and it may be none."""
    if rule.raw is None or rule.within is None:
        return False
    within = rule.within.difference
    return within >= 0 or (rule.within.high >= 0 and within > rule.raw.difference / 2)


def _alike(one: Bools, other: Bools) -> bool:
    return int(np.count_nonzero(one & other)) >= SAME_ROWS * int(np.count_nonzero(one | other))
