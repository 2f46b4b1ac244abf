"""What comes out: rules with their numbers, candidates that need more evidence, and what was not mined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reverie.domain.events import Scalar
from reverie.domain.findings import Comparison
from reverie.mining.conditional.arrays import Bools, Ints
from reverie.mining.conditional.axes import NotMined
from reverie.mining.conditional.table import Column, Kind, Table

__all__ = ["Bound", "Candidate", "Clause", "Result", "Rule", "Share", "rows_of"]


@dataclass(frozen=True, slots=True)
class Bound:
    """A found threshold and the interval that holds it with 95 % probability, in the attribute's unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition: ``label``, or ``low`` ≤ value < ``high`` (an hour with low > high passes midnight).

    ``same_here`` names attributes that say the same as this one within the rule: the data cannot tell
    them apart, or nearly the same rows fulfil them. ``instead`` are those conditions, most likely first:
    put in this one's place, each explains the rows at most some twenty times (three nats) less well.
    """

    attribute: str
    kind: Kind
    label: Scalar = None
    low: Bound | None = None
    high: Bound | None = None
    same_here: tuple[str, ...] = ()
    instead: tuple[Clause, ...] = ()

    def __str__(self) -> str:
        if self.kind == "category":
            return f"{self.attribute} is {self.label}"
        if self.low is None or self.high is None:
            bound = self.low or self.high
            sign = "≥" if self.low is not None else "<"
            return f"{self.attribute} {sign} {'' if bound is None else f'{bound.value:g}'}"
        if self.low.value > self.high.value:
            return f"{self.attribute} from {self.low.value:g} past midnight to {self.high.value:g}"
        return f"{self.attribute} from {self.low.value:g} to below {self.high.value:g}"


def rows_of(table: Table, clauses: Sequence[Clause]) -> Bools:
    """The rows of a table that fulfil all clauses: to count a rule anew, or on other rows.

    A column that the table lacks, and a missing value, fulfil nothing.
    """
    columns = {column.name: column for column in table.columns}
    rows = np.ones(table.rows, dtype=bool)
    for clause in clauses:
        column = columns.get(clause.attribute)
        rows &= _fulfilled(column, clause) if column is not None else False
    return rows


def _fulfilled(column: Column, clause: Clause) -> Bools:
    if column.kind == "category":
        place = column.labels.index(clause.label) if clause.label in column.labels else -2
        return np.asarray(column.values == place)
    values = column.values
    above = np.isfinite(values) if clause.low is None else values >= clause.low.value
    below = np.isfinite(values) if clause.high is None else values < clause.high.value
    if clause.low is not None and clause.high is not None and clause.low.value > clause.high.value:
        return above | below
    return above & below & np.isfinite(values)


@dataclass(frozen=True, slots=True)
class Share:
    """``failed`` of ``rows``."""

    failed: int
    rows: int

    @property
    def rate(self) -> float:
        return self.failed / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A conjunction under which the target happens more often than could be by chance.

    ``here`` counts all rows that fulfil the clauses, ``elsewhere`` all others. ``p_value`` is that of the
    exam: of the nearest conjunction of the language searched, among the rows that no other rule explains,
    against what earlier rows of the same users, strata and times made expect (``expected`` failures
    among ``examined``). ``p_adjusted`` bounds the family-wise error over the whole language.
    ``raw`` compares *success* rates here and elsewhere, ``within`` the same inside strata. ``earlier`` and
    ``later`` are the halves of the rows in order of time: whether it held throughout. ``rows`` are row
    numbers of the table, in order; ``failed_rows`` those of them where the target happened.
    """

    clauses: tuple[Clause, ...]
    here: Share
    elsewhere: Share
    examined: Share
    expected: float
    p_value: float
    p_adjusted: float
    raw: Comparison | None
    within: Comparison | None
    users: int
    earlier: Share
    later: Share
    rows: Ints
    failed_rows: Ints

    def __str__(self) -> str:
        clauses = " and ".join(str(clause) for clause in self.clauses)
        return (
            f"{clauses}: {self.here.failed} of {self.here.rows}; "
            f"elsewhere {self.elsewhere.failed} of {self.elsewhere.rows}"
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A conjunction that may not be claimed, and why not (yet).

    ``explained``: it is no chance, but within comparable rows it vanishes. ``needs`` is how many more rows like these, failing at the same rate, would make it a rule; None where
    more rows alone would not.
    """

    rule: Rule
    reason: str
    needs: int | None
    explained: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Everything a run has to say. ``language`` counts the conjunctions searched, by arity from 1 up.

    ``note`` says why nothing could be mined at all, None where something could.
    """

    rules: tuple[Rule, ...]
    candidates: tuple[Candidate, ...]
    not_mined: tuple[NotMined, ...]
    language: tuple[int, ...]
    rows: int
    failed: int
    note: str | None = None

    @classmethod
    def nothing(cls, rows: int, failed: int, note: str, not_mined: Sequence[NotMined] = ()) -> Result:
        return cls((), (), tuple(not_mined), (), rows, failed, note)
