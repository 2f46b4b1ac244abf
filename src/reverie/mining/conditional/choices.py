"""Better choices: under these circumstances, those who did it this way fared better than those who did not.

The conditional search asks when something fails; this asks what would have helped. It compares cases in the same
circumstances that differ in one thing the agents chose themselves (``options``): an argument's value, or a tool that
had worked before. The language is small, so a remedy that a handful of sessions hit upon by luck can be proved.

Every comparison is made over all, within users, within agents and models, within comparable sessions, within periods
and within eras of memory, with one vote a session on either side, and the worst of the exact p-values counts. The bound holds for every
comparison that could have come out (Bonferroni over what Tarone, 1990, leaves: comparisons too small to prove
anything, which their margins tell, cost nothing).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import exp
from typing import Final

import numpy as np

from reverie.mining.conditional.arrays import Bools, Ints
from reverie.mining.conditional.comparing import share, table, tables_within
from reverie.mining.conditional.judging import up_to_first_failure
from reverie.mining.conditional.options import LEAST_EACH, Option, options_of, situations_of
from reverie.mining.conditional.report import Bound, Clause, Share, rows_of
from reverie.mining.conditional.targets import Question
from reverie.mining.statistics import exact_p, log_choose

__all__ = ["Better", "better_choices"]

ALPHA: Final = 0.025
"""Half of what the conditional miner promises: the rest is for its rules."""
LEAST_FAILED: Final = 3
LEAST_GAIN: Final = 0.2
LEAST_GAIN_OF_SESSIONS: Final = 0.15
MOST_LEFT: Final = 0.5
"""Of the failures' rate, with the choice made."""
SHARE: Final = 2
"""Half of ALPHA for circumstances that are proved to matter and for none, half for all that are just given."""
PERIOD: Final = 25  # cases, at least
MOST_PERIODS: Final = 20
SAME_ROWS: Final = 0.5
SAME_CHOICE: Final = 0.9
STRAYS: Final = 0.05
MOSTLY: Final = 0.5
STILL: Final = 0.05
"""What a second choice must show among those that made the first alike, to be a second one."""


@dataclass(frozen=True, slots=True, eq=False)
class Better:
    """``having`` the option and ``without`` it, in the ``clauses``' circumstances: one vote a session.

    ``rows`` are those circumstances' cases; ``failed_rows`` failed without it, ``well_rows`` went well with it.
    ``same_here``: other options that are the same cases.
    """

    question: Question
    clauses: tuple[Clause, ...]
    option: Option
    having: Share
    without: Share
    p_value: float
    p_adjusted: float
    searched: int
    rows: Bools
    failed_rows: Ints
    well_rows: Ints
    same_here: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Try:
    """One comparison: cases of both sides, one a session."""

    question: Question
    clauses: tuple[Clause, ...]
    proven: bool
    option: Option
    scope: Bools
    having: Bools
    without: Bools

    @property
    def failed(self) -> Bools:
        return self.question.happened

    @property
    def shares(self) -> tuple[Share, Share]:
        return share(self.failed, self.having), share(self.failed, self.without)

    @property
    def telling(self) -> bool:
        """Whether it could come to anything, as its margins tell: not what is compared."""
        having, without = self.shares
        return min(having.rows, without.rows) >= LEAST_EACH and having.failed + without.failed >= LEAST_FAILED

    @property
    def least_p(self) -> float:
        """The smallest p-value that these margins allow: all failures on one side."""
        (a, n), (b, m) = ((s.failed, s.rows) for s in self.shares)
        k = min(a + b, m)
        return exp(log_choose(m, k) - log_choose(n + m, k)) if a + b <= m else exp(-log_choose(n + m, m))

    @property
    def helps(self) -> bool:
        having, without = self.shares
        if self.question.kind == "session":  # fails for other reasons, too
            return without.rate - having.rate >= LEAST_GAIN_OF_SESSIONS
        return without.rate - having.rate >= LEAST_GAIN and having.rate <= MOST_LEFT * without.rate

    @property
    def is_silent_step(self) -> bool:
        return self.question.kind == "session" and self.option.how == "before"

    @property
    def place(self) -> float:
        """How far into their sessions these cases are, in calls that had worked: a step is missed first by the next."""
        worked = [number for _, number in self.question.cases.before]
        return float(np.mean(worked)) if worked else 0.0

    def narrowed(self, rows: Bools) -> _Try:
        """The same, among these cases alone."""
        having, without = self.having & rows, self.without & rows
        return replace(self, scope=self.scope & rows, having=having, without=without)

    def sessions(self, rows: Bools) -> set[str]:
        """The sessions of some of the question's cases."""
        return {self.question.cases.session(row).session_id for row in map(int, np.flatnonzero(rows))}

    def of(self, other: _Try, rows: Bools) -> Bools:
        """Cases of ``other`` in these cases' sessions; the cases themselves, where both ask the same."""
        if self.question is other.question:
            return rows
        sessions = self.sessions(rows)
        cases = other.question.cases
        return np.array([o.session_id in sessions for o in cases.sessions], dtype=bool)[cases.places]


