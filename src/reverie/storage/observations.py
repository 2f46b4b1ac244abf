"""Observations in SQL: a cache by session, contents and observer. Losing it costs time, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from reverie.domain.observations import Observation
from reverie.storage import tables
from reverie.storage.codec import dumps, loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute, execute_many
from reverie.storage.scope import workspace
from reverie.storage.statements import upsert

__all__ = ["get_many", "put_many"]

_CHUNK: Final = 500
_PUT: Final = upsert(tables.observations)


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
