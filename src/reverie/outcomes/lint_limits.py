"""Limits that exclude each other: at least 10 pages and at most 5, must and must not contain, checks too.

Two criteria are held against each other only where everything else in them is the same: a summary of at most
five lines says nothing against a report of at least ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, TypeAlias, cast

from reverie.domain.outcomes import Check, Criterion
from reverie.outcomes.lint_words import spoken

__all__ = ["Facts", "clash", "facts", "numbers", "singular"]

_NAMES: Final = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]
_NUMBER: Final = rf"(?:[0-9][0-9,]*(?:\.[0-9]+)?|{'|'.join(_NAMES)})"
_AT_LEAST: Final = r"at least|no(?:t)? (?:fewer|less) than|(?:a )?minimum(?: of)?|min\.?|≥|>="
_AT_MOST: Final = (
    r"at most|no(?:t)? (?:more|longer) than|(?:a )?maximum(?: of)?|max\.?|up to|not exceed(?:ing)?|≤|<="
)
_LIMIT: Final = re.compile(
    rf"(?:(?P<range>between)\s+(?P<from>{_NUMBER})\s+and|(?P<least>{_AT_LEAST})|(?P<most>{_AT_MOST})"
    rf"|(?P<more>more than)|(?P<less>(?:fewer|less) than|under)|(?P<exact>exactly|precisely))"
    rf"\s+(?P<number>{_NUMBER})(?=(?P<unit>\s?%|(?:[ -][a-z][a-z-]*){{1,3}}))|\b(?:no|without(?: any)?) (?P<none>[a-z]+s)\b"
)
_OR_MORE: Final = re.compile(rf"\b({_NUMBER}) or (more|fewer|less)\b")
_DEPENDS: Final = re.compile(
    r"\b(?:or|if|unless|except|when|where|otherwise|only|other than|until|while|before|after)\b"
)
_BREAKS: Final = frozenset(
    [
        "of",
        "in",
        "on",
        "at",
        "per",
        "for",
        "from",
        "to",
        "with",
        "without",
        "and",
        "or",
        "by",
        "that",
        "which",
        "who",
        "is",
        "are",
        "be",
        "each",
        "every",
        "long",
        "in-total",
    ]
)
_SILENT: Final = frozenset(
    # words that do not tell one thing from another
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
        "not",
        "may",
        "can",
        "do",
        "does",
        "is",
        "are",
        "be",
        "been",
        "being",
        "has",
        "have",
        "contain",
        "contains",
        "include",
        "includes",
        "cite",
        "cites",
        "use",
        "uses",
        "give",
        "gives",
        "name",
        "names",
        "list",
        "lists",
        "show",
        "shows",
        "state",
        "states",
        "mention",
        "mentions",
        "exceed",
        "exceeds",
        "long",
        "length",
        "total",
        "overall",
        "in",
        "of",
        "and",
        "to",
        "there",
        "any",
        "all",
        "with",
        "than",
        "least",
        "most",
        "report",
        "document",
        "text",
        "answer",
        "output",
        "file",
        "deliverable",
        "paper",
        "essay",
        "article",
        "work",
        "whole",
        "entire",
        "format",
        "content",
        "style",
        "general",
        "quality",
        "requirement",
        "requirements",
        "criteria",
        "rubric",
        "nice",
        "optional",
        "bonus",
        "need",
        "needs",
    ]
)
_HAS: Final = r"contains?|includes?|has|have|mentions?|names?|lists?|shows?|states?|gives?"
_VERB: Final = rf"(?P<has>{_HAS})|(?P<use>uses?)|(?P<cite>cites?|quotes?|refers? to)"
_NEVER: Final = re.compile(
    rf"(?P<who>.*?)\b(?:(?:must|should|shall|may|do|does|can)(?: not|n['’]t)|cannot|never):? (?:{_VERB}) (?P<what>.+)"
    rf"|(?P<who2>.*?)\b(?P<has2>{_HAS}) no (?P<what2>.+)"
)
_ALWAYS: Final = re.compile(rf"(?P<who>.*?)\b(?:{_VERB}) (?P<what>.+)")
_PAIRS: Final = (
    ("at_least", "at_most"),
    ("min_bytes", "max_bytes"),
    ("min_words", "max_words"),
    ("min_slides", "max_slides"),
    ("min_pages", "max_pages"),
)
Words: TypeAlias = frozenset[str]
_LONGEST: Final = 1000
"""Characters of a criterion that is looked at: longer ones are not of the kind that these forms tell."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a criterion says that another can contradict. ``about`` is what its section says it is about."""

    about: Words
    limits: Sequence[_Limit]
    claim: _Claim | None
    check: Check | None


def facts(criterion: Criterion) -> Facts:
    about = frozenset(_content(criterion.section))
    plain = _plain(criterion.text) if len(criterion.text) <= _LONGEST else ""
    if _DEPENDS.search(plain):
        return Facts(about, (), None, criterion.check)
    return Facts(about, tuple(_limits(plain)), _claim(plain), criterion.check)


def clash(first: Facts, second: Facts) -> str | None:
    """How two criteria exclude each other, or None."""
    if first.check and second.check and (told := _checks(first.check, second.check)):
        return told
    if first.about != second.about:
        return None
    for one, other in product(first.limits, second.limits):
        if one.about == other.about and one.unit == other.unit and not one.meets(other):
            return f"{one.told} and {other.told}"
    return _containing(first.claim, second.claim)


