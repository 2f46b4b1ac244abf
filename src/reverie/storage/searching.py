"""Words in the log, without an index: a bounded stretch of it at a time, so that no search reads everything.

What is found here is a superset: a payload is JSON, and what JSON writes otherwise (quotes, line feeds, letters
beyond ASCII, upper and lower case) fits whatever stands there. Whoever asks looks at the text itself.
"""

from __future__ import annotations

import re
from typing import Final

from reverie.storage.database import Connection
from reverie.storage.driver import execute
from reverie.storage.events import Link
from reverie.storage.scope import workspace

__all__ = ["last", "stretch", "within"]

_COLUMNS: Final = "session_id, seq, id, key, type, at, thread, payload, origin, hash"  # as in Link
_FROM: Final = f"SELECT {_COLUMNS} FROM events WHERE workspace = ?"  # noqa: S608


def within(words: str) -> str:
    """A pattern of LIKE (escaped by ``~``) for texts that hold ``words``, as they are or as JSON has them."""
    sharp = re.sub("ss", "ß", words, flags=re.IGNORECASE)  # one letter or two, for whoever heeds no case
    return f"%{''.join(map(_letter, sharp))}%"


def stretch(
    connection: Connection, session_id: str, words: str, *, after: int, reach: int, limit: int
) -> list[Link]:
    """Events of a session that may hold ``words``, of the ``reach`` behind number ``after``, in order."""
    sql = f"{_FROM} AND session_id = ? AND seq > ? AND seq <= ? AND {_like(connection)} ORDER BY seq LIMIT {limit:d}"
    told = (workspace(connection), session_id, after, after + reach, within(words))
    return [Link(*row) for row in execute(connection, sql, told).fetchall()]


def last(
    connection: Connection, session_id: str, words: str, *, before: int, reach: int, limit: int
) -> list[Link]:
    """Events of a session that may hold ``words``, of the ``reach`` in front of number ``before``, backwards."""
    sql = (
        f"{_FROM} AND session_id = ? AND seq < ? AND seq >= ? AND {_like(connection)} "
        f"ORDER BY seq DESC LIMIT {limit:d}"
    )
    told = (workspace(connection), session_id, before, before - reach, within(words))
    return [Link(*row) for row in execute(connection, sql, told).fetchall()]


def _like(connection: Connection) -> str:
    word = "ILIKE" if connection.dialect.name == "postgresql" else "LIKE"  # SQLite's heeds no case of ASCII
    return f"payload {word} ? ESCAPE '~'"


def _letter(character: str) -> str:
    if character in "%_~":
        return f"~{character}"
    plain = character.isascii() and character.isprintable() and character not in ' "\\'
    return character if plain else "%"
