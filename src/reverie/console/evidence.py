"""Evidence: a finding with each of its numbers and what it means, then its strata, its sessions, its quotes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reverie.app import Workspace
from reverie.console.visits import Page, Shown, Visit
from reverie.domain.errors import NotFound
from reverie.domain.findings import Citation, Comparison, Finding
from reverie.domain.sessions import Session
from reverie.dreaming.render import quoted

__all__ = ["PAGES", "Figure", "Stratum", "figures", "finding_facts", "quotes"]

_SAME: Final = {"cluster": "kind of request", "first_tool": "first tool called"}
_SESSIONS: Final = 200
_QUOTES: Final = 50


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and what is counted."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Stratum:
    """Sessions that are comparable, by how they ended."""

    name: str
    sessions: int
    success: int
    failure: int


def figures(finding: Finding) -> Iterator[Figure]:
    """How often, by whom, on how many days."""
    counts = finding.counts
    yield Figure(
        "sessions", f"{counts.sessions:,} of {counts.of_sessions:,}",
        "Sessions that show it, of those in which it could have shown.",
    )  # fmt: skip
    yield Figure("times", f"{counts.occurrences:,}", "How often it was seen in these sessions, all counted.")
    named = [
        ("people", counts.users, "Different people whose sessions show it."),
        ("agents", counts.agents, "Different agents that show it."),
        ("days", counts.days, "Different days on which it was seen."),
    ]
    yield from (Figure(name, f"{count:,}" if count else "unknown", meaning) for name, count, meaning in named)
    if finding.p_adjusted is not None:
        yield Figure(
            "chance", f"{finding.p_adjusted:.2g}",
            "How probable a difference this large is by chance alone (p), after correcting for "
            "everything else that was looked at.",
        )  # fmt: skip


def finding_facts(house: Workspace, finding: Finding, most: int) -> dict[str, Any]:
    """What a page shows of a finding: its figures, comparisons and at most ``most`` quotes for and against."""
    effect = finding.effect
    return {
        "finding": finding,
        "figures": list(figures(finding)),
        "raw": effect.raw,
        "within": effect.within,
        "same": _SAME.get(effect.stratified_by or "task", effect.stratified_by or "task").replace("_", " "),
        "interval": None if effect.raw is None else _drawn(effect.raw),
        "interval_within": None if effect.within is None else _drawn(effect.within),
        "quotes_for": quotes(house, finding, finding.evidence[:most]),
        "quotes_against": quotes(house, finding, finding.counter_evidence[:most]),
    }


def quotes(house: Workspace, finding: Finding, citations: Sequence[Citation]) -> list[dict[str, Any]]:
    """Quotes read back from the log, each with the way to its place there."""
    return [
        {**quoted(each, house.log.event), "href": _place(finding, each), "quoted_at": each.span.event_id}
        for each in citations
    ]


def _place(finding: Finding, citation: Citation) -> str:
    event = citation.span.event_id
    return f"/sessions/{citation.session_id}?at={event}&finding={finding.id}#{event}"


def _drawn(found: Comparison) -> dict[str, float]:
    """An interval on an axis from −100 to 100 points, in units of the drawing (0 to 200)."""
    low, high = max(-1.0, found.low), min(1.0, found.high)
    return {"low": 100 + low * 100, "wide": max(2.0, (high - low) * 100), "at": 100 + found.difference * 100}


def _evidence(visit: Visit) -> Shown:
    wanted = visit.path["finding_id"]
    finding = visit.house.finding(wanted)
    if finding.id != wanted:
        raise NotFound(f"there is no finding {wanted!r}")
    sessions = visit.house.log.sessions(ids=finding.sessions[: 5 * _SESSIONS])
    cited = Counter(each.session_id for each in (*finding.evidence, *finding.counter_evidence))
    first = {each.session_id: _place(finding, each) for each in reversed(finding.evidence)}
    facts = {
        **finding_facts(visit.house, finding, _QUOTES),
        "title": finding.claim,
        "strata": _strata(sessions),
        "sessions": [(each, cited[each.id], first.get(each.id)) for each in sessions[:_SESSIONS]],
        "left_out": len(finding.sessions) - min(len(sessions), _SESSIONS),
    }
    return Shown("evidence.html", facts)


def _strata(sessions: Sequence[Session]) -> list[Stratum]:
    """The sessions that show it, by task; the largest group first."""
    by_task: dict[str, list[str]] = {}
    for each in sessions:
        by_task.setdefault(each.info.task or "no task named", []).append(each.info.outcome.label)
    found = [
        Stratum(task, len(labels), labels.count("success"), labels.count("failure"))
        for task, labels in by_task.items()
    ]
    return sorted(found, key=lambda stratum: (-stratum.sessions, stratum.name))[:50]


PAGES: Final = (
    Page("GET", "/findings/{finding_id}", _evidence, "dreams:read", "/v1/findings/{finding_id}"),
)  # fmt: skip
