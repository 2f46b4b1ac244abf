"""Who works on what, in SQL: workers that show signs of life, and the sessions they have claimed.

Every claim raises a session's epoch. Whoever holds an older one (it was paused, or cut off, and given up for
dead) is refused by ``holds``, which belongs into each transaction of a worker that writes to the session.

``want`` is written with what there is to do, so that no wake is lost with the process that should have passed
it on: the session is among the ``unowned`` until somebody has claimed it and released it as done.

Workers work for all workspaces: but for ``holds`` and ``want``, which are about the session at hand, every
function wants a transaction of EVERYWHERE.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from reverie.domain.clock import iso
from reverie.domain.errors import StorageError
from reverie.domain.workspaces import EVERYWHERE
from reverie.storage.database import Connection
from reverie.storage.driver import driver, execute
from reverie.storage.scope import now, workspace

__all__ = [
    "Worker",
    "beat",
    "bury",
    "claim",
    "held",
    "holds",
    "leave",
    "listed",
    "register",
    "release",
    "unowned",
    "want",
]

# A worker that is stopped in the middle of a transaction keeps its locks: the server ends it after this time.
_FROZEN: Final = "set_config('idle_in_transaction_session_timeout', '5s', true)"
_HOLDS: Final = {
    "sqlite": "SELECT 1 FROM runs WHERE session_id = ? AND epoch = ? AND worker IS NOT NULL AND workspace = ?",
    # KEY SHARE keeps out a claim, which locks FOR UPDATE, and does not keep out ``want``: there is no order
    # of locks to be kept, and nothing that could wait for each other.
    "postgresql": f"SELECT {_FROZEN} FROM runs WHERE session_id = %s AND epoch = %s "  # noqa: S608
    "AND worker IS NOT NULL AND workspace = %s FOR KEY SHARE",
}
_WANT: Final = (
    "INSERT INTO runs (session_id, workspace, epoch, woken, failures) VALUES (?, ?, 0, 1, 0) "
    "ON CONFLICT (session_id) DO UPDATE SET woken = 1 WHERE runs.workspace = excluded.workspace"
)
_MAKE: Final = (
    "INSERT INTO runs (session_id, workspace, epoch, woken, failures) "
    "SELECT id, workspace, 0, 0, 0 FROM sessions WHERE id = ? AND deleted_at IS NULL "
    "ON CONFLICT (session_id) DO NOTHING"
)
_TAKE: Final = (
    "UPDATE runs SET worker = ?, epoch = epoch + 1, since = ?, woken = CASE woken WHEN 0 THEN 0 ELSE 2 END "
    "WHERE session_id = ? RETURNING epoch"
)
_LET_GO: Final = (
    "UPDATE runs SET worker = NULL, {} WHERE session_id = ? AND epoch = ? AND worker IS NOT NULL "
    "RETURNING woken"
)
_DONE: Final = _LET_GO.format("woken = CASE woken WHEN 2 THEN 0 ELSE woken END, failures = 0")
_BROKEN_OFF: Final = _LET_GO.format("woken = 1, failures = failures + 1")
_NOBODY: Final = "NOT EXISTS (SELECT 1 FROM workers WHERE workers.id = runs.worker)"
_PAUSES: Final = (0, 0, 2, 4, 8, 16, 32, 60)
"""Seconds from a claim that was broken off until the next one, by how many there were in a row. The first may
be a worker that was told to stop: it need not rest."""
_RESTED: Final = (
    "(runs.since IS NULL OR runs.since <= CASE runs.failures "
    + " ".join(f"WHEN {times} THEN ?" for times in range(len(_PAUSES) - 1))
    + " ELSE ? END)"
)
_UNOWNED: Final = (
    "SELECT runs.workspace, runs.session_id FROM runs JOIN sessions ON sessions.id = runs.session_id "  # noqa: S608
    f"WHERE runs.woken <> 0 AND sessions.status <> 'terminated' AND {_NOBODY} AND {_RESTED} "
    "UNION SELECT sessions.workspace, sessions.id FROM sessions "
    "LEFT JOIN runs ON runs.session_id = sessions.id "
    f"WHERE sessions.status IN ('running', 'rescheduling') AND {_NOBODY} AND {_RESTED} ORDER BY 2"
)


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that works on sessions. ``host`` names the machine, ``pid`` the process on it."""

    id: str
    host: str
    pid: int


# ---------------------------------------------------------------------- workers


def register(conn: Connection, worker: str, *, host: str, pid: int) -> None:
    """A worker begins; from now on it must show signs of life. Again is harmless."""
    _everywhere(conn)
    at = iso(now(conn))
    sql = (
        "INSERT INTO workers (id, workspace, host, pid, started_at, beat_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at"
    )
    execute(conn, sql, (worker, EVERYWHERE, host, pid, at, at))


