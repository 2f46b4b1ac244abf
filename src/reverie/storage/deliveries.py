"""SQL for webhooks: what happened, and its way to each endpoint that wants to hear of it.

An event and its deliveries are written in the transaction that makes it true. A delivery belongs to
whoever moved its ``due_at`` last; if that process dies, it is simply due again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import Connection, Row, Select, and_, delete, func, or_, select, update

from reverie.domain.clock import iso, iso_or_none, time_or_none
from reverie.domain.webhooks import Attempt, Delivery, DeliveryStatus
from reverie.storage.codec import dumps, loads
from reverie.storage.driver import execute
from reverie.storage.scope import workspace
from reverie.storage.tables import webhook_deliveries, webhook_events

__all__ = [
    "Announce",
    "Connection",
    "announce",
    "claim",
    "delivered_since",
    "due",
    "endpoints_due",
    "fail_pending",
    "forget",
    "forget_endpoint",
    "get",
    "listed",
    "requeue",
    "settle",
    "subscribed",
    "unheard",
    "workspaces_due",
]

Announce: TypeAlias = Callable[[Connection, str, str], None]
"""``announce(conn, "memory_store.created", store_id)``: the door for rooms that do not know webhooks. What
it says is told to nobody if the transaction is rolled back."""


def unheard(conn: Connection, type: str, subject: str) -> None:
    """An ``Announce`` for houses in which nobody listens."""


_D: Final = webhook_deliveries
_E: Final = webhook_events
_KIND: Final = "webhook"


class _Wishes(msgspec.Struct):
    """The part of an endpoint's body that decides what it hears of."""

    enabled_events: list[str]


_SUBSCRIBED: Final = "SELECT id, body FROM resources WHERE workspace = ? AND kind = ? AND status = 'enabled'"
_wishes: Final = msgspec.json.Decoder(_Wishes)


# ---------------------------------------------------------------------- something happened


def subscribed(conn: Connection, type: str) -> list[str]:
    """The enabled endpoints of this workspace that want to hear of ``type``, in order of id."""
    found = execute(conn, _SUBSCRIBED, (workspace(conn), _KIND)).fetchall()
    return sorted(id for id, body in found if type in _wishes.decode(body).enabled_events)


def announce(
    conn: Connection,
    *,
    event_id: str,
    type: str,
    subject: str,
    payload: str,
    at: datetime,
    deliveries: Mapping[str, str],
) -> None:
    """Keep an event and one delivery (its id → the endpoint's) for each who wants it, due at once."""
    here = workspace(conn)
    conn.execute(
        _E.insert().values(
            id=event_id, workspace=here, type=type, subject=subject, body=payload, created_at=iso(at)
        )
    )
    rows = [
        {
            "id": delivery_id,
            "workspace": here,
            "webhook_id": webhook_id,
            "event_id": event_id,
            "status": "pending",
            "attempts": 0,
            "due_at": iso(at),
            "created_at": iso(at),
            "settled_at": None,
            "log": "[]",
        }
        for delivery_id, webhook_id in deliveries.items()
    ]
    conn.execute(_D.insert(), rows)


# ---------------------------------------------------------------------- on the way


def workspaces_due(conn: Connection, now: datetime) -> list[str]:
    """The workspaces in which something is due; the connection must see all of them."""
    query = select(_D.c.workspace).where(_D.c.due_at <= iso(now)).distinct()
    return sorted(conn.execute(query).scalars())


def endpoints_due(conn: Connection, now: datetime) -> list[str]:
    """The endpoints of this workspace for which something is due, the longest waiting first."""
    query = (
        select(_D.c.webhook_id)
        .where(_D.c.workspace == workspace(conn), _D.c.due_at <= iso(now))
        .group_by(_D.c.webhook_id)
        .order_by(func.min(_D.c.due_at), _D.c.webhook_id)
    )
    return list(conn.execute(query).scalars())


def due(conn: Connection, webhook_id: str, now: datetime, limit: int) -> list[Delivery]:
    """What is due for one endpoint, the longest waiting first."""
    query = (
        _joined(conn)
        .where(_D.c.webhook_id == webhook_id, _D.c.due_at <= iso(now))
        .order_by(_D.c.due_at, _D.c.id)
        .limit(limit)
    )
    return [_delivery(row) for row in conn.execute(query)]


def claim(conn: Connection, waiting: Delivery, until: datetime) -> bool:
    """Whether the delivery is ours until then: False when somebody else has moved it meanwhile."""
    return _move(conn, waiting, {"due_at": iso(until), "attempts": _D.c.attempts + 1})


