"""How well are the lines found that people mark? ``python -m examples.builds.measure [--logs DIR]``

Recall is the share of the marked lines that are returned, precision the share of the returned lines that are
marked; *macro* is the mean over builds, *micro* counts all lines of all builds together. Peers, on the same
builds: every line of the failing log that is not in the passing log, plain (without the clock in front), and with
what is volatile masked as we mask it.

Made builds: what was planted is marked. A folder of real ones has ``groundtruth`` and ``groundtruth2`` beside the
logs: lines that two people marked, ``E 12-15`` (error) and ``C 11`` (context); both kinds count. A line is marked if
either marked it; the tables of each alone are printed, too, and what one person gets who is measured by the other.
The projects were halved by name before anything was tried: signs and rules were written with one half in sight.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

from examples.builds import worlds
from examples.builds.folder import Builds, project_of
from examples.builds.grouping import group

__all__ = ["Score", "grouped", "halves", "main", "marked", "plain", "returned", "score", "templates"]

SEEDS: Final = (101, 102, 103, 104, 105)
"""Worlds that nobody looked at while the rules were written; that was done with 7, 8, 9 and 11."""

Lines = frozenset[int]


@dataclass(frozen=True, slots=True)
class Score:
    """Of ``builds`` builds."""

    builds: int
    macro_recall: float
    macro_precision: float
    micro_recall: float
    micro_precision: float


def score(pairs: Iterable[tuple[Lines, Lines]]) -> Score:
    """Of (marked, returned) lines of each build. Where nothing was returned precision is 0."""
    rows = [(len(marks & found), len(marks), len(found)) for marks, found in pairs]
    n = len(rows) or 1
    hits, marks, found = (sum(row[k] for row in rows) for k in range(3))
    return Score(
        len(rows),
        sum(row[0] / row[1] for row in rows if row[1]) / n,
        sum(row[0] / row[2] for row in rows if row[2]) / n,
        hits / (marks or 1),
        hits / (found or 1),
    )


# ------------------------------------------------------------------ what is returned


def returned(builds: Builds, build: str) -> Lines:
    """The lines that the tools give a specialist, who reports them all if it follows the example's policy."""
    found = builds.anomalies(build)
    return frozenset(n for each in found for span in each.spans for n in range(span.first, span.last + 1))


def plain(builds: Builds, build: str) -> Lines:
    """The peer: lines that are not in the passing log."""
    passing = builds.last_passing(build)
    known = {line.text for line in passing.lines} if passing else set[str]()
    return frozenset(line.number for line in builds.log(build).lines if line.text not in known)


def templates(builds: Builds, build: str) -> Lines:
    """The stronger peer: lines whose templates are not in the passing log."""
    passing = builds.last_passing(build)
    known = passing.templates if passing else Counter[str]()
    return frozenset(line.number for line in builds.log(build).lines if line.template not in known)


def grouped(builds: Builds, truth: Mapping[str, worlds.Truth]) -> tuple[float, float, float]:
    """(recall, precision) of pairs of builds that are in one group against those that one incident broke, and the
    share of builds whose cause is told rightly."""
    told = [
        (name, found[0].cause, [span for each in found for span in each.spans])
        for name in builds.failed
        if (found := builds.anomalies(name))
    ]
    right = sum(truth[name].cause == cause for name, cause, _ in told)
    ours = {
        frozenset(pair)
        for each in group(builds, told)
        for pair in combinations([broken.build for broken in each.builds], 2)
    }
    true = {
        frozenset(pair)
        for pair in combinations(truth, 2)
        if truth[pair[0]].incident == truth[pair[1]].incident
    }
    return len(ours & true) / (len(true) or 1), len(ours & true) / (len(ours) or 1), right / (len(truth) or 1)


# ------------------------------------------------------------------ what people marked


def marked(path: Path) -> Lines:
    """The lines that one person marked: errors and their context."""
    found: set[int] = set()
    for told in path.read_text("utf-8").splitlines():
        kind, _, lines = told.partition(" ")
        if kind in {"E", "C"} and lines:
            first, _, last = lines.partition("-")
            found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def halves(builds: Builds) -> dict[str, list[str]]:
    """Every second project by name was in sight while the rules were written; the others were not."""
    projects = sorted({project_of(name) for name in builds.failed})
    seen = set(projects[::2])
    return {
        "projects in sight": [name for name in builds.failed if project_of(name) in seen],
        "projects held out": [name for name in builds.failed if project_of(name) not in seen],
        "all": builds.failed,
    }


_WAYS: Final[Mapping[str, Callable[[Builds, str], Lines]]] = {
    "ours": returned,
    "lines not in pass.log": plain,
    "templates not in pass.log": templates,
}


def _real(folder: Path) -> None:
    builds = Builds(folder)
    by = {
        name: [marked(place) for place in sorted((folder / name).glob("groundtruth*"))]
        for name in builds.failed
    }
    whose: dict[str, Callable[[str], Lines]] = {
        "either person": lambda name: frozenset[int]().union(*by[name]),
        "the first": lambda name: by[name][0],
        "the second": lambda name: by[name][-1],
    }
    _head(
        f"Real logs: {len(builds.failed)} failed builds of {len({project_of(n) for n in builds.failed})} projects"
    )
    for who, marks in whose.items():
        for half, names in halves(builds).items() if who == "either person" else [("all", builds.failed)]:
            for way, find in _WAYS.items():
                _row(f"{half}, {who}: {way}", score((marks(name), find(builds, name)) for name in names))
    _row("all: the second person, measured by the first", score((by[n][0], by[n][-1]) for n in builds.failed))
    _row("all: the first person, measured by the second", score((by[n][-1], by[n][0]) for n in builds.failed))


def _made(count: int, seeds: Sequence[int]) -> None:
    pairs: dict[str, list[tuple[Lines, Lines]]] = {way: [] for way in _WAYS}
    groups: list[tuple[float, float, float]] = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="builds-") as made:
            worlds.write(worlds.make(count, seed), Path(made))
            builds, truth = Builds(Path(made) / "logs"), worlds.truths(Path(made))
            for way, find in _WAYS.items():
                pairs[way] += [(frozenset(truth[n].lines), find(builds, n)) for n in builds.failed]
            groups.append(grouped(builds, truth))
    _head(f"Made logs: {len(seeds)} worlds of {count} builds (seeds {', '.join(map(str, seeds))})")
    for way, told in pairs.items():
        _row(way, score(told))
    recall, precision, right = (sum(each[k] for each in groups) / len(groups) for k in range(3))
    print(f"\nGrouping by cause, pairs of builds: recall {recall:.2f}, precision {precision:.2f}. ", end="")
    print(f"Cause told rightly: {right:.0%}.")


def _head(title: str) -> None:
    print(f"\n### {title}\n\n| | builds | macro recall | macro precision | micro recall | micro precision |")
    print("|---|---|---|---|---|---|")


def _row(what: str, got: Score) -> None:
    figures = (got.macro_recall, got.macro_precision, got.micro_recall, got.micro_precision)
    print(f"| {what} | {got.builds} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m examples.builds.measure")
    parser.add_argument("--logs", metavar="DIR", help="real builds, with what people marked in groundtruth*")
    parser.add_argument("--builds", type=int, default=300, help="builds of each made world (300)")
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS, help="the made worlds")
    given = parser.parse_args(arguments)
    _made(given.builds, given.seeds)
    if given.logs:
        _real(Path(given.logs))


if __name__ == "__main__":
    main()
