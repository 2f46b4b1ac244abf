"""Sessions in SQL: who and what a session is, how many events it has, and the head of its chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import RowMapping, Select, func, select

from reverie.domain.clock import iso
from reverie.domain.sessions import Outcome, OutcomeLabel, Session, SessionInfo
from reverie.storage import tables
from reverie.storage.chain import GENESIS
from reverie.storage.codec import loads
from reverie.storage.database import Connection
from reverie.storage.prefixes import whole_id
from reverie.storage.text import clean_text, json_text
from reverie.storage.upsert import insert

__all__ = ["create", "exists", "listed", "merged", "refresh", "session"]

_T: Final = tables.sessions
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
    return _session(connection.execute(select(_T).where(_T.c.id == found)).mappings().one())


def exists(connection: Connection, session_id: str) -> bool:
    """Whether there is a session of exactly that id."""
    return connection.execute(select(_T.c.id).where(_T.c.id == session_id)).first() is not None


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
    began = func.coalesce(_T.c.started_at, _T.c.created_at)
    query = select(_T)
    if since is not None:
        query = query.where(began >= iso(since))
    if until is not None:
        query = query.where(began < iso(until))
    rows = (row for part in _parts(query, ids) for row in connection.execute(part).mappings())
    return sorted((_session(row) for row in rows), key=lambda s: s.id)


def create(connection: Connection, session_id: str, info: SessionInfo, at: datetime) -> bool:
    """Make the session's row unless it is there; True when it was not."""
    row = insert(connection, _T).values(
        id=session_id,
        format=clean_text(info.format),
        native_id=clean_text(info.native_id),
        events=0,
        head=GENESIS,
        created_at=iso(at),
        updated_at=iso(at),
        **_facts(info),
    )
    done = connection.execute(row.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    return done.rowcount == 1


def refresh(connection: Connection, session_id: str, info: SessionInfo, at: datetime) -> int:
    """Take over what ``info`` knows, leave what it does not. The number of events the session has; the
    row is held until the transaction ends, so that nobody appends meanwhile."""
    query = select(_T).where(_T.c.id == session_id).with_for_update()  # says nothing on SQLite
    row = connection.execute(query).mappings().one()
    facts = _facts(merged(_session(row).info, info))
    if any(row[name] != value for name, value in facts.items()):
        change = _T.update().where(_T.c.id == session_id)
        connection.execute(change.values(**facts, updated_at=iso(at)))
    return row["events"]


def merged(old: SessionInfo, new: SessionInfo) -> SessionInfo:
    """``new`` over ``old``: a fact that ``new`` lacks is kept, ``extra`` field by field, and the time
    covers both."""
    starts = [at for at in (old.started_at, new.started_at) if at is not None]
    ends = [at for at in (old.ended_at, new.ended_at) if at is not None]
    return replace(
        old,
        **{name: value for name in _TEXTS if (value := getattr(new, name)) is not None},
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None),
        outcome=old.outcome if new.outcome.label == "unknown" else new.outcome,
        extra={**old.extra, **new.extra},
    )


def _parts(query: Select[Any], ids: Collection[str] | None) -> list[Select[Any]]:
    if ids is None:
        return [query]
    wanted = sorted(ids)
    starts = range(0, len(wanted), _ID_CHUNK)
    return [query.where(_T.c.id.in_(wanted[start : start + _ID_CHUNK])) for start in starts]


def _facts(info: SessionInfo) -> dict[str, object]:
    texts = {name: _text(getattr(info, name)) for name in _TEXTS}
    return {
        **texts,
        "started_at": None if info.started_at is None else iso(info.started_at),
        "ended_at": None if info.ended_at is None else iso(info.ended_at),
        "outcome": info.outcome.label,
        "score": info.outcome.score,
        "outcome_source": _text(info.outcome.source),
        "extra": json_text(info.extra),
    }


def _text(value: str | None) -> str | None:
    return None if value is None else clean_text(value)


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _session(row: RowMapping) -> Session:
    texts: Mapping[str, Any] = {name: row[name] for name in ("format", "native_id", *_TEXTS)}
    info = SessionInfo(
        **texts,
        started_at=_time(row["started_at"]),
        ended_at=_time(row["ended_at"]),
        outcome=Outcome(cast(OutcomeLabel, row["outcome"]), row["score"], row["outcome_source"]),
        extra=loads(row["extra"], dict[str, Any]),
    )
    return Session(row["id"], info, row["events"], row["head"])
