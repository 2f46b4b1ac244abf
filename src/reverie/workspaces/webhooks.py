"""Webhooks: endpoints that want to hear of what happens, and each notice's way to them.

A notice is written in the transaction that makes it true and is delivered at least once, or is listed as
failed. Signed as Standard Webhooks says, https://www.standardwebhooks.com: HMAC-SHA256 over id, time and
body, the id the same over every attempt.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from reverie.domain.clock import Clock, iso
from reverie.domain.errors import ConfigError, Conflict, Invalid, NotFound, Tampered
from reverie.domain.ids import new_id
from reverie.domain.resources import Cursor, Resource
from reverie.domain.webhooks import EVENT_TYPES, LEASE, SCHEDULE, Attempt, Delivery, DeliveryStatus
from reverie.storage import deliveries as rows
from reverie.storage.database import Connection, Database
from reverie.workspaces.resources import Resources
from reverie.workspaces.secrets import Secrets

__all__ = ["KIND", "MAX_ENDPOINTS", "ORGANIZATION", "Parcel", "Webhooks", "headers"]

_log: Final = logging.getLogger("reverie.webhooks")

KIND: Final = "webhook"
ORGANIZATION: Final = "org_reverie"
"""The one organization that a house of one's own has, for clients that want its id."""
MAX_ENDPOINTS: Final = 32
_SECRET: Final = "signing_secret"  # noqa: S105  (its name)
_AT_ONCE: Final = 16  # attempts at one endpoint at a time
_KEPT: Final = timedelta(days=30)
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that is ours to attempt now, and where to."""

    delivery: Delivery
    url: str
    secret: str


def headers(parcel: Parcel, now: datetime) -> dict[str, str]:
    """What a request carries besides its body: id, time and signature."""
    from standardwebhooks import Webhook

    delivery = parcel.delivery
    return {
        "content-type": "application/json",
        "user-agent": "reverie-webhooks",
        "webhook-id": delivery.event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(parcel.secret).sign(delivery.event_id, now, delivery.payload),
    }


class Webhooks:
    """The endpoints of one workspace and what is on its way to them.

    Args:
        check: Refuses a URL that requests are not sent to (``Outbound.check``).
        secrets: Keeps the signing secrets.

    Raises (all methods that take an id): NotFound.
    """

    def __init__(
        self,
        db: Database,
        resources: Resources,
        secrets: Secrets,
        *,
        check: Callable[[str], None],
        clock: Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._db = db
        self._resources = resources
        self._secrets = secrets
        self._check = check
        self._clock = clock
        self._entropy = entropy
        self._unreadable: set[str] = set()  # endpoints that were complained about already

    # ------------------------------------------------------------------ endpoints

    def create(
        self, url: str, enabled_events: Sequence[str], *, name: str = "", description: str = ""
    ) -> tuple[Resource, str]:
        """A new endpoint and its signing secret, which nothing else gives again.

        Raises:
            AddressRefused: a URL that requests are not sent to.
            Invalid: an unknown event type, or none; one endpoint more than 32.
        """
        self._check(url)
        body = {
            "url": url,
            "enabled_events": _wanted(enabled_events),
            "name": name,
            "description": description,
            "disabled_reason": "",
        }
        secret = self._new_secret()

        def work(conn: Connection) -> Resource:
            if len(self._all(conn)) >= MAX_ENDPOINTS:
                raise Invalid("webhooks", f"at most {MAX_ENDPOINTS}", MAX_ENDPOINTS + 1)
            made = self._resources.create(KIND, body, prefix="wh", status="enabled", conn=conn)
            self._secrets.put(conn, made.id, _SECRET, secret)
            return made

        return self._db.write(work), secret

    def get(self, webhook_id: str) -> Resource:
        """An endpoint."""
        return self._resources.get(KIND, webhook_id)

    def list(
        self,
        *,
        after_id: str | None = None,
        before_id: str | None = None,
        limit: int = 20,
        order: Literal["asc", "desc"] = "desc",
    ) -> tuple[list[Resource], bool]:
        """Endpoints by time, and whether there are more of them on the side one goes to.

        ``after_id`` gives those behind an endpoint in the order, ``before_id`` the first ones before it.
        """
        found = self._all()
        if order == "asc":
            found = found[::-1]
        ids = [each.id for each in found]
        for id in filter(None, (after_id, before_id)):
            if id not in ids:
                raise NotFound("there is no such webhook", where=id)
        if after_id:
            found = found[ids.index(after_id) + 1 :]
        if before_id:
            found = [each for each in found if each.id in ids[: ids.index(before_id)]]
        return found[:limit], len(found) > limit

    def update(
        self,
        webhook_id: str,
        *,
        url: str | None = None,
        enabled_events: Sequence[str] | None = None,
        name: str | None = None,
        description: str | None = None,
        state: Literal["enabled", "disabled"] | None = None,
    ) -> Resource:
        """Change what is given. Enabling clears the reason of a disabling; what happened meanwhile is not
        delivered. Disabling lists as failed what waited.

        Raises:
            AddressRefused, Invalid: as ``create``.
        """
        if url is not None:
            self._check(url)
        changes: dict[str, Any] = {
            "url": url,
            "name": name,
            "description": description,
            "enabled_events": _wanted(enabled_events) if enabled_events else None,
            "disabled_reason": None if state is None else "",
        }
        told = {key: value for key, value in changes.items() if value is not None}

        def change(found: Resource) -> Resource:
            return replace(found, body={**found.body, **told}, status=state or found.status)

        def work(conn: Connection) -> Resource:
            changed = self._resources.change(KIND, webhook_id, change, conn=conn)
            if state == "disabled":
                rows.fail_pending(conn, webhook_id, self._clock(), "the endpoint was disabled")
            return changed

        return self._db.write(work)

    def delete(self, webhook_id: str) -> None:
        """Take out an endpoint, its secret and its deliveries."""

        def work(conn: Connection) -> None:
            self._resources.delete(KIND, webhook_id, conn=conn)
            self._secrets.forget(conn, webhook_id)
            rows.forget_endpoint(conn, webhook_id)

        self._db.write(work)

    def regenerate_signing_secret(self, webhook_id: str) -> str:
        """A new secret; the old one signs nothing from now on."""
        secret = self._new_secret()

        def work(conn: Connection) -> None:
            self._resources.get(KIND, webhook_id, conn=conn)
            self._secrets.put(conn, webhook_id, _SECRET, secret)

        self._db.write(work)
        return secret

    # ------------------------------------------------------------------ something happened

    def emit(self, conn: Connection, type: str, resource_id: str, **more: str) -> None:
        """Tell whoever wants to know, if the caller's transaction comes true. Call it inside one.

        Args:
            conn: The transaction that makes the change.
            type: One of ``domain.webhooks.EVENT_TYPES``.
            resource_id: What it happened to.
            more: What the type carries besides (``vault_id``, ``session_thread_id``).
        """
        wanted_by = rows.subscribed(conn, type)
        if not wanted_by:
            return
        at = self._clock()
        event_id = new_id("evt", self._entropy)
        rows.announce(
            conn,
            event_id=event_id,
            type=type,
            subject=resource_id,
            payload=_payload(event_id, at, type, resource_id, self._db.workspace, more),
            at=at,
            deliveries={new_id("whd", self._entropy): webhook_id for webhook_id in wanted_by},
        )

    # ------------------------------------------------------------------ the log

    def deliveries(
        self,
        webhook_id: str,
        *,
        status: DeliveryStatus | None = None,
        after: Cursor | None = None,
        limit: int = 20,
    ) -> list[Delivery]:
        """What was and is on its way to an endpoint, newest first. Settled ones are kept for 30 days."""
        self.get(webhook_id)
        with self._db.read() as conn:
            return rows.listed(conn, webhook_id, status=status, after=after, limit=limit)

    def delivery(self, webhook_id: str, delivery_id: str, *, conn: Connection | None = None) -> Delivery:
        """One delivery."""
        self._resources.get(KIND, webhook_id, conn=conn)
        if conn is None:
            with self._db.read() as reading:
                found = rows.get(reading, webhook_id, delivery_id)
        else:
            found = rows.get(conn, webhook_id, delivery_id)
        if found is None:
            raise NotFound("there is no such delivery", where=delivery_id)
        return found

    def redeliver(self, webhook_id: str, delivery_id: str) -> Delivery:
        """Begin the attempts again, with the same id and body, a new time and signature.

        Raises:
            Conflict: the endpoint is disabled, or the delivery has not been settled yet.
        """

        def work(conn: Connection) -> Delivery:
            found = self.delivery(webhook_id, delivery_id, conn=conn)
            if self._resources.get(KIND, webhook_id, conn=conn).status != "enabled":
                raise Conflict("the endpoint is disabled", where=webhook_id, hint="enable it first")
            if found.status == "pending":
                raise Conflict("it is still on its way", where=delivery_id)
            rows.requeue(conn, delivery_id, self._clock())
            return self.delivery(webhook_id, delivery_id, conn=conn)

        return self._db.write(work)

    # ------------------------------------------------------------------ for the courier

    def take(self, busy: Mapping[str, int]) -> list[Parcel]:
        """What is due and ours from here on, until the lease ends: no endpoint gets more than 16 at a time.

        ``busy`` counts the attempts in flight, by endpoint.
        """

        def work(conn: Connection) -> list[Parcel]:
            now = self._clock()
            taken: list[Parcel] = []
            for webhook_id in rows.endpoints_due(conn, now):
                free = _AT_ONCE - busy.get(webhook_id, 0)
                if free > 0:
                    taken += self._take_for(conn, webhook_id, now, free)
            return taken

        return self._db.write(work)

    def settle(self, parcel: Parcel, attempt: Attempt) -> None:
        """Keep how an attempt went, and decide what follows: done, again later, given up, disabled."""

        def work(conn: Connection) -> None:
            ours = parcel.delivery
            status, due_at, disable = self._verdict(conn, ours, attempt)
            log = (*ours.log, attempt)[-len(SCHEDULE) * 2 :]
            kept = rows.settle(conn, ours, status=status, due_at=due_at, log=log, at=attempt.at)
            if kept and disable:
                self._disable(conn, ours.webhook_id, disable)

        self._db.write(work)

    def sweep(self) -> None:
        """Forget what was settled a month ago."""
        self._db.write(lambda conn: rows.forget(conn, self._clock() - _KEPT))

    def _take_for(self, conn: Connection, webhook_id: str, now: datetime, limit: int) -> list[Parcel]:
        endpoint = self._resources.get(KIND, webhook_id, conn=conn)
        secret = self._secret(conn, webhook_id)
        if secret is None:
            return []
        until = now + LEASE
        return [
            Parcel(
                replace(waiting, due_at=until, attempts=waiting.attempts + 1), endpoint.body["url"], secret
            )
            for waiting in rows.due(conn, webhook_id, now, limit)
            if rows.claim(conn, waiting, until)
        ]

    def _secret(self, conn: Connection, webhook_id: str) -> str | None:
        """What signs for an endpoint. None where it cannot be opened: its deliveries wait, and nobody
        else's."""
        try:
            secret = self._secrets.get(conn, webhook_id, _SECRET)
        except (ConfigError, Tampered, NotFound) as error:
            if webhook_id not in self._unreadable:
                self._unreadable.add(webhook_id)
                _log.error("nothing is delivered to %s: %s", webhook_id, error.what)
            return None
        self._unreadable.discard(webhook_id)
        return secret

    def _verdict(
        self, conn: Connection, ours: Delivery, attempt: Attempt
    ) -> tuple[DeliveryStatus, datetime | None, str | None]:
        """(status, when again, why the endpoint is disabled)."""
        if attempt.error is None:
            return "delivered", None, None
        if disable := _at_once(attempt):
            return "failed", None, disable
        if ours.attempts < len(SCHEDULE):
            return "pending", attempt.at + SCHEDULE[ours.attempts], None
        well = rows.delivered_since(conn, ours.webhook_id, ours.created_at)
        return "failed", None, None if well else "sustained_failure"

    def _disable(self, conn: Connection, webhook_id: str, reason: str) -> None:
        def change(found: Resource) -> Resource:
            return replace(found, status="disabled", body={**found.body, "disabled_reason": reason})

        self._resources.change(KIND, webhook_id, change, conn=conn)
        rows.fail_pending(conn, webhook_id, self._clock(), f"the endpoint was disabled: {reason}")

    # ------------------------------------------------------------------ inside

    def _all(self, conn: Connection | None = None) -> list[Resource]:
        return self._resources.list(KIND, limit=MAX_ENDPOINTS + 1, conn=conn)

    def _new_secret(self) -> str:
        return "whsec_" + base64.b64encode(self._entropy(32)).decode()


def _wanted(types: Sequence[str]) -> list[str]:
    if not types:
        raise Invalid("enabled_events", "at least 1 item", 0)
    for type in types:
        if type not in EVENT_TYPES:
            raise Invalid("enabled_events", "one of the known event types", type)
    return sorted(set(types))


def _at_once(attempt: Attempt) -> str | None:
    """Why an endpoint is disabled after one such answer, where it is."""
    if attempt.status == _GONE:
        return "gone"
    if attempt.status is not None and 300 <= attempt.status < 400:
        return "redirect"
    return "invalid_address" if attempt.refused else None


def _payload(
    event_id: str, at: datetime, type: str, resource_id: str, workspace: str, more: Mapping[str, str]
) -> str:
    data = {"type": type, "id": resource_id, "organization_id": ORGANIZATION, "workspace_id": workspace}
    told = {"type": "event", "id": event_id, "created_at": iso(at), "data": {**data, **more}}
    return msgspec.json.encode(told).decode()
