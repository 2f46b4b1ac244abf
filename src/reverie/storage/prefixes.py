"""Ids as people type them: whole, or as many characters as it takes to be unique."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, Connection, select

from reverie.domain.errors import Ambiguous, NotFound
from reverie.domain.ids import IdPrefix

__all__ = ["whole_id"]

_SHOWN: Final = 3


def whole_id(
    connection: Connection, column: Column[Any], kind: IdPrefix, given: str, *, noun: str, hint: str
) -> str:
    """The one id in ``column`` that is ``given`` or begins with it; ``kind_`` may be left out.

    Raises:
        NotFound: none does; the message carries ``hint``.
        Ambiguous: several do; the message shows some.
    """
    wanted = given if "_" in given else f"{kind}_{given}"
    if connection.execute(select(column).where(column == wanted).limit(1)).first() is not None:
        return wanted
    fits = select(column).where(column.startswith(wanted, autoescape=True)).distinct().order_by(column)
    # Without a character of its own, a prefix names everything.
    found: list[str] = (
        list(connection.execute(fits.limit(_SHOWN + 1)).scalars()) if wanted != f"{kind}_" else []
    )
    if not found:
        raise NotFound(f"there is no {noun} {given!r}", hint=hint)
    if len(found) > 1:
        more = " …" if len(found) > _SHOWN else ""
        raise Ambiguous(
            f"{given!r} fits more than one {noun}: {', '.join(found[:_SHOWN])}{more}",
            hint="give a few more characters",
        )
    return found[0]
