"""A dream that is to begin: over which sessions, how it is written, what it may use; and what that comes to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from reverie.console.dreams import store_names
from reverie.console.sessions import narrowed
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.dreams import Wish
from reverie.domain.errors import Forbidden, Invalid
from reverie.dreaming.requests import MAX_SESSIONS, Asked
from reverie.storage.managed import FACETS

__all__ = ["NO_MODEL", "PAGES", "chosen_mode", "modes", "number", "wish"]

NO_MODEL: Final = "none"
"""What is said of a dream that is computed."""
_MODES: Final[Mapping[Any, str]] = {
    "propose": "propose: everything waits for review",
    "create_new": "write into a copy of the store",
    "update_existing": "write into the store, but for what untrusted text had a hand in",
}
_WRITES: Final = "memory_stores:write"
_FIELDS: Final = (
    *FACETS,
    "began_at[gte]",
    "began_at[lt]",
    "store",
    "mode",
    "by",
    "instructions",
    "max_tokens",
)


def _new(visit: Visit) -> Shown:
    """The form, with what was filled in so far, how many sessions that is, and what a model would use."""
    house, said = visit.house, visit.asked(*_FIELDS)
    filters = narrowed(said)
    sessions = house.session_search.ids(filters, MAX_SESSIONS + 1)
    stores = store_names(house)
    chosen = said.get("store") or next(iter(stores), None)
    estimate = None
    if visit.query.get("estimate") and wish(said).model is not None and sessions and chosen is not None:
        estimate = house.dreamer().estimate(
            house.stores.get(chosen).name, sessions=sessions[:MAX_SESSIONS], wish=wish(said)
        )
    facts = {
        "title": "A new dream",
        "stores": stores,
        "modes": modes(visit),
        "models": house.models.ids,
        "said": {**said, "store": chosen or ""},
        "kept": said,
        "facets": house.session_search.facets(filters),
        "count": len(sessions),
        "most": MAX_SESSIONS,
        "estimate": estimate,
        "may_start": visit.visitor.may("dreams:write"),
    }
    return Shown("dream_new.html", facts)


def modes(visit: Visit) -> dict[Any, str]:
    """Where a dream may write, by the visitor's leave."""
    return {mode: words for mode, words in _MODES.items() if mode == "propose" or visit.visitor.may(_WRITES)}


def chosen_mode(visit: Visit, among: Collection[str]) -> Any:
    """The mode that a form says.

    Raises:
        Invalid: it is none of ``among``.
        Forbidden: the visitor's key may not write where it would.
    """
    mode = visit.form.get("mode") or "propose"
    if mode not in among:
        raise Invalid("mode", f"one of {', '.join(among)}", mode)
    if mode != "propose" and not visit.visitor.may(_WRITES):
        raise Forbidden(f"this key may not do that: it lacks the scope {_WRITES}")
    return mode


def _start(visit: Visit) -> Answer:
    form = visit.form
    mode = chosen_mode(visit, _MODES)
    wanted, store = wish(form), form.get("store", "")
    sessions = visit.house.session_search.ids(narrowed(form), MAX_SESSIONS)
    asked = Asked(
        store_id=store,
        session_ids=sessions,
        model=wanted.model or NO_MODEL,
        instructions=wanted.instructions,
        output=mode,  # type: ignore[arg-type]
        into=store if mode == "update_existing" else None,
        max_tokens=wanted.max_tokens,
    )
    return Moved(f"/dreams/{visit.house.dream_requests.create(asked).id}")


def wish(said: Mapping[str, str]) -> Wish:
    """How a dream is to be written, as a form says it."""
    model = said.get("by") or NO_MODEL
    return Wish(
        model=None if model == NO_MODEL else model,
        instructions=said.get("instructions", "").strip() or None,
        max_tokens=number(said, "max_tokens"),
    )


def number(said: Mapping[str, str], name: str) -> int | None:
    """A field that counts something; None where it is left empty.

    Raises:
        Invalid: it is no count.
    """
    told = said.get(name, "").strip()
    if not told:
        return None
    if not (told.isascii() and told.isdigit() and len(told) < 16 and int(told) > 0):
        raise Invalid(name, "a whole number above zero", told[:64])
    return int(told)


PAGES: Final = (
    Page("GET", "/dreams/new", _new, "dreams:read", "/v1/models"),
    Page("POST", "/dreams", _start, "dreams:write"),
)  # fmt: skip
