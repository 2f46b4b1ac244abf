"""Trials: error rates and power of the rule that adopts an edit from replays, beside its rivals; verdicts online.

    python -m benchmarks.trials [--quick] [--plot curve.svg]
    python -m benchmarks.trials loop [--quick]      the whole of it, through a database and sessions

"Replays" counts single runs of a task, two for each pair. A rule that stops early is charged for what it used, on average
over edits that do nothing, harm by 10 points and help by 10 points, a third each. Minutes; ``--quick`` under one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from benchmarks.table import Row, print_table
from benchmarks.trials.loop import show_loop
from benchmarks.trials.online import show_online
from benchmarks.trials.rivals import RULES, THRIFTY, Outcome, ours
from benchmarks.trials.tables import curve, matrix, percent
from benchmarks.trials.worlds import Replays, allocated, edited, replayed, tasks_of

WORLDS: Final = ("0.2", "0.5", "0.8", "mixed")
EFFECTS: Final = (0.0, -0.10, -0.05, 0.05, 0.10, 0.20)
CHARGED: Final = (0.0, -0.10, 0.10)
SHOWN: Final = 100
"""Pairs at most, in the tables that show all effects."""
CHOSEN: Final = {"ours, tasks chosen": "ours", "ours, thrifty, tasks chosen": "ours, thrifty"}
NAIVE: Final = "mean > mean (published)"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated."""

    repetitions: int
    caps: tuple[int, ...]
    targets: tuple[int, ...]
    lives: int


FULL: Final = Size(2500, (25, 50, 100, 200, 400, 800), (50, 100, 200, 300), 600)
QUICK: Final = Size(800, (25, 50, 100, 200, 400), (50, 100, 200), 60)


@dataclass(frozen=True, slots=True)
class Point:
    """One rule in one world with one budget: the share adopted by effect, the replays used on average."""

    adopted: dict[float, float]
    replays: float


Points = dict[str, dict[int, Point]]
"""By rule, by pairs at most."""


def measured(world: str, size: Size) -> Points:
    """All rules in one world, with all budgets; effects other than those charged only where they are shown."""
    most = size.caps[-1]
    plain = {e: replayed(world, e, size.repetitions, most, 100 + i) for i, e in enumerate(EFFECTS)}
    chosen = {e: allocated(world, e, size.repetitions, most, 200 + i) for i, e in enumerate(EFFECTS)}
    found: Points = {}
    for name in (*CHOSEN, *RULES):
        source = chosen if name in CHOSEN else plain
        rule = RULES[CHOSEN.get(name, name)]
        found[name] = {cap: point(source, lambda r, f=rule: f(r), cap) for cap in size.caps}
    return found


def point(source: dict[float, Replays], rule: object, cap: int) -> Point:
    effects = EFFECTS if cap == SHOWN else CHARGED
    assert callable(rule)
    results: dict[float, Outcome] = {e: rule(source[e].first(cap)) for e in effects}
    used = [results[e][1].mean() for e in CHARGED]
    return Point({e: float(a.mean()) for e, (a, _) in results.items()}, 2 * float(np.mean(used)))


def at(points: dict[int, Point], replays: float) -> float:
    """The power at +10 points with so many replays on average, between budgets by interpolation; nan below all."""
    line = sorted((p.replays, p.adopted[0.10]) for p in points.values())
    x, y = [p for p, _ in line], list(np.maximum.accumulate([q for _, q in line]))
    return float(np.interp(replays, x, y)) if replays >= x[0] else float("nan")


def show_effects(world: str, points: Points, size: Size) -> None:
    rows = [
        [name, *(percent(p[SHOWN].adopted[e], size.repetitions) for e in EFFECTS), f"{p[SHOWN].replays:.0f}"]
        for name, p in points.items()
    ]
    head = ["adopted, % ", *(f"{100 * e:+.0f} points" if e else "no effect" for e in EFFECTS), "replays"]
    matrix(f"World {world}: at most {2 * SHOWN} replays", head, rows)


def show_power(world: str, points: Points, size: Size) -> None:
    rows = [
        [name, *(f"{100 * at(p, t):.0f}" if at(p, t) == at(p, t) else "" for t in size.targets)]
        for name, p in points.items()
        if name != NAIVE
    ]
    head = ["+10 points adopted, %", *(f"{t} replays" for t in size.targets)]
    matrix(f"World {world}: the same number of replays on average", head, rows)


def mine(name: str) -> bool:
    return name.startswith("ours")


def errors(everything: dict[str, Points], size: Size) -> Iterator[Row]:
    for effect, limit, what in (
        (0.0, 0.05, "edits without effect adopted"),
        (-0.10, 0.01, "edits that harm by 10 adopted"),
    ):
        for kind in ("ours", "naive"):
            rates = [
                p.adopted[effect]
                for points in everything.values()
                for name, by_cap in points.items()
                if (mine(name) if kind == "ours" else name == NAIVE)
                for p in by_cap.values()
            ]
            worst = max(rates)
            noise = (
                3 * (limit * (1 - limit) / size.repetitions) ** 0.5
            )  # the greatest of some hundred figures
            holds = worst <= limit + noise if kind == "ours" else None
            label = f"{what}, {kind}, worst of {len(rates)} settings"
            yield Row(label, percent(worst, size.repetitions), f"≤ {100 * limit:.0f} %", holds)


