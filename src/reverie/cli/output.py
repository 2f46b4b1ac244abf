"""How the command line speaks: data to stdout, talk to stderr, colour only where a person looks."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape

from reverie.domain.errors import ReverieError, UsageError

__all__ = [
    "data",
    "esc",
    "fail",
    "many",
    "moment",
    "out",
    "print_json",
    "print_table",
    "reviewer",
    "since_time",
    "talk",
]

_WIDE: Final = 1_000  # a table that goes into a file or a pipe is never cut to fit a screen

out: Final = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)
talk: Final = Console(stderr=True, highlight=False, soft_wrap=True)

_AGO = re.compile(r"(\d+)\s*([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def esc(text: str) -> str:
    """Foreign text for a Rich line: no markup of its own, no control characters that move the cursor."""
    return escape("".join(c if c.isprintable() or c == "\n" else "�" for c in text.replace("\t", "    ")))


def data(text: str) -> None:
    """Plain text to stdout, as it is."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def print_json(value: Any) -> None:
    """One JSON value to stdout, indented where a person looks, on one line where a program reads."""
    encoded = msgspec.json.encode(value)
    if sys.stdout.isatty():
        encoded = msgspec.json.format(encoded, indent=2)
    sys.stdout.buffer.write(encoded + b"\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, folds: str = "") -> None:
    """Rows of plain text under the names of their columns, to stdout. What does not fit a screen ends in …,
    but in the column ``folds``, which goes on below."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in columns:
        table.add_column(name, no_wrap=name != folds, overflow="fold" if name == folds else "ellipsis")
    for row in rows:
        table.add_row(*map(esc, row))
    out.print(table)


def fail(error: ReverieError) -> None:
    """One clear error: what, where, what next."""
    where = f"{esc(error.where)}: " if error.where else ""
    talk.print(f"[bold red]error[/]: {where}{esc(error.what)}")
    if error.hint:
        talk.print(f"  next: {esc(error.hint)}")


def since_time(text: str | None, now: datetime, *, option: str = "--since") -> datetime | None:
    """``7d``, ``12h``, ``2026-11-01`` or a full ISO time, as an aware UTC datetime.

    Raises:
        UsageError: none of these.
    """
    if text is None:
        return None
    if ago := _AGO.fullmatch(text.strip()):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a time",
            where=option,
            hint="write 7d, 12h, 2026-11-01 or 2026-11-01T09:00:00Z",
        ) from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def many(number: int, thing: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def moment(at: datetime | None) -> str:
    """A time for people: ``2026-11-22 15:54``, in UTC; a dash for none."""
    return "–" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def reviewer(name: str | None) -> str:
    """Who decides: ``--by``, else ``$REVERIE_USER``, else the login name.

    Raises:
        UsageError: nobody can be named.
    """
    if name:
        return name
    if named := os.environ.get("REVERIE_USER"):
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise UsageError("nobody to name as the reviewer", hint="say who decides: --by NAME") from None
