"""A proposal: the claim, the change, the evidence, and the decision. Decisions are the review service's; a page
only says what it answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from reverie.app import Workspace
from reverie.console.diffs import compared, paired
from reverie.console.entry import own_path
from reverie.console.evidence import finding_facts
from reverie.console.merges import choices, merge_page
from reverie.console.rendering import link
from reverie.console.text import shortened
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import AlreadyDecided, Conflict, InvalidMemory, NotFound, StaleBase
from reverie.domain.proposals import Proposal, RejectReason
from reverie.memory.merge import has_conflict_markers
from reverie.review.likeness import similar

__all__ = ["PAGES", "REASONS", "desk"]

REASONS: Final[dict[RejectReason, str]] = {
    "wrong": "it is wrong",
    "useless": "true, but useless",
    "too_broad": "too broad",
    "known": "known already",
    "sensitive": "sensitive",
}
_VIEWS: Final = ("unified", "split", "rendered")
_QUOTES: Final = 3
_EDITED: Final = 60_000  # bytes of each preview of a text that is edited
_RENDERED: Final = 120_000  # bytes of a text that is shown as it reads
_FINDINGS: Final = 8  # shown with their numbers; the others are on the page of the dream
_ITEM: Final = "/proposals/{proposal_id}"
_API: Final = "/v1/proposals/{proposal_id}"


def desk(house: Workspace, proposal_id: str, view: str | None) -> dict[str, Any]:
    """Everything a reviewer looks at before deciding."""
    preview = house.review.preview(proposal_id)
    proposal = preview.proposal
    pending = proposal.status == "pending"
    found = house.memory.find(proposal.store_id, proposal.path)
    now = proposal.base_content if not pending else (None if found is None else found.content)
    decided = proposal.decision.content if proposal.decision else None
    result = preview.result if pending else (decided or _wanted(proposal))
    shown = view if view in _VIEWS else "unified"
    findings = [finding_facts(house, house.finding(id), _QUOTES) for id in proposal.cited[:_FINDINGS]]
    return {
        "proposal": proposal,
        "pending": pending,
        "clean": preview.clean or not pending,
        "moved": pending and now != proposal.base_content,
        "result": None if result is None else shortened(result, _RENDERED),
        "memory": found,
        "view": shown,
        "views": _VIEWS,
        "lines": compared(now, result) if shown == "unified" else (),
        "pairs": paired(now, result) if shown == "split" else (),
        "findings": findings,
        "more_findings": len(proposal.findings) - len(findings),
        "fallen": pending and any(map(house.exclusions.fallen, proposal.findings[:1])),
        "tried": house.replays.list(proposal.id),
        "similar": similar(house.memory, proposal) if pending else (),
        "reasons": REASONS,
        "store": house.stores.get(proposal.store_id),
    }


def _wanted(proposal: Proposal) -> str | None:
    return None if proposal.kind == "retire" else proposal.content


def _show(visit: Visit) -> Shown:
    proposal_id = _exact(visit)
    facts = desk(visit.house, proposal_id, visit.query.get("view"))
    address = f"/proposals/{proposal_id}"

    def at_view(view: str) -> str:
        return link(address, view=view)

    return Shown(
        "proposal.html",
        {
            **facts,
            "title": facts["proposal"].title,
            "at": at_view,
            "on": address,
            "stay": address,
            "notice": visit.query.get("decided") == proposal_id,
            "counted": visit.query.get("counted"),
        },
    )


def _exact(visit: Visit) -> str:
    wanted = visit.path["proposal_id"]
    if visit.house.review.get(wanted).id != wanted:
        raise NotFound(f"there is no proposal {wanted!r}")
    return wanted


# ---------------------------------------------------------------------- editing


def _edit(visit: Visit) -> Shown:
    preview = visit.house.review.preview(_exact(visit))
    return _editor(visit, preview.result or "", preview.seen_sha256, back=visit.query.get("back"), fresh=True)


def _editor(
    visit: Visit,
    text: str,
    seen: str,
    *,
    back: str | None,
    what: str | None = None,
    checked: bool = False,
    fresh: bool = False,
    status: int = 200,
) -> Shown:
    """The text in a box, with what the checks say of it, and what it would do to memory. ``fresh``: nobody has
    changed it yet, so that what a browser kept may take its place."""
    house = visit.house
    proposal = house.review.get(_exact(visit))
    found = house.memory.find(proposal.store_id, proposal.path)
    facts = {
        "title": f"Edit: {proposal.title}",
        "proposal": proposal,
        "text": text,
        "seen": seen,
        "back": own_path(back or f"/proposals/{proposal.id}"),
        "what": what,
        "checked": checked,
        "fresh": fresh,
        "conflicting": has_conflict_markers(text),
        "notes": [
            (note, text.count("\n", 0, note.start) + 1 if note.start is not None else None)
            for note in house.examine(text, path=proposal.path, store_id=proposal.store_id)
        ],
        "lines": compared(found.content if found is not None else None, text, _EDITED),
        "preview": shortened(text, _EDITED),
    }
    return Shown("edit.html", facts, status)


def _check(visit: Visit) -> Answer:
    """Preview and checks of what is in the box; nothing is written."""
    form = visit.form
    return _editor(visit, form.get("content", ""), form.get("seen", ""), back=form.get("back"), checked=True)


def _modify(visit: Visit) -> Answer:
    form = visit.form
    text, seen, back = form.get("content", ""), form.get("seen", ""), form.get("back")
    try:
        return _decided(
            visit,
            lambda id: visit.house.review.modify(
                id, text, by=visit.by, note=form.get("note") or None, seen_sha256=seen
            ),
        )
    except InvalidMemory as error:
        return _editor(visit, text, seen, back=back, what=str(error), status=422)
    except (AlreadyDecided, StaleBase):
        raise
    except Conflict as error:
        merging = visit.house.merger.show(_exact(visit), text, seen)
        what = f"{error.what}. Nothing was written, and your text is kept: make one of both."
        return merge_page(merging, own=text, back=back or "/", what=what, own_seen=seen, status=409)


# ---------------------------------------------------------------------- merging


def _merge(visit: Visit) -> Shown:
    merging = visit.house.merger.show(_exact(visit))
    return merge_page(merging, own=None, back=visit.query.get("back") or "/", what=None)


def _put_together(visit: Visit) -> Answer:
    """The choices become a text, which waits in the editor; nothing is written."""
    form, proposal_id = visit.form, _exact(visit)
    own, own_seen, back = form.get("content"), form.get("own_seen"), form.get("back") or "/"
    merging = visit.house.merger.show(proposal_id, own, own_seen)
    if merging.seen_sha256 != form.get("seen"):
        what = "Memory changed once more while you chose. Nothing was written: choose again, below."
        return merge_page(merging, own=own, back=back, what=what, own_seen=own_seen, status=409)
    text = merging.text(choices(visit, merging))
    return _editor(visit, text, merging.seen_sha256, back=back, checked=True)


# ---------------------------------------------------------------------- deciding


def _approve(visit: Visit) -> Answer:
    note = visit.form.get("note") or None
    return _decided(visit, lambda id: visit.house.review.approve(id, by=visit.by, note=note))


def _reject(visit: Visit) -> Answer:
    reason = cast(RejectReason, visit.form.get("reason", ""))
    note = visit.form.get("note") or None
    return _decided(visit, lambda id: visit.house.review.reject(id, reason=reason, by=visit.by, note=note))


def _undo(visit: Visit) -> Answer:
    return _decided(visit, lambda id: visit.house.review.undo(id, by=visit.by))


def _decided(visit: Visit, decide: Callable[[str], Proposal]) -> Answer:
    """Decide and go on; or say why nothing was decided."""
    proposal_id = _exact(visit)
    on = own_path(visit.form.get("on") or f"/proposals/{proposal_id}")
    try:
        decided = decide(proposal_id)
    except AlreadyDecided as error:
        return _too_late(visit, error, on)
    except StaleBase as conflict:
        merging = visit.house.merger.show(proposal_id)
        what = f"{conflict.what}. Nothing was written: both texts are below; make one of them."
        return merge_page(merging, own=None, back=on, what=what, status=409)
    return Moved(
        link(on.partition("#")[0], decided=decided.id) if "?" not in on else f"{on}&decided={decided.id}"
    )


def _too_late(visit: Visit, error: AlreadyDecided, on: str) -> Shown:
    links = [("See what was decided", f"/proposals/{_exact(visit)}"), ("Go on with the next", on)]
    facts = {
        "title": "Decided meanwhile",
        "what": f"{error.what}. Nothing was changed by you.",
        "where": visit.house.review.get(_exact(visit)).title,
        "hint": None,
        "again": None,
        "links": links,
    }
    return Shown("error.html", facts, 409)


PAGES: Final = (
    Page("GET", _ITEM, _show, "proposals:read", _API),
    Page("GET", f"{_ITEM}/edit", _edit, "proposals:read", f"{_API}/preview"),
    Page("GET", f"{_ITEM}/merge", _merge, "proposals:read", f"{_API}/merge"),
    Page("POST", f"{_ITEM}/merge", _put_together, "proposals:read"),
    Page("POST", f"{_ITEM}/check", _check, "proposals:read"),
    Page("POST", f"{_ITEM}/modify", _modify, "proposals:write"),
    Page("POST", f"{_ITEM}/approve", _approve, "proposals:write"),
    Page("POST", f"{_ITEM}/reject", _reject, "proposals:write"),
    Page("POST", f"{_ITEM}/undo", _undo, "proposals:write"),
)
