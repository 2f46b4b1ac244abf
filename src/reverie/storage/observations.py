"""Observations in SQL: a cache by session, contents and observer. Losing it costs time, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from reverie.domain.clock import iso
from reverie.domain.observations import Observation
from reverie.storage import tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute, execute_many
from reverie.storage.scope import workspace
from reverie.storage.statements import upsert

__all__ = ["Began", "around", "get_many", "put_many"]

_CHUNK: Final = 500
_PUT: Final = upsert(tables.observations)

Began = tuple[datetime, str, Observation]
"""When a session began, how it is said to have ended, and what was observed of it."""


def get_many(connection: Connection, wanted: Mapping[str, str], observer: str) -> dict[str, Observation]:
    """The cached observations of the sessions in ``wanted`` ({session id: content_sha256}) that this
    version of the observer made of exactly those contents, by session id."""
    found: dict[str, Observation] = {}
    ids, mine = list(wanted), workspace(connection)
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        marks = ", ".join("?" * len(some))
        rows = execute(
            connection,
            "SELECT session_id, content_sha256, body FROM observations "  # noqa: S608
            f"WHERE observer = ? AND workspace = ? AND session_id IN ({marks})",
            (observer, mine, *some),
        )
        for session_id, contents, body in rows.fetchall():
            if contents == wanted[session_id]:
                found[session_id] = loads(body, Observation)
    return found


def put_many(connection: Connection, observations: Iterable[Observation], observer: str) -> None:
    """Keep observations, each in place of its session's former one."""
    mine = workspace(connection)
    rows = [(each.session_id, each.content_sha256, observer, dumps(each), mine) for each in observations]
    rows.sort()  # one order for all writers: no deadlock
    execute_many(connection, _PUT, rows)


def around(connection: Connection, observer: str, at: datetime, most: int) -> tuple[list[Began], list[Began]]:
    """What this version of the observer made of the sessions nearest to a time: of ``most`` that began before it, and
    of as many that began then or later; each in order of their beginnings."""
    return _beside(connection, observer, at, most, "< ?", "DESC")[::-1], _beside(
        connection, observer, at, most, ">= ?", "ASC"
    )


def _beside(
    connection: Connection, observer: str, at: datetime, most: int, side: str, order: str
) -> list[Began]:
    rows = execute(
        connection,
        "SELECT s.started_at, s.outcome, o.body FROM sessions s "  # noqa: S608  (no word of it is a caller's)
        "JOIN observations o ON o.session_id = s.id AND o.workspace = s.workspace "
        f"WHERE s.workspace = ? AND o.observer = ? AND s.started_at {side} AND s.deleted_at IS NULL "
        f"ORDER BY s.started_at {order}, s.id LIMIT ?",
        (workspace(connection), observer, iso(at), most),
    )
    return [
        (datetime.fromisoformat(began), outcome, loads(body, Observation))
        for began, outcome, body in rows.fetchall()
    ]
