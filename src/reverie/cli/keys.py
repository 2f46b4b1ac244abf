"""``reverie keys create|list|revoke``: who may call the API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

import reverie
from reverie.cli.options import AsJson, By, Db
from reverie.cli.output import data, esc, moment, print_json, print_table, reviewer, since_time, talk
from reverie.domain.clock import system_clock
from reverie.domain.errors import UsageError
from reverie.domain.keys import SCOPE_NOUNS, ApiKey
from reverie.domain.workspaces import DEFAULT_WORKSPACE

__all__ = ["add_to"]

_SCOPES = f"What it may do: NOUN:read, NOUN:write, *:read or *; may be given several times. NOUN: {', '.join(SCOPE_NOUNS)}."

group = typer.Typer(no_args_is_help=True, help="Keys for the HTTP API: who may call, and what for.")


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="keys")


@group.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, e.g. ci.")],
    scope: Annotated[list[str] | None, typer.Option(metavar="SCOPE", help=_SCOPES, show_default="*")] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends: 90d, 12h or 2027-01-01.")
    ] = None,
    workspace: Annotated[
        str, typer.Option(metavar="NAME|ID", help="The workspace it opens, and no other.")
    ] = DEFAULT_WORKSPACE,
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Make a key. It is printed once, to stdout, and cannot be shown again."""
    with reverie.open(db) as rv:
        home = rv.workspaces.get(workspace)
        if home.archived_at is not None:
            raise UsageError("an archived workspace takes no keys", where=home.id)
        made = rv.keys.create(
            name,
            by=reviewer(by),
            workspace=home.id,
            scopes=scope or ["*"],
            expires_at=_until(expires, system_clock()),
        )
    if as_json:
        print_json({**_as_json(made.key), "token": made.token})
        return
    talk.print(f"{made.key.id} opens {made.key.workspace}: {esc(', '.join(made.key.scopes))}")
    talk.print("keep it now; only its digest is stored")
    data(made.token)


@group.command("list")
def list_(
    workspace: Annotated[
        str | None, typer.Option(metavar="NAME|ID", help="Only those of this workspace.")
    ] = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List keys, oldest first; never the keys themselves."""
    with reverie.open(db) as rv:
        found = rv.keys.list(None if workspace is None else rv.workspaces.get(workspace).id)
    if as_json:
        print_json([_as_json(key) for key in found])
        return
    if not found:
        data("no keys; next: reverie keys create NAME")
        return
    now = system_clock()
    rows = [
        (
            key.id,
            key.name,
            key.workspace,
            ", ".join(key.scopes),
            _state(key, now),
            moment(key.created_at),
            moment(key.last_used_at),
        )
        for key in found
    ]
    print_table(("id", "name", "workspace", "scopes", "state", "created", "last used"), rows, folds="scopes")


@group.command("revoke")
def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="A key's id, or the beginning of it.")],
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Refuse a key from now on, for good."""
    with reverie.open(db) as rv:
        key = rv.keys.revoke(id, by=reviewer(by))
    if as_json:
        print_json(_as_json(key))
    else:
        data(f"revoked {key.id} ({key.name}); a running server hears of it within a second")


def _until(text: str | None, now: datetime) -> datetime | None:
    at = since_time(text, now, option="--expires")
    ago = text is not None and text.strip()[-1:] in "mhdw"  # 90d is a stretch of time, ahead of us here
    return at if at is None or not ago else now + (now - at)


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {moment(key.revoked_at)}"
    if key.expires_at is None:
        return "good"
    return f"{'expired' if key.expires_at <= now else 'good until'} {moment(key.expires_at)}"


def _as_json(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "workspace": key.workspace,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }
