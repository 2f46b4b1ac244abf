"""``python -m examples.prove``: does what is dreamed help?

python -m examples.prove                       every world: tables, and a plot in prove-out/proof.svg (minutes)
python -m examples.prove moon|desk|outcomes|null    one of them
python -m examples.prove --quick               the same with few tasks: a minute of the processor, and wide intervals
python -m examples.prove --model NAME          agents of a real model, through the engine (it costs tokens: begin with --quick)
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from examples.desk.world import Desk
from examples.moon.world import Moon
from examples.prove.loop import Course, Plan, prove
from examples.prove.null import Press
from examples.prove.outcomes import ARMS, Arm, Flown, crossed, outcome_lines
from examples.prove.plot import svg
from examples.prove.tables import course_lines
from examples.prove.world import World

__all__ = ["main"]

_WORLDS: Final[Mapping[str, Callable[[], World]]] = {"moon": Moon, "desk": Desk, "null": Press}
_PLANS: Final[Mapping[str, Plan]] = {
    "moon": Plan(practice=180, held_out=150, played=12, phase=60),
    "desk": Plan(practice=300, held_out=400, played=20, phase=200),
    "null": Plan(practice=120, held_out=300, played=10, phase=150),
}
_QUICK: Final[Mapping[str, Plan]] = {
    "moon": Plan(practice=60, held_out=30, played=4, phase=10, dreams=2),
    "desk": Plan(practice=140, held_out=100, played=5, phase=25, dreams=2),
    "null": Plan(practice=30, held_out=100, played=5, phase=50, dreams=2),
}
_CROSSED: Final = {False: 48, True: 10}
"""Missions of each arm of outcomes × dreams."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof, print its tables, write its plot. 0 where it ran, whatever it shows."""
    given = _parser().parse_args(arguments)
    started = time.monotonic()
    names = {"all": ["moon", "desk", "null"], "outcomes": ["moon"]}.get(given.what, [given.what])
    crossing = given.what in ("all", "outcomes")
    with ProcessPoolExecutor(2) as pool:
        courses = list(pool.map(partial(_course, given), names))
        flown = list(pool.map(partial(_arm, given, courses[0].memory), ARMS)) if crossing else []
    for course in [] if given.what == "outcomes" else courses:
        print("\n".join(course_lines(course)), flush=True)
    if flown:
        print("\n".join(outcome_lines(flown, sum(map(len, courses[0].practised)))), flush=True)
    given.out.mkdir(parents=True, exist_ok=True)
    plot = given.out / "proof.svg"
    plot.write_text(svg(courses, given.seed), "utf-8")
    print(
        f"{plot}; seed {given.seed}; {time.monotonic() - started:.0f} s, of the processor {_cpu():.0f} s",
        flush=True,
    )
    return 0


def _course(given: argparse.Namespace, name: str) -> Course:
    plan = (_QUICK if given.quick else _PLANS)[name]
    return prove(_WORLDS[name](), plan, given.seed, model=given.model, tell=_tell)


def _arm(given: argparse.Namespace, memory: Mapping[str, str], arm: Arm) -> Flown:
    held = Moon().tasks("held out", _CROSSED[given.quick], given.seed)
    return crossed(arm, memory, held, model=given.model, tell=_tell)


def _cpu() -> float:
    """Seconds that this process and those that it waited for have worked."""
    return sum(os.times()[:4])


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.prove", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("what", nargs="?", choices=["all", *_WORLDS, "outcomes"], default="all")
    parser.add_argument("--quick", action="store_true", help="few tasks")
    parser.add_argument("--seed", type=int, default=1, help="of all tasks (1)")
    parser.add_argument("--model", metavar="NAME", help="a model for the agents (programs)")
    parser.add_argument("--out", type=Path, default=Path("prove-out"), help="where the plot goes (prove-out)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
