"""The audit log: who decided what, and when; each line chained to the one before."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from reverie.console.visits import Page, Shown, Visit
from reverie.domain.errors import Invalid

__all__ = ["PAGES"]

_LISTED: Final = 50
_NUMBER: Final = re.compile(r"\d{1,15}")
_LINKED: Final = {"prop_": "/proposals/", "find_": "/findings/", "sesn_": "/sessions/", "drm_": "/dreams/"}


def _list(visit: Visit) -> Shown:
    before = visit.query.get("before", "")
    if before and not _NUMBER.fullmatch(before):
        raise Invalid("before", "the number of a line", before[:64])
    found = visit.house.audit(
        _LISTED + 1, subject=visit.query.get("subject") or None, before=int(before) if before else None
    )
    rows = [(each, _href(each.subject), _said(each.detail)) for each in found[:_LISTED]]
    more = found[_LISTED - 1].seq if len(found) > _LISTED else None
    facts = {"title": "Audit log", "rows": rows, "more": more, "subject": visit.query.get("subject", "")}
    return Shown("audit.html", facts)


def _href(subject: str) -> str | None:
    return next((where + subject for prefix, where in _LINKED.items() if subject.startswith(prefix)), None)


def _said(detail: object) -> str:
    text = msgspec.json.encode(detail).decode()
    return text if len(text) <= 600 else text[:600] + "…"


PAGES: Final = (Page("GET", "/audit", _list, "audit:read", "/v1/audit"),)
