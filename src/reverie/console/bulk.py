"""Many proposals at once: first all of the change together, with what stays out of it and why, then what became
of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reverie.console.diffs import Line, compared
from reverie.console.entry import own_path
from reverie.console.inbox import FILTERS, wanted
from reverie.console.rendering import link
from reverie.console.text import cost
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.review.bulk import MOST, LeftOut
from reverie.review.review import Preview

__all__ = ["PAGES"]

_PICKED: Final = "pick."
_SEEN: Final = "seen."
_PAGE: Final = 180_000  # bytes of changes on a page
_LINE: Final = 130  # bytes of a line's frame
_LATER: Final = "it does not fit on this page with the others: look at it by itself, or in the next round"


def _look(visit: Visit) -> Answer:
    """The combined change. Nothing is written."""
    filters = {name: visit.form[name] for name in FILTERS if visit.form.get(name)}
    ids = _picked(visit, filters)
    back = own_path(visit.form.get("back") or link("/", filters))
    if not ids:
        return Moved(back)
    glance = visit.house.bulk.look(ids[:MOST])
    shown, late = _fitting(visit, glance.included)
    facts = {
        "title": "Approve together",
        "changes": shown,
        "left_out": [*glance.left_out, *(LeftOut(each.proposal, _LATER) for each in late)],
        "more": max(0, len(ids) - MOST),
        "most": MOST,
        "added": sum(line.kind == "added" for _, lines in shown for line in lines),
        "back": back,
        "seen": _SEEN,
    }
    return Shown("bulk.html", facts)


def _picked(visit: Visit, filters: dict[str, str]) -> list[str]:
    """The proposals that were selected; or, where all were asked for, those that fit the filters."""
    if visit.form.get("all"):
        return list(visit.house.pile.look(wanted(filters), near=0).fitting)
    here = [name.removeprefix(_PICKED) for name in visit.form if name.startswith(_PICKED)]
    return list(dict.fromkeys([*here, *visit.form.get("ids", "").split()]))


def _fitting(
    visit: Visit, previews: tuple[Preview, ...]
) -> tuple[list[tuple[Preview, list[Line]]], list[Preview]]:
    """As many of the changes as a page holds, each of them whole, and the others."""
    shown: list[tuple[Preview, list[Line]]] = []
    late: list[Preview] = []
    left = _PAGE
    for preview in previews:
        proposal = preview.proposal
        found = visit.house.memory.find(proposal.store_id, proposal.path)
        lines = compared(None if found is None else found.content, preview.result)
        needed = sum(_LINE + cost(piece.text) for line in lines for piece in line.pieces)
        if needed > left or late or any(line.kind == "cut" for line in lines):
            late.append(preview)
        else:
            shown.append((preview, lines))
            left -= needed
    return shown, late


def _approve(visit: Visit) -> Answer:
    form: Mapping[str, str] = visit.form
    seen = {name.removeprefix(_SEEN): said for name, said in form.items() if name.startswith(_SEEN)}
    back = own_path(form.get("back") or "/")
    if not seen:
        return Moved(back)
    done = visit.house.bulk.approve(seen, by=visit.by, note=form.get("note") or None)
    facts: dict[str, Any] = {
        "title": "Approved together",
        "done": done,
        "left": visit.house.pile.look(wanted({}), near=0).total,
        "back": back,
    }
    return Shown("bulk_done.html", facts)


def _elsewhere(visit: Visit) -> Answer:
    """What was sent cannot be looked at again."""
    return Moved("/")


PAGES: Final = (
    Page("GET", "/bulk", _elsewhere, "proposals:read"),
    Page("GET", "/bulk/approve", _elsewhere, "proposals:read"),
    Page("POST", "/bulk", _look, "proposals:read"),
    Page("POST", "/bulk/approve", _approve, "proposals:write"),
)
