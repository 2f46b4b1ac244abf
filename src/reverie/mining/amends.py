"""What a correction changed: the argument that differs between the call before it and the call after."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from reverie.domain.events import Scalar
from reverie.domain.observations import Call
from reverie.mining.identity import units_of
from reverie.mining.tools import kind_of
from reverie.mining.voices import Voice

__all__ = ["PROGRAM", "Amend", "amended"]

PROGRAM: Final = "program"
"""Stands for an argument where another program was run."""

DERIVED: Final = frozenset({"file_ext", "file_place"})
_WORD = re.compile(r"[A-Za-z][\w.+-]*\w")


@dataclass(frozen=True, slots=True)
class Amend:
    """After the remark ``tool`` was called with ``argument`` = ``to`` instead of ``was``, in ``sessions`` (their
    number) of ``users`` (0 where none is named)."""

    tool: str
    argument: str
    was: str
    to: str
    sessions: int
    users: int


def amended(group: Sequence[Voice]) -> Amend | None:
    """The change that most of a group's sessions show, at least two; None where they show none."""
    seen: dict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for voice in group:
        for change in _changes(voice):
            seen[change].add(voice.observation.session_id)
    if not seen:
        return None
    change = min(seen, key=lambda c: (-len(seen[c]), c))
    sessions = len({v.observation.session_id for v in group})
    if len(seen[change]) < 2 or 2 * len(seen[change]) < sessions:
        return None
    users = {v.observation.user for v in group if v.observation.session_id in seen[change]} - {None}
    return Amend(*change, len(seen[change]), len(users))


def _changes(voice: Voice) -> Iterator[tuple[str, str, str, str]]:
    """From the last call of a tool before the remark to its first after it."""
    at = voice.remark.span.seq
    before: dict[str, Call] = {}
    done: set[str] = set()
    for call in voice.observation.calls:
        if call.failure is not None or not call.ran or kind_of(call.tool) not in ("other", "shell"):
            continue
        if call.seq < at:
            before[call.tool] = call
        elif call.tool in before and call.tool not in done:
            done.add(call.tool)
            if kind_of(call.tool) == "shell":
                yield from _programs(before[call.tool], call, voice.remark.text)
            else:
                yield from _differing(before[call.tool], call)


def _differing(before: Call, after: Call) -> Iterator[tuple[str, str, str, str]]:
    """The one argument that differs; what follows from it (the extension of a path) tells it shorter."""
    given = [name for name in sorted(before.arguments) if before.arguments[name] != after.arguments.get(name)]
    asked = [name for name in given if name not in DERIVED]
    if len(asked) != 1 or asked[0] not in after.arguments:
        return
    told = [name for name in given if name in DERIVED and name in after.arguments]
    name = told[0] if len(told) == 1 else asked[0]
    yield before.tool, name, _shown(before.arguments[name]), _shown(after.arguments[name])


def _programs(before: Call, after: Call, said: str) -> Iterator[tuple[str, str, str, str]]:
    """Another program, where the remark names the old one or the new."""
    was, to = units_of(before)[-1], units_of(after)[-1]
    words = {word.lower() for word in _WORD.findall(said)}
    if was != to and not words.isdisjoint((was.split()[0], to.split()[0])):
        yield before.tool, PROGRAM, was, to


def _shown(value: Scalar) -> str:
    return value[:60] if isinstance(value, str) else str(value)
