"""SQL of the work queues. Every function takes the caller's transaction.

The two tables are columns rather than a body, because the queue asks by them: whose claim is stale, whose
lease has run out.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, func, or_, select, update

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.resources import Cursor
from reverie.domain.work import QueueStats, WorkItem
from reverie.storage.codec import dumps, loads
from reverie.storage.scope import workspace
from reverie.storage.tables import work, work_pollers
from reverie.storage.upsert import insert

__all__ = [
    "Connection",
    "add",
    "by_id",
    "claim",
    "expire",
    "find",
    "held",
    "listed",
    "open_of_session",
    "polled",
    "put",
    "remove",
    "stats",
    "waiting",
]

_AT = (
    "claimed_at",
    "acknowledged_at",
    "started_at",
    "heartbeat_at",
    "lease_until",
    "stop_requested_at",
    "stopped_at",
)


def add(conn: Connection, item: WorkItem) -> bool:
    """Whether it was queued: False when its session has an item that is not stopped."""
    row = {**_row(item), "workspace": workspace(conn)}
    statement = insert(conn, work).values(row).on_conflict_do_nothing()
    return conn.execute(statement.returning(work.c.id)).first() is not None


def open_of_session(conn: Connection, session_id: str) -> WorkItem | None:
    """The item of a session that is not stopped; nobody else changes it until the transaction ends."""
    query = select(work).where(_mine(conn), work.c.session_id == session_id, work.c.state != "stopped")
    row = conn.execute(query.with_for_update()).one_or_none()
    return None if row is None else _item(row)


def find(conn: Connection, environment_id: str, work_id: str, *, lock: bool = False) -> WorkItem | None:
    """An item; with ``lock``, nobody else changes it until the transaction ends."""
    query = select(work).where(_in(conn, environment_id), work.c.id == work_id)
    row = conn.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _item(row)


def by_id(conn: Connection, work_id: str) -> WorkItem | None:
    """An item, whichever environment it is of."""
    row = conn.execute(select(work).where(_mine(conn), work.c.id == work_id)).one_or_none()
    return None if row is None else _item(row)


def put(conn: Connection, item: WorkItem) -> None:
    """An item as it is now."""
    conn.execute(update(work).where(_mine(conn), work.c.id == item.id).values(_row(item)))


def waiting(conn: Connection, environment_id: str, now: datetime, reclaim: timedelta) -> bool:
    """Whether a poll would find anything: a cheap question, for those who ask often."""
    expired = and_(work.c.state.in_(("starting", "active", "stopping")), work.c.lease_until <= iso(now))
    query = select(work.c.id).where(_in(conn, environment_id), or_(_free(now, reclaim), expired)).limit(1)
    return conn.execute(query).first() is not None


def claim(conn: Connection, environment_id: str, now: datetime, reclaim: timedelta) -> WorkItem | None:
    """Hand out the oldest item that nobody has, or whose claim is older than ``reclaim``.

    What another transaction is handing out is passed over, not waited for.
    """
    query = (
        select(work)
        .where(_in(conn, environment_id), _free(now, reclaim))
        .order_by(work.c.created_at, work.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    conn.execute(update(work).where(_mine(conn), work.c.id == row.id).values(claimed_at=iso(now)))
    return _item(row)


def expire(conn: Connection, environment_id: str, now: datetime) -> None:
    """Put items whose lease has run out back into the queue; those that were stopping are stopped."""
    lost = and_(_in(conn, environment_id), work.c.lease_until <= iso(now))
    again = dict.fromkeys(_AT[:5])  # as if nobody had ever had it
    conn.execute(
        update(work).where(lost, work.c.state.in_(("starting", "active"))).values(state="queued", **again)
    )
    ended = {"state": "stopped", "stopped_at": iso(now), "lease_until": None}
    conn.execute(update(work).where(lost, work.c.state == "stopping").values(**ended))


def listed(conn: Connection, environment_id: str, after: Cursor | None, limit: int) -> list[WorkItem]:
    """Items, newest first."""
    query = select(work).where(_in(conn, environment_id))
    if after is not None:
        at, id_ = iso(after[0]), after[1]
        older = and_(work.c.created_at == at, work.c.id < id_)
        query = query.where(or_(work.c.created_at < at, older))
    query = query.order_by(work.c.created_at.desc(), work.c.id.desc()).limit(limit)
    return [_item(row) for row in conn.execute(query)]


def polled(conn: Connection, environment_id: str, worker: str, now: datetime) -> None:
    """Remember that a worker asked."""
    row = {
        "environment_id": environment_id,
        "worker": worker,
        "workspace": workspace(conn),
        "polled_at": iso(now),
    }
    key = (work_pollers.c.environment_id, work_pollers.c.worker)
    statement = insert(conn, work_pollers).values(row)
    conn.execute(statement.on_conflict_do_update(index_elements=key, set_={"polled_at": row["polled_at"]}))
    old = iso(now - timedelta(days=1))
    conn.execute(delete(work_pollers).where(_polls(conn, environment_id), work_pollers.c.polled_at < old))


def stats(conn: Connection, environment_id: str, since: datetime, stale: datetime) -> QueueStats:
    """How the queue stands; a claim from before ``stale`` counts for nothing, nor a poll before ``since``."""
    claimed = func.coalesce(work.c.claimed_at > iso(stale), False)
    query = select(claimed, func.count(), func.min(work.c.created_at)).where(
        _in(conn, environment_id), work.c.state == "queued"
    )
    found = {bool(row[0]): (row[1], row[2]) for row in conn.execute(query.group_by(claimed))}
    oldest = min((at for _, at in found.values()), default=None)
    workers = select(func.count()).where(_polls(conn, environment_id), work_pollers.c.polled_at > iso(since))
    return QueueStats(
        depth=found.get(False, (0, ""))[0],
        pending=found.get(True, (0, ""))[0],
        oldest_queued_at=time_or_none(oldest),
        workers_polling=conn.execute(workers).scalar_one(),
    )


def held(conn: Connection, environment_id: str) -> int:
    """How many items of an environment are not stopped."""
    query = select(func.count()).where(_in(conn, environment_id), work.c.state != "stopped")
    return conn.execute(query).scalar_one()


def remove(conn: Connection, environment_id: str) -> None:
    """Forget an environment's queue."""
    conn.execute(delete(work).where(_in(conn, environment_id)))
    conn.execute(delete(work_pollers).where(_polls(conn, environment_id)))


