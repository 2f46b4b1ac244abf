"""Worlds to mine: planted causes among mixed attributes, and worlds with nothing to find.

A planted world has at least 40 attributes (categories of 2–12 values, integers, skewed numbers, an hour
of the day, attributes of the user, a version that is rolled out over time), a base failure rate of 8 %,
and causes: conjunctions of one to three conditions that raise it to 60–95 %. Noisy copies of the causes'
attributes lie about as bait. Thresholds are drawn at random, not on any grid, and not rounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.mining.conditional import Column, Table

__all__ = ["BASE_RATE", "Cause", "NullKind", "Term", "World", "null_world", "planted_world"]

BASE_RATE = 0.08
SUPPORT = (0.008, 0.06)
Bools: TypeAlias = NDArray[np.bool_]
NullKind: TypeAlias = Literal["independent", "clustered", "drifting"]
NULL_KINDS: tuple[NullKind, ...] = ("independent", "clustered", "drifting")


@dataclass(frozen=True)
class Term:
    """One true condition: a label, or ``low`` ≤ value < ``high`` (an hour with low > high wraps)."""

    attribute: str
    label: Any = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Cause:
    terms: tuple[Term, ...]
    rate: float
    rows: Bools


@dataclass(frozen=True)
class World:
    table: Table
    target: Bools
    users: NDArray[np.int32]
    times: NDArray[np.float64]
    causes: tuple[Cause, ...]


@dataclass
class _Draft:
    """Columns while they are being made: raw values (codes or floats) by name."""

    n: int
    rng: np.random.Generator
    users: NDArray[np.int32]
    progress: NDArray[np.float64]
    columns: dict[str, Column]

    def category(self, name: str, codes: NDArray[Any], size: int) -> None:
        labels = tuple(f"{name}-{i}" for i in range(size))
        self.columns[name] = Column(name, "category", codes.astype(np.int32), labels)

    def number(self, name: str, values: NDArray[Any], kind: Literal["number", "hour"] = "number") -> None:
        self.columns[name] = Column(name, kind, values.astype(np.float64))

    def shares(self, size: int) -> NDArray[np.float64]:
        return self.rng.dirichlet(np.full(size, 2.0))

    def by_user(self, size: int) -> NDArray[Any]:
        of_user = self.rng.choice(size, int(self.users.max()) + 1, p=self.shares(size))
        return of_user[self.users]


USER_LEVEL = (("team", 6), ("region", 5), ("plan", 3), ("editor", 4), ("os", 3))


def _draft(n: int, rng: np.random.Generator, clustered: bool = False) -> _Draft:
    people = int(np.clip(n / 25, 8, 2_000))
    users = rng.choice(people, n, p=rng.dirichlet(np.full(people, 1.5))).astype(np.int32)
    draft = _Draft(n, rng, users, np.linspace(0, 1, n), {})
    for name, size in USER_LEVEL:
        draft.category(name, draft.by_user(size), size)
    draft.number("tenure_days", rng.integers(1, 1500, people)[users])
    _rolled_out(draft, "version", 6)
    draft.category("weekday", rng.integers(0, 7, n), 7)
    early = rng.random(n) < 0.4
    hour = np.where(early, rng.normal(10, 2.5, n), rng.normal(16, 3.5, n)) % 24
    draft.number("hour", hour, "hour")
    for i, size in enumerate((2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 8, 8, 10, 12, 12)):
        codes = draft.by_user(size) if clustered and i < 8 else rng.choice(size, n, p=draft.shares(size))
        draft.category(f"kind_{i}", codes, size)
    for i in range(5):
        draft.number(f"size_{i}", rng.lognormal(2, 1 + 0.2 * i, n))
    for i in range(4):
        draft.number(f"count_{i}", rng.negative_binomial(3, 0.12 + 0.04 * i, n))
    for i in range(4):
        draft.number(f"share_{i}", rng.beta(1 + i, 2, n))
    return draft


def _rolled_out(draft: _Draft, name: str, size: int) -> None:
    """A version that moves up over time, at another pace for each row's user."""
    lag = draft.rng.normal(0, 0.04, int(draft.users.max()) + 1)[draft.users]
    draft.category(name, np.clip(np.floor((draft.progress + lag) * size), 0, size - 1), size)


