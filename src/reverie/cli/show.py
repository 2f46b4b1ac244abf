"""Findings and proposals for a person's eyes: the claim, its numbers, its quotes, and the way to each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, Final, cast

import reverie
from reverie.cli.output import esc, many, moment
from reverie.domain.findings import Comparison, Finding
from reverie.domain.proposals import Proposal
from reverie.dreaming.render import quoted

__all__ = ["companion_lines", "diff_lines", "finding_lines", "proposal_lines", "quote_lines"]

_SAME: Final = {
    "cluster": "kind of request",
    "first_tool": "first tool called",
}  # for people; every other stratum is called what it is


def finding_lines(rv: reverie.Reverie, finding: Finding, *, examples: int = 3) -> Iterator[str]:
    """Claim, conditions, dates, effect, then up to ``examples`` quotes for and against, as Rich markup lines."""
    yield esc(finding.claim)
    for line in filter(None, (_limits(finding), *_more(finding), _when(finding), *_effect(finding))):
        yield f"[dim]{esc(line)}[/]"
    for citation in finding.evidence[:examples]:
        yield from quote_lines(quoted(citation, rv.log.event), "[green]+[/]")
    for citation in finding.counter_evidence[:examples]:
        yield from quote_lines(quoted(citation, rv.log.event), "[red]−[/]")


def companion_lines(rv: reverie.Reverie, proposal: Proposal) -> Iterator[str]:
    """What else a proposal rests on, a line a finding: the same mistake told by others."""
    for finding_id in proposal.cited[1:]:
        yield f"[dim]and: {esc(rv.finding(finding_id).claim)}[/]"


def quote_lines(citation: dict[str, Any], sign: str) -> Iterator[str]:
    """One quote and where it stands."""
    quote = citation["quote"] or "(no longer in the log)"
    for line in str(quote).splitlines() or [""]:
        yield f"{sign} “{esc(line)}”"
    source: dict[str, Any] = citation["source"] or {"uri": citation["session_id"], "line": None}
    place = f"{source['uri']}:{source['line']}" if source["line"] else str(source["uri"])
    yield f"  [dim]{esc(place)} · {citation['event_id']}[/]"


def _limits(finding: Finding) -> str:
    """Between which values each threshold that was found lies."""
    found = [
        f"{c.attribute} {'from' if c.op == '>=' else 'below'} {c.value} ({c.low:g} to {c.high:g})"
        for c in finding.conditions
        if c.low is not None and c.high is not None and c.low < c.high
    ]
    return f"limits and where they lie with 95 % probability: {' · '.join(found)}" if found else ""


def _more(finding: Finding) -> Iterator[str]:
    """What bears a conditional pattern out, and what else happens under its conditions."""
    held = cast(dict[str, list[int]] | None, finding.statement.get("held_back"))
    if held is not None:
        (k, n), (a, m) = held["here"], held["elsewhere"]
        yield f"in sessions that had no part in finding it: {k} of {n}; elsewhere {a} of {m}"
    also = cast(list[str] | None, finding.statement.get("also"))
    if also is not None:
        yield f"under the same conditions: {', '.join(also)}"


def _when(finding: Finding) -> str:
    """What the claim does not say itself: how many agents, from when to when."""
    counts = finding.counts
    parts = [f"{counts.agents} agent{'s' if counts.agents != 1 else ''}"] if counts.agents else []
    if finding.first_seen is not None:
        parts.append(f"{moment(finding.first_seen)[:10]} to {moment(finding.last_seen)[:10]}")
    return " · ".join(parts)


def _effect(finding: Finding) -> Iterator[str]:
    effect = finding.effect
    if effect.raw is not None:
        yield "success " + _comparison(effect.raw, "with / without")
    if effect.within is not None:
        same = _SAME.get(effect.stratified_by or "task", effect.stratified_by)
        strata = f"within the same {same} ({effect.within.strata} comparable)"
        yield f"{strata}: {effect.within.difference * 100:+.0f} points [{effect.within.low * 100:+.0f}, {effect.within.high * 100:+.0f}]"
    if effect.note and effect.raw is not None:  # no outcomes at all is said once, not under each finding
        yield effect.note


def _comparison(found: Comparison, words: str) -> str:
    with_, without = found.with_, found.without
    return (
        f"{_percent(with_.value)} ({with_.successes}/{with_.total}) / "
        f"{_percent(without.value)} ({without.successes}/{without.total}) {words}"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.0f} %"


def diff_lines(before: str | None, after: str, path: str) -> Iterator[str]:
    """A unified diff as Rich markup lines; signs as well as colours say what is new."""
    lines = difflib.unified_diff(
        (before or "").splitlines(), after.splitlines(), f"memory{path}", f"proposed{path}", lineterm="", n=2
    )
    for line in lines:
        colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        yield f"[{colour}]{esc(line)}[/]" if colour else esc(line)


def proposal_lines(rv: reverie.Reverie, proposal: Proposal, *, examples: int = 2) -> Iterator[str]:
    """The whole proposal: title, where it goes, claim and evidence of each finding, the diff."""
    taint = "  [yellow]▲ rests on tool output: read it as foreign text[/]" if proposal.tainted else ""
    yield f"[bold]{esc(proposal.title)}[/]"
    yield f"[dim]{proposal.id} · {proposal.kind} {esc(proposal.path)} · {proposal.risk} risk · {proposal.status}[/]{taint}"
    for finding_id in proposal.cited:
        yield ""
        yield from finding_lines(rv, rv.finding(finding_id), examples=examples)
    beside = len(proposal.findings) - len(proposal.cited)
    if beside:
        yield ""
        yield f"[dim]{many(beside, 'more finding')} lay before its writer: reverie dreams show {proposal.dream_id}[/]"
    yield ""
    yield from diff_lines(proposal.base_content, proposal.content, proposal.path)
    decision = proposal.decision
    if decision is not None:
        reason = f" ({decision.reason})" if decision.reason else ""
        yield ""
        yield f"{proposal.status} by {esc(decision.by)}, {moment(decision.at)}{reason} {esc(decision.note or '')}"
