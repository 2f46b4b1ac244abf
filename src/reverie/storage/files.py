"""SQL of the bytes of files, in chunks. Every function takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from reverie.storage.scope import workspace
from reverie.storage.tables import file_chunks

__all__ = ["Connection", "add", "chunk", "remove"]


def add(conn: Connection, file_id: str, first: int, chunks: Sequence[bytes]) -> None:
    """Keep chunks, the first of them under the number ``first``."""
    mine = workspace(conn)
    rows = [
        {"file_id": file_id, "number": first + offset, "workspace": mine, "data": data}
        for offset, data in enumerate(chunks)
    ]
    if rows:
        conn.execute(file_chunks.insert(), rows)


def chunk(conn: Connection, file_id: str, number: int) -> bytes | None:
    """A chunk; None when there is none of that number."""
    query = select(file_chunks.c.data).where(
        file_chunks.c.workspace == workspace(conn),
        file_chunks.c.file_id == file_id,
        file_chunks.c.number == number,
    )
    found = conn.execute(query).scalar_one_or_none()
    return None if found is None else bytes(found)


def remove(conn: Connection, file_id: str) -> None:
    """Delete the chunks of a file."""
    mine = file_chunks.c.workspace == workspace(conn)
    conn.execute(delete(file_chunks).where(mine, file_chunks.c.file_id == file_id))
