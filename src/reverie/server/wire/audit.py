"""The audit log on the wire."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from reverie.server.wire.base import Ask, Meta, Timestamp, Wire

__all__ = ["AuditEntry", "AuditList"]


class AuditEntry(Wire):
    """One line: who did what to which resource, and when. ``hash`` chains it to the line before."""

    action: str
    actor: str
    at: Timestamp
    detail: dict[str, Any]
    hash: str
    seq: int
    subject: str
    type: Literal["audit_entry"] = "audit_entry"


class AuditList(Ask):
    """A page of the log, newest first; ``subject`` is the id of what was decided on."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    page: str | None = None
    subject: str | None = None
