"""Conditional patterns on worlds whose causes are known, and on worlds that have none.

    python -m benchmarks.mining [--sizes 1000 10000 …] [--seeds N] [--memory] [--peers PYTHON]

prints a table for each number of rows, beside its limits, and for peers the same tables. Times are of mining
alone, one at a time; because a machine may be shared, they are told as a multiple of a fixed piece of work too.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

from benchmarks.mining import machine, memory, peers
from benchmarks.mining.ours import NullScore, Score, Times, empty, middle, planted
from benchmarks.mining.worlds import NULL_KINDS
from benchmarks.table import Row, print_table


@dataclass(frozen=True)
class Goal:
    """What is asked of a number of rows; ``seeds`` and ``null_seeds`` are how many worlds there are by default."""

    exact: float
    per_cause: float
    seconds: float
    megabytes: float | None
    seeds: int
    null_seeds: int


GOALS = {
    1_000: Goal(0.90, 1.2, 0.3, None, 100, 40),
    10_000: Goal(0.98, 1.1, 0.7, None, 20, 20),
    100_000: Goal(0.98, 1.1, 2.5, 400, 20, 20),
    1_000_000: Goal(0.98, 1.1, 8.0, 800, 3, 3),
}
NULL_LIMIT = 0.05
IDLE = 0.04  # seconds of the fixed work on the machine these limits were set on, when it did nothing else
NULLS = {
    "independent": "rows independent",
    "clustered": "users fail at rates of their own, attributes of users",
    "drifting": "rate and versions drift together in time",
}


def main() -> None:
    asked = _asked()
    print(f"{os.cpu_count()} cores; one process, one thread of work")
    for rows in asked.sizes:
        _size(rows, asked)
    _counting()
    if asked.peers:
        _peers(asked)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mining", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=list(GOALS), choices=list(GOALS))
    parser.add_argument(
        "--seeds", type=int, help="worlds of each kind and size (default: fewer of the large ones)"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--peers", metavar="PYTHON", help="their interpreter (see install_peers.sh)")
    parser.add_argument("--peer-rows", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--peer-seeds", type=int, default=3)
    parser.add_argument("--peer-limit", type=int, default=120, help="processor seconds per peer and table")
    return parser.parse_args()


def _size(rows: int, asked: argparse.Namespace) -> None:
    goal = GOALS[rows]
    score = planted(rows, range(asked.first, asked.first + (asked.seeds or goal.seeds)))
    table = [*_found(score, goal)]
    for kind, words in NULLS.items():
        assert kind in NULL_KINDS
        null = empty(rows, range(asked.first, asked.first + (asked.seeds or goal.null_seeds)), kind)
        table.append(_claimed(null, words))
    table += _times(score, goal)
    if goal.megabytes is not None:
        peak = memory.peak_megabytes(rows)
        table.append(
            Row(
                "peak memory, table included",
                f"{peak:.0f} MB",
                f"≤ {goal.megabytes:g} MB",
                peak <= goal.megabytes,
            )
        )
    print_table(f"{rows:,} rows", table)


def _found(score: Score, goal: Goal) -> list[Row]:
    claimable = f"of {score.claimable} claimable ({score.worlds} worlds, {score.causes} causes)"
    least = f"≥ {goal.exact:.2f}"
    return [
        Row(f"causes found exactly, {claimable}", f"{score.share:.3f}", least, score.share >= goal.exact),
        Row(
            "… or named among conditions the data cannot tell apart",
            f"{score.named / score.claimable:.3f}",
        ),
        Row("… or with thresholds within 10 % of the rows", f"{score.loose / score.claimable:.3f}"),
        Row("… by an estimator told all but the thresholds", f"{score.ceiling:.3f}"),
        Row("causes found exactly that were not claimable", str(score.beyond)),
        Row(
            "findings per cause that they point at",
            f"{score.per_cause:.3f} ({score.stray} of {score.findings} point at none)",
            f"≤ {goal.per_cause}",
            score.per_cause <= goal.per_cause,
        ),
    ]


def _claimed(null: NullScore, words: str) -> Row:
    share = null.with_claims / max(1, null.worlds)
    figure = f"{null.with_claims} of {null.worlds}"
    return Row(f"empty worlds with any claim: {words}", figure, f"≤ {NULL_LIMIT:.0%}", share <= NULL_LIMIT)


def _times(times: Times, goal: Goal) -> list[Row]:
    """The limit is for a machine that does nothing else, where a second of the processor is one on the wall."""
    wall, cpu, work = (middle(values) for values in (times.wall, times.cpu, times.yardstick))
    return [
        Row(
            "time, mining alone (median, processor)",
            f"{cpu:.2f} s",
            f"≤ {goal.seconds:g} s",
            cpu <= goal.seconds,
        ),
        Row("… the slowest world", f"{max(times.cpu):.2f} s"),
        Row(
            "… on the wall, and how busy the machine was",
            f"{wall:.2f} s; fixed work {work / IDLE:.1f} × as when idle",
        ),
    ]


def _counting() -> None:
    rate = machine.table_rate()
    print_table(
        "Counting, one core",
        [
            Row("rows counted into cells (rows, failures, expected)", f"{rate.rows / 1e6:.0f} M/s"),
            Row("as memory bandwidth allows", f"{rate.allowed / 1e6:.0f} M/s"),
            Row("share", f"{rate.share:.0%}"),
        ],
    )


def _peers(asked: argparse.Namespace) -> None:
    for rows in asked.peer_rows:
        seeds = range(asked.first, asked.first + asked.peer_seeds)
        print(
            f"\n### Peers, {rows:,} rows, {len(seeds)} worlds (limit {asked.peer_limit} s of the processor each)\n"
        )
        print(
            "| who | causes exact | findings per world | in no cause | empty worlds with claims | processor s | |"
        )
        print("|---|---|---|---|---|---|---|")
        print(_as_peer("Reverie", peers.ours(rows, seeds)), flush=True)
        for name in peers.NAMES:
            print(
                _as_peer(name, peers.measured(asked.peers, name, rows, seeds, asked.peer_limit)), flush=True
            )


def _as_peer(name: str, score: peers.PeerScore) -> str:
    done = score.runs - score.gave_up
    worlds = max(1, score.planted_worlds)
    cells = [
        f"{score.exact} of {score.causes}",
        f"{score.findings / worlds:.1f}",
        f"{score.stray / worlds:.1f}",
        f"{score.fooled} of {score.empty_worlds}",
        f"{score.seconds / max(1, done):.1f}",
        f"gave up {score.gave_up} of {score.runs}: {score.why}" if score.gave_up else "",
    ]
    return f"| {name} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
