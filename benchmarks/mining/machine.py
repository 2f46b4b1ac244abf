"""What this machine can do: how fast memory is read, and how near to that the miner counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reverie.mining.conditional.arrays import Bytes, Floats
from reverie.mining.conditional.counting import Rows

__all__ = ["Rate", "bandwidth", "table_rate"]

COPIED = 256 * 2**20
ROWS = 4_000_000
BYTES_PER_ROW = 1 + 1 + 1 + 8  # the code, whether it is inside, whether it failed, what was expected of it


@dataclass(frozen=True)
class Rate:
    """``rows`` counted per second, and as many as reading their bytes at full bandwidth would allow."""

    rows: float
    allowed: float

    @property
    def share(self) -> float:
        return self.rows / self.allowed


def bandwidth() -> float:
    """Bytes per second that one core reads and writes: a copy far larger than any cache, best of five."""
    source = np.ones(COPIED, dtype=np.uint8)
    target = np.empty_like(source)
    return 2 * COPIED / _best(lambda: np.copyto(target, source))


def table_rate() -> Rate:
    """Rows of a long table counted into the cells of one axis (rows, failures and expected failures at once)."""
    dice = np.random.default_rng(0)
    codes: Bytes = dice.integers(0, 200, ROWS).astype(np.uint8)
    expected: Floats = np.full(ROWS, 0.08)
    inside = np.ones(ROWS, dtype=bool)
    rows = Rows(dice.random(ROWS) < 0.08, 65_536)
    seconds = _best(lambda: rows.histogram(codes, 200, inside, expected))
    return Rate(ROWS / seconds, bandwidth() / BYTES_PER_ROW)


def _best(work: Callable[[], object]) -> float:
    seconds: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
