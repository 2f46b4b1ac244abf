"""``reverie schedule add|list|status|run|pause|unpause|remove|install``: dreams that start by themselves."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

import reverie
from reverie.app import default_database
from reverie.cli.installing import Manager, timer
from reverie.cli.options import AsJson, Db, Store
from reverie.cli.output import data, esc, many, moment, out, print_json, print_table, talk
from reverie.domain.dream_requests import NO_MODEL, DreamRequest
from reverie.domain.errors import UsageError
from reverie.domain.resources import Resource
from reverie.dreaming.schedules import DreamScheduleView

__all__ = ["add_to"]

_LOCALTIME: Final = Path("/etc/localtime")

group = typer.Typer(
    no_args_is_help=True, help="Dreams that start by themselves: at times, or when enough is new."
)

Id = Annotated[str, typer.Argument(metavar="ID", help="A schedule's id, or the beginning of it.")]


def add_to(app: typer.Typer) -> None:
    app.add_typer(group, name="schedule")


@group.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called, e.g. nightly.")],
    store: Store = "default",
    cron: Annotated[
        str | None, typer.Option(metavar="EXPR", help="At times: five fields of cron, like '0 3 * * *'.")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Whose times: Europe/Berlin.", show_default="this machine's"),
    ] = None,
    every: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=10_000, help="When N sessions are new.")
    ] = None,
    on_failure: Annotated[bool, typer.Option("--on-failure", help="When a session failed.")] = False,
    min_sessions: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="No dream with fewer new sessions.")
    ] = 5,
    model: Annotated[
        str | None, typer.Option(metavar="M", help="Have an agent with this model write. Else templates do.")
    ] = None,
    instructions: Annotated[str | None, typer.Option(metavar="TEXT", help="What steers that model.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The most tokens that each dream may use.")
    ] = None,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Dream over a memory store at times, every so many sessions, on a failure, or (without these) by hand.

    A server or a worker attends it; without either, see: reverie schedule install --print
    """
    if model is None and (instructions or max_tokens):
        raise UsageError(
            "instructions and a budget are for a model, and none is named", hint="--model provider:name"
        )
    said = {"name": name, "trigger": _trigger(cron, zone, every, on_failure), "min_sessions": min_sessions}
    said |= {"model": model, "instructions": instructions, "max_tokens": max_tokens}
    with reverie.open(db) as rv:
        made = rv.dream_schedules.create({**said, "memory_store_id": rv.memory.store(store).id})
    if as_json:
        print_json(_as_json(made))
        return
    data(made.resource.id)
    talk.print(f"{_when(made.resource)}; next: {_next(made)}")
    talk.print("attended by: reverie serve, reverie worker, or a timer: reverie schedule install --print")


@group.command("list")
def list_(as_json: AsJson = False, db: Db = None) -> None:
    """List schedules, newest first."""
    with reverie.open(db) as rv:
        found = rv.dream_schedules.list()
    if as_json:
        print_json([_as_json(each) for each in found])
        return
    if not found:
        data("no schedules; next: reverie schedule add nightly --cron '0 3 * * *'")
        return
    rows = [
        (
            each.resource.id,
            each.resource.body["name"],
            _when(each.resource),
            _state(each.resource),
            _next(each),
        )
        for each in found
    ]
    print_table(("id", "name", "dreams", "state", "next (UTC)"), rows)


@group.command("status")
def status(as_json: AsJson = False, db: Db = None) -> None:
    """What each schedule did last, and what it does next."""
    with reverie.open(db) as rv:
        found = rv.dream_schedules.list()
        ends = [_end(rv, each.last_run) for each in found]
    if as_json:
        print_json([{**_as_json(each), "last": end} for each, end in zip(found, ends, strict=True)])
        return
    if not found:
        data("no schedules; next: reverie schedule add nightly --cron '0 3 * * *'")
    for each, end in zip(found, ends, strict=True):
        body, last = each.resource.body, each.last_run
        out.print(f"[bold]{esc(body['name'])}[/]  [dim]{each.resource.id} · {_state(each.resource)}[/]")
        out.print(f"  dreams  {esc(_when(each.resource))}, with {body['min_sessions']} new sessions or more")
        if body["model"] != NO_MODEL:
            most = f", {body['max_tokens']:,} tokens at most" if body.get("max_tokens") else ""
            out.print(f"  written by {esc(body['model'])}{most}")
        out.print(f"  last    {'never' if last is None else moment(last.created_at)}  {esc(end or '')}")
        out.print(f"  next    {_next(each)}")


