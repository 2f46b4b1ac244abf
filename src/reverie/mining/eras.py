"""Which memory sessions had: what changed between them because we changed it.

A dream that looks at sessions with and without memory looks at its own work. Whatever else came with a memory (another
agent version, since tools were mounted to read it; other habits, since it said so) parts the sessions in the same way,
and would be blamed or praised for what memory did. So memory is held still like users and tasks are: sessions of one
*era*, between two changes of memory, are compared with each other.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from reverie.domain.memories import Memory
from reverie.domain.observations import Observation

__all__ = ["lately", "with_eras"]

LEAST_OF_AN_ERA: Final = 20
"""Sessions; changes that follow each other sooner are one."""
LEAST_LATELY: Final = 60


def with_eras(observations: Iterable[Observation], memories: Iterable[Memory]) -> list[Observation]:
    """The same observations, ``memory`` of each naming its era: eras of time, and what was read in them.

    What fewer than ``LEAST_OF_AN_ERA`` sessions read alike is "some" memory. Names sort by time.
    """
    told = list(observations)
    changes = sorted({at for m in memories for at in (m.created_at, m.updated_at) if at is not None})
    eras = _eras(told, changes)
    read = Counter((eras[o.session_id], o.memory) for o in told)
    return [
        replace(o, memory=_name(eras[o.session_id], o.memory, read[eras[o.session_id], o.memory]))
        for o in told
    ]


def _name(era: int, read: str | None, sessions: int) -> str:
    known = "" if read is None else read if sessions >= LEAST_OF_AN_ERA else "some"
    return f"{era:04}{'/' if known else ''}{known}"


def _eras(observations: Sequence[Observation], changes: Sequence[datetime]) -> dict[str, int]:
    """Session → number of its era. Without a time it belongs to the first; before any memory is an era of its own."""
    dated = sorted((o.started_at, o.session_id) for o in observations if o.started_at is not None)
    found = {o.session_id: 0 for o in observations}
    era, since, seen = 0, 0, 0
    for number, (at, session) in enumerate(dated):
        changed = bisect_left(changes, at)
        if changed > seen and (era == 0 or number - since >= LEAST_OF_AN_ERA):
            era, since, seen = era + 1, number, changed
        found[session] = era
    return found


def lately(observations: Sequence[Observation]) -> list[Observation]:
    """The sessions of the last eras, as few as hold half of all: what still fails there, memory does not prevent.

    ``observations`` with eras (``with_eras``). None where that is all of them, or too few to tell anything.
    """
    sizes = Counter((o.memory or "").partition("/")[0] for o in observations)
    kept: set[str] = set()
    for era in sorted(sizes, reverse=True):
        if 2 * sum(sizes[each] for each in kept) >= len(observations):
            break
        kept.add(era)
    found = [o for o in observations if (o.memory or "").partition("/")[0] in kept]
    return found if LEAST_LATELY <= len(found) < len(observations) else []
