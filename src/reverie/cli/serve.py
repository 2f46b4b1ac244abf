"""``reverie serve``: the HTTP API on a port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from reverie.cli.options import Db, JsonLogs
from reverie.cli.output import esc, many, out, talk
from reverie.domain.clock import system_clock
from reverie.domain.errors import ConfigError

if TYPE_CHECKING:
    from reverie.app import Reverie
    from reverie.server.settings import Settings

__all__ = ["add_to"]

_PORT: Final = 8787


def add_to(app: typer.Typer) -> None:
    app.command("serve", rich_help_panel="Server")(serve)


def serve(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 is any free one.")] = _PORT,
    db: Db = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further name it may be called by, behind a proxy; may be repeated. Needs a key.",
            show_default=False,
        ),
    ] = None,
    allow_address: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="A host name or network of your own that webhooks may go to, though it is not public; may be repeated.",
            show_default=False,
        ),
    ] = None,
    creates: Annotated[
        int, typer.Option("--creates-per-minute", min=0, help="What a key may POST and DELETE; 0: no limit.")
    ] = 300,
    reads: Annotated[
        int, typer.Option("--reads-per-minute", min=0, help="What a key may GET; 0: no limit.")
    ] = 1200,
    work: Annotated[
        bool, typer.Option("--work/--no-work", help="Whether to work on sessions too, beside reverie worker.")
    ] = True,
    json_logs: JsonLogs = False,
) -> None:
    """Serve the HTTP API that the official SDKs speak, and at / the console to review in."""
    import reverie
    from reverie.logs import configure
    from reverie.server.app import build
    from reverie.server.listening import listen, run
    from reverie.server.settings import Settings

    configure(as_json=json_logs)
    settings = Settings(
        host=host,
        hosts=frozenset(name.lower() for name in allow_host or ()),
        creates_per_minute=creates,
        reads_per_minute=reads,
    )
    with reverie.open(db, allow=allow_address or ()) as house:
        keys = _keys(house, settings)
        server = listen(host, port)
        url = _url(host, server.getsockname()[1])
        if work:
            house.attend()
        run(build(house, settings, console=True), [server], started=lambda: _welcome(house, url, keys))
    talk.print("stopped")


def _keys(house: Reverie, settings: Settings) -> int | None:
    """How many keys may be used now; None where none was ever made and none is needed.

    Raises:
        ConfigError: none was ever made, and others than this machine could call.
    """
    if house.keys.any():
        now = system_clock()
        alive = [key for key in house.keys.list() if not key.revoked_at and (key.expires_at or now) >= now]
        return len(alive)
    if settings.keyless:
        return None
    name = next(iter(settings.hosts), None)
    whom = f"listen on {settings.host}" if name is None else f"be called {name}"
    raise ConfigError(
        f"there is no API key yet, and to {whom} would let everybody in",
        hint="make one with: reverie keys create NAME; or listen to this machine alone: --host 127.0.0.1",
    )


def _url(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{port}"


def _welcome(house: Reverie, url: str, keys: int | None) -> None:
    kind, version = house.engine()
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[kind]
    out.print(esc(url))
    talk.print(f"  database  {esc(house.where)} ({name} {esc(version)})")
    if notice := house.notice():
        talk.print(f"  [yellow]notice[/]    {esc(notice)}")
    talk.print(f"  keys      {_about_keys(keys)}")
    api_key = "none needed" if keys is None else "rvk_…"
    talk.print(f"  console   {esc(url)}/   (review what was learnt)")
    talk.print(f'  next      anthropic.Anthropic(base_url="{esc(url)}", api_key="{api_key}")')
    talk.print(f"            what is served: {esc(url)}/openapi.json · stop with Ctrl-C")


def _about_keys(keys: int | None) -> str:
    make = "reverie keys create NAME"
    if keys is None:
        return f"none yet: programs on this machine may do everything, others nothing ({make})"
    if keys == 0:
        return f"every one is revoked or expired: nobody may call ({make})"
    return f"{many(keys, 'key')} may be used; every request needs one"
