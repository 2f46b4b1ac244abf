"""Pages of lists that are short and whole in memory, in an order of their own: by position, not by time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, TypeVar

from reverie.domain.errors import Invalid
from reverie.server.endpoint import Page
from reverie.server.paging import after, page

__all__ = ["slice_of"]

T = TypeVar("T")
W = TypeVar("W")

_ORDERED: Final = datetime(1970, 1, 1, tzinfo=UTC)  # cursors say a time; these lists go by position alone


class _Query(Protocol):
    @property
    def limit(self) -> int: ...
    @property
    def page(self) -> str | None: ...


def slice_of(found: Sequence[T], query: _Query, wire: Callable[[T], W]) -> Page[W]:
    """The page of ``found`` that a query asks for.

    Raises:
        Invalid: its cursor is not one that this gave.
    """
    begin = _position(query.page)
    numbered = list(enumerate(found))[begin : begin + query.limit + 1]
    return page(numbered, query.limit, lambda each: (_ORDERED, str(each[0] + 1)), lambda each: wire(each[1]))


def _position(said: str | None) -> int:
    cursor = after(said)
    if cursor is None:
        return 0
    if cursor[0] != _ORDERED or not (cursor[1].isascii() and cursor[1].isdigit() and len(cursor[1]) < 10):
        raise Invalid("page", "a cursor that this list gave as next_page", said)
    return int(cursor[1])
