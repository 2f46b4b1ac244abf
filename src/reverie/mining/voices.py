"""What people say, gathered over sessions: who wants what, in which words, and how often it comes back."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz.fuzz import token_sort_ratio

from reverie.domain.observations import Observation, Remark
from reverie.mining.evidence import Sighting
from reverie.mining.vocabulary import vocabulary
from reverie.mining.wording import signature

__all__ = ["Voice", "alike", "opposites", "reported_check", "voices_of", "wish_of"]

SIMILARITY: Final = 70.0
MAX_VOICE: Final = 200


@dataclass(frozen=True, slots=True)
class Voice:
    """One remark of one person. ``follow_up``: the agent had acted before it; ``words``: its stems, without
    the negation that ``negative`` tells of."""

    observation: Observation
    remark: Remark
    follow_up: bool
    words: frozenset[str]
    negative: bool

    def sighting(self) -> Sighting:
        return Sighting(self.observation, self.remark.at, self.remark.span)


def voices_of(own: Iterable[tuple[Observation, tuple[Remark, ...]]]) -> list[Voice]:
    """Every remark with words of its own, short enough to be one thought."""
    return [
        Voice(o, r, r.about is not None, words - {"not"}, "not" in words)
        for o, remarks in own
        for r in remarks
        if r.text and len(r.text) <= MAX_VOICE and (words := frozenset(r.signature.split()))
    ]


# ---------------------------------------------------------------------- near-duplicates


def alike(voices: Sequence[Voice]) -> list[list[Voice]]:
    """Groups of near-identical wordings (connected components), in order of their first signature.

    Compared are only wordings that share one of their two rarest words, which keeps it near linear.
    """
    by_signature: dict[str, list[Voice]] = defaultdict(list)
    for voice in voices:
        by_signature[voice.remark.signature].append(voice)
    unique = sorted(by_signature)
    parent = {s: s for s in unique}

    def root(s: str) -> str:
        while parent[s] != s:
            parent[s] = parent[parent[s]]
            s = parent[s]
        return s

    for a, b in _candidates(unique):
        if root(a) != root(b) and _same(a, b):
            low, high = sorted((root(a), root(b)))
            parent[high] = low
    groups: dict[str, list[Voice]] = defaultdict(list)
    for s in unique:
        groups[root(s)].extend(by_signature[s])
    return [groups[key] for key in sorted(groups)]


MAX_NEIGHBOURS: Final = 60


def _candidates(unique: Sequence[str]) -> Iterator[tuple[str, str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for s in unique:
        for word in set(s.split()) - {"not"}:
            index[word].append(s)
    for s in unique:
        words = sorted(set(s.split()) - {"not"}, key=lambda w: (len(index[w]), w))
        for word in words[:2]:
            for other in index[word][:MAX_NEIGHBOURS]:
                if s < other:
                    yield s, other


def _same(a: str, b: str) -> bool:
    left, right = set(a.split()), set(b.split())
    if ("not" in left) != ("not" in right):
        return False
    shared = (left & right) - {"not"}
    return (
        len(shared) >= 2
        and 2 * len(shared) >= min(len(left), len(right))
        and token_sort_ratio(a, b) >= SIMILARITY
    )


def opposites(voices: Iterable[Voice], group: Sequence[Voice]) -> Iterator[Voice]:
    """The remarks that say the contrary of a group: the same words with the other sign."""
    wordings = sorted({(tuple(sorted(v.words)), v.negative) for v in group})[:MAX_WORDINGS]
    known: dict[tuple[frozenset[str], bool], bool] = {}
    for voice in voices:
        said = voice.words, voice.negative
        if said not in known:
            known[said] = any(_contrary(*said, frozenset(words), sign) for words, sign in wordings)
        if known[said]:
            yield voice


MAX_WORDINGS: Final = 50


def _contrary(words: frozenset[str], negative: bool, others: frozenset[str], sign: bool) -> bool:
    if negative == sign or len(words & others) < max(2, (len(others) + 1) // 2):
        return False
    return token_sort_ratio(" ".join(sorted(words)), " ".join(sorted(others))) >= SIMILARITY


# ---------------------------------------------------------------------- wishes

_ASKING = re.compile(
    r"(?i)^(?:(?:and|but|so|then|also|ok|okay|yes|great|now|hmm|oh)[, ]+)*(?:(?:can|could|would|will|should|shall) (?:you|we)|"
    r"please|let['’]?s|i['’]?d like (?:you )?to|i want you to|we (?:should|need to)|you should|don['’]t forget to|make sure to)?[, ]*"
    r"(?:please|also|maybe|just|now|again|quickly|first)?[, ]*(?P<verb>[a-z]+)\b(?P<rest>.*)"
)
_VERBS: Final = vocabulary(
    """
    add avoid check clean cover delete document drop ensure explain extract format handle
    include introduce keep lint log mention move note print propose read refactor remove rename
    replace report review rewrite run show simplify split summarize test translate update use
    validate verify write
    """
)
_CEREMONY: Final = vocabulary(
    """
    commit push pr merg rebas continu plan branch conflict
    """
)


def wish_of(text: str) -> tuple[str, tuple[str, ...]] | None:
    """(verb, stems of its object) of a sentence that asks for something; None for any other sentence."""
    found = _ASKING.match(text)
    if found is None or found["verb"].lower() not in _VERBS:
        return None
    objects = tuple(w for w in signature(found["rest"]).split()[:4] if w != "not" and w.isalpha())
    if not objects or _CEREMONY & {*objects}:
        return None
    return found["verb"].lower(), objects


# ---------------------------------------------------------------------- reports of failed checks

_CHECK = r"(?P<check>lint(?:er|ing|s)?|tests?|test suite|unit tests?|integration tests?|builds?|ci|type ?checks?|test:\w+)"
_REPORT = re.compile(
    rf"(?i)\b{_CHECK}\b['\"`]?(?: (?:run|job|pipeline|step|and \w+))? ?(?:is|are|was|still|keeps?|now|shows?|has|have|showing|we get|i get)?"
    r"(?: (?:still|now|showing|all|some))*:? ?(?:failing|fails?|failed|failures?|errors?|broken|red|issues?|not passing|complains?)\b"
    rf"|\bfix (?:the |these |those |my |our |all |mise |some )*(?P<fixed>lint(?:er|ing)?|tests?|builds?|ci)\b"
    rf"|\b(?:fail(?:s|ed|ing)?|broke|breaks?) (?:the |our )?(?P<broke>lint(?:er|ing)?|tests?|builds?|ci)\b"
    rf"|\b(?:issues|errors|failures) (?:in|from|of) [`'\"]?(?:mise |npm |make |run )*(?P<from>lint|tests?|build|ci)\b"
    rf"|\b(?:run|running) [`'\"]?(?:mise |npm |make |run )*(?P<ran>lint|tests?(?::\w+)?|build|ci)[`'\"]? (?:i |we |it )?(?:gets?|fails?|shows?)\b"
)
_HYPOTHETICAL = re.compile(
    r"(?i)\b(?:if|unless|so that|would|add|write|not fail|did(?:n['’]t| not) \w+ fail)\b"
)
_NAMES: Final = (("lint", "lint"), ("type", "typecheck"), ("build", "build"), ("ci", "ci"))


def reported_check(text: str) -> str | None:
    """Which kind of check a sentence reports as failing (lint, test, build, ci, typecheck); None for none."""
    found = _REPORT.search(text)
    if found is None or _HYPOTHETICAL.search(text):
        return None
    name = next(value for value in found.groupdict().values() if value).lower()
    return next((kind for start, kind in _NAMES if name.startswith(start)), "test")
