"""What sessions did of what a memory speaks of: who tried it, with or without the remedy, and did it fail?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reverie.domain.observations import Call, Failure, Observation
from reverie.mining.evidence import original_calls
from reverie.mining.identity import Names, failing_unit, units_of
from reverie.mining.shell import parse
from reverie.mining.templates import mask, merge

__all__ = ["Attempt", "Records"]

NO_FAULT: Final = frozenset({"lint", "compile", "test", "conflict", "exit"})
"""Kinds of complaint that say something about the work, not that a tool or command is gone."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The first call of a unit in a session, of those with (or without) its remedy before it.

    ``failure`` is that of the kind asked for, None when it did not fail so.
    """

    observation: Observation
    call: Call
    at: datetime
    failure: Failure | None

    @property
    def failed(self) -> bool:
        return self.failure is not None


class Records:
    """The sessions of a corpus in order of time, by what they used and how it failed.

    A *unit* is a tool, or a program that a shell ran ("make test"); a *mistake* is the name of an error
    (``identity.Names``). Sessions and calls without a time are left out: nothing can be dated by them.
    """

    def __init__(self, observations: Iterable[Observation]) -> None:
        own = original_calls(observations)
        self._names = Names(own)
        self._by_unit: dict[str, list[tuple[Observation, tuple[Call, ...]]]] = defaultdict(list)
        self._failing: dict[str, Counter[str]] = defaultdict(Counter)
        self._templates: dict[str, set[str]] = defaultdict(set)
        self._begun: list[tuple[datetime, Observation]] = []
        for o, calls in own:
            timed = tuple(c for c in calls if c.ran and _time(o, c) is not None)
            if timed and (began := _time(o, timed[0])) is not None:
                self._begun.append((began, o))
            for unit in sorted({unit for c in timed for unit in (*units_of(c), c.tool)}):
                self._by_unit[unit].append((o, timed))
            for c in timed:
                for failure in _failures(c):
                    mistake = self._names.of(failure).key
                    self._failing[mistake][failing_unit(c, failure)] += 1
                    self._templates[failure.template].add(mistake)

    def since(self, at: datetime, scope: Mapping[str, str]) -> list[Observation]:
        """The sessions with calls that began after a moment and that a memory of this scope speaks of, in order."""
        return [o for began, o in self._begun if began > at and _in_scope(o, scope)]

    @property
    def mistakes(self) -> frozenset[str]:
        return frozenset(self._failing)

    def failing_unit(self, mistakes: Iterable[str]) -> str | None:
        """What fails most often in these ways."""
        total = Counter[str]()
        for mistake in mistakes:
            total.update(self._failing[mistake])
        return min(total, key=lambda unit: (-total[unit], unit)) if total else None

    def quoted(self, quotes: Iterable[str]) -> frozenset[str]:
        """The mistakes that these texts are wordings of."""
        masked = {mask(q) for q in quotes} - {""}
        if not masked:
            return frozenset()
        groups = merge([*self._templates, *masked])
        alike = {template for m in masked for template in groups[m]}
        return frozenset(mistake for template in alike for mistake in self._templates.get(template, ()))

    def units_named(self, names: Iterable[str]) -> tuple[str, ...]:
        """The units that names stand for: a tool as it is called, a command line by its program."""
        found: list[str] = []
        for name in names:
            if name in self._by_unit:
                found.append(name)
            elif " " in name:
                found.extend(unit for unit in parse(name).programs if unit in self._by_unit)
        return tuple(dict.fromkeys(found))

    def attempts(
        self,
        unit: str,
        *,
        scope: Mapping[str, str],
        mistakes: frozenset[str] | None,
        remedies: frozenset[str] = frozenset(),
        remedied: bool = False,
    ) -> list[Attempt]:
        """One attempt a session at ``unit``, in order of time.

        ``mistakes``: the failures that count (None: any that says the thing itself does not work).
        ``remedied``: attempts after one of ``remedies`` was used, instead of those before.
        """
        found: list[Attempt] = []
        for o, calls in self._by_unit.get(unit, ()):
            if not _in_scope(o, scope):
                continue
            ready = False
            for call in calls:
                at = _time(o, call)
                if unit in (*units_of(call), call.tool) and ready == remedied and at is not None:
                    found.append(Attempt(o, call, at, self._failure(call, unit, mistakes)))
                    break
                ready = ready or not remedies.isdisjoint((*units_of(call), call.tool))
        return sorted(found, key=lambda a: (a.at, a.observation.session_id))

    def _failure(self, call: Call, unit: str, mistakes: frozenset[str] | None) -> Failure | None:
        for failure in _failures(call):
            if mistakes is None and failure.kind not in NO_FAULT and failing_unit(call, failure) == unit:
                return failure
            if mistakes is not None and self._names.of(failure).key in mistakes:
                return failure
        return None


def _failures(call: Call) -> Sequence[Failure]:
    return () if call.failure is None else (call.failure, *call.also)


def _time(o: Observation, call: Call) -> datetime | None:
    return call.at or o.started_at


def _in_scope(o: Observation, scope: Mapping[str, str]) -> bool:
    """Whether a memory with this scope speaks of this session at all."""
    facts = {"repository": o.repository, "agent": o.agent, "model": o.model, "user": o.user, "task": o.task}
    return all(
        name not in facts or facts[name] is None or facts[name] == value for name, value in scope.items()
    )
