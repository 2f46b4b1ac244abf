"""What an endpoint is, what its handler is given, and the shapes of lists.

Every resource file ends with ``ENDPOINTS: Final = (Endpoint(...), ...)``; ``routes.py`` joins them into the
one table from which routing, authentication, OpenAPI and the generated tests are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from starlette.requests import Request

from reverie.app import Workspace
from reverie.server.auth import Principal
from reverie.server.running import Running
from reverie.server.settings import MAX_BODY
from reverie.server.wire.base import Wire

__all__ = ["MAX_BODY", "Call", "Endpoint", "IdPage", "Page", "Raw", "Stream", "TwoWayPage", "Upload"]

T = TypeVar("T")
B = TypeVar("B")
Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One authenticated, authorised and decoded request."""

    house: Workspace
    """The services of the caller's workspace, and of no other."""
    principal: Principal
    path: Mapping[str, str]
    query: Q
    body: B
    request: Request
    """For what is not decoded: headers, and the body of an ``Upload``. Reading it obeys ``Endpoint.limit``."""
    server: Running
    """What the handlers of one server share: settings, and the signal that it is closing."""


class Page(Wire, Generic[T]):
    """A page of a list, as ``SyncPageCursor`` reads it."""

    data: list[T]
    next_page: str | None


class TwoWayPage(Wire, Generic[T]):
    """A page of a list that can be walked backwards too (``SyncBidirectionalPageCursor``)."""

    data: list[T]
    next_page: str | None
    prev_page: str | None


class IdPage(Wire, Generic[T]):
    """A page of a list that is walked by ids (``SyncPage``: ``after_id``, ``before_id``)."""

    data: list[T]
    has_more: bool
    first_id: str | None
    last_id: str | None


class Raw:
    """The ``answer`` of an endpoint that sends bytes: its handler gives a Starlette ``Response``."""


class Stream:
    """The ``answer`` of an endpoint that sends server-sent events: its handler gives a ``Response``."""


class Upload:
    """The ``body`` of an endpoint that reads ``call.request`` itself (``multipart/form-data``)."""


@dataclass(frozen=True)
class Endpoint:
    """One row of the table of routes."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    """``/v1/agents/{agent_id}``"""
    handle: Callable[[Call[Any, Any]], Any]
    """A sync handler runs in a thread of a bounded pool, an ``async`` one on the loop. It gives what
    ``answer`` says, or raises an error of ``domain.errors``."""
    answer: Any
    """A wire Struct, ``Page[...]``, a union with None; ``Raw`` or ``Stream``."""
    scope: str
    """What a key must be allowed: ``agents:read``, ``agents:write`` …"""
    body: Any = None
    """A Struct or a union of Structs, decoded strictly from JSON; ``Upload``; None: a body is not looked at."""
    query: type[Any] | None = None
    """A Struct, decoded from strings; a list field takes repeated ``name[]=``. An unknown or doubled
    parameter is refused."""
    status: int = 200
    summary: str = ""
    tag: str = ""
    limit: int = MAX_BODY
    """Bytes of body allowed."""
    rate: Literal["create", "read"] | None = None
    """Which of a key's rates it counts against; by default GET is a read and everything else a create."""
