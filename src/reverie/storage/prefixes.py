"""Ids as people type them: whole, or as many characters as it takes to be unique."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, Connection

from reverie.domain.errors import Ambiguous, NotFound
from reverie.domain.ids import IdPrefix
from reverie.storage.driver import execute
from reverie.storage.scope import workspace

__all__ = ["whole_id"]

_SHOWN: Final = 3


def whole_id(
    connection: Connection, column: Column[Any], kind: IdPrefix, given: str, *, noun: str, hint: str
) -> str:
    """The one id in ``column``, in this workspace, that is ``given`` or begins with it; ``kind_`` may be left out.

    Raises:
        NotFound: none does; the message carries ``hint``.
        Ambiguous: several do; the message shows some.
    """
    wanted = given if "_" in given else f"{kind}_{given}"
    name, table, mine = column.name, column.table, workspace(connection)
    exact = f"SELECT 1 FROM {table} WHERE {name} = ? AND workspace = ? LIMIT 1"  # noqa: S608
    if execute(connection, exact, (wanted, mine)).fetchone() is not None:
        return wanted
    found: list[str] = []
    if wanted != f"{kind}_":  # without a character of its own, a prefix would name everything
        fits = (
            f"SELECT DISTINCT {name} FROM {table} "  # noqa: S608
            f"WHERE substr({name}, 1, ?) = ? AND workspace = ? ORDER BY {name} LIMIT {_SHOWN + 1}"
        )
        found = [row[0] for row in execute(connection, fits, (len(wanted), wanted, mine)).fetchall()]
    if not found:
        raise NotFound(f"there is no {noun} {given!r}", hint=hint)
    if len(found) > 1:
        more = " …" if len(found) > _SHOWN else ""
        raise Ambiguous(
            f"{given!r} fits more than one {noun}: {', '.join(found[:_SHOWN])}{more}",
            hint="give a few more characters",
        )
    return found[0]
