"""Which mistake an error is: one name for all its wordings, stable while the corpus grows."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.lore import LINT_RULES, Family, family_of
from reverie.mining.templates import MAX_TEMPLATE, content_words, merge

__all__ = ["Identity", "Names", "Seen", "failing_unit", "lint_rule", "units_of"]

LEAST_FIGURES: Final = 3
LEAST_WORDS: Final = 3
LATEST: Final = datetime.max.replace(tzinfo=UTC)
_GO_RULE = re.compile(r"\(([a-z][\w-]+)\)$")
_RULE = re.compile(r"^([A-Z]{1,4}\d{3,4})\b|\s([@\w-]+/[\w/-]+|[a-z]+(?:-[a-z]+)+)$")
_SUBRULE = re.compile(r"^(?:G\d{3}|SA\d{4}|S\d{4}|ST\d{4}|[a-z][\w-]{3,30}(?=: ))")
_MANY_THINGS: Final = frozenset(
    {"revive", "gocritic", "staticcheck", "stylecheck", "govet", "gosimple", "gosec", "testifylint"}
)


@dataclass(frozen=True, slots=True)
class Identity:
    """``key`` names the mistake. ``family`` and ``parts`` are given where it is a known one; ``rule``
    where a linter named it."""

    key: str
    kind: str
    family: Family | None = None
    parts: Mapping[str, str] = field(default_factory=dict[str, str])
    rule: str | None = None


def _with_details(groups: Mapping[str, frozenset[str]]) -> Mapping[str, frozenset[str]]:
    """Messages that differ only in the figures told in parentheses behind them are one, however many figures."""
    heads: dict[str, set[str]] = defaultdict(set)
    for template, group in groups.items():
        heads[_head(min(group))] |= group | {template}
    return {t: frozenset(heads[_head(min(group))]) for t, group in groups.items()}


def _head(template: str) -> str:
    head, _, figures = template.partition(" (")
    measured = figures.count("<") >= LEAST_FIGURES and (
        figures.endswith(")") or len(template) >= MAX_TEMPLATE - 1
    )
    return head if measured and len(content_words(head)) >= LEAST_WORDS else template


@dataclass(frozen=True, slots=True)
class Seen:
    """In how many sessions each template was seen, and when first. Parts of a corpus, each session in one of
    them, add up to the whole in any order."""

    sessions: Mapping[str, int] = field(default_factory=dict[str, int])
    first: Mapping[str, datetime] = field(default_factory=dict[str, datetime])

    @classmethod
    def of(cls, own: Iterable[tuple[Observation, Sequence[Call]]]) -> Seen:
        sessions, first = Counter[str](), dict[str, datetime]()
        for _, calls in own:
            here = set[str]()
            for call in calls:
                for failure in (call.failure, *call.also) if call.failure else ():
                    here.add(failure.template)
                    if call.at is not None:
                        first[failure.template] = min(call.at, first.get(failure.template, call.at))
            sessions.update(here)
        return cls(sessions, first)

    def __add__(self, other: Seen) -> Seen:
        first = {
            t: min(self.first.get(t, LATEST), other.first.get(t, LATEST)) for t in {*self.first, *other.first}
        }
        return Seen(Counter(self.sessions) + Counter(other.sessions), first)


class Names:
    """Names mistakes over one corpus: near-identical templates get one name, that of the one seen first
    (where nothing tells the time, the most frequent), so that a name stays while the corpus grows."""

    def __init__(self, own: Seen | Iterable[tuple[Observation, Sequence[Call]]]) -> None:
        """``own``: sessions with their calls, or what was counted of them, perhaps in parts."""
        seen = own if isinstance(own, Seen) else Seen.of(own)
        self._canonical = {
            template: min(group, key=lambda t: (seen.first.get(t, LATEST), -seen.sessions[t], t))
            for template, group in _with_details(merge(seen.sessions)).items()
        }
        self._known: dict[tuple[str, str, str], Identity] = {}

    def of(self, failure: Failure) -> Identity:
        """The mistake a failure is an instance of."""
        place = failure.kind, failure.template, failure.example
        if place not in self._known:
            self._known[place] = self._identify(failure)
        return self._known[place]

    def _identify(self, failure: Failure) -> Identity:
        if failure.kind == "lint" and (rule := lint_rule(failure.template) or lint_rule(failure.example)):
            known = rule in LINT_RULES
            many = rule.split(" ")[0] in _MANY_THINGS and " " not in rule
            key = f"lint:{rule}" if known or not many else f"lint:{rule}:{self._canonical[failure.template]}"
            return Identity(key, failure.kind, rule=rule)
        if failure.kind in ("compile", "test", "lint"):
            return Identity(f"{failure.kind}:{failure.template}", failure.kind)
        known_family = family_of(failure.example, failure.kind)
        if known_family is not None:
            family, parts = known_family
            return Identity(
                f"{family.name}:{parts['key']}" if "key" in parts else family.name,
                failure.kind,
                family,
                parts,
            )
        return Identity(f"error:{self._canonical[failure.template]}", failure.kind)


def lint_rule(message: str) -> str | None:
    """The rule a linter's message names: ``errcheck``, ``gosec G304``, ``F401``, ``no-unused-vars``."""
    go = _GO_RULE.search(message)
    if go is not None:
        sub = _SUBRULE.match(message) if go[1] in _MANY_THINGS else None
        return f"{go[1]} {sub.group()}" if sub else go[1]
    found = _RULE.search(message)
    return found[1] or found[2] if found else None


def failing_unit(call: Call, failure: Failure) -> str:
    """What of a call failed: the program that the error names itself, else the main one."""
    units = units_of(call)
    speaker = failure.example.split(":", 1)[0]
    named = next((unit for unit in units if unit.split(" ", 1)[0] == speaker), None)
    if named is None and failure.kind == "shell":  # the shell itself, or a program further down a pipe
        return call.tool
    return named or units[-1]


def units_of(call: Call) -> tuple[str, ...]:
    """What a call used: its tool, or for a shell the programs it ran (the last is its main one)."""
    programs = call.arguments.get("programs")
    if isinstance(programs, str) and ": " in call.action:
        return tuple(programs.split(", "))
    return (call.tool,)