def better_choices(
    questions: Sequence[Question], rules: Iterable[tuple[Question, Sequence[Clause]]]
) -> list[Better]:
    """What would have helped, each cause once, the surest first. ``rules`` are circumstances that were found."""
    known = list(rules)
    tries = [t for q in questions for t in _tries(q, [c for other, c in known if other.about == q.about])]
    costs = {kind: SHARE * _tarone([t.least_p for t in tries if t.proven == kind]) for kind in (True, False)}
    ways = {id(q): _ways(q) for q in questions}
    proved: list[tuple[float, _Try]] = []
    for one in tries:
        cost = costs[one.proven]
        if one.helps and one.least_p * cost <= ALPHA:
            p = _p_value(one, ways[id(one.question)])
            if p * cost <= ALPHA:
                proved.append((p, one))
    proved.sort(
        key=lambda pair: (pair[0], pair[1].option.how == "before", pair[1].place, pair[1].option.mark)
    )
    return sorted(_chosen(_missed_first(proved), tries, costs, ways), key=lambda b: b.p_adjusted)


def _missed_first(proved: Sequence[tuple[float, _Try]]) -> list[tuple[float, _Try]]:
    """A step left out in silence is missing from every later call, too: it belongs before the first of them."""
    first: dict[str, float] = {}
    for _, one in proved:
        if one.is_silent_step:
            first[one.option.name] = min(one.place, first.get(one.option.name, one.place))
    return [(p, t) for p, t in proved if not t.is_silent_step or t.place == first[t.option.name]]


def _tries(question: Question, rules: Sequence[Sequence[Clause]]) -> Iterator[_Try]:
    options = options_of(question)
    if not options:
        return
    asked = up_to_first_failure(question)
    for clauses, rows, proven in situations_of(question, rules):
        scope = asked & rows
        for option in options:
            if any(c.attribute == option.name for c in clauses):
                continue
            places = question.cases.places
            one = _Try(
                question,
                clauses,
                proven,
                option,
                scope,
                _votes(places, scope & option.rows),
                _votes(places, scope & option.others),
            )
            if one.telling:
                yield one


def _votes(places: Ints, rows: Bools) -> Bools:
    """The first of these cases of each session."""
    chosen = np.flatnonzero(rows)
    first = chosen[np.unique(places[chosen], return_index=True)[1]]
    kept = np.zeros(len(rows), dtype=bool)
    kept[first] = True
    return kept


def _tarone(least: Sequence[float]) -> int:
    """How many comparisons count: the smallest k such that at most k could reach ALPHA / k (Tarone 1990)."""
    ordered = sorted(least)
    k = 1
    while k < len(ordered) and ordered[k] * (k + 1) <= ALPHA:
        k += 1
    return k


