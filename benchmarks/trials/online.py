"""Trials while the agent works: false alarms when one looks after every session, coverage, and the delay to a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from benchmarks.table import Row, print_table
from benchmarks.trials.tables import matrix, percent
from benchmarks.trials.worlds import Floats, Sessions, lived
from scipy.stats import norm

from reverie.dreaming.trials.betting import STAKES, paths, stakes

ALPHA: Final = 0.05
SESSIONS: Final = 2000

Alarm = Callable[[Sessions], tuple[Floats, Floats]]
"""How far above its limit the evidence is after each session, for "helps" and for "harms"."""


def ours(lives: Sessions, *, answers: int = 2, strata: bool = True) -> tuple[Floats, Floats]:
    up, down = paths(lives.scored if strata else lives.scored_without_strata, lives.share)
    return up - np.log(answers / ALPHA), down - np.log(answers / ALPHA)


def uncentred(lives: Sessions) -> tuple[Floats, Floats]:
    """Inverse-probability weighting alone: nothing is expected of a session."""
    z = lives.good * np.where(lives.seen, 1 / lives.share, -1 / (1 - lives.share))
    up, down = paths(z, lives.share)
    return up - np.log(2 / ALPHA), down - np.log(2 / ALPHA)


def empirical_bernstein(lives: Sessions) -> tuple[Floats, Floats]:
    """Howard et al. 2021, theorem 4: the same scores and stakes, in the exponential process."""
    bound = 1 / min(lives.share, 1 - lives.share)
    z = lives.scored / bound
    out: list[Floats] = []
    for side in (z, -z):
        log = np.full(z.shape, -np.inf)
        for u in stakes(lives.share) * bound:
            np.logaddexp(log, (u * side + (np.log1p(-u) + u) * side**2).cumsum(1), out=log)
        out.append(log - np.log(STAKES) - np.log(2 / ALPHA))
    return out[0], out[1]


def plug_in(lives: Sessions) -> tuple[Floats, Floats]:
    """Turner, Ly & Grünwald's e-variable of two proportions, for one session at a time, rates learned on the way."""

    def before(flags: Floats) -> Floats:
        return flags.cumsum(1) - flags

    y, a, q = lives.good.astype(float), lives.seen.astype(float), lives.share
    p = (before(a * y) + 0.5) / (before(a) + 1)
    r = (before((1 - a) * y) + 0.5) / (before(1 - a) + 1)
    p, r = np.where(y > 0, p, 1 - p), np.where(y > 0, r, 1 - r)
    log = np.log(np.where(a > 0, p, r) / (q * p + (1 - q) * r)).cumsum(1) - np.log(1 / ALPHA)
    better = (a * y).cumsum(1) / np.maximum(a.cumsum(1), 1) > (((1 - a) * y).cumsum(1)) / np.maximum(
        (1 - a).cumsum(1), 1
    )
    return np.where(better, log, -1.0), np.where(better, -1.0, log)


def z_test(lives: Sessions, *, every: bool = True) -> tuple[Floats, Floats]:
    """The test of two proportions at 5 %, two-sided: after every session from the twentieth on, or once at the end."""
    y, a = lives.good.astype(float), lives.seen.astype(float)
    n, m = a.cumsum(1), (1 - a).cumsum(1)
    p, r = (a * y).cumsum(1) / np.maximum(n, 1), ((1 - a) * y).cumsum(1) / np.maximum(m, 1)
    both = y.cumsum(1) / (n + m)
    z = (p - r) / np.sqrt(np.maximum(both * (1 - both) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)), 1e-9))
    z[:, : 20 if every else -1] = 0.0
    return z - norm.isf(ALPHA / 2), -z - norm.isf(ALPHA / 2)


ALARMS: Final[dict[str, Alarm]] = {
    "ours": ours,
    "ours, as judged: two outcomes": lambda lives: ours(lives, answers=4),
    "ours, strata unknown": lambda lives: ours(lives, strata=False),
    "inverse-probability weights alone": uncentred,
    "empirical Bernstein (Howard et al.)": empirical_bernstein,
    "Turner–Grünwald plug-in": plug_in,
    "z-test, every session": z_test,
    "z-test, once at the end": lambda lives: z_test(lives, every=False),
}


def delay(above: Floats) -> tuple[float, float]:
    """(share that was decided, median session of the decision; infinite where less than half were)."""
    hit = (above >= 0).any(1)
    when = np.where(hit, (above >= 0).argmax(1) + 1.0, np.inf)
    return float(hit.mean()), float(np.median(when))


def show_online(repetitions: int) -> list[Row]:
    """Prints the tables; returns the rows that have a limit."""
    worlds = {
        "no effect": lived("steady", 0.0, repetitions, SESSIONS, 0.8, 1),
        "no effect, drift": lived("drift", 0.0, repetitions, SESSIONS, 0.8, 2),
        "+10": lived("steady", 0.1, repetitions, SESSIONS, 0.8, 3),
        "−10": lived("steady", -0.1, repetitions, SESSIONS, 0.8, 4),
        "−10, drift": lived("drift", -0.1, repetitions, SESSIONS, 0.8, 5),
        "−10, half see it": lived("steady", -0.1, repetitions, SESSIONS, 0.5, 6),
        "−30": lived("steady", -0.3, repetitions, SESSIONS, 0.8, 7),
    }
    rows: list[list[str]] = []
    worst = 0.0
    for name, alarm in ALARMS.items():
        cells = [name]
        for world, lives in worlds.items():
            up, down = alarm(lives)
            if world.startswith("no"):
                rate = float((np.maximum(up, down) >= 0).any(1).mean())
                worst = max(worst, rate) if name == "ours" else worst
                cells.append(percent(rate, repetitions))
            else:
                share, median = delay(up if world == "+10" else down)
                cells.append(
                    f"{100 * share:.0f} %, {median:.0f}" if np.isfinite(median) else f"{100 * share:.0f} %"
                )
        rows.append(cells)
    matrix(
        f"Looked at after each of {SESSIONS} sessions: false alarms; decided by then and median session of it",
        ["test", *worlds],
        rows,
    )
    return [
        Row(
            "false alarms of ours, looked at after every session",
            percent(worst, repetitions),
            "≤ 5 %",
            worst <= 0.05,
        ),
        covered(repetitions),
    ]


def covered(repetitions: int) -> Row:
    """Does the interval hold the average effect so far at all times, while the effect turns from +30 to −30 points?"""
    lives = lived("turning", 0.3, repetitions, SESSIONS, 0.8, 8)
    so_far = lives.effect.cumsum(1) / np.arange(1, SESSIONS + 1)
    up, down = paths(lives.scored, lives.share, so_far)
    left = float((np.maximum(up, down) >= np.log(2 / ALPHA)).any(1).mean())
    return Row(
        "intervals that ever miss the average effect so far, the effect turning",
        percent(left, repetitions),
        "≤ 5 %",
        left <= 0.05,
    )


if __name__ == "__main__":
    print_table("Online", show_online(100))
