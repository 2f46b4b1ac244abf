"""Dreams: how far each is, what it read and left out, what it found and proposed, and what not and why; two of them
side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from reverie.app import Workspace
from reverie.console.rendering import link
from reverie.console.sessions import cursor, place
from reverie.console.visits import Answer, Moved, Page, Same, Shown, Visit
from reverie.domain.dream_requests import ENDED, DreamRequest
from reverie.domain.dreams import STAGES, Dream

__all__ = ["PAGES", "store_names"]

_LISTED: Final = 50
_SHOWN: Final = 200
_SESSIONS: Final = 100
_OTHERS: Final = 30
_STORES: Final = 100


def _list(visit: Visit) -> Answer:
    house = visit.house
    found = house.dream_requests.list(after=cursor(visit.query.get("after")), limit=_LISTED + 1)
    rows = [(request, _dream(house, request)) for request in found[:_LISTED]]
    version = _version(rows)
    if visit.query.get("version") == version:
        return Same()
    last = found[_LISTED - 1] if len(found) > _LISTED else None
    facts = {
        "title": "Dreams",
        "rows": rows,
        "stores": store_names(house),
        "more": None if last is None else place((last.created_at, last.id)),
        "later": bool(visit.query.get("after")),
        "poll": link("/dreams", visit.asked("after"), version=version) if _going(found) else None,
    }
    return Shown("dreams.html", facts)


def store_names(house: Workspace) -> dict[str, str]:
    """The names of memory stores by id."""
    return {store.id: store.name for store in house.stores.list(archived=None, limit=_STORES)}


def _dream(house: Workspace, request: DreamRequest) -> Dream | None:
    return house.stored_dream(request.dream_id or request.id)


def _going(found: Sequence[DreamRequest]) -> bool:
    return any(each.status not in ENDED for each in found)


def _version(shown: object) -> str:
    """What a page that looks again says, to hear only of what is new."""
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def _show(visit: Visit) -> Answer:
    house, wanted = visit.house, visit.path["dream_id"]
    request = house.dream_requests.get(wanted)
    dream = _dream(house, request)
    version = _version((request, dream))
    if visit.query.get("version") == version:
        return Same()
    findings, proposals = (
        house.dream_requests.findings(wanted),
        house.dream_requests.proposals(wanted, _SHOWN),
    )
    ended = request.status in ENDED
    facts = {
        "title": "Dream",
        "request": request,
        "dream": dream,
        "writing": None if dream is None else dream.writing,
        "stages": STAGES,
        "reached": STAGES.index(dream.stage) if dream is not None else -1,
        "findings": findings[:_SHOWN],
        "proposals": proposals,
        "withheld": dream.withheld[:_SHOWN] if dream is not None else (),
        "silences": dream.silences[:_SHOWN] if dream is not None else (),
        "counts": {
            "finding": len(findings),
            "proposal": dream.proposals if dream is not None else len(proposals),
        },
        "stores": store_names(house),
        "ended": ended,
        "read": house.log.sessions(ids=request.session_ids[:_SESSIONS]),
        "left_out": _left_out(request, dream),
        "most": _SESSIONS,
        "others": _others(house, request),
        "poll": None if ended else link(f"/dreams/{wanted}", version=version),
        "asked_here": request.id != request.dream_id or request.model is not None,
        "may": visit.visitor.may,
    }
    return Shown("dream.html", facts)


def _left_out(request: DreamRequest, dream: Dream | None) -> int:
    """How many of the sessions that were asked for the dream did not read."""
    return 0 if dream is None else max(0, len(request.session_ids) - dream.sessions)


def _others(house: Workspace, request: DreamRequest) -> list[DreamRequest]:
    """Dreams into the same store that this one can be laid beside."""
    found = house.dream_requests.list(statuses=["completed"], limit=_OTHERS)
    return [each for each in found if each.id != request.id and each.store_id == request.store_id]


def _cancel(visit: Visit) -> Answer:
    visit.house.dream_requests.cancel(visit.path["dream_id"])
    return Moved(f"/dreams/{visit.path['dream_id']}")


# ---------------------------------------------------------------------- side by side


def _choose(visit: Visit) -> Answer:
    """To the comparison with the dream that a form names."""
    mine, other = visit.path["dream_id"], visit.query.get("with", "")
    found = visit.house.dream_requests.get(other)
    return Moved(f"/dreams/{mine}/compare/{found.id}")


def _compare(visit: Visit) -> Shown:
    house, after, before = visit.house, visit.path["dream_id"], visit.path["other_dream_id"]
    facts: dict[str, Any] = {
        "title": "Two dreams",
        "after": house.dream_requests.get(after),
        "before": house.dream_requests.get(before),
        "found": house.compare_dreams(before, after),
        "stores": store_names(house),
        "most": _SHOWN,
    }
    return Shown("dream_compare.html", facts)


PAGES: Final = (
    Page("GET", "/dreams", _list, "dreams:read", "/v1/dreams"),
    Page("GET", "/dreams/{dream_id}", _show, "dreams:read", "/v1/dreams/{dream_id}"),
    Page("POST", "/dreams/{dream_id}/cancel", _cancel, "dreams:write"),
    Page("GET", "/dreams/{dream_id}/compare", _choose, "dreams:read"),
    Page("GET", "/dreams/{dream_id}/compare/{other_dream_id}", _compare, "dreams:read",
         "/v1/dreams/{dream_id}/compare/{other_dream_id}"),
)  # fmt: skip
