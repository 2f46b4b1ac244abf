"""What becomes of the session that a dream was being written in, when the dream stops for good before its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reverie.storage import dreams as rows
from reverie.storage.database import Connection, Database

__all__ = ["close_writing"]


def close_writing(db: Database, dream_id: str, end: Callable[[str], bool]) -> bool:
    """End the session for good; whether nothing of it is left to be ended.

    What it used is kept with the dream; who begins the dream again takes another session. ``end`` interrupts and
    archives a session, and says whether it has ended by now.
    """

    def work(conn: Connection) -> str | None:
        found = rows.stored(conn, dream_id)
        writing = None if found is None else found[0].writing
        if found is None or found[0].status == "completed" or writing is None or writing.session_id is None:
            return None
        if not writing.ended:
            rows.put(conn, replace(found[0], writing=replace(writing, ended=True)))
        return writing.session_id

    session_id = db.write(work)
    return session_id is None or end(session_id)
