"""The front door: a table and a target in, rules out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from math import ceil, log
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reverie.domain.errors import UsageError
from reverie.mining.conditional.arrays import Bools, Floats
from reverie.mining.conditional.counting import Rows
from reverie.mining.conditional.hunt import Hunt, Setting
from reverie.mining.conditional.language import MAX_ARITY
from reverie.mining.conditional.offsets import guard_of
from reverie.mining.conditional.report import Result
from reverie.mining.conditional.reporting import Grouping, Reporter
from reverie.mining.conditional.restating import restating_columns
from reverie.mining.conditional.sheet import encoded
from reverie.mining.conditional.table import Table, codes_of

__all__ = ["Labels", "mine_rules"]

Labels: TypeAlias = Sequence[Hashable] | NDArray[Any]

PARTITION: Final = 65_536
FEWEST_ROWS: Final = 4


def mine_rules(
    table: Table,
    target: Sequence[bool | None] | NDArray[Any],
    *,
    strata: Labels | None = None,
    users: Labels | None = None,
    sessions: Labels | None = None,
    times: Sequence[float | None] | NDArray[Any] | None = None,
    alpha: float = 0.05,
    min_effect: float = 0.2,
    min_users: int = 2,
    partition_rows: int = PARTITION,
) -> Result:
    """Conjunctions of up to three conditions under which ``target`` happens significantly more often.

    The probability that *any* rule comes out of a table in which no attribute matters is at most
    ``alpha``, over the whole language searched: also where users differ (pass ``users``), tasks are
    unequally hard (``strata``), rows of one session fail together (``sessions``) or rates drift (``times``,
    in any unit, NaN or None unknown), as long as attributes are known before the outcome. Without any of
    these, rows count as exchangeable and the test is exact. Rows whose target is unknown (None) are left out.

    ``min_effect`` is the least difference worth a rule, as Cohen's h (0.2: 8 % against 15 %);
    ``min_users`` of them must have shown it (where the table knows as many). ``partition_rows`` only
    bounds memory: any value gives the same result, byte for byte.

    Raises:
        UsageError: lengths differ, or a parameter is out of its range.
    """
    _check(alpha, min_users, partition_rows)
    known, failed = _outcomes(target, table.rows)
    grouping = Grouping(
        codes_of(strata, table.rows, "strata"),
        codes_of(users, table.rows, "users"),
        codes_of(sessions, table.rows, "sessions"),
        _moments(times, table.rows),
        np.arange(table.rows),
    )
    if not known.all():
        table, failed, grouping = _selected(table, known), failed[known], grouping.selected(known)
    setting = Setting(alpha, min_effect, min_users)
    return _mined(table, Rows(failed, partition_rows), grouping, setting)


def _mined(table: Table, rows: Rows, grouping: Grouping, setting: Setting) -> Result:
    n, k = len(rows), int(np.count_nonzero(rows.failed))
    if k in (0, n):
        note = (
            "no row with a known outcome" if n == 0 else "it never happens" if k == 0 else "it always happens"
        )
        return Result.nothing(n, k, note)
    columns, restating = restating_columns(table, rows.failed)
    sheet, left_out = encoded(columns, rows, _enough(n, k, len(columns.columns), setting.alpha))
    left_out = [*restating, *left_out]
    if not sheet.axes:
        return Result.nothing(n, k, "no attribute could be mined", left_out)
    guard = guard_of(n, (grouping.strata, grouping.users, grouping.sessions), grouping.times)
    difficulty = guard_of(n, (grouping.strata,), grouping.times)
    hunt = Hunt(sheet, guard, difficulty, grouping.users, setting)
    return Reporter(hunt, grouping).result(left_out)


def _check(alpha: float, min_users: int, partition_rows: int) -> None:
    if not 0.0 < alpha < 1.0:
        raise UsageError(f"alpha is {alpha}, not between 0 and 1", where="mine_rules")
    if min_users < 1 or partition_rows < 1:
        raise UsageError("min_users and partition_rows must be at least 1", where="mine_rules")


def _outcomes(target: Sequence[bool | None] | NDArray[Any], rows: int) -> tuple[Bools, Bools]:
    """(known, failed) of each row."""
    if len(target) != rows:
        raise UsageError(f"{len(target)} outcomes for {rows} rows", where="mine_rules")
    if isinstance(target, np.ndarray) and target.dtype == np.bool_:
        return np.ones(rows, dtype=bool), target
    known = np.fromiter((value is not None for value in target), dtype=bool, count=rows)
    failed = np.fromiter((bool(value) for value in target), dtype=bool, count=rows)
    return known, failed


def _moments(times: Sequence[float | None] | NDArray[Any] | None, rows: int) -> Floats | None:
    if times is None:
        return None
    if len(times) != rows:
        raise UsageError(f"{len(times)} times for {rows} rows", where="mine_rules")
    return np.array(
        [np.nan if t is None else t for t in times] if not isinstance(times, np.ndarray) else times,
        dtype=np.float64,
    )


def _selected(table: Table, known: Bools) -> Table:
    columns = tuple(replace(column, values=column.values[known]) for column in table.columns)
    return Table(columns, int(np.count_nonzero(known)))


def _enough(rows: int, failed: int, columns: int, alpha: float) -> int:
    """Rows below which a label could not be claimed even if all of them failed (Tarone 1990)."""
    needed = log(MAX_ARITY * max(1, columns) / alpha) / -log((failed + 0.5) / (rows + 1.0))
    return max(FEWEST_ROWS, ceil(needed))
