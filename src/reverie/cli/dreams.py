"""``reverie dream`` and ``reverie dreams``."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn

import reverie
from reverie.cli.options import AsJson, Db, Quiet, Store
from reverie.cli.output import data, esc, many, moment, out, print_json, print_table, since_time, talk
from reverie.cli.show import companion_lines, finding_lines
from reverie.domain.clock import system_clock
from reverie.domain.dreams import Stage
from reverie.dreaming.dream import DreamResult

__all__ = ["add_to"]

_DOING: dict[Stage, str] = {
    "gather": "gathering sessions",
    "observe": "observing each session",
    "mine": "looking for what recurs",
    "write": "writing proposals",
    "check": "checking quotes and numbers",
    "submit": "handing in for review",
}


def add_to(app: typer.Typer) -> None:
    app.command("dream")(dream)
    app.command("dreams")(dreams)


def dream(
    store: Store = "default",
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only sessions from then on: 7d, 12h, 2026-11-01.")
    ] = None,
    sessions: Annotated[
        str | None, typer.Option(metavar="ID,ID…", help="Only these sessions (ids or unique prefixes).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compute everything, propose nothing.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Processes that observe; by default as many as cores, at most 8."
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    db: Db = None,
) -> None:
    """Find out what your agents keep getting wrong and what worked, and propose it for memory.

    No model, no key and no network are needed. Nothing enters memory before you approve it.
    """
    chosen = [name.strip() for name in sessions.split(",") if name.strip()] if sessions is not None else None
    with reverie.open(db) as rv:
        with _progress(quiet or as_json) as progress:
            result = rv.dream(
                store,
                since=since_time(since, system_clock()),
                sessions=chosen,
                dry_run=dry_run,
                workers=workers,
                progress=progress,
            )
        if as_json:
            print_json(rv.as_json(result))
        elif not quiet:
            _report(rv, result, dry_run)


@contextmanager
def _progress(silent: bool) -> Generator[Callable[[Stage, int, int], None] | None]:
    if silent or not talk.is_terminal:
        yield None
        return
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, console=talk, transient=True) as bar:
        task = bar.add_task("", total=1)

        def tell(stage: Stage, done: int, total: int) -> None:
            bar.update(task, description=_DOING[stage], completed=done, total=max(total, 1))

        yield tell


def _report(rv: reverie.Reverie, result: DreamResult, dry_run: bool) -> None:
    seen = result.dream
    new = "nothing new since the last one" if result.repeated else f"{seen.new_sessions} new"
    out.print(f"[bold]{seen.id}[/] over {many(seen.sessions, 'session')} ({new})")
    by_id = {finding.id: finding for finding in result.findings}
    for proposal in result.proposals:
        out.print()
        finding = by_id[proposal.findings[0]]
        out.print(
            f"[bold]{esc(proposal.title)}[/]  [dim]{proposal.kind} {esc(proposal.path)} · {proposal.id}[/]"
        )
        for line in (*finding_lines(rv, finding, examples=1), *companion_lines(rv, proposal)):
            out.print("  " + line)
    if result.findings and all(finding.effect.raw is None for finding in result.findings):
        out.print(
            "\n[dim]none of these sessions says how it ended, so there are counts and no success figures[/]"
        )
    _silences(result)
    waiting = [p for p in rv.proposals() if p.store_id == seen.store_id]
    if not result.proposals:
        out.print("nothing new to propose; everything that was seen: reverie dream --json")
    if waiting and not dry_run:
        talk.print(f"\nwaiting for you: {many(len(waiting), 'proposal')}.  next: reverie review")


def _silences(result: DreamResult) -> None:
    if result.dream.silences:
        more = many(len(result.dream.silences), "note")
        out.print(
            f"\n[dim]{more} on what could not be looked at, or not be told yet: reverie dream --json[/]"
        )
    if not result.dream.withheld:
        return
    out.print(f"\n[dim]{len(result.dream.withheld)} more were seen and not proposed:[/]")
    for held in result.dream.withheld[:5]:
        out.print(f"  [dim]· {esc(held.claim)} — {esc(held.why)}[/]")
    if len(result.dream.withheld) > 5:
        out.print("  [dim]· … all of them: reverie dream --json[/]")


def dreams(
    store: Annotated[str | None, typer.Option(metavar="NAME")] = None, as_json: AsJson = False, db: Db = None
) -> None:
    """List dreams, newest first."""
    with reverie.open(db) as rv:
        found = rv.dreams(store)
        if as_json:
            print_json(
                [
                    {
                        "id": d.id,
                        "status": d.status,
                        "stage": d.stage,
                        "created_at": d.created_at,
                        "ended_at": d.ended_at,
                        "sessions": d.sessions,
                        "findings": d.findings,
                        "proposals": d.proposals,
                        "error": d.error,
                    }
                    for d in found
                ]
            )
            return
        if not found:
            data("no dreams yet; next: reverie dream")
            return
        rows = [
            (d.id, d.status, moment(d.created_at), str(d.sessions), str(d.findings), str(d.proposals))
            for d in found
        ]
        print_table(("dream", "status", "when", "sessions", "findings", "proposals"), rows)
