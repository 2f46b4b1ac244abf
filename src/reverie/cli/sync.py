"""``reverie sync``: approved memory into the files that agents read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import reverie
from reverie.cli.options import AsJson, Db, Store
from reverie.cli.output import data, esc, out, print_json, talk
from reverie.domain.errors import UsageError
from reverie.memory.agents_md import DEFAULT_BUDGET
from reverie.memory.export import TARGETS, SyncPlan, Target, apply, plan_sync

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    app.command("sync")(sync)


def sync(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="AGENTS.md (or its folder), or the folder to fill.")
    ],
    to: Annotated[str, typer.Option("--to", metavar="TARGET", help="agents-md or dir.")] = "agents-md",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the diff, write nothing.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 if something would change; write nothing.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take out again what earlier syncs put in.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite what was edited by hand in what is ours.")
    ] = False,
    budget: Annotated[
        int, typer.Option(metavar="BYTES", help="Bound on the block in AGENTS.md.")
    ] = DEFAULT_BUDGET,
    store: Store = "default",
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Write approved memory into a managed block of AGENTS.md, or into a folder of Markdown.

    The text of others is never touched: not around the block, not in the folder.
    """
    target = _target(to)
    with reverie.open(db) as rv:
        memories = [] if remove else rv.recall(store)
        tried = frozenset[str]() if remove else rv.trials.exposure.tried(rv.memory.store(store).id)
    plan = plan_sync(target, path, memories, budget=budget, force=force)
    if tried:
        talk.print(f"{len(tried)} of these are on trial: whoever reads this sees them, and is in no trial")
    if not (dry_run or check):
        apply(plan)
    if as_json:
        print_json(plan.as_dict())
    else:
        _say(plan, written=not (dry_run or check), empty=not memories and not remove)
    if plan.refused or (check and not plan.in_sync):
        raise typer.Exit(1)


def _target(word: str) -> Target:
    for known in TARGETS:
        if word == known:
            return known
    raise UsageError(f"there is no target {word!r}", where="--to", hint=f"one of: {', '.join(TARGETS)}")


def _say(plan: SyncPlan, *, written: bool, empty: bool) -> None:
    for change in plan.refused:
        out.print(f"[red]left alone[/] {esc(str(plan.root / change.path))}: {esc(change.why or '')}")
    if plan.in_sync:
        data(
            "in sync, nothing to write"
            + ("; no memory is approved yet, next: reverie review" if empty else "")
        )
        return
    if not written:
        data(plan.diff)
        return
    for change in plan.changes:
        if change.action in ("create", "update", "delete"):
            out.print(f"{change.action}d  {esc(str(plan.root / change.path))}")
    talk.print("[dim]take it out again: the same command with --remove[/]")