def keeps(name: str, everything: dict[str, Points], size: Size) -> bool:
    """The rule held both limits in every world with every budget, as far as the simulation can tell."""
    slack = [3 * (limit * (1 - limit) / size.repetitions) ** 0.5 for limit in (0.05, 0.01)]
    return all(
        p.adopted[0.0] <= 0.05 + slack[0] and p.adopted[-0.10] <= 0.01 + slack[1]
        for points in everything.values()
        for p in points[name].values()
    )


def duels(everything: dict[str, Points], size: Size) -> Iterator[Row]:
    """Ours, tasks taken in turn, against the best rival that keeps both limits, at the same replays on average."""
    honest = [n for n in next(iter(everything.values())) if not mine(n) and keeps(n, everything, size)]
    for world, points in everything.items():
        for target in size.targets:
            rivals = {n: at(points[n], target) for n in honest}
            rivals = {n: v for n, v in rivals.items() if v == v}
            us = max(v for n in ("ours", "ours, thrifty") if (v := at(points[n], target)) == v)
            best = max(rivals, key=lambda n: rivals[n], default="")
            other = rivals.get(best, 0.0)
            limit = f"{100 * other:.0f} %: {best}" if best else "no rival is that cheap"
            yield Row(
                f"+10 adopted, world {world}, {target} replays on average",
                f"{100 * us:.0f} %",
                limit,
                us > other,
            )


def at_most(everything: dict[str, Points], size: Size) -> Iterator[Row]:
    """Ours without giving up any power against the best rival, both with all the replays they are allowed.

    The most powerful test cannot be beaten here: it holds if ours is not below the luckiest by more than three standard
    errors of what two coins on the edge differ by. The tests compare the two exactly.
    """
    honest = [n for n in next(iter(everything.values())) if not mine(n) and keeps(n, everything, size)]
    noise = 3 * (0.05 / size.repetitions) ** 0.5
    for world, points in everything.items():
        power = {n: points[n][SHOWN].adopted[0.10] for n in (*honest, "ours, patient", "ours, tasks chosen")}
        best = max(honest, key=lambda n: power[n])
        for name in ("ours, patient", "ours, tasks chosen"):
            yield Row(
                f"+10 adopted, world {world}, at most {2 * SHOWN} replays, {name} ({points[name][SHOWN].replays:.0f} used)",
                f"{100 * power[name]:.0f} %",
                f"{100 * power[best]:.0f} %: {best} ({points[best][SHOWN].replays:.0f} used)",
                power[name] >= power[best] - noise if name == "ours, patient" else None,
            )


def uneven(size: Size) -> Iterator[Row]:
    """An edit that helps the tasks in between and breaks the sure ones: −10 points on average."""
    base = tasks_of("mixed")
    lively = (base > 0.05) & (base < 0.95)
    better = base.copy()
    better[lively] = edited(base[lively], 0.05)
    better[base > 0.95] -= (better.mean() - base.mean() + 0.10) * len(base) / 7
    for label, make in (("in turn", replayed), ("chosen", allocated)):
        data = make("mixed", 0.0, size.repetitions, SHOWN, 300, better)
        rate = float(ours(data, THRIFTY)[0].mean())
        text = percent(rate, size.repetitions)
        yield Row(
            f"+5 on lively tasks, sure ones broken, −10 on average; tasks {label}",
            text,
            "≤ 1 %",
            rate <= 0.01,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=("statistics", "loop"), default="statistics")
    parser.add_argument("--quick", action="store_true", help="under a minute, coarse")
    parser.add_argument("--plot", type=Path, help="where to write the curve, an SVG")
    asked = parser.parse_args()
    if asked.what == "loop":
        show_loop(quick=asked.quick)
        return
    size = QUICK if asked.quick else FULL
    everything: dict[str, Points] = {}
    for world in WORLDS:
        everything[world] = measured(world, size)
        show_effects(world, everything[world], size)
        show_power(world, everything[world], size)
    rows = show_online(size.lives)
    print_table("Before adoption", [*errors(everything, size), *uneven(size), *duels(everything, size)])
    print_table("The same number of replays at most", list(at_most(everything, size)))
    print_table("While the agent works", rows)
    if asked.plot:
        lines = {
            name: [(p.replays, p.adopted[0.10]) for p in by_cap.values()]
            for name, by_cap in everything["0.5"].items()
            if name not in (NAIVE, *CHOSEN, "ours, no coin")
        }
        curve(
            asked.plot,
            "Edits that help by 10 points: share adopted (tasks succeed half the time)",
            "replays on average",
            lines,
        )
        print(f"\n{asked.plot} written")


if __name__ == "__main__":
    main()
