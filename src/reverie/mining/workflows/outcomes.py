"""Does doing it go with success? Within comparable sessions, and with who, when and how long held still.

Two questions that a claim must both survive. *Within strata*: the exact conditional test over tasks (or
clusters of requests, or repositories). *Held still*: users, agents, models, releases, the period, and how
much else was done are partialled out of both the doing and the outcome (Frisch & Waugh 1933; Lovell 1963)
before the two are compared; so a user who is lucky and has a habit, a good month, or a session that was
given up before it came to anything, is no lesson. The larger of the two p-values counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reverie.domain.observations import Observation
from reverie.mining.statistics import Table
from reverie.mining.workflows.sequences import Array

__all__ = ["Outcomes", "Strata", "normal_tail", "strata_by"]

LEAST_OF_A_CLUSTER: Final = 5
BLOCKS: Final = 20  # of time
LEAST_OF_A_BLOCK: Final = 25
BINS: Final = 8  # of how much else was done
PASSES: Final = 60
TOLERANCE: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Strata:
    """What makes sessions comparable: ``code[i]`` is the stratum of session i, ``name`` what it is (a task,
    a cluster of requests, a repository), None when all sessions are one stratum."""

    name: str | None
    code: Array
    labels: tuple[str | None, ...]


def strata_by(sessions: Sequence[Observation]) -> Strata:
    """The task where more than one session is of it; else the cluster of the request where several sessions
    share it; else the repository."""
    tasks = Counter(o.task for o in sessions)
    clusters = Counter(o.cluster for o in sessions)
    keys: list[tuple[str, str] | None] = []
    for o in sessions:
        if o.task is not None and tasks[o.task] > 1:
            keys.append(("task", o.task))
        elif o.cluster is not None and clusters[o.cluster] >= LEAST_OF_A_CLUSTER:
            keys.append(("cluster", o.cluster))
        elif o.repository is not None:
            keys.append(("repository", o.repository))
        else:
            keys.append(None)
    present = sorted({k for k in keys if k is not None})
    index = {key: i for i, key in enumerate(present)}
    code = np.array([len(present) if k is None else index[k] for k in keys], dtype=np.int32)
    kinds = Counter(k[0] for k in keys if k is not None)
    name = None if len(set(code.tolist())) < 2 else min(kinds, key=lambda kind: (-kinds[kind], kind))
    return Strata(name, code, (*(label for _, label in present), None))


class Outcomes:
    """The outcomes of sessions, ready to be compared for any set of them.

    ``residual`` is outcome − stratum's success rate (0 where the outcome is unknown), ``variance`` that of
    one session's outcome in its stratum, ``known`` marks sessions whose outcome is known.
    """

    def __init__(self, sessions: Sequence[Observation], sizes: Array) -> None:
        """``sizes``: the number of steps of each session."""
        self.strata = strata_by(sessions)
        self.known: Array = np.array([o.outcome != "unknown" for o in sessions], dtype=bool)
        self.success: Array = np.array([o.outcome == "success" for o in sessions], dtype=bool)
        self.sizes = sizes
        self.groups = int(self.strata.code.max(initial=-1)) + 1
        self.factors = _factors(sessions, self.known)
        rate = self.rates(self.known)
        self.residual: Array = np.where(self.known, self.success - rate, 0.0)
        self.variance: Array = np.where(self.known, rate * (1 - rate), 0.0)

    @property
    def testable(self) -> bool:
        """There are sessions of both outcomes, enough to learn anything from."""
        return min(int(self.success.sum()), int((self.known & ~self.success).sum())) >= 5

    def rates(self, among: Array) -> Array:
        """Each session's expected success: the rate of its stratum over the sessions ``among``."""
        n = self._by_stratum(among)
        return (self._by_stratum(among & self.success) / np.maximum(n, 1))[self.strata.code]

    def tables(self, having: Array, among: Array) -> list[Table]:
        """A 2 × 2 table for each stratum: ``having`` it or not, over the sessions ``among`` with known outcome."""
        known = among & self.known
        a, n = self._by_stratum(known & having & self.success), self._by_stratum(known & having)
        b, m = self._by_stratum(known & ~having & self.success), self._by_stratum(known & ~having)
        present = np.flatnonzero(n + m)
        return [Table(int(a[s]), int(n[s]), int(b[s]), int(m[s])) for s in present]

    def scorer(self, among: Array, of: Array | None = None) -> Callable[[Array], float]:
        """A function of sessions (indices): how far being one of them and success go together within strata.

        In standard deviations, 0 where they do not: the signed root of the Mantel–Haenszel chi-square (1959)
        with its continuity correction. ``of``: another yes-or-no of every session in place of success (then
        no outcome is looked at).
        """
        counted = among & self.known if of is None else among
        yes = counted & (self.success if of is None else of)
        size, k = self._by_stratum(counted), self._by_stratum(yes)
        share = k / np.maximum(size, 1)
        spread = k * (size - k) / np.maximum(size**2 * (size - 1), 1)

        def score(sessions: Array) -> float:
            mine = sessions[counted[sessions]]
            n = np.bincount(self.strata.code[mine], minlength=self.groups)
            excess = float(np.count_nonzero(yes[mine]) - n @ share) - 0.5
            variance = float((n * (size - n)) @ spread)
            return excess / math.sqrt(variance) if variance > 0 and excess > 0 else 0.0

        return score

    def held_still(self, having: Array, among: Array, own_steps: Array) -> float:
        """One-sided p-value of "goes with success" with stratum and every factor partialled out of both.

        ``own_steps``: how many of each session's steps are of the actions in question; the rest measures how
        long the session went on otherwise. Variance: the larger of White's (1980) and the homoscedastic one.
        """
        rows = np.flatnonzero(among & self.known)
        if len(rows) == 0:
            return 1.0
        columns = [self.strata.code, *self.factors, _binned(self.sizes - own_steps)]
        factors = [np.unique(c[rows], return_inverse=True)[1] for c in columns]
        x = _partialled(having[rows].astype(float), factors)
        y = _partialled(self.success[rows].astype(float), factors)
        left = len(rows) - sum(int(f.max()) for f in factors) - 1
        squares = float((x * x).sum())
        if left < 5 or squares < 1e-6:
            return 1.0
        white = float((x * x * y * y).sum()) * len(rows) / left
        even = squares * float((y * y).sum()) / left
        z = float((x * y).sum()) / math.sqrt(max(white, even, 1e-12))
        return normal_tail(z)

    def still_going(self, having: Array, among: Array, own_steps: Array, done_at: Array) -> float:
        """One-sided p-value of "goes with success" against sessions that had come as far.

        A session that was given up early contains little of anything, so whatever takes many steps goes with
        success. Each session ``having`` it is therefore compared with those of its stratum that had not ended
        when it had it (a risk set: Cox 1972; time-dependent exposure: Suissa 2008). The clock counts steps
        other than its own: ``done_at`` of them had been taken, of ``sizes − own_steps``.
        """
        rows = np.flatnonzero(among & self.known)
        others = (self.sizes - own_steps)[rows]
        mine = having[rows]
        expected = np.maximum(
            self._rate_beyond(rows, others, done_at, "left"),
            self._rate_beyond(rows, others, done_at, "right"),
        )
        excess = float((self.success[rows] - expected)[mine].sum())
        variance = float((expected * (1 - expected))[mine].sum())
        return normal_tail(excess / math.sqrt(variance)) if variance > 0 else 1.0

    def _rate_beyond(
        self, rows: Array, others: Array, done_at: Array, side: Literal["left", "right"]
    ) -> Array:
        """For each of ``rows``: the success rate of those of its stratum with at least ("left") or more than
        ("right") ``done_at`` other steps; 0 where there are none."""
        rate = np.zeros(len(rows))
        stratum = self.strata.code[rows]
        for code in np.unique(stratum):
            here = np.flatnonzero(stratum == code)
            order = here[np.argsort(others[here], kind="stable")]
            after = np.append(np.cumsum(self.success[rows[order]][::-1])[::-1], 0)
            start = np.searchsorted(others[order], done_at[rows[here]], side=side)
            rate[here] = after[start] / np.maximum(len(order) - start, 1)
        return rate

    def _by_stratum(self, mask: Array) -> Array:
        return np.bincount(self.strata.code[mask], minlength=self.groups).astype(float)