def beat(conn: Connection, worker: str) -> bool:
    """Show a sign of life. False: the worker was given up for dead, and must stop all it does."""
    _everywhere(conn)
    sql = "UPDATE workers SET beat_at = ? WHERE id = ?"
    return execute(conn, sql, (iso(now(conn)), worker)).rowcount == 1


def leave(conn: Connection, worker: str) -> None:
    """A worker ends; what it had is anybody's, and is to be taken up again."""
    _everywhere(conn)
    execute(conn, "DELETE FROM workers WHERE id = ?", (worker,))
    execute(conn, "UPDATE runs SET worker = NULL WHERE worker = ?", (worker,))


def bury(conn: Connection, silent_s: float) -> list[str]:
    """Take out workers that have not shown a sign of life for so long, and free what they had; gives their
    ids. One whose last sign is as far in the future is silent too: somebody has set the clock back."""
    _everywhere(conn)
    at, silence = now(conn), timedelta(seconds=silent_s)
    sql = "SELECT id FROM workers WHERE beat_at < ? OR beat_at > ?"
    dead = [row[0] for row in execute(conn, sql, (iso(at - silence), iso(at + silence))).fetchall()]
    for worker in sorted(dead):
        leave(conn, worker)
    return dead


def listed(conn: Connection) -> list[Worker]:
    """All workers, in order of id."""
    _everywhere(conn)
    return [Worker(*row) for row in execute(conn, "SELECT id, host, pid FROM workers ORDER BY id").fetchall()]


# ---------------------------------------------------------------------- sessions


def want(conn: Connection, session_id: str) -> None:
    """There is something to do in a session: whoever has it looks again, and if nobody has, somebody will."""
    execute(conn, _WANT, (session_id, workspace(conn)))


def claim(conn: Connection, session_id: str, worker: str) -> int | None:
    """Take a session; gives its new epoch, by which the worker proves that it has it. None while another
    living worker has it, when ``worker`` was itself given up for dead, or when there is no such session."""
    _everywhere(conn)
    execute(conn, _MAKE, (session_id,))
    found = execute(conn, _locking(conn, "SELECT worker FROM runs WHERE session_id = ?"), (session_id,))
    row = found.fetchone()
    if row is None:
        return None
    alive = {other.id for other in listed(conn)}
    if worker not in alive or (row[0] != worker and row[0] in alive):
        return None
    ((epoch,),) = execute(conn, _TAKE, (worker, iso(now(conn)), session_id)).fetchall()
    return epoch


def holds(conn: Connection, session_id: str, epoch: int) -> bool:
    """Whether whoever claimed a session with ``epoch`` still has it; then until the transaction ends nobody
    else can claim it. The fence: every transaction of a worker asks it before it writes."""
    sql = _HOLDS[conn.dialect.name]
    return driver(conn).execute(sql, (session_id, epoch, workspace(conn))).fetchone() is not None


def release(conn: Connection, session_id: str, epoch: int, *, done: bool = True) -> bool:
    """Let a session go; nothing happens when it is somebody else's already. Gives whether there is something
    to do in it: it was woken after it was claimed, or it is not ``done`` but was broken off."""
    _everywhere(conn)
    row = execute(conn, _DONE if done else _BROKEN_OFF, (session_id, epoch)).fetchone()
    return row is not None and bool(row[0])


def held(conn: Connection, worker: str) -> list[tuple[str, str, int]]:
    """What a worker has: (workspace, session id, epoch), in order of id."""
    _everywhere(conn)
    sql = "SELECT workspace, session_id, epoch FROM runs WHERE worker = ? ORDER BY session_id"
    return [(row[0], row[1], row[2]) for row in execute(conn, sql, (worker,)).fetchall()]


def unowned(conn: Connection) -> list[tuple[str, str]]:
    """Sessions in which there is something to do, and that no living worker has: (workspace, session id),
    in order of id. Something to do there is in those that were woken, and in those that are at work by
    their log. One that is broken off again and again, soon after it was claimed, comes after a pause, which
    doubles up to a minute."""
    _everywhere(conn)
    at = now(conn)
    rested = [iso(at - timedelta(seconds=pause)) for pause in _PAUSES]
    return [(row[0], row[1]) for row in execute(conn, _UNOWNED, (*rested, *rested)).fetchall()]


def _locking(conn: Connection, sql: str) -> str:
    return f"{sql} FOR UPDATE" if conn.dialect.name == "postgresql" else sql


def _everywhere(conn: Connection) -> None:
    if workspace(conn) != EVERYWHERE:
        raise StorageError("workers work for all workspaces: this wants a transaction of EVERYWHERE")
    if conn.dialect.name == "postgresql":
        execute(conn, f"SELECT {_FROZEN}")
