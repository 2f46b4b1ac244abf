"""Webhook endpoints and deliveries over HTTP."""

from __future__ import annotations

from typing import Final

from reverie.domain.resources import Cursor, Resource
from reverie.domain.webhooks import Delivery as Kept
from reverie.server.endpoint import Call, Endpoint, IdPage, Page
from reverie.server.paging import after, page
from reverie.server.wire.base import UNSET
from reverie.server.wire.webhooks import (
    Attempt,
    DeletedWebhook,
    Delivery,
    DeliveryList,
    NewWebhook,
    SigningSecret,
    Webhook,
    WebhookCreate,
    WebhookList,
    WebhookUpdate,
)

__all__ = ["ENDPOINTS"]

_PATH: Final = "/v1/organizations/webhooks"
_ITEM: Final = f"{_PATH}/{{webhook_endpoint_id}}"
_DELIVERIES: Final = f"{_ITEM}/deliveries"
_DELIVERY: Final = f"{_DELIVERIES}/{{delivery_id}}"
_PAGE: Final = 20


def _create(call: Call[WebhookCreate, None]) -> NewWebhook:
    asked = call.body
    made, secret = call.house.webhooks.create(
        asked.url, asked.enabled_events, name=asked.name, description=asked.description
    )
    shown = _webhook(made)
    return NewWebhook(
        id=shown.id,
        created_at=shown.created_at,
        description=shown.description,
        disabled_reason=shown.disabled_reason,
        enabled_events=shown.enabled_events,
        name=shown.name,
        signing_secret=secret,
        state=shown.state,
        updated_at=shown.updated_at,
        url=shown.url,
    )


def _retrieve(call: Call[None, None]) -> Webhook:
    return _webhook(call.house.webhooks.get(call.path["webhook_endpoint_id"]))


def _update(call: Call[WebhookUpdate, None]) -> Webhook:
    asked = call.body
    changed = call.house.webhooks.update(
        call.path["webhook_endpoint_id"],
        url=None if asked.url is UNSET else asked.url,
        enabled_events=None if asked.enabled_events is UNSET else asked.enabled_events,
        name=None if asked.name is UNSET else asked.name,
        description=None if asked.description is UNSET else asked.description,
        state=None if asked.state is UNSET else asked.state,
    )
    return _webhook(changed)


def _list(call: Call[None, WebhookList]) -> IdPage[Webhook]:
    query = call.query
    found, more = call.house.webhooks.list(
        after_id=query.after_id, before_id=query.before_id, limit=query.limit or _PAGE, order=query.order
    )
    data = [_webhook(each) for each in found]
    return IdPage(
        data=data,
        has_more=more,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )


def _delete(call: Call[None, None]) -> DeletedWebhook:
    webhook_id = call.path["webhook_endpoint_id"]
    call.house.webhooks.delete(webhook_id)
    return DeletedWebhook(id=webhook_id)


def _regenerate(call: Call[None, None]) -> SigningSecret:
    webhook_id = call.path["webhook_endpoint_id"]
    return SigningSecret(signing_secret=call.house.webhooks.regenerate_signing_secret(webhook_id))


def _deliveries(call: Call[None, DeliveryList]) -> Page[Delivery]:
    query = call.query
    found = call.house.webhooks.deliveries(
        call.path["webhook_endpoint_id"],
        status=query.status,
        after=after(query.page),
        limit=query.limit + 1,
    )
    return page(found, query.limit, _place, _delivery)


def _one_delivery(call: Call[None, None]) -> Delivery:
    return _delivery(call.house.webhooks.delivery(call.path["webhook_endpoint_id"], call.path["delivery_id"]))


def _redeliver(call: Call[None, None]) -> Delivery:
    return _delivery(
        call.house.webhooks.redeliver(call.path["webhook_endpoint_id"], call.path["delivery_id"])
    )


def _webhook(resource: Resource) -> Webhook:
    body = resource.body
    return Webhook(
        id=resource.id,
        created_at=resource.created_at,
        description=body["description"],
        disabled_reason=body["disabled_reason"],
        enabled_events=body["enabled_events"],
        name=body["name"],
        state="enabled" if resource.status == "enabled" else "disabled",
        updated_at=resource.updated_at,
        url=body["url"],
    )


def _delivery(delivery: Kept) -> Delivery:
    return Delivery(
        id=delivery.id,
        attempts=[
            Attempt(at=each.at, duration_ms=each.duration_ms, error=each.error, status=each.status)
            for each in delivery.log
        ],
        created_at=delivery.created_at,
        event_id=delivery.event_id,
        event_type=delivery.type,
        next_attempt_at=delivery.due_at,
        resource_id=delivery.subject,
        settled_at=delivery.settled_at,
        status=delivery.status,
        webhook_id=delivery.webhook_id,
    )


def _place(delivery: Kept) -> Cursor:
    return delivery.created_at, delivery.id


ENDPOINTS: Final = (
    Endpoint("POST", _PATH, _create, NewWebhook, "webhooks:write", body=WebhookCreate, tag="webhooks",
             summary="Register an endpoint; its signing secret is shown this once"),
    Endpoint("GET", _PATH, _list, IdPage[Webhook], "webhooks:read", query=WebhookList, tag="webhooks",
             summary="List endpoints"),
    Endpoint("GET", _ITEM, _retrieve, Webhook, "webhooks:read", tag="webhooks", summary="An endpoint"),
    Endpoint("POST", _ITEM, _update, Webhook, "webhooks:write", body=WebhookUpdate, tag="webhooks",
             summary="Change, enable or disable an endpoint"),
    Endpoint("DELETE", _ITEM, _delete, DeletedWebhook, "webhooks:write", tag="webhooks",
             summary="Delete an endpoint with its deliveries"),
    Endpoint("POST", f"{_ITEM}/regenerate_signing_secret", _regenerate, SigningSecret, "webhooks:write",
             tag="webhooks", summary="Replace the signing secret; the old one signs nothing from now on"),
    Endpoint("GET", _DELIVERIES, _deliveries, Page[Delivery], "webhooks:read", query=DeliveryList,
             tag="webhooks", summary="What was and is on its way to an endpoint, newest first"),
    Endpoint("GET", _DELIVERY, _one_delivery, Delivery, "webhooks:read", tag="webhooks",
             summary="A delivery with its attempts"),
    Endpoint("POST", f"{_DELIVERY}/redeliver", _redeliver, Delivery, "webhooks:write", tag="webhooks",
             summary="Begin the attempts again"),
)  # fmt: skip
