"""Sessions as sequences of steps, packed so that gapped sub-sequences can be counted by the thousand.

A step is a run of calls with the same normalised action, on the session's own thread (what a worker did
on another thread has an order of its own). Positions are kept as bits of a 64-bit word (SPAM: Ayres,
Flannick, Gehrke & Yiu, KDD 2002), so "b comes within ``REACH`` steps after a" is a shift and an AND. A
session longer than a word becomes several overlapping stretches of one session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.domain.events import PRIMARY_THREAD
from reverie.domain.observations import Call, Observation
from reverie.mining.evidence import original_calls

__all__ = [
    "MIN_SOURCES",
    "REACH",
    "Array",
    "Sequences",
    "encode",
    "indices",
    "matched",
    "occurrences",
    "reach",
    "sources_of",
    "steps_of",
]

Array: TypeAlias = NDArray[Any]

REACH: Final = 16
"""A step follows another when it comes at most this many steps later."""

WORD: Final = 64
STRIDE: Final = 32  # stretches overlap by half: a pattern that spans at most 32 steps lies whole in one
MIN_SOURCES: Final = 3
MAX_STEPS: Final = 4_096  # of one session; more is a machine's loop, not work
MAX_ACTIONS: Final = 256


@dataclass(frozen=True, slots=True)
class Sequences:
    """Every session with steps, in the order given.

    ``steps[i]`` are the first calls of the steps of ``sessions[i]``; ``actions`` is the vocabulary (frequent
    actions, by name). Row r is a stretch of session ``owner[r]``; ``begin[r]:begin[r+1]`` are its entries:
    ``action`` (an index of ``actions``) and ``places`` (where it stands, as bits). ``column[a]`` holds the
    entries of action a. ``single`` is True when every session is one row.
    """

    sessions: tuple[Observation, ...]
    steps: tuple[tuple[Call, ...], ...]
    actions: tuple[str, ...]
    owner: Array
    begin: Array
    row: Array
    action: Array
    places: Array
    column: tuple[Array, ...]
    single: bool

    def members(self, pattern: Sequence[int]) -> Array:
        """The sessions (sorted) that contain ``pattern`` as a gapped sub-sequence."""
        entries = self.column[pattern[0]]
        rows, places = self.row[entries], self.places[entries]
        for action in pattern[1:]:
            rows, places = self._followed(rows, reach(places), action)
        return self.sessions_of(rows)

    def sessions_of(self, rows: Array) -> Array:
        """The sessions (sorted, distinct) of ``rows`` (sorted)."""
        return self.owner[rows] if self.single else np.unique(self.owner[rows])

    def _followed(self, rows: Array, within: Array, action: int) -> tuple[Array, Array]:
        """Of ``rows`` (sorted, distinct) those that have ``action`` at ``within``, and where."""
        entries = self.column[action]
        theirs = self.row[entries]
        at = np.minimum(np.searchsorted(theirs, rows), len(theirs) - 1)
        hit = np.where(theirs[at] == rows, within & self.places[entries][at], np.uint64(0))
        found = hit != 0
        return rows[found], hit[found]

    def extensions(self, rows: Array, places: Array) -> tuple[Array, Array, Array]:
        """Every (row, action, places) that comes after ``places`` in ``rows``."""
        sizes = self.begin[rows + 1] - self.begin[rows]
        entries = _ranges(self.begin[rows], sizes)
        hit = reach(places).repeat(sizes) & self.places[entries]
        found = hit != 0
        return rows.repeat(sizes)[found], self.action[entries][found], hit[found]


def sources_of(sessions: Sequence[Observation]) -> tuple[str, list[str | None]]:
    """What counts as independent here: users, where at least three are known; else agents; else repositories."""
    for kind in ("user", "agent", "repository"):
        values: list[str | None] = [getattr(o, kind) for o in sessions]
        if len({v for v in values if v is not None}) >= MIN_SOURCES:
            return kind, values
    return "user", [None] * len(sessions)


def indices(mask: Array) -> list[int]:
    """Where a mask is true."""
    return [int(i) for i in np.flatnonzero(mask)]


def reach(places: Array) -> Array:
    """The bits 1 to ``REACH`` positions after any of ``places``."""
    after = places << np.uint64(1)
    for shift in (1, 2, 4, 8):
        after = after | (after << np.uint64(shift))
    return after


def steps_of(calls: Iterable[Call]) -> tuple[Call, ...]:
    """The steps of a session: calls of its main thread that ran, the same action in a row once."""
    ran = [c for c in calls if c.ran]
    if not ran:
        return ()
    sizes = Counter(c.thread for c in ran)
    main = min(sizes, key=lambda thread: (thread != PRIMARY_THREAD, -sizes[thread], thread))
    steps: list[Call] = []
    for call in ran:
        if call.thread == main and (not steps or steps[-1].action != call.action):
            steps.append(call)
    return tuple(steps[:MAX_STEPS])


def encode(
    observations: Iterable[Observation], least: int, leave_out: frozenset[str] = frozenset()
) -> Sequences:
    """Packs the sessions that have steps.

    An action belongs to the vocabulary when at least ``least`` sessions show it and it is not in ``leave_out``.
    """
    told = [(o, steps) for o, calls in original_calls(observations) if (steps := steps_of(calls))]
    told.sort(key=lambda pair: pair[0].session_id)
    support = Counter(action for _, steps in told for action in {c.action for c in steps})
    frequent = [
        a
        for a, n in sorted(support.items(), key=lambda p: (-p[1], p[0]))
        if n >= least and a not in leave_out
    ]
    actions = tuple(sorted(frequent[:MAX_ACTIONS]))
    codes = {action: i for i, action in enumerate(actions)}
    owner, begin, row, action, places = _packed(
        [[codes.get(c.action, -1) for c in steps] for _, steps in told]
    )
    order = np.argsort(action, kind="stable")
    edges = np.searchsorted(action[order], np.arange(len(actions) + 1))
    return Sequences(
        sessions=tuple(o for o, _ in told),
        steps=tuple(steps for _, steps in told),
        actions=actions,
        owner=owner,
        begin=begin,
        row=row,
        action=action,
        places=places,
        column=tuple(order[edges[a] : edges[a + 1]] for a in range(len(actions))),
        single=len(owner) == len(told),
    )


def matched(steps: Sequence[Call], actions: Sequence[str]) -> list[int]:
    """Where ``actions`` stand in ``steps``: the occurrence that is complete earliest, each step as late as may
    be. Empty where there is none."""
    ends = [[i for i, s in enumerate(steps) if s.action == actions[0]]]
    for action in actions[1:]:
        before = ends[-1]
        ends.append(
            [i for i, s in enumerate(steps) if s.action == action and any(0 < i - j <= REACH for j in before)]
        )
    if not ends[-1]:
        return []
    path = [ends[-1][0]]
    for places in reversed(ends[:-1]):
        path.append(max(j for j in places if 0 < path[-1] - j <= REACH))
    return path[::-1]


def occurrences(sequences: Sequences) -> tuple[Array, Array]:
    """(first position, number of steps) of each action in each session: sessions × actions. The position
    of an action that does not occur is beyond any."""
    codes = {action: i for i, action in enumerate(sequences.actions)}
    shape = (len(sequences.sessions), len(codes))
    places, counts = np.full(shape, MAX_STEPS, dtype=np.int16), np.zeros(shape, dtype=np.int16)
    for i, steps in enumerate(sequences.steps):
        for at, step in enumerate(steps):
            code = codes.get(step.action)
            if code is not None:
                places[i, code] = min(places[i, code], at)
                counts[i, code] += 1
    return places, counts


def _packed(codes: Sequence[Sequence[int]]) -> tuple[Array, Array, Array, Array, Array]:
    owner: list[int] = []
    begin: list[int] = [0]
    row: list[int] = []
    action: list[int] = []
    places: list[int] = []
    for i, session in enumerate(codes):
        for start in range(0, max(1, len(session) - STRIDE), STRIDE):
            seen: dict[int, int] = {}
            for at, code in enumerate(session[start : start + WORD]):
                if code >= 0:
                    seen[code] = seen.get(code, 0) | 1 << at
            row.extend([len(owner)] * len(seen))
            action.extend(seen)
            places.extend(seen.values())
            owner.append(i)
            begin.append(len(action))
    return (
        np.array(owner, dtype=np.int32),
        np.array(begin, dtype=np.int64),
        np.array(row, dtype=np.int32),
        np.array(action, dtype=np.int32),
        np.array(places, dtype=np.uint64),
    )


def _ranges(starts: Array, sizes: Array) -> Array:
    """The numbers starts[0], …, starts[0]+sizes[0]−1, starts[1], … one after the other."""
    total = int(sizes.sum())
    ends = np.cumsum(sizes)
    return np.arange(total, dtype=np.int64) + (starts - (ends - sizes)).repeat(sizes)
