"""What a rule is when looked at again: an agent's choice or its situation, more than an argument's presence,
and whether sessions that had no part in finding it bear it out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from reverie.domain.events import Scalar
from reverie.mining.conditional.arrays import Bools, Ints
from reverie.mining.conditional.cases import CHARS, WORKED_BEFORE, Cases
from reverie.mining.conditional.comparing import share, table, tables_within
from reverie.mining.conditional.options import is_own
from reverie.mining.conditional.report import Clause, Result, Rule, Share, rows_of
from reverie.mining.conditional.table import Column
from reverie.mining.conditional.targets import Question
from reverie.mining.statistics import Table as Fourfold
from reverie.mining.statistics import compare, compare_within, exact_p

__all__ = [
    "Choice",
    "HeldBack",
    "choice_of",
    "held_back",
    "mere_symptom",
    "merely_given",
    "missing_step",
    "recounted",
    "up_to_first_failure",
]

ENOUGH_SESSIONS: Final = 2_000
"""From how many sessions on a part is held back to confirm."""
HELD_BACK: Final = 4  # every fourth session
FEW: Final = 5
ALPHA: Final = 0.05
SAME_ROWS: Final = 0.5
STRAYS: Final = 0.05
DERIVED: Final = (CHARS, "_count")


@dataclass(frozen=True, slots=True)
class Choice:
    """A condition that agents fulfil or not when they try the same thing, and fare better when they do not.

    ``better`` is the label that went well most often instead (None for numbers).
    """

    clause: Clause
    others: tuple[Clause, ...]
    better: Scalar


def choice_of(question: Question, rule: Rule) -> Choice | None:
    """The condition that is for the agent to choose, if one is: its values are the agents' own, or it makes the
    difference between calls of one session that differ in this argument alone.

    What stays the same whenever the same thing is tried (a file's kind, the hour) is a situation.
    """
    if question.kind != "call":
        return None
    cases = question.cases
    for clause in rule.clauses:
        if not _is_argument(cases, clause):
            continue
        others = tuple(c for c in rule.clauses if c is not clause)
        comparable = rows_of(cases.table, others)
        having = rows_of(cases.table, rule.clauses)
        alike = _alike_but_for(cases, clause.attribute)
        within = compare_within(tables_within(alike, question.happened, having, comparable & ~having))
        told = within and within.strata >= FEW and within.difference < 0 and within.p_value <= ALPHA
        if told or is_own(cases, clause.attribute):
            return Choice(clause, others, _better(question, clause, comparable & ~having))
    return None


def _is_argument(cases: Cases, clause: Clause) -> bool:
    """Whether an attribute is given with the call itself, not known of its session or counted from a text."""
    return any(clause.attribute in given for given in cases.given) and not clause.attribute.endswith(DERIVED)


def _alike_but_for(cases: Cases, attribute: str) -> Ints:
    """Codes of calls of the same session with the same arguments, this one apart."""
    codes: dict[tuple[int, frozenset[tuple[str, Scalar]]], int] = {}
    return np.array(
        [
            codes.setdefault(
                (int(place), frozenset((n, v) for n, v in given.items() if n != attribute)), len(codes)
            )
            for place, given in zip(cases.places, cases.given, strict=True)
        ],
        dtype=np.int64,
    )


def _better(question: Question, clause: Clause, elsewhere: Bools) -> Scalar:
    column = _column(question, clause)
    if clause.kind != "category" or column is None:
        return None
    well = column.values[elsewhere & ~question.happened & (column.values >= 0)]
    return column.labels[int(np.bincount(well).argmax())] if len(well) else None


def _column(question: Question, clause: Clause) -> Column | None:
    return next((c for c in question.table().columns if c.name == clause.attribute), None)


def merely_given(question: Question, rule: Rule) -> str | None:
    """The attribute of which only the presence tells, if there is one: the same happens with its other values.

    Values that are missing are often missing for a reason; a threshold must tell more than that. A call's
    flag that is set or missing is a condition all the same; a session has an argument because of what it did.
    """
    for clause in rule.clauses:
        column = _column(question, clause)
        assert column is not None
        given = column.values >= 0 if clause.kind == "category" else np.isfinite(column.values)
        if given.all():
            continue
        others = rows_of(question.table(), [c for c in rule.clauses if c is not clause]) & given
        having = rows_of(question.table(), rule.clauses)
        here, there = (share(question.happened, rows) for rows in (having, others & ~having))
        flag = question.kind == "call" and clause.kind == "category"
        if there.rows < FEW and (flag or not _is_argument(question.cases, clause)):
            continue
        if there.rows < FEW or _more_often(here, there) > ALPHA:
            return clause.attribute
    return None


def mere_symptom(question: Question, rule: Rule) -> bool:
    """Whether "little had worked before" only tells which sessions go badly from beginning to end.

    It tells more when it makes a difference within the same session.
    """
    table, happened = question.table(), question.happened
    for clause in rule.clauses:
        if clause.attribute == WORKED_BEFORE:
            having = rows_of(table, rule.clauses)
            others = rows_of(table, [c for c in rule.clauses if c is not clause]) & ~having
            within = compare_within(tables_within(question.cases.places, happened, having, others))
            return within is None or within.difference >= 0 or within.p_value > ALPHA
    return False


def missing_step(question: Question, rule: Rule) -> str | None:
    """Another tool that had not worked before what failed here, and had before all that went well."""
    cases = question.cases
    if not any(clause.attribute == WORKED_BEFORE for clause in rule.clauses):
        return None
    failed = rows_of(cases.table, rule.clauses) & question.happened
    tools = frozenset[str]().union(*(tools for tools, _ in cases.before)) - {question.about}
    for tool in sorted(tools):
        done = np.array([tool in before for before, _ in cases.before])
        if done[failed].mean() <= STRAYS and done[~question.happened].mean() >= 1 - STRAYS:
            return tool
    return None


def up_to_first_failure(question: Question) -> Bools:
    """The cases of each session until it happens for the first time.

    What has happened in a session happens in it again, for whatever reason: a session is one witness.
    """
    places, happened = question.cases.places, question.happened.astype(np.int64)
    before = np.cumsum(happened) - happened
    starts = np.flatnonzero(np.append(True, places[1:] != places[:-1]))
    return before == np.repeat(before[starts], np.diff(np.append(starts, len(places))))


def recounted(question: Question, rule: Rule) -> Rule:
    """The rule with the figures of all cases; what it was tested on is part of them."""
    rows = rows_of(question.table(), rule.clauses)
    here, there = share(question.happened, rows), share(question.happened, ~rows)
    strata = question.cases.strata[1]
    failed = rows & question.happened
    return replace(
        rule,
        here=here,
        elsewhere=there,
        raw=compare(table(here, there)),
        within=None
        if strata is None
        else compare_within(tables_within(strata, question.happened, rows, ~rows)),
        users=len(np.unique(question.cases.users[failed])),
        rows=np.flatnonzero(rows),
        failed_rows=np.flatnonzero(failed),
    )


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A rule found without some of the sessions, counted on those: one-sided exact ``p_value``."""

    here: Share
    elsewhere: Share
    p_value: float

    @property
    def refutes(self) -> bool:
        """Enough was held back to see it, and it is not there."""
        return self.here.rows >= FEW and self.p_value > ALPHA


def held_back(
    question: Question, asked: Bools, result: Result, search: Callable[[Bools], Result]
) -> list[HeldBack | None]:
    """What every fourth session, held back, says of each rule; None where there are too few of them, or
    where the others alone do not show the rule.

    ``search`` mines the question's cases of a mask; ``asked`` are those that ``result`` is of.
    """
    cases = question.cases
    if not result.rules or len(cases.sessions) < ENOUGH_SESSIONS:
        return [None] * len(result.rules)
    kept = np.array([_is_kept(o.session_id) for o in cases.sessions])[cases.places]
    found = [rows_of(cases.table, rule.clauses) for rule in search(asked & kept).rules]
    return [_borne_out(question, rule, found, kept) for rule in result.rules]


def _is_kept(session_id: str) -> bool:
    return hashlib.blake2b(session_id.encode(), digest_size=2).digest()[0] % HELD_BACK != 0


def _borne_out(question: Question, rule: Rule, found: Sequence[Bools], kept: Bools) -> HeldBack | None:
    rows = rows_of(question.table(), rule.clauses) & kept
    shared = [
        int(np.count_nonzero(rows & other)) / max(1, np.count_nonzero(kept & (rows | other)))
        for other in found
    ]
    if not shared or max(shared) < SAME_ROWS:
        return None
    twin = found[int(np.argmax(shared))]
    here, there = share(question.happened, twin & ~kept), share(question.happened, ~twin & ~kept)
    return HeldBack(here, there, _more_often(here, there))


def _more_often(here: Share, there: Share) -> float:
    """One-sided exact p-value of "no more often here than there"."""
    return exact_p([Fourfold(here.failed, here.rows, there.failed, there.rows)], alternative="greater")
