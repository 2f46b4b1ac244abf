"""Says of a rubric what a grader will stumble over. No model is asked; what is doubtful is not said."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Final, Literal, TypeAlias

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein

from reverie.domain.outcomes import Criterion, Rubric
from reverie.outcomes.lint_limits import Facts, clash, facts, numbers, singular
from reverie.outcomes.lint_words import compound, spoken, unverifiable, vague

__all__ = ["Remark", "RemarkKind", "lint"]

RemarkKind: TypeAlias = Literal["vague", "unverifiable", "compound", "contradictory", "duplicate", "no-must"]

_ALIKE: Final = 75.0
"""How alike, in percent, the words of duplicates stand in order (``rapidfuzz.fuzz.ratio``). Which words they are
must be the same besides, so this only keeps "A before B" from "B before A"."""
_NOT: Final = re.compile(r"\b(?:not|no|never|without|avoids?|cannot|none|nor)\b|n['’]t\b")


_QUOTED: Final = re.compile(r"`[^`]*`|\"[^\"]*\"|“[^“”]{0,300}”")
_SILENT: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "this",
        "its",
        "it",
        "must",
        "should",
        "shall",
        "is",
        "are",
        "be",
        "has",
        "have",
        "contain",
        "contains",
        "include",
        "includes",
    ]
)
_LONGEST: Final = 4000
"""Characters of a criterion whose words are looked at."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about a rubric that its author should mend. ``criterion`` is an id, "" for the whole rubric."""

    line: int
    criterion: str
    kind: RemarkKind
    message: str
    suggestion: str


def lint(rubric: Rubric) -> list[Remark]:
    """Remarks on a rubric, by line. A criterion has at most one about its words and one about each other one."""
    remarks = [remark for each in rubric.criteria for remark in _of_words(each, rubric.guidance)]
    remarks += _of_pairs(rubric.criteria)
    if not any(each.must for each in rubric.criteria):
        remarks.append(
            Remark(
                rubric.criteria[0].line if rubric.criteria else 1,
                "",
                "no-must",
                "nothing in it must be met, so every work satisfies it",
                "mark what the work cannot do without as [must]",
            )
        )
    return sorted(remarks, key=lambda each: each.line)


def _of_words(criterion: Criterion, guidance: str) -> Iterator[Remark]:
    """A criterion with a check is judged by it, whatever its words."""
    if criterion.check is not None:
        return
    words = spoken(criterion.text[:_LONGEST])
    if told := unverifiable(words):
        yield _remark(
            criterion,
            "unverifiable",
            f"{told!r} is nothing that the deliverables show",
            "say what must be seen in the files or in the final message",
        )
    elif told := vague(words, guidance):
        yield _remark(
            criterion,
            "vague",
            f"{told!r} means something else to everybody",
            "say how to tell: a number, a list of what must be there, an example",
        )
    if (many := compound(words)) > 1:
        yield _remark(
            criterion,
            "compound",
            f"{many} demands in one: when one is not met, which it was is lost",
            "make each of them an item of its own",
        )


def _of_pairs(criteria: Sequence[Criterion]) -> Iterator[Remark]:
    known = [_Known.of(each) for each in criteria]
    for at, later in enumerate(known):
        if told := clash(later.facts, later.facts):
            yield _remark(
                later.criterion, "contradictory", f"{told} cannot hold together", "keep one of them"
            )
        yield from islice(filter(None, (_of_pair(earlier, later) for earlier in known[:at])), 1)


def _of_pair(earlier: _Known, later: _Known) -> Remark | None:
    line = earlier.criterion.line
    if told := clash(earlier.facts, later.facts):
        message = f"cannot hold together with line {line}: {told}"
        return _remark(
            later.criterion, "contradictory", message, "keep one of them, or say what each is about"
        )
    if earlier.same(later):
        message = f"says the same as line {line}"
        return _remark(later.criterion, "duplicate", message, "keep one of them: it would count twice")
    return None


def _remark(criterion: Criterion, kind: RemarkKind, message: str, suggestion: str) -> Remark:
    return Remark(criterion.line, criterion.id, kind, message, suggestion)


@dataclass(frozen=True, slots=True)
class _Known:
    """A criterion, and what is compared of it: what must be ``equal`` to the letter, and its ``words`` in order."""

    criterion: Criterion
    facts: Facts
    equal: tuple[Sequence[str], int, Sequence[str]]
    words: Sequence[str]

    @classmethod
    def of(cls, criterion: Criterion) -> _Known:
        text = criterion.text.lower()
        words = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", spoken(text))
        return cls(
            criterion,
            facts(criterion),
            (numbers(text), len(_NOT.findall(text)), sorted(_QUOTED.findall(text))),
            [singular(word) for word in words if word not in _SILENT],
        )

    def same(self, other: _Known) -> bool:
        """Near-identical: the same words but for inflection and typing errors, numbers, quotations and negations
        equal."""
        checks = {self.criterion.check is None, other.criterion.check is None} == {False}
        if self.facts.about != other.facts.about or self.equal != other.equal:
            return False
        if checks and self.criterion.check != other.criterion.check:
            return False
        if not self.words or not other.words:
            return self.criterion.text.split() == other.criterion.text.split()
        here, there = Counter(self.words), Counter(other.words)
        akin = _pair_up([*(here - there).elements()], [*(there - here).elements()])
        return akin and fuzz.ratio(" ".join(self.words), " ".join(other.words)) >= _ALIKE


def _pair_up(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether what one has and the other lacks are forms or misspellings of the same words."""
    return all(
        word is not None and other is not None and _akin(word, other)
        for word, other in zip_longest(sorted(words), sorted(others))
    )


def _akin(word: str, other: str) -> bool:
    if _stem(word) == _stem(other) and len(_stem(word)) > 2:
        return True
    long = min(len(word), len(other)) > 5 and word[:2] == other[:2]
    return long and DamerauLevenshtein.distance(word, other) == 1


def _stem(word: str) -> str:
    return re.sub(r"(?:e?d|ing|e?s|ly)$", "", word).rstrip("e")