def _mine(conn: Connection) -> ColumnElement[bool]:
    return work.c.workspace == workspace(conn)


def _in(conn: Connection, environment_id: str) -> ColumnElement[bool]:
    return and_(_mine(conn), work.c.environment_id == environment_id)


def _polls(conn: Connection, environment_id: str) -> ColumnElement[bool]:
    mine = work_pollers.c.workspace == workspace(conn)
    return and_(mine, work_pollers.c.environment_id == environment_id)


def _free(now: datetime, reclaim: timedelta) -> ColumnElement[bool]:
    stale = work.c.claimed_at <= iso(now - reclaim)
    return and_(work.c.state == "queued", or_(work.c.claimed_at.is_(None), stale))


def _row(item: WorkItem) -> dict[str, Any]:
    times = {name: iso_or_none(getattr(item, name)) for name in _AT}
    return {
        "id": item.id,
        "environment_id": item.environment_id,
        "session_id": item.session_id,
        "state": item.state,
        "created_at": iso(item.created_at),
        "ttl_seconds": item.ttl_seconds,
        "metadata": dumps(item.metadata),
        "key_id": item.key_id,
        **times,
    }


def _item(row: Row[Any]) -> WorkItem:
    times = {name: time_or_none(getattr(row, name)) for name in _AT}
    return WorkItem(
        id=row.id,
        environment_id=row.environment_id,
        session_id=row.session_id,
        state=row.state,
        created_at=datetime.fromisoformat(row.created_at),
        ttl_seconds=row.ttl_seconds,
        metadata=loads(row.metadata, dict[str, str]),
        key_id=row.key_id,
        **times,
    )
