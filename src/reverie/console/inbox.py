"""The inbox: what waits for a decision, filtered and grouped, and beside it the one that is looked at."""

from __future__ import annotations

from typing import Any, Final

from reverie.console.proposals import desk
from reverie.console.rendering import link
from reverie.console.visits import Page, Shown, Visit
from reverie.domain.errors import NotFound
from reverie.domain.proposals import Brief, Proposal, ProposalKind, Risk
from reverie.review.pile import Wanted
from reverie.storage.managed import Filters
from reverie.storage.pile import Group

__all__ = ["FILTERS", "PAGES", "wanted"]

FILTERS: Final = ("kind", "risk", "taint", "store", "q", "group")
"""What the pile is filtered and grouped by, as parameters of the page."""

_GROUPS: Final[dict[str, Group]] = {"kind": "kind", "file": "file", "risk": "risk"}
_RISKS: Final[dict[str, Risk]] = {"high": "high", "medium": "medium", "low": "low"}
_KINDS: Final[dict[str, ProposalKind]] = {
    "add": "add", "update": "update", "merge": "merge", "move": "move", "retire": "retire",
}  # fmt: skip


def wanted(filters: dict[str, str]) -> Wanted:
    """The filters of a page; a value that is none of theirs asks for nothing."""
    return Wanted(
        kind=_KINDS.get(filters.get("kind", "")),
        risk=_RISKS.get(filters.get("risk", "")),
        tainted={"yes": True, "no": False}.get(filters.get("taint", "")),
        store_id=filters.get("store"),
        words=filters.get("q", "").strip(),
        group=_GROUPS.get(filters.get("group", "")),
    )


def _inbox(visit: Visit) -> Shown:
    filters = visit.asked(*FILTERS)
    asked = visit.query.get("open")
    look = visit.house.pile.look(wanted(filters), asked)
    current = asked or (look.fitting[0] if look.fitting else None)

    def to(proposal_id: str | None, **more: str) -> str:
        return link("/", filters, open=proposal_id, **more)

    def at_view(view: str) -> str:
        return to(current, view=view)

    facts: dict[str, Any] = {
        "title": f"Inbox ({look.total:,})",
        "filters": {name: filters.get(name, "") for name in FILTERS},
        "filtered": bool(filters),
        "groups": tuple(_GROUPS),
        "kinds": look.kinds,
        "total": look.total,
        "fitting": len(look.fitting),
        "rows": [(_heading(each, filters.get("group", "")), each) for each in look.near],
        "first": look.first + 1,
        "current": current,
        "number": None if look.at is None else look.at + 1,
        "earlier": to(look.beside(-1)) if look.beside(-1) else None,
        "later": to(look.beside(1)) if look.beside(1) else None,
        "to": to,
        "at": at_view,
        "on": to(look.beside(1) or look.beside(-1)),
        "stay": to(current),
        "just": _just(visit),
        "counted": visit.query.get("counted"),
        "imported": bool(look.total or visit.house.sessions.list(Filters(archived=True), limit=1)),
    }
    if current is not None:
        facts |= desk(visit.house, current, visit.query.get("view"))
    return Shown("inbox.html", facts)


def _heading(brief: Brief, group: str) -> str:
    """The group that a proposal is in."""
    return {"kind": brief.kind, "file": brief.path, "risk": f"{brief.risk} risk"}.get(group, "")


def _just(visit: Visit) -> Proposal | None:
    """The proposal that was decided on before this page."""
    try:
        return visit.house.review.get(visit.query["decided"]) if visit.query.get("decided") else None
    except NotFound:
        return None


PAGES: Final = (
    Page("GET", "/", _inbox, "proposals:read", "/v1/proposals?status=pending"),
)  # fmt: skip
