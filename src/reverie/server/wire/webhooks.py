"""Webhook endpoints and deliveries on the wire."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from reverie.server.wire.base import UNSET, Ask, Meta, Timestamp, UnsetType, Wire

__all__ = [
    "Attempt",
    "DeletedWebhook",
    "Delivery",
    "DeliveryList",
    "NewWebhook",
    "SigningSecret",
    "Webhook",
    "WebhookCreate",
    "WebhookList",
    "WebhookUpdate",
]

State: TypeAlias = Literal["enabled", "disabled"]
Status: TypeAlias = Literal["pending", "delivered", "failed"]
Url: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2048)]
Name: TypeAlias = Annotated[str, Meta(max_length=255)]
Description: TypeAlias = Annotated[str, Meta(max_length=1024)]
EventTypes: TypeAlias = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=128)]


class Webhook(Wire):
    """An endpoint that hears of what happens in the workspace."""

    id: str
    created_at: Timestamp
    description: str
    disabled_reason: str
    enabled_events: list[str]
    name: str
    state: State
    updated_at: Timestamp
    url: str
    type: Literal["webhook_endpoint"] = "webhook_endpoint"


class NewWebhook(Wire):
    """A new endpoint and its signing secret, shown this once."""

    id: str
    created_at: Timestamp
    description: str
    disabled_reason: str
    enabled_events: list[str]
    name: str
    signing_secret: str
    state: State
    updated_at: Timestamp
    url: str
    type: Literal["webhook_endpoint"] = "webhook_endpoint"


class WebhookCreate(Ask):
    """A new endpoint."""

    enabled_events: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=128)]
    url: Url
    description: Description = ""
    name: Name = ""


class WebhookUpdate(Ask):
    """What changes. An empty list of events changes none."""

    description: Description | UnsetType = UNSET
    enabled_events: EventTypes | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    state: State | UnsetType = UNSET
    url: Url | UnsetType = UNSET


class WebhookList(Ask):
    """A page of endpoints; a limit of 0 means 20."""

    after_id: str | None = None
    before_id: str | None = None
    limit: Annotated[int, Meta(ge=0, le=100)] = 0
    order: Literal["asc", "desc"] = "desc"


class SigningSecret(Wire):
    """A new signing secret, shown this once."""

    signing_secret: str


class DeletedWebhook(Wire):
    """That an endpoint is gone."""

    id: str
    type: Literal["webhook_endpoint_deleted"] = "webhook_endpoint_deleted"


class Attempt(Wire):
    """One try to deliver. ``error`` is null where it worked."""

    at: Timestamp
    duration_ms: int
    error: str | None
    status: int | None


class Delivery(Wire):
    """One notice on its way to one endpoint; ``event_id`` is its ``webhook-id`` in every attempt."""

    id: str
    attempts: list[Attempt]
    created_at: Timestamp
    event_id: str
    event_type: str
    next_attempt_at: Timestamp | None
    resource_id: str
    settled_at: Timestamp | None
    status: Status
    webhook_id: str
    type: Literal["webhook_delivery"] = "webhook_delivery"


class DeliveryList(Ask):
    """A page of deliveries, newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
    status: Status | None = None
