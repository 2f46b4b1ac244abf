"""What somebody supposes, tested: exactly, within comparable cases, against what was to be expected anyway, and paid
for by all that may be supposed.

A model (or a person) *nominates* conditions; it neither chooses a threshold anew nor hears more than the answer. The
p-value is the larger of two, each valid by itself: the exact conditional test within strata (Gart 1970; of all cases,
where too few of them stand in strata that hold both kinds), and, where cases may depend on each other, the Chernoff
bound over prequential offsets, so that an unlucky user, a hard task or a bad week proves nothing (see
``conditional.offsets``). It is multiplied by how many hypotheses may be tried (Bonferroni; the number is fixed before
the first one): the chance of any false finding among them stays below ``ALPHA``, in whatever order they come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import exp, log2
from typing import Final, cast

import numpy as np

from reverie.domain.events import Json, Scalar
from reverie.domain.findings import Condition, Effect, Finding
from reverie.domain.observations import Observation
from reverie.mining.conditional.arrays import Bools, Floats, Ints
from reverie.mining.conditional.comparing import share, table, tables_within
from reverie.mining.conditional.judging import choice_of, mere_symptom, recounted, up_to_first_failure
from reverie.mining.conditional.miner import LEAST_EFFECT, LEAST_RATE, MIN_SESSIONS, STANDS_IN
from reverie.mining.conditional.offsets import guard_of
from reverie.mining.conditional.report import Bound, Clause, Rule, Share, rows_of
from reverie.mining.conditional.reporting import vanishes
from reverie.mining.conditional.scores import chernoff, effect
from reverie.mining.conditional.table import Column
from reverie.mining.conditional.targets import Question, question_about
from reverie.mining.conditional.telling import (
    advice_of,
    claim_of,
    conditions_of,
    occasion_of,
    subject_of,
    title_of,
    warning_of,
)
from reverie.mining.eras import with_eras
from reverie.mining.evidence import Claim, plural
from reverie.mining.statistics import exact_p
from reverie.plugins import Corpus, Hypothesis

__all__ = ["ExactTest"]

ALPHA: Final = 0.05
MOST_CONDITIONS: Final = 3
ENOUGH_ALIKE: Final = 0.5  # of the cases concerned: from then on only the test within strata counts
_LABELS: Final = 6
_REMEMBERED: Final = 32


class ExactTest:
    """Tests one hypothesis at a time (``plugins.Hypotheses``)."""

    def __init__(self) -> None:
        self._question = lru_cache(_REMEMBERED)(self._asked)
        self._corpus: Corpus | None = None
        self._seen: Sequence[Observation] = ()

    @property
    def name(self) -> str:
        return "exact-test"

    @property
    def version(self) -> str:
        return "2"

    def attributes(self, corpus: Corpus, tool: str) -> Mapping[str, str]:
        """``{"size_mb": "0.1 to 90", "file_ext": "pdf, docx, …"}``."""
        question = self._of(corpus, tool, None)
        if question is None:
            return {}
        out = {left.attribute for left in question.left_out}
        known = (c for c in question.table().columns if c.known_before is not False and c.name not in out)
        return {column.name: _range(column) for column in known}

    def test(self, corpus: Corpus, hypothesis: Hypothesis, *, tries: int) -> Finding | str:
        """See ``plugins.Hypotheses.test``."""
        question = self._of(corpus, hypothesis.tool, hypothesis.error)
        if question is None:
            return (
                f"no call of {hypothesis.tool!r} has a result" if hypothesis.tool else "no outcome is known"
            )
        if not question.happened.any():
            return "it did not happen once"
        clauses = _clauses(question, hypothesis.conditions)
        if isinstance(clauses, str):
            return clauses
        rule = _rule(question, clauses, tries)
        return _doubt(question, rule) or _finding(self, question, rule, tries)

    def _of(self, corpus: Corpus, tool: str, error: str | None) -> Question | None:
        if corpus is not self._corpus:
            self._corpus, self._seen = corpus, with_eras(corpus.observations, corpus.memories)
            self._question.cache_clear()
        return self._question(tool, error)

    def _asked(self, tool: str, error: str | None) -> Question | None:
        return question_about(self._seen, "call" if tool else "session", tool, error)


# ---------------------------------------------------------------------- conditions


def _clauses(question: Question, conditions: tuple[Condition, ...]) -> tuple[Clause, ...] | str:
    """The conditions as the miner has them, bounds of one attribute together; or why they cannot be asked."""
    if not 1 <= len(conditions) <= MOST_CONDITIONS:
        return f"a hypothesis has one to {MOST_CONDITIONS} conditions"
    columns = {column.name: column for column in question.table().columns}
    out = {left.attribute: left.reason for left in question.left_out}
    out |= dict.fromkeys(question.cases.stand_ins, STANDS_IN)
    clauses: dict[str, Clause] = {}
    for condition in conditions:
        name = condition.attribute
        column = columns.get(name)
        if name in out or column is None or column.known_before is False:
            return f"{name}: {out.get(name, 'there is no such attribute that is known before')}"
        said = _clause(column, condition, clauses.get(name))
        if isinstance(said, str):
            return said
        clauses[name] = said
    return tuple(clauses[name] for name in sorted(clauses))


def _clause(column: Column, condition: Condition, known: Clause | None) -> Clause | str:
    name, value = condition.attribute, condition.value
    if column.kind == "category":
        label = next((each for each in column.labels if _same(each, value)), None)
        if known is not None or condition.op != "==" or label is None:
            return f"{name} is one of: {_range(column)}; it is compared once, with =="
        return Clause(name, "category", label)
    if condition.op == "==" or isinstance(value, str | bool | tuple) or value is None:
        return f"{name} is a number ({_range(column)}): it is compared with >= or <"
    bound = Bound(float(value), float(value), float(value))
    clause = known or Clause(name, column.kind)
    if (clause.low if condition.op == ">=" else clause.high) is not None:
        return f"{name} has two bounds of one sort"
    return replace(clause, low=bound) if condition.op == ">=" else replace(clause, high=bound)


def _same(label: Scalar, value: object) -> bool:
    return label == value or str(label).casefold() == str(value).casefold()


def _range(column: Column) -> str:
    if column.kind == "category":
        counts = Counter(map(int, column.values[column.values >= 0]))
        most = [str(column.labels[code])[:40] for code, _ in counts.most_common(_LABELS)]
        return ", ".join(most) + (", …" if len(column.labels) > _LABELS else "")
    values = cast(Floats, column.values)
    known = values[np.isfinite(values)]
    return f"{float(known.min()):g} to {float(known.max()):g}" if len(known) else "never known"


# ---------------------------------------------------------------------- the test


def _rule(question: Question, clauses: tuple[Clause, ...], tries: int) -> Rule:
    """The conditions with all their figures."""
    asked = up_to_first_failure(question)
    having = rows_of(question.table(), clauses)
    expected = _expected(question, asked)
    examined = share(question.happened, having & asked)
    foreseen = float(expected[having & asked].sum()) if expected is not None else 0.0
    p = max(_exact(question, having, asked), _guarded(examined, expected, foreseen))
    halves = _halves(question, having)
    bare = Rule(
        clauses=clauses,
        here=examined,
        elsewhere=share(question.happened, ~having & asked),
        examined=examined,
        expected=foreseen,
        p_value=p,
        p_adjusted=min(1.0, p * tries),
        raw=None,
        within=None,
        users=0,
        earlier=halves[0],
        later=halves[1],
        rows=np.flatnonzero(having),
        failed_rows=np.flatnonzero(having & question.happened),
    )
    return recounted(question, bare)


def _exact(question: Question, having: Bools, asked: Bools) -> float:
    """One-sided: more failures here than elsewhere. What has happened once in a session counts once."""
    here, there = having & asked, ~having & asked
    groups = question.cases.strata[1]
    alike = [] if groups is None else tables_within(groups, question.happened, here, there)
    enough = sum(t.n for t in alike) >= ENOUGH_ALIKE * int(np.count_nonzero(here))
    pooled = [table(share(question.happened, here), share(question.happened, there))]
    failures = [replace(t, a=t.n - t.a, b=t.m - t.b) for t in (alike if alike and enough else pooled)]
    return exact_p(failures, alternative="greater")


def _expected(question: Question, asked: Bools) -> Floats | None:
    """What was to be expected of each case, by earlier ones; None where nothing could make them depend."""
    cases = question.cases
    grouped = [codes for codes in (cases.strata[1], cases.users, cases.session_codes) if _parts(codes)]
    guard = guard_of(len(cases), grouped, cases.times if np.isfinite(cases.times).any() else None)
    return None if guard.exchangeable else guard.expected(question.happened, asked)


def _parts(codes: Ints | None) -> bool:
    """Whether these codes tell rows apart."""
    return codes is not None and len(np.unique(codes)) > 1


def _guarded(examined: Share, expected: Floats | None, foreseen: float) -> float:
    return 0.0 if expected is None else exp(chernoff(examined.failed, examined.rows, foreseen))


def _halves(question: Question, having: Bools) -> tuple[Share, Share]:
    """The rows concerned, in two halves by time."""
    rows = np.flatnonzero(having)
    order = rows[np.argsort(question.cases.times[rows], kind="stable")]
    half = len(order) // 2

    def told(part: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Share:
        return Share(int(question.happened[part].sum()), len(part))

    return told(order[:half]), told(order[half:])


def _doubt(question: Question, rule: Rule) -> str | None:
    """Why it is no finding, with the numbers that say so."""
    if not rule.here.rows:
        return "no case fulfils the conditions"
    why = _weakness(question, rule)
    here, there = rule.here, rule.elsewhere
    return why and f"{here.failed} of {here.rows} here, {there.failed} of {there.rows} elsewhere; {why}"


def _weakness(question: Question, rule: Rule) -> str | None:
    failing = len(np.unique(question.cases.places[rule.failed_rows]))
    if failing < MIN_SESSIONS:
        return f"seen in {plural(failing, 'session')}, which may be an accident of theirs"
    if rule.p_adjusted > ALPHA:
        return f"that may be chance (p {rule.p_value:.2g}; {rule.p_adjusted:.2g} after all that may be tried)"
    if vanishes(rule):
        return "within comparable cases the difference vanishes: explained by difficulty"
    if rule.here.rate < LEAST_RATE or effect(rule.here.rate, rule.elsewhere.rate) < LEAST_EFFECT:
        return "true, and too little to act on"
    if mere_symptom(question, rule):
        return "some sessions go badly from the beginning, and within one it makes no difference"
    return None


# ---------------------------------------------------------------------- the finding


def _finding(test: ExactTest, question: Question, rule: Rule, tries: int) -> Finding:
    mistake = question.mistake(rule.failed_rows)
    subject = subject_of(question.kind, question.about, mistake[1] if mistake else None)
    choice = choice_of(question, rule)
    spared = np.setdiff1d(rule.rows, rule.failed_rows, assume_unique=True)
    failing = len(np.unique(question.cases.places[rule.failed_rows]))
    claim = Claim(
        kind="conditional_pattern",
        idea=f"{question.key}:{'&'.join(str(clause) for clause in rule.clauses)}",
        nature="situation" if choice is None else "behaviour",
        text=claim_of(subject, rule, question.kind),
        statement=_statement(question, rule, subject, mistake),
        sightings=question.sightings(rule.failed_rows),
        of_sessions=len(np.unique(question.cases.places[rule.rows])),
        counter=question.sightings(spared),
        effect=Effect(rule.raw, rule.within, question.cases.strata[0] if rule.within else None),
        origins=("agent", "tool"),
        weight=(0.5 + rule.here.rate - rule.elsewhere.rate) * log2(1 + failing),
        p_value=rule.p_value,
        p_adjusted=rule.p_adjusted,
    )
    parameters: dict[str, Json] = {"alpha": ALPHA, "tries": tries, "rows": len(question.cases)}
    return replace(claim.finding(test.name, test.version, parameters), conditions=conditions_of(rule.clauses))


def _statement(
    question: Question, rule: Rule, subject: str, mistake: tuple[str, str] | None
) -> dict[str, Json]:
    name, example = mistake or (None, None)
    told: dict[str, Json] = {
        "title": title_of(subject, rule),
        "when": occasion_of(question.kind, question.about),
        "target": {"kind": question.kind, "tool": question.about or None, "error": question.error},
        "here": [rule.here.failed, rule.here.rows],
        "elsewhere": [rule.elsewhere.failed, rule.elsewhere.rows],
        "earlier_half": [rule.earlier.failed, rule.earlier.rows],
        "later_half": [rule.later.failed, rule.later.rows],
        "expected_here": rule.expected,
        "supposed": True,
    }
    if name is not None:
        told |= {"topic": f"mistake:{name}", "mistake": name, "example": example}
    choice = choice_of(question, rule)
    if choice is not None:
        parts = (choice.clause, choice.others, choice.better)
        return told | {"advice": advice_of(question.about, example, rule, *parts)}
    return told | {"warning": warning_of(question.kind, question.about, example, rule)}
