"""Evidence: a finding with each of its numbers and what it means, then its strata, its sessions, its quotes; and
what a reviewer says is no evidence for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from reverie.app import Workspace
from reverie.console import figures
from reverie.console.entry import own_path
from reverie.console.rendering import link
from reverie.console.visits import Answer, Moved, Page, Shown, Visit
from reverie.domain.errors import NotFound
from reverie.domain.findings import Citation, Finding
from reverie.dreaming.exclusions import Recount
from reverie.dreaming.render import quoted

__all__ = ["PAGES", "finding_facts", "quotes"]

_ITEM: Final = "/findings/{finding_id}"
_API: Final = "/v1/findings/{finding_id}"
_SESSIONS: Final = 200
_QUOTES: Final = 50
_TREND: Final = 2_000  # sessions that a sparkline is drawn of


def finding_facts(house: Workspace, finding: Finding, most: int) -> dict[str, Any]:
    """What a page shows of a finding: its figures, comparisons and at most ``most`` quotes for and against, as
    it counts without what was marked as not evidence."""
    recount = house.exclusions.of(finding)
    now = recount.finding if recount is not None and recount.finding is not None else finding
    return {
        "finding": now,
        "told": finding,
        "recount": recount,
        "figures": list(figures.figures(now)),
        "raw": now.effect.raw,
        "within": now.effect.within,
        "same": figures.same(now),
        "interval": figures.drawn(now.effect.raw),
        "interval_within": figures.drawn(now.effect.within),
        "quotes_for": quotes(house, finding, _marked_out(now.evidence, recount)[:most]),
        "quotes_against": quotes(house, finding, now.counter_evidence[:most]),
        "trend": _trend(house, now),
    }


def _marked_out(cited: Sequence[Citation], recount: Recount | None) -> Sequence[Citation]:
    """The places that are not marked as no evidence."""
    if recount is None:
        return cited
    events = {mark.event_id for mark in recount.exclusions}
    whole = {mark.session_id for mark in recount.exclusions if mark.event_id is None}
    return [each for each in cited if each.span.event_id not in events and each.session_id not in whole]


def _trend(house: Workspace, finding: Finding) -> Sequence[figures.Bar]:
    sessions = house.log.sessions(ids=finding.sessions[:_TREND]) if finding.sessions else ()
    return figures.weeks(each.info.started_at for each in sessions)


def quotes(house: Workspace, finding: Finding, citations: Sequence[Citation]) -> list[dict[str, Any]]:
    """Quotes read back from the log, each with the way to its place there."""
    return [
        {**quoted(each, house.log.event), "href": _place(finding, each), "quoted_at": each.span.event_id}
        for each in citations
    ]


def _place(finding: Finding, citation: Citation) -> str:
    event = citation.span.event_id
    return f"/sessions/{citation.session_id}?at={event}&finding={finding.id}#{event}"


# ---------------------------------------------------------------------- the page


def _evidence(visit: Visit) -> Shown:
    return _page(visit, _exact(visit), visit.query.get("counted"))


def _page(visit: Visit, finding: Finding, counted: str | None = None) -> Shown:
    facts = finding_facts(visit.house, finding, _QUOTES)
    now: Finding = facts["finding"]
    sessions = visit.house.log.sessions(ids=now.sessions[: 5 * _SESSIONS]) if now.sessions else []
    cited = Counter(each.session_id for each in (*now.evidence, *now.counter_evidence))
    sessions.sort(key=lambda each: (-cited[each.id], str(each.info.started_at or ""), each.id))
    first = {each.session_id: _place(finding, each) for each in reversed(now.evidence)}
    return Shown(
        "evidence.html",
        {
            **facts,
            "title": finding.claim,
            "strata": figures.rows(now),
            "sessions": [(each, cited[each.id], first.get(each.id)) for each in sessions[:_SESSIONS]],
            "left_out": len(now.sessions) - min(len(sessions), _SESSIONS),
            "counted": counted,
            "on": f"/findings/{finding.id}",
        },
    )


def _exact(visit: Visit) -> Finding:
    wanted = visit.path["finding_id"]
    finding = visit.house.finding(wanted)
    if finding.id != wanted:
        raise NotFound(f"there is no finding {wanted!r}")
    return finding


# ---------------------------------------------------------------------- what is no evidence


def _exclude(visit: Visit) -> Answer:
    finding, form = _exact(visit), visit.form
    event = form.get("event") if form.get("what") != "session" else None
    visit.house.exclusions.mark(
        finding.id, form.get("session", ""), event or None, by=visit.by, reason=form.get("reason", "")
    )
    return _counted(visit, finding, "without")


def _include(visit: Visit) -> Answer:
    finding = _exact(visit)
    visit.house.exclusions.take_back(finding.id, visit.form.get("mark", ""), by=visit.by)
    return _counted(visit, finding, "with")


def _counted(visit: Visit, finding: Finding, how: str) -> Answer:
    on = own_path(visit.form.get("on") or f"/findings/{finding.id}").partition("#")[0]
    path, _, query = on.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("counted="))
    return Moved(link(f"{path}?{kept}" if kept else path) + ("&" if kept else "?") + f"counted={how}")


PAGES: Final = (
    Page("GET", _ITEM, _evidence, "dreams:read", _API),
    Page("POST", f"{_ITEM}/exclude", _exclude, "proposals:write"),
    Page("POST", f"{_ITEM}/include", _include, "proposals:write"),
)
