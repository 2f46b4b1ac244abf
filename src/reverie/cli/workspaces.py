"""``reverie workspaces create|list|archive``: walls inside one database."""

from __future__ import annotations

from typing import Annotated

import typer

import reverie
from reverie.cli.options import AsJson, By, Db
from reverie.cli.output import data, moment, print_json, print_table, reviewer
from reverie.domain.workspaces import WorkspaceInfo

__all__ = ["add_to"]

group = typer.Typer(
    no_args_is_help=True,
    help="Workspaces: what is in one cannot be seen or changed from another. Any command works in the one "
    "that $REVERIE_WORKSPACE names.",
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="workspaces")


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called.")],
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Make an empty workspace; a key opens it to the API."""
    with reverie.open(db) as rv:
        made = rv.workspaces.create(name, by=reviewer(by))
    if as_json:
        print_json(_as_json(made))
    else:
        data(f"{made.id} ({made.name}); next: reverie keys create NAME --workspace {made.id}")


@group.command("list")
def list_(
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones too.")] = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List workspaces, the default one first."""
    with reverie.open(db) as rv:
        found = rv.workspaces.list(archived=archived)
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    rows = [(each.id, each.name, moment(each.created_at), moment(each.archived_at)) for each in found]
    print_table(("id", "name", "created", "archived"), rows)


@group.command("archive")
def archive(
    workspace: Annotated[str, typer.Argument(metavar="NAME|ID", help="The workspace.")],
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Close a workspace for good: its keys are refused from now on. What is in it stays."""
    with reverie.open(db) as rv:
        closed = rv.workspaces.archive(workspace, by=reviewer(by))
    if as_json:
        print_json(_as_json(closed))
    else:
        data(f"archived {closed.id} ({closed.name})")


def _as_json(each: WorkspaceInfo) -> dict[str, object]:
    return {
        "id": each.id,
        "name": each.name,
        "created_at": each.created_at,
        "archived_at": each.archived_at,
    }
