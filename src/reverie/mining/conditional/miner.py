"""Conditional patterns as a miner: questions of a corpus answered by rules, told as findings."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log2
from typing import Final, TypeAlias

import numpy as np

from reverie.domain.events import Json
from reverie.domain.findings import Effect, Finding, Nature, Silence
from reverie.domain.observations import Observation
from reverie.mining.conditional.arrays import Bools, Ints
from reverie.mining.conditional.axes import NotMined
from reverie.mining.conditional.choices import ALPHA as CHOICES
from reverie.mining.conditional.choices import Better, better_choices
from reverie.mining.conditional.choosing import choice_finding
from reverie.mining.conditional.judging import (
    Choice,
    HeldBack,
    choice_of,
    held_back,
    mere_symptom,
    merely_given,
    missing_step,
    recounted,
    up_to_first_failure,
)
from reverie.mining.conditional.mine import mine_rules
from reverie.mining.conditional.report import Candidate, Clause, Result, Rule
from reverie.mining.conditional.reporting import vanishes
from reverie.mining.conditional.restating import RESTATING
from reverie.mining.conditional.scores import effect
from reverie.mining.conditional.table import Table
from reverie.mining.conditional.targets import Question, silences_of, survey_of
from reverie.mining.conditional.telling import (
    advice_of,
    claim_of,
    conditions_of,
    occasion_of,
    subject_of,
    title_of,
    warning_of,
)
from reverie.mining.eras import lately, with_eras
from reverie.mining.evidence import Claim
from reverie.mining.phrasing import code
from reverie.plugins import Corpus

__all__ = ["Answer", "ConditionalPatterns"]

ALPHA: Final = 0.05
RULES: Final = ALPHA - CHOICES
"""The chance of any false rule; the rest of ALPHA is of false choices."""
MIN_SESSIONS: Final = 5
LEAST_RATE: Final = 0.2
LEAST_EFFECT: Final = 0.2  # Cohen's h, as in the search
SAME: Final = 0.5
NEARLY: Final = 1.0
"""A candidate is named when this many times the evidence it has would make it a rule."""
STANDS_IN: Final = "it tells which sessions had which memory: what goes with it may be what memory did"


_COUNTS: Final = re.compile(r"(?<=none of its )\d+ |\d+ (?=rarer values)| of \d+(?= were left out)")
_Search: TypeAlias = Callable[[Table, Bools], Result]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """A question and what came of it: rules, candidates that need more evidence, what was not mined and why.

    ``confirmed`` is what held-back sessions say of each rule; ``restating`` are rules that restate the
    outcome.
    """

    question: Question
    result: Result
    confirmed: Sequence[HeldBack | None] = ()
    restating: Sequence[Rule] = ()


class ConditionalPatterns:
    """Circumstances under which things fail (``plugins.Miner``)."""

    @property
    def name(self) -> str:
        return "conditional-patterns"

    @property
    def version(self) -> str:
        return "3"

    def mine(self, corpus: Corpus) -> Iterable[Finding | Silence]:
        """Findings in order of weight, then what could not be looked at, or not be said yet, and why.

        The family-wise error is shared by all questions asked, half of it by what would have helped. Sessions that had
        other memory are not alike; what fails in silence is asked again of those since memory changed.
        """
        observations = with_eras(corpus.observations, corpus.memories)
        answers, unasked = self._answered(observations)
        told, doubts = _sifted(answers)
        better = better_choices(
            [
                *(a.question for a in answers if a.question.kind == "call" and a.question.error is None),
                *silences_of(observations),
                *silences_of(lately(observations)),
            ],
            [(one.question, one.rule.clauses) for one in told],
        )
        told = [one for one in told if not any(one.advised_by(other) for other in better)]
        findings = [one.finding(self.name, self.version, len(answers)) for one in told]
        findings += [choice_finding(other, self.name, self.version) for other in better]
        once = {
            f.key: f for f in sorted(findings, key=lambda f: (f.weight, f.id))
        }  # lately, or ever: the weightier
        yield from sorted(once.values(), key=lambda f: (-f.weight, f.key))
        about = [*unasked, *doubts, *(pair for answer in answers for pair in _unfinished(answer, told))]
        yield from (
            Silence(self.name, what, why) for what, why in dict.fromkeys((*about, *_not_mined(answers)))
        )

    def survey(self, corpus: Corpus) -> list[Answer]:
        """Every question worth asking of a corpus, with its answer: also what is not (yet) a finding."""
        return self._answered(with_eras(corpus.observations, corpus.memories))[0]

    def _answered(
        self, observations: Sequence[Observation]
    ) -> tuple[list[Answer], Sequence[tuple[str, str]]]:
        """Calls first; then whether sessions fail that no rule about their calls speaks of."""
        survey = survey_of(observations)
        answers: list[Answer] = []
        spoken_of: set[str] = set()
        for question in sorted(survey.questions, key=lambda q: q.kind == "session"):
            without = [o.session_id in spoken_of for o in question.cases.sessions]
            asked = up_to_first_failure(question)
            if question.kind == "session":
                asked &= ~np.array(without, dtype=bool)[question.cases.places]
            answer = _answered(question, asked, RULES / len(survey.questions))
            for rule in answer.result.rules:
                spoken_of |= {question.cases.session(row).session_id for row in map(int, rule.rows)}
            answers.append(answer)
        return answers, survey.unasked


def _answered(question: Question, asked: Bools, alpha: float) -> Answer:
    name, strata = question.cases.strata

    def search(table: Table, rows: Bools) -> Result:
        return mine_rules(
            table,
            [bool(h) if a else None for h, a in zip(question.happened, rows, strict=True)],
            strata=question.cases.eras
            if name == "session"
            else strata,  # its first case is what matters of one
            users=question.cases.users,
            times=question.cases.times,
            alpha=alpha,
        )

    result = search(question.table(), asked)
    held = held_back(question, asked, result, lambda rows: search(question.table(), rows))
    return Answer(question, result, held, _restated(question, result, asked, search))


def _restated(question: Question, result: Result, asked: Bools, search: _Search) -> list[Rule]:
    """For each attribute that restates the outcome the rule that says so."""
    names = {left.attribute for left in result.not_mined if left.reason == RESTATING}
    columns = [replace(c, known_before=True) for c in question.table().columns if c.name in names]
    return [rule for c in columns for rule in search(Table.of([c]), asked).rules[:1]]


# ---------------------------------------------------------------------- from rules to findings


def _sifted(answers: Iterable[Answer]) -> tuple[list[_Told], list[tuple[str, str]]]:
    """What to tell, the surest first, each cause once; and what not, with the reason."""
    doubts: list[tuple[str, str]] = []
    kept: list[_Told] = []
    for one in sorted((t for a in answers for t in _told(a)), key=lambda t: (t.rule.p_adjusted, t.idea)):
        doubt = one.doubt
        if doubt is not None:
            doubts.append((one.claim, doubt))
            continue
        twin = next((other for other in kept if one.says_the_same(other)), None)
        if twin is None:
            kept.append(one)
        elif one.question.about != twin.question.about:
            twin.also.append(one.subject)
    return kept, doubts


def _told(answer: Answer) -> Iterator[_Told]:
    held = [*answer.confirmed, *([None] * len(answer.result.rules))]
    for rule, confirmed in zip(answer.result.rules, held, strict=False):
        whole = recounted(answer.question, rule)
        choice = None if vanishes(whole) else choice_of(answer.question, whole)
        nature = "explained" if vanishes(whole) else "situation" if choice is None else "behaviour"
        yield _Told(answer, whole, nature, choice, confirmed, [])
    for rule in answer.restating:
        yield _Told(answer, recounted(answer.question, rule), "tautology", None, None, [])
    for candidate in answer.result.candidates:
        if candidate.explained:
            yield _Told(answer, candidate.rule, "explained", None, None, [])


@dataclass(frozen=True, slots=False, eq=False)
class _Told:
    """A rule on its way to a finding. ``also``: what else the same circumstances do."""

    answer: Answer
    rule: Rule
    nature: Nature
    choice: Choice | None
    confirmed: HeldBack | None
    also: list[str]

    @property
    def question(self) -> Question:
        return self.answer.question

    @cached_property
    def idea(self) -> str:
        """Names the idea: the thresholds of tomorrow are others, the attributes are not."""
        return f"{self.question.key}:{'&'.join(sorted(self.marks))}"

    @cached_property
    def marks(self) -> frozenset[str]:
        return frozenset(_mark(clause) for clause in self.rule.clauses)

    @cached_property
    def mistake(self) -> tuple[str, str] | None:
        return self.question.mistake(self.rule.failed_rows)

    @property
    def example(self) -> str | None:
        return None if self.mistake is None else self.mistake[1]

    @cached_property
    def subject(self) -> str:
        return subject_of(self.question.kind, self.question.about, self.example)

    @property
    def claim(self) -> str:
        return claim_of(self.subject, self.rule, self.question.kind)

    @cached_property
    def sessions(self) -> frozenset[str]:
        """Sessions that fulfil the conditions."""
        return self._sessions(self.rule.rows)

    @cached_property
    def cases(self) -> frozenset[tuple[str, object]]:
        """What fulfils the conditions, by session and arguments: the same in every question about a tool."""
        cases = self.question.cases
        return frozenset(
            (cases.session(row).session_id, frozenset(cases.given[row].items()))
            for row in map(int, self.rule.rows)
        )

    @cached_property
    def failing(self) -> frozenset[str]:
        return self._sessions(self.rule.failed_rows)

    def _sessions(self, rows: Ints) -> frozenset[str]:
        return frozenset(self.question.cases.session(row).session_id for row in map(int, rows))

    @cached_property
    def doubt(self) -> str | None:
        """Why it is no finding although it is no chance."""
        if len(self.failing) < MIN_SESSIONS:
            return f"seen in {len(self.failing)} sessions only: it may be an accident of theirs"
        if self.confirmed is not None and self.confirmed.refutes:
            here = self.confirmed.here
            return f"sessions held back do not bear it out: {here.failed} of {here.rows} there"
        return self._misleading if self.nature in ("situation", "behaviour") else None

    @cached_property
    def _misleading(self) -> str | None:
        """Why it would be read as what it is not."""
        step = missing_step(self.question, self.rule)
        if step is not None:
            return f"it is the step {code(step)} that was missing before: told as such"
        given = merely_given(self.question, self.rule)
        if given is not None:
            return f"only whether {given} is given tells, not its value: it may be missing for a reason"
        if effect(self.rule.here.rate, self.rule.elsewhere.rate) < LEAST_EFFECT:
            return "only until it has happened once in a session, and not in all cases"
        if mere_symptom(self.question, self.rule):
            return "some sessions go badly from the beginning, and within a session it makes no difference"
        return "too seldom to act on" if self.rule.here.rate < LEAST_RATE else None

    def says_the_same(self, other: _Told) -> bool:
        """The same cases of the same tool, or the same circumstances of the same sessions."""
        mine, its = self.question, other.question
        if (mine.kind, mine.about) == (its.kind, its.about):
            return len(self.cases & other.cases) >= SAME * min(len(self.cases), len(other.cases))
        if not self.marks & other.marks:
            return False
        both = len(self.failing & other.failing)
        return both >= SAME * min(len(self.failing), len(other.failing))

    def advised_by(self, better: Better) -> bool:
        """Whether a better choice says what this does: the same argument, in much the same circumstances."""
        if better.option.name not in {clause.attribute for clause in self.rule.clauses}:
            return False
        if self.question.kind == better.question.kind == "session":
            its = better.question.cases.session
            both = self.failing & {its(row).session_id for row in map(int, better.failed_rows)}
            return len(both) >= SAME * min(len(self.failing), len(better.failed_rows))
        if self.question.about != better.question.about:
            return False
        failing = np.isin(better.failed_rows, self.rule.failed_rows)
        return int(failing.sum()) >= SAME * min(len(better.failed_rows), len(self.rule.failed_rows))

    def finding(self, miner: str, version: str, asked: int) -> Finding:
        question, rule = self.question, self.rule
        claim = Claim(
            kind="conditional_pattern",
            idea=self.idea,
            nature=self.nature,
            text=self.claim,
            statement=self._statement(),
            sightings=question.sightings(rule.failed_rows),
            of_sessions=len(self.sessions),
            counter=question.sightings(self._against()),
            effect=self._effect(),
            origins=("agent", "tool"),
            weight=self._weight(),
            p_value=rule.p_value,
            p_adjusted=min(1.0, rule.p_adjusted),
        )
        finding = claim.finding(miner, version, self._parameters(asked))
        same = tuple(dict.fromkeys(name for clause in rule.clauses for name in clause.same_here))
        return replace(finding, conditions=conditions_of(rule.clauses), synonyms=same)

    def _against(self) -> Ints:
        """Cases that went well all the same; else those that failed under other circumstances."""
        spared = np.setdiff1d(self.rule.rows, self.rule.failed_rows, assume_unique=True)
        failed = np.flatnonzero(self.question.happened)
        return spared if len(spared) else np.setdiff1d(failed, self.rule.failed_rows, assume_unique=True)

    def _effect(self) -> Effect:
        rule = self.rule
        if self.nature == "explained":
            note = "explained by difficulty: within comparable sessions the difference vanishes"
            return Effect(rule.raw, rule.within, self.question.cases.strata[0], note)
        return Effect(rule.raw, rule.within, self.question.cases.strata[0] if rule.within else None)

    def _weight(self) -> float:
        """The difference it makes, in how many sessions, by how many users: as other miners weigh it."""
        difference = self.rule.here.rate - self.rule.elsewhere.rate
        return (
            (0.5 + difference)
            * log2(1 + len(self.failing))
            * (1 + 0.25 * min(max(self.rule.users - 1, 0), 4))
        )

    def _statement(self) -> dict[str, Json]:
        question, rule = self.question, self.rule
        found: dict[str, Json] = {
            "title": title_of(self.subject, rule),
            "when": occasion_of(question.kind, question.about),
            "target": {"kind": question.kind, "tool": question.about or None, "error": question.error},
            "here": [rule.here.failed, rule.here.rows],
            "elsewhere": [rule.elsewhere.failed, rule.elsewhere.rows],
            "earlier_half": [rule.earlier.failed, rule.earlier.rows],
            "later_half": [rule.later.failed, rule.later.rows],
            "expected_here": rule.expected,
        }
        if self.mistake is not None:
            found |= {
                "topic": f"mistake:{self.mistake[0]}",
                "mistake": self.mistake[0],
                "example": self.mistake[1],
            }
        repositories = {question.cases.session(row).repository for row in map(int, rule.failed_rows)}
        if len(repositories) == 1 and None not in repositories:
            found["scope"] = {"repository": next(iter(repositories))}
        same = {c.attribute: list(c.same_here) for c in rule.clauses if c.same_here}
        found |= {"same_here": dict[str, Json](same)} if same else {}
        found |= {"also": list(dict.fromkeys(self.also))} if self.also else {}
        if self.confirmed is not None:
            here, there = self.confirmed.here, self.confirmed.elsewhere
            found["held_back"] = {
                "here": [here.failed, here.rows],
                "elsewhere": [there.failed, there.rows],
            }
        return found | self._words()

    def _words(self) -> dict[str, Json]:
        """Advice where there is a choice, else a warning; nothing where nothing follows from it."""
        question, rule, choice = self.question, self.rule, self.choice
        if choice is not None:
            parts = (choice.clause, choice.others, choice.better)
            return {"advice": advice_of(question.about, self.example, rule, *parts)}
        if self.nature == "situation":
            return {"warning": warning_of(question.kind, question.about, self.example, rule)}
        return {}

    def _parameters(self, asked: int) -> Mapping[str, Json]:
        result = self.answer.result
        return {
            "alpha": RULES,
            "questions": asked,
            "rows": result.rows,
            "conjunctions": list(result.language),
        }


def _mark(clause: Clause) -> str:
    """A condition without its thresholds."""
    if clause.kind == "category":
        return f"{clause.attribute}={clause.label}"
    return (
        f"{clause.attribute}{'≥' if clause.low is not None else ''}{'<' if clause.high is not None else ''}"
    )


# ---------------------------------------------------------------------- what is not said, and why


def _unfinished(answer: Answer, told: Sequence[_Told]) -> Iterator[tuple[str, str]]:
    """Candidates that may become rules, of things that no finding speaks of."""
    for candidate in answer.result.candidates:
        one = _Told(answer, candidate.rule, "situation", None, None, [])
        if candidate.explained or not _nearly(candidate) or any(one.says_the_same(other) for other in told):
            continue
        more = f"; about {candidate.needs} more cases like these would tell" if candidate.needs else ""
        yield one.claim, candidate.reason + more


def _nearly(candidate: Candidate) -> bool:
    return candidate.needs is not None and candidate.needs <= NEARLY * candidate.rule.here.rows


def _not_mined(answers: Iterable[Answer]) -> Iterator[tuple[str, str]]:
    """Attributes that were left out, by reason (without its counts), once for each tool; and questions without an answer."""
    seen: set[tuple[str, str]] = set()
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for answer in answers:
        question = answer.question
        subject = code(question.about) if question.about else "sessions"
        if answer.result.note is not None:
            yield subject, answer.result.note
        stand_ins = (NotMined(name, STANDS_IN) for name in sorted(question.cases.stand_ins))
        for left in (*question.left_out, *stand_ins, *answer.result.not_mined):
            if (subject, left.attribute) not in seen:
                seen.add((subject, left.attribute))
                groups[subject, _COUNTS.sub("", left.reason)].append(left.attribute)
    for (subject, reason), names in groups.items():
        yield f"{subject}: {', '.join(names)}", reason