def numbers(text: str) -> list[str]:
    """The numbers in a text, in order, words among them as digits."""
    return [_digits(told) for told in re.findall(rf"\b{_NUMBER}\b", text.lower())]


def singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return (
        word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word
    )


@dataclass(frozen=True, slots=True)
class _Limit:
    about: Words
    unit: tuple[str, ...]
    low: float
    high: float
    told: str

    def meets(self, other: _Limit) -> bool:
        return max(self.low, other.low) <= min(self.high, other.high)


@dataclass(frozen=True, slots=True)
class _Claim:
    holds: bool
    verb: str
    about: Words
    what: Words


def _plain(text: str) -> str:
    """In small letters, quotations kept apart by what they quote, "3 or more" as "at least 3"."""
    kept = re.sub(
        r"[`\"“”]([^`\"“”\n]*)[`\"“”]", lambda found: "q" + found[1].encode().hex() if found[1] else "", text
    )
    told = spoken(kept).lower()
    return _OR_MORE.sub(
        lambda found: f"{'at least' if found[2] == 'more' else 'at most'} {found[1]}", told
    ).rstrip(". ")


def _limits(text: str) -> Iterator[_Limit]:
    found = [(each, _unit(each["unit"] or each["none"])) for each in _LIMIT.finditer(text)]
    counted = {word for _, unit in found for word in unit}
    about = frozenset(_content(_LIMIT.sub(" ", text))) - counted
    for each, unit in found:
        if unit:
            what = "" if each["none"] else f" {' '.join(each['unit'].split()[: len(unit)])}"
            yield _Limit(about, unit, *_interval(each), f"{each[0]}{what}")


def _interval(found: re.Match[str]) -> tuple[float, float]:
    if found["none"]:
        return 0, 0
    number = float(_digits(found["number"]))
    if found["range"]:
        return float(_digits(found["from"])), number
    # a whole number of things is meant, so that "more than 3" is 4 and up; for shares the difference is none
    step = 0.0 if "%" in found["unit"] else 1.0
    if found["least"] or found["more"]:
        return number + (step if found["more"] else 0), float("inf")
    if found["most"] or found["less"]:
        return 0, number - (step if found["less"] else 0)
    return number, number


def _unit(told: str) -> tuple[str, ...]:
    """What is counted."""
    words = told.replace("-", " ").split()
    at = next((at for at, word in enumerate(words) if word in _BREAKS), len(words))
    return tuple(singular(word) for word in words[:at])


def _containing(one: _Claim | None, other: _Claim | None) -> str | None:
    if one is None or other is None or one.holds == other.holds or not one.what:
        return None
    same = (one.verb, one.about, one.what) == (other.verb, other.about, other.what)
    return "one demands what the other forbids" if same else None


def _claim(text: str) -> _Claim | None:
    found = _NEVER.fullmatch(text)
    if found and found["what2"]:
        return _Claim(False, "has", frozenset(_content(found["who2"])), frozenset(_content(found["what2"])))
    holds = found is None
    found = found or _ALWAYS.fullmatch(text)
    if found is None or re.search(
        r"\b(?:no|not|never|nor|avoid|without)\b|n['’]t\b", found["who"] + found["what"]
    ):
        return None
    verb = next(name for name in ("has", "use", "cite") if found[name])
    return _Claim(holds, verb, frozenset(_content(found["who"])), frozenset(_content(found["what"])))


def _checks(one: Check, other: Check) -> str | None:
    here, there = one.wants, other.wants
    if one.kind == other.kind == "command":
        differs = here["command"] == there["command"] and here.get("exit", 0) != there.get("exit", 0)
        return "the same command is to end with two codes" if differs else None
    if (here.get("file"), here.get("message")) != (there.get("file"), there.get("message")):
        return None
    if "file" in here and bool(here.get("absent")) != bool(there.get("absent")):
        return f"`{here['file']}` is to be there and not to be there"
    return _bounds(here, there) or _bounds(there, here)


def _bounds(here: Mapping[str, Any], there: Mapping[str, Any]) -> str | None:
    for low, high in _PAIRS:
        # how often text occurs is a matter of which text
        texts = low == "at_least" and (here.keys() | there.keys()) & {"matches", "contains"}
        if not texts and low in here and high in there and here[low] > there[high]:
            return f"{low} = {here[low]} and {high} = {there[high]}"
    for wanted, forbidden in (("contains", "lacks"), ("matches", "forbids")):
        both = set(_several(here.get(wanted, ()))) & set(_several(there.get(forbidden, ())))
        if both:
            return f"{min(both)!r} is wanted and forbidden"
    return _cells(here.get("cells", {}), there.get("cells", {}))


def _cells(here: Mapping[str, Any], there: Mapping[str, Any]) -> str | None:
    for cell in sorted(here.keys() & there.keys()):
        if here[cell] != there[cell]:
            return f"{cell} is to be {here[cell]!r} and {there[cell]!r}"
    return None


def _several(told: Any) -> Sequence[str]:
    return (told,) if isinstance(told, str) else cast("Sequence[str]", told)


def _digits(told: str) -> str:
    return str(_NAMES.index(told)) if told in _NAMES else told.replace(",", "")


def _content(text: str) -> list[str]:
    """The words that tell one thing from another, in the singular, in order."""
    return [
        singular(word)
        for word in re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower())
        if word not in _SILENT
    ]
