"""The command ``reverie``: every command group, and how errors leave the house."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from reverie.cli import (
    demo,
    dreams,
    imports,
    keys,
    memory,
    proposals,
    review,
    serve,
    sessions,
    sync,
    workspaces,
)
from reverie.cli.output import fail, talk
from reverie.domain.errors import ReverieError

__all__ = ["app", "main"]


class _House(TyperGroup):
    """Turns an error of ours into one message and its exit code, and Ctrl-C into 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ReverieError as error:
            fail(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            talk.print("interrupted; what was finished is kept, the same command goes on from there")
            raise typer.Exit(130) from None


app = typer.Typer(
    name="reverie",
    cls=_House,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="AI agents that learn from their own sessions, with a memory you can check.",
    epilog="Begin with:  reverie import claude-code  →  reverie dream  →  reverie review",
)


def _version(asked: bool) -> None:
    if asked:
        from reverie import __version__

        typer.echo(f"reverie {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


imports.add_to(app)
dreams.add_to(app)
review.add_to(app)
proposals.add_to(app)
memory.add_to(app)
sync.add_to(app)
sessions.add_to(app)
serve.add_to(app)
keys.add_to(app)
workspaces.add_to(app)
demo.add_to(app)


def main() -> None:
    """The console script."""
    try:
        app()
    except BrokenPipeError:  # the reader of our output went away: `reverie … | head`
        sys.stderr.close()
        sys.exit(0)