# ---------------------------------------------------------------------- the test


def _ways(question: Question) -> list[Ints]:
    """What is held still, one way at a time."""
    cases = question.cases
    name, strata = cases.strata
    sessions = cases.sessions
    agents = {key: i for i, key in enumerate(dict.fromkeys((o.agent, o.model) for o in sessions))}
    ways = [
        np.zeros(len(cases), dtype=np.int64),
        _pooled(cases.users),
        np.array([agents[o.agent, o.model] for o in sessions], dtype=np.int64)[cases.places],
    ]
    if strata is not None and name != "session":
        ways.append(_pooled(strata))
    if cases.eras.any():
        ways.append(cases.eras)
    return ways


def _pooled(codes: Ints) -> Ints:
    """Those that stand alone are one group: they compare with nobody else."""
    alone = np.bincount(codes)[codes] < 2
    return np.where(alone, codes.max(initial=0) + 1, codes)


def _periods(one: _Try) -> Ints:
    """Stretches of time, each with as many of the cases compared, at least ``PERIOD``."""
    times = one.question.cases.times
    compared = np.flatnonzero(one.having | one.without)
    n = len(compared)
    codes = np.zeros(len(times), dtype=np.int64)
    ranks = np.arange(n) * max(1, min(MOST_PERIODS, n // PERIOD)) // max(n, 1)
    codes[compared[np.argsort(times[compared], kind="stable")]] = ranks
    return codes


def _p_value(one: _Try, ways: Sequence[Ints]) -> float:
    """The largest of the one-sided exact p-values, each within another kind of strata."""
    return max(
        exact_p(tables_within(way, one.failed, one.having, one.without), alternative="greater")
        for way in (*ways, _periods(one))
    )


# ---------------------------------------------------------------------- each cause once


def _chosen(
    proved: Sequence[tuple[float, _Try]],
    tries: Sequence[_Try],
    costs: Mapping[bool, int],
    ways: Mapping[int, Sequence[Ints]],
) -> list[Better]:
    """What is left when echoes are gone: narrow circumstances first where it helps more there than elsewhere."""
    kept: list[tuple[float, _Try]] = []
    narrow = [t for _, t in proved if t.clauses and _more_here(t, tries)]
    broad = [t for _, t in proved if not t.clauses]
    for one in (*narrow, *broad, *(t for _, t in proved if t.clauses)):
        rest = one.narrowed(~_taken(one, kept))
        if not rest.telling or not rest.helps or (not one.clauses and _harms_somewhere(one, tries)):
            continue
        p = _p_value(rest, ways[id(one.question)])
        if p * costs[one.proven] <= ALPHA and _is_second(rest, kept):
            kept.append((p, rest))
    every = [t for _, t in proved]
    return [
        _better(p, _refined(one), costs[one.proven], every) for p, one in kept if not _is_missing_step(one)
    ]


def _refined(one: _Try) -> _Try:
    """A number that was parted at a quantile, parted where those without the choice fail most unlike each other."""
    clause = one.clauses[0] if one.clauses and not one.proven else None
    if clause is None or clause.kind != "number":
        return one
    column = next(c for c in one.question.table().columns if c.name == clause.attribute)
    known = one.option.others & np.isfinite(column.values)
    values, failed = column.values[known], one.failed[known]
    cuts = [
        float(cut)
        for cut in np.unique(values)
        if min((values >= cut).sum(), (values < cut).sum()) >= LEAST_EACH
    ]
    if not cuts:
        return one
    best = max(cuts, key=lambda cut: abs(_excess(failed, values >= cut)))
    bound = Bound(best, best, best)
    clause = replace(clause, low=bound if clause.low else None, high=bound if clause.high else None)
    rows = rows_of(one.question.table(), [clause])
    having, without = one.option.rows & rows, one.option.others & rows
    asked, places = up_to_first_failure(one.question), one.question.cases.places
    refined = replace(
        one,
        clauses=(clause,),
        scope=asked & rows,
        having=_votes(places, asked & having),
        without=_votes(places, asked & without),
    )
    return refined if refined.telling and refined.helps else one


def _excess(failed: Bools, rows: Bools) -> float:
    """Failures among these beyond their share, in standard deviations."""
    n, total, rate = int(rows.sum()), len(rows), float(failed.mean())
    spread = (n * (total - n) / total * rate * (1 - rate)) ** 0.5
    return float(failed[rows].sum() - n * rate) / spread if spread else 0.0


def _taken(one: _Try, kept: Iterable[tuple[float, _Try]]) -> Bools:
    """Cases for which the same argument or step is advised already."""
    rows = np.zeros(len(one.scope), dtype=bool)
    for _, other in kept:
        if other.option.name == one.option.name:
            rows |= other.of(one, other.scope)
    return rows


def _is_second(one: _Try, kept: Sequence[tuple[float, _Try]]) -> bool:
    """Whether it helps among those, too, that made the choices alike which are advised already."""
    for _, other in kept:
        if not (other.of(one, other.scope) & one.scope).any():
            continue
        alike = other.of(one, other.option.rows).astype(np.int64)
        if exact_p(tables_within(alike, one.failed, one.having, one.without), alternative="greater") > STILL:
            return False
    return True


def _is_missing_step(one: _Try) -> bool:
    """Whether the same mistake is made by all who left a step out and by nobody else: told as such elsewhere."""
    mistake = one.question.mistake(np.flatnonzero(one.without & one.failed))
    if one.clauses or one.option.how != "before" or mistake is None:
        return False
    made = np.array(
        [
            row in one.question.shown and one.question.shown[row][0] == mistake[0]
            for row in range(len(one.scope))
        ]
    )
    here, there = share(made, one.having), share(made, one.without)
    return here.rate <= STRAYS and there.rate >= MOSTLY


def _more_here(one: _Try, tries: Iterable[_Try]) -> bool:
    """Whether it helps more in these circumstances than in all others together."""
    whole = next(
        (t for t in tries if t.question is one.question and t.option is one.option and not t.clauses), None
    )
    if whole is None:
        return True
    rest = whole.narrowed(~one.scope)
    (having, without), (there, elsewhere) = one.shares, rest.shares
    if min(there.rows, elsewhere.rows) < LEAST_EACH:
        return True
    gain = (without.rate - having.rate) - (elsewhere.rate - there.rate)
    spread = sum(_variance(s) for s in (having, without, there, elsewhere)) ** 0.5
    return gain > 1.645 * spread


def _variance(s: Share) -> float:
    rate = (s.failed + 1) / (s.rows + 2)
    return rate * (1 - rate) / s.rows


def _harms_somewhere(one: _Try, tries: Iterable[_Try]) -> bool:
    """Whether those who made the choice fared worse in circumstances of their own."""
    for other in tries:
        if other.question is one.question and other.option is one.option and other.clauses:
            having, without = other.shares
            worse = table(without, having)
            if having.rate > without.rate and exact_p([worse], alternative="greater") <= 0.2:
                return True
    return False


def _better(p: float, one: _Try, number: int, proved: Iterable[_Try]) -> Better:
    having, without = one.shares
    same = [
        t.option
        for t in proved
        if t.question is one.question
        and t.option.name != one.option.name
        and _alike(t.option.rows & one.scope, one.option.rows & one.scope)
    ]
    return Better(
        one.question,
        one.clauses,
        one.option,
        having,
        without,
        p,
        min(1.0, p * number),
        number,
        one.scope,
        np.flatnonzero(one.without & one.failed),
        np.flatnonzero(one.having & ~one.failed),
        tuple({o.name: o for o in same}.values()),
    )


def _alike(one: Bools, other: Bools) -> bool:
    return int((one & other).sum()) >= SAME_CHOICE * int((one | other).sum())
