"""``reverie doctor``: whether everything that is needed is there."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import typer

from reverie.cli.options import AsJson, Db
from reverie.cli.output import esc, out, print_json
from reverie.domain.errors import ReverieError

if TYPE_CHECKING:
    from reverie.app import Reverie

__all__ = ["add_to"]

State = Literal["ok", "warn", "fail"]

_SIGNS: Final = {"ok": "[green]✓[/]", "warn": "[yellow]![/]", "fail": "[red]✗[/]"}
_LOW: Final = 1 << 30  # bytes of free space that are little, and too little
_FULL: Final = 100 << 20
_DRIFT: Final = 2.0  # seconds between our clock and the database's
_REPAIRED: Final = (3, 51, 3)
_LOCKED: Final = (
    "; SQLite before 3.51.3 can corrupt a file that several connections write at once: Reverie writes with "
    "one, and no other program should write to it"
)
_QUESTION: Final = "Answer with the word yes."


class Check(NamedTuple):
    """One thing that was looked at. ``fail``: something that is needed is missing."""

    name: str
    state: State
    what: str
    hint: str | None = None


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    call: Annotated[
        bool, typer.Option("--call", help="Ask each model one short question. This may cost money.")
    ] = False,
    as_json: AsJson = False,
    db: Db = None,
) -> None:
    """Look whether everything that is needed is there, and say what is not.

    Nothing is changed, and without --call nobody is called. Exit code 1 where something needed is missing.
    """
    checks: list[Check] = []
    for check in _checks(db, call=call):
        checks.append(check)
        if not as_json:
            out.print(f"{_SIGNS[check.state]} [bold]{check.name:<11}[/] {esc(check.what)}")
            if check.hint is not None and check.state != "ok":
                out.print(f"  next: {esc(check.hint)}")
    failed = any(check.state == "fail" for check in checks)
    if as_json:
        print_json({"ok": not failed, "checks": [check._asdict() for check in checks]})
    raise typer.Exit(int(failed))


def _checks(db: str | None, *, call: bool) -> Iterator[Check]:
    import reverie

    yield Check("reverie", "ok", f"{reverie.__version__}, Python {platform.python_version()}")
    yield from _plugs()
    yield _spans()
    place = _place(db)
    if place is not None and not place.exists():
        yield _none_yet(place)
        yield _room(place)
        yield from _models(None, call=call)
    else:
        yield from _opened(db, place, call=call)
    yield from _sandboxes()


def _opened(db: str | None, place: Path | None, *, call: bool) -> Iterator[Check]:
    import reverie

    try:
        house = reverie.open(db)
    except ReverieError as error:
        yield _failed("database", error)
        return
    with house:
        yield from _database(house)
        if place is not None:
            yield _room(place)
        yield from _models(house, call=call)


# ------------------------------------------------------------------ what is installed


def _plugs() -> Iterator[Check]:
    """Every plug-in that is installed can be loaded."""
    from reverie import plugins

    groups = ("IMPORTERS", "OBSERVERS", "MINERS", "MODELS", "TOOLS", "ENVIRONMENTS", "RUNTIMES")
    found: list[str] = []
    for group in groups:
        try:
            names = plugins.load(getattr(plugins, group))
        except ReverieError as error:
            yield _failed("plug-ins", error)
        else:
            found.append(f"{len(names)} {group.lower()}")
    yield Check("plug-ins", "ok", ", ".join(found))


def _spans() -> Check:
    from reverie.telemetry import tracer, wanted

    if not wanted(os.environ):
        return Check("telemetry", "ok", "off; REVERIE_OTEL=1 turns it on")
    try:
        tracer()
    except ReverieError as error:
        return _failed("telemetry", error)
    return Check("telemetry", "ok", "OpenTelemetry spans are exported")


def _sandboxes() -> Iterator[Check]:
    """Where the tools of agents can run on this machine."""
    from reverie.environments.report import report
    from reverie.plugins import ENVIRONMENTS, load

    try:
        made: dict[str, Any] = {name: kind() for name, kind in load(ENVIRONMENTS).items()}
    except ReverieError:
        return  # said with the plug-ins
    lines = [line for line in report(made) if not line.name.startswith("unsafe")]
    usable = [line.name for line in lines if line.obstacle is None]
    whole = [line.name for line in lines if line.obstacle is None and not line.reduced]
    told = [f"{', '.join(usable)} can be used"] if usable else []
    told += [f"{line.name}: {line.obstacle}" for line in lines if line.obstacle is not None]
    hint = "install bubblewrap, and allow unprivileged user namespaces"
    if usable and not whole:
        told.append("for one tenant only, since the stronger ones cannot be used")
    state: State = "ok" if whole else "warn" if usable else "fail"
    yield Check("sandbox", state, "; ".join(told) or "none is installed", hint)


# ------------------------------------------------------------------ the database


def _place(db: str | None) -> Path | None:
    """The file of a SQLite database; None where it is elsewhere."""
    from reverie.app import default_database

    told = db if db is not None else default_database()
    if told.startswith("sqlite:///"):
        return Path(told.removeprefix("sqlite:///")).expanduser()
    return None if "://" in told else Path(told).expanduser()


def _none_yet(place: Path) -> Check:
    folder = next(parent for parent in place.absolute().parents if parent.exists())
    if os.access(folder, os.W_OK):
        return Check("database", "ok", f"none yet; the first command makes {place}")
    return Check(
        "database", "fail", f"{folder} is not writable", "choose another place: --db or REVERIE_HOME"
    )


def _room(place: Path) -> Check:
    folder = next(parent for parent in place.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    what = f"{free / (1 << 30):.1f} GB free in {folder}"
    state: State = "fail" if free < _FULL else "warn" if free < _LOW else "ok"
    return Check("disk", state, what, "make room, or choose another place: --db or REVERIE_HOME")


def _database(house: Reverie) -> Iterator[Check]:
    try:
        kind, version = house.engine()
        house.database.write(lambda conn: None)
        name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
        told = _LOCKED if kind == "sqlite" and _parsed(version) < _REPAIRED else ""
        what = f"{name} {version}, {house.where}: schema is current, writable{told}"
        yield Check("database", "ok", what)
        if notice := house.notice():
            yield Check("database", "warn", notice)
        yield _clock(house)
    except ReverieError as error:
        yield _failed("database", error)
        return
    if kind == "postgresql" and find_spec("dbos") is None:
        hint = "pip install 'reverie-agents[postgres]'"
        yield Check("workers", "fail", "DBOS is not installed, which shares work among processes", hint)


def _parsed(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _clock(house: Reverie) -> Check:
    """Whether this machine and the database agree on the time."""
    from reverie.domain.clock import iso, system_clock
    from reverie.storage.scope import now

    with house.database.read() as conn:
        theirs, ours = now(conn), system_clock()
    drift = abs((theirs - ours).total_seconds())
    if drift > _DRIFT:
        return Check("clock", "warn", f"{drift:.0f} s from the database's", "set this machine's clock (NTP)")
    return Check("clock", "ok", iso(ours)[:19] + "Z")


# ------------------------------------------------------------------ models


def _models(house: Reverie | None, *, call: bool) -> Iterator[Check]:
    """Each configured model can be made: its provider is known, and its key is there."""
    from reverie.workspaces.models import MODELS, Models

    models = Models(os.environ.get(MODELS, "")) if house is None else house.models
    if not models.ids:
        hint = f"name some in {MODELS}, like anthropic:claude-opus-5-5,ollama:qwen3"
        yield Check("models", "warn", "none is configured; agents name theirs themselves", hint)
    for name in models.ids:
        yield _model(models.resolve, name, call=call)


def _model(resolve: Callable[[str], str], name: str, *, call: bool) -> Check:
    from reverie.domain.messages import ModelRequest, Text, UserTurn
    from reverie.wiring import plugs

    try:
        model = plugs(resolve).model(name)
        if not call:
            return Check("model", "ok", f"{name}: can be asked (--call asks it)")
        request = ModelRequest([UserTurn([Text(_QUESTION)])], settings={"max_tokens": 64})
        answer = asyncio.run(model.respond(request))
    except ReverieError as error:
        return _failed("model", error)
    return Check("model", "ok", f"{name}: answers, as {answer.model}")


def _failed(name: str, error: ReverieError) -> Check:
    what = error.what if error.where is None else f"{error.where}: {error.what}"
    return Check(name, "fail", what, error.hint)
