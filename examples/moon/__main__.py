"""``python -m examples.moon``: drones land on a simulated Moon.

python -m examples.moon --seed 7 --site dusty      one mission, with a log and a plot
python -m examples.moon --runs 20                  success by kind of site
python -m examples.moon measure                    the same for each remedy, over 100 seeds (minutes)
python -m examples.moon --playbook FILE            a crew that has read FILE
python -m examples.moon --engine [--model NAME]    through the engine: a session in a database, graded
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import reverie
from examples.moon import mission as engine
from examples.moon.measure import table
from examples.moon.show import log, plot
from examples.moon.simulate import run_mission
from examples.moon.terrain import KINDS
from examples.moon.tools import Mission

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example. 0, also where a drone is lost; 2 where the command is wrong."""
    given = _parser().parse_args(arguments)
    memory = given.playbook.read_text("utf-8") if given.playbook else ""
    if given.what == "measure" or given.runs:
        kinds = [given.site] if given.site else KINDS
        for line in table(given.runs or 100, given.seed, kinds, each=given.what == "measure"):
            print(line, flush=True)
    elif given.engine or given.model or given.graded:
        asyncio.run(_fly(Mission(given.site or "plains", given.seed), memory, given))
    else:
        print("\n".join(log(run_mission(given.site or "plains", given.seed, memory=memory))))
    return 0


async def _fly(mission: Mission, memory: str, given: argparse.Namespace) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="moon-") as made,
        reverie.open(given.db or Path(made) / "moon.db") as house,
    ):
        stores: list[str] = []
        if memory:
            stores = ["descent playbook"]
            engine.remember(house, stores[0], memory)
        if given.graded:
            pursuit = await engine.land(mission, model=given.model, memory=stores, reverie=house)
            print(pursuit.result, *(verdict.explanation for verdict in pursuit.verdicts), sep="\n")
        else:
            print((await engine.fly(mission, model=given.model, memory=stores, reverie=house)).text)
    print("\n".join(plot(mission.flight.samples)))
    print("SUCCESS" if mission.succeeded else "FAILURE", mission.facts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.moon", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("what", nargs="?", choices=["fly", "measure"], default="fly")
    parser.add_argument(
        "--site", choices=KINDS, help="the kind of site (plains; with --runs or measure: all)"
    )
    parser.add_argument("--seed", type=int, default=7, help="of the site and of what sensors do (7)")
    parser.add_argument("--runs", type=int, default=0, help="so many missions of each kind, as a table")
    parser.add_argument("--playbook", type=Path, metavar="FILE", help="advice that the crew has read")
    parser.add_argument("--engine", action="store_true", help="as a team of agents, in a session")
    parser.add_argument("--graded", action="store_true", help="by the rubric, through the engine")
    parser.add_argument("--model", metavar="NAME", help="a model for the crew, through the engine")
    parser.add_argument("--db", type=Path, metavar="FILE", help="where the engine keeps the session")
    return parser


if __name__ == "__main__":
    sys.exit(main())
