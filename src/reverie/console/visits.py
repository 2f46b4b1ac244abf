"""What a page is, what its function is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from reverie.app import Workspace

__all__ = ["Answer", "Moved", "Page", "Same", "Saved", "Shown", "Visit", "Visitor"]


class Visitor(Protocol):
    """Who looks: the caller of a request, as the server knows them."""

    @property
    def actor(self) -> str:
        """Their name in the audit trail."""
        ...

    @property
    def key_id(self) -> str | None:
        """The key they came with; None on loopback without keys."""
        ...

    def may(self, scope: str, /) -> bool:
        """Whether they are allowed ``scope``."""
        ...


@dataclass(frozen=True, slots=True)
class Visit:
    """One look at a page, or one form that was sent."""

    house: Workspace
    visitor: Visitor
    by: str
    """The name that a decision is signed with."""
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict[str, str])

    def asked(self, *names: str) -> dict[str, str]:
        """Those of the query's parameters that say something."""
        return {name: self.query[name] for name in names if self.query.get(name)}


@dataclass(frozen=True, slots=True)
class Shown:
    """A page: a template and what it is about."""

    template: str
    facts: Mapping[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Moved:
    """What was asked is done: look there now (303)."""

    to: str


@dataclass(frozen=True, slots=True)
class Same:
    """Nothing is new on a page that asks whether something is (204)."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A file to be kept, made as it is sent."""

    name: str
    media_type: str
    parts: Iterator[bytes]


Answer = Shown | Moved | Same | Saved


@dataclass(frozen=True, slots=True)
class Page:
    """One row of the table of pages."""

    method: Literal["GET", "POST"]
    path: str
    """``/proposals/{proposal_id}``"""
    handle: Callable[[Visit], Answer]
    scope: str
    """What a key must be allowed, as in the API."""
    twin: str | None = None
    """The path of the API that says the same as JSON; a GET of this page's path with ``.json`` gives it."""
    live: str | None = None
    """The path of the API that streams what is new on the page; a GET of the page's path with ``/live`` gives it."""
