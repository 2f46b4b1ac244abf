"""Sessions in SQL: who and what a session is, how many events it has, and the head of its chain."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.errors import NotFound
from reverie.domain.sessions import PERSON, Outcome, OutcomeLabel, Session, SessionInfo
from reverie.storage import tables
from reverie.storage.chain import GENESIS
from reverie.storage.codec import loads
from reverie.storage.database import Connection
from reverie.storage.driver import execute
from reverie.storage.prefixes import whole_id
from reverie.storage.scope import workspace
from reverie.storage.statements import columns, insert_new
from reverie.storage.text import clean_text, json_text

__all__ = ["aim", "create", "exists", "label", "listed", "merged", "refresh", "session"]

_T: Final = tables.sessions
_NAMES: Final = _T.columns.keys()
_SELECT: Final = f"SELECT {columns(_T)} FROM sessions"  # noqa: S608
_CREATE: Final = insert_new(_T)
_TEXTS: Final = (
    "agent", "agent_version", "user", "model", "repository", "branch", "cwd", "task", "goal", "timezone",
)  # fmt: skip
_ID_CHUNK: Final = 5_000  # ids named in one statement


def session(connection: Connection, id_prefix: str) -> Session:
    """A session by its id or a unique prefix of it.

    Raises:
        NotFound, Ambiguous: none or several fit.
    """
    found = whole_id(connection, _T.c.id, "sesn", id_prefix, noun="session", hint="reverie sessions list")
    rows = _rows(connection, [], [found])
    if not rows:  # a tombstone
        raise NotFound(f"there is no session {id_prefix!r}", hint="reverie sessions list")
    return _session(rows[0])


def exists(connection: Connection, session_id: str) -> bool:
    """Whether there is a session of exactly that id."""
    sql = "SELECT 1 FROM sessions WHERE id = ? AND workspace = ?"
    return execute(connection, sql, (session_id, workspace(connection))).fetchone() is not None


def listed(
    connection: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    ids: Collection[str] | None = None,
) -> list[Session]:
    """Sessions in order of id: all, or those that began in [since, until), or those of ``ids``.

    A session without a start counts as begun when it came into the log.
    """
    asked: list[tuple[str, str]] = []
    if since is not None:
        asked.append(("coalesce(started_at, created_at) >= ?", iso(since)))
    if until is not None:
        asked.append(("coalesce(started_at, created_at) < ?", iso(until)))
    rows = [row for part in _parts(ids) for row in _rows(connection, asked, part)]
    return sorted((_session(row) for row in rows), key=lambda s: s.id)


def create(connection: Connection, session_id: str, info: SessionInfo, at: datetime) -> bool:
    """Make the session's row unless it is there; True when it was not."""
    values = {
        "id": session_id,
        "format": clean_text(info.format),
        "native_id": clean_text(info.native_id),
        "events": 0,
        "head": GENESIS,
        "created_at": iso(at),
        "updated_at": iso(at),
        "workspace": workspace(connection),
        "status": "idle",
        "archived_at": None,
        "deleted_at": None,
        "deployment": None,
        "body": None,
        **_facts(info),
    }
    return execute(connection, _CREATE, [values[name] for name in _NAMES]).rowcount == 1


def refresh(connection: Connection, session_id: str, info: SessionInfo, at: datetime) -> int | None:
    """Take over what ``info`` knows, leave what it does not. The number of events the session has, None
    when it was deleted; the row is held until the transaction ends, so that nobody appends meanwhile."""
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    sql = f"{_SELECT} WHERE id = ? AND workspace = ? AND deleted_at IS NULL{lock}"
    row = execute(connection, sql, (session_id, workspace(connection))).fetchone()
    if row is None:
        return None
    before = dict(zip(_NAMES, row, strict=True))
    facts = _facts(merged(_session(row).info, info))
    if any(before[name] != value for name, value in facts.items()):
        change = _T.update().where(_T.c.id == session_id, _T.c.workspace == workspace(connection))
        connection.execute(change.values(**facts, updated_at=iso(at)))
    return before["events"]


def label(connection: Connection, session_id: str, outcome: Outcome, at: datetime) -> None:
    """Say how a session ended."""
    sql = (
        "UPDATE sessions SET outcome = ?, score = ?, outcome_source = ?, updated_at = ? "
        "WHERE id = ? AND workspace = ?"
    )
    told = (outcome.label, outcome.score, _text(outcome.source), iso(at))
    execute(connection, sql, (*told, session_id, workspace(connection)))


def aim(connection: Connection, session_id: str, goal: str) -> None:
    """Say what a session is about, unless that is known."""
    sql = "UPDATE sessions SET goal = ? WHERE id = ? AND workspace = ? AND goal IS NULL"
    execute(connection, sql, (clean_text(goal), session_id, workspace(connection)))


def merged(old: SessionInfo, new: SessionInfo) -> SessionInfo:
    """``new`` over ``old``: a fact that ``new`` lacks is kept, ``extra`` field by field, the time covers
    both, and what a person said of the outcome stands."""
    said = old.outcome.source == PERSON != new.outcome.source
    starts = [at for at in (old.started_at, new.started_at) if at is not None]
    ends = [at for at in (old.ended_at, new.ended_at) if at is not None]
    return replace(
        old,
        **{name: value for name in _TEXTS if (value := getattr(new, name)) is not None},
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None),
        outcome=old.outcome if said or new.outcome.label == "unknown" else new.outcome,
        extra={**old.extra, **new.extra},
    )


def _parts(ids: Collection[str] | None) -> Iterator[Sequence[str] | None]:
    """All (None), or the ids, as many at a time as a statement may name."""
    if ids is None:
        yield None
        return
    wanted = sorted(ids)
    for start in range(0, len(wanted), _ID_CHUNK):
        yield wanted[start : start + _ID_CHUNK]


def _rows(
    connection: Connection, asked: Sequence[tuple[str, str]], ids: Sequence[str] | None
) -> list[tuple[Any, ...]]:
    conditions = ["workspace = ?", "deleted_at IS NULL", *(condition for condition, _ in asked)]
    if ids is not None:
        conditions.append(f"id IN ({', '.join('?' * len(ids))})")
    values = [workspace(connection), *(value for _, value in asked), *(ids or ())]
    return execute(connection, f"{_SELECT} WHERE {' AND '.join(conditions)}", values).fetchall()


def _facts(info: SessionInfo) -> dict[str, object]:
    texts = {name: _text(getattr(info, name)) for name in _TEXTS}
    return {
        **texts,
        "started_at": iso_or_none(info.started_at),
        "ended_at": iso_or_none(info.ended_at),
        "outcome": info.outcome.label,
        "score": info.outcome.score,
        "outcome_source": _text(info.outcome.source),
        "extra": json_text(info.extra),
    }


def _text(value: str | None) -> str | None:
    return None if value is None else clean_text(value)


def _session(row: Sequence[Any]) -> Session:
    known = dict(zip(_NAMES, row, strict=True))
    info = SessionInfo(
        **{name: known[name] for name in ("format", "native_id", *_TEXTS)},
        started_at=time_or_none(known["started_at"]),
        ended_at=time_or_none(known["ended_at"]),
        outcome=Outcome(cast(OutcomeLabel, known["outcome"]), known["score"], known["outcome_source"]),
        extra=loads(known["extra"], dict[str, Any]),
    )
    return Session(known["id"], info, known["events"], known["head"])
