"""The missing step: a tool that is refused unless another was called before it.

For the first call of a tool in each session: was it refused in this way, and which tools had been called
before? A step counts as a precondition when (nearly) nothing is refused after it and most is without it,
by an exact test within users, corrected for every step looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.findings import Rate
from reverie.domain.observations import Call, Observation
from reverie.mining.identity import units_of
from reverie.mining.statistics import Table, exact_p
from reverie.mining.tools import kind_of

__all__ = ["Precondition", "missing_steps"]

MIN_EACH: Final = 5
MOST_AFTER: Final = 0.05
LEAST_WITHOUT: Final = 0.5
ALPHA: Final = 0.05


@dataclass(frozen=True, slots=True)
class Precondition:
    """``step`` must come before ``tool``: refused ``after`` it and ``without`` it (refusals of first calls)."""

    tool: str
    step: str
    after: Rate
    without: Rate
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The first call of a tool in a session."""

    user: str | None
    before: frozenset[str]
    refused: bool


Own = Sequence[tuple[Observation, tuple[Call, ...]]]


def missing_steps(own: Own, refusals: Mapping[str, tuple[str, set[str]]]) -> dict[str, Precondition]:
    """The precondition behind each mistake that has one.

    ``refusals``: mistake → (the tool that refused, event ids of the refused calls).
    """
    tried: list[tuple[float, str, Precondition]] = []
    attempts: dict[str, list[tuple[_Attempt, str]]] = {}
    for key, (tool, refused) in sorted(refusals.items()):
        if tool not in attempts:
            attempts[tool] = list(_attempts(own, tool))
        firsts = [_Attempt(a.user, a.before, event in refused) for a, event in attempts[tool]]
        tried.extend(_tests(key, tool, firsts))
    best: dict[str, tuple[tuple[float, float, int, str], Precondition]] = {}
    for p, key, found in tried:
        adjusted = min(1.0, p * len(tried))
        if adjusted > ALPHA or not _sharp(found):
            continue
        rank = ((found.after.value or 0.0), -(found.without.value or 0.0), -found.after.total, found.step)
        if key not in best or rank < best[key][0]:
            best[key] = rank, Precondition(found.tool, found.step, found.after, found.without, adjusted)
    return {key: found for key, (_, found) in best.items()}


def _sharp(found: Precondition) -> bool:
    return (found.after.value or 0.0) <= MOST_AFTER and (found.without.value or 0.0) >= LEAST_WITHOUT


def _attempts(own: Own, tool: str) -> Iterable[tuple[_Attempt, str]]:
    for o, calls in own:
        before: set[str] = set()
        for call in calls:
            if call.tool == tool and call.ran and call.result_event_id:
                yield _Attempt(o.user, frozenset(before), False), call.event_id
                break
            if call.failure is None and call.ran and kind_of(call.tool) == "other":
                before.add(units_of(call)[-1])


def _tests(key: str, tool: str, attempts: Sequence[_Attempt]) -> Iterable[tuple[float, str, Precondition]]:
    if sum(a.refused for a in attempts) < MIN_EACH:
        return
    for step in sorted({s for a in attempts for s in a.before}):
        after = [a for a in attempts if step in a.before]
        without = [a for a in attempts if step not in a.before]
        if min(len(after), len(without)) < MIN_EACH:
            continue
        strata: dict[str | None, list[_Attempt]] = defaultdict(list)
        for a in attempts:
            strata[a.user].append(a)
        tables = [_table(group, step) for group in strata.values()]
        rates = (
            Rate(sum(a.refused for a in after), len(after)),
            Rate(sum(a.refused for a in without), len(without)),
        )
        yield exact_p(tables, alternative="greater"), key, Precondition(tool, step, *rates, 1.0)


def _table(group: Sequence[_Attempt], step: str) -> Table:
    """Accepted first calls, after the step and without it."""
    after = [a for a in group if step in a.before]
    without = [a for a in group if step not in a.before]
    return Table(
        sum(not a.refused for a in after), len(after), sum(not a.refused for a in without), len(without)
    )
