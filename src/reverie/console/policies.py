"""Review policies: what a person has said may enter memory without a person; written and removed here."""

from __future__ import annotations

from typing import Final, cast, get_args

from reverie.console.rendering import link
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import Invalid
from reverie.domain.policies import GROWING, MEMORY_KINDS
from reverie.domain.proposals import ProposalKind, Risk

__all__ = ["PAGES"]

_PATH: Final = "/settings/policies"
_KINDS: Final[tuple[ProposalKind, ...]] = get_args(ProposalKind)
_RISKS: Final[tuple[Risk, ...]] = get_args(Risk)
_STORES: Final = 100


def _list(visit: Visit) -> Shown:
    house = visit.house
    stores = house.stores.list(limit=_STORES)
    facts = {
        "title": "Review policies",
        "rows": house.policies.list(archived=None),
        "stores": {store.id: store.name for store in stores},
        "writable": [store for store in stores if store.archived_at is None],
        "kinds": _KINDS,
        "growing": GROWING,
        "memory_kinds": MEMORY_KINDS,
        "risks": _RISKS,
        "did": visit.query.get("did"),
    }
    return Shown("policies.html", facts)


def _add(visit: Visit) -> Answer:
    form = visit.form
    visit.house.policies.add(
        visit.house.stores.get(form.get("store", "")).id,
        by=visit.by,
        kinds=[each for each in _KINDS if form.get(f"kind.{each}")],
        memory_kinds=[each for each in MEMORY_KINDS if form.get(f"memory.{each}")],
        min_sessions=_number(visit, "sessions"),
        min_users=_number(visit, "users"),
        min_days=_number(visit, "days"),
        max_risk=cast(Risk, form.get("risk", "low")),
        why=form.get("why", "").strip() or None,
    )
    return Moved(link(_PATH, did="added"))


def _number(visit: Visit, name: str) -> int:
    said = visit.form.get(name, "").strip()
    if not (said.isascii() and said.isdigit() and len(said) < 7):
        raise Invalid(name, "a whole number from 1 on", said[:20])
    return int(said)


def _remove(visit: Visit) -> Answer:
    visit.house.policies.archive(visit.path["policy_id"], by=visit.by)
    return Moved(link(_PATH, did="removed"))


PAGES: Final = (
    Page("GET", _PATH, _list, "policies:read", "/v1/review_policies"),
    Page("POST", _PATH, _add, "policies:write"),
    Page("POST", f"{_PATH}/{{policy_id}}/remove", _remove, "policies:write"),
)
