"""The inbox: what waits for a decision, filtered and grouped, and beside it the one that is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from reverie.console.proposals import desk
from reverie.console.rendering import link
from reverie.console.visits import Page, Shown, Visit
from reverie.domain.errors import NotFound
from reverie.domain.proposals import Brief, Proposal
from reverie.storage.managed import Filters

__all__ = ["PAGES"]

_FILTERS: Final = ("kind", "risk", "taint", "store", "q", "group")
_GROUPS: Final = ("kind", "file", "risk")
_NEAR: Final = 40  # proposals shown before and after the one that is open
_RISKS: Final = {"high": 0, "medium": 1, "low": 2}


@dataclass(frozen=True, slots=True)
class _Pile:
    """The proposals that fit the filters, in the order in which they are shown."""

    every: Sequence[Brief]
    fitting: Sequence[Brief]
    group: str

    def heading(self, brief: Brief) -> str:
        """The group that a proposal is in."""
        return {"kind": brief.kind, "file": brief.path, "risk": f"{brief.risk} risk"}.get(self.group, "")

    def place(self, proposal_id: str | None) -> int | None:
        """Where a proposal is; the first is 0."""
        return next((at for at, each in enumerate(self.fitting) if each.id == proposal_id), None)


def _inbox(visit: Visit) -> Shown:
    filters = visit.asked(*_FILTERS)
    pile = _pile(visit.house.review.pile(), filters)
    at = pile.place(visit.query.get("open"))
    current = visit.query.get("open") or (pile.fitting[0].id if pile.fitting else None)
    at = 0 if at is None and not visit.query.get("open") and pile.fitting else at
    near = _near(pile, at)

    def to(proposal_id: str | None, **more: str) -> str:
        return link("/", filters, open=proposal_id, **more)

    def at_view(view: str) -> str:
        return to(current, view=view)

    on = to(_following(pile, at))
    facts: dict[str, Any] = {
        "title": f"Inbox ({len(pile.every):,})",
        "filters": {name: filters.get(name, "") for name in _FILTERS},
        "filtered": bool(filters),
        "groups": _GROUPS,
        "kinds": sorted({each.kind for each in pile.every}),
        "total": len(pile.every),
        "fitting": len(pile.fitting),
        "rows": [(pile.heading(each), each) for each in near],
        "first": (pile.place(near[0].id) or 0) + 1 if near else 0,
        "current": current,
        "number": None if at is None else at + 1,
        "earlier": to(pile.fitting[at - 1].id) if at else None,
        "later": to(pile.fitting[at + 1].id) if at is not None and at + 1 < len(pile.fitting) else None,
        "to": to,
        "at": at_view,
        "on": on,
        "stay": to(current),
        "just": _just(visit),
        "imported": bool(pile.every or visit.house.sessions.list(Filters(archived=True), limit=1)),
    }
    if current is not None:
        facts |= desk(visit.house, current, visit.query.get("view"))
    return Shown("inbox.html", facts)


def _pile(every: Sequence[Brief], filters: dict[str, str]) -> _Pile:
    words = filters.get("q", "").casefold()
    taint = {"yes": True, "no": False}.get(filters.get("taint", ""))
    fitting = [
        each
        for each in every
        if filters.get("kind", each.kind) == each.kind
        and filters.get("risk", each.risk) == each.risk
        and filters.get("store", each.store_id) == each.store_id
        and taint in (None, each.tainted)
        and (not words or words in f"{each.title}\n{each.path}".casefold())
    ]
    group = filters.get("group", "")
    if group in _GROUPS:
        fitting.sort(key=lambda each: _order(each, group))
    return _Pile(every, fitting, group)


def _order(brief: Brief, group: str) -> tuple[int, str]:
    """Where a proposal's group stands among the others."""
    return {"kind": (0, brief.kind), "file": (0, brief.path), "risk": (_RISKS[brief.risk], "")}[group]


def _near(pile: _Pile, at: int | None) -> Sequence[Brief]:
    first = max(0, (at or 0) - _NEAR)
    return pile.fitting[first : (at or 0) + _NEAR + 1]


def _following(pile: _Pile, at: int | None) -> str | None:
    """Who is next once the open one is decided: the one below, else the one above, else nobody."""
    if at is None or len(pile.fitting) < 2:
        return None
    return pile.fitting[at + 1 if at + 1 < len(pile.fitting) else at - 1].id


def _just(visit: Visit) -> Proposal | None:
    """The proposal that was decided on before this page."""
    try:
        return visit.house.review.get(visit.query["decided"]) if visit.query.get("decided") else None
    except NotFound:
        return None


PAGES: Final = (
    Page("GET", "/", _inbox, "proposals:read", "/v1/proposals?status=pending"),
)  # fmt: skip
