"""``reverie dream`` and ``reverie dreams list|show``."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn

import reverie
from reverie.cli.options import AsJson, Db, Quiet, Store
from reverie.cli.output import data, esc, many, moment, out, print_json, print_table, since_time, talk
from reverie.cli.show import companion_lines, finding_lines
from reverie.domain.clock import system_clock
from reverie.domain.dreams import Dream, Estimate, Stage, Wish, Writing
from reverie.dreaming.dream import DreamResult
from reverie.dreaming.render import estimate_json

__all__ = ["add_to"]

_DOING: dict[Stage, str] = {
    "gather": "gathering sessions",
    "observe": "observing each session",
    "mine": "looking for what recurs",
    "write": "writing proposals",
    "check": "checking quotes and numbers",
    "submit": "handing in for review",
}


group = typer.Typer(invoke_without_command=True, help="List dreams, newest first.")


def add_to(app: typer.Typer) -> None:
    app.command("dream")(dream)
    app.add_typer(group, name="dreams")


def dream(
    store: Store = "default",
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only sessions from then on: 7d, 12h, 2026-11-01.")
    ] = None,
    sessions: Annotated[
        str | None, typer.Option(metavar="ID,ID…", help="Only these sessions (ids or unique prefixes).")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="M", help="Have an agent with this model write: provider:name. Else templates do."
        ),
    ] = None,
    instructions: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What the model is to read closely, merge, drop or lay out."),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="The most tokens it may use; templates write what is left then."
        ),
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Say what the model is expected to use, and stop.")
    ] = False,
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

    No model, no key and no network are needed. Nothing enters memory before you approve it, but for what a review
    policy lets in (reverie policy list).
    """
    chosen = [name.strip() for name in sessions.split(",") if name.strip()] if sessions is not None else None
    scope: dict[str, Any] = {
        "since": since_time(since, system_clock()),
        "sessions": chosen,
        "workers": workers,
    }
    with reverie.open(db) as rv:
        if model is not None:
            rv.models.allow(model)
        with _progress(quiet or as_json) as progress:
            if estimate:
                expected = rv.dreamer().estimate(
                    store, wish=Wish(model, instructions, max_tokens), progress=progress, **scope
                )
                _expected(expected, as_json)
                return
            result = rv.dream(
                store,
                model=model,
                instructions=instructions,
                max_tokens=max_tokens,
                dry_run=dry_run,
                progress=progress,
                **scope,
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
            tokens = stage == "write" and total > 1
            doing = "a model writes (tokens)" if tokens else _DOING[stage]
            bar.update(task, description=doing, completed=done, total=max(total, 1))

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
    for line in _written(result):
        out.print(line)
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


def _written(result: DreamResult) -> Iterator[str]:
    """Who wrote it, at what cost, and what went into memory by itself."""
    writing = result.dream.writing
    if writing is not None:
        yield f"\n[dim]{esc(_cost(writing))}[/]"
        if writing.fell_back is not None:
            alone = all(by.startswith("template/") for by in result.dream.written_by)
            yield f"[yellow]templates wrote {'it' if alone else 'the rest'}: {esc(writing.fell_back)}[/]"
    if result.applied:
        yield f"\n{many(len(result.applied), 'proposal')} went into memory by review policies: reverie policy list"


def _cost(writing: Writing) -> str:
    used, told = writing.usage, writing.estimate
    total = used.input + used.output + used.cache_read + used.cache_write
    beside = "" if told is None else f", where {told.input + told.output:,} were expected"
    whole = "" if told is None else f"; reading every transcript would take {told.everything:,}"
    where = "" if writing.session_id is None else f" (reverie sessions show {writing.session_id})"
    return f"{writing.model} used {total:,} tokens{beside}{whole}{where}"


def _expected(estimate: Estimate, as_json: bool) -> None:
    if as_json:
        print_json(estimate_json(estimate))
        return
    data(f"{estimate.input + estimate.output:,} tokens: {estimate.input:,} in, {estimate.output:,} out")
    talk.print(f"reading every transcript once would take {estimate.everything:,}")


StoreName = Annotated[
    str | None, typer.Option("--store", metavar="NAME", help="Only into this memory store.")
]


@group.callback()
def dreams(ctx: typer.Context, store: StoreName = None, as_json: AsJson = False, db: Db = None) -> None:
    """List dreams, newest first."""
    if ctx.invoked_subcommand is None:
        list_(store, as_json, db)


@group.command("list")
def list_(store: StoreName = None, as_json: AsJson = False, db: Db = None) -> None:
    """List dreams, newest first."""
    with reverie.open(db) as rv:
        found = rv.dreams(store)
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    if not found:
        data("no dreams yet; next: reverie dream")
        return
    rows = [
        (d.id, d.status, moment(d.created_at), str(d.sessions), str(d.findings), str(d.proposals))
        for d in found
    ]
    print_table(("dream", "status", "when", "sessions", "findings", "proposals"), rows)


@group.command("show")
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="A dream's id, or the beginning of it.")],
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Show one dream: how far it is, what it found and proposed, what it kept back, who wrote it."""
    with reverie.open(db) as rv:
        result = rv.dreamed(id)
        if as_json:
            print_json(rv.as_json(result))
            return
        seen = result.dream
        when = f"{moment(seen.created_at)} to {moment(seen.ended_at)}"
        out.print(f"[bold]{seen.id}[/] {seen.status} at {seen.stage} [dim]· {when}[/]")
        out.print(f"over {many(seen.sessions, 'session')}, {seen.new_sessions} of them new")
        if seen.status == "running":
            out.print("[dim]where nothing runs it any more, the same reverie dream goes on with it[/]")
        if seen.error is not None:
            out.print(f"[red]{esc(seen.error)}[/]")
        for finding in result.findings:
            out.print(f"  [dim]{finding.id[:13]}[/] {esc(finding.claim)}")
        for proposal in result.proposals:
            out.print(f"[bold]{proposal.status}[/]  {esc(proposal.title)}  [dim]{proposal.id}[/]")
        _silences(result)
        for line in _written(result):
            out.print(line)


def _as_json(dream: Dream) -> dict[str, Any]:
    shown = ("id", "status", "stage", "created_at", "ended_at", "sessions", "findings", "proposals", "error")
    return {name: getattr(dream, name) for name in (*shown, "written_by")}
