"""The sessions of trials in SQL: who saw what, written before it was seen, and how it ended, written once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, select

from reverie.domain.clock import iso, time_or_none
from reverie.domain.trials import Exposed
from reverie.storage.codec import dumps, loads
from reverie.storage.driver import execute, execute_many
from reverie.storage.scope import workspace
from reverie.storage.tables import sessions, trial_sessions

__all__ = ["Connection", "Ending", "begun", "drawn", "endings", "exposed", "of_session", "settle"]

_T: Final = trial_sessions.c
_CHUNK: Final = 500
_SETTLE: Final = (
    "UPDATE trial_sessions SET good = ?, hit = ?, stratum = ?, settled_at = ? "
    "WHERE trial_id = ? AND session_id = ? AND workspace = ? AND settled_at IS NULL"
)


class Ending(NamedTuple):
    """How a session stands: is it ``at_work``, what its label is, and whether it was ``deleted``."""

    at_work: bool
    outcome: str
    deleted: bool


def drawn(
    connection: Connection, trial_id: str, round: int, session_id: str, *, seen: bool, at: datetime
) -> bool:
    """Whether the session sees the memory: as was said, unless it was drawn before. Hold the trial."""
    here = workspace(connection)
    found = execute(
        connection,
        "SELECT seen FROM trial_sessions WHERE trial_id = ? AND session_id = ? AND workspace = ?",
        (trial_id, session_id, here),
    ).fetchone()
    if found is not None:
        return bool(found[0])
    ((last,),) = execute(
        connection,
        'SELECT coalesce(max(number), 0) FROM trial_sessions WHERE trial_id = ? AND "round" = ? AND workspace = ?',
        (trial_id, round, here),
    ).fetchall()
    execute(
        connection,
        'INSERT INTO trial_sessions (trial_id, session_id, "round", number, seen, at, workspace) '
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (trial_id, session_id, round, last + 1, seen, iso(at), here),
    )
    return seen


def of_session(connection: Connection, session_id: str) -> dict[str, bool]:
    """What was said of a session, by trial."""
    sql = "SELECT trial_id, seen FROM trial_sessions WHERE session_id = ? AND workspace = ?"
    return {trial: bool(seen) for trial, seen in _rows(connection, sql, (session_id, workspace(connection)))}


def exposed(connection: Connection, trial_id: str, round: int | None = None) -> list[Exposed]:
    """The sessions of a trial in order, of one round or of all."""
    query = select(trial_sessions).where(_T.trial_id == trial_id, _T.workspace == workspace(connection))
    if round is not None:
        query = query.where(_T.round == round)
    return [_read(row) for row in connection.execute(query.order_by(_T.round, _T.number))]


def settle(connection: Connection, trial_id: str, ended: Iterable[Exposed]) -> None:
    """Keep how sessions ended; what was kept before stays."""
    here = workspace(connection)
    rows = [
        (
            e.good,
            e.hit,
            dumps(list(e.stratum)),
            e.settled_at and iso(e.settled_at),
            trial_id,
            e.session_id,
            here,
        )
        for e in ended
    ]
    execute_many(connection, _SETTLE, rows)


def begun(connection: Connection, session_id: str) -> datetime | None:
    """When a session came to be; None: it is not there yet."""
    sql = "SELECT created_at FROM sessions WHERE id = ? AND workspace = ?"
    found = execute(connection, sql, (session_id, workspace(connection))).fetchone()
    return None if found is None else time_or_none(found[0])


def endings(connection: Connection, ids: Sequence[str]) -> dict[str, Ending]:
    """How sessions stand, by id; those that never came to be are left out."""
    found: dict[str, Ending] = {}
    s = sessions.c
    for start in range(0, len(ids), _CHUNK):
        query = select(s.id, s.status, s.outcome, s.deleted_at).where(
            s.id.in_(ids[start : start + _CHUNK]), s.workspace == workspace(connection)
        )
        for row in connection.execute(query):
            at_work = row.status in ("running", "rescheduling")
            found[row.id] = Ending(at_work, row.outcome, row.deleted_at is not None)
    return found


def _rows(connection: Connection, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
    return execute(connection, sql, parameters).fetchall()


def _read(row: Row[Any]) -> Exposed:
    at = time_or_none(row.at)
    assert at is not None
    return Exposed(
        session_id=row.session_id,
        round=row.round,
        number=row.number,
        seen=bool(row.seen),
        at=at,
        good=row.good,
        hit=row.hit,
        stratum=() if row.stratum is None else tuple(loads(row.stratum, list[str])),
        settled_at=time_or_none(row.settled_at),
    )
