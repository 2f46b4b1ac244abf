"""``python -m examples.documents``: a report and a deck, drafted from a brief to a rubric.

python -m examples.documents --brief 3                 one brief: what the grader demands, until it is met
python -m examples.documents --brief 3 --way "no grader"
python -m examples.documents compare --seeds 20        how often the work is good: no grader, own word, graded
python -m examples.documents cost --seeds 20           what judging again costs: what changed, or everything
python -m examples.documents --model NAME --grader NAME    with real models
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import reverie
from examples.documents.briefs import Brief, make
from examples.documents.compare import compare, cost, cost_lines, lines
from examples.documents.truth import flaws
from examples.documents.work import GRADER, ITERATIONS, WRITER, Done, Way, work

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example. 0 where the work is truly good, or a table was made; 1 where it is not."""
    given = _parser().parse_args(arguments)
    numbers = range(given.first, given.first + given.seeds)
    if given.what == "compare":
        found = compare(numbers, model=given.model, grader=given.grader)
        print("\n".join(lines(found)))
        return 0
    if given.what == "cost":
        costs = cost(numbers, model=given.model, grader=given.grader)
        print("\n".join(cost_lines(costs, len(numbers))))
        return 0
    return asyncio.run(_one(make(given.brief), given))


async def _one(brief: Brief, given: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="documents-") as made:
        place = given.db or Path(made) / "documents.db"
        with reverie.open(place) as house:
            done = await work(
                brief, Path(made) / "brief", given.way, model=given.model, grader=given.grader,
                iterations=given.iterations, reverie=house,
            )  # fmt: skip
    given.out.mkdir(parents=True, exist_ok=True)
    for name, data in done.files.items():
        (given.out / name).write_bytes(data)
    print("\n".join(_told(brief, done, given.out)))
    return 0 if done.good else 1


def _told(brief: Brief, done: Done, out: Path) -> list[str]:
    told = [f"Brief {brief.number}: {brief.title}"]
    for verdict in done.verdicts:
        told += [
            "",
            f"Iteration {verdict.iteration}: {verdict.result}",
            verdict.feedback or verdict.explanation,
        ]
    truth = ", ".join(sorted(flaws(brief, done.files))) or "nothing"
    told += [
        "",
        f"{done.result}; what is truly wrong: {truth}",
        f"files in {out}: {', '.join(sorted(done.files))}",
    ]
    if sum(done.calls):
        told.append(f"grading: {sum(done.calls)} model calls, {sum(done.tokens):,} tokens")
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.documents", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("what", nargs="?", choices=["draft", "compare", "cost"], default="draft")
    parser.add_argument("--brief", type=int, default=3, help="the number of the brief (3)")
    parser.add_argument(
        "--way", choices=get_args(Way), default="graded", help="who judges the draft (graded)"
    )
    parser.add_argument("--seeds", type=int, default=20, help="of tables: how many briefs (20)")
    parser.add_argument("--first", type=int, default=1, help="of tables: the first brief's number (1)")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help=f"judged at most ({ITERATIONS})")
    parser.add_argument("--model", default=WRITER, metavar="NAME", help="the writer's model (a program)")
    parser.add_argument("--grader", default=GRADER, metavar="NAME", help="the grader's model (a program)")
    parser.add_argument(
        "--out", type=Path, default=Path("documents-out"), help="where files go (documents-out)"
    )
    parser.add_argument("--db", type=Path, metavar="FILE", help="where the session is kept (nowhere)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
