"""Dreams: what was asked, how far it is, what was found and proposed, and what was not proposed and why."""

from __future__ import annotations

from typing import Final

from reverie.console.visits import Page, Shown, Visit
from reverie.domain.dreams import STAGES

__all__ = ["PAGES"]

_LISTED: Final = 100
_SHOWN: Final = 200


def _list(visit: Visit) -> Shown:
    found = visit.house.dream_requests.list(limit=_LISTED)
    dreams = {dream.id: dream for dream in visit.house.dreams()}
    rows = [(request, dreams.get(request.dream_id or request.id)) for request in found]
    return Shown("dreams.html", {"title": "Dreams", "rows": rows, "stores": _stores(visit)})


def _stores(visit: Visit) -> dict[str, str]:
    return {store.id: store.name for store in visit.house.stores.list(archived=None, limit=_LISTED)}


def _show(visit: Visit) -> Shown:
    dreams, wanted = visit.house.dream_requests, visit.path["dream_id"]
    request = dreams.get(wanted)
    inner = request.dream_id or request.id
    dream = next((each for each in visit.house.dreams() if each.id == inner), None)
    findings, proposals = dreams.findings(wanted), dreams.proposals(wanted)
    facts = {
        "title": "Dream",
        "request": request,
        "dream": dream,
        "stages": STAGES,
        "reached": STAGES.index(dream.stage) if dream is not None else -1,
        "findings": findings[:_SHOWN],
        "proposals": proposals[:_SHOWN],
        "withheld": dream.withheld[:_SHOWN] if dream is not None else (),
        "silences": dream.silences[:_SHOWN] if dream is not None else (),
        "counts": {"finding": len(findings), "proposal": len(proposals)},
        "stores": _stores(visit),
    }
    return Shown("dream.html", facts)


PAGES: Final = (
    Page("GET", "/dreams", _list, "dreams:read", "/v1/dreams"),
    Page("GET", "/dreams/{dream_id}", _show, "dreams:read", "/v1/dreams/{dream_id}"),
)  # fmt: skip
