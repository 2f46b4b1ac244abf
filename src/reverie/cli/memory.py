"""``reverie memory``: what was learned, its history, and search."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

import reverie
from reverie.cli.options import AsJson, By, Db, Store
from reverie.cli.output import data, esc, moment, out, print_json, print_table, reviewer

__all__ = ["add_to"]

Path_ = Annotated[str, typer.Argument(metavar="PATH", help="A memory's path, e.g. /notes/uploads.md")]

group = typer.Typer(
    no_args_is_help=True, help="What was learned: list, show, search, history, diff, restore."
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="memory")


@group.command("stores")
def stores(as_json: AsJson = False, db: Db = None) -> None:
    """List memory stores."""
    with reverie.open(db) as rv:
        found = rv.memory.stores()
        if as_json:
            print_json(found)
            return
        names = Counter(store.name for store in found)
        counts = rv.stores.counts([store.id for store in found])
        for store in found:
            name = store.name if names[store.name] == 1 else f"{store.name} ({store.id})"
            archived = "" if store.archived_at is None else "archived  "
            data(f"{name}\t{counts[store.id]} memories\t{archived}{store.description}")


@group.command("list")
def list_(store: Store = "default", as_json: AsJson = False, db: Db = None) -> None:
    """List the memories of a store."""
    with reverie.open(db) as rv:
        found = rv.memory.list(store)
        if as_json:
            print_json(found)
            return
        if not found:
            data("no memories yet; next: reverie review")
            return
        rows = [(memory.path, str(memory.version), moment(memory.updated_at)) for memory in found]
        print_table(("path", "version", "changed"), rows)


@group.command("show")
def show(path: Path_, store: Store = "default", as_json: AsJson = False, db: Db = None) -> None:
    """Print a memory."""
    with reverie.open(db) as rv:
        memory = rv.memory.read(store, path)
        if as_json:
            print_json(memory)
        else:
            data(memory.content)


@group.command("search")
def search(
    query: Annotated[str, typer.Argument(metavar="WORDS")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    store: Store = "default",
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Full-text search over the memories of a store."""
    with reverie.open(db) as rv:
        hits = rv.memory.search(store, query, limit=limit)
        if as_json:
            print_json(hits)
            return
        if not hits:
            data(f"nothing holds {query!r}")
        for hit in hits:
            out.print(f"[bold]{esc(hit.path)}[/]\n  {esc(hit.snippet)}")


@group.command("history")
def history(path: Path_, store: Store = "default", as_json: AsJson = False, db: Db = None) -> None:
    """List every version of a memory: who, when, why."""
    with reverie.open(db) as rv:
        versions = rv.memory.versions(store, path)
        if as_json:
            print_json(versions)
            return
        for v in versions:
            why = f"  {v.reason}" if v.reason else ""
            out.print(f"{v.version:>4}  {moment(v.created_at)}  {v.operation:<8}  {esc(v.actor)}{esc(why)}")


@group.command("diff")
def diff(
    path: Path_,
    from_version: Annotated[int, typer.Argument(metavar="FROM", min=1)],
    to_version: Annotated[int | None, typer.Argument(metavar="TO", min=1, show_default="the newest")] = None,
    store: Store = "default",
    db: Db = None,
) -> None:
    """Show what changed between two versions."""
    with reverie.open(db) as rv:
        newest = rv.memory.versions(store, path)[-1].version
        data(rv.memory.diff(store, path, from_version, to_version or newest) or "no difference")


@group.command("restore")
def restore(
    path: Path_,
    version: Annotated[int, typer.Argument(metavar="VERSION", min=1)],
    by: By = None,
    store: Store = "default",
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Write an earlier version back, as a new version."""
    with reverie.open(db) as rv:
        written = rv.memory.restore(store, path, version, actor=reviewer(by))
        if as_json:
            print_json(written)
        else:
            data(f"{path} is now version {written.version}, with the text of version {version}")


@group.command("audit")
def audit(limit: Annotated[int, typer.Option(min=1)] = 50, as_json: AsJson = False, db: Db = None) -> None:
    """List decisions and changes, newest first: who, when, what."""
    with reverie.open(db) as rv:
        entries = rv.audit(limit)
        if as_json:
            print_json(entries)
            return
        for entry in entries:
            out.print(
                f"{moment(entry.at)}  {esc(entry.actor):<12} {esc(entry.action):<20} {esc(entry.subject)}"
            )
