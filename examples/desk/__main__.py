"""``python -m examples.desk``: clerks draft and file legal documents in a simulated office.

python -m examples.desk --kind deed --seed 7        one matter, call by call
python -m examples.desk --memory FILE               a clerk who has read FILE
python -m examples.desk --engine [--model NAME]     through the engine: sessions in a database
python -m examples.desk measure                     success by kind, naive, told each remedy, told all
python -m examples.desk dream                       what dreams find, by sessions and by nights (minutes)
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import reverie
from examples.desk import learn, measure
from examples.desk.matters import KINDS, make_matter
from examples.desk.simulate import Line, Ran, run_matter
from examples.desk.world import Desk
from examples.prove.world import Task

__all__ = ["main"]

_COUNTS = (50, 100, 200, 400, 800)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example. 0, also where a matter fails; 2 where the command is wrong."""
    given = _parser().parse_args(arguments)
    if given.what == "measure":
        lines = measure.table(given.matters or 1_000, given.seed)
    elif given.what == "dream":
        lines = _dreams(given)
    elif given.engine or given.model:
        lines = _played(given)
    else:
        lines = _rehearsed(given)
    for line in lines:
        print(line, flush=True)
    return 0


def _rehearsed(given: argparse.Namespace) -> Iterator[str]:
    memory = given.memory.read_text("utf-8") if given.memory else ""
    for number in range(given.matters or 1):
        ran = run_matter(make_matter(given.kind, given.seed + number), memory)
        yield from _log(ran)
        if given.out:
            yield from (f"  {path}" for path in ran.tools.office.save(given.out / ran.tools.matter.name))


def _log(ran: Ran) -> Iterator[str]:
    matter = ran.tools.matter
    yield f"{matter.name}, asked by {matter.user}, worked on by {matter.agent}"
    for line in ran.lines:
        yield from _shown(line)
    yield (
        f"SUCCESS {matter.name}" if not ran.failures else f"FAILURE {matter.name}: {', '.join(ran.failures)}"
    )


def _shown(line: Line) -> Iterator[str]:
    if not line.tool:
        yield f"  {line.who}: {line.result}"
        return
    given = ", ".join(f"{name}={value}" for name, value in line.given.items() if name != "mime")
    yield f"  {'!' if line.is_error else ' '} {line.tool}({given})"
    yield f"      -> {line.result[:120]}"


def _played(given: argparse.Namespace) -> Iterator[str]:
    desk = Desk()
    tasks = [Task(given.kind, given.seed + number) for number in range(given.matters or 1)]
    with (
        tempfile.TemporaryDirectory(prefix="desk-") as made,
        reverie.open(given.db or Path(made) / "desk.db", clock=desk.clock) as house,
    ):
        store = None
        if given.memory:
            store = house.stores.create(learn.STORE, actor="examples.desk").id
            house.memories.create(store, "/notes.md", given.memory.read_text("utf-8"), actor="examples.desk")
        for played in desk.play(house, tasks, store=store, model=given.model):
            yield house.transcript(str(played.session_id))
            yield "SUCCESS" if played.succeeded else f"FAILURE: {', '.join(played.failures)}"


def _dreams(given: argparse.Namespace) -> Iterator[str]:
    held, seed = given.matters or 400, given.seed
    desk = Desk()
    naive = desk.rehearse(desk.tasks("held out", held, seed), "")
    share = sum(each.succeeded for each in naive) / held
    done = list(learn.curve(_COUNTS, held, seed))
    yield "One dream over so many sessions of clerks without memory:\n"
    yield from learn.table(done, share)
    yield "\nDream after dream, each after so much practice with the memory so far:\n"
    after = list(learn.nights(3, given.practice, held, seed))
    yield from learn.table(after, share)
    for number, night in enumerate(after, 1):
        yield f"\nDream {number}:"
        for each in night.found:
            taught, false = ", ".join(each.lesson.teaches) or "–", "; ".join(each.lesson.false)
            yield f"- {each.proposal.kind} {each.proposal.path}: {taught}{f'  FALSE: {false}' if false else ''}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.desk", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("what", nargs="?", choices=["work", "measure", "dream"], default="work")
    parser.add_argument("--kind", choices=KINDS, default="pleading", help="the kind of matter (pleading)")
    parser.add_argument("--seed", type=int, default=7, help="of the (first) matter, or of the tables (7)")
    parser.add_argument("--matters", type=int, default=0, help="so many of them (1; tables 1000 and 400)")
    parser.add_argument(
        "--practice", type=int, default=200, help="of dream: sessions before each dream (200)"
    )
    parser.add_argument("--memory", type=Path, metavar="FILE", help="notes that the clerk has read")
    parser.add_argument("--engine", action="store_true", help="as sessions of agents, in a database")
    parser.add_argument("--model", metavar="NAME", help="a model for the clerk, through the engine")
    parser.add_argument("--db", type=Path, metavar="FILE", help="where the engine keeps the sessions")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write what was sent there, as text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
