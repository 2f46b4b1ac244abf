"""Error templates: how fast, and are the messages of one template grouped together, and no others?

    python -m benchmarks.templates                       ours alone
    python -m benchmarks.templates --drain .drain/bin/python   beside Drain3 (benchmarks/drain/install.sh)
    python -m benchmarks.templates --quick               fewer messages

Grouping accuracy (GA: Zhu et al., ICSE-SEIP 2019): the share of messages whose group holds exactly the messages
of their template. FGA (Jiang et al., ISSTA 2024): the F1 of groups that are exactly a template. Drain3 gets the
same lines and, as its masking, the same masks; of four similarity thresholds the best counts. A second time it
gets the lines as we masked them. Speeds are lines per second of processor time, of one core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from benchmarks.logs import SHAPES, labelled_log
from benchmarks.table import Row, print_table
from reverie.mining.failures import judge_tool
from reverie.mining.templates import MASKS, count, mask, merge

__all__ = ["grouping", "main"]

WORKER = Path(__file__).parent / "drain" / "worker.py"
SIMILARITIES = (0.4, 0.5, 0.6, 0.7)
LEAST_SPEED = 100_000


def grouping(said: Sequence[Hashable], true: Sequence[Hashable]) -> tuple[float, float]:
    """(GA, FGA) of a grouping against the true one."""
    groups: dict[Hashable, list[int]] = defaultdict(list)
    sizes: dict[Hashable, int] = defaultdict(int)
    for i, (group, label) in enumerate(zip(said, true, strict=True)):
        groups[group].append(i)
        sizes[label] += 1
    exact = [
        members
        for members in groups.values()
        if len({true[i] for i in members}) == 1 and len(members) == sizes[true[members[0]]]
    ]
    precision, recall = len(exact) / len(groups), len(exact) / len(sizes)
    return sum(map(len, exact)) / len(said), 2 * precision * recall / ((precision + recall) or 1)


def telling_lines(messages: Sequence[str]) -> list[str]:
    """Of each message (a trace, a JSON body) the stretch that names the mistake."""
    return [judge_tool(message, is_error=True, looks=False)[1][0].example for message in messages]


def ours(lines: Sequence[str]) -> list[str]:
    """A name of its group for each line."""
    groups = merge(count(lines))
    return [min(groups[mask(line)]) for line in lines]


def drains(
    python: str, lines: Sequence[str], masks: Sequence[tuple[str, str]], similarity: float
) -> tuple[list[int], float]:
    """(cluster of each line, lines a second) of Drain3."""
    given = json.dumps({"messages": lines, "masks": masks, "similarity": similarity})
    answer = subprocess.run([python, str(WORKER)], input=given, capture_output=True, text=True, check=True)
    told = json.loads(answer.stdout)
    return told["ids"], len(lines) / told["seconds"]


def speed_rows(messages: int) -> tuple[list[Row], float]:
    """Lines a second of processor time: the median of five."""
    texts, _ = labelled_log(messages, 0)
    began = time.process_time()
    lines = telling_lines(texts)
    reading = messages / (time.process_time() - began)
    speeds: list[tuple[float, float]] = []
    for _ in range(5):
        began = time.process_time()
        counted = count(lines)
        masked = time.process_time()
        merge(counted)
        speeds.append((messages / (time.process_time() - began), messages / (masked - began)))
    whole, masking = sorted(speeds)[2]
    return [
        Row(
            f"lines a second and core, {messages:,} lines masked, counted and merged",
            f"{whole:,.0f}",
            "≥ 100,000",
            whole >= LEAST_SPEED,
        ),
        Row("masked and counted alone", f"{masking:,.0f}"),
        Row("distinct masked lines that are left to merge", f"{len(counted):,}"),
        Row("messages a second whose telling line is found (traces, JSON bodies)", f"{reading:,.0f}"),
    ], whole


def accuracy_rows(messages: int, seeds: int, python: str | None, speed: float) -> list[Row]:
    mine: list[tuple[float, float]] = []
    raw: dict[float, list[tuple[float, float, float]]] = defaultdict(list)
    masked: list[tuple[float, float]] = []
    for seed in range(1, seeds + 1):
        texts, labels = labelled_log(messages, seed)
        lines = telling_lines(texts)
        mine.append(grouping(ours(lines), labels))
        for similarity in SIMILARITIES if python else ():
            ids, rate = drains(python or "", lines, MASKS, similarity)
            raw[similarity].append((*grouping(ids, labels), rate))
        if python:
            masked.append(grouping(drains(python, [mask(line) for line in lines], (), 0.4)[0], labels))
    count_of = sum(len(shape) for shape in SHAPES.values())
    ga, fga = _means(mine)
    rows = [
        Row(f"ours, {seeds} logs of {messages:,} messages of {count_of} templates: GA", f"{ga:.3f}"),
        Row("ours: FGA", f"{fga:.3f}"),
    ]
    if not python:
        return [*rows, Row("Drain3", "not asked (--drain PYTHON)")]
    best = max(raw.values(), key=lambda found: sum(_means(found)[:2]))
    its_ga, its_fga, rate = _means(best)
    on_masked = _means(masked)
    return [
        *rows,
        Row("Drain3 with the same masks, its best threshold: GA", f"{its_ga:.3f}", "≤ ours", its_ga <= ga),
        Row("… FGA", f"{its_fga:.3f}", "≤ ours", its_fga <= fga),
        Row("Drain3 on the lines as we masked them: GA", f"{on_masked[0]:.3f}", "≤ ours", on_masked[0] <= ga),
        Row("… FGA", f"{on_masked[1]:.3f}", "≤ ours", on_masked[1] <= fga),
        Row("our speed, of Drain3's with the same masks", f"{speed / rate:.1f}×", "≥ 1×", speed >= rate),
    ]


def _means(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.templates")
    parser.add_argument(
        "--drain", metavar="PYTHON", help="a Python that has drain3 (benchmarks/drain/install.sh)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer messages")
    given = parser.parse_args(arguments)
    rows, speed = speed_rows(20_000 if given.quick else 200_000)
    print_table("Error templates: speed", rows)
    accuracy = accuracy_rows(5_000 if given.quick else 20_000, 2 if given.quick else 5, given.drain, speed)
    print_table("Error templates: grouping", accuracy)


if __name__ == "__main__":
    main(sys.argv[1:])
