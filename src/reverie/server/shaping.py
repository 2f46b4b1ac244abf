"""Resources in the shapes of the wire, and queries in the words of the services."""

from __future__ import annotations

from typing import Any

import msgspec

from reverie.domain.resources import Cursor, Period, Resource
from reverie.server.wire.base import utc

__all__ = ["answered", "facets", "place", "since"]


def answered(resource: Resource, shape: type[Any], **more: Any) -> Any:
    """A resource in the wire's shape: its body, what every resource has, and ``more``."""
    common = {
        "id": resource.id,
        "created_at": resource.created_at,
        "updated_at": resource.updated_at,
        "archived_at": resource.archived_at,
    }
    return msgspec.convert({**resource.body, **common, **more}, shape)


def place(resource: Resource) -> Cursor:
    """Where a resource stands in a list by time."""
    return resource.created_at, resource.id


def since(query: Any) -> Period:
    """The period that ``created_at[…]`` of a query says."""
    told = {side: getattr(query, f"created_at_{side}", None) for side in ("gt", "gte", "lt", "lte")}
    return Period(**{side: utc(at) for side, at in told.items() if at is not None})


def facets(query: Any) -> dict[str, Any]:
    """What a query says of sessions, in the words of ``Filters``."""
    told = {side: getattr(query, f"began_at_{side}") for side in ("gte", "lt")}
    began = Period(**{side: utc(at) for side, at in told.items() if at is not None})
    named = {name: getattr(query, name) for name in ("agent", "model", "outcome", "source")}
    return {**named, "began": began}