@group.command("run")
def run(
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Which one; else say --due.")] = None,
    due: Annotated[bool, typer.Option("--due", help="Whatever is due now, of all of them.")] = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Dream by a schedule now, in this process: one of them, or what is due. For people, and for timers."""
    if (id is None) != due:
        raise UsageError("say which schedule, or --due", hint="reverie schedule list")
    with reverie.open(db) as rv:
        if id is None:
            rv.dreams_due()
            began: list[Resource] = []
        else:
            began = [rv.dream_schedule_runs.run(_found(rv, id))]
        done = rv.night_watch().work()
        ends = [f"{_end(rv, each)}" for each in began]
    if as_json:
        runs = [{"id": each.id, **each.body} for each in began]
        print_json({"runs": runs, "dreams": [{"id": each.id, "status": each.status} for each in done]})
        return
    for line in ends or [_told(request) for request in done] or ["nothing is due"]:
        data(line)
    if any(request.left for request in done):
        talk.print("next: reverie review")


@group.command("pause")
def pause(id: Id, db: Db = None) -> None:
    """Let it start nothing by itself."""
    with reverie.open(db) as rv:
        data(f"{rv.dream_schedules.pause(_found(rv, id)).resource.id} is paused")


@group.command("unpause")
def unpause(id: Id, db: Db = None) -> None:
    """Let it start dreams again, from now on."""
    with reverie.open(db) as rv:
        made = rv.dream_schedules.unpause(_found(rv, id))
    data(f"{made.resource.id} is active; next: {_next(made)}")


@group.command("remove")
def remove(id: Id, db: Db = None) -> None:
    """Archive it: it starts nothing any more; its runs stay."""
    with reverie.open(db) as rv:
        data(f"removed {rv.dream_schedules.archive(_found(rv, id)).resource.id}")


@group.command("install")
def install(
    print_: Annotated[bool, typer.Option("--print", help="Print it; that is all this command does.")] = False,
    manager: Annotated[Manager, typer.Option("--for", help="Whose timer.")] = Manager.systemd,
    db: Db = None,
) -> None:
    """A timer for a machine without a server: what to write where, so that due dreams start."""
    if not print_:
        raise UsageError(
            "this installs nothing by itself", hint="reverie schedule install --print, and do what it says"
        )
    if db is None and "://" in (db := default_database()):
        raise UsageError(
            "a timer does not know $REVERIE_DB, and it may hold a password", hint="say it: --db URL"
        )
    data(timer(manager, db))


def _trigger(cron: str | None, zone: str | None, every: int | None, on_failure: bool) -> dict[str, Any]:
    if sum((cron is not None, every is not None, on_failure)) > 1:
        raise UsageError("one of --cron, --every and --on-failure", hint="make a schedule for each")
    if zone is not None and cron is None:
        raise UsageError("--zone is for --cron")
    if cron is not None:
        return {"type": "cron", "expression": cron, "timezone": zone or _here()}
    if every is not None:
        return {"type": "sessions", "every": every}
    return {"type": "failed_outcome" if on_failure else "manual"}


def _here() -> str:
    """This machine's time zone, where it says which; else UTC."""
    _, found, name = str(_LOCALTIME.resolve()).partition("/zoneinfo/")
    return name if found else "UTC"


def _found(rv: reverie.Reverie, prefix: str) -> str:
    """The id of the one schedule that begins like that."""
    ids = [each.resource.id for each in rv.dream_schedules.list(archived=None)]
    fits = [id for id in ids if id == prefix] or [id for id in ids if id.startswith(prefix)]
    if len(fits) != 1:
        raise UsageError(f"{len(fits) or 'no'} schedules begin with {prefix!r}", hint="reverie schedule list")
    return fits[0]


def _when(schedule: Resource) -> str:
    trigger = schedule.body["trigger"]
    match trigger["type"]:
        case "cron":
            return f"at {trigger['expression']} ({trigger['timezone']})"
        case "sessions":
            return f"every {trigger['every']} sessions"
        case "failed_outcome":
            return "when a session failed"
        case _:
            return "by hand"


def _state(schedule: Resource) -> str:
    reason = schedule.body["paused_reason"]
    if reason is None:
        return schedule.status or ""
    return f"paused: {reason['error']['type']}" if reason["type"] == "error" else "paused"


def _next(view: DreamScheduleView) -> str:
    if view.resource.status != "active":
        return "–"
    due: datetime | None = view.upcoming[0] if view.upcoming else None
    return moment(due) if due else _when(view.resource)


def _end(rv: reverie.Reverie, run: Resource | None) -> str | None:
    """How the last run ended, in words."""
    if run is None:
        return None
    if why := run.body["skipped"] or run.body["error"]:
        return f"no dream: {why['message']}"
    return _told(rv.dream_requests.get(run.body["dream_id"]))


def _told(request: DreamRequest) -> str:
    if request.error is not None:
        return f"{request.id} failed: {request.error.message}"
    by_itself = f", {request.by_policy} in memory by review policies" if request.by_policy else ""
    fell_back = f"; templates wrote: {request.fell_back}" if request.fell_back else ""
    return f"{request.id} {request.status}, with {many(request.left, 'proposal')} for review{by_itself}{fell_back}"


def _as_json(view: DreamScheduleView) -> dict[str, Any]:
    found, last = view.resource, view.last_run
    shown = (
        "name",
        "memory_store_id",
        "trigger",
        "min_sessions",
        "output",
        "model",
        "instructions",
        "paused_reason",
    )
    return {
        "id": found.id,
        "status": found.status,
        "created_at": found.created_at,
        "upcoming": view.upcoming,
        **{key: found.body[key] for key in shown},
        "max_tokens": found.body.get("max_tokens"),
        "last_run": None if last is None else {"id": last.id, "created_at": last.created_at, **last.body},
    }
