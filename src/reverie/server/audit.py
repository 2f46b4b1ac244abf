"""The audit log over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from reverie.domain.errors import Invalid
from reverie.domain.resources import Cursor
from reverie.server.endpoint import Call, Endpoint, Page
from reverie.server.paging import after, page
from reverie.server.wire.audit import AuditEntry, AuditList
from reverie.storage.audit import AuditEntry as Kept

__all__ = ["ENDPOINTS"]

_NUMBERED: Final = datetime(1970, 1, 1, tzinfo=UTC)  # cursors say a time; lines go by their number alone


def _list(call: Call[None, AuditList]) -> Page[AuditEntry]:
    query = call.query
    found = call.house.audit(query.limit + 1, subject=query.subject, before=_number(query.page))
    return page(found, query.limit, _place, _entry)


def _number(said: str | None) -> int | None:
    cursor = after(said)
    if cursor is None:
        return None
    if cursor[0] != _NUMBERED or not (cursor[1].isascii() and cursor[1].isdigit() and len(cursor[1]) < 18):
        raise Invalid("page", "a cursor that this list gave as next_page", said)
    return int(cursor[1])


def _place(entry: Kept) -> Cursor:
    return _NUMBERED, str(entry.seq)


def _entry(entry: Kept) -> AuditEntry:
    return AuditEntry(
        action=entry.action,
        actor=entry.actor,
        at=entry.at,
        detail=dict(entry.detail),
        hash=entry.hash,
        seq=entry.seq,
        subject=entry.subject,
    )


ENDPOINTS: Final = (
    Endpoint("GET", "/v1/audit", _list, Page[AuditEntry], "audit:read", query=AuditList, tag="audit",
             summary="Decisions and changes, newest first"),
)  # fmt: skip
