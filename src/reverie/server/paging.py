"""Cursors of lists: where the next page begins, as an opaque text.

A cursor says a moment and an id, never a workspace: what it points at is looked for among the caller's own.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from reverie.domain.errors import Invalid
from reverie.domain.resources import Cursor
from reverie.server.endpoint import Page

__all__ = ["Cursor", "after", "page", "text"]

T = TypeVar("T")
W = TypeVar("W")

_PREFIX: Final = "page_"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def after(cursor: str | None) -> Cursor | None:
    """The cursor that the query parameter ``page`` says.

    Raises:
        Invalid: it is not one that ``page`` made.
    """
    if cursor is None:
        return None
    try:
        told = urlsafe_b64decode(cursor.removeprefix(_PREFIX).encode("ascii")).decode("ascii")
        at, _, id_ = told.partition(" ")
        found = (_EPOCH + int(at) * _MICROSECOND, id_)
    except (ValueError, OverflowError, binascii.Error):
        found = None
    if found is None or text(found) != cursor:  # one spelling each: nothing smuggled in the slack of base64
        raise Invalid("page", "a cursor that a list gave as next_page, and this is none")
    return found


def text(cursor: Cursor) -> str:
    """The cursor as it is sent."""
    at, id_ = cursor
    told = f"{(at - _EPOCH) // _MICROSECOND} {id_}"
    return _PREFIX + urlsafe_b64encode(told.encode("ascii")).decode("ascii")


def page(items: Sequence[T], limit: int, key: Callable[[T], Cursor], wire: Callable[[T], W]) -> Page[W]:
    """The page of the first ``limit`` of ``items``; give one item more, and there is a next page."""
    shown = items[:limit]
    more = text(key(shown[-1])) if len(items) > limit and shown else None
    return Page(data=[wire(item) for item in shown], next_page=more)
