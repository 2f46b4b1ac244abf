"""``reverie demo``: sessions made on the spot, dreamed over, three findings shown. No key, no network."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Annotated

import typer

import reverie
from reverie.app import Reverie
from reverie.cli.output import esc, out, talk
from reverie.cli.show import companion_lines, finding_lines
from reverie.domain.findings import FindingKind
from reverie.dreaming.dream import DreamResult
from reverie.storage.database import Database
from reverie.testing.desk import DeskClock, file_documents

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where to keep the demo's database.", show_default="a new temporary folder"
        ),
    ] = None,
    sessions: Annotated[int, typer.Option(min=20, max=5000, help="How many sessions to make.")] = 120,
    seed: Annotated[int, typer.Option(help="Another seed is another world.")] = 7,
) -> None:
    """Make sessions of a small simulated document desk, dream over them, and show what was found."""
    place = (folder or Path(mkdtemp(prefix="reverie-demo-"))) / "demo.db"
    clock = DeskClock()
    with Reverie(Database.open(place), clock=clock, entropy=Random(seed).randbytes) as rv:  # noqa: S311  (a world)
        talk.print(
            f"{sessions} sessions of a document desk: five people, three agents, one moody court portal …"
        )
        for _ in file_documents(rv.session, clock=clock, sessions=sessions, seed=seed):
            pass
        result = rv.dream()
        _show(rv, result)
    out.print(f"\nreview them:        reverie review --db {place}")
    out.print(f"… in a browser:     reverie serve --db {place}")
    out.print("your own sessions:  reverie import claude-code   (or codex, or any PATH), then  reverie dream")


def _show(rv: reverie.Reverie, result: DreamResult) -> None:
    out.print(
        f"\n[bold]{len(result.findings)} findings, {len(result.proposals)} proposals[/] from "
        f"{result.dream.sessions} sessions; three of them:"
    )
    by_id = {finding.id: finding for finding in result.findings}
    shown: set[FindingKind] = set()
    for proposal in result.proposals:
        finding = by_id[proposal.findings[0]]
        if finding.kind in shown or len(shown) == 3:
            continue
        shown.add(finding.kind)
        out.print(f"\n[bold]{len(shown)}. {esc(proposal.title)}[/]  [dim]{finding.kind.replace('_', ' ')}[/]")
        for line in (*finding_lines(rv, finding, examples=1), *companion_lines(rv, proposal)):
            out.print("   " + line)