def settle(
    conn: Connection,
    ours: Delivery,
    *,
    status: DeliveryStatus,
    due_at: datetime | None,
    log: Sequence[Attempt],
    at: datetime,
) -> bool:
    """Keep how an attempt went. False, and nothing is done, when the delivery is no longer ours."""
    values = {
        "status": status,
        "due_at": iso_or_none(due_at),
        "settled_at": None if due_at is not None else iso(at),
        "log": dumps(log),
    }
    return _move(conn, ours, values)


def delivered_since(conn: Connection, webhook_id: str, at: datetime) -> bool:
    """Whether an endpoint has taken anything since then."""
    query = select(_D.c.id).where(
        _D.c.workspace == workspace(conn),
        _D.c.webhook_id == webhook_id,
        _D.c.status == "delivered",
        _D.c.settled_at >= iso(at),
    )
    return conn.execute(query.limit(1)).first() is not None


def requeue(conn: Connection, delivery_id: str, now: datetime) -> None:
    """Begin the attempts again, at once; the log stays."""
    values = {"status": "pending", "attempts": 0, "due_at": iso(now), "settled_at": None}
    conn.execute(update(_D).where(_D.c.workspace == workspace(conn), _D.c.id == delivery_id).values(values))


def fail_pending(conn: Connection, webhook_id: str, now: datetime, why: str) -> None:
    """List everything that waits for an endpoint as failed."""
    query = _joined(conn).where(_D.c.webhook_id == webhook_id, _D.c.status == "pending")
    for row in conn.execute(query).all():
        waiting = _delivery(row)
        log = (*waiting.log, Attempt(now, None, why, 0))
        settle(conn, waiting, status="failed", due_at=None, log=log, at=now)


def _move(conn: Connection, seen: Delivery, values: Mapping[str, Any]) -> bool:
    where = and_(
        _D.c.workspace == workspace(conn),
        _D.c.id == seen.id,
        _D.c.due_at == iso_or_none(seen.due_at),
    )
    return conn.execute(update(_D).where(where).values(values)).rowcount == 1


# ---------------------------------------------------------------------- the log


def get(conn: Connection, webhook_id: str, delivery_id: str) -> Delivery | None:
    """One delivery to an endpoint."""
    query = _joined(conn).where(_D.c.webhook_id == webhook_id, _D.c.id == delivery_id)
    row = conn.execute(query).one_or_none()
    return None if row is None else _delivery(row)


def listed(
    conn: Connection,
    webhook_id: str,
    *,
    status: DeliveryStatus | None = None,
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> list[Delivery]:
    """The deliveries to an endpoint, newest first, from behind ``after`` (created_at, id)."""
    query = _joined(conn).where(_D.c.webhook_id == webhook_id)
    if status is not None:
        query = query.where(_D.c.status == status)
    if after is not None:
        at, id = iso(after[0]), after[1]
        query = query.where(or_(_D.c.created_at < at, and_(_D.c.created_at == at, _D.c.id < id)))
    query = query.order_by(_D.c.created_at.desc(), _D.c.id.desc()).limit(limit)
    return [_delivery(row) for row in conn.execute(query)]


def forget_endpoint(conn: Connection, webhook_id: str) -> None:
    """Take out an endpoint's deliveries, waiting or not."""
    conn.execute(delete(_D).where(_D.c.workspace == workspace(conn), _D.c.webhook_id == webhook_id))


def forget(conn: Connection, before: datetime) -> None:
    """Take out what was settled before then, and events that no delivery names any more."""
    here = workspace(conn)
    conn.execute(delete(_D).where(_D.c.workspace == here, _D.c.settled_at < iso(before)))
    named = select(_D.c.event_id).where(_D.c.event_id == _E.c.id)
    old = and_(_E.c.workspace == here, _E.c.created_at < iso(before))
    conn.execute(delete(_E).where(old, ~named.exists()))


def _joined(conn: Connection) -> Select[Any]:
    columns = (_E.c.type, _E.c.subject, _E.c.body.label("payload"))
    return select(_D, *columns).join(_E, _E.c.id == _D.c.event_id).where(_D.c.workspace == workspace(conn))


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.id,
        workspace=row.workspace,
        webhook_id=row.webhook_id,
        event_id=row.event_id,
        type=row.type,
        subject=row.subject,
        payload=row.payload,
        status=row.status,
        attempts=row.attempts,
        due_at=time_or_none(row.due_at),
        created_at=datetime.fromisoformat(row.created_at),
        settled_at=time_or_none(row.settled_at),
        log=loads(row.log, tuple[Attempt, ...]),
    )