def normal_tail(z: float) -> float:
    """P(a standard normal variable exceeds ``z``)."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def _factors(sessions: Sequence[Observation], known: Array) -> list[Array]:
    """Codes of what is to be held still, one array a factor; constant ones are left out."""
    makers: tuple[Callable[[Observation], Hashable], ...] = (
        lambda o: o.user,
        lambda o: (o.agent, o.attributes.get("agent_version")),
        lambda o: o.model,
        lambda o: o.repository,
        lambda o: o.memory,
    )
    columns = [_shared([make(o) for o in sessions], known) for make in makers]
    columns.append(_periods(sessions))
    return [c for c in columns if len(set(c[known].tolist())) > 1]


def _shared(values: Sequence[Hashable], known: Array) -> Array:
    """Codes of values; those of one session only are one group (they cannot be held still on their own)."""
    seen = Counter(v for v, k in zip(values, known.tolist(), strict=True) if k)
    codes: dict[Hashable, int] = {}
    return np.array(
        [codes.setdefault(v, len(codes) + 1) if seen[v] > 1 else 0 for v in values], dtype=np.int32
    )


def _periods(sessions: Sequence[Observation]) -> Array:
    """Blocks of about equally many sessions in order of time; 0 where there is no time."""
    dated = sorted((o.started_at.timestamp(), i) for i, o in enumerate(sessions) if o.started_at is not None)
    blocks = max(1, min(BLOCKS, len(dated) // LEAST_OF_A_BLOCK))
    code = np.zeros(len(sessions), dtype=np.int32)
    for rank, (_, i) in enumerate(dated):
        code[i] = 1 + rank * blocks // len(dated)
    return code


def _binned(values: Array) -> Array:
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="left")


def _partialled(values: Array, factors: Sequence[Array]) -> Array:
    """Residuals of ``values`` on the dummies of all factors, by alternating projections (Guimarães &
    Portugal 2010): group means are taken out in turn until nothing moves."""
    out = values - values.mean()
    sizes = [np.bincount(f) for f in factors]
    for _ in range(PASSES):
        moved = 0.0
        for factor, size in zip(factors, sizes, strict=True):
            mean = np.bincount(factor, weights=out) / np.maximum(size, 1)
            out = out - mean[factor]
            moved = max(moved, float(np.abs(mean).max()))
        if moved < TOLERANCE:
            break
    return out