def _with_gaps(draft: _Draft, share: float = 0.05) -> None:
    """Some values of a few columns go missing at random."""
    for name in ("size_1", "count_2", "share_3", "kind_7"):
        column = draft.columns[name]
        gone = draft.rng.random(draft.n) < share
        column.values[gone] = -1 if column.kind == "category" else np.nan


def planted_world(rows: int, seed: int, causes: int | None = None) -> World:
    """``causes`` conjunctions (4 up to 2,000 rows, else 8) that each cover 0.8–6 % of the rows."""
    rng = np.random.default_rng([seed, rows, 1])
    draft = _draft(rows, rng)
    _with_gaps(draft)
    wanted = causes if causes is not None else (4 if rows <= 2_000 else 8)
    planted: list[Cause] = []
    names = [name for name in draft.columns if name != "version"]
    while len(planted) < wanted:
        cause = _cause(draft, names)
        if cause is not None and all(_apart(cause.rows, other.rows) for other in planted):
            planted.append(cause)
    rate = np.full(rows, BASE_RATE)
    for cause in planted:
        rate[cause.rows] = np.maximum(rate[cause.rows], cause.rate)
    target = rng.random(rows) < rate
    _bait(draft, planted)
    return _world(draft, target, tuple(planted))


def _cause(draft: _Draft, names: list[str]) -> Cause | None:
    """One cause, or None when the draw of attributes admits none of the wanted size.

    Conditions on categories and on numbers come in proportion to how many attributes are of either kind.
    """
    rng = draft.rng
    arity = int(rng.integers(1, 4))
    support = float(np.exp(rng.uniform(np.log(SUPPORT[0]), np.log(SUPPORT[1]))))
    kinds = rng.choice(["category", "other"], arity, p=_mix(draft, names))
    for _ in range(100):
        chosen = [str(rng.choice(_of_kind(draft, names, kind))) for kind in kinds]
        terms = [_term(draft, name, support ** (1 / arity)) for name in chosen]
        if len(set(chosen)) < arity or any(term is None for term in terms):
            continue
        kept = tuple(term for term in terms if term is not None)
        rows = np.logical_and.reduce([holds(draft.columns[term.attribute], term) for term in kept])
        if SUPPORT[0] <= rows.mean() <= SUPPORT[1]:
            return Cause(kept, float(rng.uniform(0.6, 0.95)), rows)
    return None


def _of_kind(draft: _Draft, names: list[str], kind: str) -> list[str]:
    return [name for name in names if (draft.columns[name].kind == "category") == (kind == "category")]


def _mix(draft: _Draft, names: list[str]) -> list[float]:
    share = len(_of_kind(draft, names, "category")) / len(names)
    return [share, 1 - share]


def _term(draft: _Draft, name: str, share: float) -> Term | None:
    """A condition on ``name`` that about ``share`` of the rows fulfil, None where there is none."""
    column, rng = draft.columns[name], draft.rng
    if column.kind == "category":
        shares = np.bincount(column.values[column.values >= 0], minlength=len(column.labels)) / draft.n
        near = np.flatnonzero((shares > share / 2) & (shares < share * 2))
        return Term(name, label=column.labels[int(rng.choice(near))]) if len(near) else None
    present = column.values[~np.isnan(column.values)]
    if column.kind == "hour":
        start = float(rng.uniform(0, 1))
        low, high = np.quantile(present, [start, (start + share) % 1])
        return Term(name, low=float(low), high=float(high))
    start = float(rng.choice([0.0, 1 - share, rng.uniform(0.05, 0.95 - share)], p=[0.35, 0.5, 0.15]))
    low, high = np.quantile(present, [start, min(1.0, start + share)])
    term = Term(
        name, low=None if start == 0 else float(low), high=None if start == 1 - share else float(high)
    )
    true_share = holds(column, term).mean()
    return term if share / 2 < true_share < share * 2 else None


