"""``python -m examples.builds``: what went wrong in hundreds of builds, grouped by cause, with its lines.

python -m examples.builds                        300 builds that the example makes itself
python -m examples.builds --logs DIR             those of a folder (BUILD/fail.log, BUILD/pass.log)
python -m examples.builds --model NAME           a real model in the place of the example's policies
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import reverie
from examples.builds import simulate, team, worlds
from examples.builds.folder import Builds
from examples.builds.report import as_json, as_text, groups
from examples.builds.tools import Reports

__all__ = ["main", "parser", "run"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the example; 2 where there are no builds."""
    given = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="builds-") as made:
        work = Path(given.work) if given.work else Path(made)
        work.mkdir(parents=True, exist_ok=True)
        try:
            print(run(given, work))
        except FileNotFoundError as missing:
            print(missing, file=sys.stderr)
            return 2
    return 0


def run(given: argparse.Namespace, work: Path) -> str:
    """What the team found, as it is printed. Logs that are made, reports and sessions are kept in ``work``."""
    if not given.logs and not (work / "logs").exists():
        worlds.write(worlds.make(given.builds, given.seed), work)
    builds = Builds(Path(given.logs) if given.logs else work / "logs")
    reports = Reports(work / "reports")
    crew = team.crew(builds, reports, given.model)
    go = team.run if hasattr(reverie, "Team") and not given.alone else simulate.run
    with reverie.open(work / "reverie.db") as house:
        said = asyncio.run(go(crew, builds.names, reverie=house))
    found = groups(builds, reports)
    return as_json(builds, found, said).decode() if given.json else as_text(builds, found, given.lines)


def parser() -> argparse.ArgumentParser:
    """What may be asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.builds", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--logs", metavar="DIR", help="a folder of builds, in the place of made ones")
    parser.add_argument("--builds", type=int, default=300, help="how many builds to make (300)")
    parser.add_argument("--seed", type=int, default=7, help="what they are made of (7)")
    parser.add_argument("--model", metavar="NAME", help="a model for the lead and the specialists")
    parser.add_argument("--work", metavar="DIR", help="keep logs, reports and sessions there")
    parser.add_argument(
        "--alone", action="store_true", help="specialists in sessions of their own, without a team"
    )
    parser.add_argument("--lines", type=int, default=4, help="lines to show of each build (4)")
    parser.add_argument("--json", action="store_true", help="JSON, with all lines")
    return parser


if __name__ == "__main__":
    sys.exit(main())
