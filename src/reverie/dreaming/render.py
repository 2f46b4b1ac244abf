"""Findings, proposals and dreams as JSON: one shape for the command line, Python and (later) the API.

``evidence`` and ``counter_evidence`` are resolved here: an event id becomes the exact quote, the session,
and the line of the file it was read from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from reverie.domain.clock import iso_or_none
from reverie.domain.dreams import Dream, Estimate, Writing
from reverie.domain.errors import NotFound
from reverie.domain.events import Event
from reverie.domain.findings import Citation, Comparison, Condition, Finding, Rate
from reverie.domain.proposals import Proposal
from reverie.dreaming.check import quote_of
from reverie.dreaming.exclusions import Recount

__all__ = [
    "SCHEMA",
    "dream_json",
    "estimate_json",
    "exclusions_json",
    "finding_json",
    "numbers_json",
    "proposal_json",
    "quoted",
]

SCHEMA: Final = 1
"""Version of the shapes below; a field may be added within one version, never changed or taken away."""

Lookup = Callable[[str], Event]


def quoted(citation: Citation, event: Lookup) -> dict[str, Any]:
    """One citation with its quote and the way back to its source. ``quote`` is None if the event is gone."""
    span = citation.span
    shown: dict[str, Any] = {
        "event_id": span.event_id,
        "session_id": citation.session_id,
        "seq": span.seq,
        "path": span.path,
        "start": span.start,
        "end": span.end,
        "quote": None,
        "type": None,
        "at": None,
        "source": None,
    }
    try:
        found = event(span.event_id)
    except NotFound:
        return shown
    origin = found.origin
    return shown | {
        "quote": quote_of(found, citation),
        "type": found.type,
        "at": iso_or_none(found.at),
        "source": None
        if origin is None
        else {"format": origin.format, "uri": origin.uri, "line": origin.line, "pointer": origin.pointer},
    }


def finding_json(finding: Finding, event: Lookup) -> dict[str, Any]:
    """A finding with its numbers and its quotes."""
    return {
        "id": finding.id,
        "key": finding.key,
        "kind": finding.kind,
        "nature": finding.nature,
        "claim": finding.claim,
        "statement": dict(finding.statement),
        "conditions": [_condition(condition) for condition in finding.conditions],
        "synonyms": list(finding.synonyms),
        **numbers_json(finding),
        "first_seen": iso_or_none(finding.first_seen),
        "last_seen": iso_or_none(finding.last_seen),
        "evidence": [quoted(citation, event) for citation in finding.evidence],
        "counter_evidence": [quoted(citation, event) for citation in finding.counter_evidence],
        "sessions": list(finding.sessions),
        "origins": list(finding.origins),
        "miner": {
            "name": finding.miner,
            "version": finding.miner_version,
            "parameters": dict(finding.parameters),
        },
        "weight": finding.weight,
    }


def numbers_json(finding: Finding) -> dict[str, Any]:
    """What is counted of a finding."""
    counts, effect = finding.counts, finding.effect
    return {
        "counts": {
            "sessions": counts.sessions,
            "of_sessions": counts.of_sessions,
            "occurrences": counts.occurrences,
            "users": counts.users,
            "agents": counts.agents,
            "days": counts.days,
        },
        "effect": {
            "raw": _comparison(effect.raw),
            "within_task": _comparison(effect.within),
            "stratified_by": effect.stratified_by,
            "note": effect.note,
            "strata": [
                {"name": each.name, "with": _rate(each.with_), "without": _rate(each.without)}
                for each in effect.strata
            ],
        },
        "p_value": finding.p_value,
        "p_adjusted": finding.p_adjusted,
    }


def exclusions_json(recount: Recount | None) -> dict[str, Any]:
    """What is marked as not evidence for a finding, and what counts without."""
    if recount is None:
        return {"standing": None, "why": None, "numbers": None, "exclusions": []}
    return {
        "standing": recount.standing,
        "why": recount.why,
        "numbers": None if recount.finding is None else numbers_json(recount.finding),
        "exclusions": [
            {
                "id": mark.id,
                "session_id": mark.session_id,
                "event_id": mark.event_id,
                "by": mark.by,
                "reason": mark.reason,
                "at": iso_or_none(mark.at),
            }
            for mark in recount.exclusions
        ],
    }


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """A proposal, its text and what became of it."""
    decision = proposal.decision
    return {
        "id": proposal.id,
        "dream_id": proposal.dream_id,
        "store_id": proposal.store_id,
        "kind": proposal.kind,
        "path": proposal.path,
        "title": proposal.title,
        "content": proposal.content,
        "base_sha256": proposal.base_sha256,
        "idea": proposal.idea,
        "evidence_weight": proposal.evidence_weight,
        "findings": list(proposal.findings),
        "cited": list(proposal.cited),
        "risk": proposal.risk,
        "origins": list(proposal.origins),
        "tainted": proposal.tainted,
        "writer": proposal.writer,
        "status": proposal.status,
        "created_at": iso_or_none(proposal.created_at),
        "decision": None
        if decision is None
        else {
            "by": decision.by,
            "at": iso_or_none(decision.at),
            "reason": decision.reason,
            "note": decision.note,
            "content": decision.content,
            "version_id": decision.version_id,
        },
    }


def _writing(writing: Writing | None) -> dict[str, Any] | None:
    if writing is None:
        return None
    told, used = writing.estimate, writing.usage
    return {
        "model": writing.model,
        "session_id": writing.session_id,
        "usage": {
            "input": used.input,
            "output": used.output,
            "cache_read": used.cache_read,
            "cache_write": used.cache_write,
        },
        "estimate": None if told is None else estimate_json(told),
        "fell_back": writing.fell_back,
    }


def estimate_json(estimate: Estimate) -> dict[str, int]:
    """What a model is expected to use, in tokens; ``everything`` is what reading each transcript once would take."""
    return {"input": estimate.input, "output": estimate.output, "everything": estimate.everything}


def dream_json(
    dream: Dream, findings: Sequence[Finding], proposals: Sequence[Proposal], event: Lookup
) -> dict[str, Any]:
    """The one object that ``reverie dream --json`` prints."""
    return {
        "schema": SCHEMA,
        "dream": {
            "id": dream.id,
            "store_id": dream.store_id,
            "status": dream.status,
            "stage": dream.stage,
            "created_at": iso_or_none(dream.created_at),
            "ended_at": iso_or_none(dream.ended_at),
            "sessions": dream.sessions,
            "new_sessions": dream.new_sessions,
            "parameters": dict(dream.parameters),
            "error": dream.error,
            "written_by": list(dream.written_by),
            "writing": _writing(dream.writing),
            "withheld": [
                {"finding_id": held.finding_id, "claim": held.claim, "why": held.why}
                for held in dream.withheld
            ],
            "silences": [
                {"miner": told.miner, "about": told.about, "why": told.why} for told in dream.silences
            ],
        },
        "findings": [finding_json(finding, event) for finding in findings],
        "proposals": [proposal_json(proposal) for proposal in proposals],
    }


def _condition(condition: Condition) -> dict[str, Any]:
    value = list(condition.value) if isinstance(condition.value, tuple) else condition.value
    shown: dict[str, Any] = {"attribute": condition.attribute, "op": condition.op, "value": value}
    if condition.low is not None or condition.high is not None:
        shown["interval"] = [condition.low, condition.high]
    return shown


def _comparison(comparison: Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    return {
        "with": _rate(comparison.with_),
        "without": _rate(comparison.without),
        "difference": comparison.difference,
        "interval": [comparison.low, comparison.high],
        "p_value": comparison.p_value,
        "odds_ratio": comparison.odds_ratio,
        "strata": comparison.strata,
        "method": comparison.method,
    }


def _rate(rate: Rate) -> dict[str, Any]:
    return {"successes": rate.successes, "total": rate.total, "rate": rate.value}