def holds(column: Column, term: Term) -> Bools:
    """The rows that fulfil a true condition."""
    values = column.values
    if column.kind == "category":
        return values == column.labels.index(term.label)
    above = np.ones(len(values), dtype=bool) if term.low is None else values >= term.low
    below = np.ones(len(values), dtype=bool) if term.high is None else values < term.high
    wraps = term.low is not None and term.high is not None and term.low > term.high
    inside = (above | below) if wraps else (above & below)
    return inside & ~np.isnan(values)


def _apart(one: Bools, other: Bools) -> bool:
    return (one & other).sum() <= 0.2 * min(one.sum(), other.sum())


def _bait(draft: _Draft, planted: list[Cause]) -> None:
    """Noisy copies: 15 % of a category's values changed, a number's rank shaken by a tenth."""
    names = list(dict.fromkeys(term.attribute for cause in planted for term in cause.terms))[:10]
    for name in names:
        column, rng = draft.columns[name], draft.rng
        if column.kind == "category":
            changed = rng.random(draft.n) < 0.15
            random = rng.integers(0, len(column.labels), draft.n)
            draft.category(f"{name}_copy", np.where(changed, random, column.values), len(column.labels))
        else:
            spread = float(np.nanstd(column.values))
            shaken = column.values + rng.normal(0, 0.3 * spread, draft.n)
            draft.number(f"{name}_copy", shaken % 24 if column.kind == "hour" else shaken, column.kind)


def null_world(rows: int, seed: int, kind: NullKind) -> World:
    """Nothing to find: no attribute has to do with failing, whatever users and time do."""
    rng = np.random.default_rng([seed, rows, 2 + NULL_KINDS.index(kind)])
    draft = _draft(rows, rng, clustered=kind == "clustered")
    _with_gaps(draft)
    for name in ("kind_0", "kind_5", "size_0", "count_1", "hour", "team"):
        draft.columns[f"{name}_copy"] = _renamed(draft.columns[name], f"{name}_copy")
    rate: NDArray[np.float64] = _RATES[kind](draft)
    return _world(draft, rng.random(rows) < rate, ())


def _renamed(column: Column, name: str) -> Column:
    return Column(name, column.kind, column.values.copy(), column.labels)


def _flat(draft: _Draft) -> NDArray[np.float64]:
    return np.full(draft.n, BASE_RATE)


def _per_user(draft: _Draft) -> NDArray[np.float64]:
    """Failure rates of users: gamma with a coefficient of variation of one (most 0–20 %, some over 30 %)."""
    people = int(draft.users.max()) + 1
    return np.minimum(BASE_RATE * draft.rng.gamma(1.0, 1.0, people), 0.9)[draft.users]


def _over_time(draft: _Draft) -> NDArray[np.float64]:
    """A rate that wanders between about 3 % and 25 % with an outage, while the mix of one kind wanders too."""
    rng, t = draft.rng, draft.progress
    wave = np.exp(0.9 * np.sin(2 * np.pi * (t * rng.uniform(0.7, 2.5) + rng.random())))
    start = rng.uniform(0.1, 0.8)
    outage = np.where((t > start) & (t < start + 0.06), 2.0, 1.0)
    size = len(draft.columns["kind_10"].labels)
    centre = np.floor(t * size)
    moved = np.where(rng.random(draft.n) < 0.5, centre, rng.integers(0, size, draft.n))
    draft.category("kind_10", np.clip(moved, 0, size - 1), size)
    draft.number("build", np.floor(t * 200 + rng.normal(0, 6, draft.n)))
    return np.minimum(BASE_RATE * wave * outage, 0.6)


_RATES: dict[NullKind, Callable[[_Draft], NDArray[np.float64]]] = {
    "independent": _flat,
    "clustered": _per_user,
    "drifting": _over_time,
}


def _world(draft: _Draft, target: Bools, causes: tuple[Cause, ...]) -> World:
    times = 1.7e9 + draft.progress * 60 * 86_400
    order = draft.rng.permutation(len(draft.columns))
    columns = list(draft.columns.values())
    table = Table(tuple(columns[i] for i in order), draft.n)
    return World(table, target, draft.users, times, causes)
