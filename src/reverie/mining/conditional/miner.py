"""Conditional patterns as a miner: questions of a corpus answered by rules, told as findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import log2
from typing import Final

import numpy as np

from reverie.domain.events import Json
from reverie.domain.findings import Effect, Finding
from reverie.mining.conditional.arrays import Ints
from reverie.mining.conditional.mine import mine_rules
from reverie.mining.conditional.report import Clause, Result, Rule
from reverie.mining.conditional.targets import Question, questions
from reverie.mining.conditional.telling import claim_of, conditions_of, subject_of, warning_of
from reverie.mining.evidence import Claim, Sighting
from reverie.plugins import Corpus

__all__ = ["Answer", "ConditionalPatterns"]

ALPHA: Final = 0.05
MIN_SESSIONS: Final = 3
SAME_ROWS: Final = 0.5
MOST_REASONS: Final = 30


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A question and what came of it: rules, candidates that need more evidence, what was not mined and why."""

    question: Question
    result: Result


class ConditionalPatterns:
    """Circumstances under which things fail (``plugins.Miner``)."""

    @property
    def name(self) -> str:
        return "conditional-patterns"

    @property
    def version(self) -> str:
        return "1"

    def mine(self, corpus: Corpus) -> Iterable[Finding]:
        """Findings in order of weight. The family-wise error is shared by all questions asked."""
        answers = self.survey(corpus)
        told = [_Told(answer, rule) for answer in answers for rule in answer.result.rules]
        findings = [
            t.finding(self.name, self.version, len(answers))
            for t in _distinct(t for t in told if t.worth_telling)
        ]
        return sorted(findings, key=lambda f: (-f.weight, f.key))

    def survey(self, corpus: Corpus) -> list[Answer]:
        """Every question worth asking of a corpus, with its answer: also what is not (yet) a finding."""
        asked = questions(corpus.observations)
        return [Answer(question, _answered(question, ALPHA / len(asked))) for question in asked]


def _answered(question: Question, alpha: float) -> Result:
    return mine_rules(
        question.table(),
        question.happened,
        strata=question.strata()[1],
        users=question.users(),
        sessions=question.sessions(),
        times=question.times(),
        alpha=alpha,
    )


def _distinct(told: Iterable[_Told]) -> list[_Told]:
    """Of several answers about the same calls the most certain: a tool that fails, and the error it fails with."""
    kept: list[_Told] = []
    for one in sorted(told, key=lambda t: (t.rule.p_adjusted, t.idea)):
        if not any(one.says_the_same(other) for other in kept):
            kept.append(one)
    return kept


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """A rule on its way to a finding."""

    answer: Answer
    rule: Rule

    @property
    def question(self) -> Question:
        return self.answer.question

    @property
    def idea(self) -> str:
        """Names the idea: the thresholds of tomorrow are others, the attributes are not."""
        return f"{self.question.key}:{'&'.join(sorted(_mark(clause) for clause in self.rule.clauses))}"

    @property
    def worth_telling(self) -> bool:
        """Seen in enough sessions to be no accident of one of them."""
        return len({s.observation.session_id for s in self._sightings(self.rule.failed_rows)}) >= MIN_SESSIONS

    def says_the_same(self, other: _Told) -> bool:
        if (self.question.kind, self.question.about) != (other.question.kind, other.question.about):
            return False
        both = len(np.intersect1d(self.rule.rows, other.rule.rows, assume_unique=True))
        return both >= SAME_ROWS * min(len(self.rule.rows), len(other.rule.rows))

    def finding(self, miner: str, version: str, asked: int) -> Finding:
        question, rule = self.question, self.rule
        subject = subject_of(question.kind, question.about, question.example if question.error else None)
        spared = np.setdiff1d(rule.rows, rule.failed_rows, assume_unique=True)
        sightings = self._sightings(rule.failed_rows)
        sessions = {question.rows[i].observation.session_id for i in map(int, rule.rows)}
        claim = Claim(
            kind="conditional_pattern",
            idea=self.idea,
            nature="situation",
            text=claim_of(subject, rule, question.kind),
            statement=self._statement(subject),
            sightings=sightings,
            of_sessions=len(sessions),
            counter=self._sightings(spared),
            effect=Effect(rule.raw, rule.within, question.strata()[0] if rule.within else None),
            origins=("agent", "tool"),
            weight=(rule.here.rate - rule.elsewhere.rate)
            * log2(1 + len(sessions))
            * (1 + 0.25 * min(rule.users, 5)),
            p_value=rule.p_value,
            p_adjusted=min(1.0, rule.p_adjusted),
        )
        finding = claim.finding(miner, version, self._parameters(asked))
        same = tuple(dict.fromkeys(name for clause in rule.clauses for name in clause.same_here))
        return replace(finding, conditions=conditions_of(rule.clauses), synonyms=same)

    def _sightings(self, numbers: Ints) -> list[Sighting]:
        found = (self.question.rows[i].sighting for i in map(int, numbers))
        return [sighting for sighting in found if sighting is not None]

    def _statement(self, subject: str) -> dict[str, Json]:
        question, rule = self.question, self.rule
        warning = warning_of(subject, rule)
        found: dict[str, Json] = {
            "title": warning.rstrip("."),
            "warning": warning,
            "when": f"When you call {question.about}" if question.about else "Before you start",
            "target": {"kind": question.kind, "tool": question.about or None, "error": question.error},
            "here": [rule.here.failed, rule.here.rows],
            "elsewhere": [rule.elsewhere.failed, rule.elsewhere.rows],
            "earlier_half": [rule.earlier.failed, rule.earlier.rows],
            "later_half": [rule.later.failed, rule.later.rows],
            "expected_here": rule.expected,
            "same_here": {c.attribute: list(c.same_here) for c in rule.clauses if c.same_here},
        }
        if question.example:
            found["example"] = question.example
        return found

    def _parameters(self, asked: int) -> Mapping[str, Json]:
        result = self.answer.result
        reasons = {left.attribute: left.reason for left in result.not_mined[:MOST_REASONS]}
        return {
            "alpha": ALPHA,
            "questions": asked,
            "rows": result.rows,
            "conjunctions": list(result.language),
            "not_mined": reasons,
        }


def _mark(clause: Clause) -> str:
    """A condition without its thresholds."""
    if clause.kind == "category":
        return f"{clause.attribute}={clause.label}"
    return (
        f"{clause.attribute}{'≥' if clause.low is not None else ''}{'<' if clause.high is not None else ''}"
    )
