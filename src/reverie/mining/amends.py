"""What a correction changed: the argument that differs between the call before it and the call after."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reverie.domain.events import Scalar
from reverie.domain.observations import Call
from reverie.mining.tools import kind_of
from reverie.mining.voices import Voice

__all__ = ["Amend", "amended"]


@dataclass(frozen=True, slots=True)
class Amend:
    """After the remark ``tool`` was called with ``argument`` = ``to`` instead of ``was``, in ``sessions``."""

    tool: str
    argument: str
    was: str
    to: str
    sessions: int


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
    return Amend(*change, len(seen[change]))


def _changes(voice: Voice) -> Iterator[tuple[str, str, str, str]]:
    at = voice.remark.span.seq
    before: dict[str, Call] = {}
    done: Counter[str] = Counter()
    for call in voice.observation.calls:
        if kind_of(call.tool) != "other" or call.failure is not None:
            continue
        if call.seq < at:
            before[call.tool] = call
        elif call.tool in before and not done[call.tool]:
            done[call.tool] += 1
            yield from _differing(before[call.tool], call)


def _differing(before: Call, after: Call) -> Iterator[tuple[str, str, str, str]]:
    changed = [
        name for name in sorted(before.arguments) if before.arguments[name] != after.arguments.get(name)
    ]
    if len(changed) == 1 and changed[0] in after.arguments:
        name = changed[0]
        yield before.tool, name, _shown(before.arguments[name]), _shown(after.arguments[name])


def _shown(value: Scalar) -> str:
    return value[:60] if isinstance(value, str) else str(value)
