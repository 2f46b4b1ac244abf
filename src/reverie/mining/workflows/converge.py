"""Workflows that nobody graded: the same steps in the same order, found by people independently.

Without outcomes nothing says that a workflow helps. What can be shown is that its order is no chance, and
that several users (or agents, or repositories) came to it each on their own. Steps that every agent takes by
training (reading, searching, editing, version control) are left out: their order is the tools', not a lesson.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np

from reverie.domain.observations import Call
from reverie.mining.shell import SILENT
from reverie.mining.tools import tool_kind
from reverie.mining.workflows.search import LONGEST, Candidate
from reverie.mining.workflows.sequences import MIN_SOURCES, Array, Sequences, indices, occurrences, sources_of

__all__ = ["Converged", "common_knowledge", "converged"]

ALPHA: Final = 0.05
AGREE: Final = 0.05
MOST: Final = 0.6

_EVERYDAY: Final = frozenset(
    ["git", "gh", "cat", "ls", "ll", "head", "tail", "less", "more", "grep", "egrep", "fgrep", "rg", "ag", "find", "fd", "wc", "sort", "uniq", "cut", "tr", "sed", "awk", "jq", "yq", "diff", "tree", "stat", "file", "du", "df", "ps", "env", "man", "which", "type", "date", "pwd", "id", "history", "cp", "mv", "rm", "mkdir", "rmdir", "touch", "chmod", "ln", "kill", "pkill", "pgrep", "lsof", "curl", "wget", "tar", "zip", "unzip", "open", "tee", "python", "python3", "node", "bash", "sh", "zsh"]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Converged:
    """A workflow several ``sources`` came to. ``sessions`` (a mask) contain it; ``p_value``: the order by
    chance, over sessions; ``p_sources``: as many sources agreeing by chance; ``strength``: how many standard
    deviations more sessions have this order than chance would give."""

    pattern: tuple[int, ...]
    sessions: Array
    kind: str
    sources: int
    of_sources: int
    p_value: float
    p_adjusted: float
    p_sources: float
    strength: float


def common_knowledge(call: Call) -> bool:
    """Whether any agent does this unasked: reading, searching, editing, planning, everyday shell commands."""
    kind = tool_kind(call.tool, {})
    if kind in ("look", "edit", "agent", "plan"):
        return True
    programs = call.action.partition(": ")[2].split(" ") if kind == "shell" else []
    return bool(programs) and (programs[0] in SILENT or programs[0] in _EVERYDAY)


def converged(
    sequences: Sequences, candidates: Sequence[Candidate], known_since: Mapping[tuple[str, ...], datetime]
) -> list[Converged]:
    """The workflows that hold, the strongest first, none a part or another ordering of a stronger one.

    ``known_since``: workflows (as actions) that are in memory already, and since when: a session after that
    may have read of it and is no independent witness.
    """
    kind, sources = sources_of(sequences.sessions)
    firsts = occurrences(sequences)
    held = [
        c
        for candidate in candidates
        if (c := _tested(sequences, candidate, kind, sources, firsts, known_since)) is not None
    ]
    held.sort(key=lambda c: (-c.strength, c.pattern))
    return _distinct(held)


def _tested(
    sequences: Sequences,
    candidate: Candidate,
    kind: str,
    sources: Sequence[str | None],
    firsts: tuple[Array, Array],
    known_since: Mapping[tuple[str, ...], datetime],
) -> Converged | None:
    pattern = candidate.pattern
    since = _since({sequences.actions[a] for a in pattern}, known_since)
    places, counts = (table[:, list(pattern)] for table in firsts)
    witnesses = [
        i
        for i in indices(np.all(counts > 0, axis=1))
        if since is None or (sequences.sessions[i].started_at or since) < since
    ]
    if not witnesses:
        return None
    in_order: Array = np.all(np.diff(places[witnesses], axis=1) > 0, axis=1)
    chance = _chance(counts[witnesses])
    p = _tail(int(in_order.sum()), chance.tolist())
    tests = (LONGEST - 2) * math.perm(len(sequences.actions), len(pattern))
    if p * tests > ALPHA:
        return None
    agreeing, asked = _votes([sources[i] for i in witnesses], in_order, chance)
    p_sources = _tail(agreeing, asked)
    if agreeing < MIN_SOURCES or 2 * agreeing <= len(asked) or p_sources > AGREE:
        return None
    strength = float((in_order.sum() - chance.sum()) / np.sqrt((chance * (1 - chance)).sum()))
    mask = np.zeros(len(sequences.sessions), dtype=bool)
    mask[candidate.sessions] = True
    return Converged(pattern, mask, kind, agreeing, len(asked), p, min(1.0, p * tests), p_sources, strength)


def _since(steps: set[str], known_since: Mapping[tuple[str, ...], datetime]) -> datetime | None:
    """Since when memory tells of this workflow, or of one that shares two steps with it."""
    return min((at for flow, at in known_since.items() if len(steps & set(flow)) > 1), default=None)


def _chance(counts: Array) -> Array:
    """P(first occurrences fall in this order) when a session's steps are shuffled: of all steps concerned the
    first is a with probability n_a / (n_a + n_b + …), of the rest the first is b …"""
    rest = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return np.prod(counts / rest, axis=1)


def _votes(sources: Sequence[str | None], in_order: Array, chance: Array) -> tuple[int, list[float]]:
    """How many sources do it in this order in most of their sessions, and the chance of each to do so."""
    by_source: dict[str, list[int]] = defaultdict(list)
    for i, source in enumerate(sources):
        if source is not None:
            by_source[source].append(i)
    agreeing = sum(2 * int(in_order[rows].sum()) > len(rows) for rows in by_source.values())
    return agreeing, [float(chance[rows].mean()) for _, rows in sorted(by_source.items())]


def _tail(successes: int, chances: Sequence[float]) -> float:
    """P(at least ``successes``) of independent trials with these chances (Poisson binomial); by the normal
    law with continuity correction beyond 400 trials."""
    if len(chances) > 400:
        mean, variance = sum(chances), sum(p * (1 - p) for p in chances)
        return 0.5 * math.erfc((successes - 0.5 - mean) / math.sqrt(2 * max(variance, 1e-12)))
    at_least = np.zeros(len(chances) + 1)
    at_least[0] = 1.0
    for p in chances:
        at_least[1:] = at_least[1:] * (1 - p) + at_least[:-1] * p
        at_least[0] *= 1 - p
    return float(min(1.0, at_least[successes:].sum()))


def _distinct(held: Sequence[Converged]) -> list[Converged]:
    """One of each workflow: without parts and other orderings of a stronger one, but whole: one that adds a
    step to it takes its place when most sessions take that step too."""
    told: list[Converged] = []
    for c in held:
        alike = [t for t in told if len(set(c.pattern) & set(t.pattern)) > 1]
        if not alike:
            told.append(c)
        elif len(alike) == 1 and _completes(c, alike[0]):
            told[told.index(alike[0])] = c
    return told


def _completes(longer: Converged, part: Converged) -> bool:
    rest = iter(longer.pattern)
    return (
        len(longer.pattern) > len(part.pattern)
        and all(step in rest for step in part.pattern)
        and int(longer.sessions.sum()) >= MOST * int(part.sessions.sum())
    )
