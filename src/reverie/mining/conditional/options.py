"""What agents could have done otherwise: their own arguments, and tools they might call first, as options of each case.

An argument is an agent's own where its values mostly stood nowhere before the call (``Call.own``); what it was given
belongs to the situation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Final, Literal, TypeAlias

import numpy as np

from reverie.domain.events import Scalar
from reverie.mining.conditional.arrays import Bools
from reverie.mining.conditional.cases import CHARS, CLOCK, WORKED_BEFORE, Cases
from reverie.mining.conditional.report import Bound, Clause, rows_of
from reverie.mining.conditional.table import Column
from reverie.mining.conditional.targets import Question
from reverie.mining.hearing import tells

__all__ = ["LEAST_EACH", "Option", "is_own", "options_of", "situations_of"]

LEAST_EACH: Final = 5
"""Cases on either side of a comparison."""
MOSTLY_OWN: Final = 0.5
USUAL: Final = 0.4
"""From this share of cases on, one number is what is usually given, and options are more of it or less."""
MOST_LABELS: Final = 8
MOST_SITUATIONS: Final = 40
MOST_OPTIONS: Final = 40
PARTS: Final = (0.25, 0.5, 0.75)
"""Quantiles at which a number that is given parts the cases."""
BROAD: Final = 0.8
DERIVED: Final = (CHARS, "_count")
PROPERTIES: Final = frozenset(
    {"file_ext", "file_place", "path", "file_path", "filename", "file_name", "file"}
)
"""Of what a call is about, not of how it is done."""
SETTLED: Final = 0.05
WHO: Final = frozenset({"agent", "agent_version", "model", "format", "session.agent", "session.model"})

How: TypeAlias = Literal["not", "is", ">=", "<", "before"]


@dataclass(frozen=True, slots=True, eq=False)
class Option:
    """``rows`` of the cases took it, ``others`` did not. ``name`` is an argument, or of ``before`` a tool.

    ``value``: the label avoided (``not``) or given (``is``), or the bound of what was given by those who took it.
    """

    name: str
    how: How
    value: Scalar
    rows: Bools
    others: Bools

    @property
    def mark(self) -> str:
        """Names the option across dreams: thresholds move."""
        return f"{self.name}{self.how}{self.value if self.how in ('not', 'is') else ''}"


def is_own(cases: Cases, attribute: str) -> bool:
    """Whether agents chose this argument themselves: its values are mostly their own, one value is the usual one where
    they are numbers, and it is not settled by the task."""
    if attribute in PROPERTIES or attribute.endswith(DERIVED):
        return False
    values = [given.get(attribute) for given in cases.given if given.get(attribute) is not None]
    if not values or not cases.own:
        return False
    if not all(isinstance(value, bool) for value in values):  # nobody is told a flag in so many words
        rows = [row for row, given in enumerate(cases.given) if tells(given.get(attribute))]
        own = sum(attribute in cases.own[row] for row in rows)
        if len(rows) < LEAST_EACH or own < MOSTLY_OWN * len(rows):
            return False
    usual = max(Counter(values).values())
    if usual < USUAL * len(values) and len(set(values)) > MOST_LABELS:
        return False
    return not _settled_by_task(cases, attribute)


def _settled_by_task(cases: Cases, attribute: str) -> bool:
    """Whether sessions of one task always give the same."""
    name, strata = cases.comparable
    if strata is None or name == "session":
        return False
    seen: dict[int, set[Scalar]] = defaultdict(set)
    sessions: dict[int, set[int]] = defaultdict(set)
    for row, given in enumerate(cases.given):
        if attribute in given:
            seen[int(strata[row])].add(given[attribute])
            sessions[int(strata[row])].add(int(cases.places[row]))
    several = [stratum for stratum, places in sessions.items() if len(places) > 1]
    varied = sum(len(seen[stratum]) > 1 for stratum in several)
    return len(several) >= LEAST_EACH and varied <= SETTLED * len(several)


def options_of(question: Question) -> list[Option]:
    """Everything that was done in some cases and not in others; chosen without a look at how they went."""
    found: list[Option] = []
    for column in question.table().columns:
        if is_own(question.cases, column.name):
            found += _of_labels(column) if column.kind == "category" else _of_numbers(column)
    found += _of_steps(question)
    enough = [o for o in found if min(int(o.rows.sum()), int(o.others.sum())) >= LEAST_EACH]
    return enough[:MOST_OPTIONS]


def _of_labels(column: Column) -> Iterator[Option]:
    counts = np.bincount(column.values[column.values >= 0], minlength=len(column.labels))
    given = column.values >= 0
    frequent = [i for i in np.argsort(-counts, kind="stable")[:MOST_LABELS] if counts[i] >= LEAST_EACH]
    for place in map(int, frequent):
        having = column.values == place
        yield Option(column.name, "not", column.labels[place], given & ~having, having)
        if len(frequent) > 2:
            yield Option(column.name, "is", column.labels[place], having, given & ~having)


def _of_numbers(column: Column) -> Iterator[Option]:
    values = column.values
    given = np.isfinite(values)
    if int(given.sum()) < 2 * LEAST_EACH:
        return
    distinct, counts = np.unique(values[given], return_counts=True)
    usual = int(np.argmax(counts))
    if counts[usual] >= USUAL * counts.sum():
        sides = [(values > distinct[usual], given), (values < distinct[usual], given)]
    else:
        middle = np.median(values[given])
        sides = [(values >= middle, given), (values < middle, given)]
    for (rows, among), how in zip(sides, (">=", "<"), strict=True):
        if rows.any():
            bound = float(values[rows].min()) if how == ">=" else _just_above(values[rows])
            yield Option(column.name, how, bound, rows, among & ~rows)  # type: ignore[arg-type]


def _just_above(values: np.ndarray) -> float:  # type: ignore[type-arg]
    """The least number, as fine as these are written, that is larger than all of them."""
    digits = max(len(f"{v:.10g}".partition(".")[2]) for v in values.tolist())
    most = float(values.max())
    step = 10.0**-digits if digits else 10.0 ** max(0, floor(log10(abs(most) or 1.0)) - 1)
    return round(most + step, digits)


def _of_steps(question: Question) -> Iterator[Option]:
    """Tools that had worked before, beside cases in which nobody had tried."""
    before = [tools for tools, _ in question.cases.before]
    for tool in sorted(frozenset[str]().union(*before) - {question.about}):
        done = np.array([tool in tools for tools in before], dtype=bool)
        tried = np.array([tool in tools for tools in question.cases.tried], dtype=bool)
        yield Option(tool, "before", None, done, ~tried)


def situations_of(
    question: Question, rules: Sequence[Sequence[Clause]]
) -> list[tuple[tuple[Clause, ...], Bools, bool]]:
    """Circumstances that agents did not choose, with their cases: none at all, what rules say of them (both true),
    and every frequent label (false)."""
    table = question.table()
    everywhere = np.ones(table.rows, dtype=bool)
    kept: list[tuple[tuple[Clause, ...], Bools, bool]] = [((), everywhere, True)]
    for clauses, proven in (*((c, True) for c in rules), *((c, False) for c in _labels(question))):
        given = tuple(c for c in clauses if _is_given(question.cases, c.attribute))
        rows = rows_of(table, given)
        enough = given and 2 * LEAST_EACH <= int(rows.sum()) <= BROAD * table.rows
        if enough and not any(_same(rows, other) for _, other, _ in kept):
            kept.append((given, rows, proven))
    return kept[:MOST_SITUATIONS]


def _labels(question: Question) -> Iterator[tuple[Clause, ...]]:
    """Each label of what describes the work, and the parts of its numbers; who does it is held still, not asked about."""
    given = {name for row in question.cases.given for name in row}
    for column in question.table().columns:
        numbers = (
            question.kind == "session" and column.kind == "number"
        )  # of calls the conditional search knows
        if numbers and column.name in given and not column.name.endswith(DERIVED):
            known = column.values[np.isfinite(column.values)]
            for cut in (
                dict.fromkeys(np.quantile(known, PARTS, method="higher").tolist()) if len(known) else ()
            ):
                bound = Bound(cut, cut, cut)
                yield (Clause(column.name, "number", low=bound),)
                yield (Clause(column.name, "number", high=bound),)
        if column.kind == "category" and column.name not in WHO and column.name not in CLOCK:
            counts = np.bincount(column.values[column.values >= 0], minlength=len(column.labels))
            for place in map(int, np.argsort(-counts, kind="stable")[:MOST_LABELS]):
                yield (Clause(column.name, "category", column.labels[place]),)


def _is_given(cases: Cases, attribute: str) -> bool:
    return attribute != WORKED_BEFORE and not is_own(cases, attribute)


def _same(one: Bools, other: Bools) -> bool:
    return int((one & other).sum()) >= 0.9 * int((one | other).sum())
