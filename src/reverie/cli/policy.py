"""``reverie policy add|list|remove``: what may enter memory without a person looking at it first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, get_args

import typer

import reverie
from reverie.cli.options import AsJson, By, Db, Store
from reverie.cli.output import data, many, moment, print_json, print_table, reviewer, talk
from reverie.domain.errors import UsageError
from reverie.domain.policies import GROWING, MEMORY_KINDS, Policy
from reverie.domain.proposals import ProposalKind, Risk

__all__ = ["add_to"]

_KINDS: Final = get_args(ProposalKind)
_RISKS: Final = get_args(Risk)

group = typer.Typer(
    no_args_is_help=True,
    help="What may enter memory without a person looking at it first. By default nothing.",
)


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="policy")


@group.command("add")
def add(
    store: Store = "default",
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND", help=f"{', '.join(_KINDS)}; again for more.", show_default="add, update"
        ),
    ] = None,
    memory_kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--memory-kind",
            metavar="KIND",
            help=f"{', '.join(MEMORY_KINDS)}; again for more.",
            show_default="all",
        ),
    ] = None,
    min_sessions: Annotated[
        int, typer.Option(metavar="N", min=1, help="Independent sessions behind it: retries count once.")
    ] = 5,
    min_users: Annotated[int, typer.Option(metavar="N", min=1, help="Users behind it.")] = 2,
    min_days: Annotated[int, typer.Option(metavar="N", min=1, help="Days on which it was seen.")] = 1,
    max_risk: Annotated[
        str, typer.Option(metavar="RISK", help="low, medium or high; an update is medium.")
    ] = "low",
    why: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Needed for kinds that take something out of memory.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Let what future dreams propose enter a store by itself, where all of this holds.

    Never what untrusted text had a hand in, nor what looks like a secret or an order to its reader, nor what a
    person decided against before.
    """
    with reverie.open(db) as rv:
        made = rv.policies.add(
            store,
            by=reviewer(by),
            kinds=_known("--kind", kinds or GROWING, _KINDS),
            memory_kinds=_known("--memory-kind", memory_kinds or MEMORY_KINDS, MEMORY_KINDS),
            min_sessions=min_sessions,
            min_users=min_users,
            min_days=min_days,
            max_risk=_known("--max-risk", [max_risk], _RISKS)[0],
            why=why,
        )
    if as_json:
        print_json(_as_json(made))
        return
    data(made.id)
    talk.print(f"{_says(made)}; take it back: reverie policy remove {made.id}")


@group.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Those that were removed too.")] = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """List policies, newest first."""
    with reverie.open(db) as rv:
        found = rv.policies.list(archived=None if everything else False)
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    if not found:
        data("no policies: every proposal waits for a person")
        return
    rows = [
        (each.id, each.store_id, each.by, moment(each.created_at), _says(each) + _gone(each))
        for each in found
    ]
    print_table(("id", "store", "written by", "when (UTC)", "applies"), rows, folds="applies")


@group.command("remove")
def remove(
    id: Annotated[str, typer.Argument(metavar="ID", help="A policy's id, or the beginning of it.")],
    by: By = None,
    db: Db = None,
) -> None:
    """Archive it: it applies nothing any more. What it applied stays; reverie undo takes that back."""
    with reverie.open(db) as rv:
        data(f"removed {rv.policies.archive(_found(rv, id), by=reviewer(by)).id}")


def _known(option: str, asked: Sequence[str], known: Sequence[Any]) -> list[Any]:
    """What was typed, as words that are known.

    Raises:
        UsageError: one is not.
    """
    if strange := [word for word in asked if word not in known]:
        raise UsageError(f"{strange[0]!r} is not known", where=option, hint=f"one of: {', '.join(known)}")
    return [word for word in known if word in asked]


def _found(rv: reverie.Reverie, prefix: str) -> str:
    ids = [each.id for each in rv.policies.list(archived=None)]
    fits = [id for id in ids if id == prefix] or [id for id in ids if id.startswith(prefix)]
    if len(fits) != 1:
        raise UsageError(f"{len(fits) or 'no'} policies begin with {prefix!r}", hint="reverie policy list")
    return fits[0]


def _says(policy: Policy) -> str:
    kinds = policy.memory_kinds
    what = "any memory" if kinds == MEMORY_KINDS else " or ".join(kinds)
    least = f"{many(policy.min_sessions, 'session')}, {many(policy.min_users, 'user')}, {many(policy.min_days, 'day')}"
    return f"{' or '.join(policy.kinds)} {what}, from {least} on, at {policy.max_risk} risk at most"


def _gone(policy: Policy) -> str:
    return "" if policy.archived_at is None else f" (removed {moment(policy.archived_at)})"


def _as_json(policy: Policy) -> dict[str, Any]:
    shown = ("id", "store_id", "kinds", "memory_kinds", "min_sessions", "min_users", "min_days", "max_risk")
    return {name: getattr(policy, name) for name in (*shown, "why", "by", "created_at", "archived_at")}
