"""Two dreams side by side: what only one of them found or proposed, and which numbers changed.

The same idea has the same key in every dream, so findings are matched by it, and proposals by the memory they are
about and the idea they rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from reverie.domain.findings import Finding
from reverie.domain.proposals import Proposal

__all__ = ["Change", "Comparison", "Difference", "Number", "compare"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a finding in both dreams; None where it could not be computed."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """What both dreams have, and differs. ``numbers`` are those that differ; ``text``: the words do."""

    before: T
    after: T
    numbers: Sequence[Number] = ()
    text: bool = False


@dataclass(frozen=True, slots=True)
class Difference(Generic[T]):
    """What a dream has and an earlier one has not, the other way round, what changed, and how many are the same."""

    new: Sequence[T]
    gone: Sequence[T]
    changed: Sequence[Change[T]]
    same: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different from one dream to another."""

    findings: Difference[Finding]
    proposals: Difference[Proposal]


def compare(
    before: tuple[Sequence[Finding], Sequence[Proposal]], after: tuple[Sequence[Finding], Sequence[Proposal]]
) -> Comparison:
    """The differences from one dream to another, each given by its findings and its proposals."""
    return Comparison(
        _difference(before[0], after[0], lambda finding: finding.key, _finding),
        _difference(before[1], after[1], lambda each: (each.path, each.idea), _proposal),
    )


def _difference(
    before: Sequence[T],
    after: Sequence[T],
    key: Callable[[T], object],
    changed: Callable[[T, T], Change[T] | None],
) -> Difference[T]:
    was, now = {key(each): each for each in before}, {key(each): each for each in after}
    both = [(was[at], now[at]) for at in now if at in was]
    changes = [change for pair in both if (change := changed(*pair)) is not None]
    return Difference(
        [each for at, each in now.items() if at not in was],
        [each for at, each in was.items() if at not in now],
        changes,
        len(both) - len(changes),
    )


def _finding(before: Finding, after: Finding) -> Change[Finding] | None:
    pairs = zip(_numbers(before), _numbers(after), strict=True)
    numbers = [Number(name, one, two) for (name, one), (_, two) in pairs if one != two]
    text = before.claim != after.claim
    return Change(before, after, numbers, text) if numbers or text else None


def _numbers(finding: Finding) -> list[tuple[str, float | None]]:
    counts, raw, within = finding.counts, finding.effect.raw, finding.effect.within
    return [
        ("sessions", counts.sessions),
        ("of sessions", counts.of_sessions),
        ("times", counts.occurrences),
        ("people", counts.users or None),
        ("agents", counts.agents or None),
        ("days", counts.days),
        ("difference", None if raw is None else raw.difference),
        ("difference within comparable", None if within is None else within.difference),
        ("chance", finding.p_adjusted),
    ]


def _proposal(before: Proposal, after: Proposal) -> Change[Proposal] | None:
    text = (before.kind, before.content) != (after.kind, after.content)
    return Change(before, after, text=True) if text else None
