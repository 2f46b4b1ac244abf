"""Options that several commands share, so that they read and mean the same everywhere."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

__all__ = ["AsJson", "By", "Db", "JsonLogs", "Quiet", "Store"]

Db: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="PATH|URL",
        help="The database: a file, or postgresql+psycopg://… [dim](default: $REVERIE_DB, $REVERIE_HOME/reverie.db, "
        "or the platform's data folder)[/]",
        show_default=False,
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Store: TypeAlias = Annotated[str, typer.Option("--store", metavar="NAME", help="The memory store.")]
By: TypeAlias = Annotated[
    str | None,
    typer.Option("--by", metavar="NAME", help="Who decides.", show_default="$REVERIE_USER or the login name"),
]
JsonLogs: TypeAlias = Annotated[
    bool, typer.Option("--json-logs", help="Log to stderr as JSON, an object a line, for machines.")
]
