"""``reverie findings list|show``: what dreams found, with numbers and quotes."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

import reverie
from reverie.cli.options import AsJson, Db
from reverie.cli.output import data, out, print_json, print_table
from reverie.cli.show import finding_lines
from reverie.domain.errors import UsageError
from reverie.domain.findings import Finding, FindingKind
from reverie.dreaming.render import finding_json

__all__ = ["add_to"]

group = typer.Typer(no_args_is_help=True, help="What dreams found: claims, with their numbers and quotes.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="findings")


@group.command("list")
def list_(
    dream: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Of this dream.", show_default="the newest that is complete"),
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the newest dream into this store.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only those of a kind: workaround, …")
    ] = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List what a dream found, the weightiest first."""
    if kind is not None and kind not in get_args(FindingKind):
        raise UsageError(
            f"{kind!r} is no kind", where="--kind", hint=f"one of: {', '.join(get_args(FindingKind))}"
        )
    with reverie.open(db) as rv:
        found = [each for each in _of(rv, dream, store) if kind in (None, each.kind)]
        if as_json:
            print_json([finding_json(each, rv.log.event) for each in found])
            return
    if not found:
        data("no findings; next: reverie dream")
        return
    rows = [
        (
            each.id[:13],
            each.kind,
            each.nature,
            f"{each.counts.sessions}/{each.counts.of_sessions}",
            each.claim,
        )
        for each in found
    ]
    print_table(("id", "kind", "nature", "sessions", "claim"), rows, folds="claim")


@group.command("show")
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A finding's id, or the beginning of it.")],
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Show one finding: its claim, its numbers, and the quotes for and against it."""
    with reverie.open(db) as rv:
        finding = rv.finding(id)
        if as_json:
            print_json(finding_json(finding, rv.log.event))
            return
        out.print(
            f"[dim]{finding.id} · {finding.kind} · {finding.nature} · {finding.miner}/{finding.miner_version}[/]"
        )
        for line in finding_lines(rv, finding, examples=5):
            out.print(line)


def _of(rv: reverie.Reverie, dream: str | None, store: str | None) -> tuple[Finding, ...]:
    """The findings of a dream, else of the newest one that is complete."""
    if dream is not None:
        return rv.dreamed(dream).findings
    done = next((each for each in rv.dreams(store) if each.status == "completed"), None)
    return () if done is None else rv.dreamed(done.id).findings
